/*
 * server/auth/sign_in.c - from a credential to an identity. A token is looked
 * up at once; a password waits for the pool, unless it looks like a token: an
 * unknown token needs no slow hash.
 */
#include "server/auth/asking.h"

#include "server/log.h"
#include "server/services.h"

/* Where a client is that a proxy hides: in no network. */
static const struct str nowhere = STR("");

/* One text for whatever is wrong with a token: its holder's log says which. */
static const struct str bad_token =
	STR("the token is wrong, expired or revoked, or its owner is blocked, "
	    "or it may not be used from here: check it, or make a new one");

static enum status refuse_401(struct reply *reply, const struct asking *ask,
			      enum reason reason, struct str message)
{
	return asking_refuse(reply, ask->post, STATUS_UNAUTHORIZED, reason,
			     message);
}

static struct guard_try try_of(const struct request *req,
			       const struct asking *ask)
{
	return (struct guard_try) {
		.rules = &req->live->guard,
		.now = req->steady,
		.address = req->address,
		.direct = req->direct,
		.unsure = req->unsure,
		.user = ask->credential.user,
		.secret = ask->credential.secret,
		.post = ask->post,
		.counted = ask->counted,
	};
}

/* Nothing has been looked at, so nothing is told. */
static enum status refuse_429(const struct request *req, struct reply *reply,
			      const struct asking *ask, enum reason reason,
			      unsigned seconds)
{
	struct str wait = arena_printf(req->arena, "%u", seconds);

	reply->retry_after = wait.at;
	return asking_refuse(
		reply, ask->post, STATUS_TOO_MANY, reason,
		arena_printf(req->arena,
			     "too many wrong passwords or tokens came from "
			     "your network, or for this user name: try again "
			     "in %u s, or use a personal access token as "
			     "password",
			     seconds));
}

/* Where too many replies are held back already, it says no more than that. */
static enum status refuse_late(const struct request *req, struct reply *reply,
			       const struct asking *ask, unsigned late_ms,
			       enum reason reason, struct str message)
{
	if (late_ms && req->late_full)
		return refuse_429(req, reply, ask, REASON_TOO_MANY_FAILURES,
				  (late_ms + 999) / 1000);
	reply->late_ms = late_ms;
	return refuse_401(reply, ask, reason, message);
}

static enum status refuse_token(const struct request *req, struct reply *reply,
				const struct asking *ask, enum reason reason,
				struct str message)
{
	const struct guard_try try = try_of(req, ask);
	unsigned late_ms = guard_token(req->services->guard, &try);

	return refuse_late(req, reply, ask, late_ms, reason, message);
}

static struct login login_of(const struct request *req, struct asking *ask)
{
	const struct config *config = req->live->config;
	const struct live_service *service =
		live_service(req->live, ask->service);

	/* Named by the configuration: the request may have left it out. */
	ask->registry = str_of(service ? service->config->name : "");

	return (struct login){
		.txn = req->txn,
		.arena = req->arena,
		.token = &ask->token,
		.now = req->now,
		.asked = {
			[LIMIT_SERVICE] = &ask->registry,
			[LIMIT_NETWORK] = req->unsure ? &nowhere : &req->address,
		},
		.policy = {
			.username_must_match =
				config->username_must_match &&
				ask->credential.kind == CREDENTIAL_PASSWORD,
			.write_implies_pull = config->write_implies_pull,
		},
	};
}

/* Whoever shows a token is its owner, whatever name he typed beside it. */
static void log_owner(struct reply *reply, const struct asking *ask)
{
	reply->log.token_id = ask->token.id;
	if (ask->token.owner.len)
		reply->log.user = ask->token.owner;
}

/* Somebody has not got the new one yet, or should have none. */
static void warn_rotated(const struct request *req, const struct asking *ask,
			 bool alive)
{
	const struct log_about about = { req->address, ask->token.id };

	if (ask->token.next)
		log_event_about(
			LEVEL_WARNING, "rotated", &about,
			"token %llu, which became token %llu by a rotation, "
			"was shown from " STR_FMT " and %s",
			(unsigned long long)ask->token.id,
			(unsigned long long)ask->token.next,
			STR_ARG(req->address),
			alive ? "still works: give its holder the new one"
			      : "refused: if its holder has the new one, "
				"somebody else has the old one");
}

/* The holder of a right secret is told what its scopes lack. */
static enum status no_scope(struct request *req, struct reply *reply,
			    const struct asking *ask)
{
	struct str has = arena_copy(req->arena, STR("token has scopes "));
	struct pat pat;
	struct str name;
	enum err err = pat_get(req->txn, ask->token.id, &pat);

	if (err)
		return asking_fail(reply, ask->post, err);
	for (bool first = true; (name = pat_scopes_next(&pat.scopes)).len;
	     first = false)
		has = arena_printf(req->arena, STR_FMT "%s" STR_FMT,
				   STR_ARG(has), first ? "" : ", ",
				   STR_ARG(name));
	has = arena_printf(req->arena,
			   STR_FMT "; a registry needs read_registry, "
				   "write_registry, read_api or api",
			   STR_ARG(has));
	return asking_refuse(reply, ask->post, STATUS_FORBIDDEN,
			     REASON_NO_REGISTRY_SCOPE, has);
}

static enum status password_known(struct request *req, struct reply *reply,
				  struct asking *ask)
{
	const struct login login = login_of(req, ask);
	const struct guard_try try = try_of(req, ask);
	enum reason why = REASON_NONE;
	enum err err = login_password(&login, ask->credential.user, ask->hash,
				      ask->job.right, &ask->who, &why);

	if (err == E_REFUSED)
		return refuse_late(
			req, reply, ask,
			guard_wrong(req->services->guard, &try), why,
			STR("wrong user name or password, or "
			    "two-factor is on: use a personal access "
			    "token as password"));
	guard_right(req->services->guard, &try);
	return err ? asking_fail(reply, ask->post, err) : STATUS_OK;
}

static void on_checked(struct password_job *job)
{
	struct request *req = job->arg;

	req->wake(req);
}

static enum status on_resume(struct request *req, struct reply *reply)
{
	struct asking *ask = req->state;
	enum status status = password_known(req, reply, ask);

	return status == STATUS_OK ? ask->next(req, reply, ask) : status;
}

static enum status by_password(struct request *req, struct reply *reply,
			       struct asking *ask, token_step *next)
{
	const struct login login = login_of(req, ask);
	struct guard_try try = try_of(req, ask);
	unsigned wait = guard_password(req->services->guard, &try);
	struct str hash;
	enum err err;

	if (wait)
		return refuse_429(req, reply, ask,
				  try.user_alone ? REASON_TOO_MANY_FOR_USER
						 : REASON_TOO_MANY_FAILURES,
				  wait);
	ask->counted = try.counted;
	err = login_password_hash(&login, ask->credential.user, &hash);
	ask->hash = arena_copy(req->arena, hash);
	ask->job = (struct password_job) {
		.password = arena_cstr(req->arena, ask->credential.secret),
		.hash = arena_cstr(req->arena, hash),
		.done = on_checked,
		.arg = req,
	};
	ask->next = next;
	req->state = ask;
	req->resume = on_resume;
	if (!err)
		err = password_submit(req->services->pool, &ask->job);
	if (!err)
		return STATUS_PENDING;
	guard_right(req->services->guard, &try);
	return asking_fail(reply, ask->post, err);
}

static enum status by_token(struct request *req, struct reply *reply,
			    struct asking *ask, token_step *next)
{
	const struct login login = login_of(req, ask);
	const struct credential *shown = &ask->credential;
	enum reason why = REASON_NONE;
	enum err err =
		login_pat(&login, shown->user, shown->secret, &ask->who, &why);

	log_owner(reply, ask);
	warn_rotated(req, ask, !err);
	if (err == E_REFUSED && why == REASON_NO_REGISTRY_SCOPE)
		return no_scope(req, reply, ask);
	if (err == E_REFUSED)
		return refuse_token(req, reply, ask, why, bad_token);
	if (err && err != E_NOT_FOUND)
		return asking_fail(reply, ask->post, err);
	if (!err)
		return next(req, reply, ask);
	if (shown->kind == CREDENTIAL_BEARER ||
	    secret_looks_like_token(shown->secret))
		return refuse_token(req, reply, ask, REASON_UNKNOWN_TOKEN,
				    bad_token);
	return by_password(req, reply, ask, next);
}

static enum status by_refresh(struct request *req, struct reply *reply,
			      struct asking *ask, token_step *next)
{
	const struct login login = login_of(req, ask);
	const struct config_service *service =
		live_service(req->live, ask->service)->config;
	/* They may have been switched off since. */
	enum reason why = REASON_UNKNOWN_REFRESH;
	enum err err = E_REFUSED;

	if (service->refresh_tokens)
		err = login_refresh(&login, ask->credential.secret,
				    str_of(service->name), &ask->who, &why);
	log_owner(reply, ask);
	warn_rotated(req, ask, !err);
	if (err == E_REFUSED)
		return refuse_token(req, reply, ask, why,
				    STR("the refresh token is unknown, expired "
					"or revoked: log in again"));
	return err ? asking_fail(reply, ask->post, err) : next(req, reply, ask);
}

static enum status by_nothing(struct request *req, struct reply *reply,
			      struct asking *ask, token_step *next)
{
	reply->log.anonymous = true;
	if (!live_service(req->live, ask->service)->config->anonymous)
		return refuse_401(reply, ask, REASON_NO_CREDENTIALS,
				  STR("this registry asks for a login: use "
				      "docker login with a personal access "
				      "token as password"));
	login_anonymous(&ask->who);
	return next(req, reply, ask);
}

enum status sign_in(struct request *req, struct reply *reply,
		    struct asking *ask, token_step *next)
{
	switch (ask->credential.kind) {
	case CREDENTIAL_NONE:
		return by_nothing(req, reply, ask, next);
	case CREDENTIAL_PASSWORD:
	case CREDENTIAL_BEARER:
		return by_token(req, reply, ask, next);
	case CREDENTIAL_REFRESH:
		return by_refresh(req, reply, ask, next);
	case CREDENTIAL_BAD:
		break;
	}
	return refuse_401(reply, ask, REASON_BAD_CREDENTIALS,
			  STR("the credentials cannot be read, or have no user "
			      "name or password: log in with a user name and a "
			      "personal access token"));
}
