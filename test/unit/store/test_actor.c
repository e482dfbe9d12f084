/*
 * test/unit/store/test_actor.c - store/change: who may rotate and revoke which
 * token, when a user asks for it, and that idleness is no way out of death.
 */
#include "test/unit/store/fixture.h"

#include "store/used.h"
#include "token/date.h"

enum which {
	OWN,
	ROOTS,
	HIDDEN,
	APP_LOW,
	APP_HIGH,
	GROUP,
	GONE,
	BLOCKED,
	TOKENS
};

/*
 * What of it is refused: the cause of a rotation, of a revocation; "" is done.
 * mia is a maintainer of g/app, dan a developer, olga owner of g.
 */
static const struct {
	const char *rule, *actor;
	enum which token;
	const char *rotate, *revoke;
} rows[] = {
	{ "his own", "dan", OWN, "", "" },
	{ "whatever the case", "DAN", OWN, "", "" },
	{ "not another's", "mia", OWN, "tokens of other users",
	  "tokens of other users" },
	{ "not an administrator's", "dan", ROOTS, "tokens of other users",
	  "tokens of other users" },
	{ "an administrator does", "root", OWN, "", "" },
	{ "none that acts as him", "dan", HIDDEN,
	  "impersonation tokens: that takes an administrator",
	  "impersonation tokens: that takes an administrator" },
	{ "but an administrator does", "root", HIDDEN, "", "" },
	{ "a maintainer a project's", "mia", APP_LOW, "", "" },
	{ "no developer", "dan", APP_LOW, "that takes role maintainer",
	  "that takes role maintainer" },
	{ "nor who is no member", "eve", APP_LOW, "that takes role maintainer",
	  "that takes role maintainer" },
	{ "none of a higher role, but to take it away", "mia", APP_HIGH,
	  "a token of a role above his own", "" },
	{ "an owner above does", "olga", APP_HIGH, "", "" },
	{ "an owner a group's", "olga", GROUP, "", "" },
	{ "no maintainer below it", "mia", GROUP, "that takes role owner",
	  "that takes role owner" },
	{ "what is gone is nobody's", "mia", GONE, "tokens of what is gone",
	  "tokens of what is gone" },
	{ "a bot its own", "project_2_bot_0a", APP_LOW, "", "" },
	{ "no other, though a maintainer", "project_2_bot_0b", APP_LOW,
	  "tokens: it is a bot", "tokens: it is a bot" },
	{ "who is blocked, none", "blk", OWN, "tokens: he is blocked",
	  "tokens: he is blocked" },
	{ "not his own either", "blk", BLOCKED, "tokens: he is blocked",
	  "tokens: he is blocked" },
	{ "who is gone, none", "nobody", OWN, "tokens: he is gone",
	  "tokens: he is gone" },
	{ "who acts on this machine does", "cli:root", APP_HIGH, "", "" },
	{ "so does a job", "job:lifetime", HIDDEN, "", "" },
};

static uint64_t add_space_token(struct db *db, const char *path,
				enum pat_kind kind, enum role role,
				unsigned char n, const char *bot)
{
	return done(db, (struct change) { .type = CHANGE_TOKEN_ADD,
					  .path = str_of(path),
					  .kind = kind,
					  .text = STR("ci"),
					  .scopes = PAT_API,
					  .role = role,
					  .bot = str_of(bot),
					  .digest = { { n } } });
}

static uint64_t add_own(struct db *db, const char *name, enum pat_kind kind,
			unsigned char n)
{
	return done(db, (struct change) { .type = CHANGE_TOKEN_ADD,
					  .user = str_of(name),
					  .kind = kind,
					  .text = STR("ci"),
					  .scopes = PAT_API,
					  .digest = { { n } } });
}

static void set_up(struct db *db, uint64_t ids[TOKENS])
{
	static const struct {
		const char *name;
		unsigned flags;
	} users[] = { { "dan", 0 }, { "mia", 0 },	    { "olga", 0 },
		      { "eve", 0 }, { "root", USER_ADMIN }, { "blk", 0 } };

	for (size_t i = 0; i < COUNT(users); i++)
		add_user(db, users[i].name, users[i].flags);
	add_project(db, "g/app", VISIBILITY_PRIVATE);
	add_project(db, "gone", VISIBILITY_PRIVATE);
	put_member(db, "g/app", "dan", ROLE_DEVELOPER);
	put_member(db, "g/app", "mia", ROLE_MAINTAINER);
	put_member(db, "gone", "mia", ROLE_OWNER);
	put_member(db, "g", "olga", ROLE_OWNER);
	ids[OWN] = add_own(db, "dan", PAT_PERSONAL, 1);
	ids[ROOTS] = add_own(db, "root", PAT_PERSONAL, 2);
	ids[HIDDEN] = add_own(db, "dan", PAT_IMPERSONATION, 3);
	ids[BLOCKED] = add_own(db, "blk", PAT_PERSONAL, 4);
	ids[APP_LOW] = add_space_token(db, "g/app", PAT_PROJECT, ROLE_DEVELOPER,
				       5, "0a");
	ids[APP_HIGH] =
		add_space_token(db, "g/app", PAT_PROJECT, ROLE_OWNER, 6, "0c");
	add_space_token(db, "g/app", PAT_PROJECT, ROLE_MAINTAINER, 7, "0b");
	ids[GROUP] = add_space_token(db, "g", PAT_GROUP, ROLE_GUEST, 8, "0a");
	ids[GONE] =
		add_space_token(db, "gone", PAT_PROJECT, ROLE_GUEST, 9, "0a");
	done(db, (struct change) { .type = CHANGE_SPACE_REMOVE,
				   .path = STR("gone"),
				   .yes = 1 });
	done(db, (struct change) { .type = CHANGE_USER_FLAG,
				   .user = STR("blk"),
				   .flags = USER_BLOCKED,
				   .on = 1 });
}

static void check(struct db *db, struct change change, const char *refusal)
{
	char want[128];
	enum err err;

	err = do_change(db, &change);
	print_message("  %s: %s\n", change_name(change.type),
		      change.cause.text);
	if (!*refusal) {
		assert_int_equal(err, E_OK);
		return;
	}
	assert_int_equal(err, E_REFUSED);
	snprintf(want, sizeof(want), "user \"" STR_FMT "\" may not %s ",
		 STR_ARG(change.actor),
		 change.type == CHANGE_TOKEN_ROTATE ? "rotate" : "revoke");
	assert_true(str_starts(str_of(change.cause.text), str_of(want)));
	assert_non_null(strstr(change.cause.text, refusal));
}

static void who_may(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t ids[TOKENS];
		struct fixture f;
		struct change change = { .type = CHANGE_TOKEN_ROTATE,
					 .actor = str_of(rows[i].actor),
					 .digest = { { 20 } } };

		print_message("%s\n", rows[i].rule);
		fixture_open(&f);
		set_up(f.db, ids);
		change.id = ids[rows[i].token];
		check(f.db, change, rows[i].rotate);
		change.type = CHANGE_TOKEN_REVOKE;
		check(f.db, change, rows[i].revoke);
		change.recursive = 1;
		check(f.db, change, rows[i].revoke);
		fixture_close(&f);
	}
}

/* Seconds after its creation, or its last use if there was one. */
static const struct {
	const char *rule;
	int64_t used, after;
	bool dead;
} idle[] = {
	{ "one that may be idle for an hour", 0, 3599, false },
	{ "was dead then", 0, 3600, true },
	{ "unless it was used, which counts for ten minutes", 3000, 4199,
	  false },
	{ "until it was not", 3000, 4200, true },
};

static void note_use(struct db *db, uint64_t pat, int64_t at)
{
	const struct used used = { at, STR("::1"), STR("x") };
	AUTO(txn) struct txn txn = { 0 };

	if (at == NOW)
		return;
	txn_write(db, &txn);
	used_note(&txn, pat, &used);
	assert_int_equal(txn_commit(&txn), E_OK);
}

static void an_idle_token_is_not_rotated_back_to_life(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(idle); i++) {
		struct fixture f;
		struct change change = { .type = CHANGE_TOKEN_ROTATE,
					 .digest = { { 20 } } };

		print_message("%s\n", idle[i].rule);
		fixture_open(&f);
		add_user(f.db, "dan", 0);
		change.id =
			done(f.db, (struct change) { .type = CHANGE_TOKEN_ADD,
						     .user = STR("dan"),
						     .kind = PAT_PERSONAL,
						     .text = STR("ci"),
						     .scopes = PAT_API,
						     .idle = 3600,
						     .digest = { { 1 } } });
		note_use(f.db, change.id, NOW + idle[i].used);
		change.now = NOW + idle[i].used + idle[i].after;
		assert_int_equal(do_change(f.db, &change),
				 idle[i].dead ? E_REFUSED : E_OK);
		assert_int_equal(!strstr(change.cause.text, "is dead, as it"),
				 !idle[i].dead);
		/* What was done then is done again, whatever is known now. */
		change.replayed = true;
		assert_int_equal(do_change(f.db, &change),
				 idle[i].dead ? E_OK : E_REFUSED);
		fixture_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_may),
		cmocka_unit_test(an_idle_token_is_not_rotated_back_to_life),
	};

	return cmocka_run_group_tests_name("actor", tests, NULL, NULL);
}
