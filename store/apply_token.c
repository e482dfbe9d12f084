/* store/apply_token.c - what changes of tokens and refresh tokens do. */
#include "store/apply.h"

#include <stdio.h>
#include <string.h>

#include "store/member.h"
#include "store/refresh.h"
#include "token/date.h"

enum { BOT_HEX_MAX = 64 };

void tokens_active(struct txn *txn, const struct change *change, uint64_t user,
		   struct token_ids *ids)
{
	struct settings settings;
	uint64_t id = 0;
	struct pat pat;

	ids->n = 0;
	if (settings_read(txn, &settings))
		return;
	while ((id = pat_next_of(txn, user, id))) {
		if (pat_get(txn, id, &pat))
			continue; /* a failure sticks: it ends the loop */
		if (!pat_active(&pat, &settings, change->now))
			continue;
		if (ids->n < COUNT(ids->at))
			ids->at[ids->n] = id;
		ids->n++;
	}
}

struct ids_text {
	char at[160];
};

/* "3, 7" */
static struct ids_text tokens_print(const struct token_ids *ids)
{
	size_t shown = ids->n < COUNT(ids->at) ? ids->n : COUNT(ids->at);
	struct ids_text text = { "" };
	size_t len = 0;

	/* Eight of twenty digits fit. */
	for (size_t i = 0; i < shown && len < sizeof(text.at); i++)
		len += (size_t)snprintf(text.at + len, sizeof(text.at) - len,
					"%s%llu", i ? ", " : "",
					(unsigned long long)ids->at[i]);
	if (shown < ids->n && len < sizeof(text.at))
		snprintf(text.at + len, sizeof(text.at) - len, ", ...");
	return text;
}

enum err refuse_tokens(struct change *change, const char *kind, struct str name,
		       const char *verb, const struct token_ids *ids)
{
	const char *s = ids->n == 1 ? "" : "s";

	change->need = NEED_YES;
	return cause_set(&change->cause, E_NOT_EMPTY,
			 "%s \"%.*s\" %s %zu active token%s (id%s %s), which "
			 "would be revoked",
			 kind, name.len > 200 ? 200 : (int)name.len, name.at,
			 verb, ids->n, s, s, tokens_print(ids).at);
}

void token_kill(struct txn *txn, struct pat *pat, int64_t now)
{
	if (!pat->revoked_at) {
		pat->revoked_at = now;
		pat_put(txn, pat);
	}
	refresh_remove_pat(txn, pat->id);
}

void tokens_kill(struct txn *txn, uint64_t user, int64_t now)
{
	uint64_t id = 0;
	struct pat pat;

	while ((id = pat_next_of(txn, user, id)))
		if (!pat_get(txn, id, &pat))
			token_kill(txn, &pat, now);
}

static enum err check_limits(struct change *change)
{
	struct cause *cause = &change->cause;
	enum err err = E_OK;

	for (enum limit limit = 0; !err && limit < LIMIT_COUNT; limit++)
		err = limit_check(limit, change->limits[limit], cause);
	if (!err && change->idle &&
	    (change->idle < IDLE_LEAST ||
	     change->idle > (uint64_t)DURATION_MAX * DAY))
		return cause_set(cause, E_SYNTAX,
				 "a token may be idle for at least %s and at "
				 "most %d days",
				 duration_print(IDLE_LEAST).at,
				 (int)DURATION_MAX);
	return err;
}

static enum err check_token(struct change *change)
{
	enum err err =
		need_text(change, change->text, TEXT_MAX, "the token's name");

	if (err)
		return err;
	if (!change->text.len)
		return cause_set(&change->cause, E_SYNTAX,
				 "the token needs a name");
	if (!change->scopes || change->scopes & ~(uint64_t)PAT_ALL)
		return cause_set(&change->cause, E_SYNTAX,
				 "the token needs scopes that are known");
	return check_limits(change);
}

enum err token_put_new(struct txn *txn, struct change *change, struct pat *pat)
{
	struct pat other;
	enum err err = pat_find(txn, &change->digest, &other);

	if (!err)
		return cause_set(&change->cause, E_EXISTS,
				 "a token with this secret exists already");
	if (err != E_NOT_FOUND)
		return err;
	pat->id = txn_next_id(txn, COUNTER_PAT);
	pat->created_at = change->now;
	pat->digest = change->digest;
	if (!pat->family)
		pat->family = pat->id;
	pat_put(txn, pat);
	change->new_id = pat->id;
	return E_OK;
}

static enum err add_pat(struct txn *txn, struct change *change, uint64_t user,
			uint64_t space)
{
	struct pat pat = {
		.user = user,
		.space = space,
		.kind = (enum pat_kind)change->kind,
		.scopes = (unsigned)change->scopes,
		.idle = (int64_t)change->idle,
		.name = change->text,
	};
	enum err err = need_expiry(txn, change, change->expires_at, true,
				   &pat.expires_at);

	memcpy(pat.limits, change->limits, sizeof(pat.limits));
	return err ? err : token_put_new(txn, change, &pat);
}

static enum err add_personal(struct txn *txn, struct change *change)
{
	struct user user;
	enum err err = need_user(txn, change, &user);

	if (!err)
		err = may_create(txn, change, NULL, &user);
	if (err)
		return err;
	if (user.flags & USER_BOT)
		return cause_set(&change->cause, E_REFUSED,
				 "user \"" STR_FMT "\" is a bot, and bots own "
				 "no further tokens",
				 STR_ARG(user.name));
	if (change->scopes & PAT_SUDO && !(user.flags & USER_ADMIN))
		return cause_set(&change->cause, E_REFUSED,
				 "scope sudo is for tokens of administrators; "
				 "leave it out");
	return add_pat(txn, change, user.id, 0);
}

static enum err check_bot(struct change *change)
{
	struct str hex = change->bot;

	if (change->scopes & (PAT_READ_USER | PAT_SUDO))
		return cause_set(&change->cause, E_REFUSED,
				 "project and group tokens cannot have scope "
				 "%s; leave it out",
				 change->scopes & PAT_SUDO ? "sudo"
							   : "read_user");
	if (change->role > ROLE_OWNER || !role_known((unsigned)change->role))
		return cause_set(&change->cause, E_SYNTAX,
				 "the token needs a role that is known");
	for (size_t i = 0; i < hex.len; i++)
		if (!str_has(STR("0123456789abcdef"), hex.at[i]))
			hex.len = 0;
	if (!hex.len || hex.len > BOT_HEX_MAX)
		return cause_set(&change->cause, E_SYNTAX,
				 "the bot's name ends in lower-case hex");
	return E_OK;
}

static enum err add_bot(struct txn *txn, struct change *change,
			const struct space *space, struct user *out)
{
	const char *kind = space->kind == SPACE_GROUP ? "group" : "project";
	char name[128];
	int len = snprintf(name, sizeof(name), "%s_%llu_bot_" STR_FMT, kind,
			   (unsigned long long)space->id, STR_ARG(change->bot));
	enum err err;

	assert(len > 0 && (size_t)len < sizeof(name));
	err = user_find(txn, (struct str) { name, (size_t)len }, out);
	if (!err)
		return cause_set(&change->cause, E_EXISTS,
				 "user \"%s\" exists already; try again", name);
	if (err != E_NOT_FOUND)
		return err;
	*out = (struct user) {
		.id = txn_next_id(txn, COUNTER_USER),
		.flags = USER_BOT,
		.created_at = change->now,
		.name = { name, (size_t)len },
	};
	user_put(txn, out);
	out->name = (struct str) { 0 };
	return E_OK;
}

static enum err add_space_token(struct txn *txn, struct change *change)
{
	enum space_kind kind =
		change->kind == PAT_GROUP ? SPACE_GROUP : SPACE_PROJECT;
	struct path_text path;
	struct space space;
	struct user bot;
	enum err err = need_path(change, &path);

	if (!err)
		err = check_bot(change);
	if (!err)
		err = need_space(txn, change, &path, &space);
	if (err)
		return err;
	if (space.kind != kind)
		return cause_set(&change->cause, E_NOT_FOUND,
				 "\"" STR_FMT "\" is a %s, not a %s",
				 STR_ARG(space.path),
				 kind == SPACE_GROUP ? "project" : "group",
				 kind == SPACE_GROUP ? "group" : "project");
	err = may_create(txn, change, &space, NULL);
	if (!err)
		err = add_bot(txn, change, &space, &bot);
	if (err)
		return err;
	member_put(txn, space.id, bot.id, (enum role)change->role);
	return add_pat(txn, change, bot.id, space.id);
}

enum err apply_token_add(struct txn *txn, struct change *change)
{
	enum err err = check_token(change);

	if (err)
		return err;
	switch (change->kind) {
	case PAT_PERSONAL:
	case PAT_IMPERSONATION:
		return add_personal(txn, change);
	case PAT_PROJECT:
	case PAT_GROUP:
		return add_space_token(txn, change);
	default:
		return cause_set(&change->cause, E_SYNTAX,
				 "no such kind of token");
	}
}

enum err need_pat(struct txn *txn, struct change *change, struct pat *out)
{
	enum err err = pat_get(txn, change->id, out);

	if (err == E_NOT_FOUND)
		return cause_set(
			&change->cause, err,
			"token %llu does not exist; dockpass token list "
			"shows all",
			(unsigned long long)change->id);
	return err;
}

enum err apply_token_revoke(struct txn *txn, struct change *change)
{
	struct pat pat;
	enum err err = need_pat(txn, change, &pat);

	if (!err)
		err = may_change(txn, change, &pat);
	if (err)
		return err;
	if (change->recursive)
		family_kill(txn, &pat, change->now);
	else
		token_kill(txn, &pat, change->now);
	return E_OK;
}
