/*
 * store/setting.c - table "setting": name -> u8 version=1, time of its setting,
 * text value, as setting_print() writes it.
 *
 *   6d61785f746f6b656e5f6c69666574696d65 -> 01 0000000067f00000 0002 3930
 *   "max_token_lifetime"                                             "90"
 */
#include "store/setting.h"

#include <string.h>

#include "store/record.h"
#include "token/json.h"

enum { SETTING_VERSION = 1 };

const struct setting_row setting_rows[SETTING_COUNT] = {
#define X(name, kind, init, least, most, takes, help)                          \
	{ { #name, sizeof(#name) - 1 },                                        \
	  SETTING_##kind,                                                      \
	  offsetof(struct settings, name),                                     \
	  least,                                                               \
	  most,                                                                \
	  takes,                                                               \
	  help },
	SETTING_LIST(X)
#undef X
};

static const struct settings defaults = {
#define X(name, kind, init, least, most, takes, help) .name = init,
	SETTING_LIST(X)
#undef X
};

static const size_t sizes[] = {
	[SETTING_BOOL] = sizeof(bool),
	[SETTING_DAYS] = sizeof(uint64_t),
	[SETTING_DAY_LIST] = sizeof(struct day_list),
	[SETTING_PREFIX] = sizeof(struct prefix),
};

static void *value_of(struct settings *settings, enum setting setting)
{
	return (char *)settings + setting_rows[setting].offset;
}

static const void *value_in(const struct settings *settings,
			    enum setting setting)
{
	return (const char *)settings + setting_rows[setting].offset;
}

static bool is_setting(struct str name, enum setting *out)
{
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		*out = (enum setting)i;
		if (str_eq(name, setting_rows[i].name))
			return true;
	}
	return false;
}

enum err setting_find(struct str name, enum setting *out, struct cause *cause)
{
	size_t len = 0;
	char names[256];

	if (is_setting(name, out))
		return E_OK;
	*out = 0;
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		struct str next = setting_rows[i].name;

		assert(len + next.len + 3 < sizeof(names));
		if (i)
			memcpy(names + len, ", ", 2);
		len += i ? 2 : 0;
		memcpy(names + len, next.at, next.len);
		len += next.len;
	}
	return cause_set(
		cause, E_NOT_FOUND, "no such setting '%.*s'; there are: %.*s",
		(int)(name.len < 40 ? name.len : 40), name.at, (int)len, names);
}

static size_t day_list_len(const struct day_list *list)
{
	size_t len = 0;

	while (list->at[len])
		len++;
	return len;
}

static enum err parse_number(const struct setting_row *row, struct str text,
			     uint64_t *out, struct cause *cause)
{
	if (!str_to_u64(text, row->most, out) && *out >= row->least)
		return E_OK;
	return cause_set(cause, E_SYNTAX,
			 STR_FMT ": '%.*s' is no number of days from %llu to "
				 "%llu",
			 STR_ARG(row->name),
			 (int)(text.len < 40 ? text.len : 40), text.at,
			 (unsigned long long)row->least,
			 (unsigned long long)row->most);
}

/* Sorted in, the highest first; one that is there is not there twice. */
static void add_day(struct day_list *list, size_t len, uint64_t day)
{
	size_t at = 0;

	while (list->at[at] > day)
		at++;
	if (list->at[at] == day)
		return;
	memmove(list->at + at + 1, list->at + at,
		(len - at) * sizeof(*list->at));
	list->at[at] = day;
}

static enum err parse_list(const struct setting_row *row, struct str text,
			   struct day_list *out, struct cause *cause)
{
	struct day_list list = { 0 };
	bool more;

	do {
		struct str word;
		uint64_t day;
		size_t len = day_list_len(&list);
		enum err err;

		more = str_has(text, ',');
		str_cut(&text, ',', &word);
		err = parse_number(row, str_trim(word), &day, cause);
		if (err)
			return err;
		if (len == NOTICES_MAX)
			return cause_set(cause, E_SYNTAX,
					 STR_FMT ": at most %d numbers",
					 STR_ARG(row->name), (int)NOTICES_MAX);
		add_day(&list, len, day);
	} while (more);
	*out = list;
	return E_OK;
}

static enum err parse_bool(const struct setting_row *row, struct str text,
			   bool *out, struct cause *cause)
{
	if (!str_eq(text, STR("true")) && !str_eq(text, STR("false")))
		return cause_set(cause, E_SYNTAX,
				 STR_FMT ": '%.*s' is not true or false",
				 STR_ARG(row->name),
				 (int)(text.len < 40 ? text.len : 40), text.at);
	*out = str_eq(text, STR("true"));
	return E_OK;
}

enum err setting_parse(enum setting setting, struct str text,
		       struct settings *settings, struct cause *cause)
{
	const struct setting_row *row = &setting_rows[setting];
	void *value = value_of(settings, setting);

	if (str_eq(text, STR("none"))) {
		memcpy(value, value_in(&defaults, setting), sizes[row->kind]);
		return E_OK;
	}
	switch (row->kind) {
	case SETTING_BOOL:
		return parse_bool(row, text, value, cause);
	case SETTING_DAYS:
		return parse_number(row, text, value, cause);
	case SETTING_DAY_LIST:
		return parse_list(row, text, value, cause);
	case SETTING_PREFIX:
		return prefix_parse(text, value, cause);
	}
	return E_INTERNAL;
}

void setting_print(enum setting setting, const struct settings *settings,
		   struct buf *out)
{
	const void *value = value_in(settings, setting);
	const struct day_list *list = value;

	switch (setting_rows[setting].kind) {
	case SETTING_BOOL:
		buf_add(out, *(const bool *)value ? STR("true") : STR("false"));
		break;
	case SETTING_DAYS:
		if (*(const uint64_t *)value)
			buf_add_u64(out, *(const uint64_t *)value);
		else
			buf_add(out, STR("none"));
		break;
	case SETTING_DAY_LIST:
		for (size_t i = 0; list->at[i]; i++) {
			if (i)
				buf_add_char(out, ',');
			buf_add_u64(out, list->at[i]);
		}
		break;
	case SETTING_PREFIX:
		buf_add(out, prefix_str(value));
		break;
	}
}

void setting_print_json(enum setting setting, const struct settings *settings,
			struct buf *out)
{
	const void *value = value_in(settings, setting);
	const struct day_list *list = value;

	switch (setting_rows[setting].kind) {
	case SETTING_BOOL:
		json_bool(out, *(const bool *)value);
		break;
	case SETTING_DAYS:
		if (*(const uint64_t *)value)
			json_int(out, (int64_t) * (const uint64_t *)value);
		else
			json_null(out);
		break;
	case SETTING_DAY_LIST:
		json_open(out, '[');
		for (size_t i = 0; list->at[i]; i++)
			json_int(out, (int64_t)list->at[i]);
		json_close(out, ']');
		break;
	case SETTING_PREFIX:
		json_str(out, prefix_str(value));
		break;
	}
}

static uint64_t days_of(const void *value)
{
	uint64_t days = *(const uint64_t *)value;

	return days ? days : UINT64_MAX; /* "none" is for ever */
}

bool setting_tightened(enum setting setting, const struct settings *then,
		       const struct settings *now)
{
	const void *old = value_in(then, setting);
	const void *new = value_in(now, setting);

	switch (setting_rows[setting].takes) {
	case TAKES_NOTHING:
		return false;
	case TAKES_IF_TRUE:
		return *(const bool *)new && !*(const bool *)old;
	case TAKES_IF_FEWER:
		return days_of(new) < days_of(old);
	}
	return false;
}

static enum err read_one(struct txn *txn, enum setting setting,
			 struct str record, struct settings *out)
{
	struct unpack u = { .rest = record };
	struct str text;
	int64_t set_at;

	if (unpack_u8(&u) != SETTING_VERSION)
		return txn->err = u.failed ? E_CORRUPT : E_VERSION;
	set_at = unpack_time(&u);
	text = unpack_text(&u);
	if (!unpack_done(&u) || !set_at ||
	    setting_parse(setting, text, out, NULL))
		return txn->err = E_CORRUPT;
	out->set_at[setting] = set_at;
	return E_OK;
}

/* For each token that is asked for: no more than the rows that are there. */
static enum err read_rows(struct txn *txn, struct settings *out)
{
	AUTO(cursor) struct cursor c;
	enum setting setting;

	for (cursor_open(txn, TABLE_SETTING, STR(""), &c); cursor_next(&c);)
		if (is_setting(c.key, &setting) &&
		    read_one(txn, setting, c.value, out))
			break; /* it sticks to txn */
	return txn->err;
}

enum err settings_read(struct txn *txn, struct settings *out)
{
	*out = defaults;
	if (!txn_count(txn, TABLE_SETTING))
		return txn->err;
	if (!read_rows(txn, out))
		return E_OK;
	*out = defaults;
	return txn->err;
}

void setting_put(struct txn *txn, enum setting setting,
		 const struct settings *settings, int64_t now)
{
	const struct setting_row *row = &setting_rows[setting];
	AUTO(buf) struct buf text, plain;
	struct pack pack = { 0 };

	buf_init(&text, SETTING_VALUE_MAX);
	buf_init(&plain, SETTING_VALUE_MAX);
	setting_print(setting, settings, &text);
	setting_print(setting, &defaults, &plain);
	if (str_eq(buf_str(&text), buf_str(&plain))) {
		txn_remove(txn, TABLE_SETTING, row->name);
		return;
	}
	pack_u8(&pack, SETTING_VERSION);
	pack_time(&pack, now);
	pack_text(&pack, buf_str(&text));
	txn_put(txn, TABLE_SETTING, row->name, pack_str(&pack));
}
