/*
 * test/unit/store/test_login.c - store/login: from a credential to an
 * identity, and never to one by failure.
 */
#include "test/unit/store/fixture.h"

#include "store/login.h"
#include "store/refresh.h"
#include "token/date.h"

enum {
	MIDNIGHT = 20200 * DAY, /* 2025-04-22T00:00:00Z */
};

struct world {
	struct fixture f;
	struct arena arena;
	struct txn txn;
	struct login login;
};

static void refresh(struct db *db, uint64_t pat, const char *secret,
		    const char *service)
{
	done(db, (struct change) { .type = CHANGE_REFRESH_ADD,
				   .id = pat,
				   .text = str_of(service),
				   .digest = digest_of(secret),
				   .expires_at = NOW + 100 * (int64_t)DAY });
}

static void flag(struct db *db, const char *name, enum user_flag which)
{
	done(db, (struct change) { .type = CHANGE_USER_FLAG,
				   .user = str_of(name),
				   .flags = which,
				   .on = 1 });
}

static void password(struct db *db, const char *name)
{
	done(db, (struct change) { .type = CHANGE_USER_PASSWORD,
				   .user = str_of(name),
				   .value = STR("$y$hash") });
}

static void kill_token(struct db *db, uint64_t id)
{
	done(db, (struct change) { .type = CHANGE_TOKEN_REVOKE, .id = id });
}

static void fill(struct db *db)
{
	uint64_t id;

	add_user(db, "Alice", 0);
	add_user(db, "root", USER_ADMIN);
	add_user(db, "ext", USER_EXTERNAL);
	add_user(db, "blocked", 0);
	add_user(db, "twofactor", USER_TWO_FACTOR);
	add_user(db, "gone", 0);
	add_user(db, "nopassword", 0);
	add_project(db, "p", VISIBILITY_PRIVATE);
	password(db, "alice");
	password(db, "blocked");
	password(db, "twofactor");
	add_token(db, "alice", "api", PAT_API, 0);
	add_token(db, "alice", "dated", PAT_API, MIDNIGHT);
	id = add_token(db, "alice", "revoked", PAT_API, 0);
	kill_token(db, id);
	add_token(db, "alice", "read_user", PAT_READ_USER | PAT_READ_REPOSITORY,
		  0);
	add_token(db, "alice", "write", PAT_WRITE_REGISTRY, 0);
	add_token(db, "root", "root", PAT_API, 0);
	add_token(db, "ext", "ext", PAT_API, 0);
	add_token(db, "blocked", "blocked", PAT_API, 0);
	id = add_token(db, "blocked", "blocked-revoked", PAT_API, 0);
	kill_token(db, id);
	add_token(db, "gone", "gone", PAT_API, 0);
	id = done(db, (struct change) { .type = CHANGE_TOKEN_ADD,
					.path = STR("p"),
					.kind = PAT_PROJECT,
					.text = STR("ci"),
					.scopes = PAT_API,
					.role = ROLE_DEVELOPER,
					.bot = STR("0a"),
					.digest = digest_of("bot") });
	refresh(db, 1, "r-api", "reg");
	refresh(db, 2, "r-dated", "reg");
	refresh(db, 5, "r-revoked", "reg");
	refresh(db, 8, "r-blocked", "reg");
	kill_token(db, 5);
	flag(db, "blocked", USER_BLOCKED);
	done(db, (struct change) { .type = CHANGE_USER_REMOVE,
				   .user = STR("gone"),
				   .yes = 1 });
}

static void world_open(struct world *w)
{
	fixture_open(&w->f);
	fill(w->f.db);
	arena_init(&w->arena);
	txn_read(w->f.db, &w->txn);
	w->login = (struct login) { .txn = &w->txn,
				    .arena = &w->arena,
				    .policy.write_implies_pull = true,
				    .now = NOW };
}

static void world_close(struct world *w)
{
	txn_cleanup(&w->txn);
	arena_done(&w->arena);
	fixture_close(&w->f);
}

static void nobody(const struct identity *who)
{
	static const struct identity zero;

	assert_memory_equal(who, &zero, sizeof(zero));
}

static const struct {
	const char *rule, *username, *secret;
	bool must_match;
	int64_t now;
	enum err err;
	enum reason why;
	const char *name;
	unsigned rights;
} pats[] = {
	{ "a token is its owner", "x", "api", false, NOW, E_OK, REASON_NONE,
	  "Alice", RIGHT_REPOSITORY | RIGHT_CATALOG },
	{ "an unknown secret", "alice", "apj", false, NOW, E_NOT_FOUND,
	  REASON_UNKNOWN_TOKEN, NULL, 0 },
	{ "an empty secret", "alice", "", false, NOW, E_NOT_FOUND,
	  REASON_UNKNOWN_TOKEN, NULL, 0 },
	{ "a second before its date", "x", "dated", false, MIDNIGHT - 1, E_OK,
	  REASON_NONE, "Alice", RIGHT_REPOSITORY | RIGHT_CATALOG },
	{ "at 00:00:00 UTC of its date", "x", "dated", false, MIDNIGHT,
	  E_REFUSED, REASON_TOKEN_EXPIRED, NULL, 0 },
	{ "a second after", "x", "dated", false, MIDNIGHT + 1, E_REFUSED,
	  REASON_TOKEN_EXPIRED, NULL, 0 },
	{ "revoked", "x", "revoked", false, NOW, E_REFUSED,
	  REASON_TOKEN_REVOKED, NULL, 0 },
	{ "no scope for a registry", "x", "read_user", false, NOW, E_REFUSED,
	  REASON_NO_REGISTRY_SCOPE, NULL, 0 },
	{ "revoked with its refresh tokens", "x", "write", false, NOW,
	  E_REFUSED, REASON_TOKEN_REVOKED, NULL, 0 },
	{ "a blocked owner", "x", "blocked", false, NOW, E_REFUSED,
	  REASON_OWNER_BLOCKED, NULL, 0 },
	{ "revoked before blocked", "x", "blocked-revoked", false, NOW,
	  E_REFUSED, REASON_TOKEN_REVOKED, NULL, 0 },
	{ "a removed owner", "x", "gone", false, NOW, E_REFUSED,
	  REASON_TOKEN_REVOKED, NULL, 0 },
	{ "a bot", "x", "bot", false, NOW, E_OK, REASON_NONE,
	  "project_1_bot_0a", RIGHT_REPOSITORY | RIGHT_CATALOG },
	{ "the user name must match", "bob", "api", true, NOW, E_REFUSED,
	  REASON_WRONG_USERNAME, NULL, 0 },
	{ "in any case", "aLiCe", "api", true, NOW, E_OK, REASON_NONE, "Alice",
	  RIGHT_REPOSITORY | RIGHT_CATALOG },
	{ "all of it", "alic", "api", true, NOW, E_REFUSED,
	  REASON_WRONG_USERNAME, NULL, 0 },
	{ "an empty one does not", "", "api", true, NOW, E_REFUSED,
	  REASON_WRONG_USERNAME, NULL, 0 },
};

static void tokens(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	for (size_t i = 0; i < COUNT(pats); i++) {
		struct identity who;
		enum reason why;

		print_message("%s\n", pats[i].rule);
		w.login.now = pats[i].now;
		w.login.policy.username_must_match = pats[i].must_match;
		memset(&who, 0xff, sizeof(who));
		assert_int_equal(login_pat(&w.login, str_of(pats[i].username),
					   str_of(pats[i].secret), &who, &why),
				 pats[i].err);
		assert_int_equal(why, pats[i].why);
		if (pats[i].err) {
			nobody(&who);
			continue;
		}
		assert_int_equal(who.kind, IDENTITY_USER);
		assert_str(who.name, pats[i].name);
		assert_int_equal(who.rights, pats[i].rights);
		assert_true(who.user && who.pat);
	}
	world_close(&w);
}

static void who_they_are(void **state)
{
	struct identity who;
	enum reason why;
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(login_pat(&w.login, STR("x"), STR("root"), &who, &why),
			 E_OK);
	assert_true(who.admin && !who.external);
	assert_int_equal(who.pat, 6);
	assert_int_equal(who.user, 2);
	assert_int_equal(who.dies_at, 0);
	assert_int_equal(login_pat(&w.login, STR("x"), STR("ext"), &who, &why),
			 E_OK);
	assert_true(!who.admin && who.external);
	assert_int_equal(
		login_pat(&w.login, STR("x"), STR("dated"), &who, &why), E_OK);
	assert_int_equal(who.dies_at, MIDNIGHT);
	assert_true(!who.admin && !who.external);
	assert_int_equal(login_pat(&w.login, STR("x"), STR("bot"), &who, &why),
			 E_OK);
	assert_true(!who.admin && !who.external);
	login_anonymous(&who);
	assert_int_equal(who.kind, IDENTITY_ANONYMOUS);
	assert_int_equal(who.rights, RIGHT_PULL);
	assert_int_equal(who.user, 0);
	assert_int_equal(who.name.len, 0);
	world_close(&w);
}

static void expiry_not_enforced(void **state)
{
	struct identity who;
	enum reason why;
	struct world w;

	(void)state;
	world_open(&w);
	done(w.f.db, (struct change) { .type = CHANGE_SETTING_PUT,
				       .text = STR("enforce_token_expiry"),
				       .value = STR("false") });
	txn_renew(&w.txn);
	w.login.now = MIDNIGHT + DAY;
	assert_int_equal(
		login_pat(&w.login, STR("x"), STR("dated"), &who, &why), E_OK);
	assert_int_equal(who.dies_at, 0);
	assert_int_equal(
		login_pat(&w.login, STR("x"), STR("revoked"), &who, &why),
		E_REFUSED);
	assert_int_equal(why, REASON_TOKEN_REVOKED);
	world_close(&w);
}

static void damaged_settings_let_nobody_in(void **state)
{
	struct identity who;
	enum reason why;
	struct world w;
	struct txn txn;

	(void)state;
	world_open(&w);
	txn_write(w.f.db, &txn);
	txn_put(&txn, TABLE_SETTING, STR("token_prefix"), STR("\1x"));
	assert_int_equal(txn_commit(&txn), E_OK);
	txn_renew(&w.txn);
	assert_int_equal(login_pat(&w.login, STR("x"), STR("api"), &who, &why),
			 E_CORRUPT);
	assert_int_equal(why, REASON_FAILURE);
	nobody(&who);
	world_close(&w);
}

static void by_id(void **state)
{
	static const struct {
		uint64_t id;
		enum err err;
		enum reason why;
	} rows[] = {
		{ 1, E_OK, REASON_NONE },
		{ 3, E_REFUSED, REASON_TOKEN_REVOKED },
		{ 4, E_REFUSED, REASON_NO_REGISTRY_SCOPE },
		{ 8, E_REFUSED, REASON_OWNER_BLOCKED },
		{ 0, E_NOT_FOUND, REASON_UNKNOWN_TOKEN },
		{ 99, E_NOT_FOUND, REASON_UNKNOWN_TOKEN },
	};
	struct world w;

	(void)state;
	world_open(&w);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct identity who;
		enum reason why;

		assert_int_equal(login_pat_id(&w.login, rows[i].id, &who, &why),
				 rows[i].err);
		assert_int_equal(why, rows[i].why);
		assert_int_equal(who.pat, rows[i].err ? 0 : rows[i].id);
	}
	world_close(&w);
}

static void as_a_user(void **state)
{
	static const struct {
		const char *name;
		unsigned scopes;
		enum err err;
		enum reason why;
		unsigned rights;
	} rows[] = {
		{ "alice", PAT_READ_REGISTRY, E_OK, REASON_NONE, RIGHT_PULL },
		{ "alice", PAT_READ_USER, E_REFUSED, REASON_NO_REGISTRY_SCOPE,
		  0 },
		{ "alice", 0, E_REFUSED, REASON_NO_REGISTRY_SCOPE, 0 },
		{ "blocked", PAT_API, E_REFUSED, REASON_OWNER_BLOCKED, 0 },
		{ "carol", PAT_API, E_NOT_FOUND, REASON_NONE, 0 },
	};
	struct world w;

	(void)state;
	world_open(&w);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct identity who;
		enum reason why;

		assert_int_equal(login_as(&w.login, str_of(rows[i].name),
					  rows[i].scopes, &who, &why),
				 rows[i].err);
		assert_int_equal(why, rows[i].why);
		assert_int_equal(who.rights, rows[i].rights);
	}
	world_close(&w);
}

static void write_registry_alone(void **state)
{
	struct identity who;
	enum reason why;
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(login_as(&w.login, STR("alice"), PAT_WRITE_REGISTRY,
				  &who, &why),
			 E_OK);
	assert_int_equal(who.rights, RIGHT_PULL | RIGHT_PUSH);
	w.login.policy.write_implies_pull = false;
	assert_int_equal(login_as(&w.login, STR("alice"), PAT_WRITE_REGISTRY,
				  &who, &why),
			 E_OK);
	assert_int_equal(who.rights, RIGHT_PUSH);
	world_close(&w);
}

static void refresh_tokens(void **state)
{
	static const struct {
		const char *rule, *secret, *service;
		int64_t now;
		enum err err;
		enum reason why;
	} rows[] = {
		{ "as its token", "r-api", "reg", NOW, E_OK, REASON_NONE },
		{ "for its service alone", "r-api", "other", NOW, E_REFUSED,
		  REASON_UNKNOWN_REFRESH },
		{ "in its case", "r-api", "REG", NOW, E_REFUSED,
		  REASON_UNKNOWN_REFRESH },
		{ "a PAT is none", "api", "reg", NOW, E_REFUSED,
		  REASON_UNKNOWN_REFRESH },
		{ "unknown", "r-x", "reg", NOW, E_REFUSED,
		  REASON_UNKNOWN_REFRESH },
		{ "the last second", "r-api", "reg",
		  NOW + 100 * (int64_t)DAY - 1, E_OK, REASON_NONE },
		{ "its end", "r-api", "reg", NOW + 100 * (int64_t)DAY,
		  E_REFUSED, REASON_REFRESH_EXPIRED },
		{ "dead with its token's date", "r-dated", "reg", MIDNIGHT,
		  E_REFUSED, REASON_TOKEN_EXPIRED },
		{ "gone with a revoked token", "r-revoked", "reg", NOW,
		  E_REFUSED, REASON_UNKNOWN_REFRESH },
		{ "its owner is blocked", "r-blocked", "reg", NOW, E_REFUSED,
		  REASON_OWNER_BLOCKED },
	};
	struct world w;

	(void)state;
	world_open(&w);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct identity who;
		enum reason why;

		print_message("%s\n", rows[i].rule);
		w.login.now = rows[i].now;
		memset(&who, 0xff, sizeof(who));
		assert_int_equal(login_refresh(&w.login, str_of(rows[i].secret),
					       str_of(rows[i].service), &who,
					       &why),
				 rows[i].err);
		assert_int_equal(why, rows[i].why);
		if (rows[i].err)
			nobody(&who);
		else
			assert_int_equal(who.pat, 1);
	}
	world_close(&w);
}

static void passwords(void **state)
{
	static const struct {
		const char *rule, *name, *stored, *hash;
		bool right;
		enum err err;
		enum reason why;
	} rows[] = {
		{ "right", "ALICE", "$y$hash", "$y$hash", true, E_OK,
		  REASON_NONE },
		{ "wrong", "alice", "$y$hash", "$y$hash", false, E_REFUSED,
		  REASON_WRONG_PASSWORD },
		{ "changed since", "alice", "$y$hash", "$y$hasi", true,
		  E_REFUSED, REASON_WRONG_PASSWORD },
		{ "a part is not all", "alice", "$y$hash", "$y$has", true,
		  E_REFUSED, REASON_WRONG_PASSWORD },
		{ "unknown, compared with a dummy", "carol", "", "", true,
		  E_REFUSED, REASON_WRONG_PASSWORD },
		{ "none is none", "nopassword", "", "", true, E_REFUSED,
		  REASON_WRONG_PASSWORD },
		{ "two-factor", "twofactor", "$y$hash", "$y$hash", true,
		  E_REFUSED, REASON_TWO_FACTOR },
		{ "two-factor says nothing if wrong", "twofactor", "$y$hash",
		  "$y$hash", false, E_REFUSED, REASON_WRONG_PASSWORD },
		{ "blocked", "blocked", "$y$hash", "$y$hash", true, E_REFUSED,
		  REASON_OWNER_BLOCKED },
		{ "a bot has none", "project_1_bot_0a", "", "", true, E_REFUSED,
		  REASON_WRONG_PASSWORD },
	};
	struct world w;

	(void)state;
	world_open(&w);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct identity who;
		enum reason why;
		struct str hash;

		print_message("%s\n", rows[i].rule);
		assert_int_equal(login_password_hash(
					 &w.login, str_of(rows[i].name), &hash),
				 E_OK);
		assert_str(hash, rows[i].stored);
		memset(&who, 0xff, sizeof(who));
		assert_int_equal(login_password(&w.login, str_of(rows[i].name),
						str_of(rows[i].hash),
						rows[i].right, &who, &why),
				 rows[i].err);
		assert_int_equal(why, rows[i].why);
		if (rows[i].err) {
			nobody(&who);
			continue;
		}
		assert_int_equal(who.pat, 0);
		assert_int_equal(who.rights, RIGHT_REPOSITORY | RIGHT_CATALOG);
	}
	world_close(&w);
}

static void steps_are_told(void **state)
{
	static struct trace trace;
	struct identity who;
	enum reason why;
	struct world w;

	(void)state;
	world_open(&w);
	trace = (struct trace) { .arena = &w.arena };
	w.login.trace = &trace;
	assert_int_equal(login_pat(&w.login, STR("x"), STR("root"), &who, &why),
			 E_OK);
	assert_int_equal(trace.len, 3);
	assert_str(trace.at[0], "credential: token 6 \"ci\" is active");
	assert_str(trace.at[1], "owner root: active, administrator");
	assert_str(trace.at[2], "right: pull push delete catalog");
	for (int i = 0; i < TRACE_MAX; i++)
		trace_step(&trace, "%d", i);
	assert_int_equal(trace.len, TRACE_MAX);
	world_close(&w);
}

static void reasons_have_texts(void **state)
{
	(void)state;
	assert_str(reason_code(REASON_NONE), "none");
	assert_str(reason_code(REASON_FAILURE), "failure");
	assert_str(reason_text(REASON_TOKEN_REVOKED), "the token was revoked");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens),
		cmocka_unit_test(who_they_are),
		cmocka_unit_test(expiry_not_enforced),
		cmocka_unit_test(damaged_settings_let_nobody_in),
		cmocka_unit_test(by_id),
		cmocka_unit_test(as_a_user),
		cmocka_unit_test(write_registry_alone),
		cmocka_unit_test(refresh_tokens),
		cmocka_unit_test(passwords),
		cmocka_unit_test(steps_are_told),
		cmocka_unit_test(reasons_have_texts),
	};

	return cmocka_run_group_tests_name("login", tests, NULL, NULL);
}
