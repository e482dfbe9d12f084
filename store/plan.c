/* store/plan.c - see the header. */
#include "store/plan.h"

#include <string.h>

#include "store/changelog.h"
#include "store/member.h"
#include "store/pat.h"
#include "store/record.h"
#include "store/refresh.h"
#include "store/user.h"
#include "token/secret.h"

/* In the order in which they were found. */
struct again {
	struct again *next;
	struct change change;
};

void plan_init(struct plan *plan, struct txn *now, struct txn *copy,
	       const struct restore *how)
{
	*plan = (struct plan) { .now = now, .copy = copy, .how = how };
	arena_init(&plan->arena);
	plan->end = &plan->first;
}

void plan_cleanup(struct plan *plan)
{
	past_cleanup(&plan->past);
	arena_done(&plan->arena);
}

/* Has the store seen changes that the copy has not? */
static bool has_lived(const struct plan *plan)
{
	return plan->kin >= KIN_LATER;
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

/* Of his name, which a person and a bot do not share. */
static enum err find_user(struct plan *plan, const struct user *then,
			  struct user *out)
{
	enum err err = user_find(plan->now, then->name, out);

	return !err && (then->flags ^ out->flags) & USER_BOT ? E_NOT_FOUND
							     : err;
}

/*
 * Who is gone is blocked, and has no more than he had at last; who was made
 * again has no more than he has now. A password that was replaced is no longer
 * one. Where it is not sure that the store came after the copy, who is not
 * there may not have been yet, and the copy's password may be the newer.
 */
static enum err user_now(struct plan *plan, const struct user *then,
			 struct user *out)
{
	struct user last = *then;
	enum err err = E_NOT_FOUND;

	past_user(&plan->past, &last);
	*out = last;
	if (plan->kin != KIN_PARTED)
		err = find_user(plan, then, out);
	if (!err && plan->kin != KIN_LATER)
		out->password = last.password;
	if (err != E_NOT_FOUND)
		return err;
	*out = last;
	if (plan->kin == KIN_LATER)
		out->flags |= USER_BLOCKED;
	return E_OK;
}

static void plan_user(struct plan *plan, struct str key, struct str value)
{
	struct user then, now;

	if (!has_lived(plan) || user_unpack(plan->copy, key, value, &then) ||
	    user_now(plan, &then, &now))
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

/*
 * What has this path now, be it another of that name, or else the project whose
 * repository it would be.
 */
static enum err find_space(struct plan *plan, struct str path,
			   struct space *out)
{
	struct space_chain chain;
	enum err err = space_walk(plan->now, path, &chain);

	if (err)
		return err;
	if (!chain.len)
		return E_NOT_FOUND;
	*out = chain.at[chain.len - 1];
	return out->kind == SPACE_PROJECT || out->path.len == path.len
		       ? E_OK
		       : E_NOT_FOUND;
}

static bool is_project(const struct space *space, struct str path)
{
	return space->kind == SPACE_PROJECT && space->path.len == path.len;
}

/*
 * A project that is open to fewer, or for less, or was when it was removed. One
 * in whose place a group is would open what belongs to the projects below:
 * nobody has it.
 */
static void plan_project(struct plan *plan, struct str key, struct str value)
{
	struct change change = { .type = CHANGE_PROJECT_SET };
	const struct project_rules *rules;
	struct space then, now = { 0 };
	enum err err;

	if (!has_lived(plan) || space_unpack(plan->copy, key, value, &then) ||
	    then.kind != SPACE_PROJECT)
		return;
	err = find_space(plan, then.path, &now);
	if (!err && plan->kin == KIN_PARTED && is_project(&now, then.path))
		err = E_NOT_FOUND; /* the log says what it has become */
	if (err == E_NOT_FOUND) {
		now = then;
		past_project(&plan->past, &now);
	} else if (err) {
		return;
	}
	rules = now.kind == SPACE_PROJECT ? &now.rules : &project_rules_none;
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

/*
 * Over that of the copy: his role now, or when he or the space was removed;
 * where it is not sure that the store came after the copy he may not have had
 * one yet. False: the store failed.
 */
static bool role_now(struct plan *plan, const struct space *space,
		     const struct user *member, enum role *role)
{
	struct user user = { 0 };
	struct space still = { 0 };
	enum err err = E_NOT_FOUND;
	enum role has = ROLE_NONE;
	bool ended = false;

	if (plan->kin != KIN_PARTED)
		err = find_space(plan, space->path, &still);
	if (!err)
		err = find_user(plan, member, &user);
	if (!err) {
		err = member_get(plan->now, still.id, user.id, &has);
		ended = err == E_NOT_FOUND && plan->kin == KIN_LATER;
	}
	if (err == E_NOT_FOUND && !ended)
		past_member(&plan->past, space->id, member->id, role);
	else
		*role = has;
	return !plan->now->err;
}

static void plan_member(struct plan *plan, struct str key, struct str value)
{
	struct unpack u = { .rest = key };
	struct change change = { .type = CHANGE_MEMBER_REMOVE };
	struct space space;
	struct user member;
	enum role then, now;
	uint64_t id;

	if (!has_lived(plan) ||
	    member_unpack(plan->copy, key, value, &id, &then) ||
	    space_get(plan->copy, unpack_u64(&u), &space) ||
	    user_get(plan->copy, id, &member))
		return;
	/* A bot's comes and goes with its token. */
	if (member.flags & USER_BOT)
		return;
	now = then;
	if (!role_now(plan, &space, &member, &now) || now >= then)
		return;
	if (now) {
		change.type = CHANGE_MEMBER_PUT;
		change.role = now;
	}
	change.user = member.name;
	change.path = space.path;
	add(plan, change);
}

static void set_as(struct plan *plan, enum setting setting,
		   const struct settings *settings)
{
	AUTO(buf) struct buf text;

	buf_init(&text, SETTING_VALUE_MAX);
	setting_print(setting, settings, &text);
	add(plan, (struct change) {
			  .type = CHANGE_SETTING_PUT,
			  .text = setting_rows[setting].name,
			  .value = arena_copy(&plan->arena, buf_str(&text)),
		  });
}

static enum err settings_now(struct plan *plan, const struct settings *then,
			     struct settings *out)
{
	*out = *then;
	return plan->kin == KIN_PARTED ? past_settings(&plan->past, out)
				       : settings_read(plan->now, out);
}

static void plan_settings(struct plan *plan)
{
	struct settings then, now;

	if (!has_lived(plan) || settings_read(plan->copy, &then) ||
	    settings_now(plan, &then, &now))
		return;
	for (enum setting setting = 0; setting < SETTING_COUNT; setting++)
		if (setting_tightened(setting, &then, &now))
			set_as(plan, setting, &now);
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

/* It has given way to newer ones; or its token is dead, and it with that. */
static void plan_refresh(struct plan *plan, struct str key)
{
	struct refresh then, now;
	struct digest digest;
	struct pat pat;

	if (plan->kin != KIN_LATER || key.len != DIGEST_LEN)
		return;
	memcpy(digest.at, key.at, DIGEST_LEN);
	if (refresh_find(plan->copy, &digest, &then) ||
	    refresh_find(plan->now, &digest, &now) != E_NOT_FOUND ||
	    pat_get(plan->now, then.pat, &pat) || pat.revoked_at)
		return;
	add(plan, (struct change) { .type = CHANGE_REFRESH_REMOVE,
				    .id = then.pat,
				    .digest = digest });
}

enum err plan_make(struct plan *plan)
{
	AUTO(cursor) struct cursor c = { 0 };

	if (has_lived(plan))
		past_read(plan->now, plan->copy, &plan->arena, &plan->past);
	plan_restore(plan);
	plan_counters(plan);
	plan->count = 0; /* these take nothing away */
	plan_settings(plan);
	/* Before the tokens: those that are revoked by them take theirs. */
	for (cursor_open(plan->copy, TABLE_REFRESH, STR(""), &c);
	     cursor_next(&c);)
		plan_refresh(plan, c.key);
	cursor_cleanup(&c);
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

enum err plan_run(struct plan *plan, struct cause *cause)
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
