/*
 * test/unit/store/test_limited.c - store/login, store/access: tokens that are
 * limited to networks, services, repositories, or by their idleness; tokens
 * that were rotated.
 */
#include "test/unit/store/fixture.h"

#include "store/access.h"
#include "store/used.h"
#include "token/date.h"

struct world {
	struct fixture f;
	struct arena arena;
	struct txn txn;
	struct login login;
	struct str address, service;
};

static void limited(struct db *db, const char *secret, struct change change)
{
	change.type = CHANGE_TOKEN_ADD;
	change.user = STR("alice");
	change.kind = PAT_PERSONAL;
	change.text = STR("ci");
	change.scopes = PAT_API;
	change.digest = digest_of(secret);
	done(db, change);
}

static void rotate(struct db *db, uint64_t id, const char *secret,
		   uint64_t grace)
{
	done(db, (struct change) { .type = CHANGE_TOKEN_ROTATE,
				   .id = id,
				   .grace = grace,
				   .digest = digest_of(secret) });
}

static void world_open(struct world *w)
{
	fixture_open(&w->f);
	add_user(w->f.db, "alice", USER_ADMIN);
	add_project(w->f.db, "g/app", VISIBILITY_PRIVATE);
	add_project(w->f.db, "g/web", VISIBILITY_PRIVATE);
	limited(w->f.db, "plain", (struct change) { 0 });
	limited(w->f.db, "net",
		(struct change) { .limits[LIMIT_NETWORK] =
					  STR("10.0.0.0/8,::1") });
	limited(w->f.db, "service",
		(struct change) { .limits[LIMIT_SERVICE] = STR("reg") });
	limited(w->f.db, "idle", (struct change) { .idle = DAY });
	limited(w->f.db, "repo",
		(struct change) { .limits[LIMIT_REPOSITORY] =
					  STR("g/app/*,g/web") });
	limited(w->f.db, "old", (struct change) { 0 });
	limited(w->f.db, "slow", (struct change) { 0 });
	rotate(w->f.db, 6, "new", 0);
	rotate(w->f.db, 7, "soon", 3600);
	limited(w->f.db, "both",
		(struct change) { .limits[LIMIT_NETWORK] = STR("10.0.0.0/8"),
				  .limits[LIMIT_SERVICE] = STR("reg") });
	arena_init(&w->arena);
	txn_read(w->f.db, &w->txn);
	w->login =
		(struct login) { .txn = &w->txn,
				 .arena = &w->arena,
				 .policy.write_implies_pull = true,
				 .now = NOW,
				 .asked = { [LIMIT_NETWORK] = &w->address,
					    [LIMIT_SERVICE] = &w->service } };
}

static void world_close(struct world *w)
{
	txn_cleanup(&w->txn);
	arena_done(&w->arena);
	fixture_close(&w->f);
}

/* `address`, `service` NULL: the question does not say. */
static const struct {
	const char *rule, *secret, *address, *service;
	int64_t after;
	enum reason why;
} rows[] = {
	{ "without limits", "plain", "192.0.2.1", "reg", 0, REASON_NONE },
	{ "from its network", "net", "10.1.2.3", "reg", 0, REASON_NONE },
	{ "from another of it", "net", "::1", "reg", 0, REASON_NONE },
	{ "from another", "net", "192.0.2.1", "reg", 0, REASON_TOKEN_NETWORK },
	{ "from nowhere", "net", "", "reg", 0, REASON_TOKEN_NETWORK },
	{ "nobody says from where", "net", NULL, "reg", 0, REASON_NOT_SAID },
	{ "nobody says for what", "service", "::1", NULL, 0, REASON_NOT_SAID },
	{ "nobody asks for more than there is", "plain", NULL, NULL, 0,
	  REASON_NONE },
	{ "the wrong one of two", "both", NULL, "other", 0,
	  REASON_TOKEN_SERVICE },
	{ "from another, for another", "both", "192.0.2.1", "other", 0,
	  REASON_TOKEN_NETWORK },
	{ "for its service", "service", "192.0.2.1", "reg", 0, REASON_NONE },
	{ "for another", "service", "192.0.2.1", "other", 0,
	  REASON_TOKEN_SERVICE },
	{ "for none", "service", "192.0.2.1", "", 0, REASON_TOKEN_SERVICE },
	{ "used in time", "idle", "::1", "reg", DAY - 1, REASON_NONE },
	{ "not used for a day", "idle", "::1", "reg", DAY, REASON_TOKEN_IDLE },
	{ "never too late", "plain", "::1", "reg", 9 * DAY, REASON_NONE },
	{ "rotated", "old", "::1", "reg", 0, REASON_TOKEN_ROTATED },
	{ "what it became", "new", "::1", "reg", 0, REASON_NONE },
	{ "in its grace", "slow", "::1", "reg", 3599, REASON_NONE },
	{ "at its end", "slow", "::1", "reg", 3600, REASON_TOKEN_ROTATED },
	{ "what that became", "soon", "::1", "reg", 3600, REASON_NONE },
};

static void logins(void **state)
{
	static const struct identity nobody;
	struct world w;

	(void)state;
	world_open(&w);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct login_token token = { 0 };
		struct identity who;
		enum reason why;
		enum err err;

		print_message("%s\n", rows[i].rule);
		w.address = str_of(rows[i].address);
		w.service = str_of(rows[i].service);
		w.login.asked[LIMIT_NETWORK] =
			rows[i].address ? &w.address : NULL;
		w.login.asked[LIMIT_SERVICE] =
			rows[i].service ? &w.service : NULL;
		w.login.now = NOW + rows[i].after;
		w.login.token = &token;
		memset(&who, 0xff, sizeof(who));
		err = login_pat(&w.login, STR("x"), str_of(rows[i].secret),
				&who, &why);
		assert_int_equal(err, rows[i].why ? E_REFUSED : E_OK);
		assert_int_equal(why, rows[i].why);
		assert_str(token.owner, "alice");
		assert_int_equal(token.next, token.id == 6   ? 8
					     : token.id == 7 ? 9
							     : 0);
		if (err)
			assert_memory_equal(&who, &nobody, sizeof(who));
		else
			assert_int_equal(who.pat, token.id);
	}
	world_close(&w);
}

/* As a clock that was set back leaves them. */
static void uses_before_its_creation_are_none(void **state)
{
	struct identity who;
	struct txn writing;
	enum reason why;
	struct world w;

	(void)state;
	world_open(&w);
	txn_cleanup(&w.txn);
	txn_write(w.f.db, &writing);
	assert_int_equal(
		used_note(&writing, 4,
			  &(struct used) { .at = NOW - 2 * (int64_t)DAY }),
		NOW - 2 * (int64_t)DAY);
	assert_int_equal(txn_commit(&writing), E_OK);
	txn_read(w.f.db, &w.txn);
	w.address = STR("::1");
	w.service = STR("reg");
	for (int late = 0; late < 2; late++) {
		w.login.now = NOW + DAY - 1 + late;
		assert_int_equal(
			login_pat(&w.login, STR("x"), STR("idle"), &who, &why),
			late ? E_REFUSED : E_OK);
		assert_int_equal(why, late ? REASON_TOKEN_IDLE : REASON_NONE);
	}
	world_close(&w);
}

/* A removed user's tokens are revoked; this is a store that is damaged. */
static void without_an_owner_it_is_nobodys(void **state)
{
	static const struct identity nobody;
	struct identity who;
	struct txn writing;
	enum reason why;
	struct user user;
	struct world w;

	(void)state;
	world_open(&w);
	txn_cleanup(&w.txn);
	txn_write(w.f.db, &writing);
	assert_int_equal(user_find(&writing, STR("alice"), &user), E_OK);
	user_remove(&writing, &user);
	assert_int_equal(txn_commit(&writing), E_OK);
	txn_read(w.f.db, &w.txn);
	w.address = STR("::1");
	w.service = STR("reg");
	memset(&who, 0xff, sizeof(who));
	assert_int_equal(login_pat(&w.login, STR(""), STR("plain"), &who, &why),
			 E_REFUSED);
	assert_int_equal(why, REASON_TOKEN_REVOKED);
	assert_memory_equal(&who, &nobody, sizeof(who));
	world_close(&w);
}

/* A JWT lives no longer than what it was given for. */
static void grace_bounds_what_is_given(void **state)
{
	struct identity who;
	enum reason why;
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(login_pat(&w.login, STR("x"), STR("slow"), &who, &why),
			 E_OK);
	assert_int_equal(who.dies_at, NOW + 3600);
	world_close(&w);
}

#define APP  "repository:g/app/x:pull"
#define DEEP "repository:g/app/x/y:pull"
#define WEB  "repository:g/web:pull,push"
#define ALL  "registry:catalog:*"

static const struct {
	const char *rule, *secret, *asked, *granted;
	enum reason why;
} accesses[] = {
	{ "without limits", "plain", APP, APP, REASON_GRANTED },
	{ "one that fits", "repo", APP, APP, REASON_GRANTED },
	{ "another that fits", "repo", WEB, WEB, REASON_GRANTED },
	{ "one that does not", "repo", DEEP, "", REASON_TOKEN_REPOSITORY },
	{ "one that does, one that does not", "repo", APP " " DEEP, APP,
	  REASON_PARTIAL },
	{ "no list of all names", "repo", ALL, "", REASON_TOKEN_REPOSITORY },
	{ "for others it is there", "plain", ALL, ALL, REASON_GRANTED },
	{ "what nobody has", "repo", "repository:h/x:pull", "",
	  REASON_NOTHING },
	{ "nothing asked", "repo", "", "", REASON_LOGIN },
};

static void repositories(void **state)
{
	static struct scope_list want, may;
	struct world w;

	(void)state;
	world_open(&w);
	w.address = STR("::1");
	w.service = STR("reg");
	for (size_t i = 0; i < COUNT(accesses); i++) {
		AUTO(buf) struct buf text;
		struct identity who;
		enum reason why;

		print_message("%s\n", accesses[i].rule);
		buf_init(&text, 4096);
		assert_int_equal(login_pat(&w.login, STR("x"),
					   str_of(accesses[i].secret), &who,
					   &why),
				 E_OK);
		want.len = want.seen = 0;
		assert_int_equal(scope_parse(str_of(accesses[i].asked),
					     &w.arena, &want, NULL),
				 E_OK);
		scope_merge(&want);
		assert_int_equal(
			access_decide(&w.txn, &who, &want, NULL, &may, &why),
			E_OK);
		assert_int_equal(why, accesses[i].why);
		scope_print(&may, &text);
		assert_str(buf_str(&text), accesses[i].granted);
	}
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logins),
		cmocka_unit_test(uses_before_its_creation_are_none),
		cmocka_unit_test(without_an_owner_it_is_nobodys),
		cmocka_unit_test(grace_bounds_what_is_given),
		cmocka_unit_test(repositories),
	};

	return cmocka_run_group_tests_name("limited", tests, NULL, NULL);
}
