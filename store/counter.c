/*
 * store/counter.c - ids, never used again: in table "meta" the last one given
 * of each family; absent: none yet. Seven users were made:
 *
 *   "user" -> 0000000000000007
 */
#include "store/db.h"
#include "store/apply.h"
#include "store/record.h"

static const struct str names[] = {
	[COUNTER_USER] = { "user", 4 },
	[COUNTER_SPACE] = { "space", 5 },
	[COUNTER_PAT] = { "pat", 3 },
	[COUNTER_NOTICE] = { "notice", 6 },
};

uint64_t txn_last_id(struct txn *txn, enum counter counter)
{
	struct unpack u = { 0 };
	uint64_t id;

	if (!txn_get(txn, TABLE_META, names[counter], &u.rest))
		return 0;
	id = unpack_u64(&u);
	if (!unpack_done(&u) || id == UINT64_MAX)
		txn->err = E_CORRUPT;
	return txn->err ? 0 : id;
}

static void put(struct txn *txn, struct str name, uint64_t id)
{
	struct key8 value = key_u64(id);

	txn_put(txn, TABLE_META, name, STR_OF(value.at));
}

uint64_t txn_next_id(struct txn *txn, enum counter counter)
{
	uint64_t id = txn_last_id(txn, counter) + 1;

	put(txn, names[counter], id);
	return txn->err ? 0 : id;
}

struct str counter_name(enum counter counter)
{
	return names[counter];
}

/* After a restore: ids that were given since the backup are not given again. */
enum err apply_counter_put(struct txn *txn, struct change *change)
{
	for (enum counter counter = 0; counter < COUNTER_COUNT; counter++) {
		if (!str_eq(names[counter], change->text))
			continue;
		if (change->id > txn_last_id(txn, counter))
			put(txn, names[counter], change->id);
		return E_OK;
	}
	return cause_set(&change->cause, E_SYNTAX, "no such counter");
}

int64_t txn_created_at(struct txn *txn)
{
	struct unpack u = { 0 };
	int64_t when;

	if (!txn_get(txn, TABLE_META, STR("created"), &u.rest)) {
		if (!txn->err)
			txn->err = E_CORRUPT;
		return 0;
	}
	when = unpack_time(&u);
	if (!unpack_done(&u))
		txn->err = E_CORRUPT;
	return txn->err ? 0 : when;
}
