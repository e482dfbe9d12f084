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

/* clang-format off */
/*
 * How each table is looked at: by its rows; an index, which must have as many
 * as that table; or elsewhere.
 */
#define ROWS(what, row) { what, row, 0 }
#define INDEX(of) { NULL, NULL, TABLE_##of }
#define ELSEWHERE { NULL, NULL, 0 }
#define LOOK_META ELSEWHERE /* counted() */
#define LOOK_SETTING ROWS("setting", setting_row)
#define LOOK_USER ROWS("user", user_row)
#define LOOK_USER_NAME INDEX(USER)
#define LOOK_SPACE ROWS("group or project", space_row)
#define LOOK_SPACE_ID INDEX(SPACE)
#define LOOK_MEMBER ROWS("membership", member_row)
#define LOOK_USER_MEMBER INDEX(MEMBER)
#define LOOK_PAT ROWS("token", pat_row)
#define LOOK_PAT_ID INDEX(PAT)
#define LOOK_USER_PAT INDEX(PAT)
#define LOOK_REFRESH ROWS("refresh token", refresh_row)
#define LOOK_PAT_REFRESH INDEX(REFRESH)
#define LOOK_LOG ELSEWHERE /* changelog_verify() */
#define LOOK_USED ROWS("last use", used_row)
#define LOOK_JOB ROWS("job", job_row)
#define LOOK_TOLD ROWS("told flag", told_row)
#define LOOK_MAILBOX ROWS("notice", notice_row)
/* clang-format on */

static const struct {
	const char *what;
	bool (*row)(struct txn *txn, struct str key, struct str value);
	enum table of; /* TABLE_META: of none */
} looks[] = {
#define X(name, text, what) [TABLE_##name] = LOOK_##name,
	TABLE_LIST(X)
#undef X
};

bool observed_sound(struct txn *txn, enum table table, struct str key,
		    struct str value)
{
	enum err before = txn->err;
	bool sound;

	assert(table_observed(table) && looks[table].row);
	sound = looks[table].row(txn, key, value);
	if (!before)
		txn->err = E_OK; /* it is said of the row alone */
	return sound;
}

static enum err damaged(struct cause *cause, const char *what, uint64_t number)
{
	return cause_set(cause, E_CORRUPT,
			 "the store is damaged: %s number %llu, or what points "
			 "to it; " STORE_MEND,
			 what, (unsigned long long)number);
}

static enum err verify_table(struct txn *txn, enum table table,
			     struct cause *cause)
{
	enum table of = looks[table].of;
	AUTO(cursor) struct cursor c = { 0 };
	uint64_t n = 0;

	if (of && txn_count(txn, table) != txn_count(txn, of))
		return damaged(cause, looks[of].what, txn_count(txn, of) + 1);
	if (!looks[table].row)
		return E_OK;
	for (cursor_open(txn, table, STR(""), &c); cursor_next(&c);) {
		n++;
		if (!looks[table].row(txn, c.key, c.value)) {
			txn->err = E_OK; /* it is told as damage */
			return damaged(cause, looks[table].what, n);
		}
	}
	return E_OK;
}

enum err store_verify(struct txn *txn, struct store_facts *facts,
		      struct cause *cause)
{
	struct log_facts log;
	int64_t changed_at;
	enum err err = E_OK;

	*facts = (struct store_facts) { 0 };
	for (enum table table = 0; table < TABLE_COUNT && !err; table++)
		err = verify_table(txn, table, cause);
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
