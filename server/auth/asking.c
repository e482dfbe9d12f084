/* server/auth/asking.c - from parameters to a struct asking; refusals. */
#include "server/auth/asking.h"

#include <string.h>

#include "server/log.h"
#include "token/secret.h"

enum { SCOPES_MAX = 128 * 1024 };

/* What Go's strconv.ParseBool calls true. */
static bool parse_bool(struct str s)
{
	static const char *const yes[] = {
		"1", "t", "T", "true", "TRUE", "True"
	};

	for (size_t i = 0; i < COUNT(yes); i++)
		if (str_eq(s, str_of(yes[i])))
			return true;
	return false;
}

static const char *grant_error(enum status status)
{
	switch (status) {
	case STATUS_BAD_REQUEST:
		return "invalid_request";
	case STATUS_UNAUTHORIZED:
		return "invalid_grant";
	case STATUS_FORBIDDEN:
		return "unauthorized_client";
	case STATUS_TOO_MANY:
	case STATUS_UNAVAILABLE:
		return "temporarily_unavailable";
	default:
		return "server_error";
	}
}

enum status asking_refuse(struct reply *reply, bool post, enum status status,
			  enum reason reason, struct str message)
{
	reply->log.reason = reason;
	if (!post)
		return reply_error(reply, status, message);
	return reply_grant_error(reply, status, grant_error(status), message);
}

enum status asking_fail_as(struct reply *reply, bool post, enum err err,
			   const char *why)
{
	if (err == E_BUSY)
		return asking_refuse(reply, post, STATUS_UNAVAILABLE,
				     REASON_TOO_BUSY,
				     STR("too much to do: try again in a "
					 "moment"));
	log_event(LEVEL_ERROR, "failure", "a token could not be made: %s", why);
	return asking_refuse(reply, post, STATUS_INTERNAL, REASON_FAILURE,
			     STR("the token server has failed: its log says "
				 "why"));
}

enum status asking_fail(struct reply *reply, bool post, enum err err)
{
	return asking_fail_as(reply, post, err, err_text(err));
}

static enum status bad_request(struct reply *reply, bool post,
			       const struct cause *cause)
{
	return asking_refuse(reply, post, STATUS_BAD_REQUEST,
			     REASON_BAD_REQUEST, str_of(cause->text));
}

static bool is_form(struct str type)
{
	struct str head;

	str_cut(&type, ';', &head);
	head = str_trim(head);
	return !head.len ||
	       str_eq_nocase(head, STR("application/x-www-form-urlencoded"));
}

/* A form's grant_type. */
static enum status read_grant(struct reply *reply, struct asking *out)
{
	struct str grant;
	struct cause cause;

	if (params_one(&out->params, STR("grant_type"), &grant, &cause))
		return bad_request(reply, true, &cause);
	if (str_eq(grant, STR("password")))
		out->grant = GRANT_PASSWORD;
	else if (str_eq(grant, STR("refresh_token")))
		out->grant = GRANT_REFRESH;
	else if (!grant.len)
		return asking_refuse(reply, true, STATUS_BAD_REQUEST,
				     REASON_BAD_REQUEST,
				     STR("grant_type is missing: send password "
					 "or refresh_token"));
	else {
		reply->log.reason = REASON_BAD_REQUEST;
		return reply_grant_error(reply, STATUS_BAD_REQUEST,
					 "unsupported_grant_type",
					 STR("grant_type is neither password "
					     "nor refresh_token"));
	}
	out->offline = str_eq(params_first(&out->params, STR("access_type")),
			      STR("offline"));
	return STATUS_OK;
}

/* On POST a service in the query counts if the body has none. */
static enum err read_service(struct request *req, struct asking *out,
			     struct cause *cause)
{
	struct params query;
	struct str other;
	enum err err =
		params_one(&out->params, STR("service"), &out->service, cause);

	if (err || !out->post || !req->query.len)
		return err;
	err = params_parse(req->query, req->arena, &query, cause);
	if (!err)
		err = params_one(&query, STR("service"), &other, cause);
	if (err || !other.len)
		return err;
	if (!out->service.len)
		out->service = other;
	else if (!str_eq(out->service, other))
		return cause_set(cause, E_REFUSED,
				 "two different values of service: send one");
	return E_OK;
}

/* Who types his secret twice has told no name. */
static struct str logged_user(const struct credential *credential)
{
	if (secret_eq(credential->user, credential->secret))
		return credential->user.len ? STR("***") : STR("");
	return credential->user;
}

static void fill_log(const struct request *req, const struct asking *ask,
		     struct reply *reply)
{
	reply->log.service = ask->service;
	if (ask->want)
		reply->log.asked = asking_print(ask->want, req->arena);
	reply->log.client = ask->client.len ? ask->client : req->user_agent;
	if (ask->credential.kind == CREDENTIAL_PASSWORD)
		reply->log.user = logged_user(&ask->credential);
}

static enum err read_scopes(const struct request *req, struct asking *out,
			    struct cause *cause)
{
	struct scope_list want; /* large: not zeroed for each request */
	enum err err = E_OK;

	want.len = want.seen = 0;
	for (size_t i = 0; i < out->params.len && !err; i++)
		if (str_eq(out->params.at[i].name, STR("scope")))
			err = scope_parse(out->params.at[i].value, req->arena,
					  &want, cause);
	if (err)
		return err;
	scope_merge(&want);
	out->want = scope_copy(&want, req->arena);
	return E_OK;
}

struct str asking_print(const struct scope_list *list, struct arena *arena)
{
	AUTO(buf) struct buf text;

	buf_init(&text, SCOPES_MAX);
	scope_print(list, &text);
	return arena_copy(arena, buf_str(&text));
}

enum status asking_read(struct request *req, struct reply *reply, bool post,
			struct asking *out)
{
	struct cause cause;
	enum status status;
	enum err err;

	*out = (struct asking) { .post = post };
	reply->log.wanted = true;
	reply->log.client = req->user_agent;
	if (post && !is_form(req->content_type)) {
		cause_set(&cause, E_SYNTAX,
			  "the body is no form: send "
			  "application/x-www-form-urlencoded");
		return bad_request(reply, post, &cause);
	}
	if (params_parse(post ? req->body : req->query, req->arena,
			 &out->params, &cause))
		return bad_request(reply, post, &cause);
	out->client = params_first(&out->params, STR("client_id"));
	out->offline =
		parse_bool(params_first(&out->params, STR("offline_token")));
	status = post ? read_grant(reply, out) : STATUS_OK;
	if (status != STATUS_OK)
		return status;
	err = credential_read(req, post ? &out->params : NULL, out->grant,
			      &out->credential, &cause);
	if (!err)
		err = read_scopes(req, out, &cause);
	if (!err)
		err = read_service(req, out, &cause);
	fill_log(req, out, reply);
	return err ? bad_request(reply, post, &cause) : STATUS_OK;
}
