/*
 * test/unit/server/test_uses_write.c - server/uses: what a worker notes when
 * its tables are full, and when what it noted could not be written.
 */
#include "test/unit/store/fixture.h"

#include "server/uses.h"
#include "store/used.h"

enum { BATCH = 2048, KNOWN = 4096 }; /* as in server/uses.c */

static void note(struct uses *uses, uint64_t pat, int64_t now)
{
	uses_note(uses, pat, now, STR("::1"), STR("docker"));
}

/* What was passed on is written, or fails; how many there are then in all. */
static uint64_t pass(struct uses *uses, struct db *db, bool fails)
{
	struct use_batch *batch;
	AUTO(txn) struct txn txn;

	uses_pass_on(uses);
	batch = uses_take(uses);
	if (batch && fails)
		uses_failed(batch);
	else if (batch)
		assert_int_equal(deed_commit(db, uses_write, batch), E_OK);
	if (batch)
		uses_give_back(uses, batch);
	txn_read(db, &txn);
	return txn_count(&txn, TABLE_USED);
}

static int64_t used_at(struct db *db, uint64_t pat)
{
	AUTO(txn) struct txn txn;
	struct used used;

	txn_read(db, &txn);
	return used_get(&txn, pat, &used) ? 0 : used.at;
}

/* What does not fit comes at a later use. */
static void more_than_fit(void **state)
{
	struct uses *uses = uses_new();
	struct fixture f;

	(void)state;
	fixture_open(&f);
	for (uint64_t pat = 1; pat <= BATCH + 2; pat++)
		note(uses, pat, NOW);
	assert_int_equal(pass(uses, f.db, false), BATCH);
	assert_int_equal(used_at(f.db, BATCH), NOW);
	assert_int_equal(used_at(f.db, BATCH + 1), 0);
	for (uint64_t pat = 1; pat <= BATCH + 2; pat++)
		note(uses, pat, NOW + 1);
	assert_int_equal(pass(uses, f.db, false), BATCH + 2);
	assert_int_equal(used_at(f.db, 1), NOW);
	assert_int_equal(used_at(f.db, BATCH + 2), NOW + 1);
	fixture_close(&f);
	uses_free(uses);
}

static void what_failed_is_noted_again(void **state)
{
	struct uses *uses = uses_new();
	struct fixture f;

	(void)state;
	fixture_open(&f);
	note(uses, 1, NOW);
	assert_int_equal(pass(uses, f.db, true), 0);
	note(uses, 2, NOW + 1); /* with it, the first comes back */
	assert_int_equal(pass(uses, f.db, false), 1);
	note(uses, 1, NOW + 2);
	assert_int_equal(pass(uses, f.db, false), 2);
	assert_int_equal(used_at(f.db, 1), NOW + 2);
	fixture_close(&f);
	uses_free(uses);
}

/* Ten minutes after what is in the store, which another worker wrote. */
static void the_store_has_the_last_word(void **state)
{
	struct uses *one = uses_new(), *two = uses_new();
	struct fixture f;

	(void)state;
	fixture_open(&f);
	note(one, 1, NOW);
	assert_int_equal(pass(one, f.db, false), 1);
	note(two, 1, NOW + USED_EVERY - 1);
	assert_int_equal(pass(two, f.db, false), 1);
	assert_int_equal(used_at(f.db, 1), NOW);
	note(two, 2, NOW + USED_EVERY - 1);
	assert_int_equal(pass(two, f.db, false), 2);
	note(two, 1, NOW + USED_EVERY);
	assert_int_equal(pass(two, f.db, false), 2);
	assert_int_equal(used_at(f.db, 1), NOW + USED_EVERY);
	fixture_close(&f);
	uses_free(one);
	uses_free(two);
}

static void a_clock_that_was_set_back(void **state)
{
	const int64_t before = NOW - 86400;
	struct uses *uses = uses_new();
	struct fixture f;

	(void)state;
	fixture_open(&f);
	note(uses, 1, NOW);
	assert_int_equal(pass(uses, f.db, false), 1);
	note(uses, 1, before);
	assert_int_equal(pass(uses, f.db, false), 1);
	assert_int_equal(used_at(f.db, 1), before);
	fixture_close(&f);
	uses_free(uses);
}

static void two_in_one_place(void **state)
{
	struct uses *uses = uses_new();
	struct fixture f;

	(void)state;
	fixture_open(&f);
	note(uses, 7, NOW);
	note(uses, 7 + KNOWN, NOW);
	assert_int_equal(pass(uses, f.db, false), 2);
	fixture_close(&f);
	uses_free(uses);
}

/* Before the jobs thread has come, and when it ends. */
static void nothing_is_lost(void **state)
{
	struct uses *uses = uses_new();
	struct use_batch *batch, *rest;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	note(uses, 1, NOW);
	uses_pass_on(uses);
	note(uses, 2, NOW);
	uses_pass_on(uses); /* the first is still there */
	batch = uses_take(uses);
	rest = uses_take_rest(uses);
	assert_non_null(batch);
	assert_non_null(rest);
	assert_int_equal(deed_commit(f.db, uses_write, batch), E_OK);
	assert_int_equal(deed_commit(f.db, uses_write, rest), E_OK);
	assert_int_equal(used_at(f.db, 1), NOW);
	assert_int_equal(used_at(f.db, 2), NOW);
	uses_give_back(uses, batch);
	uses_give_back(uses, rest);
	fixture_close(&f);
	uses_free(uses);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_than_fit),
		cmocka_unit_test(what_failed_is_noted_again),
		cmocka_unit_test(the_store_has_the_last_word),
		cmocka_unit_test(a_clock_that_was_set_back),
		cmocka_unit_test(two_in_one_place),
		cmocka_unit_test(nothing_is_lost),
	};

	return cmocka_run_group_tests_name("uses", tests, NULL, NULL);
}
