/*
 * test/unit/store/test_effect.c - store/change: what is there, and what is no
 * longer there, after a change.
 */
#include "test/unit/store/changes.h"

#include "store/member.h"
#include "store/refresh.h"

static uint64_t count(struct db *db, enum table table)
{
	AUTO(txn) struct txn txn;

	txn_read(db, &txn);
	return txn_count(&txn, table);
}

static void first_revocation_stays(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	assert_int_equal(count(f.db, TABLE_REFRESH), 1);
	done(f.db, (struct change) { .type = CHANGE_TOKEN_REVOKE,
				     .id = 1,
				     .now = NOW + 5 });
	assert_int_equal(token(f.db, 1).revoked_at, NOW + 5);
	assert_int_equal(count(f.db, TABLE_REFRESH), 0);
	assert_int_equal(count(f.db, TABLE_PAT_REFRESH), 0);
	done(f.db, (struct change) { .type = CHANGE_TOKEN_REVOKE,
				     .id = 1,
				     .now = NOW + 9 });
	assert_int_equal(token(f.db, 1).revoked_at, NOW + 5);
	fixture_close(&f);
}

static void removed_user_leaves_nothing_usable(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	done(f.db, (struct change) { .type = CHANGE_USER_REMOVE,
				     .user = S("alice"),
				     .yes = 1 });
	assert_int_equal(token(f.db, 1).revoked_at, NOW);
	assert_int_equal(token(f.db, 4).revoked_at, 0);
	assert_int_equal(count(f.db, TABLE_REFRESH), 0);
	assert_int_equal(count(f.db, TABLE_MEMBER), 1); /* the bot */
	assert_int_equal(count(f.db, TABLE_USER_MEMBER), 1);
	assert_int_equal(count(f.db, TABLE_USER), 3);
	assert_int_equal(count(f.db, TABLE_USER_NAME), 3);
	/* Of the same name, but another. */
	assert_int_equal(add_user(f.db, "alice", 0), 5);
	fixture_close(&f);
}

static void removed_group_takes_what_is_below(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	add_project(f.db, "g/sub/x", VISIBILITY_PRIVATE);
	add_project(f.db, "g2/x", VISIBILITY_PRIVATE);
	done(f.db, (struct change) { .type = CHANGE_SPACE_REMOVE,
				     .path = S("g"),
				     .yes = 1,
				     .recursive = 1 });
	assert_int_equal(token(f.db, 4).revoked_at, NOW);
	assert_int_equal(token(f.db, 1).revoked_at, 0);
	assert_int_equal(count(f.db, TABLE_SPACE), 4); /* e p g2 g2/x */
	assert_int_equal(count(f.db, TABLE_SPACE_ID), 4);
	assert_int_equal(count(f.db, TABLE_MEMBER), 0);
	assert_int_equal(count(f.db, TABLE_USER_MEMBER), 0);
	assert_int_equal(count(f.db, TABLE_USER), 3); /* no bot */
	assert_int_equal(add_project(f.db, "g/app", VISIBILITY_PUBLIC), 10);
	fixture_close(&f);
}

static void groups_above_are_made(void **state)
{
	struct fixture f;
	struct space space;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	assert_int_equal(add_project(f.db, "A/b/C", VISIBILITY_PUBLIC), 3);
	txn_read(f.db, &txn);
	assert_int_equal(space_find(&txn, STR("a"), &space), E_OK);
	assert_int_equal(space.kind, SPACE_GROUP);
	assert_int_equal(space_find(&txn, STR("a/b"), &space), E_OK);
	assert_int_equal(space.kind, SPACE_GROUP);
	assert_int_equal(space_find(&txn, STR("a/b/c"), &space), E_OK);
	assert_int_equal(space.kind, SPACE_PROJECT);
	assert_int_equal(space.rules.visibility, VISIBILITY_PUBLIC);
	txn_cleanup(&txn);
	fixture_close(&f);
}

static void what_is_not_set_stays(void **state)
{
	struct fixture f;
	struct space space;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	done(f.db, (struct change) { .type = CHANGE_PROJECT_ADD,
				     .path = S("p"),
				     .visibility = 1 + VISIBILITY_INTERNAL,
				     .registry = 1 + REGISTRY_PRIVATE });
	done(f.db, (struct change) { .type = CHANGE_PROJECT_SET,
				     .path = S("p"),
				     .archived = 2 });
	txn_read(f.db, &txn);
	assert_int_equal(space_find(&txn, STR("p"), &space), E_OK);
	assert_int_equal(space.rules.visibility, VISIBILITY_INTERNAL);
	assert_int_equal(space.rules.registry, REGISTRY_PRIVATE);
	assert_true(space.rules.archived);
	txn_cleanup(&txn);
	done(f.db, (struct change) { .type = CHANGE_PROJECT_SET,
				     .path = S("p"),
				     .archived = 1,
				     .visibility = 1 });
	txn_read(f.db, &txn);
	assert_int_equal(space_find(&txn, STR("p"), &space), E_OK);
	assert_int_equal(space.rules.visibility, VISIBILITY_PRIVATE);
	assert_int_equal(space.rules.registry, REGISTRY_PRIVATE);
	assert_false(space.rules.archived);
	txn_cleanup(&txn);
	fixture_close(&f);
}

static void bot_of_a_group(void **state)
{
	struct fixture f;
	struct user user;
	enum role role;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	done(f.db, (struct change)SPACE_TOKEN(PAT_GROUP, "g", D9));
	txn_read(f.db, &txn);
	assert_int_equal(user_find(&txn, STR("group_1_bot_0a1b"), &user), E_OK);
	assert_int_equal(user.flags, USER_BOT);
	assert_int_equal(member_get(&txn, 1, user.id, &role), E_OK);
	assert_int_equal(role, ROLE_MAINTAINER);
	txn_cleanup(&txn);
	assert_int_equal(token(f.db, 5).space, 1);
	assert_int_equal(token(f.db, 5).kind, PAT_GROUP);
	fixture_close(&f);
}

static void oldest_refresh_token_goes(void **state)
{
	struct fixture f;
	struct refresh refresh;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	for (int i = 0; i < REFRESH_PER_PAT; i++)
		done(f.db, (struct change) {
				   .type = CHANGE_REFRESH_ADD,
				   .id = 1,
				   .now = NOW + 1 + i,
				   .digest = { { 100, (unsigned char)i } } });
	txn_read(f.db, &txn);
	assert_int_equal(txn_count(&txn, TABLE_REFRESH), REFRESH_PER_PAT);
	assert_int_equal(
		refresh_find(&txn, &(struct digest) { { 11 } }, &refresh),
		E_NOT_FOUND);
	assert_int_equal(
		refresh_find(&txn, &(struct digest) { { 100 } }, &refresh),
		E_OK);
	assert_int_equal(refresh.expires_at,
			 NOW + 1 + (int64_t)REFRESH_DAYS * DAY);
	txn_cleanup(&txn);
	fixture_close(&f);
}

static enum err find_refresh(struct db *db, unsigned char a, unsigned char b)
{
	AUTO(txn) struct txn txn;
	struct refresh refresh;

	txn_read(db, &txn);
	return refresh_find(&txn, &(struct digest) { { a, b } }, &refresh);
}

static void add_refresh(struct db *db, unsigned char a, unsigned char b)
{
	done(db, (struct change) { .type = CHANGE_REFRESH_ADD,
				   .id = 1,
				   .digest = { { a, b } } });
}

/* Not by their digests; nor by the clock, if that is set back. */
static void made_at_once_the_first_goes(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	set_up(f.db); /* has the first, 11 */
	for (unsigned char i = REFRESH_PER_PAT - 1; i > 0; i--)
		add_refresh(f.db, 5, i);
	assert_int_equal(find_refresh(f.db, 11, 0), E_OK);
	add_refresh(f.db, 4, 0);
	assert_int_equal(find_refresh(f.db, 11, 0), E_NOT_FOUND);
	done(f.db, (struct change) { .type = CHANGE_REFRESH_ADD,
				     .id = 1,
				     .now = NOW - 1000,
				     .digest = { { 3 } } });
	for (unsigned char i = REFRESH_PER_PAT - 1; i > 0; i--) {
		assert_int_equal(find_refresh(f.db, 5, i), E_NOT_FOUND);
		assert_int_equal(find_refresh(f.db, 4, 0), E_OK);
		assert_int_equal(find_refresh(f.db, 3, 0), E_OK);
		add_refresh(f.db, 6, i);
	}
	assert_int_equal(find_refresh(f.db, 4, 0), E_NOT_FOUND);
	assert_int_equal(find_refresh(f.db, 3, 0), E_OK);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_revocation_stays),
		cmocka_unit_test(removed_user_leaves_nothing_usable),
		cmocka_unit_test(removed_group_takes_what_is_below),
		cmocka_unit_test(groups_above_are_made),
		cmocka_unit_test(what_is_not_set_stays),
		cmocka_unit_test(bot_of_a_group),
		cmocka_unit_test(oldest_refresh_token_goes),
		cmocka_unit_test(made_at_once_the_first_goes),
	};

	return cmocka_run_group_tests_name("effect", tests, NULL, NULL);
}
