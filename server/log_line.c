/* server/log_line.c - what a line of the log looks like. */
#include "server/log.h"

#include <stdio.h>
#include <string.h>

#include "server/audit.h"
#include "token/date.h"
#include "token/json.h"
#include "token/secret.h"

/* Bytes of what a client sent; escaped, a byte may become six. */
enum {
	NAME_MAX_SHOWN = 255,
	SCOPES_MAX_SHOWN = 4096, /* nothing in them is escaped */
	SHOWN_SIZE = SCOPES_MAX_SHOWN + SECRET_MAX
};

static const char *const levels[] = {
	[LEVEL_INFO] = "info",
	[LEVEL_WARNING] = "warning",
	[LEVEL_ERROR] = "error",
};

static struct date_text stamp(int64_t when)
{
	static _Thread_local struct date_text text;
	static _Thread_local int64_t second = -1;
	int ms = (int)(when % 1000);

	if (when / 1000 != second) {
		second = when / 1000;
		text = time_print(second);
	}

	/* "2027-01-31T08:15:00.000Z" */
	text.at[20] = (char)('0' + ms / 100);
	text.at[21] = (char)('0' + ms / 10 % 10);
	text.at[22] = (char)('0' + ms % 10);
	return text;
}

/* Behind a time of 24 bytes, and what JSON puts around it. */
enum log_level log_line_level(struct str line)
{
	size_t at = line.len && line.at[0] == '{' ? 44 : 25;
	char c = at < line.len ? line.at[at] : '\0';

	return c == 'e' ? LEVEL_ERROR : c == 'w' ? LEVEL_WARNING : LEVEL_INFO;
}

static void json_head(int64_t when, enum log_level level, const char *event,
		      struct buf *out)
{
	struct date_text time = stamp(when);

	json_open(out, '{');
	json_put_str(out, "time", str_of(time.at));
	json_put_str(out, "level", str_of(levels[level]));
	json_put_str(out, "event", str_of(event));
}

static void text_head(int64_t when, enum log_level level, const char *event,
		      struct buf *out)
{
	struct date_text time = stamp(when);

	buf_printf(out, "%s %s %s", time.at, levels[level], event);
}

/*
 * Without a secret that came in the wrong place, and with its end said. By a
 * part of it nobody knows a secret: what is cut is looked at whole.
 */
static struct str shown(struct str s, size_t max, char at[SHOWN_SIZE])
{
	size_t most = max + SECRET_MAX - 1;
	size_t len = s.len < most ? s.len : most;

	if (len)
		memcpy(at, s.at, len);
	at[len] = '\0';
	secret_hide(at);
	secret_hide_wrapped(at);
	if (s.len > max)
		snprintf(at + max, SHOWN_SIZE - max, " ... %zu bytes more",
			 s.len - max);
	return str_of(at);
}

/* The colon keeps json_str() from placing a comma. */
static void text_str(struct buf *out, const char *key, struct str s)
{
	if (!s.len)
		return;
	buf_printf(out, " %s:", key);
	json_str(out, s);
}

static enum log_level level_of(enum status status)
{
	return status >= 500 ? LEVEL_ERROR : LEVEL_INFO;
}

static void print_json(const struct log_token *line, struct buf *out)
{
	const struct request_log *log = line->log;
	char at[SHOWN_SIZE];

	json_head(line->when, level_of(line->status), "token", out);
	json_put_str(out, "addr", line->address);
	if (line->certificate.len)
		json_put_str(out, "certificate",
			     shown(line->certificate, NAME_MAX_SHOWN, at));
	json_put_str(out, "user", shown(log->user, NAME_MAX_SHOWN, at));
	if (log->token_id)
		json_put_int(out, "token_id", (int64_t)log->token_id);
	else
		json_put_null(out, "token_id");
	json_put_str(out, "client", shown(log->client, NAME_MAX_SHOWN, at));
	json_put_str(out, "service", shown(log->service, NAME_MAX_SHOWN, at));
	json_put_str(out, "asked", shown(log->asked, SCOPES_MAX_SHOWN, at));
	json_put_str(out, "granted", shown(log->granted, SCOPES_MAX_SHOWN, at));
	json_put_str(out, "reason", reason_code(log->reason));
	json_put_int(out, "status", line->status);
	json_put_int(out, "us", (int64_t)line->us);
	json_close(out, '}');
}

static void print_text(const struct log_token *line, struct buf *out)
{
	const struct request_log *log = line->log;
	char at[SHOWN_SIZE];

	text_head(line->when, level_of(line->status), "token", out);
	buf_printf(out, " %d " STR_FMT, (int)line->status,
		   STR_ARG(reason_code(log->reason)));
	text_str(out, "addr", line->address);
	text_str(out, "certificate",
		 shown(line->certificate, NAME_MAX_SHOWN, at));
	if (log->anonymous)
		buf_add(out, STR(" anonymous"));
	text_str(out, "user", shown(log->user, NAME_MAX_SHOWN, at));
	if (log->token_id)
		buf_printf(out, " token_id:%llu",
			   (unsigned long long)log->token_id);
	text_str(out, "client", shown(log->client, NAME_MAX_SHOWN, at));
	text_str(out, "service", shown(log->service, NAME_MAX_SHOWN, at));
	text_str(out, "asked", shown(log->asked, SCOPES_MAX_SHOWN, at));
	text_str(out, "granted", shown(log->granted, SCOPES_MAX_SHOWN, at));
	buf_printf(out, " %lluus", (unsigned long long)line->us);
}

void log_print_token(const struct log_token *line, enum log_format format,
		     struct buf *out)
{
	if (format == FORMAT_JSON)
		print_json(line, out);
	else
		print_text(line, out);
	buf_add_char(out, '\n');
}

void log_print_change(struct txn *txn, const struct log_entry *entry,
		      uint64_t count, enum log_format format, struct buf *out)
{
	const struct change *change = &entry->change;

	if (format == FORMAT_JSON) {
		json_head(change->now * 1000, LEVEL_INFO, "change", out);
		audit_put_json(txn, entry, out);
		if (count > 1)
			json_put_int(out, "count", (int64_t)count);
		json_close(out, '}');
	} else {
		text_head(change->now * 1000, LEVEL_INFO, "change", out);
		buf_printf(out, " %llu " STR_FMT " %s ",
			   (unsigned long long)entry->number,
			   STR_ARG(change->actor), change_name(change->type));
		audit_print_text(txn, entry, out);
		if (count > 1)
			buf_printf(out, " count=%llu",
				   (unsigned long long)count);
	}
	buf_add_char(out, '\n');
}

void log_print_event(int64_t when, enum log_level level, const char *event,
		     const struct log_about *about, struct str message,
		     enum log_format format, struct buf *out)
{
	if (format == FORMAT_JSON) {
		json_head(when, level, event, out);
		if (about) {
			json_put_str(out, "addr", about->address);
			if (about->token_id)
				json_put_int(out, "token_id",
					     (int64_t)about->token_id);
		}
		json_put_str(out, "message", message);
		json_close(out, '}');
	} else {
		text_head(when, level, event, out);
		if (about) {
			text_str(out, "addr", about->address);
			if (about->token_id)
				buf_printf(out, " token_id:%llu",
					   (unsigned long long)about->token_id);
		}
		text_str(out, "message", message);
	}
	buf_add_char(out, '\n');
}
