/*
 * test/unit/store/test_backup.c - a copy and the way back; what of a damaged
 * copy or store is found.
 */
#include "test/unit/store/copy.h"

#include "store/changelog.h"
#include "store/job.h"
#include "store/mailbox.h"
#include "store/member.h"
#include "store/pat.h"
#include "store/space.h"
#include "store/told.h"
#include "store/used.h"
#include "store/user.h"

static void all_rows_come_back(void **state)
{
	struct fixture fresh;
	struct store_facts facts;
	struct restored out;
	struct copy c;

	(void)state;
	copy_make(&c);
	fixture_open(&fresh);
	out = bring_back(&c, fresh.db, 0);
	assert_int_equal(out.kin, KIN_NEW);
	assert_int_equal(out.taken_away, 0);
	facts = sound(fresh.db);
	assert_int_equal(facts.users, 4);
	assert_int_equal(facts.spaces, 4);
	assert_int_equal(facts.tokens, 4);
	assert_int_equal(facts.changes, COUNT(setup) + 1 + COUNTER_COUNT);
	assert_int_equal(facts.changed_at, NOW + 1);
	fixture_close(&fresh);
	copy_end(&c);
}

static enum role role_of(struct db *db, uint64_t space, uint64_t user)
{
	AUTO(txn) struct txn txn;
	enum role role = ROLE_NONE;
	enum err err;

	txn_read(db, &txn);
	err = member_get(&txn, space, user, &role);
	assert_true(!err || err == E_NOT_FOUND);
	return role;
}

static bool blocked(struct db *db, uint64_t id)
{
	AUTO(txn) struct txn txn;
	struct user user;

	txn_read(db, &txn);
	assert_int_equal(user_get(&txn, id, &user), E_OK);
	return user.flags & USER_BLOCKED;
}

/* What happens after the copy was made, and what must be true once it is back:
 * token 1 revoked, alice (1) and bob (3) blocked, alice's role in g/app (2). */
static const struct {
	const char *what;
	struct change change;
	bool token, alice, bob;
	enum role role;
	uint64_t taken_away;
} since[] = {
	{ "nothing", { 0 }, false, false, false, ROLE_DEVELOPER, 0 },
	{ "a revocation",
	  { .type = CHANGE_TOKEN_REVOKE, .id = 1 },
	  true,
	  false,
	  false,
	  ROLE_DEVELOPER,
	  1 },
	{ "a user blocked",
	  { .type = CHANGE_USER_FLAG,
	    .user = S("alice"),
	    .flags = USER_BLOCKED,
	    .on = 1 },
	  false,
	  true,
	  false,
	  ROLE_DEVELOPER,
	  1 },
	{ "a user removed",
	  { .type = CHANGE_USER_REMOVE, .user = S("bob"), .yes = 1 },
	  false,
	  false,
	  true,
	  ROLE_DEVELOPER,
	  2 }, /* his token 2, and he */
	{ "a member removed: he is blocked, and stays one",
	  { .type = CHANGE_USER_REMOVE, .user = S("alice"), .yes = 1 },
	  true,
	  true,
	  false,
	  ROLE_DEVELOPER,
	  2 }, /* her token 1, and she */
	{ "a role lowered",
	  { .type = CHANGE_MEMBER_PUT,
	    .user = S("alice"),
	    .path = S("g/app"),
	    .role = ROLE_REPORTER },
	  false,
	  false,
	  false,
	  ROLE_REPORTER,
	  1 },
	{ "a role raised",
	  { .type = CHANGE_MEMBER_PUT,
	    .user = S("alice"),
	    .path = S("g/app"),
	    .role = ROLE_OWNER },
	  false,
	  false,
	  false,
	  ROLE_DEVELOPER,
	  0 },
	{ "a membership ended",
	  { .type = CHANGE_MEMBER_REMOVE,
	    .user = S("alice"),
	    .path = S("g/app") },
	  false,
	  false,
	  false,
	  ROLE_NONE,
	  1 },
	{ "a project removed by mistake",
	  { .type = CHANGE_SPACE_REMOVE,
	    .path = S("g/app"),
	    .kind = SPACE_PROJECT,
	    .yes = 1 },
	  false,
	  false,
	  false,
	  ROLE_DEVELOPER,
	  2 }, /* the project's token 4, and its bot */
};

static void what_was_taken_away_stays_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(since); i++) {
		struct restored out;
		struct copy c;
		struct db *db;

		copy_make(&c);
		db = c.f.db;
		if (since[i].change.type)
			done(db, since[i].change);
		out = bring_back(&c, db, 0);
		sound(db);
		if (out.kin != KIN_LATER ||
		    out.lost != (since[i].change.type != 0) ||
		    out.taken_away != since[i].taken_away ||
		    is_revoked(db, 1) != since[i].token ||
		    blocked(db, 1) != since[i].alice ||
		    blocked(db, 3) != since[i].bob ||
		    role_of(db, 2, 1) != since[i].role)
			fail_msg("%s: %llu taken away", since[i].what,
				 (unsigned long long)out.taken_away);
		copy_end(&c);
	}
}

/* clang-format off */
#define FLAG(name, is)                                                         \
	{ .type = CHANGE_USER_FLAG, .user = S("root"), .flags = USER_##name,   \
	  .on = is }
#define PASSWORD(text)                                                         \
	{ .type = CHANGE_USER_PASSWORD, .user = S("root"), .value = S(text) }
#define APP(rule, to)                                                          \
	{ .type = CHANGE_PROJECT_SET, .path = S("g/app"), .rule = to }
#define SEEN(who)      APP(visibility, 1 + VISIBILITY_##who)
#define REGISTRY(how)  APP(registry, 1 + REGISTRY_##how)

/* What root or g/app (2, 2) was in the copy, became since; does it stay? */
static const struct {
	const char *what;
	struct change before, since;
	bool stays;
} narrowed[] = {
	{ "no longer an admin", { 0 }, FLAG(ADMIN, 0), true },
	{ "external", { 0 }, FLAG(EXTERNAL, 1), true },
	{ "with two-factor", { 0 }, FLAG(TWO_FACTOR, 1), true },
	{ "without", FLAG(TWO_FACTOR, 1), FLAG(TWO_FACTOR, 0), false },
	{ "with a password", { 0 }, PASSWORD("new"), false },
	{ "with another one", PASSWORD("old"), PASSWORD("new"), true },
	{ "private", SEEN(PUBLIC), SEEN(PRIVATE), true },
	{ "public", { 0 }, SEEN(PUBLIC), false },
	{ "disabled", { 0 }, REGISTRY(DISABLED), true },
	{ "enabled", REGISTRY(PRIVATE), REGISTRY(ENABLED), false },
	{ "archived", { 0 }, APP(archived, 2), true },
	{ "public, still archived", APP(archived, 2), SEEN(PUBLIC), false },
	{ "no longer archived", APP(archived, 2), APP(archived, 1), false },
};
/* clang-format on */

/* All of them that may change, as text. */
static void look(struct db *db, char out[64])
{
	AUTO(txn) struct txn txn;
	struct space app;
	struct user root;

	txn_read(db, &txn);
	assert_int_equal(user_get(&txn, 2, &root), E_OK);
	assert_int_equal(space_get(&txn, 2, &app), E_OK);
	snprintf(out, 64, "%x '" STR_FMT "' %d %d %d", root.flags,
		 STR_ARG(root.password), app.rules.visibility,
		 app.rules.registry, app.rules.archived);
}

static void what_was_narrowed_stays_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(narrowed); i++) {
		char before[64], since_then[64], after[64];
		struct restored out;
		struct copy c;

		print_message("%s\n", narrowed[i].what);
		copy_begin(&c);
		if (narrowed[i].before.type)
			done(c.f.db, narrowed[i].before);
		copy_write(&c);
		look(c.f.db, before);
		done(c.f.db, narrowed[i].since);
		look(c.f.db, since_then);
		assert_string_not_equal(before, since_then);
		out = bring_back(&c, c.f.db, 0);
		sound(c.f.db);
		look(c.f.db, after);
		assert_string_equal(after,
				    narrowed[i].stays ? since_then : before);
		assert_int_equal(out.taken_away, narrowed[i].stays);
		copy_end(&c);
	}
}

/* Seconds; the copy comes back one second after. */
static const struct {
	const char *rule;
	uint64_t grace;
	bool revoked;
	int64_t ends;
} graces[] = {
	{ "over: it comes back revoked", 1, true, 0 },
	{ "it runs: it ends when it was to", 60, false, NOW + 60 },
};

static void a_grace_ends_when_it_was_to(void **state)
{
	const struct change rotate = { .type = CHANGE_TOKEN_ROTATE,
				       .id = 1,
				       .digest = { { 7 } } };

	(void)state;
	for (size_t i = 0; i < COUNT(graces); i++) {
		struct change change = rotate;
		struct pat pat;
		struct copy c;

		print_message("%s\n", graces[i].rule);
		copy_make(&c);
		change.grace = graces[i].grace;
		done(c.f.db, change);
		for (int twice = 0; twice < 2; twice++) {
			assert_int_equal(bring_back(&c, c.f.db, 0).taken_away,
					 1);
			sound(c.f.db);
			pat = token(c.f.db, 1);
			assert_int_equal(pat.revoked_at != 0,
					 graces[i].revoked);
			assert_int_equal(pat.grace_ends, graces[i].ends);
		}
		copy_end(&c);
	}
}

/* The copy was made in it; it was shortened since. */
static void a_grace_that_was_shortened(void **state)
{
	struct change end = { .type = CHANGE_TOKEN_END,
			      .id = 1,
			      .expires_at = NOW + 60 };
	struct copy c;

	(void)state;
	copy_begin(&c);
	done(c.f.db, end);
	copy_write(&c);
	end.expires_at = NOW + 30;
	done(c.f.db, end);
	assert_int_equal(bring_back(&c, c.f.db, 0).taken_away, 1);
	assert_int_equal(token(c.f.db, 1).grace_ends, NOW + 30);
	copy_end(&c);
}

/* What the copy knows of is nothing that was taken away since. */
static void a_grace_that_both_have(void **state)
{
	struct copy c;

	(void)state;
	copy_begin(&c);
	done(c.f.db, (struct change) { .type = CHANGE_TOKEN_END,
				       .id = 1,
				       .expires_at = NOW + 60 });
	copy_write(&c);
	assert_int_equal(bring_back(&c, c.f.db, 0).taken_away, 0);
	assert_int_equal(token(c.f.db, 1).grace_ends, NOW + 60);
	copy_end(&c);
}

/* A limit that nobody has seen coming counts from the restore on. */
static void a_limit_is_set_anew(void **state)
{
	const struct change limit = { .type = CHANGE_SETTING_PUT,
				      .text = STR("max_token_lifetime"),
				      .value = STR("7") };
	struct settings settings;
	struct copy c;

	(void)state;
	copy_begin(&c);
	done(c.f.db, limit);
	copy_write(&c);
	assert_int_equal(bring_back(&c, c.f.db, 0).taken_away, 0);
	{
		AUTO(txn) struct txn txn;

		txn_read(c.f.db, &txn);
		assert_int_equal(settings_read(&txn, &settings), E_OK);
	}
	assert_int_equal(settings.max_token_lifetime, 7);
	assert_int_equal(settings.set_at[SETTING_max_token_lifetime], NOW + 1);
	copy_end(&c);
}

/* Whoever may not take away what must be taken away may not restore. */
static void what_cannot_be_done_again_undoes_all(void **state)
{
	const struct restore how = { .now = NOW + 1, .actor = STR("bob") };
	AUTO(db) struct db *copy = NULL;
	struct store_facts facts;
	struct restored out;
	struct cause cause;
	struct copy c;

	(void)state;
	copy_make(&c);
	done(c.f.db, (struct change) { .type = CHANGE_TOKEN_REVOKE, .id = 1 });
	add_user(c.f.db, "zoe", 0);
	assert_int_equal(backup_open(c.path, &copy, &facts, &cause), E_OK);
	assert_int_not_equal(backup_restore(c.f.db, copy, &how, &out, &cause),
			     E_OK);
	assert_string_not_equal(cause.text, "");
	assert_false(out.kin || out.lost || out.taken_away);
	assert_int_equal(sound(c.f.db).users, 5);
	copy_end(&c);
}

/* A copy of before all: the log is what came. */
static void a_copy_of_nothing(void **state)
{
	const struct restore how = { .now = NOW, .actor = STR("cli:root") };
	struct store_facts facts;
	struct restored out;
	struct cause cause;
	struct db *copy;
	struct copy c;
	uint64_t came;

	(void)state;
	fixture_open(&c.f);
	copy_write(&c);
	set_up(c.f.db);
	came = sound(c.f.db).changes;
	assert_int_equal(backup_open(c.path, &copy, &facts, &cause), E_OK);
	assert_int_equal(facts.changes, 0);
	assert_int_equal(backup_restore(c.f.db, copy, &how, &out, &cause),
			 E_OK);
	db_close(copy);
	assert_int_equal(out.kin, KIN_LATER);
	assert_int_equal(out.lost, came);
	assert_int_equal(sound(c.f.db).users, 0);
	copy_end(&c);
}

/* A later copy over an earlier one. */
static void an_end_is_not_taken_back(void **state)
{
	struct change end = { .type = CHANGE_TOKEN_END,
			      .id = 1,
			      .expires_at = NOW + 60 };
	struct copy c;

	(void)state;
	copy_make(&c);
	done(c.f.db, end);
	for (int64_t later = 0; later < 2; later++) {
		end.expires_at += later;
		done(c.f.db, end);
		assert_int_equal(token(c.f.db, 1).grace_ends, NOW + 60);
	}
	copy_end(&c);
}

/* Token 1 became 5; what a row then says is not so. */
static const struct {
	const char *rule;
	uint64_t id, family, previous, next;
} links[] = {
	{ "to a token that is not there", 1, 1, 0, 99 },
	{ "to another token", 1, 1, 0, 3 },
	{ "back to itself", 1, 1, 0, 1 },
	{ "from one that does not know of it", 4, 4, 0, 5 },
	{ "none where there is one", 1, 1, 0, 0 },
	{ "the first has another family", 1, 2, 0, 5 },
	{ "the second has", 5, 2, 1, 0 },
	{ "the second has no first", 5, 1, 0, 0 },
	{ "or one that is no such", 5, 1, 3, 0 },
};

static void each_broken_link_of_a_family_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(links); i++) {
		AUTO(txn) struct txn txn = { 0 };
		struct store_facts facts;
		struct cause cause;
		struct fixture f;
		struct pat pat;

		print_message("%s\n", links[i].rule);
		fixture_open(&f);
		set_up(f.db);
		assert_int_equal(
			done(f.db,
			     (struct change) { .type = CHANGE_TOKEN_ROTATE,
					       .id = 1,
					       .digest = { { 7 } } }),
			5);
		sound(f.db);
		txn_write(f.db, &txn);
		assert_int_equal(pat_get(&txn, links[i].id, &pat), E_OK);
		pat.family = links[i].family;
		pat.previous = links[i].previous;
		pat.next = links[i].next;
		pat_put(&txn, &pat);
		assert_int_equal(store_verify(&txn, &facts, &cause), E_CORRUPT);
		txn_cleanup(&txn);
		fixture_close(&f);
	}
}

static void newer_tokens_are_revoked(void **state)
{
	struct fixture fresh;
	struct copy c;

	(void)state;
	copy_make(&c);
	fixture_open(&fresh); /* which knows none of them */
	assert_int_equal(bring_back(&c, fresh.db, NOW).newer, 2);
	assert_true(is_revoked(fresh.db, 1));
	assert_false(is_revoked(fresh.db, 2));
	fixture_close(&fresh);
	bring_back(&c, c.f.db, NOW + 1);
	assert_false(is_revoked(c.f.db, 1));
	bring_back(&c, c.f.db, NOW);
	assert_true(is_revoked(c.f.db, 1));
	assert_false(is_revoked(c.f.db, 2)); /* of the day before */
	copy_end(&c);
}

/* A token that was revoked since and is newer, too, is of the first alone. */
static void each_token_is_counted_once(void **state)
{
	struct restored out;
	struct copy c;

	(void)state;
	copy_make(&c);
	done(c.f.db, (struct change) { .type = CHANGE_TOKEN_REVOKE, .id = 1 });
	out = bring_back(&c, c.f.db, NOW);
	assert_int_equal(out.taken_away, 1);
	assert_int_equal(out.newer, 1); /* token 4 */
	assert_true(is_revoked(c.f.db, 1) && is_revoked(c.f.db, 4));
	copy_end(&c);
}

static void ids_are_never_given_again(void **state)
{
	struct copy c;
	uint64_t token;

	(void)state;
	copy_make(&c);
	token = add_token(c.f.db, "alice", "later", PAT_API, 0);
	bring_back(&c, c.f.db, 0);
	assert_int_equal(add_token(c.f.db, "alice", "again", PAT_API, 0),
			 token + 1);
	copy_end(&c);
}

static struct log_facts chain(struct db *db)
{
	AUTO(txn) struct txn txn;
	struct log_facts facts;
	struct cause cause;

	txn_read(db, &txn);
	if (changelog_verify(&txn, &facts, &cause))
		fail_msg("%s", cause.text);
	return facts;
}

/* A head that was kept before the restore is told by the entry that lost it. */
static void numbers_of_the_log_go_on(void **state)
{
	struct log_end kept;
	struct cause cause;
	struct copy c;

	(void)state;
	copy_make(&c);
	add_user(c.f.db, "zoe", 0);
	add_user(c.f.db, "yan", 0);
	kept = chain(c.f.db).head;
	bring_back(&c, c.f.db, 0);
	assert_int_equal(chain(c.f.db).count, COUNT(setup) + 1 + COUNTER_COUNT);
	assert_int_equal(chain(c.f.db).head.number,
			 kept.number + 1 + COUNTER_COUNT);
	{
		AUTO(txn) struct txn txn;

		txn_read(c.f.db, &txn);
		if (changelog_check_head(&txn, &kept, &cause))
			fail_msg("%s", cause.text);
		/* Of its number, and another: no head that this log lost. */
		kept.digest.at[0] ^= 1;
		assert_int_equal(changelog_check_head(&txn, &kept, &cause),
				 E_CORRUPT);
		assert_non_null(strstr(cause.text, "is another one"));
	}
	bring_back(&c, c.f.db, 0);
	assert_int_equal(chain(c.f.db).head.number,
			 kept.number + 2 * (1 + COUNTER_COUNT));
	copy_end(&c);
}

/* The log of the store went further than that of the copy: nobody can tell. */
static void a_log_pruned_past_the_copy(void **state)
{
	static const bool past[] = { false, true };

	(void)state;
	for (size_t i = 0; i < COUNT(past); i++) {
		struct change prune = { .type = CHANGE_AUDIT_PRUNE };
		struct log_facts log;
		struct restored out;
		struct copy c;

		copy_make(&c);
		if (past[i])
			add_user(c.f.db, "zoe", 0);
		log = chain(c.f.db);
		prune.id = log.head.number;
		prune.digest = log.head.digest;
		done(c.f.db, prune);
		out = bring_back(&c, c.f.db, 0);
		assert_int_equal(out.kin, past[i] ? KIN_UNTOLD : KIN_LATER);
		if (!past[i])
			assert_int_equal(out.lost, 1);
		chain(c.f.db);
		copy_end(&c);
	}
}

/* It was pruned of all that an older copy, which is there now, has. */
static void a_copy_whose_log_was_pruned(void **state)
{
	struct change prune = { .type = CHANGE_AUDIT_PRUNE };
	struct fixture fresh;
	struct log_facts log;
	struct copy older, c;

	(void)state;
	copy_make(&c);
	older = c;
	snprintf(older.path, sizeof(older.path), "%.80s.older", c.path);
	assert_int_equal(rename(c.path, older.path), 0);
	add_user(c.f.db, "zoe", 0);
	log = chain(c.f.db);
	prune.id = log.head.number;
	prune.digest = log.head.digest;
	done(c.f.db, prune);
	for (size_t i = COUNT(setup); i; i--)
		done(c.f.db,
		     (struct change) { .type = CHANGE_MEMBER_PUT,
				       .user = STR("zoe"),
				       .path = STR("p"),
				       .role = ROLE_GUEST + 5 * (i % 2) });
	copy_write(&c);
	fixture_open(&fresh);
	bring_back(&older, fresh.db, 0);
	assert_int_equal(bring_back(&c, fresh.db, 0).kin, KIN_UNTOLD);
	unlink(older.path);
	fixture_close(&fresh);
	copy_end(&c);
}

/*
 * What a store has not, whose log does not tell, may not have been yet: another
 * restore of an older copy was before it.
 */
static void a_member_of_whom_no_log_tells(void **state)
{
	struct change prune = { .type = CHANGE_AUDIT_PRUNE };
	AUTO(txn) struct txn txn = { 0 };
	struct log_facts log;
	enum role role;
	struct copy c;

	(void)state;
	copy_make(&c);
	done(c.f.db, (struct change) { .type = CHANGE_MEMBER_REMOVE,
				       .user = STR("alice"),
				       .path = STR("g/app") });
	log = chain(c.f.db);
	prune.id = log.head.number;
	prune.digest = log.head.digest;
	done(c.f.db, prune);
	assert_int_equal(bring_back(&c, c.f.db, 0).kin, KIN_UNTOLD);
	txn_read(c.f.db, &txn);
	assert_int_equal(member_get(&txn, 2, 1, &role), E_OK);
	assert_int_equal(role, ROLE_DEVELOPER);
	txn_cleanup(&txn);
	copy_end(&c);
}

/*
 * Whose alice is another's: nothing of it is put together with what it is not,
 * and nothing of it is lost. As little if both were made in one second.
 */
static void of_another_life(int64_t made, bool pruned)
{
	struct change prune = { .type = CHANGE_AUDIT_PRUNE,
				.id = COUNT(setup) + 1 };
	const struct restore how = { .now = NOW + 1, .actor = STR("cli:root") };
	struct fixture other;
	struct store_facts facts;
	struct restored out;
	struct cause cause;
	struct db *copy;
	struct copy c;

	copy_make(&c);
	folder_make(&other);
	assert_int_equal(
		db_open(other.folder, DB_CREATE, made, &other.db, &cause),
		E_OK);
	add_user(other.db, "zoe", 0);
	set_up(other.db);
	prune.digest = chain(other.db).head.digest;
	if (pruned)
		done(other.db, prune);
	assert_int_equal(backup_open(c.path, &copy, &facts, &cause), E_OK);
	assert_int_equal(backup_restore(other.db, copy, &how, &out, &cause),
			 E_REFUSED);
	db_close(copy);
	assert_non_null(strstr(cause.text, "data.mdb away"));
	assert_false(out.kin || out.lost || out.taken_away);
	assert_int_equal(chain(other.db).count, pruned ? 1 : COUNT(setup) + 1);
	fixture_close(&other);
	copy_end(&c);
}

static void a_store_of_another_life(void **state)
{
	(void)state;
	of_another_life(NOW, false);
	of_another_life(NOW + 1, false);
	of_another_life(NOW + 1, true);
}

static void whatever_has_changed_is_no_backup(void **state)
{
	static char bytes[1 << 20];
	struct store_facts facts;
	struct cause cause;
	struct db *copy;
	struct copy c;
	ssize_t len;
	int fd;

	(void)state;
	copy_make(&c);
	fd = open(c.path, O_RDWR);
	len = read(fd, bytes, sizeof(bytes));
	assert_true(len > 4096 && len < (ssize_t)sizeof(bytes));
	for (ssize_t at = 0; at < len; at += 97) {
		char other = (char)(bytes[at] ^ 1);

		assert_int_equal(pwrite(fd, &other, 1, at), 1);
		assert_true(backup_open(c.path, &copy, &facts, &cause));
		assert_null(copy);
		assert_int_equal(pwrite(fd, &bytes[at], 1, at), 1);
	}
	for (ssize_t left = len - 1; left >= 0; left -= 4099) {
		assert_int_equal(ftruncate(fd, left), 0);
		assert_true(backup_open(c.path, &copy, &facts, &cause));
	}
	close(fd);
	copy_end(&c);
}

/* Of the seal as well, which its own hash does not have. */
static void each_byte_of_the_seal_counts(void **state)
{
	enum { SEAL = 24 + DIGEST_LEN };
	struct store_facts facts;
	struct cause cause;
	struct db *copy;
	struct copy c;
	off_t len;
	int fd;

	(void)state;
	copy_make(&c);
	fd = open(c.path, O_RDWR);
	len = lseek(fd, 0, SEEK_END);
	for (off_t at = len - SEAL; at < len; at++) {
		char byte;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		assert_true(backup_open(c.path, &copy, &facts, &cause));
		assert_null(copy);
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	assert_int_equal(backup_open(c.path, &copy, &facts, &cause), E_OK);
	db_close(copy);
	close(fd);
	copy_end(&c);
}

/* Nobody waits for what is behind a FIFO. */
static void what_is_no_file_is_no_backup(void **state)
{
	struct store_facts facts;
	struct cause cause;
	struct db *copy;
	struct copy c;

	(void)state;
	copy_make(&c);
	assert_int_equal(unlink(c.path), 0);
	assert_int_equal(mkfifo(c.path, 0600), 0);
	alarm(20);
	assert_int_equal(backup_open(c.path, &copy, &facts, &cause), E_SYNTAX);
	alarm(0);
	assert_non_null(strstr(cause.text, "is no backup of dockpass"));
	copy_end(&c);
}

/* Who writes it chooses what is in it. */
static const struct {
	mode_t mode;
	uid_t owner; /* as root alone; 0: as it is */
	enum err err;
	const char *said;
} writers[] = {
	{ 0600, 0, E_OK, "" },
	{ 0644, 0, E_OK, "" },
	{ 0620, 0, E_MODE, "install -o" },
	{ 0602, 0, E_MODE, "group or others can write it, and may" },
	{ 0600, 54321, E_MODE, "install -o" },
	{ 0444, 54321, E_MODE, "belongs to user 54321, who may" },
};

static void what_others_write_is_no_backup(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(writers); i++) {
		struct cause cause = { "" };
		struct store_facts facts;
		struct db *copy;
		struct copy c;

		if (writers[i].owner && geteuid()) {
			print_message("only root can give files away\n");
			continue;
		}
		copy_make(&c);
		assert_int_equal(chmod(c.path, writers[i].mode), 0);
		if (writers[i].owner)
			assert_int_equal(
				chown(c.path, writers[i].owner, (gid_t)-1), 0);
		assert_int_equal(backup_open(c.path, &copy, &facts, &cause),
				 writers[i].err);
		assert_non_null(strstr(cause.text, writers[i].said));
		assert_true(!copy == !!writers[i].err);
		db_close(copy);
		copy_end(&c);
	}
}

/* It is sound; who reads it is told what does. */
static void a_copy_of_another_format(void **state)
{
	struct key8 format = key_u64(99);
	struct store_facts facts;
	struct cause cause;
	struct db *copy;
	struct copy c;

	(void)state;
	copy_begin(&c);
	{
		AUTO(txn) struct txn txn;

		txn_write(c.f.db, &txn);
		txn_put(&txn, TABLE_META, STR("format"), STR_OF(format.at));
		assert_int_equal(txn_commit(&txn), E_OK);
	}
	copy_write(&c);
	assert_int_equal(backup_open(c.path, &copy, &facts, &cause), E_VERSION);
	assert_null(copy);
	assert_int_equal(facts.users, 0);
	assert_non_null(strstr(cause.text, "format 99"));
	copy_end(&c);
}

/* Whatever gets its name between two looks is not looked at. */
static void another_file_of_its_name_is_not_it(void **state)
{
	AUTO(db) struct db *copy = NULL;
	AUTO(txn) struct txn txn = { 0 };
	struct cause cause;
	struct copy c;
	int fd, other;

	(void)state;
	copy_make(&c);
	fd = open(c.path, O_RDONLY);
	assert_int_equal(unlink(c.path), 0);
	other = open(c.path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(other, "another", 7), 7);
	close(other);
	assert_int_equal(db_open_copy(fd, c.path, &copy, &cause), E_OK);
	close(fd);
	txn_read(copy, &txn);
	assert_int_equal(txn_count(&txn, TABLE_USER), 4);
	copy_end(&c);
}

/* Takes a row out of a table, or puts another value there. */
static void harm(struct db *db, enum table table, size_t at, bool remove)
{
	AUTO(txn) struct txn txn;
	AUTO(cursor) struct cursor c = { 0 };
	char key[512], value[2048];
	struct str k, v;

	txn_write(db, &txn);
	cursor_open(&txn, table, STR(""), &c);
	for (size_t i = 0; i <= at; i++)
		assert_true(cursor_next(&c));
	assert_true(c.key.len < sizeof(key) && c.value.len < sizeof(value));
	memcpy(key, c.key.at, c.key.len);
	memcpy(value, c.value.at, c.value.len);
	k = (struct str) { key, c.key.len };
	v = (struct str) { value, c.value.len + 1 };
	value[c.value.len] = 1;
	cursor_cleanup(&c);
	if (remove)
		txn_remove(&txn, table, k);
	else
		txn_put(&txn, table, k, v);
	assert_int_equal(txn_commit(&txn), E_OK);
}

static void each_damaged_row_is_found(void **state)
{
	(void)state;
	for (enum table table = 0; table < TABLE_COUNT; table++) {
		struct fixture f;
		uint64_t rows;

		if (table == TABLE_META || table == TABLE_SETTING ||
		    table > TABLE_LOG) /* see below */
			continue;
		fixture_open(&f);
		set_up(f.db);
		{
			AUTO(txn) struct txn txn;

			txn_read(f.db, &txn);
			rows = txn_count(&txn, table);
			assert_true(rows > 0);
		}
		fixture_close(&f);
		for (size_t i = 0; i < 2 * rows; i++) {
			AUTO(txn) struct txn txn = { 0 };
			struct store_facts facts;
			struct cause cause;

			fixture_open(&f);
			set_up(f.db);
			sound(f.db);
			harm(f.db, table, i / 2, i % 2);
			txn_read(f.db, &txn);
			if (!store_verify(&txn, &facts, &cause))
				fail_msg("table %d, row %zu", (int)table,
					 i / 2);
			assert_non_null(strstr(cause.text, "restore a backup"));
			assert_int_equal(facts.tokens, 0);
			txn_cleanup(&txn);
			fixture_close(&f);
		}
	}
}

/* Of token 1: what was seen and told of it at `when`. */
static void observe(struct db *db, int64_t when)
{
	const struct used used = { when, STR("::1"), STR("docker") };
	const struct job_state job = { .marker = when, .ran_at = when };
	struct notice notice = { .next_at = when,
				 .queued_at = when,
				 .job = JOB_EXPIRING,
				 .way = WAY_MAIL,
				 .user = 1,
				 .total = 1,
				 .len = 1,
				 .tokens = { 1 } };
	AUTO(txn) struct txn txn;

	txn_write(db, &txn);
	txn_clear(&txn, TABLE_MAILBOX);
	assert_int_equal(used_note(&txn, 1, &used), when);
	told_put(&txn, 1, (unsigned)(when - NOW), NOW / DAY * DAY);
	job_put(&txn, JOB_EXPIRING, &job);
	mailbox_add(&txn, &notice);
	assert_int_equal(txn_commit(&txn), E_OK);
}

static void observed_at(struct db *db, int64_t when)
{
	AUTO(txn) struct txn txn;
	struct job_state job;
	struct notice notice;
	struct used used;

	txn_read(db, &txn);
	assert_int_equal(used_get(&txn, 1, &used), E_OK);
	assert_int_equal(used.at, when);
	assert_int_equal(told_get(&txn, 1, NOW / DAY * DAY), when - NOW);
	assert_int_equal(job_get(&txn, JOB_EXPIRING, &job), E_OK);
	assert_int_equal(job.ran_at, when);
	assert_int_equal(txn_count(&txn, TABLE_MAILBOX), 1);
	assert_int_equal(mailbox_due(&txn, when, WAY_MAIL, &notice), E_OK);
	assert_int_equal(notice.queued_at, when);
}

/* No mail goes twice; a store that knows nothing believes the copy. */
static void what_was_observed_stays(void **state)
{
	struct fixture fresh;
	struct copy c;

	(void)state;
	copy_begin(&c);
	observe(c.f.db, NOW + 1000);
	copy_write(&c);
	observe(c.f.db, NOW + 2000);
	fixture_open(&fresh);
	assert_int_equal(bring_back(&c, fresh.db, 0).kin, KIN_NEW);
	observed_at(fresh.db, NOW + 1000);
	fixture_close(&fresh);
	assert_int_equal(bring_back(&c, c.f.db, 0).kin, KIN_LATER);
	observed_at(c.f.db, NOW + 2000);
	copy_end(&c);
}

static enum err verified(struct db *db)
{
	AUTO(txn) struct txn txn;
	struct store_facts facts;

	txn_read(db, &txn);
	return store_verify(&txn, &facts, NULL);
}

static const enum table observed[] = { TABLE_USED, TABLE_JOB, TABLE_TOLD,
				       TABLE_MAILBOX };

/* It is damage, and goes with a restore; what is sound stays. */
static void what_was_observed_and_is_damaged(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(observed); i++) {
		AUTO(txn) struct txn txn = { 0 };
		struct copy c;

		copy_make(&c);
		observe(c.f.db, NOW);
		assert_int_equal(verified(c.f.db), E_OK);
		harm(c.f.db, observed[i], 0, false);
		assert_int_equal(verified(c.f.db), E_CORRUPT);
		bring_back(&c, c.f.db, 0);
		assert_int_equal(verified(c.f.db), E_OK);
		txn_read(c.f.db, &txn);
		for (size_t k = 0; k < COUNT(observed); k++)
			assert_int_equal(txn_count(&txn, observed[k]), i != k);
		txn_cleanup(&txn);
		copy_end(&c);
	}
}

/* However many there are of it. */
static void all_that_is_damaged_goes(void **state)
{
	AUTO(txn) struct txn txn = { 0 };
	struct copy c;

	(void)state;
	copy_make(&c);
	observe(c.f.db, NOW);
	for (uint64_t id = 2; id <= 4; id++) {
		AUTO(txn) struct txn more;
		const struct used used = { NOW, STR("::1"), STR("docker") };

		txn_write(c.f.db, &more);
		assert_int_equal(used_note(&more, id, &used), NOW);
		assert_int_equal(txn_commit(&more), E_OK);
	}
	for (size_t i = 1; i < 4; i++)
		harm(c.f.db, TABLE_USED, i, false);
	bring_back(&c, c.f.db, 0);
	assert_int_equal(verified(c.f.db), E_OK);
	txn_read(c.f.db, &txn);
	assert_int_equal(txn_count(&txn, TABLE_USED), 1);
	txn_cleanup(&txn);
	copy_end(&c);
}

static void a_setting_that_is_damaged(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	done(f.db, (struct change) { .type = CHANGE_SETTING_PUT,
				     .text = STR("max_token_lifetime"),
				     .value = STR("7") });
	sound(f.db);
	harm(f.db, TABLE_SETTING, 0, false);
	assert_int_equal(verified(f.db), E_CORRUPT);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_rows_come_back),
		cmocka_unit_test(what_was_taken_away_stays_so),
		cmocka_unit_test(what_was_narrowed_stays_so),
		cmocka_unit_test(a_grace_ends_when_it_was_to),
		cmocka_unit_test(a_grace_that_was_shortened),
		cmocka_unit_test(a_grace_that_both_have),
		cmocka_unit_test(a_limit_is_set_anew),
		cmocka_unit_test(what_cannot_be_done_again_undoes_all),
		cmocka_unit_test(a_copy_of_nothing),
		cmocka_unit_test(an_end_is_not_taken_back),
		cmocka_unit_test(newer_tokens_are_revoked),
		cmocka_unit_test(each_token_is_counted_once),
		cmocka_unit_test(what_was_observed_stays),
		cmocka_unit_test(ids_are_never_given_again),
		cmocka_unit_test(numbers_of_the_log_go_on),
		cmocka_unit_test(a_log_pruned_past_the_copy),
		cmocka_unit_test(a_member_of_whom_no_log_tells),
		cmocka_unit_test(a_copy_whose_log_was_pruned),
		cmocka_unit_test(a_store_of_another_life),
		cmocka_unit_test(whatever_has_changed_is_no_backup),
		cmocka_unit_test(each_byte_of_the_seal_counts),
		cmocka_unit_test(what_is_no_file_is_no_backup),
		cmocka_unit_test(what_others_write_is_no_backup),
		cmocka_unit_test(a_copy_of_another_format),
		cmocka_unit_test(another_file_of_its_name_is_not_it),
		cmocka_unit_test(each_damaged_row_is_found),
		cmocka_unit_test(what_was_observed_and_is_damaged),
		cmocka_unit_test(all_that_is_damaged_goes),
		cmocka_unit_test(a_setting_that_is_damaged),
		cmocka_unit_test(each_broken_link_of_a_family_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
