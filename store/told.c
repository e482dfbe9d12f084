/*
 * store/told.c - table "told": u64 token id -> u8 version=1, u32 days. Token 9,
 * whose owner was told a week before:
 *
 *   0000000000000009 -> 01 00000007
 */
#include "store/told.h"

#include "store/record.h"

enum { TOLD_VERSION = 1 };

unsigned told_get(struct txn *txn, uint64_t pat)
{
	struct key8 key = key_u64(pat);
	struct unpack u = { 0 };
	unsigned days;

	if (!txn_get(txn, TABLE_TOLD, STR_OF(key.at), &u.rest))
		return TOLD_NOTHING;
	if (unpack_u8(&u) != TOLD_VERSION)
		txn->err = u.failed ? E_CORRUPT : E_VERSION;
	days = unpack_u32(&u);
	if (!txn->err && !unpack_done(&u))
		txn->err = E_CORRUPT;
	return txn->err ? TOLD_NOTHING : days;
}

void told_put(struct txn *txn, uint64_t pat, unsigned days)
{
	struct key8 key = key_u64(pat);
	struct pack pack = { 0 };

	pack_u8(&pack, TOLD_VERSION);
	pack_u32(&pack, days);
	txn_put(txn, TABLE_TOLD, STR_OF(key.at), pack_str(&pack));
}
