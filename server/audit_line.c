/*
 * server/audit_line.c - see the header. A row is what a member of struct
 * change means in the changes that have it; what has no row is not shown.
 */
#include "server/audit.h"

#include <string.h>

#include "store/pat.h"
#include "token/date.h"
#include "token/encode.h"
#include "token/json.h"
#include "token/limits.h"
#include "token/secret.h"

enum show {
	SHOW_TEXT,
	SHOW_NUMBER,
	SHOW_DATE,
	SHOW_HASH,
	SHOW_FLAG,
	SHOW_ROLE,
	SHOW_TOKEN_KIND,
	SHOW_VISIBILITY,
	SHOW_REGISTRY,
	SHOW_ARCHIVED,
	SHOW_USER_FLAG,
	SHOW_LIST, /* those from here on are lists in JSON */
	SHOW_USER_FLAGS,
	SHOW_SCOPES
};

#define T(type)	   CHANGE_BIT(CHANGE_##type)
#define ANY	   UINT64_MAX
#define MEMBER(of) offsetof(struct change, of)
#define PROJECT	   (T(PROJECT_ADD) | T(PROJECT_SET))

/* clang-format off */
/* `always`: also where it is zero; else that is "not said". */
static const struct shown {
	uint64_t types;
	const char *key;
	enum show how;
	size_t offset;
	bool always;
} rows[] = {
	{ ANY, "user", SHOW_TEXT, MEMBER(user), false },
	{ ANY, "path", SHOW_TEXT, MEMBER(path), false },
	{ T(USER_ADD) | T(USER_EMAIL), "email", SHOW_TEXT, MEMBER(text), false },
	{ T(USER_ADD), "flags", SHOW_USER_FLAGS, MEMBER(flags), false },
	{ T(USER_FLAG), "flag", SHOW_USER_FLAG, MEMBER(flags), false },
	{ T(USER_FLAG), "on", SHOW_FLAG, MEMBER(on), true },
	{ T(TOKEN_ADD), "name", SHOW_TEXT, MEMBER(text), false },
	{ T(TOKEN_ADD), "kind", SHOW_TOKEN_KIND, MEMBER(kind), false },
	{ T(TOKEN_ADD), "scopes", SHOW_SCOPES, MEMBER(scopes), false },
	{ CHANGES_OF_TOKEN, "token_id", SHOW_NUMBER, MEMBER(id), true },
	{ T(TOKEN_REVOKE), "family", SHOW_FLAG, MEMBER(recursive), false },
	{ T(TOKEN_ROTATE), "grace", SHOW_NUMBER, MEMBER(grace), false },
	{ T(REFRESH_ADD), "service", SHOW_TEXT, MEMBER(text), false },
	{ T(MEMBER_PUT) | T(TOKEN_ADD), "role", SHOW_ROLE, MEMBER(role), false },
	{ T(TOKEN_ADD) | T(TOKEN_ROTATE) | T(TOKEN_END) | T(REFRESH_ADD), "expires_at",
	  SHOW_DATE, MEMBER(expires_at), false },
#define X(name, one, several)                                                  \
	{ T(TOKEN_ADD), several, SHOW_LIST, MEMBER(limits[LIMIT_##name]), false },
	LIMIT_LIST(X)
#undef X
	{ T(TOKEN_ADD), "idle", SHOW_NUMBER, MEMBER(idle), false },
	{ PROJECT, "visibility", SHOW_VISIBILITY, MEMBER(visibility), false },
	{ PROJECT, "registry", SHOW_REGISTRY, MEMBER(registry), false },
	{ PROJECT, "archived", SHOW_ARCHIVED, MEMBER(archived), false },
	{ T(SPACE_REMOVE), "recursive", SHOW_FLAG, MEMBER(recursive), false },
	{ T(SETTING_PUT), "setting", SHOW_TEXT, MEMBER(text), false },
	{ T(SETTING_PUT), "value", SHOW_TEXT, MEMBER(value), true },
	{ T(COUNTER_PUT), "counter", SHOW_TEXT, MEMBER(text), false },
	{ T(COUNTER_PUT), "last_id", SHOW_NUMBER, MEMBER(id), true },
	{ T(KEY_NEW) | T(KEY_ACTIVATE) | T(KEY_REMOVE), "kid", SHOW_TEXT, MEMBER(text), false },
	{ T(KEY_NEW), "alg", SHOW_TEXT, MEMBER(value), false },
	{ T(RESTORE), "lost_head", SHOW_NUMBER, MEMBER(id), false },
	{ T(RESTORE), "lost_hash", SHOW_HASH, MEMBER(digest), false },
	{ T(AUDIT_PRUNE), "up_to", SHOW_NUMBER, MEMBER(id), true },
	{ T(AUDIT_PRUNE), "up_to_hash", SHOW_HASH, MEMBER(digest), false },
};
/* clang-format on */

enum { FIELD_MAX = 4096 };

struct value {
	struct str text;
	uint64_t number;
	int64_t when;
	struct digest digest;
};

static struct value value_of(const struct change *change,
			     const struct shown *row)
{
	const char *at = (const char *)change + row->offset;
	struct value value = { 0 };

	switch (row->how) {
	case SHOW_TEXT:
	case SHOW_LIST:
		memcpy(&value.text, at, sizeof(value.text));
		value.number = value.text.len;
		break;
	case SHOW_DATE:
		memcpy(&value.when, at, sizeof(value.when));
		value.number = value.when != 0;
		break;
	case SHOW_HASH:
		memcpy(&value.digest, at, sizeof(value.digest));
		for (size_t i = 0; i < DIGEST_LEN; i++)
			value.number |= (unsigned char)value.digest.at[i];
		break;
	default:
		memcpy(&value.number, at, sizeof(value.number));
		break;
	}
	return value;
}

static void add_word(struct buf *out, struct str word)
{
	if (out->len)
		buf_add_char(out, ',');
	buf_add(out, word);
}

static void add_user_flags(uint64_t flags, struct buf *out)
{
	unsigned bits = (unsigned)flags;
	struct str name;

	while ((name = user_flags_next(&bits)).len)
		add_word(out, name);
}

static void add_scopes(uint64_t scopes, struct buf *out)
{
	unsigned bits = (unsigned)scopes;

	while (bits)
		add_word(out, pat_scopes_next(&bits));
}

/* A name may hold anything, a secret too that was typed in its place. */
static void add_text(struct str text, struct buf *out)
{
	char at[FIELD_MAX];
	size_t n = text.len < sizeof(at) - 1 ? text.len : sizeof(at) - 1;

	if (n)
		memcpy(at, text.at, n);
	at[n] = '\0';
	secret_hide(at);
	buf_add(out, str_of(at));
}

/* All but the numbers and flags, which JSON has its own forms for. */
static void print_value(const struct shown *row, const struct value *value,
			struct buf *out)
{
	uint64_t n = value->number;

	switch (row->how) {
	case SHOW_DATE:
		if (value->when == EXPIRES_NEVER)
			buf_add(out, STR("never"));
		else
			buf_add(out, str_of(time_print(value->when).at));
		break;
	case SHOW_HASH:
		hex_add(out, digest_str(&value->digest));
		break;
	case SHOW_ROLE:
		buf_add(out, role_name((enum role)n));
		break;
	case SHOW_SCOPES:
		add_scopes(n, out);
		break;
	case SHOW_TOKEN_KIND:
		buf_add(out, str_of(pat_kind_name(n)));
		break;
	case SHOW_USER_FLAG:
	case SHOW_USER_FLAGS:
		add_user_flags(n, out);
		break;
	case SHOW_VISIBILITY:
		buf_add(out, visibility_name((enum visibility)(n - 1)));
		break;
	case SHOW_REGISTRY:
		buf_add(out,
			registry_access_name((enum registry_access)(n - 1)));
		break;
	case SHOW_ARCHIVED:
		buf_add(out, n == 2 ? STR("true") : STR("false"));
		break;
	case SHOW_FLAG:
		buf_add(out, n ? STR("true") : STR("false"));
		break;
	case SHOW_NUMBER:
		buf_add_u64(out, n);
		break;
	case SHOW_TEXT:
	case SHOW_LIST:
		add_text(value->text, out);
		break;
	}
}

/* It could pass for further fields or lines: in quotes then. */
static bool ambiguous(struct str word)
{
	for (size_t i = 0; i < word.len; i++)
		if ((unsigned char)word.at[i] <= ' ')
			return true;
	return str_has(word, '=') || str_has(word, '"');
}

static void put_word(struct buf *out, struct str word)
{
	AUTO(buf) struct buf quoted;

	buf_init(&quoted, 6 * FIELD_MAX);
	if (ambiguous(word)) {
		json_str(&quoted, word);
		word = buf_str(&quoted);
	}
	buf_add(out, word);
}

/* Of a line, or behind what is parted from it already. */
static bool first(const struct buf *out)
{
	return !out->len || out->at[out->len - 1] == ' ';
}

static void put_field(const struct shown *row, const struct value *value,
		      bool json, struct buf *out)
{
	AUTO(buf) struct buf text;

	buf_init(&text, FIELD_MAX);
	print_value(row, value, &text);
	if (!json) {
		buf_printf(out, "%s%s=", first(out) ? "" : " ", row->key);
		put_word(out, buf_str(&text));
		return;
	}
	if (row->how == SHOW_NUMBER)
		json_put_int(out, row->key, (int64_t)value->number);
	else if (row->how == SHOW_FLAG)
		json_put_bool(out, row->key, value->number);
	else if (row->how == SHOW_ARCHIVED)
		json_put_bool(out, row->key, value->number == 2);
	else if (row->how >= SHOW_LIST)
		json_put_list(out, row->key, buf_str(&text));
	else
		json_put_str(out, row->key, buf_str(&text));
}

/* The id of the token that it made is not in the entry, but its digest is. */
static void put_made(struct txn *txn, const struct change *change, bool json,
		     struct buf *out)
{
	const struct shown row = { .key = change->type == CHANGE_TOKEN_ADD
						  ? "token_id"
						  : "new_token_id",
				   .how = SHOW_NUMBER };
	struct value value = { 0 };
	struct pat pat;

	if ((change->type != CHANGE_TOKEN_ADD &&
	     change->type != CHANGE_TOKEN_ROTATE) ||
	    pat_find(txn, &change->digest, &pat))
		return;
	value.number = pat.id;
	put_field(&row, &value, json, out);
}

static void put_fields(struct txn *txn, const struct change *change, bool json,
		       struct buf *out)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct value value = value_of(change, &rows[i]);

		if (!(rows[i].types >> change->type & 1) ||
		    (!value.number && !rows[i].always))
			continue;
		put_field(&rows[i], &value, json, out);
	}
	put_made(txn, change, json, out);
}

static void put_hash(struct buf *out, const char *key,
		     const struct digest *digest)
{
	AUTO(buf) struct buf text;

	buf_init(&text, 2 * DIGEST_LEN + 1);
	hex_add(&text, digest_str(digest));
	json_put_str(out, key, buf_str(&text));
}

void audit_put_json(struct txn *txn, const struct log_entry *entry,
		    struct buf *out)
{
	const struct change *change = &entry->change;

	json_put_int(out, "number", (int64_t)entry->number);
	json_put_str(out, "actor", change->actor);
	json_put_str(out, "action", str_of(change_name(change->type)));
	put_fields(txn, change, true, out);
	put_hash(out, "hash", &entry->digest);
	put_hash(out, "previous", &entry->before);
}

void audit_print_json(struct txn *txn, const struct log_entry *entry,
		      struct buf *out)
{
	json_open(out, '{');
	json_put_str(out, "time", str_of(time_print(entry->change.now).at));
	audit_put_json(txn, entry, out);
	json_close(out, '}');
}

void audit_print_text(struct txn *txn, const struct log_entry *entry,
		      struct buf *out)
{
	put_fields(txn, &entry->change, false, out);
}

struct end_text log_end_print(const struct log_end *end)
{
	struct end_text text = { "-" };
	AUTO(buf) struct buf out;

	buf_init(&out, sizeof(text.at) - 1);
	buf_add_u64(&out, end->number);
	buf_add_char(&out, ':');
	hex_add(&out, digest_str(&end->digest));
	if (end->number && !out.over) {
		memcpy(text.at, out.at, out.len);
		text.at[out.len] = '\0';
	}
	return text;
}

enum err log_end_parse(struct str text, struct log_end *out)
{
	struct log_end end = { 0 };
	struct str number;

	*out = end;
	str_cut(&text, ':', &number);
	if (str_to_u64(number, UINT64_MAX, &end.number) || !end.number ||
	    text.len != 2 * DIGEST_LEN)
		return E_SYNTAX;
	for (size_t i = 0; i < DIGEST_LEN; i++) {
		int high = hex_value(text.at[2 * i]);
		int low = hex_value(text.at[2 * i + 1]);

		if (high < 0 || low < 0)
			return E_SYNTAX;
		((unsigned char *)end.digest.at)[i] =
			(unsigned char)(high << 4 | low);
	}
	*out = end;
	return E_OK;
}
