/*
 * test/unit/store/test_change.c - store/change: what each change does and
 * refuses, and that equal changes make equal stores.
 */
#include "test/unit/store/changes.h"

/* clang-format off */
#define BOT "project_2_bot_0a1b"
#define LIMITED(...)                                                           \
	{ .type = CHANGE_TOKEN_ADD, .user = S("bob"), .kind = PAT_PERSONAL,    \
	  .text = S("ci"), .scopes = PAT_API, .digest = D9, __VA_ARGS__ }
#define BY(who, owner, k)                                                      \
	{ .type = CHANGE_TOKEN_ADD, .actor = S(who), .user = S(owner),         \
	  .kind = k, .text = S("ci"), .scopes = PAT_API, .digest = D9 }
#define IN(who, k, p, r)                                                       \
	{ .type = CHANGE_TOKEN_ADD, .actor = S(who), .path = S(p), .kind = k,  \
	  .text = S("ci"), .scopes = PAT_API, .role = r, .bot = S("0b"),       \
	  .digest = D9 }
#define ROTATE(...)                                                            \
	{ .type = CHANGE_TOKEN_ROTATE, .digest = { { 8 } }, .id = __VA_ARGS__ }

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
	  E_NOT_EMPTY, "user \"Alice\" owns 1 active token (id 1), which "
		       "would be revoked" },
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
	{ "an e-mail address is set", { .type = CHANGE_USER_EMAIL,
					.user = S("bob"),
					.text = S("b@example.com") },
	  E_OK, "" },
	{ "one that is none is not", { .type = CHANGE_USER_EMAIL,
				       .user = S("bob"), .text = S("bob") },
	  E_SYNTAX, "alice@example.com" },
	{ "nor one of a bot", { .type = CHANGE_USER_EMAIL, .user = S(BOT),
				.text = S("b@example.com") },
	  E_REFUSED, "bot" },
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
	  "group \"g\" holds 1 project (g/app), which would go too" },
	{ "its tokens keep it too", { .type = CHANGE_SPACE_REMOVE,
				      .path = S("g"), .recursive = 1 },
	  E_NOT_EMPTY, "1 active token (id 4), which would be revoked" },
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
	/* limits of a token */
	{ "a token has limits", LIMITED(.limits[LIMIT_REPOSITORY] = S("a/*,b"),
					.limits[LIMIT_NETWORK] = S("10.0.0.0/8"),
					.limits[LIMIT_SERVICE] = S("reg"), .idle = 3600),
	  E_OK, "" },
	{ "patterns are read", LIMITED(.limits[LIMIT_REPOSITORY] = S("a*")), E_SYNTAX,
	  "'a*' is no pattern" },
	{ "networks too", LIMITED(.limits[LIMIT_NETWORK] = S("10.0.0.1/8")), E_SYNTAX,
	  "has bits behind" },
	{ "services have names", LIMITED(.limits[LIMIT_SERVICE] = S("a,")), E_SYNTAX,
	  "no name of a service" },
	{ "not too many", LIMITED(.limits[LIMIT_SERVICE] = S(X250 X250 X250 X250 "x")),
	  E_LIMIT, "at most 1000 bytes" },
	{ "idle for an hour at least", LIMITED(.idle = 3599), E_SYNTAX,
	  "at least 1h" },
	{ "and not for ever", LIMITED(.idle = UINT64_MAX), E_SYNTAX,
	  "at most 36500 days" },
	/* who makes it */
	{ "a user makes his own", BY("alice", "alice", PAT_PERSONAL), E_OK,
	  "" },
	{ "not another's", BY("bob", "alice", PAT_PERSONAL), E_REFUSED,
	  "user \"bob\" may not make tokens of other users" },
	{ "unless he is an administrator", BY("root", "alice", PAT_PERSONAL),
	  E_OK, "" },
	{ "impersonation is for these", BY("alice", "alice",
					   PAT_IMPERSONATION), E_REFUSED,
	  "that takes an administrator" },
	{ "alone", BY("root", "alice", PAT_IMPERSONATION), E_OK, "" },
	{ "who is gone makes none", BY("carol", "alice", PAT_PERSONAL),
	  E_REFUSED, "he is gone" },
	{ "a bot makes none", BY(BOT, "alice", PAT_PERSONAL), E_REFUSED,
	  "it is a bot" },
	{ "a developer makes none of his project",
	  IN("alice", PAT_PROJECT, "g/app", ROLE_GUEST), E_REFUSED,
	  "that takes role maintainer" },
	{ "nor who is no member", IN("bob", PAT_GROUP, "g", ROLE_GUEST),
	  E_REFUSED, "that takes role owner" },
	{ "an administrator does", IN("root", PAT_GROUP, "g", ROLE_OWNER),
	  E_OK, "" },
	/* rotation */
	{ "a token is rotated", ROTATE(1), E_OK, "" },
	{ "with a grace", ROTATE(1, .grace = 3600), E_OK, "" },
	{ "of 30 days", ROTATE(1, .grace = 30 * DAY), E_OK, "" },
	{ "of no more", ROTATE(1, .grace = 30 * DAY + 1), E_LIMIT,
	  "a grace is at most 30d" },
	{ "with a date", ROTATE(1, .expires_at = NOW + 1), E_OK, "" },
	{ "to come", ROTATE(1, .expires_at = NOW), E_SYNTAX, "future" },
	{ "a bot's token, too", ROTATE(4), E_OK, "" },
	{ "not a dead one", ROTATE(2), E_REFUSED,
	  "token 2 is expired; create another" },
	{ "nor a revoked one", ROTATE(3), E_REFUSED, "token 3 is revoked" },
	{ "nor one that is not there", ROTATE(99), E_NOT_FOUND,
	  "token 99 does not exist" },
	{ "with a new secret", { .type = CHANGE_TOKEN_ROTATE, .id = 1,
				 .digest = D3 }, E_EXISTS, "secret" },
	/* an end */
	{ "an end is set", { .type = CHANGE_TOKEN_END, .id = 1,
			     .expires_at = NOW + 1 }, E_OK, "" },
	{ "never to none", { .type = CHANGE_TOKEN_END, .id = 1 }, E_SYNTAX,
	  "is missing" },
	{ "of a token that is there", { .type = CHANGE_TOKEN_END, .id = 99,
					.expires_at = NOW + 1 }, E_NOT_FOUND,
	  "token 99 does not exist" },
	{ "a family is revoked", { .type = CHANGE_TOKEN_REVOKE, .id = 1,
				   .recursive = 1 }, E_OK, "" },
	/* keys are noted */
	{ "a new key", { .type = CHANGE_KEY_NEW, .text = S("AAAA:BBBB"),
			 .value = S("ES256") }, E_OK, "" },
	{ "one that signs", { .type = CHANGE_KEY_ACTIVATE,
			      .text = S("AAAA:BBBB") }, E_OK, "" },
	{ "one that is gone", { .type = CHANGE_KEY_REMOVE,
				.text = S("AAAA:BBBB") }, E_OK, "" },
	{ "not what would break a line", { .type = CHANGE_KEY_REMOVE,
					   .text = S("A\nB") }, E_SYNTAX,
	  "a key's id" },
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
	{ "one is removed", { .type = CHANGE_REFRESH_REMOVE, .id = 1,
			      .digest = { { 11 } } }, E_OK, "" },
	{ "not another token's", { .type = CHANGE_REFRESH_REMOVE, .id = 4,
				   .digest = { { 11 } } }, E_NOT_FOUND,
	  "token 4 has no such refresh token" },
	{ "nor one that is not there", { .type = CHANGE_REFRESH_REMOVE,
					 .id = 1, .digest = D9 }, E_NOT_FOUND,
	  "token 1 has no such refresh token" },
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
	  E_NOT_FOUND, "no such setting 'colour'; there are: "
		       "default_token_days, enforce_token_expiry, " },
	{ "an actor has one line", { .type = CHANGE_GROUP_ADD,
				     .path = S("h"), .actor = S("a\nb") },
	  E_SYNTAX, "actor" },
};
/* clang-format on */

/* Every row of every table. */
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
	/* Every kind was done but what restore and audit do. */
	for (unsigned t = CHANGE_USER_ADD; t <= CHANGE_KEY_REMOVE; t++)
		if (!seen[t] && t != CHANGE_COUNTER_PUT &&
		    t != CHANGE_RESTORE && t != CHANGE_AUDIT_PRUNE &&
		    strcmp(change_name((enum change_type)t), "unknown"))
			fail_msg("%s", change_name((enum change_type)t));
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

/* clang-format off */
static const struct {
	struct change change;
	enum err want;
} when_full[] = {
	{ ADD_USER("new"), E_FULL },
	{ ADD_GROUP("new"), E_FULL },
	{ ADD_PROJECT("new/p"), E_FULL },
	{ ADD_TOKEN("alice", D9), E_FULL },
	{ SPACE_TOKEN(PAT_GROUP, "g", D9), E_FULL },
	{ ROTATE(1), E_FULL },
	{ { .type = CHANGE_REFRESH_ADD, .id = 1, .text = S("reg"),
	    .digest = D9 }, E_FULL },
	{ { .type = CHANGE_USER_EMAIL, .user = S("bob"), .text = S("b@x") },
	  E_OK },
	{ { .type = CHANGE_USER_PASSWORD, .user = S("bob"), .value = S("*") },
	  E_OK },
	{ { .type = CHANGE_SETTING_PUT, .text = S("default_token_days"),
	    .value = S("9") }, E_OK },
	{ { .type = CHANGE_PROJECT_SET, .path = S("p"), .archived = 2 }, E_OK },
	{ { .type = CHANGE_TOKEN_END, .id = 1, .expires_at = NOW + DAY },
	  E_OK },
	{ { .type = CHANGE_MEMBER_PUT, .user = S("alice"), .path = S("g/app"),
	    .role = ROLE_GUEST }, E_OK },
	{ { .type = CHANGE_MEMBER_REMOVE, .user = S("alice"),
	    .path = S("g/app") }, E_OK },
	{ { .type = CHANGE_REFRESH_REMOVE, .id = 1, .digest = { { 11 } } },
	  E_OK },
	{ { .type = CHANGE_TOKEN_REVOKE, .id = 1 }, E_OK },
	{ { .type = CHANGE_KEY_REMOVE, .text = S("AAAA") }, E_OK },
	{ { .type = CHANGE_USER_FLAG, .user = S("alice"),
	    .flags = USER_BLOCKED, .on = 1 }, E_OK },
	{ { .type = CHANGE_SPACE_REMOVE, .path = S("p") }, E_OK },
	{ { .type = CHANGE_USER_REMOVE, .user = S("alice"), .yes = 1 }, E_OK },
};
/* clang-format on */

/* What adds is refused, alone; what was done before is done again. */
static void a_full_store(void **state)
{
	struct change old = ADD_USER("old");
	struct fixture f;

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	for (size_t i = 0; i < COUNT(when_full); i++) {
		struct change change = when_full[i].change;
		struct change *list[] = { &change };

		change.now = change.now ? change.now : NOW;
		change.actor = STR("cli:root");
		db_limit(f.db, 0);
		assert_int_equal(change_commit(f.db, list, 1), E_OK);
		print_message("%s: %s\n", change_name(change.type),
			      change.cause.text);
		assert_int_equal(change.result, when_full[i].want);
		assert_int_equal(!!strstr(change.cause.text, "audit prune"),
				 when_full[i].want == E_FULL);
	}
	old.replayed = true;
	done(f.db, old);
	db_limit(f.db, DB_SIZE_MOST);
	done(f.db, (struct change)ADD_USER("new"));
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
	assert_non_null(strstr(a.cause.text, "failed: "));
	txn_read(f.db, &txn);
	assert_int_equal(txn_count(&txn, TABLE_USER), 0);
	txn_cleanup(&txn);
	fixture_close(&f);
}

static void blocked_owner_gets_no_refresh_token(void **state)
{
	struct change change = { .type = CHANGE_REFRESH_ADD,
				 .id = 1,
				 .text = S("reg"),
				 .digest = D9 };
	struct fixture f;

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	done(f.db, (struct change) { .type = CHANGE_USER_FLAG,
				     .user = S("alice"),
				     .flags = USER_BLOCKED,
				     .on = 1 });
	assert_int_equal(do_change(f.db, &change), E_REFUSED);
	assert_string_equal(change.cause.text,
			    "the owner of token 1 is blocked or gone");
	fixture_close(&f);
}

/* A record holds it, and 64 bytes that the log adds. */
static void long_input_is_refused_not_a_failure(void **state)
{
	static char big[5000];
	struct change change = ADD_TOKEN("alice", D9);
	struct pack pack = { 0 };
	size_t room;
	struct fixture f;

	(void)state;
	memset(big, 'a', sizeof(big));
	change.actor = STR("cli:root");
	change_pack(&change, &pack);
	room = RECORD_MAX - 64 - pack.len;
	fixture_open(&f);
	set_up(f.db);
	/* A path is not of this kind, but it is packed. */
	for (size_t i = 0; i < 3; i++) {
		const size_t lens[] = { sizeof(big), room + 1, room };

		change.path = (struct str) { big, lens[i] };
		assert_int_equal(do_change(f.db, &change),
				 i < 2 ? E_LIMIT : E_OK);
		assert_int_equal(!!strstr(change.cause.text, "too long"),
				 i < 2);
	}
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test(equal_changes_make_equal_stores),
		cmocka_unit_test(refused_one_is_refused_alone),
		cmocka_unit_test(a_full_store),
		cmocka_unit_test(store_failure_fails_all),
		cmocka_unit_test(blocked_owner_gets_no_refresh_token),
		cmocka_unit_test(long_input_is_refused_not_a_failure),
	};

	return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
