/*
 * store/counter.c - ids, never used again: in table "meta" the last one given
 * of each family; absent: none yet. Seven users were made:
 *
 *   "user" -> 0000000000000007
 */
#include "store/db.h"
#include "store/record.h"

uint64_t txn_next_id(struct txn *txn, enum counter counter)
{
	static const struct str names[] = {
		[COUNTER_USER] = { "user", 4 },
		[COUNTER_SPACE] = { "space", 5 },
		[COUNTER_PAT] = { "pat", 3 },
	};
	struct unpack u = { 0 };
	struct key8 value;
	uint64_t id = 0;

	if (txn_get(txn, TABLE_META, names[counter], &u.rest)) {
		id = unpack_u64(&u);
		if (!unpack_done(&u) || id == UINT64_MAX)
			txn->err = E_CORRUPT;
	}
	value = key_u64(id + 1);
	txn_put(txn, TABLE_META, names[counter], STR_OF(value.at));
	return txn->err ? 0 : id + 1;
}
