/*
 * store/told.c - table "told": u64 token id -> u8 version=2, u32 days, time
 * day, u8 reached; version 1 ends with days, of some day, and reached somebody.
 * Token 9, whose owner was told on 2025-04-04, a week before, and has got it:
 *
 *   0000000000000009 -> 02 00000007 0000000067ef2100 01
 */
#include "store/told.h"

#include "store/record.h"

enum { TOLD_VERSION = 2 };

struct told {
	unsigned days;
	int64_t day;
	bool reached;
};

static enum err unpack(struct txn *txn, struct str value, struct told *out)
{
	struct unpack u = { .rest = value };
	uint8_t version = unpack_u8(&u);

	*out = (struct told) { .days = unpack_u32(&u), .reached = true };
	if (version == TOLD_VERSION) {
		out->day = unpack_time(&u);
		out->reached = unpack_u8(&u);
	} else if (version != 1) {
		return txn->err = value.len ? E_VERSION : E_CORRUPT;
	}
	return unpack_done(&u) ? E_OK : (txn->err = E_CORRUPT);
}

static bool get(struct txn *txn, uint64_t pat, struct told *out)
{
	struct key8 key = key_u64(pat);
	struct str value;

	return txn_get(txn, TABLE_TOLD, STR_OF(key.at), &value) &&
	       !unpack(txn, value, out);
}

static void put(struct txn *txn, uint64_t pat, const struct told *told)
{
	struct key8 key = key_u64(pat);
	struct pack pack = { 0 };

	pack_u8(&pack, TOLD_VERSION);
	pack_u32(&pack, told->days);
	pack_time(&pack, told->day);
	pack_u8(&pack, told->reached);
	txn_put(txn, TABLE_TOLD, STR_OF(key.at), pack_str(&pack));
}

unsigned told_get(struct txn *txn, uint64_t pat, int64_t today)
{
	struct told told;

	return get(txn, pat, &told) && told.day <= today ? told.days
							 : TOLD_NOTHING;
}

void told_put(struct txn *txn, uint64_t pat, unsigned days, int64_t day)
{
	put(txn, pat, &(const struct told) { days, day, false });
}

void told_reached(struct txn *txn, uint64_t pat, int64_t day)
{
	struct told told;

	if (!get(txn, pat, &told) || told.day != day || told.reached)
		return;
	told.reached = true;
	put(txn, pat, &told);
}

void told_lost(struct txn *txn, uint64_t pat, int64_t day)
{
	struct key8 key = key_u64(pat);
	struct told told;

	if (get(txn, pat, &told) && told.day == day && !told.reached)
		txn_remove(txn, TABLE_TOLD, STR_OF(key.at));
}

enum err told_check(struct txn *txn, struct str value)
{
	struct told told;

	return unpack(txn, value, &told);
}
