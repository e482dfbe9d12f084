/*
 * store/setting.h - what administrators change while the server runs: one table
 * of typed settings. What is not in the store has its default.
 *
 * A setting is a row here; the commands, README's table and the reading of all
 * of them follow.
 */
#pragma once

#include "store/db.h"
#include "token/buf.h"
#include "token/secret.h"

enum { NOTICES_MAX = 8, SETTING_VALUE_MAX = 64 };

/* Days before a token's death, falling, each once; a 0 ends them. */
struct day_list {
	uint64_t at[NOTICES_MAX + 1];
};

/* What a kind is in C. DAYS: 0 is "none". */
#define SETTING_TYPE_BOOL     bool
#define SETTING_TYPE_DAYS     uint64_t
#define SETTING_TYPE_DAY_LIST struct day_list
#define SETTING_TYPE_PREFIX   struct prefix

/* clang-format off */
/*
 * name, kind, default, least and most of its numbers, which values take
 * something away, meaning
 */
#define SETTING_LIST(X)                                                        \
	X(default_token_days, DAYS, 0, 1, 36500, TAKES_IF_FEWER,               \
	  "days that a new token lives if no date is said; none: for ever")    \
	X(enforce_token_expiry, BOOL, true, 0, 1, TAKES_IF_TRUE,               \
	  "false: a token whose date has come works until it is revoked")      \
	X(expiry_notice_days, DAY_LIST, { .at = { 7 } }, 1, 365, TAKES_NOTHING, \
	  "days before a token's death at which its owner is told")            \
	X(max_token_lifetime, DAYS, 0, 1, 36500, TAKES_IF_FEWER,               \
	  "days: a token must have a date, at most that far away; three hours after it is set, those that break it are revoked") \
	X(require_token_expiry, BOOL, false, 0, 1, TAKES_IF_TRUE,              \
	  "true: a new token must have a date")                                \
	X(token_prefix, PREFIX, PREFIX_DEFAULT, 1, PREFIX_MAX, TAKES_NOTHING,  \
	  "what the secrets of new tokens begin with")
/* clang-format on */

enum setting {
#define X(name, kind, init, least, most, takes, help) SETTING_##name,
	SETTING_LIST(X)
#undef X
		SETTING_COUNT
};

struct settings {
#define X(name, kind, init, least, most, takes, help) SETTING_TYPE_##kind name;
	SETTING_LIST(X)
#undef X
	int64_t set_at[SETTING_COUNT]; /* by enum setting; 0: its default */
};

/*
 * All of them, at the price of one look when none is set. Unless E_OK, *out
 * has the defaults, and the caller may not go on.
 */
enum err settings_read(struct txn *txn, struct settings *out) MUST_CHECK;

enum setting_kind {
	SETTING_BOOL,
	SETTING_DAYS,
	SETTING_DAY_LIST,
	SETTING_PREFIX
};

/* From whoever has tokens. FEWER: of days, of which "none" is the most. */
enum setting_takes { TAKES_NOTHING, TAKES_IF_TRUE, TAKES_IF_FEWER };

struct setting_row {
	struct str name;
	enum setting_kind kind;
	size_t offset; /* in struct settings */
	uint64_t least, most;
	enum setting_takes takes;
	const char *help;
};
extern const struct setting_row setting_rows[SETTING_COUNT];

/* E_NOT_FOUND, with a cause that names them all. */
enum err setting_find(struct str name, enum setting *out,
		      struct cause *cause) MUST_CHECK;
/*
 * "none" is the default. E_SYNTAX: what is wrong with the text, and what would
 * be right; *settings is then as it was.
 */
enum err setting_parse(enum setting setting, struct str text,
		       struct settings *settings,
		       struct cause *cause) MUST_CHECK;
/* As setting_parse() reads it. */
void setting_print(enum setting setting, const struct settings *settings,
		   struct buf *out);
/* The same as a JSON value. */
void setting_print_json(enum setting setting, const struct settings *settings,
			struct buf *out);

/* Does it take something away in `now` that it does not in `then`? */
bool setting_tightened(enum setting setting, const struct settings *then,
		       const struct settings *now);

/*
 * "none" or the default: what is not set takes no room. A change that says what
 * is set already does not come here: see store/apply_setting.c.
 */
void setting_put(struct txn *txn, enum setting setting,
		 const struct settings *settings, int64_t now);
