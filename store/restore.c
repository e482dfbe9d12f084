/* store/restore.c - the way back from a copy: see store/backup.h. */
#include <string.h>

#include "store/backup.h"
#include "store/changelog.h"
#include "store/member.h"
#include "store/pat.h"
#include "store/record.h"
#include "store/user.h"
#include "token/arena.h"
#include "token/secret.h"

/* What is to be changed in the copy, in the order in which it was found. */
struct again {
	struct again *next;
	struct change change;
};

struct plan {
	struct txn *now, *copy; /* the store as it is; the copy */
	const struct restore *how;
	bool descends;
	struct arena arena;
	struct again *first, **end;
	uint64_t count, newer;
};

static void plan_cleanup(struct plan *plan)
{
	arena_done(&plan->arena);
}

static void add(struct plan *plan, struct change change)
{
	struct again *again = arena_alloc(&plan->arena, sizeof(*again));

	change.now = plan->how->now;
	change.actor = plan->how->actor;
	change.user = arena_copy(&plan->arena, change.user);
	change.path = arena_copy(&plan->arena, change.path);
	again->change = change;
	*plan->end = again;
	plan->end = &again->next;
	plan->count++;
}

static void plan_token(struct plan *plan, struct str key)
{
	const struct restore *how = plan->how;
	struct digest digest;
	struct pat then, now;
	bool ends, dead, newer;

	memcpy(digest.at, key.at, DIGEST_LEN);
	if (pat_find(plan->copy, &digest, &then) || then.revoked_at)
		return;
	if (pat_find(plan->now, &digest, &now))
		now = then;
	ends = now.grace_ends &&
	       (!then.grace_ends || now.grace_ends < then.grace_ends);
	dead = now.revoked_at || (ends && now.grace_ends <= how->now);
	newer = how->newer_than && then.created_at >= how->newer_than;
	plan->newer += newer && !dead;
	if (dead || newer)
		add(plan, (struct change) { .type = CHANGE_TOKEN_REVOKE,
					    .id = then.id });
	else if (ends)
		add(plan, (struct change) { .type = CHANGE_TOKEN_END,
					    .id = then.id,
					    .expires_at = now.grace_ends });
}

/* Flags of which each that is there, or is not, is less for its user. */
enum { LESS_WITH = USER_EXTERNAL | USER_BLOCKED | USER_TWO_FACTOR };

static void plan_flags(struct plan *plan, const struct user *then, unsigned now)
{
	unsigned less = (now & ~then->flags & LESS_WITH) |
			(then->flags & ~now & USER_ADMIN);

	for (unsigned flag = 1; flag <= less; flag <<= 1)
		if (less & flag)
			add(plan, (struct change) { .type = CHANGE_USER_FLAG,
						    .user = then->name,
						    .flags = flag,
						    .on = flag != USER_ADMIN });
}

/* Who is gone is blocked; a password that was replaced is no longer one. */
static void plan_user(struct plan *plan, struct str key, struct str value)
{
	struct user then, now;
	enum err err;

	if (!plan->descends || user_unpack(plan->copy, key, value, &then))
		return;
	err = user_get(plan->now, then.id, &now);
	if (err == E_NOT_FOUND)
		plan_flags(plan, &then, then.flags | USER_BLOCKED);
	if (err)
		return;
	plan_flags(plan, &then, now.flags);
	if (then.password.len && !secret_eq(then.password, now.password))
		add(plan,
		    (struct change) {
			    .type = CHANGE_USER_PASSWORD,
			    .user = then.name,
			    .value = arena_copy(&plan->arena, now.password),
		    });
}

/* A project that is open to fewer, or for less. */
static void plan_project(struct plan *plan, struct str key, struct str value)
{
	struct change change = { .type = CHANGE_PROJECT_SET };
	const struct project_rules *rules;
	struct space then, now;

	if (!plan->descends || space_unpack(plan->copy, key, value, &then) ||
	    space_get(plan->now, then.id, &now) || now.kind != SPACE_PROJECT)
		return;
	rules = &now.rules;
	if (rules->visibility < then.rules.visibility)
		change.visibility = 1 + rules->visibility;
	if (rules->registry > then.rules.registry)
		change.registry = 1 + rules->registry;
	if (rules->archived && !then.rules.archived)
		change.archived = 2;
	change.path = then.path;
	if (change.visibility || change.registry || change.archived)
		add(plan, change);
}

static void plan_member(struct plan *plan, struct str key, struct str value)
{
	struct unpack u = { .rest = key };
	struct change change = { .type = CHANGE_MEMBER_REMOVE };
	struct space space, still;
	enum role then, now;
	struct user user;
	uint64_t id;

	if (!plan->descends ||
	    member_unpack(plan->copy, key, value, &id, &then) ||
	    space_get(plan->copy, unpack_u64(&u), &space) ||
	    space_get(plan->now, space.id, &still) ||
	    user_get(plan->now, id, &user))
		return;
	if (member_get(plan->now, space.id, id, &now) == E_OK) {
		if (now >= then)
			return;
		change.type = CHANGE_MEMBER_PUT;
		change.role = now;
	}
	change.user = user.name;
	change.path = space.path;
	add(plan, change);
}

/*
 * What it revokes has not been seen coming by anybody: set anew. To set what is
 * set changes nothing, so it is cleared before.
 */
static void plan_limit(struct plan *plan)
{
	const enum setting limit = SETTING_max_token_lifetime;
	AUTO(buf) struct buf text;
	struct settings settings;

	buf_init(&text, SETTING_VALUE_MAX);
	if (settings_read(plan->copy, &settings) ||
	    !settings.max_token_lifetime)
		return;
	setting_print(limit, &settings, &text);
	for (int anew = 0; anew < 2; anew++)
		add(plan,
		    (struct change) { .type = CHANGE_SETTING_PUT,
				      .text = setting_rows[limit].name,
				      .value = anew ? arena_copy(&plan->arena,
								 buf_str(&text))
						    : STR("none") });
}

static void plan_counters(struct plan *plan)
{
	for (enum counter counter = 0; counter < COUNTER_COUNT; counter++)
		add(plan, (struct change) {
				  .type = CHANGE_COUNTER_PUT,
				  .text = counter_name(counter),
				  .id = txn_last_id(plan->now, counter),
			  });
}

/* First of all: the log goes on behind the head that is lost. */
static void plan_restore(struct plan *plan)
{
	struct log_end head;

	changelog_head(plan->now, &head);
	add(plan, (struct change) { .type = CHANGE_RESTORE,
				    .id = head.number,
				    .digest = head.digest });
}

static enum err make_plan(struct plan *plan)
{
	AUTO(cursor) struct cursor c = { 0 };

	plan_restore(plan);
	plan_counters(plan);
	plan_limit(plan);
	plan->count = 0; /* these take nothing away */
	for (cursor_open(plan->copy, TABLE_PAT, STR(""), &c); cursor_next(&c);)
		plan_token(plan, c.key);
	cursor_cleanup(&c);
	for (cursor_open(plan->copy, TABLE_USER, STR(""), &c); cursor_next(&c);)
		plan_user(plan, c.key, c.value);
	cursor_cleanup(&c);
	for (cursor_open(plan->copy, TABLE_SPACE, STR(""), &c);
	     cursor_next(&c);)
		plan_project(plan, c.key, c.value);
	cursor_cleanup(&c);
	for (cursor_open(plan->copy, TABLE_MEMBER, STR(""), &c);
	     cursor_next(&c);)
		plan_member(plan, c.key, c.value);
	return plan->copy->err ? plan->copy->err : plan->now->err;
}

/* What was observed stays where it can, or mail goes twice. */
static enum err copy_rows(struct txn *from, struct txn *to, bool descends)
{
	for (enum table table = 0; table < TABLE_COUNT; table++) {
		AUTO(cursor) struct cursor c = { 0 };

		if (descends && table_observed(table))
			continue;
		txn_clear(to, table);
		for (cursor_open(from, table, STR(""), &c); cursor_next(&c);)
			txn_put(to, table, c.key, c.value);
	}
	return from->err ? from->err : to->err;
}

static bool first_damaged(struct txn *txn, enum table table, unsigned char *key,
			  size_t *len)
{
	AUTO(cursor) struct cursor c;

	cursor_open(txn, table, STR(""), &c);
	while (cursor_next(&c)) {
		if (observed_sound(txn, table, c.key, c.value))
			continue;
		memcpy(key, c.key.at, c.key.len);
		*len = c.key.len;
		return true;
	}
	return false;
}

/* It would be in the way of mail, and of the next backup. */
static void drop_damaged(struct txn *txn)
{
	unsigned char key[512]; /* LMDB's are 511 at most */
	size_t len;

	for (enum table table = 0; table < TABLE_COUNT; table++)
		while (table_observed(table) &&
		       first_damaged(txn, table, key, &len))
			txn_remove(txn, table,
				   (struct str) { (const char *)key, len });
}

static bool pruned_past(struct txn *now, struct txn *copy)
{
	struct log_end anchor, then;

	changelog_anchor(now, &anchor);
	changelog_head(copy, &then);
	return then.number < anchor.number;
}

static enum err run_plan(struct plan *plan, struct cause *cause)
	ON(writer_thread);
static enum err run_plan(struct plan *plan, struct cause *cause)
{
	for (struct again *at = plan->first; at; at = at->next) {
		enum err err = change_apply(plan->now, &at->change);

		if (!err)
			continue;
		if (cause)
			*cause = at->change.cause;
		return err;
	}
	return E_OK;
}

enum err backup_restore(struct db *db, struct db *copy,
			const struct restore *how, struct restored *out,
			struct cause *cause)
{
	AUTO(txn) struct txn from = { 0 };
	AUTO(txn) struct txn to = { 0 };
	AUTO(plan) struct plan plan = { .now = &to, .copy = &from, .how = how };
	struct restored done = { 0 };
	enum err err;

	*out = (struct restored) { 0 };
	if (cause)
		cause->text[0] = '\0';
	arena_init(&plan.arena);
	plan.end = &plan.first;
	txn_read(copy, &from);
	txn_write(db, &to);
	plan.descends = done.descends =
		changelog_follows(&to, &from, &done.lost);
	done.pruned = pruned_past(&to, &from);
	done.fresh = !txn_count(&to, TABLE_LOG);
	err = make_plan(&plan);
	if (!err)
		err = copy_rows(&from, &to, done.descends);
	if (!err)
		err = run_plan(&plan, cause);
	if (!err)
		drop_damaged(&to);
	if (!err)
		err = txn_commit(&to);
	if (err)
		return cause && *cause->text
			       ? err
			       : cause_set(cause, err,
					   "cannot restore into %s: %s",
					   db_folder(db), err_text(err));
	done.taken_away = plan.count - plan.newer;
	done.newer = plan.newer;
	*out = done;
	return E_OK;
}
