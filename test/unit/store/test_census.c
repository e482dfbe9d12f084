/* test/unit/store/test_census.c - store/census: what is counted by reading. */
#include "test/unit/store/fixture.h"

#include "store/census.h"
#include "store/mailbox.h"
#include "token/date.h"

enum { TODAY = NOW / DAY * DAY };

static const struct {
	const char *rule;
	int64_t dies; /* days from today; 0: never */
	bool revoked, rotated;
	unsigned counted;
} rows[] = {
	{ "no date", 0, false, false, 0 },
	{ "tomorrow", 1, false, false, 1 },
	{ "the seventh day", 7, false, false, 1 },
	{ "the eighth", 8, false, false, 0 },
	{ "revoked", 3, true, false, 0 },
	{ "rotated: its heir counts", 3, false, true, 1 },
};

static void rotate(struct db *db, uint64_t id)
{
	done(db, (struct change) { .type = CHANGE_TOKEN_ROTATE,
				   .id = id,
				   .digest = digest_of("heir"),
				   .expires_at = TODAY + 3 * DAY,
				   .grace = 2 * DAY });
}

static uint64_t count(struct db *db, int64_t now)
{
	AUTO(txn) struct txn txn;
	struct census census = { 0 };

	txn_read(db, &txn);
	assert_int_equal(census_step(&txn, now, 1000, &census), E_OK);
	assert_true(census.whole);
	return census.expiring;
}

static void tokens_that_die_soon(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fixture f;
		uint64_t id;

		print_message("%s\n", rows[i].rule);
		fixture_open(&f);
		add_user(f.db, "alice", 0);
		id = add_token(f.db, "alice", "one", PAT_API,
			       rows[i].dies ? TODAY + rows[i].dies * DAY : 0);
		if (rows[i].revoked)
			done(f.db,
			     (struct change) { .type = CHANGE_TOKEN_REVOKE,
					       .id = id });
		if (rows[i].rotated)
			rotate(f.db, id);
		assert_int_equal(count(f.db, NOW), rows[i].counted);
		assert_int_equal(count(f.db, TODAY), rows[i].counted);
		assert_int_equal(count(f.db, TODAY + 8 * DAY), 0);
		fixture_close(&f);
	}
}

static void a_date_that_kills_nobody(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	add_user(f.db, "alice", 0);
	add_token(f.db, "alice", "one", PAT_API, TODAY + DAY);
	done(f.db, (struct change) { .type = CHANGE_SETTING_PUT,
				     .text = STR("enforce_token_expiry"),
				     .value = STR("false") });
	assert_int_equal(count(f.db, NOW), 0);
	fixture_close(&f);
}

static void queue(struct txn *txn, int64_t queued_at, int64_t next_at)
{
	struct notice notice = {
		.queued_at = queued_at,
		.next_at = next_at,
		.job = JOB_EXPIRED,
		.way = WAY_MAIL,
		.user = 1,
		.total = 1,
		.len = 1,
		.tokens = { 1 },
	};

	mailbox_add(txn, &notice);
}

/* Not the one that is due first. */
static void the_oldest_notice(void **state)
{
	struct census census = { 0 };
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	assert_int_equal(census_step(&txn, NOW, 9, &census), E_OK);
	assert_int_equal(census.oldest, 0);
	queue(&txn, NOW - 5, NOW);
	queue(&txn, NOW - 9000, NOW + 3600);
	queue(&txn, NOW - 7, NOW + 60);
	census = (struct census) { 0 };
	assert_int_equal(census_step(&txn, NOW, 9, &census), E_OK);
	assert_int_equal(census.oldest, NOW - 9000);
	txn_cleanup(&txn);
	fixture_close(&f);
}

/* Whatever the length of a step, each is counted once. */
static void in_steps(void **state)
{
	enum { TOKENS = 12 };
	struct fixture f;

	(void)state;
	fixture_open(&f);
	add_user(f.db, "alice", 0);
	for (unsigned i = 0; i < TOKENS; i++) {
		char secret[16];

		snprintf(secret, sizeof(secret), "s%u", i);
		add_token(f.db, "alice", secret, PAT_API, TODAY + DAY);
	}
	for (unsigned most = 1; most < TOKENS + 2; most++) {
		struct census census = { 0 };
		unsigned steps = 0;

		while (!census.whole) {
			AUTO(txn) struct txn txn;

			txn_read(f.db, &txn);
			assert_int_equal(census_step(&txn, NOW, most, &census),
					 E_OK);
			assert_true(++steps <= TOKENS / most + 1);
		}
		assert_int_equal(census.expiring, TOKENS);
	}
	fixture_close(&f);
}

/* The last that was read is removed before the next step. */
static void one_that_went(void **state)
{
	struct census census = { 0 };
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	add_user(f.db, "alice", 0);
	add_token(f.db, "alice", "one", PAT_API, TODAY + DAY);
	add_token(f.db, "alice", "two", PAT_API, TODAY + DAY);
	txn_write(f.db, &txn);
	assert_int_equal(census_step(&txn, NOW, 1, &census), E_OK);
	txn_remove(&txn, TABLE_PAT, digest_str(&census.at));
	assert_int_equal(census_step(&txn, NOW, 9, &census), E_OK);
	assert_true(census.whole);
	assert_int_equal(census.expiring, 2);
	txn_cleanup(&txn);
	fixture_close(&f);
}

/* It begins anew. */
static void a_record_that_cannot_be_read(void **state)
{
	struct census census = { .begun = true, .expiring = 9 };
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	txn_put(&txn, TABLE_PAT, STR("x"), STR("y"));
	assert_int_equal(census_step(&txn, NOW, 9, &census), E_CORRUPT);
	assert_false(census.begun || census.whole || census.expiring);
	txn_cleanup(&txn);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_that_die_soon),
		cmocka_unit_test(a_date_that_kills_nobody),
		cmocka_unit_test(the_oldest_notice),
		cmocka_unit_test(in_steps),
		cmocka_unit_test(one_that_went),
		cmocka_unit_test(a_record_that_cannot_be_read),
	};

	return cmocka_run_group_tests_name("census", tests, NULL, NULL);
}
