/*
 * test/unit/store/test_plan.c - what was taken away since a copy, by a setting,
 * by making another user, group or project of the same name, or before one was
 * removed.
 */
#include "test/unit/store/copy.h"

#include "store/changelog.h"
#include "store/member.h"
#include "store/record.h"
#include "store/refresh.h"
#include "store/setting.h"
#include "store/space.h"
#include "store/user.h"

static void set(struct db *db, enum setting setting, const char *value)
{
	done(db, (struct change) { .type = CHANGE_SETTING_PUT,
				   .text = setting_rows[setting].name,
				   .value = str_of(value) });
}

/* What a setting was in the copy, became since, and is after. */
static const struct {
	enum setting setting;
	const char *then, *since, *after;
} settings[] = {
	{ SETTING_enforce_token_expiry, "false", "true", "true" },
	{ SETTING_enforce_token_expiry, "true", "false", "true" },
	{ SETTING_require_token_expiry, "false", "true", "true" },
	{ SETTING_require_token_expiry, "true", "false", "true" },
	{ SETTING_max_token_lifetime, "none", "30", "30" },
	{ SETTING_max_token_lifetime, "90", "30", "30" },
	{ SETTING_max_token_lifetime, "30", "90", "30" },
	{ SETTING_max_token_lifetime, "30", "none", "30" },
	{ SETTING_default_token_days, "none", "30", "30" },
	{ SETTING_default_token_days, "90", "30", "30" },
	{ SETTING_default_token_days, "30", "none", "30" },
	{ SETTING_expiry_notice_days, "7", "1", "7" },
	{ SETTING_token_prefix, "a-", "b-", "a-" },
};

static void a_setting_that_was_tightened_stays_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(settings); i++) {
		const enum setting setting = settings[i].setting;
		bool stays = !strcmp(settings[i].after, settings[i].since);
		AUTO(buf) struct buf text;
		struct settings after;
		struct copy c;

		print_message(STR_FMT ": %s, %s\n",
			      STR_ARG(setting_rows[setting].name),
			      settings[i].then, settings[i].since);
		copy_begin(&c);
		set(c.f.db, setting, settings[i].then);
		copy_write(&c);
		set(c.f.db, setting, settings[i].since);
		assert_int_equal(bring_back(&c, c.f.db, 0).taken_away, stays);
		sound(c.f.db);
		after = settings_of(c.f.db);
		buf_init(&text, SETTING_VALUE_MAX);
		setting_print(setting, &after, &text);
		assert_true(str_eq(buf_str(&text), str_of(settings[i].after)));
		/* Its three hours count from then on. */
		if (setting == SETTING_max_token_lifetime)
			assert_int_equal(after.set_at[setting], NOW + 1);
		copy_end(&c);
	}
}

/* A store of another life knows of nobody who has tightened it. */
static void nor_is_what_a_new_store_has_by_default(void **state)
{
	struct fixture fresh;
	struct copy c;

	(void)state;
	copy_begin(&c);
	set(c.f.db, SETTING_enforce_token_expiry, "false");
	copy_write(&c);
	fixture_open(&fresh);
	bring_back(&c, fresh.db, 0);
	assert_false(settings_of(fresh.db).enforce_token_expiry);
	fixture_close(&fresh);
	copy_end(&c);
}

/* clang-format off */
#define REMOVE_SPACE(p)                                                        \
	{ .type = CHANGE_SPACE_REMOVE, .path = S(p), .yes = 1, .recursive = 1 }
#define MEMBER(who, p, r)                                                      \
	{ .type = CHANGE_MEMBER_PUT, .user = S(who), .path = S(p), .role = r }
#define PROJECT(p, ...)                                                        \
	{ .type = CHANGE_PROJECT_ADD, .path = S(p), __VA_ARGS__ }
#define MADE(who, ...) { .type = CHANGE_USER_ADD, .user = S(who), __VA_ARGS__ }
#define GONE(who) { .type = CHANGE_USER_REMOVE, .user = S(who), .yes = 1 }
#define SET(p, ...)                                                            \
	{ .type = CHANGE_PROJECT_SET, .path = S(p), __VA_ARGS__ }
#define OUT(who, p)                                                            \
	{ .type = CHANGE_MEMBER_REMOVE, .user = S(who), .path = S(p) }
#define VISIBLE(who)  .visibility = 1 + VISIBILITY_##who
#define REGISTRY(how) .registry = 1 + REGISTRY_##how

/*
 * The copy: g/app is public, alice a developer of it. What happened since, and
 * what g/app (2) and alice's role there are after.
 */
static const struct {
	const char *what;
	struct change since[6];
	const char *after;
	uint64_t taken_away; /* a token and its bot, of what was removed */
} again[] = {
	{ "removed", { REMOVE_SPACE("g/app") }, "2 0 0 30", 2 },
	{ "closed, then removed",
	  { SET("G/App", VISIBLE(PRIVATE)), SET("g/app", REGISTRY(DISABLED)),
	    SET("g/app", .archived = 2), REMOVE_SPACE("g/app") },
	  "0 2 1 30", 3 },
	{ "closed, opened, then removed",
	  { SET("g/app", VISIBLE(PRIVATE)), SET("g/app", VISIBLE(PUBLIC)),
	    REMOVE_SPACE("g") }, "2 0 0 30", 2 },
	{ "made again, closed, then removed",
	  { REMOVE_SPACE("g/app"), PROJECT("g/app", VISIBLE(INTERNAL)),
	    REMOVE_SPACE("g/app") }, "1 0 0 0", 4 },
	{ "closed; another, which is open, then removed",
	  { SET("g/app", .archived = 2), REMOVE_SPACE("g/app"),
	    PROJECT("g/app", VISIBLE(PUBLIC)), REMOVE_SPACE("g/app") },
	  "2 0 0 0", 3 },
	{ "another, of no visibility of its own, then removed",
	  { REMOVE_SPACE("g/app"), PROJECT("g/app"), REMOVE_SPACE("g/app") },
	  "0 0 0 0", 4 },
	{ "an empty group in its place, then removed",
	  { REMOVE_SPACE("g/app"), ADD_GROUP("g/app"),
	    REMOVE_SPACE("g/app") }, "0 2 0 0", 4 },
	{ "another, of which she was a guest, then removed",
	  { REMOVE_SPACE("g/app"), PROJECT("g/app", VISIBLE(PUBLIC)),
	    MEMBER("alice", "g/app", ROLE_GUEST), REMOVE_SPACE("g/app") },
	  "2 0 0 10", 3 },
	{ "a group in its place, then removed",
	  { REMOVE_SPACE("g"), PROJECT("g/app/own"), REMOVE_SPACE("g") },
	  "0 2 0 0", 4 },
	{ "one where it was below, then removed",
	  { REMOVE_SPACE("g"), PROJECT("g", VISIBLE(PUBLIC)),
	    REMOVE_SPACE("g") }, "2 0 0 0", 3 },
	{ "one where it was below, which was closed, then removed",
	  { REMOVE_SPACE("g"), PROJECT("g", VISIBLE(INTERNAL)),
	    SET("g", REGISTRY(PRIVATE), .archived = 2), REMOVE_SPACE("g") },
	  "1 1 1 0", 4 },
	{ "one where it was below, which was opened, then removed",
	  { REMOVE_SPACE("g"), PROJECT("g"), SET("g", VISIBLE(PUBLIC)),
	    REMOVE_SPACE("g") }, "0 0 0 0", 4 },
	{ "another near it, then removed",
	  { REMOVE_SPACE("g"), PROJECT("g-2"), PROJECT("ga"),
	    REMOVE_SPACE("ga") }, "2 0 0 30", 2 },
	{ "she is another, then removed",
	  { GONE("alice"), MADE("alice"), REMOVE_SPACE("g/app") },
	  "2 0 0 0", 4 },
	{ "she is another, and was a member, then removed",
	  { GONE("alice"), MADE("alice"),
	    MEMBER("alice", "g/app", ROLE_GUEST), REMOVE_SPACE("g/app") },
	  "2 0 0 10", 4 },
	{ "without her, then removed",
	  { OUT("Alice", "G/app"), REMOVE_SPACE("g/app") }, "2 0 0 0", 3 },
	{ "she was less there, then removed",
	  { MEMBER("alice", "g/app", ROLE_GUEST), REMOVE_SPACE("g/app") },
	  "2 0 0 10", 3 },
	{ "she was more there, then removed",
	  { MEMBER("alice", "g/app", ROLE_OWNER), REMOVE_SPACE("g/app") },
	  "2 0 0 30", 2 },
	{ "without her, then she was removed",
	  { OUT("alice", "g/app"), GONE("alice") }, "2 0 0 0", 3 },
	{ "the same again",
	  { REMOVE_SPACE("g/app"), PROJECT("g/app", VISIBLE(PUBLIC)),
	    MEMBER("alice", "g/app", ROLE_DEVELOPER) }, "2 0 0 30", 2 },
	{ "private, without her",
	  { REMOVE_SPACE("g/app"), PROJECT("g/app") }, "0 0 0 0", 4 },
	{ "internal, disabled, archived; she was its owner",
	  { REMOVE_SPACE("g/app"),
	    PROJECT("g/app", VISIBLE(INTERNAL), REGISTRY(DISABLED),
		    .archived = 2),
	    MEMBER("alice", "g/app", ROLE_OWNER) }, "1 2 1 30", 3 },
	{ "she is less there",
	  { REMOVE_SPACE("g/app"), PROJECT("g/app", VISIBLE(PUBLIC)),
	    MEMBER("alice", "g/app", ROLE_GUEST) }, "2 0 0 10", 3 },
	{ "a group of another, which is private",
	  { REMOVE_SPACE("g/app"), PROJECT("g/app/own") }, "0 2 0 0", 4 },
	{ "she is a member of that",
	  { REMOVE_SPACE("g/app"), PROJECT("g/app/own"),
	    MEMBER("alice", "g/app", ROLE_OWNER) }, "0 2 0 30", 3 },
	{ "a repository of one above",
	  { REMOVE_SPACE("g"), PROJECT("g", VISIBLE(INTERNAL)) },
	  "1 0 0 0", 4 },
	{ "removed, and others near it",
	  { REMOVE_SPACE("g/app"), PROJECT("g/ap"), PROJECT("g/app2") },
	  "2 0 0 30", 2 },
};
/* clang-format on */

static void look(struct db *db, char out[32])
{
	AUTO(txn) struct txn txn;
	struct space app;
	enum role role;
	enum err err;

	txn_read(db, &txn);
	assert_int_equal(space_get(&txn, 2, &app), E_OK);
	err = member_get(&txn, 2, 1, &role);
	assert_true(!err || err == E_NOT_FOUND);
	snprintf(out, 32, "%d %d %d %d", app.rules.visibility,
		 app.rules.registry, app.rules.archived, role);
}

static void a_project_that_was_made_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(again); i++) {
		struct restored out;
		char after[32];
		struct copy c;

		print_message("%s\n", again[i].what);
		copy_begin(&c);
		done(c.f.db, (struct change) { .type = CHANGE_PROJECT_SET,
					       .path = STR("g/app"),
					       VISIBLE(PUBLIC) });
		copy_write(&c);
		for (size_t n = 0; again[i].since[n].type; n++)
			done(c.f.db, again[i].since[n]);
		out = bring_back(&c, c.f.db, 0);
		sound(c.f.db);
		look(c.f.db, after);
		assert_string_equal(after, again[i].after);
		assert_int_equal(out.taken_away, again[i].taken_away);
		copy_end(&c);
	}
}

/* A membership in a group counts as far down as one in a project. */
static void a_group_that_was_made_again(void **state)
{
	AUTO(txn) struct txn txn = { 0 };
	enum role role;
	struct copy c;

	(void)state;
	copy_begin(&c);
	done(c.f.db, (struct change)MEMBER("bob", "e", ROLE_OWNER));
	done(c.f.db, (struct change)MEMBER("alice", "e", ROLE_OWNER));
	copy_write(&c);
	done(c.f.db, (struct change)REMOVE_SPACE("e"));
	done(c.f.db, (struct change)ADD_GROUP("e"));
	done(c.f.db, (struct change)MEMBER("alice", "e", ROLE_GUEST));
	assert_int_equal(bring_back(&c, c.f.db, 0).taken_away, 2);
	sound(c.f.db);
	txn_read(c.f.db, &txn);
	assert_int_equal(member_get(&txn, 3, 3, &role), E_NOT_FOUND);
	assert_int_equal(member_get(&txn, 3, 1, &role), E_OK);
	assert_int_equal(role, ROLE_GUEST);
	txn_cleanup(&txn);
	copy_end(&c);
}

/*
 * The copy: alice is an owner of the groups a and a/b. All of a is removed at
 * last; her roles in both, as restored.
 */
static const struct {
	const char *what;
	struct change since[6];
	const char *after;
} groups[] = {
	/* clang-format off */
	{ "removed", { REMOVE_SPACE("a") }, "50 50" },
	{ "one more below", { PROJECT("a/b/new"), REMOVE_SPACE("a") },
	  "50 50" },
	{ "made again",
	  { REMOVE_SPACE("a/b"), ADD_GROUP("a/b"), REMOVE_SPACE("a") },
	  "50 0" },
	{ "made again by what is below",
	  { REMOVE_SPACE("a"), PROJECT("a/b/new"), REMOVE_SPACE("a") },
	  "0 0" },
	{ "made again with her, and once more by what is below",
	  { REMOVE_SPACE("a/b"), PROJECT("a/b/x"),
	    MEMBER("alice", "a/b", ROLE_GUEST), REMOVE_SPACE("a"),
	    PROJECT("a/b/y"), REMOVE_SPACE("a") }, "0 0" },
	/* clang-format on */
};

static void groups_that_were_made_again_and_removed(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(groups); i++) {
		AUTO(txn) struct txn txn = { 0 };
		enum role outer = ROLE_NONE, inner = ROLE_NONE;
		struct space a, b;
		char after[16];
		struct copy c;

		print_message("%s\n", groups[i].what);
		copy_begin(&c);
		done(c.f.db, (struct change)ADD_GROUP("a"));
		done(c.f.db, (struct change)ADD_GROUP("a/b"));
		done(c.f.db, (struct change)MEMBER("alice", "a", ROLE_OWNER));
		done(c.f.db, (struct change)MEMBER("alice", "a/b", ROLE_OWNER));
		copy_write(&c);
		for (size_t n = 0;
		     n < COUNT(groups[i].since) && groups[i].since[n].type; n++)
			done(c.f.db, groups[i].since[n]);
		bring_back(&c, c.f.db, 0);
		sound(c.f.db);
		txn_read(c.f.db, &txn);
		assert_int_equal(space_find(&txn, STR("a"), &a), E_OK);
		assert_int_equal(space_find(&txn, STR("a/b"), &b), E_OK);
		(void)!member_get(&txn, a.id, 1, &outer);
		(void)!member_get(&txn, b.id, 1, &inner);
		snprintf(after, sizeof(after), "%d %d", outer, inner);
		assert_string_equal(after, groups[i].after);
		txn_cleanup(&txn);
		copy_end(&c);
	}
}

/* clang-format off */
#define BOT "project_2_bot_0a1b"
#define FLAG(name, is)                                                         \
	{ .type = CHANGE_USER_FLAG, .user = S("root"), .flags = USER_##name,   \
	  .on = is }
#define PERSON "project_4_bot_0a1b" /* (5) as the bot of p would be called */

/* root (2) is an admin with a password, and a maintainer of p (4). */
static const struct {
	const char *what;
	struct change since[5];
	uint64_t id;
	const char *after; /* flags, password, role in p */
} users[] = {
	{ "gone", { GONE("root") }, 2, "5 'old' 40" },
	{ "with less, and gone",
	  { FLAG(ADMIN, 0), FLAG(TWO_FACTOR, 1),
	    { .type = CHANGE_USER_PASSWORD, .user = S("Root"),
	      .value = S("new") }, GONE("root") }, 2, "c 'new' 40" },
	{ "another, and gone",
	  { GONE("root"), MADE("root", .flags = USER_EXTERNAL), GONE("root") },
	  2, "6 '' 0" },
	{ "with less", { GONE("root"), MADE("Root", .value = S("new")) },
	  2, "0 'new' 0" },
	{ "and with more",
	  { GONE("root"), MADE("root", .value = S("new"), .flags = USER_ADMIN |
	    USER_EXTERNAL | USER_BLOCKED | USER_TWO_FACTOR),
	    MEMBER("root", "p", ROLE_OWNER) }, 2, "f 'new' 40" },
	{ "without a password", { GONE("root"), MADE("root") }, 2, "0 '' 0" },
	{ "a person of a bot's name",
	  { REMOVE_SPACE("g/app"), MADE(BOT, .flags = USER_EXTERNAL) },
	  4, "14 '' 0" },
	{ "a bot of a person's name",
	  { GONE(PERSON), SPACE_TOKEN(PAT_PROJECT, "p", D9) }, 5, "4 '' 0" },
};
/* clang-format on */

static void look_at(struct db *db, uint64_t id, char out[32])
{
	AUTO(txn) struct txn txn;
	struct user user;
	enum role role;
	enum err err;

	txn_read(db, &txn);
	assert_int_equal(user_get(&txn, id, &user), E_OK);
	err = member_get(&txn, 4, id, &role);
	assert_true(!err || err == E_NOT_FOUND);
	snprintf(out, 32, "%x '" STR_FMT "' %d", user.flags,
		 STR_ARG(user.password), role);
}

static void a_user_who_was_made_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(users); i++) {
		char after[32];
		struct copy c;

		print_message("%s\n", users[i].what);
		copy_begin(&c);
		done(c.f.db, (struct change) { .type = CHANGE_USER_PASSWORD,
					       .user = STR("root"),
					       .value = STR("old") });
		done(c.f.db,
		     (struct change)MEMBER("root", "p", ROLE_MAINTAINER));
		add_user(c.f.db, PERSON, 0);
		copy_write(&c);
		for (size_t n = 0; users[i].since[n].type; n++)
			done(c.f.db, users[i].since[n]);
		bring_back(&c, c.f.db, 0);
		sound(c.f.db);
		look_at(c.f.db, users[i].id, after);
		assert_string_equal(after, users[i].after);
		copy_end(&c);
	}
}

enum { TUESDAYS = 77 };

/* clang-format off */
#define PASSWORD(who, is)                                                      \
	{ .type = CHANGE_USER_PASSWORD, .user = S(who), .value = S(is) }

/*
 * Root has another password on Tuesday, zoe is new, bob is new in p. After
 * both: root's flags, password, role in p; g/app; zoe's flags, bob's role in p.
 */
static const struct change monday[] = {
	PASSWORD("root", "mon"), MEMBER("root", "p", ROLE_MAINTAINER),
	SET("g/app", VISIBLE(PUBLIC)),
}, tuesday[] = {
	MADE("zoe"), PASSWORD("root", "tue"),
	MEMBER("zoe", "p", ROLE_DEVELOPER), MEMBER("bob", "p", ROLE_DEVELOPER),
	{ .type = CHANGE_REFRESH_ADD, .id = 1, .text = S("reg"),
	  .digest = { { TUESDAYS } } },
	/* More than a restore adds: the logs' numbers say nothing. */
	ADD_GROUP("t1"), ADD_GROUP("t2"), ADD_GROUP("t3"), ADD_GROUP("t4"),
	ADD_GROUP("t5"), ADD_GROUP("t6"), ADD_GROUP("t7"), ADD_GROUP("t8"),
	ADD_GROUP("t9"), ADD_GROUP("t10"), ADD_GROUP("t11"), ADD_GROUP("t12"),
};
static const struct {
	const char *what;
	struct change since;
	const char *after;
} wrong_first[] = {
	{ "nothing", { .type = CHANGE_GROUP_ADD, .path = S("new") },
	  "1 'tue' 40, 2 0 0 30, 0 30" },
	{ "blocked", FLAG(BLOCKED, 1), "5 'tue' 40, 2 0 0 30, 0 30" },
	{ "no administrator", FLAG(ADMIN, 0), "0 'tue' 40, 2 0 0 30, 0 30" },
	{ "another password", PASSWORD("root", "new"),
	  "1 'new' 40, 2 0 0 30, 0 30" },
	{ "no member", OUT("root", "p"), "1 'tue' 0, 2 0 0 30, 0 30" },
	{ "a lesser one", MEMBER("root", "p", ROLE_GUEST),
	  "1 'tue' 10, 2 0 0 30, 0 30" },
	{ "gone", GONE("root"), "5 'tue' 40, 2 0 0 30, 0 30" },
	{ "closed", SET("g/app", VISIBLE(PRIVATE)),
	  "1 'tue' 40, 0 0 0 30, 0 30" },
	{ "removed", REMOVE_SPACE("g/app"), "1 'tue' 40, 2 0 0 30, 0 30" },
};
/* clang-format on */

static bool known(struct db *db, unsigned char first)
{
	const struct digest digest = { { first } };
	AUTO(txn) struct txn txn;
	struct refresh refresh;
	enum err err;

	txn_read(db, &txn);
	err = refresh_find(&txn, &digest, &refresh);
	assert_true(!err || err == E_NOT_FOUND);
	return !err;
}

static void all_done(struct db *db, const struct change *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		done(db, list[i]);
}

static void look_at_all(struct db *db, char out[128])
{
	char root[32], app[32], others[32];
	AUTO(txn) struct txn txn;
	enum role role = ROLE_NONE;
	struct user zoe;

	look_at(db, 2, root);
	look(db, app);
	txn_read(db, &txn);
	assert_int_equal(user_find(&txn, STR("zoe"), &zoe), E_OK);
	(void)!member_get(&txn, 4, 3, &role);
	snprintf(others, sizeof(others), "%x %d", zoe.flags, role);
	snprintf(out, 128, "%s, %s, %s", root, app, others);
}

/* Monday's is the wrong one; it is there before `since`, or thereafter. */
static void come_by_monday(size_t i, bool first)
{
	struct copy before, c;
	struct fixture fresh;
	struct db *db;
	char after[128];

	copy_make(&c);
	assert_int_equal(unlink(c.path), 0);
	all_done(c.f.db, monday, COUNT(monday));
	copy_write(&c);
	before = c;
	snprintf(before.path, sizeof(before.path), "%.80s.monday", c.path);
	assert_int_equal(rename(c.path, before.path), 0);
	all_done(c.f.db, tuesday, COUNT(tuesday));
	copy_write(&c);
	fixture_open(&fresh);
	db = first ? fresh.db : c.f.db;
	if (first)
		bring_back(&before, db, 0);
	done(db, wrong_first[i].since);
	if (!first)
		bring_back(&before, db, 0);
	assert_int_equal(bring_back(&c, db, 0).kin, KIN_PARTED);
	sound(db);
	look_at_all(db, after);
	assert_string_equal(after, wrong_first[i].after);
	/* Tuesday's has not given way: it may not have been there yet. */
	assert_true(known(db, TUESDAYS));
	assert_int_equal(unlink(before.path), 0);
	fixture_close(&fresh);
	copy_end(&c);
}

static void the_wrong_copy_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wrong_first); i++) {
		print_message("%s\n", wrong_first[i].what);
		come_by_monday(i, false);
		come_by_monday(i, true);
	}
}

/* What both have is no news, however little of it the log still has. */
static void the_wrong_copy_first_and_its_log_pruned(void **state)
{
	struct copy before, c;
	struct change prune = { .type = CHANGE_AUDIT_PRUNE,
				.id = COUNT(setup) };
	AUTO(txn) struct txn txn = { 0 };
	struct fixture fresh;
	char after[32];

	(void)state;
	copy_begin(&c);
	done(c.f.db, (struct change)PASSWORD("root", "mon"));
	copy_write(&c);
	before = c;
	snprintf(before.path, sizeof(before.path), "%.80s.monday", c.path);
	assert_int_equal(rename(c.path, before.path), 0);
	done(c.f.db, (struct change)PASSWORD("root", "tue"));
	copy_write(&c);
	fixture_open(&fresh);
	bring_back(&before, fresh.db, 0);
	txn_read(fresh.db, &txn);
	{
		const struct key8 key = key_u64(COUNT(setup) + 1);
		AUTO(cursor) struct cursor cursor;
		struct log_entry entry;

		cursor_open(&txn, TABLE_LOG, STR_OF(key.at), &cursor);
		assert_true(cursor_next(&cursor));
		assert_int_equal(changelog_unpack(&cursor, &entry), E_OK);
		prune.digest = entry.before;
	}
	txn_cleanup(&txn);
	txn = (struct txn) { 0 };
	done(fresh.db, prune);
	assert_int_equal(bring_back(&c, fresh.db, 0).kin, KIN_PARTED);
	look_at(fresh.db, 2, after);
	assert_string_equal(after, "1 'tue' 0");
	assert_int_equal(unlink(before.path), 0);
	fixture_close(&fresh);
	copy_end(&c);
}

/* What was opened after it is not closed for it. */
static void an_earlier_state_says_nothing(void **state)
{
	const struct change closed[] = { FLAG(BLOCKED, 1),
					 SET("g/app", REGISTRY(DISABLED)) };
	const struct change opened[] = { FLAG(BLOCKED, 0),
					 SET("g/app", REGISTRY(ENABLED)) };
	struct fixture earlier;
	struct restored out;
	struct copy c;

	(void)state;
	copy_make(&c);
	assert_int_equal(unlink(c.path), 0);
	fixture_open(&earlier);
	set_up(earlier.db);
	all_done(earlier.db, closed, COUNT(closed));
	all_done(c.f.db, closed, COUNT(closed));
	all_done(c.f.db, opened, COUNT(opened));
	copy_write(&c);
	out = bring_back(&c, earlier.db, 0);
	assert_int_equal(out.kin, KIN_EARLIER);
	assert_int_equal(out.taken_away, 0);
	/* The other way round it is a later one. */
	assert_int_equal(bring_back(&c, c.f.db, 0).kin, KIN_LATER);
	fixture_close(&earlier);
	copy_end(&c);
}

/* Token 1 has one, 11, in the copy; it got so many more since. */
static const struct {
	const char *what;
	unsigned char more;
	bool revoked, stays;
	uint64_t taken_away;
} refreshes[] = {
	{ "none gave way", REFRESH_PER_PAT - 1, false, true, 0 },
	{ "one gave way", REFRESH_PER_PAT, false, false, 1 },
	{ "its token is revoked", REFRESH_PER_PAT, true, false, 1 },
};

static void refresh_tokens_that_gave_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refreshes); i++) {
		struct restored out;
		struct copy c;

		print_message("%s\n", refreshes[i].what);
		copy_make(&c);
		for (unsigned char n = 0; n < refreshes[i].more; n++)
			done(c.f.db,
			     (struct change) {
				     .type = CHANGE_REFRESH_ADD,
				     .id = 1,
				     .text = STR("reg"),
				     .digest = { { (uint8_t)(12 + n) } } });
		if (refreshes[i].revoked)
			done(c.f.db,
			     (struct change) { .type = CHANGE_TOKEN_REVOKE,
					       .id = 1 });
		/* However often: they are no more in what is there then. */
		for (int twice = 0; twice < 2; twice++) {
			out = bring_back(&c, c.f.db, 0);
			sound(c.f.db);
			assert_int_equal(out.taken_away,
					 refreshes[i].taken_away);
			assert_int_equal(known(c.f.db, 11), refreshes[i].stays);
			assert_false(known(c.f.db, 12));
		}
		/* What takes away all tokens takes theirs: nothing is left. */
		bring_back(&c, c.f.db, NOW);
		sound(c.f.db);
		copy_end(&c);
	}
}

/* Nobody knows then how open it was. */
static void what_the_log_does_not_tell_stays_closed(void **state)
{
	char after[32];
	struct copy c;

	(void)state;
	fixture_open(&c.f);
	set_up(c.f.db);
	copy_write(&c);
	done(c.f.db, (struct change)SET("g/app", VISIBLE(PUBLIC)));
	done(c.f.db, (struct change)REMOVE_SPACE("g/app"));
	{
		const struct key8 key = key_u64(COUNT(setup) + 1);
		AUTO(txn) struct txn txn;

		txn_write(c.f.db, &txn);
		txn_put(&txn, TABLE_LOG, STR_OF(key.at), STR("torn"));
		assert_int_equal(txn_commit(&txn), E_OK);
	}
	bring_back(&c, c.f.db, 0);
	sound(c.f.db);
	look(c.f.db, after);
	assert_string_equal(after, "0 2 0 30");
	copy_end(&c);
}

static void why_nothing_is_restored_is_said(void **state)
{
	const struct restore how = { .now = NOW + 1, .actor = STR("a\nb") };
	AUTO(db) struct db *copy = NULL;
	struct store_facts facts;
	struct restored out;
	struct cause cause;
	struct copy c;

	(void)state;
	copy_make(&c);
	assert_int_equal(backup_open(c.path, &copy, &facts, &cause), E_OK);
	assert_int_equal(backup_restore(c.f.db, copy, &how, &out, &cause),
			 E_SYNTAX);
	assert_non_null(strstr(cause.text, "the actor's name holds a "));
	assert_int_equal(sound(c.f.db).changes, COUNT(setup));
	copy_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_setting_that_was_tightened_stays_so),
		cmocka_unit_test(nor_is_what_a_new_store_has_by_default),
		cmocka_unit_test(a_project_that_was_made_again),
		cmocka_unit_test(a_group_that_was_made_again),
		cmocka_unit_test(groups_that_were_made_again_and_removed),
		cmocka_unit_test(a_user_who_was_made_again),
		cmocka_unit_test(the_wrong_copy_first),
		cmocka_unit_test(the_wrong_copy_first_and_its_log_pruned),
		cmocka_unit_test(an_earlier_state_says_nothing),
		cmocka_unit_test(refresh_tokens_that_gave_way),
		cmocka_unit_test(what_the_log_does_not_tell_stays_closed),
		cmocka_unit_test(why_nothing_is_restored_is_said),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
