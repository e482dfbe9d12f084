/*
 * test/unit/store/test_verify.c - store/verify: rows that can be read, and are
 * at odds. Those that cannot be read: test_backup.c.
 */
#include "test/unit/store/changes.h"

#include "store/job.h"
#include "store/mailbox.h"
#include "store/pat.h"
#include "store/space.h"
#include "store/user.h"
#include "store/verify.h"

static void count_three(struct txn *txn, enum counter counter)
{
	struct key8 three = key_u64(3);

	txn_put(txn, TABLE_META, counter_name(counter), STR_OF(three.at));
}

static void count_less_users(struct txn *txn)
{
	count_three(txn, COUNTER_USER);
}

static void count_less_tokens(struct txn *txn)
{
	count_three(txn, COUNTER_PAT);
}

static void have_an_odd_name(struct txn *txn)
{
	struct user root;

	assert_int_equal(user_get(txn, 2, &root), E_OK);
	user_remove(txn, &root);
	root = (struct user) { .id = 2, .name = STR("a b") };
	user_put(txn, &root);
}

static void have_an_odd_path(struct txn *txn)
{
	struct space space;

	assert_int_equal(space_find(txn, STR("e"), &space), E_OK);
	space_remove(txn, &space);
	space.path = STR("a b");
	space_put(txn, &space);
}

static void lose_owner(struct txn *txn)
{
	struct user bob;

	assert_int_equal(user_get(txn, 3, &bob), E_OK);
	user_remove(txn, &bob);
}

static void lie_below_a_project(struct txn *txn)
{
	struct space space;

	assert_int_equal(space_find(txn, STR("g"), &space), E_OK);
	space.kind = SPACE_PROJECT;
	space_put(txn, &space);
}

static void share_an_id(struct txn *txn)
{
	struct space space;

	assert_int_equal(space_find(txn, STR("e"), &space), E_OK);
	space.id = 4;
	space_put(txn, &space);
}

static void revoke_alone(struct txn *txn)
{
	struct pat pat;

	assert_int_equal(pat_get(txn, 1, &pat), E_OK);
	pat.revoked_at = NOW;
	pat_put(txn, &pat);
}

/* Token 2 becomes another token 1. */
static void share_a_token_id(struct txn *txn)
{
	struct key16 owner = key_pair(3, 2);
	struct pat pat;

	assert_int_equal(pat_get(txn, 2, &pat), E_OK);
	pat.id = pat.family = 1;
	pat_put(txn, &pat);
	txn_remove(txn, TABLE_USER_PAT, STR_OF(owner.at));
}

static void run_no_job(struct txn *txn)
{
	const struct job_state state = { .ran_at = NOW };

	job_put(txn, (enum job)(JOB_LAST + 1), &state);
}

static void notice_more_than_there_were(struct txn *txn)
{
	struct notice notice = { .next_at = NOW,
				 .queued_at = NOW,
				 .job = JOB_EXPIRING,
				 .way = WAY_MAIL,
				 .user = 1,
				 .total = 1,
				 .len = 1,
				 .tokens = { 1 } };

	mailbox_add(txn, &notice);
	txn_remove(txn, TABLE_META, counter_name(COUNTER_NOTICE));
}

/* Each row can be read, and they are at odds. */
static const struct {
	const char *rule;
	void (*harm)(struct txn *txn);
} odds[] = {
	{ "a user whose id was never given", count_less_users },
	{ "a token whose id was never given", count_less_tokens },
	{ "a name that nobody can have", have_an_odd_name },
	{ "a path that nothing can have", have_an_odd_path },
	{ "a token that works, of nobody", lose_owner },
	{ "a project below a project", lie_below_a_project },
	{ "two spaces of one id", share_an_id },
	{ "a refresh token of a revoked token", revoke_alone },
	{ "two tokens of one id", share_a_token_id },
	{ "a job that there is not", run_no_job },
	{ "a notice whose id was never given", notice_more_than_there_were },
};

static void rows_at_odds_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(odds); i++) {
		AUTO(txn) struct txn txn = { 0 };
		struct store_facts facts;
		struct cause cause;
		struct fixture f;

		print_message("%s\n", odds[i].rule);
		fixture_open(&f);
		set_up(f.db);
		txn_write(f.db, &txn);
		assert_int_equal(store_verify(&txn, &facts, &cause), E_OK);
		odds[i].harm(&txn);
		assert_int_equal(txn.err, E_OK);
		assert_int_equal(store_verify(&txn, &facts, &cause), E_CORRUPT);
		txn_cleanup(&txn);
		fixture_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_at_odds_are_found),
	};

	return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
