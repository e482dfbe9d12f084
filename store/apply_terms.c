/*
 * store/apply_terms.c - how long a new token may live, and who may make it.
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

static enum err refuse(struct change *change, const char *what)
{
	return cause_set(&change->cause, E_REFUSED, "user \"%.*s\" may not %s",
			 change->actor.len > 200 ? 200 : (int)change->actor.len,
			 change->actor.at, what);
}

static enum err may_create_in(struct txn *txn, struct change *change,
			      const struct space *space, uint64_t creator)
{
	enum role least =
		space->kind == SPACE_GROUP ? ROLE_OWNER : ROLE_MAINTAINER;
	const struct space *from;
	struct space_chain chain;
	enum role role;
	enum err err = space_walk(txn, space->path, &chain);

	if (!err)
		err = member_role(txn, &chain, creator, &role, &from);
	if (err)
		return err;
	if (role < least)
		return refuse(change, space->kind == SPACE_GROUP
					      ? "make tokens of this group: "
						"that takes role owner"
					      : "make tokens of this project: "
						"that takes role maintainer");
	if (change->role > (uint64_t)role)
		return refuse(change, "give a token a role above his own");
	return E_OK;
}

enum err may_create(struct txn *txn, struct change *change,
		    const struct space *space, const struct user *owner)
{
	struct user creator;
	enum err err;

	if (is_local(change->actor))
		return E_OK;
	err = user_find(txn, change->actor, &creator);
	if (err == E_NOT_FOUND)
		return refuse(change, "make tokens: he is gone");
	if (err)
		return err;
	if (creator.flags & (USER_BLOCKED | USER_BOT))
		return refuse(change, creator.flags & USER_BOT
					      ? "make tokens: it is a bot"
					      : "make tokens: he is blocked");
	if (creator.flags & USER_ADMIN)
		return E_OK;
	if (space)
		return may_create_in(txn, change, space, creator.id);
	if (change->kind == PAT_IMPERSONATION)
		return refuse(change, "make impersonation tokens: that takes "
				      "an administrator");
	if (creator.id != owner->id)
		return refuse(change, "make tokens of other users");
	return E_OK;
}
