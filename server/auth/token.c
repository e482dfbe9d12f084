/* server/auth/token.c - see the header: the course of a token request. */
#include "server/auth/token.h"

#include <string.h>

#include <openssl/rand.h>

#include "server/auth/asking.h"
#include "server/log.h"
#include "server/services.h"
#include "store/access.h"
#include "store/refresh.h"
#include "token/date.h"
#include "token/json.h"

enum {
	LEAST_TTL = 60,	       /* distribution spec/auth/token.md */
	REPLY_MAX = 60 * 1024, /* clients read no more, or their proxies */
};

/* Not past the death of the PAT, not under what clients expect. */
static int64_t expiry(const struct identity *who, int64_t now, unsigned ttl)
{
	int64_t end = now + ttl;

	if (who->dies_at && who->dies_at < end)
		end = who->dies_at;
	return end < now + LEAST_TTL ? now + LEAST_TTL : end;
}

/* The JWT, twice: "token" and "access_token" (docker reads either). */
static enum err write_jwt(struct request *req, const struct claims *claims,
			  struct str header, struct buf *body)
{
	size_t begin, len;
	char *again;
	enum err err;

	json_key(body, "token");
	buf_add_char(body, '"');
	begin = body->len;
	err = claims_sign(claims, header, req->signer, body);
	if (err)
		return err;
	len = body->len - begin;
	buf_add(body, STR("\",\"access_token\":\""));
	again = buf_room(body, len);
	if (!again)
		return E_LIMIT;
	memcpy(again, body->at + begin, len);
	buf_grew(body, len);
	buf_add_char(body, '"');
	return E_OK;
}

/* Random bytes for many at once: a draw of 16 costs as much as one of 500. */
static enum err make_jti(unsigned char out[JTI_LEN])
{
	static _Thread_local struct {
		unsigned char at[64 * JTI_LEN];
		size_t left;
	} drawn;

	if (!drawn.left && RAND_bytes(drawn.at, sizeof(drawn.at)) != 1)
		return E_CRYPTO;
	if (!drawn.left)
		drawn.left = sizeof(drawn.at);
	drawn.left -= JTI_LEN;
	memcpy(out, drawn.at + drawn.left, JTI_LEN);
	return E_OK;
}

static enum err write_answer(struct request *req, const struct asking *ask,
			     const struct live_service *service,
			     const struct scope_list *may, struct str scopes,
			     struct buf *body)
{
	struct claims claims = {
		.issuer = str_of(req->live->config->issuer),
		.audience = str_of(service->config->name),
		.subject = ask->who.name,
		.now = req->now,
		.expires_at = expiry(&ask->who, req->now, service->config->ttl),
		.access = may,
	};
	enum err err = make_jti(claims.jti);

	if (err)
		return err;
	json_open(body, '{');
	err = write_jwt(req, &claims, live_header(req->live, service, req->now),
			body);
	if (err)
		return err;
	json_put_int(body, "expires_in", claims.expires_at - req->now);
	if (ask->refresh.len)
		json_put_str(body, "refresh_token", ask->refresh);
	if (ask->post)
		json_put_str(body, "scope", scopes);
	json_close(body, '}');
	return body->over || body->len > REPLY_MAX ? E_LIMIT : E_OK;
}

static enum status unknown_service(struct reply *reply,
				   const struct asking *ask)
{
	return asking_refuse(
		reply, ask->post, STATUS_BAD_REQUEST,
		ask->service.len ? REASON_UNKNOWN_SERVICE : REASON_NO_SERVICE,
		ask->service.len ? STR("no registry of that name is known "
				       "here: check auth.token.service")
				 : STR("service is missing: this server has "
				       "several registries"));
}

/* ask->who is known, and so is the refresh token if there is to be one. */
static enum status answer(struct request *req, struct reply *reply,
			  struct asking *ask)
{
	const struct live_service *service =
		live_service(req->live, ask->service);
	struct scope_list may;
	struct str granted;
	enum err err;

	if (!service) /* it was there before a reload */
		return unknown_service(reply, ask);
	err = access_decide(req->txn, &ask->who, ask->want, NULL, &may,
			    &reply->log.reason);
	if (err)
		return asking_fail(reply, ask->post, err);
	granted = reply->log.reason == REASON_GRANTED
			  ? reply->log.asked
			  : asking_print(&may, req->arena);
	reply->log.granted = granted;
	err = write_answer(req, ask, service, &may, granted, reply->body);
	if (err == E_LIMIT)
		return asking_refuse(reply, ask->post, STATUS_BAD_REQUEST,
				     REASON_BAD_REQUEST,
				     STR("the token would be longer than "
					 "60 KiB: ask for fewer scopes"));
	if (err)
		return asking_fail(reply, ask->post, err);
	reply->no_store = true;
	return STATUS_OK;
}

static void on_written(struct change *change, void *arg)
{
	struct request *req = arg;

	(void)change;
	req->wake(req);
}

/*
 * Refused, as the PAT or its owner has died since: then no token either. So the
 * secret is looked at once more, in a view of the store that has seen it.
 */
static enum status on_refresh_added(struct request *req, struct reply *reply)
{
	struct asking *ask = req->state;
	enum err err = ask->change.result;

	if (err == E_NOT_FOUND || err == E_REFUSED) {
		ask->refresh = (struct str) { 0 };
		return sign_in(req, reply, ask, answer);
	}
	if (err)
		return asking_fail_as(reply, ask->post, err,
				      ask->change.cause.text);
	return answer(req, reply, ask);
}

static enum status add_refresh(struct request *req, struct reply *reply,
			       struct asking *ask,
			       const struct live_service *service)
{
	unsigned char random[REFRESH_RANDOM];
	AUTO(secret) struct secret secret = { .len = 0 };
	struct digest digest;
	enum err err;

	if (RAND_bytes(random, sizeof(random)) != 1)
		return asking_fail(reply, ask->post, E_CRYPTO);
	secret = secret_refresh(random);
	err = secret_digest(secret_str(&secret), &digest);
	if (err)
		return asking_fail(reply, ask->post, err);
	ask->refresh = arena_copy(req->arena, secret_str(&secret));
	ask->change = (struct change) {
		.type = CHANGE_REFRESH_ADD,
		.now = req->now,
		.actor = ask->who.name,
		.text = arena_copy(req->arena, str_of(service->config->name)),
		.digest = digest,
		.id = ask->who.pat,
		.expires_at = req->now + (int64_t)REFRESH_DAYS * DAY,
	};
	req->state = ask;
	req->resume = on_refresh_added;
	err = writer_submit(req->services->writer, &ask->change, on_written,
			    req);
	return err ? asking_fail(reply, ask->post, err) : STATUS_PENDING;
}

/*
 * Only a PAT gets a refresh token: neither a password, whose change would not
 * end it, nor the anonymous. With grant_type=refresh_token it is the same one.
 */
static enum status signed_in(struct request *req, struct reply *reply,
			     struct asking *ask)
{
	const struct live_service *service =
		live_service(req->live, ask->service);

	if (ask->who.kind == IDENTITY_USER)
		reply->log.user = ask->who.name;
	if (!service)
		return unknown_service(reply, ask);
	if (!ask->offline || !service->config->refresh_tokens || !ask->who.pat)
		return answer(req, reply, ask);
	if (ask->grant != GRANT_REFRESH)
		return add_refresh(req, reply, ask, service);
	ask->refresh = ask->credential.secret;
	return answer(req, reply, ask);
}

static enum status token_any(struct request *req, struct reply *reply,
			     bool post)
{
	struct asking *ask = arena_alloc(req->arena, sizeof(*ask));
	enum status status = asking_read(req, reply, post, ask);

	if (status != STATUS_OK)
		return status;
	if (!live_service(req->live, ask->service))
		return unknown_service(reply, ask);
	return sign_in(req, reply, ask, signed_in);
}

enum status token_get(struct request *req, struct reply *reply)
{
	return token_any(req, reply, false);
}

enum status token_post(struct request *req, struct reply *reply)
{
	return token_any(req, reply, true);
}
