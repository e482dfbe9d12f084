/*
 * store/login.c - the checks that every credential passes, in one place each:
 * check_pat() for all that stands on a token, identify() for all.
 */
#include "store/login.h"

#include "store/refresh.h"
#include "token/date.h"
#include "token/rights.h"

void login_anonymous(struct identity *out)
{
	*out = (struct identity) { .kind = IDENTITY_ANONYMOUS,
				   .rights = RIGHT_PULL };
}

static enum err refuse(enum reason reason, enum reason *why)
{
	*why = reason;
	return E_REFUSED;
}

static enum err fail(enum err err, enum reason *why)
{
	*why = REASON_FAILURE;
	return err;
}

/* The last check, and the only place that makes somebody of a user. */
static enum err identify(const struct login *login, const struct user *user,
			 unsigned scopes, struct identity *out,
			 enum reason *why)
{
	unsigned rights = pat_rights(scopes, login->policy.write_implies_pull);
	bool bot = user->flags & USER_BOT;

	if (user->flags & USER_BLOCKED) {
		trace_add(login->trace, "owner " STR_FMT ": blocked",
			  STR_ARG(user->name));
		return refuse(REASON_OWNER_BLOCKED, why);
	}
	trace_add(login->trace, "owner " STR_FMT ": active%s%s%s",
		  STR_ARG(user->name),
		  user->flags & USER_ADMIN ? ", administrator" : "",
		  user->flags & USER_EXTERNAL ? ", external" : "",
		  bot ? ", bot" : "");
	if (!rights) {
		trace_add(login->trace, "right: none of the scopes reaches a "
					"registry");
		return refuse(REASON_NO_REGISTRY_SCOPE, why);
	}
	trace_add(login->trace, "right:%s%s%s%s",
		  rights & RIGHT_PULL ? " pull" : "",
		  rights & RIGHT_PUSH ? " push" : "",
		  rights & RIGHT_DELETE ? " delete" : "",
		  rights & RIGHT_CATALOG ? " catalog" : "");
	*out = (struct identity) {
		.kind = IDENTITY_USER,
		.user = user->id,
		.name = arena_copy(login->arena, user->name),
		.admin = !bot && (user->flags & USER_ADMIN),
		.external = !bot && (user->flags & USER_EXTERNAL),
		.rights = rights,
	};
	return E_OK;
}

/* Why a token is dead, REASON_NONE if it lives. */
static enum reason death_of(const struct login *login, const struct pat *pat,
			    const struct settings *settings, int64_t used_at)
{
	struct trace *trace = login->trace;
	unsigned long long id = pat->id;
	bool dead = !pat_active(pat, settings, login->now);

	if (dead && pat->next) {
		trace_add(trace,
			  "credential: token %llu became token %llu by a "
			  "rotation, and is dead",
			  id, (unsigned long long)pat->next);
		return REASON_TOKEN_ROTATED;
	}
	if (pat->revoked_at) {
		trace_add(trace, "credential: token %llu was revoked at %s", id,
			  time_print(pat->revoked_at).at);
		return REASON_TOKEN_REVOKED;
	}
	if (dead) {
		trace_add(trace, "credential: token %llu died on %s", id,
			  date_print(pat_dies_at(pat, settings)).at);
		return REASON_TOKEN_EXPIRED;
	}
	if (pat_idle(pat, used_at, login->now)) {
		trace_add(trace,
			  "credential: token %llu was not used for %s, and is "
			  "dead since %s",
			  id, duration_print(pat->idle).at,
			  time_print(used_at + pat->idle).at);
		return REASON_TOKEN_IDLE;
	}
	trace_add(trace, "credential: token %llu \"" STR_FMT "\" is active%s",
		  id, STR_ARG(pat->name),
		  pat->next ? ", in the grace of its rotation" : "");
	if (pat->idle)
		trace_add(trace, "limit: idle %s, dead at %s unless it is used",
			  duration_print(pat->idle).at,
			  time_print(used_at + pat->idle).at);
	return REASON_NONE;
}

/* How it stands to one limit; the first that is not kept is the reason. */
static enum reason limit_of(const struct login *login, enum limit limit,
			    struct str list)
{
	static const enum reason reasons[] = {
#define X(name, one, several) [LIMIT_##name] = REASON_TOKEN_##name,
		LIMIT_LIST(X)
#undef X
	};
	const struct str *asked = login->asked[limit];
	bool fits = asked && limit_fits(limit, list, *asked);

	trace_add(login->trace, "limit: %s " STR_FMT "%s" STR_FMT,
		  limit_name(limit), STR_ARG(list),
		  fits	  ? ", which fits "
		  : asked ? ", not "
			  : ", not looked at: the question does not say",
		  STR_ARG(asked ? *asked : STR("")));
	return fits ? REASON_NONE : asked ? reasons[limit] : REASON_NOT_SAID;
}

static enum reason place_of(const struct login *login, const struct pat *pat)
{
	enum reason first = REASON_NONE;

	for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
		enum reason reason = REASON_NONE;

		if (limit != LIMIT_REPOSITORY && pat->limits[limit].len)
			reason = limit_of(login, limit, pat->limits[limit]);
		if (!first || first == REASON_NOT_SAID)
			first = reason ? reason : first;
	}
	return first;
}

/* *out is empty, and E_NOT_FOUND no error of its own: he may be gone. */
static enum err owner_of(const struct login *login, const struct pat *pat,
			 struct user *out)
{
	enum err err = user_get(login->txn, pat->user, out);

	if (login->token && (!err || err == E_NOT_FOUND))
		*login->token = (struct login_token) {
			pat->id, arena_copy(login->arena, out->name), pat->next
		};
	return err;
}

/* `username` is compared only when it is not NULL. */
static enum err check_pat(const struct login *login, const struct pat *pat,
			  const struct str *username, struct identity *out,
			  enum reason *why)
{
	struct settings settings;
	struct user user = { 0 };
	enum reason reason;
	int64_t used_at = 0;
	enum err err = settings_read(login->txn, &settings);
	bool gone;

	if (!err)
		err = owner_of(login, pat, &user);
	gone = err == E_NOT_FOUND;
	if (pat->idle && (!err || gone))
		used_at = pat_used_at(login->txn, pat);
	if ((err && !gone) || login->txn->err)
		return fail(err ? err : login->txn->err, why);
	reason = death_of(login, pat, &settings, used_at);
	if (!reason)
		reason = place_of(login, pat);
	if (reason)
		return refuse(reason, why);
	if (gone) {
		trace_add(login->trace, "owner: removed");
		return refuse(REASON_TOKEN_REVOKED, why);
	}
	if (username && !str_eq_nocase(*username, user.name)) {
		trace_add(login->trace,
			  "owner: not the user name that was given");
		return refuse(REASON_WRONG_USERNAME, why);
	}
	err = identify(login, &user, pat->scopes, out, why);
	if (err)
		return err;
	out->pat = pat->id;
	out->dies_at = pat_dies_at(pat, &settings);
	out->repositories =
		arena_copy(login->arena, pat->limits[LIMIT_REPOSITORY]);
	return E_OK;
}

enum err login_pat(const struct login *login, struct str username,
		   struct str secret, struct identity *out, enum reason *why)
{
	bool match = login->policy.username_must_match;
	struct digest digest;
	struct pat pat;
	enum err err;

	*out = (struct identity) { 0 };
	*why = REASON_NONE;
	err = secret_digest(secret, &digest);
	if (!err)
		err = pat_find(login->txn, &digest, &pat);
	if (err == E_NOT_FOUND) {
		*why = REASON_UNKNOWN_TOKEN;
		trace_add(login->trace, "credential: no token has this secret");
		return err;
	}
	if (err)
		return fail(err, why);
	return check_pat(login, &pat, match ? &username : NULL, out, why);
}

enum err login_pat_id(const struct login *login, uint64_t id,
		      struct identity *out, enum reason *why)
{
	struct pat pat;
	enum err err;

	*out = (struct identity) { 0 };
	*why = REASON_NONE;
	err = pat_get(login->txn, id, &pat);
	if (err == E_NOT_FOUND) {
		*why = REASON_UNKNOWN_TOKEN;
		trace_add(login->trace, "credential: token %llu does not exist",
			  (unsigned long long)id);
		return err;
	}
	if (err)
		return fail(err, why);
	return check_pat(login, &pat, NULL, out, why);
}

enum err login_as(const struct login *login, struct str username,
		  unsigned scopes, struct identity *out, enum reason *why)
{
	struct user user;
	enum err err;

	*out = (struct identity) { 0 };
	*why = REASON_NONE;
	err = user_find(login->txn, username, &user);
	if (err == E_NOT_FOUND) {
		trace_add(login->trace, "credential: no such user");
		return err;
	}
	if (err)
		return fail(err, why);
	trace_add(login->trace, "credential: as a token of " STR_FMT,
		  STR_ARG(user.name));
	return identify(login, &user, scopes, out, why);
}

enum err login_refresh(const struct login *login, struct str secret,
		       struct str service, struct identity *out,
		       enum reason *why)
{
	struct digest digest;
	struct refresh refresh;
	struct pat pat;
	enum err err;

	*out = (struct identity) { 0 };
	*why = REASON_NONE;
	err = secret_digest(secret, &digest);
	if (!err)
		err = refresh_find(login->txn, &digest, &refresh);
	if (err == E_NOT_FOUND || (!err && !str_eq(refresh.service, service))) {
		trace_add(login->trace, "credential: no refresh token of this "
					"service has this secret");
		return refuse(REASON_UNKNOWN_REFRESH, why);
	}
	if (err)
		return fail(err, why);
	err = pat_get(login->txn, refresh.pat, &pat);
	if (err == E_NOT_FOUND)
		return refuse(REASON_UNKNOWN_REFRESH, why);
	if (err)
		return fail(err, why);
	if (login->now >= refresh.expires_at) {
		struct user user;

		err = owner_of(login, &pat, &user);
		if (err && err != E_NOT_FOUND)
			return fail(err, why);
		trace_add(login->trace, "credential: refresh token died at %s",
			  time_print(refresh.expires_at).at);
		return refuse(REASON_REFRESH_EXPIRED, why);
	}
	return check_pat(login, &pat, NULL, out, why);
}

enum err login_password_hash(const struct login *login, struct str username,
			     struct str *hash)
{
	struct user user;
	enum err err;

	*hash = (struct str) { 0 };
	err = user_find(login->txn, username, &user);
	if (err)
		return err == E_NOT_FOUND ? E_OK : err;
	if (!(user.flags & USER_BOT) && user.password.len)
		*hash = arena_copy(login->arena, user.password);
	return E_OK;
}

/* Is it still the one that the password was compared with? */
static bool hash_holds(const struct user *user, struct str hash)
{
	return !(user->flags & USER_BOT) && hash.len &&
	       secret_eq(user->password, hash);
}

enum err login_password(const struct login *login, struct str username,
			struct str hash, bool right, struct identity *out,
			enum reason *why)
{
	struct user user;
	enum err err;

	*out = (struct identity) { 0 };
	*why = REASON_NONE;
	err = user_find(login->txn, username, &user);
	if (err && err != E_NOT_FOUND)
		return fail(err, why);
	if (err || !right || !hash_holds(&user, hash)) {
		trace_add(login->trace, "credential: unknown user or wrong "
					"password");
		return refuse(REASON_WRONG_PASSWORD, why);
	}
	if (user.flags & USER_TWO_FACTOR) {
		trace_add(login->trace, "credential: two-factor is on");
		return refuse(REASON_TWO_FACTOR, why);
	}
	trace_add(login->trace, "credential: password of " STR_FMT,
		  STR_ARG(user.name));
	return identify(login, &user, PAT_API, out, why);
}
