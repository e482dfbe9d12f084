/*
 * store/trail.c - a row of table "job", beside those of store/job.c:
 * u8 0 -> u8 version=1, u64 number. Entry 12 was the last:
 *
 *   00 -> 01 000000000000000c
 */
#include "store/trail.h"

#include "store/record.h"

enum { TRAIL_VERSION = 1 };

static const struct str key = { "\0", 1 };

bool trail_is_key(struct str other)
{
	return str_eq(key, other);
}

enum err trail_get(struct txn *txn, uint64_t *out)
{
	struct unpack u = { 0 };
	uint64_t number;
	unsigned version;

	*out = 0;
	if (!txn_get(txn, TABLE_JOB, key, &u.rest))
		return txn->err;
	version = unpack_u8(&u);
	if (version != TRAIL_VERSION)
		return txn->err = u.failed ? E_CORRUPT : E_VERSION;
	number = unpack_u64(&u);
	if (!unpack_done(&u))
		return txn->err = E_CORRUPT;
	*out = number;
	return E_OK;
}

void trail_put(struct txn *txn, uint64_t number)
{
	struct pack pack = { 0 };

	pack_u8(&pack, TRAIL_VERSION);
	pack_u64(&pack, number);
	txn_put(txn, TABLE_JOB, key, pack_str(&pack));
}
