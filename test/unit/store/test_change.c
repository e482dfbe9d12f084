/*
 * test/unit/store/test_change.c - store/change: what each change does and
 * refuses, that the log replays it, and that tampering with it is found.
 */
#include "test/unit/store/fixture.h"

#include "store/changelog.h"
#include "store/member.h"
#include "store/refresh.h"
#include "token/date.h"

/* clang-format off */
#define D1  { { 1 } }
#define D2  { { 2 } }
#define D3  { { 3 } }
#define D9  { { 9 } }
#define S(literal) { (literal), sizeof(literal) - 1 }
#define ADD_USER(name) { .type = CHANGE_USER_ADD, .user = S(name) }
#define ADD_PROJECT(p) { .type = CHANGE_PROJECT_ADD, .path = S(p) }
#define ADD_GROUP(p)   { .type = CHANGE_GROUP_ADD, .path = S(p) }
#define ADD_TOKEN(name, d)                                                     \
	{ .type = CHANGE_TOKEN_ADD, .user = S(name), .kind = PAT_PERSONAL,     \
	  .text = S("ci"), .scopes = PAT_API, .digest = d }
#define SPACE_TOKEN(k, p, d)                                                   \
	{ .type = CHANGE_TOKEN_ADD, .path = S(p), .kind = k, .text = S("ci"),  \
	  .scopes = PAT_API, .role = ROLE_MAINTAINER, .bot = S("0a1b"),        \
	  .digest = d }

#define X10 "xxxxxxxxxx"
#define X250                                                                   \
	X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10    \
		X10 X10 X10 X10 X10 X10 X10 X10

/*
 * Made anew for each row: users alice (1, owns token 1), root (2, admin), bob
 * (3, owns tokens 2, dead, and 3, revoked); group g (1), project g/app (2, its
 * bot is user 4, token 4), group e (3), project p (4); alice is a developer of
 * g/app.
 */
static struct change setup[] = {
	ADD_USER("Alice"),
	{ .type = CHANGE_USER_ADD, .user = S("root"), .flags = USER_ADMIN },
	ADD_USER("bob"),
	ADD_TOKEN("alice", D1),
	{ .type = CHANGE_TOKEN_ADD, .user = S("bob"), .kind = PAT_PERSONAL,
	  .text = S("ci"), .scopes = PAT_API, .digest = D2, .now = NOW - DAY,
	  .expires_at = NOW },
	ADD_TOKEN("bob", D3),
	{ .type = CHANGE_TOKEN_REVOKE, .id = 3 },
	ADD_PROJECT("g/app"),
	ADD_GROUP("e"),
	ADD_PROJECT("p"),
	{ .type = CHANGE_MEMBER_PUT, .user = S("alice"), .path = S("g/app"),
	  .role = ROLE_DEVELOPER },
	SPACE_TOKEN(PAT_PROJECT, "g/app", { { 4 } }),
	{ .type = CHANGE_REFRESH_ADD, .id = 1, .text = S("reg"),
	  .digest = { { 11 } } },
};

#define BOT "project_2_bot_0a1b"

static const struct {
	const char *rule;
	struct change change;
	enum err want;
	const char *cause;
} rows[] = {
	/* users */
	{ "a user is added", ADD_USER("carol"), E_OK, "" },
	{ "names differ by more than case", ADD_USER("ALICE"), E_EXISTS,
	  "user \"Alice\" exists already" },
	{ "a name ends in no dot", ADD_USER("a."), E_SYNTAX, "user name" },
	{ "a name begins with no dot", ADD_USER(".a"), E_SYNTAX, "user name" },
	{ "a name begins with no hyphen", ADD_USER("-a"), E_SYNTAX,
	  "user name" },
	{ "a name is not empty", ADD_USER(""), E_SYNTAX, "user name" },
	{ "a name holds no slash", ADD_USER("a/b"), E_SYNTAX, "user name" },
	{ "a name may have 255 bytes", ADD_USER(X250 "yyyyy"), E_OK, "" },
	{ "a name has no more", ADD_USER(X250 "yyyyyy"), E_SYNTAX, "" },
	{ "nobody makes a bot", { .type = CHANGE_USER_ADD, .user = S("x"),
				  .flags = USER_BOT }, E_REFUSED, "flags" },
	{ "an e-mail has one line", { .type = CHANGE_USER_ADD, .user = S("x"),
				      .text = S("a@x\nBcc: b@x") },
	  E_SYNTAX, "control character" },
	{ "an e-mail is short", { .type = CHANGE_USER_ADD, .user = S("x"),
				  .text = S(X250 X250) }, E_LIMIT, "e-mail" },
	{ "who owns active tokens stays", { .type = CHANGE_USER_REMOVE,
					    .user = S("alice") },
	  E_NOT_EMPTY, "user \"Alice\" owns 1 active token (id 1); add --yes "
		       "to remove him and revoke it" },
	{ "unless one says yes", { .type = CHANGE_USER_REMOVE,
				   .user = S("ALICE"), .yes = 1 }, E_OK, "" },
	{ "dead tokens hold nobody", { .type = CHANGE_USER_REMOVE,
				       .user = S("bob") }, E_OK, "" },
	{ "who is not there cannot go", { .type = CHANGE_USER_REMOVE,
					  .user = S("carol") },
	  E_NOT_FOUND, "user \"carol\" does not exist" },
	{ "a bot goes with its token", { .type = CHANGE_USER_REMOVE,
					 .user = S(BOT), .yes = 1 },
	  E_REFUSED, "revoke the token" },
	{ "a user is blocked", { .type = CHANGE_USER_FLAG, .user = S("bob"),
				 .flags = USER_BLOCKED, .on = 1 }, E_OK, "" },
	{ "so is a bot", { .type = CHANGE_USER_FLAG, .user = S(BOT),
			   .flags = USER_BLOCKED, .on = 1 }, E_OK, "" },
	{ "a bot is no administrator", { .type = CHANGE_USER_FLAG,
					 .user = S(BOT), .flags = USER_ADMIN,
					 .on = 1 }, E_REFUSED, "bot" },
	{ "nobody becomes a bot", { .type = CHANGE_USER_FLAG, .user = S("bob"),
				    .flags = USER_BOT, .on = 1 },
	  E_SYNTAX, "flag" },
	{ "one flag at a time", { .type = CHANGE_USER_FLAG, .user = S("bob"),
				  .flags = USER_BLOCKED | USER_ADMIN,
				  .on = 1 }, E_SYNTAX, "flag" },
	{ "a flag of no bit", { .type = CHANGE_USER_FLAG, .user = S("bob"),
				.flags = (1ULL << 32) | USER_ADMIN, .on = 1 },
	  E_SYNTAX, "flag" },
	{ "a password is set", { .type = CHANGE_USER_PASSWORD,
				 .user = S("bob"), .value = S("$y$j9T$x") },
	  E_OK, "" },
	{ "a bot has none", { .type = CHANGE_USER_PASSWORD, .user = S(BOT),
			      .value = S("$y$j9T$x") }, E_REFUSED, "bot" },
	{ "nor who is not there", { .type = CHANGE_USER_PASSWORD,
				    .user = S("carol") }, E_NOT_FOUND, "" },
	/* groups and projects */
	{ "a group is added", ADD_GROUP("h"), E_OK, "" },
	{ "with the groups above", ADD_GROUP("h/i/j"), E_OK, "" },
	{ "a group is there once", ADD_GROUP("g"), E_EXISTS,
	  "group \"g\" exists already" },
	{ "paths are lower-cased", ADD_GROUP("G"), E_EXISTS, "group \"g\"" },
	{ "a group is no project", ADD_PROJECT("e"), E_EXISTS, "group \"e\"" },
	{ "a project is no group", ADD_GROUP("p"), E_EXISTS, "project \"p\"" },
	{ "nothing lies under a project", ADD_PROJECT("p/q"), E_REFUSED,
	  "\"p\" is a project, and nothing can lie under a project" },
	{ "nor deeper under one", ADD_GROUP("g/app/x/y"), E_REFUSED,
	  "\"g/app\" is a project" },
	{ "a path has no empty name", ADD_GROUP("a//b"), E_SYNTAX, "path" },
	{ "nor one at the end", ADD_GROUP("a/"), E_SYNTAX, "path" },
	{ "nor at the start", ADD_GROUP("/a"), E_SYNTAX, "path" },
	{ "a path is not empty", ADD_GROUP(""), E_SYNTAX, "path" },
	{ "dots lead nowhere", ADD_GROUP("a/../b"), E_SYNTAX, "path" },
	{ "no colon", ADD_GROUP("host:5000"), E_SYNTAX, "path" },
	{ "one separator", ADD_GROUP("a.-b"), E_SYNTAX, "path" },
	{ "or two underscores", ADD_GROUP("a__b"), E_OK, "" },
	{ "not three", ADD_GROUP("a___b"), E_SYNTAX, "path" },
	{ "not two hyphens", ADD_GROUP("a--b"), E_SYNTAX, "path" },
	{ "none at an end", ADD_GROUP("a-"), E_SYNTAX, "path" },
	{ "255 bytes", ADD_GROUP(X250 "yyyyy"), E_OK, "" },
	{ "no more", ADD_GROUP(X250 "yyyyyy"), E_SYNTAX, "path" },
	{ "20 deep", ADD_GROUP("a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a"),
	  E_OK, "" },
	{ "no deeper", ADD_GROUP("a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a"),
	  E_SYNTAX, "path" },
	{ "a visibility that is none", { .type = CHANGE_PROJECT_ADD,
					 .path = S("q"), .visibility = 4 },
	  E_SYNTAX, "visibility" },
	{ "a project is set", { .type = CHANGE_PROJECT_SET, .path = S("P"),
				.archived = 2 }, E_OK, "" },
	{ "archived is yes or no", { .type = CHANGE_PROJECT_SET,
				     .path = S("p"), .archived = 3 },
	  E_SYNTAX, "archived" },
	{ "a registry setting that is none", { .type = CHANGE_PROJECT_SET,
					       .path = S("p"), .registry = 4 },
	  E_SYNTAX, "registry" },
	{ "a group has no visibility", { .type = CHANGE_PROJECT_SET,
					 .path = S("g"), .visibility = 1 },
	  E_NOT_FOUND, "\"g\" is a group, not a project" },
	{ "nor what is not there", { .type = CHANGE_PROJECT_SET,
				     .path = S("q"), .visibility = 1 },
	  E_NOT_FOUND, "no group or project \"q\"" },
	{ "an empty group goes", { .type = CHANGE_SPACE_REMOVE,
				   .path = S("e") }, E_OK, "" },
	{ "a group is removed as one", { .type = CHANGE_SPACE_REMOVE,
					 .path = S("e"),
					 .kind = SPACE_PROJECT },
	  E_NOT_FOUND, "\"e\" is a group, not a project" },
	{ "one with content stays", { .type = CHANGE_SPACE_REMOVE,
				      .path = S("g"), .yes = 1 },
	  E_NOT_EMPTY,
	  "group \"g\" holds 1 project (g/app); add --recursive" },
	{ "its tokens keep it too", { .type = CHANGE_SPACE_REMOVE,
				      .path = S("g"), .recursive = 1 },
	  E_NOT_EMPTY, "1 active token (id 4); add --yes" },
	{ "with both it goes", { .type = CHANGE_SPACE_REMOVE, .path = S("g"),
				 .recursive = 1, .yes = 1 }, E_OK, "" },
	{ "a project with tokens stays", { .type = CHANGE_SPACE_REMOVE,
					   .path = S("g/app") },
	  E_NOT_EMPTY, "project \"g/app\" has 1 active token (id 4)" },
	{ "unless one says yes", { .type = CHANGE_SPACE_REMOVE,
				   .path = S("g/app"), .yes = 1 }, E_OK, "" },
	{ "what is not there stays away", { .type = CHANGE_SPACE_REMOVE,
					    .path = S("g/ap") },
	  E_NOT_FOUND, "" },
	/* members */
	{ "a role is given", { .type = CHANGE_MEMBER_PUT, .user = S("bob"),
			       .path = S("g"), .role = ROLE_GUEST },
	  E_OK, "" },
	{ "and changed", { .type = CHANGE_MEMBER_PUT, .user = S("alice"),
			   .path = S("g/app"), .role = ROLE_OWNER },
	  E_OK, "" },
	{ "one that exists", { .type = CHANGE_MEMBER_PUT, .user = S("bob"),
			       .path = S("g"), .role = 31 },
	  E_SYNTAX, "role" },
	{ "no role is none", { .type = CHANGE_MEMBER_PUT, .user = S("bob"),
			       .path = S("g") }, E_SYNTAX, "role" },
	{ "not by wrapping around", { .type = CHANGE_MEMBER_PUT,
				      .user = S("bob"), .path = S("g"),
				      .role = (1ULL << 32) | ROLE_OWNER },
	  E_SYNTAX, "role" },
	{ "to somebody", { .type = CHANGE_MEMBER_PUT, .user = S("carol"),
			   .path = S("g"), .role = ROLE_GUEST },
	  E_NOT_FOUND, "carol" },
	{ "somewhere", { .type = CHANGE_MEMBER_PUT, .user = S("bob"),
			 .path = S("q"), .role = ROLE_GUEST },
	  E_NOT_FOUND, "\"q\"" },
	{ "never to a bot", { .type = CHANGE_MEMBER_PUT, .user = S(BOT),
			      .path = S("p"), .role = ROLE_GUEST },
	  E_REFUSED, "bot" },
	{ "a member goes", { .type = CHANGE_MEMBER_REMOVE, .user = S("alice"),
			     .path = S("g/app") }, E_OK, "" },
	{ "who is one here", { .type = CHANGE_MEMBER_REMOVE,
			       .user = S("alice"), .path = S("g") },
	  E_NOT_FOUND, "no direct member" },
	{ "a bot stays", { .type = CHANGE_MEMBER_REMOVE, .user = S(BOT),
			   .path = S("g/app") }, E_REFUSED, "bot" },
	/* tokens */
	{ "a token is added", ADD_TOKEN("bob", D9), E_OK, "" },
	{ "a secret is used once", ADD_TOKEN("bob", D1), E_EXISTS, "secret" },
	{ "even after its token died", ADD_TOKEN("bob", D3), E_EXISTS, "" },
	{ "of somebody", ADD_TOKEN("carol", D9), E_NOT_FOUND, "carol" },
	{ "a bot owns no further token", ADD_TOKEN("project_2_bot_0a1b", D9),
	  E_REFUSED, "bot" },
	{ "a token has a kind", { .type = CHANGE_TOKEN_ADD, .user = S("bob"),
				  .text = S("ci"), .scopes = PAT_API,
				  .digest = D9 }, E_SYNTAX, "kind" },
	{ "a token has a name", { .type = CHANGE_TOKEN_ADD, .user = S("bob"),
				  .kind = PAT_PERSONAL, .scopes = PAT_API,
				  .digest = D9 }, E_SYNTAX, "name" },
	{ "of one line", { .type = CHANGE_TOKEN_ADD, .user = S("bob"),
			   .kind = PAT_PERSONAL, .scopes = PAT_API,
			   .text = S("a\rb"), .digest = D9 },
	  E_SYNTAX, "control character" },
	{ "a token has scopes", { .type = CHANGE_TOKEN_ADD, .user = S("bob"),
				  .kind = PAT_PERSONAL, .text = S("ci"),
				  .digest = D9 }, E_SYNTAX, "scopes" },
	{ "that are known", { .type = CHANGE_TOKEN_ADD, .user = S("bob"),
			      .kind = PAT_PERSONAL, .text = S("ci"),
			      .scopes = PAT_ALL + 1, .digest = D9 },
	  E_SYNTAX, "scopes" },
	{ "a date lies in the future", { .type = CHANGE_TOKEN_ADD,
					 .user = S("bob"),
					 .kind = PAT_PERSONAL,
					 .text = S("ci"), .scopes = PAT_API,
					 .digest = D9, .expires_at = NOW },
	  E_SYNTAX, "future" },
	{ "by a second", { .type = CHANGE_TOKEN_ADD, .user = S("bob"),
			   .kind = PAT_PERSONAL, .text = S("ci"),
			   .scopes = PAT_API, .digest = D9,
			   .expires_at = NOW + 1 }, E_OK, "" },
	{ "not before 1970", { .type = CHANGE_TOKEN_ADD, .user = S("bob"),
			       .kind = PAT_PERSONAL, .text = S("ci"),
			       .scopes = PAT_API, .digest = D9,
			       .expires_at = -1 }, E_SYNTAX, "future" },
	{ "sudo is for administrators", { .type = CHANGE_TOKEN_ADD,
					  .user = S("bob"),
					  .kind = PAT_PERSONAL,
					  .text = S("ci"),
					  .scopes = PAT_API | PAT_SUDO,
					  .digest = D9 },
	  E_REFUSED, "sudo" },
	{ "who may have it", { .type = CHANGE_TOKEN_ADD, .user = S("root"),
			       .kind = PAT_PERSONAL, .text = S("ci"),
			       .scopes = PAT_SUDO, .digest = D9 }, E_OK, "" },
	{ "a project has tokens", SPACE_TOKEN(PAT_PROJECT, "p", D9), E_OK, "" },
	{ "so has a group", SPACE_TOKEN(PAT_GROUP, "g", D9), E_OK, "" },
	{ "a group is no project here", SPACE_TOKEN(PAT_PROJECT, "g", D9),
	  E_NOT_FOUND, "\"g\" is a group, not a project" },
	{ "nor a project a group", SPACE_TOKEN(PAT_GROUP, "p", D9),
	  E_NOT_FOUND, "\"p\" is a project, not a group" },
	{ "a bot's name is new", SPACE_TOKEN(PAT_PROJECT, "g/app", D9),
	  E_EXISTS, "project_2_bot_0a1b" },
	{ "no read_user for a project", { .type = CHANGE_TOKEN_ADD,
					  .path = S("p"), .kind = PAT_PROJECT,
					  .text = S("ci"), .bot = S("0a"),
					  .role = ROLE_GUEST,
					  .scopes = PAT_API | PAT_READ_USER,
					  .digest = D9 },
	  E_REFUSED, "read_user" },
	{ "no sudo for a group", { .type = CHANGE_TOKEN_ADD, .path = S("g"),
				   .kind = PAT_GROUP, .text = S("ci"),
				   .bot = S("0a"), .role = ROLE_GUEST,
				   .scopes = PAT_SUDO, .digest = D9 },
	  E_REFUSED, "sudo" },
	{ "a project token has a role", { .type = CHANGE_TOKEN_ADD,
					  .path = S("p"), .kind = PAT_PROJECT,
					  .text = S("ci"), .bot = S("0a"),
					  .scopes = PAT_API, .digest = D9 },
	  E_SYNTAX, "role" },
	{ "a bot's name is hex", { .type = CHANGE_TOKEN_ADD, .path = S("p"),
				   .kind = PAT_PROJECT, .text = S("ci"),
				   .bot = S("0A"), .role = ROLE_GUEST,
				   .scopes = PAT_API, .digest = D9 },
	  E_SYNTAX, "hex" },
	{ "a token is revoked", { .type = CHANGE_TOKEN_REVOKE, .id = 1 },
	  E_OK, "" },
	{ "twice is done", { .type = CHANGE_TOKEN_REVOKE, .id = 3 }, E_OK, "" },
	{ "one that is there", { .type = CHANGE_TOKEN_REVOKE, .id = 99 },
	  E_NOT_FOUND, "token 99 does not exist" },
	/* refresh tokens */
	{ "an active token has refresh tokens", { .type = CHANGE_REFRESH_ADD,
						  .id = 1, .text = S("reg"),
						  .digest = D9 }, E_OK, "" },
	{ "a secret is used once", { .type = CHANGE_REFRESH_ADD, .id = 1,
				     .text = S("reg"),
				     .digest = { { 11 } } }, E_EXISTS, "" },
	{ "a dead token has none", { .type = CHANGE_REFRESH_ADD, .id = 2,
				     .text = S("reg"), .digest = D9 },
	  E_REFUSED, "token 2 is expired or revoked" },
	{ "a revoked one neither", { .type = CHANGE_REFRESH_ADD, .id = 3,
				     .text = S("reg"), .digest = D9 },
	  E_REFUSED, "token 3" },
	{ "it ends in the future", { .type = CHANGE_REFRESH_ADD, .id = 1,
				     .text = S("reg"), .digest = D9,
				     .expires_at = NOW }, E_SYNTAX, "future" },
	/* settings, and all */
	{ "a setting is set", { .type = CHANGE_SETTING_PUT,
				.text = S("enforce_token_expiry"),
				.value = S("false") }, E_OK, "" },
	{ "and cleared", { .type = CHANGE_SETTING_PUT,
			   .text = S("enforce_token_expiry"),
			   .value = S("none") }, E_OK, "" },
	{ "to what it can be", { .type = CHANGE_SETTING_PUT,
				 .text = S("enforce_token_expiry"),
				 .value = S("no") },
	  E_SYNTAX, "true or false" },
	{ "one that is known", { .type = CHANGE_SETTING_PUT,
				 .text = S("colour"), .value = S("true") },
	  E_NOT_FOUND, "no such setting" },
	{ "an actor has one line", { .type = CHANGE_GROUP_ADD,
				     .path = S("h"), .actor = S("a\nb") },
	  E_SYNTAX, "actor" },
};
/* clang-format on */

static void set_up(struct db *db)
{
	for (size_t i = 0; i < COUNT(setup); i++)
		done(db, setup[i]);
}

/* Every row of every table. */
static bool tables_equal(struct db *a, struct db *b)
{
	AUTO(txn) struct txn ta;
	AUTO(txn) struct txn tb;

	txn_read(a, &ta);
	txn_read(b, &tb);
	for (int t = 0; t < TABLE_COUNT; t++) {
		AUTO(cursor) struct cursor ca;
		AUTO(cursor) struct cursor cb;

		cursor_open(&ta, (enum table)t, STR(""), &ca);
		cursor_open(&tb, (enum table)t, STR(""), &cb);
		while (cursor_next(&ca))
			if (!cursor_next(&cb) || !str_eq(ca.key, cb.key) ||
			    !str_eq(ca.value, cb.value))
				return false;
		if (cursor_next(&cb))
			return false;
	}
	return !ta.err && !tb.err;
}

static void rules(void **state)
{
	struct fixture f, same;

	(void)state;
	fixture_open(&same);
	set_up(same.db);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct change change = rows[i].change;

		print_message("%s\n", rows[i].rule);
		fixture_open(&f);
		set_up(f.db);
		assert_int_equal(do_change(f.db, &change), rows[i].want);
		if (!strstr(change.cause.text, rows[i].cause))
			fail_msg("cause: %s", change.cause.text);
		assert_int_equal(!change.cause.text[0], !rows[i].want);
		/* A refusal has written nothing, what is done is logged. */
		assert_int_equal(tables_equal(f.db, same.db),
				 rows[i].want != E_OK);
		if (rows[i].want)
			assert_int_equal(change.new_id, 0);
		fixture_close(&f);
	}
	fixture_close(&same);
}

/* All that the log of `from` says, once more on `to`. */
static void replay(struct db *from, struct db *to)
{
	AUTO(txn) struct txn txn;
	AUTO(cursor) struct cursor cursor;

	txn_read(from, &txn);
	cursor_open(&txn, TABLE_LOG, STR(""), &cursor);
	while (cursor_next(&cursor)) {
		struct change change;

		assert_int_equal(
			change_unpack(str_skip(cursor.value, 1 + DIGEST_LEN),
				      &change),
			E_OK);
		assert_int_equal(do_change(to, &change), E_OK);
	}
	assert_int_equal(txn.err, E_OK);
}

static void equal_changes_make_equal_stores(void **state)
{
	struct fixture a, b, c;
	bool seen[32] = { false };

	(void)state;
	fixture_open(&a);
	fixture_open(&b);
	fixture_open(&c);
	set_up(a.db);
	set_up(b.db);
	/* Backwards: those who are removed by then have been used. */
	for (size_t i = COUNT(rows); i-- > 0;) {
		struct change one = rows[i].change, two = rows[i].change;

		assert_int_equal(do_change(a.db, &one), do_change(b.db, &two));
		assert_int_equal(one.new_id, two.new_id);
		seen[one.type] |= !one.result;
	}
	for (unsigned t = CHANGE_USER_ADD; t <= CHANGE_SETTING_PUT; t++)
		assert_true(seen[t]); /* every kind was done */
	assert_true(tables_equal(a.db, b.db));
	replay(a.db, c.db);
	assert_true(tables_equal(a.db, c.db));
	fixture_close(&a);
	fixture_close(&b);
	fixture_close(&c);
}

static void refused_one_is_refused_alone(void **state)
{
	struct change a = ADD_USER("a"), again = ADD_USER("A"),
		      bad = ADD_PROJECT("new/p:q"), b = ADD_USER("b");
	struct change *list[] = { &a, &again, &bad, &b };
	struct fixture f;
	struct user user;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	assert_int_equal(change_commit(f.db, list, COUNT(list)), E_OK);
	assert_int_equal(a.result, E_OK);
	assert_int_equal(again.result, E_EXISTS);
	assert_int_equal(bad.result, E_SYNTAX);
	assert_int_equal(b.result, E_OK);
	assert_int_equal(b.new_id, 2);
	txn_read(f.db, &txn);
	assert_int_equal(user_find(&txn, STR("b"), &user), E_OK);
	assert_int_equal(txn_count(&txn, TABLE_USER), 2);
	assert_int_equal(txn_count(&txn, TABLE_LOG), 2);
	assert_int_equal(txn_count(&txn, TABLE_SPACE), 0);
	txn_cleanup(&txn);
	fixture_close(&f);
}

static void store_failure_fails_all(void **state)
{
	struct change a = ADD_USER("a"), b = ADD_TOKEN("x", D1);
	struct change *list[] = { &a, &b };
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	txn_put(&txn, TABLE_USER_NAME, STR("x"), STR("damaged"));
	assert_int_equal(txn_commit(&txn), E_OK);
	assert_int_equal(change_commit(f.db, list, COUNT(list)), E_CORRUPT);
	assert_int_equal(a.result, E_CORRUPT);
	assert_int_equal(a.new_id, 0);
	assert_int_equal(b.result, E_CORRUPT);
	assert_non_null(strstr(a.cause.text, "store failed"));
	txn_read(f.db, &txn);
	assert_int_equal(txn_count(&txn, TABLE_USER), 0);
	txn_cleanup(&txn);
	fixture_close(&f);
}

static void long_input_is_refused_not_a_failure(void **state)
{
	static char big[5000];
	struct change change = ADD_TOKEN("alice", D9);
	struct fixture f;

	(void)state;
	memset(big, 'a', sizeof(big));
	fixture_open(&f);
	set_up(f.db);
	change.path = STR_OF(big); /* not of this kind, but it is packed */
	assert_int_equal(do_change(f.db, &change), E_LIMIT);
	assert_non_null(strstr(change.cause.text, "too long"));
	fixture_close(&f);
}

static struct pat token(struct db *db, uint64_t id)
{
	AUTO(txn) struct txn txn;
	struct pat pat;

	txn_read(db, &txn);
	if (pat_get(&txn, id, &pat))
		fail();
	pat.name = (struct str) { 0 };
	return pat;
}

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

static void packed_form(void **state)
{
	static const char example[] =
		"01 09 0000000067f00000 0005 616c696365 0003 626f62 0001 67 "
		"000000000000001e";
	struct change change = { .type = CHANGE_MEMBER_PUT,
				 .now = NOW,
				 .actor = S("alice"),
				 .user = S("bob"),
				 .path = S("g"),
				 .role = ROLE_DEVELOPER };
	struct pack pack = { 0 };
	struct change got;
	char bytes[128];
	struct str want = from_hex(example, bytes, sizeof(bytes));

	(void)state;
	change_pack(&change, &pack);
	assert_int_equal(pack.len, want.len);
	assert_memory_equal(pack.at, want.at, want.len);
	assert_int_equal(change_unpack(want, &got), E_OK);
	assert_int_equal(got.type, CHANGE_MEMBER_PUT);
	assert_int_equal(got.now, NOW);
	assert_str(got.actor, "alice");
	assert_str(got.user, "bob");
	assert_str(got.path, "g");
	assert_int_equal(got.role, ROLE_DEVELOPER);
	for (size_t len = 0; len < want.len; len++)
		assert_int_equal(change_unpack(str_head(want, len), &got),
				 E_CORRUPT);
	want.len++;
	assert_int_equal(change_unpack(want, &got), E_CORRUPT);
	want.len--;
	bytes[0] = 2;
	assert_int_equal(change_unpack(want, &got), E_VERSION);
	bytes[0] = 1;
	bytes[1] = 0;
	assert_int_equal(change_unpack(want, &got), E_CORRUPT);
	bytes[1] = 15;
	assert_int_equal(change_unpack(want, &got), E_CORRUPT);
	assert_int_equal(got.type, 0);
}

static void log_entry_form(void **state)
{
	static const char example[] =
		"01 "
		"00000000000000000000000000000000000000000000000000000000000000"
		"00"
		" 01 0c 0000000067f00000 0003 6a6f62 0000000000000009";
	struct change change = { .type = CHANGE_TOKEN_REVOKE,
				 .now = NOW,
				 .actor = S("job"),
				 .id = 9 };
	struct key8 key = key_u64(1);
	char bytes[128];
	struct str want = from_hex(example, bytes, sizeof(bytes)), value;
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	changelog_append(&txn, &change);
	assert_true(txn_get(&txn, TABLE_LOG, STR_OF(key.at), &value));
	assert_int_equal(value.len, want.len);
	assert_memory_equal(value.at, want.at, want.len);
	txn_cleanup(&txn);
	fixture_close(&f);
}

/* What somebody does to entry `at` of a log of COUNT(setup). */
enum tampering { NOTHING, FLIP, LOSE, LOSE_HEAD, ADD };

static void tamper(struct txn *txn, enum tampering how, uint64_t at)
{
	struct key8 key = key_u64(at);
	struct pack pack = { 0 };
	struct str value;

	switch (how) {
	case NOTHING:
		return;
	case LOSE:
		txn_remove(txn, TABLE_LOG, STR_OF(key.at));
		return;
	case LOSE_HEAD:
		txn_remove(txn, TABLE_META, STR("log"));
		return;
	case ADD:
		assert_true(
			txn_get(txn, TABLE_LOG, STR_OF(key_u64(1).at), &value));
		pack_bytes(&pack, value);
		break;
	case FLIP:
		assert_true(txn_get(txn, TABLE_LOG, STR_OF(key.at), &value));
		pack_bytes(&pack, value);
		pack.at[pack.len - 1] ^= 1;
		break;
	}
	txn_put(txn, TABLE_LOG, STR_OF(key.at), pack_str(&pack));
}

static void tampering_is_found(void **state)
{
	enum { LAST = COUNT(setup) };
	static const struct {
		const char *rule;
		enum tampering how;
		uint64_t at;
		const char *cause;
	} cases[] = {
		{ "an honest log", NOTHING, 0, NULL },
		{ "the first was changed", FLIP, 1, "entry 2" },
		{ "one was changed", FLIP, 5, "entry 6" },
		{ "the last was changed", FLIP, LAST, "entry 13" },
		{ "the first is missing", LOSE, 1, "entry 1:" },
		{ "one is missing", LOSE, 5, "entry 5" },
		{ "the last is missing", LOSE, LAST, "entry 12" },
		{ "one was added", ADD, LAST + 1, "entry 14" },
		{ "the head is missing", LOSE_HEAD, 0, "entry 13" },
	};
	struct fixture f;

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	for (size_t i = 0; i < COUNT(cases); i++) {
		AUTO(txn) struct txn txn;
		struct cause cause = { "" };
		uint64_t n;

		print_message("%s\n", cases[i].rule);
		txn_write(f.db, &txn);
		tamper(&txn, cases[i].how, cases[i].at);
		assert_int_equal(txn.err, E_OK);
		assert_int_equal(changelog_verify(&txn, &n, &cause),
				 cases[i].cause ? E_CORRUPT : E_OK);
		assert_int_equal(n, cases[i].cause ? 0 : LAST);
		if (cases[i].cause && !strstr(cause.text, cases[i].cause))
			fail_msg("cause: %s", cause.text);
	}
	fixture_close(&f);
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(change_name(CHANGE_TOKEN_ADD), "token_add");
	assert_string_equal(change_name((enum change_type)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(packed_form),
		cmocka_unit_test(log_entry_form),
		cmocka_unit_test(rules),
		cmocka_unit_test(equal_changes_make_equal_stores),
		cmocka_unit_test(refused_one_is_refused_alone),
		cmocka_unit_test(store_failure_fails_all),
		cmocka_unit_test(long_input_is_refused_not_a_failure),
		cmocka_unit_test(first_revocation_stays),
		cmocka_unit_test(removed_user_leaves_nothing_usable),
		cmocka_unit_test(removed_group_takes_what_is_below),
		cmocka_unit_test(groups_above_are_made),
		cmocka_unit_test(what_is_not_set_stays),
		cmocka_unit_test(bot_of_a_group),
		cmocka_unit_test(oldest_refresh_token_goes),
		cmocka_unit_test(tampering_is_found),
	};

	return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
