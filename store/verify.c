/*
 * store/verify.c - see the header. Each table has a function for one of its
 * rows; of two tables that index each other the rows are counted, too, so that
 * one direction is enough.
 */
#include "store/verify.h"

#include <string.h>

#include "store/changelog.h"
#include "store/mailbox.h"
#include "store/member.h"
#include "store/pat.h"
#include "store/record.h"
#include "store/refresh.h"
#include "store/told.h"
#include "store/trail.h"
#include "store/used.h"

/* What a row must agree with. */
static bool has(struct txn *txn, enum table table, struct str key,
		struct str want)
{
	struct str value;

	return txn_get(txn, table, key, &value) && str_eq(value, want);
}

static bool counted(struct txn *txn, enum counter counter, uint64_t id)
{
	return id && id <= txn_last_id(txn, counter);
}

static bool user_row(struct txn *txn, struct str key, struct str value)
{
	char name[255];
	struct user user;

	if (user_unpack(txn, key, value, &user) ||
	    !user_name_valid(user.name) || !counted(txn, COUNTER_USER, user.id))
		return false;
	for (size_t i = 0; i < user.name.len; i++)
		name[i] = ascii_lower(user.name.at[i]);
	return has(txn, TABLE_USER_NAME, (struct str) { name, user.name.len },
		   key);
}

static bool space_row(struct txn *txn, struct str key, struct str value)
{
	struct str above = key;
	struct space space, same, parent;

	if (space_unpack(txn, key, value, &space) || !space_path_valid(key) ||
	    !counted(txn, COUNTER_SPACE, space.id))
		return false;
	while (above.len && above.at[above.len - 1] != '/')
		above.len--;
	if (above.len) {
		above.len--;
		if (space_find(txn, above, &parent) ||
		    parent.kind != SPACE_GROUP)
			return false;
	}
	return !space_get(txn, space.id, &same) && str_eq(same.path, key);
}

static bool member_row(struct txn *txn, struct str key, struct str value)
{
	struct unpack u = { .rest = key };
	struct space space;
	struct user user;
	struct key16 index;
	uint64_t user_id;
	enum role role;

	if (member_unpack(txn, key, value, &user_id, &role) ||
	    space_get(txn, unpack_u64(&u), &space) ||
	    user_get(txn, user_id, &user))
		return false;
	index = key_pair(user_id, space.id);
	return has(txn, TABLE_USER_MEMBER, STR_OF(index.at), STR(""));
}

/*
 * Both ends of a link say the same, the later token has the higher id, and the
 * first gives the family its name.
 */
static bool family_sound(struct txn *txn, const struct pat *pat)
{
	struct pat other;

	if (pat->next &&
	    (pat->next <= pat->id || pat_get(txn, pat->next, &other) ||
	     other.previous != pat->id))
		return false;
	if (!pat->previous)
		return pat->family == pat->id;
	return pat->previous < pat->id &&
	       !pat_get(txn, pat->previous, &other) && other.next == pat->id &&
	       other.family == pat->family;
}

static bool pat_row(struct txn *txn, struct str key, struct str value)
{
	struct digest digest;
	struct pat pat, same;
	struct key16 owner;
	struct user user;

	(void)value;
	if (key.len != DIGEST_LEN)
		return false;
	memcpy(digest.at, key.at, key.len);
	if (pat_find(txn, &digest, &pat) ||
	    !counted(txn, COUNTER_PAT, pat.id) ||
	    !counted(txn, COUNTER_USER, pat.user))
		return false;
	/* Who is removed leaves none that works. */
	if (!pat.revoked_at && user_get(txn, pat.user, &user))
		return false;
	owner = key_pair(pat.user, pat.id);
	return family_sound(txn, &pat) && !pat_get(txn, pat.id, &same) &&
	       digest_eq(&same.digest, &digest) &&
	       has(txn, TABLE_USER_PAT, STR_OF(owner.at), STR(""));
}

static bool refresh_row(struct txn *txn, struct str key, struct str value)
{
	unsigned char index[8 + DIGEST_LEN];
	struct refresh refresh;
	struct digest digest;
	struct pat pat;
	struct key8 id;

	(void)value;
	if (key.len != DIGEST_LEN)
		return false;
	memcpy(digest.at, key.at, key.len);
	if (refresh_find(txn, &digest, &refresh) ||
	    pat_get(txn, refresh.pat, &pat) || pat.revoked_at)
		return false;
	id = key_u64(refresh.pat);
	memcpy(index, id.at, sizeof(id.at));
	memcpy(index + sizeof(id.at), key.at, key.len);
	return has(txn, TABLE_PAT_REFRESH, STR_OF(index), STR(""));
}

static bool setting_row(struct txn *txn, struct str key, struct str value)
{
	struct settings settings;

	(void)key, (void)value; /* six at most: all of them at once */
	return !settings_read(txn, &settings);
}

/* The id of a token that there is or was, or 0. */
static uint64_t pat_key(struct txn *txn, struct str key)
{
	struct unpack u = { .rest = key };
	uint64_t id = unpack_u64(&u);

	return unpack_done(&u) && counted(txn, COUNTER_PAT, id) ? id : 0;
}

static bool used_row(struct txn *txn, struct str key, struct str value)
{
	uint64_t id = pat_key(txn, key);
	struct used used;

	(void)value;
	return id && !used_get(txn, id, &used);
}

static bool told_row(struct txn *txn, struct str key, struct str value)
{
	return pat_key(txn, key) && !told_check(txn, value);
}

static bool job_row(struct txn *txn, struct str key, struct str value)
{
	unsigned job = key.len == 1 ? (unsigned char)*key.at : 0;
	struct job_state state;
	uint64_t number;

	(void)value;
	if (trail_is_key(key))
		return !trail_get(txn, &number);
	return job >= JOB_FIRST && job <= JOB_LAST &&
	       !job_get(txn, (enum job)job, &state);
}

static bool notice_row(struct txn *txn, struct str key, struct str value)
{
	struct notice notice;

	return !mailbox_unpack(txn, key, value, &notice) &&
	       counted(txn, COUNTER_NOTICE, notice.id);
}

/* Each table, and those that must have as many rows. */
static const struct {
	enum table table;
	const char *what;
	bool (*row)(struct txn *txn, struct str key, struct str value);
	enum table indexes[2];
	unsigned indexes_count;
} rows[] = {
	{ TABLE_USER, "user", user_row, { TABLE_USER_NAME }, 1 },
	{ TABLE_SPACE, "group or project", space_row, { TABLE_SPACE_ID }, 1 },
	{ TABLE_MEMBER, "membership", member_row, { TABLE_USER_MEMBER }, 1 },
	{ TABLE_PAT, "token", pat_row, { TABLE_PAT_ID, TABLE_USER_PAT }, 2 },
	{ TABLE_REFRESH,
	  "refresh token",
	  refresh_row,
	  { TABLE_PAT_REFRESH },
	  1 },
	{ TABLE_SETTING, "setting", setting_row, { 0 }, 0 },
	{ TABLE_USED, "last use", used_row, { 0 }, 0 },
	{ TABLE_TOLD, "told flag", told_row, { 0 }, 0 },
	{ TABLE_JOB, "job", job_row, { 0 }, 0 },
	{ TABLE_MAILBOX, "notice", notice_row, { 0 }, 0 },
};

bool observed_sound(struct txn *txn, enum table table, struct str key,
		    struct str value)
{
	enum err before = txn->err;
	bool sound = false;

	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].table == table)
			sound = rows[i].row(txn, key, value);
	if (!before)
		txn->err = E_OK; /* it is said of the row alone */
	return sound;
}

static enum err damaged(struct cause *cause, const char *what, uint64_t number)
{
	return cause_set(cause, E_CORRUPT,
			 "the store is damaged: %s number %llu, or what points "
			 "to it; restore a backup with --damaged",
			 what, (unsigned long long)number);
}

static enum err verify_table(struct txn *txn, size_t i, struct cause *cause)
{
	AUTO(cursor) struct cursor c = { 0 };
	uint64_t n = 0;

	for (cursor_open(txn, rows[i].table, STR(""), &c); cursor_next(&c);) {
		n++;
		if (!rows[i].row(txn, c.key, c.value)) {
			txn->err = E_OK; /* it is told as damage */
			return damaged(cause, rows[i].what, n);
		}
	}
	for (unsigned k = 0; k < rows[i].indexes_count; k++)
		if (txn_count(txn, rows[i].indexes[k]) != n)
			return damaged(cause, rows[i].what, n + 1);
	return E_OK;
}

enum err store_verify(struct txn *txn, struct store_facts *facts,
		      struct cause *cause)
{
	struct log_facts log;
	int64_t changed_at;
	enum err err = E_OK;

	*facts = (struct store_facts) { 0 };
	for (size_t i = 0; i < COUNT(rows) && !err; i++)
		err = verify_table(txn, i, cause);
	if (!err)
		err = changelog_verify(txn, &log, cause);
	if (!err)
		err = changelog_newest(txn, &changed_at);
	if (!err && txn->err)
		err = cause_set(cause, txn->err, "cannot read the store: %s",
				err_text(txn->err));
	if (err)
		return err;
	*facts = (struct store_facts) {
		.users = txn_count(txn, TABLE_USER),
		.spaces = txn_count(txn, TABLE_SPACE),
		.tokens = txn_count(txn, TABLE_PAT),
		.changes = log.count,
		.changed_at = changed_at,
	};
	return E_OK;
}
