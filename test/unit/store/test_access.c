/*
 * test/unit/store/test_access.c - store/access: the table of roles and
 * visibility through a real store, and which project a repository belongs to.
 */
#include "test/unit/store/fixture.h"

#include "store/access.h"

enum { ALL = RIGHT_REPOSITORY };

/* Columns of the table in the design, as identities of the store. */
enum column {
	ANONYMOUS,
	STRANGER,
	EXTERNAL,
	GUEST,
	PLANNER,
	REPORTER,
	DEVELOPER,
	MAINTAINER,
	OWNER,
	ADMIN,
	COLUMNS
};

static const struct {
	const char *name;
	unsigned flags;
	enum role role;
} people[COLUMNS] = {
	[ANONYMOUS] = { NULL, 0, ROLE_NONE },
	[STRANGER] = { "stranger", 0, ROLE_NONE },
	[EXTERNAL] = { "external", USER_EXTERNAL, ROLE_NONE },
	[GUEST] = { "guest", 0, ROLE_GUEST },
	[PLANNER] = { "planner", 0, ROLE_PLANNER },
	[REPORTER] = { "reporter", 0, ROLE_REPORTER },
	[DEVELOPER] = { "developer", 0, ROLE_DEVELOPER },
	[MAINTAINER] = { "maintainer", 0, ROLE_MAINTAINER },
	[OWNER] = { "owner", 0, ROLE_OWNER },
	[ADMIN] = { "admin", USER_ADMIN, ROLE_NONE },
};

/* Each letter string: anonymous, stranger, external, guest ... admin. */
static const struct {
	const char *path;
	unsigned visibility, registry, archived;
	const char *want[COLUMNS];
} table[] = {
	{ "g/private",
	  1,
	  1,
	  1,
	  { "", "", "", "", "", "P", "PU", "PUD", "PUD", "PUD" } },
	{ "g/internal",
	  2,
	  1,
	  1,
	  { "", "P", "", "P", "P", "P", "PU", "PUD", "PUD", "PUD" } },
	{ "g/public",
	  3,
	  1,
	  1,
	  { "P", "P", "P", "P", "P", "P", "PU", "PUD", "PUD", "PUD" } },
	{ "g/members",
	  3,
	  2,
	  1,
	  { "", "", "", "", "", "P", "PU", "PUD", "PUD", "PUD" } },
	{ "g/disabled", 3, 3, 1, { "", "", "", "", "", "", "", "", "", "" } },
	{ "g/archived",
	  3,
	  1,
	  2,
	  { "P", "P", "P", "P", "P", "P", "P", "P", "P", "P" } },
};

struct world {
	struct fixture f;
	struct arena arena;
	struct txn txn;
	uint64_t users[COLUMNS];
};

/* `where`: the group g, so that roles come from above; or each project. */
static void world_open(struct world *w, bool above)
{
	fixture_open(&w->f);
	arena_init(&w->arena);
	for (size_t i = 0; i < COUNT(table); i++)
		done(w->f.db,
		     (struct change) { .type = CHANGE_PROJECT_ADD,
				       .path = str_of(table[i].path),
				       .visibility = table[i].visibility,
				       .registry = table[i].registry,
				       .archived = table[i].archived });
	for (size_t c = STRANGER; c < COLUMNS; c++) {
		w->users[c] =
			add_user(w->f.db, people[c].name, people[c].flags);
		for (size_t i = 0; people[c].role && i < COUNT(table); i++)
			put_member(w->f.db, above ? "g" : table[i].path,
				   people[c].name, people[c].role);
	}
	txn_read(w->f.db, &w->txn);
}

static void world_close(struct world *w)
{
	txn_cleanup(&w->txn);
	arena_done(&w->arena);
	fixture_close(&w->f);
}

static struct identity identity(const struct world *w, enum column c)
{
	struct identity who;

	if (c == ANONYMOUS) {
		login_anonymous(&who);
		return who;
	}
	return (struct identity) {
		.kind = IDENTITY_USER,
		.user = w->users[c],
		.admin = people[c].flags & USER_ADMIN,
		.external = people[c].flags & USER_EXTERNAL,
		.rights = ALL | RIGHT_CATALOG,
	};
}

static struct scope_list list_of(enum scope_type type, const char *name,
				 unsigned rights)
{
	struct scope_list list;

	list.len = list.seen = 1;
	list.at[0] = (struct scope) { type, str_of(name), rights };
	return list;
}

static unsigned decide(struct world *w, const struct identity *who,
		       const char *name, unsigned asked)
{
	static struct scope_list want, may;
	enum reason why;

	want = list_of(SCOPE_REPOSITORY, name, asked);
	memset(&may, 0xff, sizeof(may));
	assert_int_equal(access_decide(&w->txn, who, &want, NULL, &may, &why),
			 E_OK);
	assert_true(may.len <= 1);
	if (!may.len) {
		assert_int_equal(why, REASON_NOTHING);
		return 0;
	}
	assert_str(may.at[0].name, name);
	assert_true(may.at[0].rights != 0);
	assert_int_equal(why, may.at[0].rights == asked ? REASON_GRANTED
							: REASON_PARTIAL);
	return may.at[0].rights;
}

static unsigned letters(const char *text)
{
	return (strchr(text, 'P') ? RIGHT_PULL : 0u) |
	       (strchr(text, 'U') ? RIGHT_PUSH : 0u) |
	       (strchr(text, 'D') ? RIGHT_DELETE : 0u);
}

static void cell(struct world *w, size_t row, enum column c)
{
	struct identity who = identity(w, c);
	unsigned want = letters(table[row].want[c]) & who.rights;
	char name[64];

	snprintf(name, sizeof(name), "%s/image", table[row].path);
	for (unsigned asked = 1; asked <= ALL; asked++) {
		assert_int_equal(decide(w, &who, name, asked), want & asked);
		assert_int_equal(decide(w, &who, table[row].path, asked),
				 want & asked);
	}
	for (unsigned held = 0; held <= ALL; held++) {
		who.rights = held;
		assert_int_equal(decide(w, &who, name, ALL),
				 letters(table[row].want[c]) & held);
	}
}

static void roles_and_visibility(void **state)
{
	(void)state;
	for (int above = 0; above < 2; above++) {
		struct world w;

		world_open(&w, above);
		for (size_t row = 0; row < COUNT(table); row++) {
			print_message("%s\n", table[row].path);
			for (enum column c = ANONYMOUS; c < COLUMNS; c++)
				cell(&w, row, c);
		}
		world_close(&w);
	}
}

static const struct {
	const char *rule, *name;
	unsigned want;
} places[] = {
	{ "the project itself", "a/b/app", ALL },
	{ "below the project", "a/b/app/x", ALL },
	{ "at any depth",
	  "a/b/app/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20", ALL },
	{ "a name that only begins so", "a/b/app2", 0 },
	{ "a name that is a beginning", "a/b/ap", 0 },
	{ "another of a longer name", "a/b/app-x", RIGHT_PULL },
	{ "a project at the top", "top", ALL },
	{ "and below it", "top/x", ALL },
	{ "not beside it", "topx", 0 },
	{ "a group is no project", "a/b", 0 },
	{ "nor is what it lacks", "a/b/none", 0 },
	{ "nothing at all", "zzz/x", 0 },
	{ "an empty name", "", 0 },
	{ "a slash", "/", 0 },
	{ "a slash before", "/top", 0 },
	{ "a slash behind", "top/", 0 },
	{ "two slashes", "top//x", 0 },
	{ "dots lead nowhere", "top/../a", 0 },
	{ "a colon below a project", "top/x:5000", 0 },
	{ "a host", "host:5000/top", 0 },
	{ "upper case is not looked up", "TOP", 0 },
	{ "a NUL is no end", "top\001", 0 },
	{ "two hyphens are a registry's", "top/a--b", ALL },
	{ "three underscores are not", "top/a___b", 0 },
};

static void places_of_repositories(void **state)
{
	struct identity who = { .kind = IDENTITY_USER, .rights = ALL };
	struct world w;

	(void)state;
	world_open(&w, false);
	add_project(w.f.db, "a/b/app", VISIBILITY_PRIVATE);
	add_project(w.f.db, "a/b/app-x", VISIBILITY_PUBLIC);
	add_project(w.f.db, "top", VISIBILITY_PRIVATE);
	who.user = add_user(w.f.db, "u", 0);
	put_member(w.f.db, "a/b/app", "u", ROLE_OWNER);
	put_member(w.f.db, "top", "u", ROLE_OWNER);
	txn_renew(&w.txn);
	for (size_t i = 0; i < COUNT(places); i++) {
		print_message("%s\n", places[i].rule);
		assert_int_equal(decide(&w, &who, places[i].name, ALL),
				 places[i].want);
	}
	world_close(&w);
}

/* Not for its owner either, nor for an administrator. */
static void a_group_has_no_repository(void **state)
{
	static const char *const names[] = { "a", "a/b", "a/x", "a/b/none",
					     "a/b/none/x" };
	struct identity owner = { .kind = IDENTITY_USER, .rights = ALL };
	struct identity admin = { .kind = IDENTITY_USER,
				  .rights = ALL,
				  .admin = true };
	struct world w;

	(void)state;
	world_open(&w, false);
	add_project(w.f.db, "a/b/app", VISIBILITY_PUBLIC);
	owner.user = add_user(w.f.db, "u", 0);
	admin.user = w.users[ADMIN];
	put_member(w.f.db, "a", "u", ROLE_OWNER);
	put_member(w.f.db, "a/b", "u", ROLE_OWNER);
	txn_renew(&w.txn);
	assert_int_equal(decide(&w, &owner, "a/b/app", ALL), ALL);
	for (size_t i = 0; i < COUNT(names); i++) {
		print_message("%s\n", names[i]);
		assert_int_equal(decide(&w, &owner, names[i], ALL), 0);
		assert_int_equal(decide(&w, &admin, names[i], ALL), 0);
	}
	world_close(&w);
}

static void highest_role_counts(void **state)
{
	struct identity who = { .kind = IDENTITY_USER, .rights = ALL };
	struct world w;

	(void)state;
	world_open(&w, false);
	add_project(w.f.db, "a/b/c/app", VISIBILITY_PRIVATE);
	add_project(w.f.db, "a/other", VISIBILITY_PRIVATE);
	who.user = add_user(w.f.db, "u", 0);
	put_member(w.f.db, "a/b", "u", ROLE_DEVELOPER);
	put_member(w.f.db, "a/b/c/app", "u", ROLE_GUEST);
	put_member(w.f.db, "a", "u", ROLE_GUEST);
	txn_renew(&w.txn);
	assert_int_equal(decide(&w, &who, "a/b/c/app", ALL),
			 RIGHT_PULL | RIGHT_PUSH);
	/* Beside the group he gets nothing from it. */
	assert_int_equal(decide(&w, &who, "a/other", ALL), 0);
	done(w.f.db, (struct change) { .type = CHANGE_MEMBER_REMOVE,
				       .path = STR("a/b"),
				       .user = STR("u") });
	txn_renew(&w.txn);
	assert_int_equal(decide(&w, &who, "a/b/c/app", ALL), 0);
	put_member(w.f.db, "a", "u", ROLE_OWNER);
	txn_renew(&w.txn);
	assert_int_equal(decide(&w, &who, "a/b/c/app", ALL), ALL);
	assert_int_equal(decide(&w, &who, "a/other", ALL), ALL);
	world_close(&w);
}

/* A project of the same name is another: nothing is inherited by name. */
static void removed_project_leaves_no_role(void **state)
{
	struct identity who = { .kind = IDENTITY_USER, .rights = ALL };
	struct world w;

	(void)state;
	world_open(&w, false);
	add_project(w.f.db, "p", VISIBILITY_PRIVATE);
	who.user = add_user(w.f.db, "u", 0);
	put_member(w.f.db, "p", "u", ROLE_OWNER);
	done(w.f.db,
	     (struct change) { .type = CHANGE_SPACE_REMOVE, .path = STR("p") });
	add_project(w.f.db, "p", VISIBILITY_PRIVATE);
	txn_renew(&w.txn);
	assert_int_equal(decide(&w, &who, "p", ALL), 0);
	world_close(&w);
}

static void catalog(void **state)
{
	static const struct {
		const char *rule;
		enum column column;
		unsigned rights;
		size_t want;
	} rows[] = {
		{ "an administrator whose token reaches it", ADMIN,
		  ALL | RIGHT_CATALOG, 1 },
		{ "not without the right", ADMIN, ALL, 0 },
		{ "an owner is no administrator", OWNER, ALL | RIGHT_CATALOG,
		  0 },
		{ "nobody else", ANONYMOUS, ALL | RIGHT_CATALOG, 0 },
	};
	static struct scope_list want, may;
	struct world w;

	(void)state;
	world_open(&w, false);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct identity who = identity(&w, rows[i].column);
		enum reason why;

		print_message("%s\n", rows[i].rule);
		who.rights = rows[i].rights;
		want = list_of(SCOPE_CATALOG, "catalog", RIGHT_CATALOG);
		assert_int_equal(
			access_decide(&w.txn, &who, &want, NULL, &may, &why),
			E_OK);
		assert_int_equal(may.len, rows[i].want);
		if (may.len)
			assert_int_equal(may.at[0].rights, RIGHT_CATALOG);
	}
	world_close(&w);
}

static void nobody_gets_nothing(void **state)
{
	struct identity who = { 0 };
	struct world w;

	(void)state;
	world_open(&w, false);
	assert_int_equal(decide(&w, &who, "g/public", ALL), 0);
	world_close(&w);
}

static void several_scopes(void **state)
{
	static struct scope_list want, may;
	static struct trace trace;
	struct identity who;
	enum reason why;
	struct world w;

	(void)state;
	world_open(&w, true);
	who = identity(&w, DEVELOPER);
	want.len = 0;
	assert_int_equal(access_decide(&w.txn, &who, &want, NULL, &may, &why),
			 E_OK);
	assert_int_equal(why, REASON_LOGIN);
	want.len = 3;
	want.at[0] =
		(struct scope) { SCOPE_REPOSITORY, STR("g/disabled"), ALL };
	want.at[1] = (struct scope) { SCOPE_REPOSITORY, STR("g/private"), ALL };
	want.at[2] = (struct scope) { SCOPE_REPOSITORY, STR("g/public"),
				      RIGHT_PULL };
	trace = (struct trace) { .arena = &w.arena };
	assert_int_equal(access_decide(&w.txn, &who, &want, &trace, &may, &why),
			 E_OK);
	assert_int_equal(why, REASON_PARTIAL);
	assert_int_equal(may.len, 2);
	assert_str(may.at[0].name, "g/private");
	assert_int_equal(may.at[0].rights, RIGHT_PULL | RIGHT_PUSH);
	assert_str(may.at[1].name, "g/public");
	assert_int_equal(may.at[1].rights, RIGHT_PULL);
	assert_int_equal(trace.len, 16);
	assert_str(trace.at[0], "project: g/disabled");
	assert_str(trace.at[2], "role: developer, from g");
	assert_str(trace.at[5],
		   "refused: delete, the project's registry is disabled");
	assert_str(trace.at[6], "result: g/disabled: nothing");
	assert_str(trace.at[10], "refused: delete, it needs role maintainer");
	assert_str(trace.at[11], "result: g/private: pull push");
	world_close(&w);
}

static void failure_grants_nothing(void **state)
{
	static struct scope_list want, may;
	struct identity who;
	enum reason why;
	struct world w;
	struct txn txn;

	(void)state;
	world_open(&w, true);
	who = identity(&w, OWNER);
	txn_write(w.f.db, &txn);
	txn_put(&txn, TABLE_SPACE, STR("g/public"), STR("\001damaged"));
	assert_int_equal(txn_commit(&txn), E_OK);
	txn_renew(&w.txn);
	want = list_of(SCOPE_REPOSITORY, "g/private", ALL);
	want.at[want.len++] =
		(struct scope) { SCOPE_REPOSITORY, STR("g/public"), ALL };
	assert_int_equal(access_decide(&w.txn, &who, &want, NULL, &may, &why),
			 E_CORRUPT);
	assert_int_equal(may.len, 0);
	assert_int_equal(why, REASON_FAILURE);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roles_and_visibility),
		cmocka_unit_test(places_of_repositories),
		cmocka_unit_test(a_group_has_no_repository),
		cmocka_unit_test(highest_role_counts),
		cmocka_unit_test(removed_project_leaves_no_role),
		cmocka_unit_test(catalog),
		cmocka_unit_test(nobody_gets_nothing),
		cmocka_unit_test(several_scopes),
		cmocka_unit_test(failure_grants_nothing),
	};

	return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
