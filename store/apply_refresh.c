/* store/apply_refresh.c - what changes of refresh tokens do. */
#include "store/apply.h"

#include "store/refresh.h"
#include "token/date.h"

enum { SERVICE_MAX = 255 };

/* May this token have refresh tokens now? */
static enum err check_refresh(struct txn *txn, struct change *change)
{
	struct settings settings;
	struct user user;
	struct pat pat;
	enum err err = need_pat(txn, change, &pat);

	if (!err)
		err = settings_read(txn, &settings);
	if (err)
		return err;
	if (!pat_active(&pat, &settings, change->now))
		return cause_set(&change->cause, E_REFUSED,
				 "token %llu is expired or revoked",
				 (unsigned long long)pat.id);
	err = user_get(txn, pat.user, &user);
	if (err == E_NOT_FOUND || (!err && user.flags & USER_BLOCKED))
		return cause_set(&change->cause, E_REFUSED,
				 "the owner of token %llu is blocked or gone",
				 (unsigned long long)pat.id);
	return err;
}

enum err apply_refresh_add(struct txn *txn, struct change *change)
{
	struct refresh refresh;
	enum err err = need_text(change, change->text, SERVICE_MAX,
				 "the service's name");

	if (!err)
		err = check_refresh(txn, change);
	if (err)
		return err;
	if (change->expires_at && change->expires_at <= change->now)
		return cause_set(&change->cause, E_SYNTAX,
				 "a refresh token must end in the future");
	err = refresh_find(txn, &change->digest, &refresh);
	if (!err)
		return cause_set(&change->cause, E_EXISTS,
				 "this refresh token exists already");
	if (err != E_NOT_FOUND)
		return err;
	refresh = (struct refresh) {
		.pat = change->id,
		.created_at = change->now,
		.expires_at = change->expires_at,
		.service = change->text,
	};
	if (!refresh.expires_at)
		refresh.expires_at = change->now + (int64_t)REFRESH_DAYS * DAY;
	refresh_add(txn, &change->digest, &refresh);
	return E_OK;
}

enum err apply_refresh_remove(struct txn *txn, struct change *change)
{
	struct refresh refresh;
	enum err err = refresh_find(txn, &change->digest, &refresh);

	if (err == E_NOT_FOUND || (!err && refresh.pat != change->id))
		return cause_set(&change->cause, E_NOT_FOUND,
				 "token %llu has no such refresh token",
				 (unsigned long long)change->id);
	if (!err)
		refresh_remove(txn, refresh.pat, &change->digest);
	return err;
}
