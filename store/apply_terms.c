/*
 * store/apply_terms.c - how long a new token may live, and who may make, rotate
 * or revoke one.
 */
#include "store/apply.h"

#include "store/member.h"
#include "token/date.h"

enum err need_expiry(struct txn *txn, struct change *change, int64_t wanted,
		     bool asked, int64_t *out)
{
	int64_t today = day_of(change->now), latest = 0;
	struct settings settings;
	enum err err = settings_read(txn, &settings);

	*out = 0;
	if (err)
		return err;
	if (settings.max_token_lifetime)
		latest = today + (int64_t)settings.max_token_lifetime * DAY;
	if (!wanted && settings.default_token_days) {
		wanted = today + (int64_t)settings.default_token_days * DAY;
		asked = false;
	}
	if (wanted == EXPIRES_NEVER)
		wanted = asked ? 0 : latest;
	if (wanted && wanted <= change->now)
		return cause_set(&change->cause, E_SYNTAX,
				 "the date must be in the future: a token is "
				 "dead from 00:00 UTC of its date");
	if (!wanted && (latest || settings.require_token_expiry))
		return cause_set(&change->cause, E_REFUSED,
				 "the token must have a date%s%s: setting %s",
				 latest ? ", at the latest " : "",
				 latest ? date_print(latest).at : "",
				 latest ? "max_token_lifetime"
					: "require_token_expiry");
	if (latest && wanted > latest && asked)
		return cause_set(
			&change->cause, E_REFUSED,
			"the date must be %s or before: setting "
			"max_token_lifetime is %llu days",
			date_print(latest).at,
			(unsigned long long)settings.max_token_lifetime);
	*out = latest && wanted > latest ? latest : wanted;
	return E_OK;
}

/* No user has a colon in his name. */
static bool is_local(struct str actor)
{
	return str_has(actor, ':');
}

static const char *verb(const struct change *change)
{
	return change->type == CHANGE_TOKEN_ROTATE   ? "rotate"
	       : change->type == CHANGE_TOKEN_REVOKE ? "revoke"
						     : "make";
}

static enum err refuse(struct change *change, const char *what)
{
	return cause_set(&change->cause, E_REFUSED,
			 "user \"%.*s\" may not %s %s",
			 change->actor.len > 200 ? 200 : (int)change->actor.len,
			 change->actor.at, verb(change), what);
}

/* A token that is there or is to be. */
struct subject {
	enum pat_kind kind;
	uint64_t owner;		   /* of a personal one */
	const struct space *space; /* of a project's or group's */
	uint64_t role;		   /* of its bot */
	bool own;		   /* it exists, and is the actor's */
};

static enum err may_in(struct txn *txn, struct change *change,
		       const struct subject *token, uint64_t actor)
{
	bool group = token->space->kind == SPACE_GROUP;
	const struct space *from;
	struct space_chain chain;
	enum role role;
	enum err err = space_walk(txn, token->space->path, &chain);

	if (!err)
		err = member_role(txn, &chain, actor, &role, &from);
	if (err)
		return err;
	if (role < (group ? ROLE_OWNER : ROLE_MAINTAINER))
		return refuse(change,
			      group ? "tokens of this group: that takes "
				      "role owner"
				    : "tokens of this project: that "
				      "takes role maintainer");
	/* To take one away takes nothing more: its secret is not told. */
	if (token->role > (uint64_t)role && change->type != CHANGE_TOKEN_REVOKE)
		return refuse(change, "a token of a role above his own");
	return E_OK;
}

static enum err may(struct txn *txn, struct change *change,
		    const struct subject *token, const struct user *actor)
{
	if (actor->flags & USER_BLOCKED)
		return refuse(change, "tokens: he is blocked");
	if (token->kind == PAT_IMPERSONATION && !(actor->flags & USER_ADMIN))
		return refuse(change, "impersonation tokens: that takes an "
				      "administrator");
	if (token->own)
		return E_OK;
	if (actor->flags & USER_BOT)
		return refuse(change, "tokens: it is a bot");
	if (actor->flags & USER_ADMIN)
		return E_OK;
	if (token->space)
		return may_in(txn, change, token, actor->id);
	if (actor->id != token->owner)
		return refuse(change, "tokens of other users");
	return E_OK;
}

static enum err need_actor(struct txn *txn, struct change *change,
			   struct user *out)
{
	enum err err = user_find(txn, change->actor, out);

	return err == E_NOT_FOUND ? refuse(change, "tokens: he is gone") : err;
}

enum err may_create(struct txn *txn, struct change *change,
		    const struct space *space, const struct user *owner)
{
	const struct subject token = {
		.kind = (enum pat_kind)change->kind,
		.owner = owner ? owner->id : 0,
		.space = space,
		.role = change->role,
	};
	struct user actor;
	enum err err;

	if (is_local(change->actor))
		return E_OK;
	err = need_actor(txn, change, &actor);
	return err ? err : may(txn, change, &token, &actor);
}

enum err may_change(struct txn *txn, struct change *change,
		    const struct pat *pat)
{
	struct subject token = { .kind = pat->kind, .owner = pat->user };
	struct space space;
	struct user actor;
	enum role role = ROLE_NONE;
	enum err err;

	if (is_local(change->actor))
		return E_OK;
	err = need_actor(txn, change, &actor);
	if (err)
		return err;
	token.own = actor.id == pat->user;
	if (!pat->space)
		return may(txn, change, &token, &actor);
	err = space_get(txn, pat->space, &space);
	if (!err)
		err = member_get(txn, pat->space, pat->user, &role);
	if (err == E_NOT_FOUND)
		return refuse(change, "tokens of what is gone");
	if (err)
		return err;
	token.space = &space;
	token.role = role;
	return may(txn, change, &token, &actor);
}
