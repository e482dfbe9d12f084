/* server/http/reply.c - errors as JSON, in the form that docker reads. */
#include "server/http/request.h"

#include "token/json.h"

static const struct {
	enum status status;
	const char *code;
} codes[] = {
	{ STATUS_BAD_REQUEST, "BAD_REQUEST" },
	{ STATUS_UNAUTHORIZED, "UNAUTHORIZED" },
	{ STATUS_FORBIDDEN, "DENIED" },
	{ STATUS_NOT_FOUND, "NOT_FOUND" },
	{ STATUS_METHOD, "UNSUPPORTED" },
	{ STATUS_TIMEOUT, "TIMEOUT" },
	{ STATUS_TOO_LARGE, "TOO_LARGE" },
	{ STATUS_URI_TOO_LONG, "TOO_LARGE" },
	{ STATUS_HEADERS_TOO_LARGE, "TOO_LARGE" },
	{ STATUS_UNAVAILABLE, "UNAVAILABLE" },
};

static struct str code_of(enum status status)
{
	for (size_t i = 0; i < COUNT(codes); i++)
		if (codes[i].status == status)
			return str_of(codes[i].code);
	return STR("UNKNOWN");
}

static enum status write_error(struct reply *reply, enum status status,
			       const char *error, struct str message)
{
	struct buf *body = reply->body;

	buf_clear(body);
	json_open(body, '{');
	json_key(body, "errors");
	json_open(body, '[');
	json_open(body, '{');
	json_put_str(body, "code", code_of(status));
	json_put_str(body, "message", message);
	json_put_null(body, "detail");
	json_close(body, '}');
	json_close(body, ']');
	if (error) {
		json_put_str(body, "error", str_of(error));
		json_put_str(body, "error_description", message);
	}
	json_close(body, '}');
	reply->no_store = true;
	reply->max_age = 0;
	if (status == STATUS_UNAUTHORIZED)
		reply->challenge = true;
	if (status == STATUS_UNAVAILABLE && !reply->retry_after)
		reply->retry_after = 1;
	return status;
}

enum status reply_error(struct reply *reply, enum status status,
			struct str message)
{
	return write_error(reply, status, NULL, message);
}

enum status reply_grant_error(struct reply *reply, enum status status,
			      const char *error, struct str message)
{
	return write_error(reply, status, error, message);
}
