/* server/jobs/message.c - see the header. */
#include "server/jobs/message.h"

#include "store/expiry.h"
#include "store/pat.h"
#include "store/space.h"
#include "store/user.h"
#include "token/date.h"
#include "token/json.h"
#include "token/mail.h"

enum { TEXT_MAX = 64 * 1024, NAMED = 3 };

/* What is said of each kind of notice. */
static const struct wording {
	const char *event;	/* of the webhook */
	const char *one, *many; /* behind the tokens of the subject */
	const char *news, *advice;
} wordings[] = {
	[JOB_EXPIRING] = {
		"token_expiring", "expires soon", "expire soon",
		"will soon expire. From 00:00 UTC of its date a token is "
		"refused.",
		"If it is still used, make a new one and put it where the old "
		"one is used\nbefore that date: dockpass token rotate ID, or "
		"dockpass token create. If it is\nnot, there is nothing to "
		"do.",
	},
	[JOB_EXPIRED] = {
		"token_expired", "has expired", "have expired",
		"has reached its date, 00:00 UTC.",
		"If it is still used, make a new one and put it where the old "
		"one was used:\ndockpass token create. If it is not, there is "
		"nothing to do.",
	},
	[JOB_LIFETIME] = {
		"token_revoked", "was revoked", "were revoked",
		"was revoked, as it was to live longer than is allowed here.",
		"If it was used, make a new one with an earlier date, and put "
		"it where the old\none was used: dockpass token create "
		"--expires YYYY-MM-DD.",
	},
};

static enum err read_user(struct txn *txn, struct arena *arena,
			  struct message *out, struct cause *cause)
{
	struct user user;
	enum err err = user_get(txn, out->notice.user, &user);

	if (err)
		return err;
	if (user.flags & USER_BLOCKED)
		return cause_set(cause, E_REFUSED, "blocked");
	out->name = arena_copy(arena, user.name);
	out->email = arena_copy(arena, user.email);
	if (out->notice.way == WAY_MAIL && !mail_address_valid(out->email))
		return cause_set(cause, E_REFUSED,
				 "no usable e-mail address; set it with "
				 "dockpass user set NAME --email ADDRESS");
	return E_OK;
}

static enum err read_space(struct txn *txn, struct arena *arena,
			   struct message *out)
{
	struct space space;
	enum err err = space_get(txn, out->notice.space, &space);

	out->path = arena_copy(arena, space.path);
	out->project = space.kind == SPACE_PROJECT;
	return err;
}

static struct str clean(struct arena *arena, struct str text)
{
	AUTO(buf) struct buf buf;

	buf_init(&buf, text.len + 1);
	mail_clean(&buf, text);
	return arena_copy(arena, buf_str(&buf));
}

/* Those past the hundredth are counted, and not known. */
static enum err read_tokens(struct txn *txn, int64_t now, struct arena *arena,
			    struct message *out)
{
	struct notice *notice = &out->notice;
	size_t all = notice->len;

	notice->len = 0;
	for (size_t i = 0; i < all; i++) {
		struct pat pat;
		enum err err = pat_get(txn, notice->tokens[i], &pat);

		if (err && err != E_NOT_FOUND)
			return err;
		if (err || !expiry_concerns(notice->job, &pat, day_of(now))) {
			notice->total--;
			continue;
		}
		out->tokens[notice->len++] = (struct message_token) {
			.id = pat.id,
			.name = clean(arena, pat.name),
			.expires_at = pat.expires_at,
		};
	}
	return notice->total ? E_OK : E_NOT_FOUND;
}

enum err message_read(struct txn *txn, const struct notice *notice, int64_t now,
		      struct arena *arena, struct message *out,
		      struct cause *cause)
{
	enum err err = E_OK;

	*out = (struct message) { .notice = *notice };
	if (notice->user)
		err = read_user(txn, arena, out, cause);
	if (!err && notice->space)
		err = read_space(txn, arena, out);
	return err ? err : read_tokens(txn, now, arena, out);
}

struct str message_whom(struct txn *txn, const struct notice *notice,
			struct arena *arena)
{
	struct user user;

	if (notice->way == WAY_HOOK)
		return STR("the webhook");
	if (user_get(txn, notice->user, &user))
		return STR("a user who is gone");
	return arena_printf(arena, "user " STR_FMT " (" STR_FMT ")",
			    STR_ARG(user.name), STR_ARG(user.email));
}

static struct str date_text(struct arena *arena, int64_t when)
{
	return when ? arena_printf(arena, "%s", date_print(when).at)
		    : STR("no date");
}

/* The earliest: what has to be done has to be done by then; or it is done. */
static int64_t first_date(const struct message *message)
{
	int64_t first = 0;

	if (message->notice.job == JOB_LIFETIME)
		return message->notice.date;
	for (size_t i = 0; i < message->notice.len; i++) {
		int64_t date = message->tokens[i].expires_at;

		if (date && (!first || date < first))
			first = date;
	}
	return first ? first : message->notice.date;
}

/* The name, cut at a character's end when it is long. */
static void add_name(struct buf *out, struct str name)
{
	char text[60];
	size_t len = print_copy(name, text, sizeof(text));

	buf_add_char(out, '"');
	buf_add(out, (struct str) { text, len });
	if (len < name.len)
		buf_add(out, STR("..."));
	buf_add_char(out, '"');
}

/* dockpass: "ci", "laptop" and 3 more: expires soon (2027-01-31) */
static void add_subject(const struct message *message, struct arena *arena,
			struct buf *out)
{
	const struct notice *notice = &message->notice;
	AUTO(buf) struct buf text;
	size_t named = notice->len < NAMED ? notice->len : NAMED;

	buf_init(&text, 1024);
	buf_printf(&text, "dockpass: access token%s ",
		   notice->total > 1 ? "s" : "");
	for (size_t i = 0; i < named; i++) {
		if (i)
			buf_add(&text, STR(", "));
		add_name(&text, message->tokens[i].name);
	}
	if (notice->total > named)
		buf_printf(&text, named ? " and %llu more" : "%llu",
			   (unsigned long long)(notice->total - named));
	buf_printf(&text, ": %s (" STR_FMT ")",
		   notice->total > 1 ? wordings[notice->job].many
				     : wordings[notice->job].one,
		   STR_ARG(date_text(arena, first_date(message))));
	mail_header(out, "Subject", buf_str(&text));
}

static void add_tokens(const struct message *message, struct arena *arena,
		       struct buf *out)
{
	const struct notice *notice = &message->notice;

	for (size_t i = 0; i < notice->len; i++) {
		const struct message_token *token = &message->tokens[i];

		buf_printf(out, "  " STR_FMT "  " STR_FMT " (id %llu)\n",
			   STR_ARG(date_text(arena, token->expires_at)),
			   STR_ARG(token->name), (unsigned long long)token->id);
	}
	if (notice->total > notice->len)
		buf_printf(out, "  and %llu more\n",
			   (unsigned long long)(notice->total - notice->len));
}

static void add_text(const struct message *message, struct arena *arena,
		     struct str url, struct buf *out)
{
	const struct notice *notice = &message->notice;
	const struct wording *wording = &wordings[notice->job];

	buf_printf(out, "Hello " STR_FMT ",\n\n", STR_ARG(message->name));
	if (message->path.len)
		buf_printf(out,
			   "each of these access tokens of the %s " STR_FMT
			   "\n",
			   message->project ? "project" : "group",
			   STR_ARG(message->path));
	else
		buf_add(out, STR("each of these access tokens of yours "));
	buf_printf(out, "for " STR_FMT "\n%s\n", STR_ARG(url), wording->news);
	if (notice->job == JOB_LIFETIME)
		buf_printf(out, "A token may live for %llu days.\n",
			   (unsigned long long)notice->days);
	buf_add_char(out, '\n');
	add_tokens(message, arena, out);
	buf_printf(out, "\n%s\n", wording->advice);
}

static struct str domain_of(struct str address)
{
	struct str local;

	str_cut(&address, '@', &local);
	return address;
}

void message_letter(const struct message *message, struct str from,
		    struct str url, struct buf *out)
{
	const struct notice *notice = &message->notice;
	AUTO(arena) struct arena arena;
	AUTO(buf) struct buf text;

	arena_init(&arena);
	buf_init(&text, TEXT_MAX);
	mail_date(out, notice->queued_at);
	mail_header(out, "From", from);
	mail_header(out, "To", message->email);
	add_subject(message, &arena, out);
	buf_printf(out,
		   "Message-ID: <%llu.%lld.dockpass@" STR_FMT ">\r\n"
		   "Auto-Submitted: auto-generated\r\n",
		   (unsigned long long)notice->id, (long long)notice->queued_at,
		   STR_ARG(domain_of(from)));
	add_text(message, &arena, url, &text);
	out->over |= text.over;
	mail_body(out, buf_str(&text));
}

static void put_date(struct buf *out, const char *key, int64_t when)
{
	if (when)
		json_put_str(out, key, str_of(date_print(when).at));
	else
		json_put_null(out, key);
}

void message_json(const struct message *message, struct str url,
		  struct buf *out)
{
	const struct notice *notice = &message->notice;

	json_open(out, '{');
	json_put_int(out, "id", (int64_t)notice->id);
	json_put_str(out, "event", str_of(wordings[notice->job].event));
	json_put_str(out, "url", url);
	put_date(out, "date", notice->date);
	if (message->name.len)
		json_put_str(out, "user", message->name);
	if (message->path.len)
		json_put_str(out, message->project ? "project" : "group",
			     message->path);
	json_key(out, "tokens");
	json_open(out, '[');
	for (size_t i = 0; i < notice->len; i++) {
		json_open(out, '{');
		json_put_int(out, "id", (int64_t)message->tokens[i].id);
		json_put_str(out, "name", message->tokens[i].name);
		put_date(out, "expires_at", message->tokens[i].expires_at);
		json_close(out, '}');
	}
	json_close(out, ']');
	json_put_int(out, "total", (int64_t)notice->total);
	json_close(out, '}');
}
