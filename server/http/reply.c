/* server/http/reply.c - errors as JSON, in the form that docker reads. */
#include "server/http/request.h"

#include "token/json.h"

static const struct row {
	enum status status;
	const char *phrase, *code;
} rows[] = {
#define X(name, number, phrase, code) { STATUS_##name, phrase, code },
	STATUS_LIST(X)
#undef X
};

static const struct row *row_of(enum status status)
{
	size_t i = 0;

	while (i < COUNT(rows) && rows[i].status != status)
		i++;
	assert(i < COUNT(rows));
	return &rows[i];
}

const char *status_phrase(enum status status)
{
	return row_of(status)->phrase;
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
	json_put_str(body, "code", str_of(row_of(status)->code));
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
	reply->cache = NULL;
	if (status == STATUS_UNAUTHORIZED)
		reply->challenge = true;
	if (status == STATUS_UNAVAILABLE && !reply->retry_after)
		reply->retry_after = "1";
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
