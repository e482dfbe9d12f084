/*
 * store/change.c - the table of changes, and their packed form:
 *
 *   u8 version=1, u8 type, time now, text actor, then the fields of its row in
 *   the order of the table of fields: text, u64, time, or a digest as it is.
 *
 * member_put by "alice" of user "bob" in "g" as a developer:
 *
 *   01 09 0000000067f00000 0005 616c696365 0003 626f62 0001 67
 *   000000000000001e
 */
#include "store/change.h"

#include <string.h>

#include "store/apply.h"
#include "store/changelog.h"
#include "store/record.h"

enum {
	CHANGE_VERSION = 1,
	CHANGE_MAX = RECORD_MAX - 64 /* the log adds its own */
};

enum field_kind {
	FIELD_TEXT,
	FIELD_NUMBER,
	FIELD_TIME,
	FIELD_DIGEST,
	FIELD_LIMITS /* LIMIT_COUNT texts */
};

/* name, kind; the order is that of the packed form: never reorder */
#define FIELD_LIST(X)                                                          \
	X(user, FIELD_TEXT)                                                    \
	X(path, FIELD_TEXT)                                                    \
	X(text, FIELD_TEXT)                                                    \
	X(value, FIELD_TEXT)                                                   \
	X(digest, FIELD_DIGEST)                                                \
	X(bot, FIELD_TEXT)                                                     \
	X(id, FIELD_NUMBER)                                                    \
	X(flags, FIELD_NUMBER)                                                 \
	X(on, FIELD_NUMBER)                                                    \
	X(kind, FIELD_NUMBER)                                                  \
	X(scopes, FIELD_NUMBER)                                                \
	X(role, FIELD_NUMBER)                                                  \
	X(visibility, FIELD_NUMBER)                                            \
	X(registry, FIELD_NUMBER)                                              \
	X(archived, FIELD_NUMBER)                                              \
	X(yes, FIELD_NUMBER)                                                   \
	X(recursive, FIELD_NUMBER)                                             \
	X(expires_at, FIELD_TIME)                                              \
	X(limits, FIELD_LIMITS)                                                \
	X(idle, FIELD_NUMBER)                                                  \
	X(grace, FIELD_NUMBER)

enum field_index {
#define X(name, kind) INDEX_##name,
	FIELD_LIST(X)
#undef X
		INDEX_COUNT
};

enum field_bit {
#define X(name, kind) HAS_##name = 1 << INDEX_##name,
	FIELD_LIST(X)
#undef X
};

/* No field: what makes the store larger, and is refused when it is full. */
enum { ADDS = 1 << 30 };
static_assert(INDEX_COUNT <= 30, "a bit for each field");

static const struct field {
	unsigned bit;
	enum field_kind kind;
	size_t offset;
} fields[] = {
#define X(name, kind) { HAS_##name, kind, offsetof(struct change, name) },
	FIELD_LIST(X)
#undef X
};

/* clang-format off */
static const struct row {
	enum err (*apply)(struct txn *txn, struct change *change);
	unsigned fields;
} rows[] = {
	[CHANGE_USER_ADD] = { apply_user_add,
		ADDS | HAS_user | HAS_text | HAS_value | HAS_flags },
	[CHANGE_USER_REMOVE] = { apply_user_remove,
		HAS_user | HAS_yes },
	[CHANGE_USER_FLAG] = { apply_user_flag,
		HAS_user | HAS_flags | HAS_on },
	[CHANGE_USER_PASSWORD] = { apply_user_password,
		HAS_user | HAS_value },
	[CHANGE_GROUP_ADD] = { apply_group_add,
		ADDS | HAS_path },
	[CHANGE_PROJECT_ADD] = { apply_project_add,
		ADDS | HAS_path | HAS_visibility | HAS_registry | HAS_archived },
	[CHANGE_PROJECT_SET] = { apply_project_set,
		HAS_path | HAS_visibility | HAS_registry | HAS_archived },
	[CHANGE_SPACE_REMOVE] = { apply_space_remove,
		HAS_path | HAS_kind | HAS_yes | HAS_recursive },
	[CHANGE_MEMBER_PUT] = { apply_member_put,
		HAS_user | HAS_path | HAS_role },
	[CHANGE_MEMBER_REMOVE] = { apply_member_remove,
		HAS_user | HAS_path },
	[CHANGE_TOKEN_ADD] = { apply_token_add,
		ADDS | HAS_user | HAS_path | HAS_text | HAS_digest | HAS_bot |
		HAS_kind | HAS_scopes | HAS_role | HAS_expires_at |
		HAS_limits | HAS_idle },
	[CHANGE_TOKEN_REVOKE] = { apply_token_revoke,
		HAS_id | HAS_recursive },
	[CHANGE_REFRESH_ADD] = { apply_refresh_add,
		ADDS | HAS_text | HAS_digest | HAS_id | HAS_expires_at },
	[CHANGE_SETTING_PUT] = { apply_setting_put,
		HAS_text | HAS_value },
	[CHANGE_TOKEN_ROTATE] = { apply_token_rotate,
		ADDS | HAS_digest | HAS_id | HAS_expires_at | HAS_grace },
	[CHANGE_COUNTER_PUT] = { apply_counter_put,
		HAS_text | HAS_id },
	[CHANGE_USER_EMAIL] = { apply_user_email,
		HAS_user | HAS_text },
	[CHANGE_TOKEN_END] = { apply_token_end,
		HAS_id | HAS_expires_at },
	[CHANGE_RESTORE] = { apply_restore,
		HAS_digest | HAS_id },
	[CHANGE_AUDIT_PRUNE] = { apply_audit_prune,
		HAS_digest | HAS_id },
	[CHANGE_KEY_NEW] = { apply_key,
		HAS_text | HAS_value },
	[CHANGE_KEY_ACTIVATE] = { apply_key,
		HAS_text },
	[CHANGE_KEY_REMOVE] = { apply_key,
		HAS_text },
	[CHANGE_REFRESH_REMOVE] = { apply_refresh_remove,
		HAS_digest | HAS_id },
};
/* clang-format on */
#define X(name, number, text, of, help) +1
static_assert(COUNT(rows) == 1 CHANGE_LIST(X), "numbers in a row, a row each");
#undef X
static_assert(COUNT(rows) <= 64, "CHANGE_BIT");

struct thread_role writer_thread;

/* A role is the compiler's alone: at run time it is nothing. */
#ifdef __clang__
#define UNCHECKED __attribute__((no_thread_safety_analysis))
#else
#define UNCHECKED
#endif

UNCHECKED void become_writer(void)
{
}

UNCHECKED void leave_writer(void)
{
}

static const struct row *row_of(unsigned type)
{
	return type < COUNT(rows) && rows[type].apply ? &rows[type] : NULL;
}

const char *change_name(enum change_type type)
{
	static const char *const names[] = {
#define X(name, number, text, of, help) [number] = text,
		CHANGE_LIST(X)
#undef X
	};

	return row_of(type) ? names[type] : "unknown";
}

enum err change_by_name(struct str name, enum change_type *out)
{
	*out = (enum change_type)0;
	for (unsigned type = 1; type < COUNT(rows); type++)
		if (row_of(type) &&
		    str_eq(name, str_of(change_name((enum change_type)type)))) {
			*out = (enum change_type)type;
			return E_OK;
		}
	return E_NOT_FOUND;
}

/* The members differ in type: copied as bytes. */
static void pack_field(const struct change *change, const struct field *field,
		       struct pack *out)
{
	const char *at = (const char *)change + field->offset;
	struct str text;
	uint64_t number;
	int64_t when;

	switch (field->kind) {
	case FIELD_TEXT:
		memcpy(&text, at, sizeof(text));
		pack_text(out, text);
		break;
	case FIELD_NUMBER:
		memcpy(&number, at, sizeof(number));
		pack_u64(out, number);
		break;
	case FIELD_TIME:
		memcpy(&when, at, sizeof(when));
		pack_time(out, when);
		break;
	case FIELD_DIGEST:
		pack_bytes(out, (struct str) { at, DIGEST_LEN });
		break;
	case FIELD_LIMITS:
		for (size_t i = 0; i < LIMIT_COUNT; i++)
			pack_text(out, change->limits[i]);
		break;
	}
}

void change_pack(const struct change *change, struct pack *out)
{
	const struct row *row = row_of(change->type);

	assert(row);
	pack_u8(out, CHANGE_VERSION);
	pack_u8(out, (uint8_t)change->type);
	pack_time(out, change->now);
	pack_text(out, change->actor);
	for (size_t i = 0; i < COUNT(fields); i++)
		if (row->fields & fields[i].bit)
			pack_field(change, &fields[i], out);
}

static void unpack_field(struct unpack *u, const struct field *field,
			 struct change *out)
{
	char *at = (char *)out + field->offset;
	struct str text;
	uint64_t number;
	int64_t when;

	switch (field->kind) {
	case FIELD_TEXT:
		text = unpack_text(u);
		memcpy(at, &text, sizeof(text));
		break;
	case FIELD_NUMBER:
		number = unpack_u64(u);
		memcpy(at, &number, sizeof(number));
		break;
	case FIELD_TIME:
		when = unpack_time(u);
		memcpy(at, &when, sizeof(when));
		break;
	case FIELD_DIGEST:
		text = unpack_bytes(u, DIGEST_LEN);
		if (text.len)
			memcpy(at, text.at, text.len);
		break;
	case FIELD_LIMITS:
		for (size_t i = 0; i < LIMIT_COUNT; i++)
			out->limits[i] = unpack_text(u);
		break;
	}
}

enum err change_unpack(struct str bytes, struct change *out)
{
	struct unpack u = { .rest = bytes };
	struct change change = { 0 };
	const struct row *row;
	unsigned type;

	*out = (struct change) { 0 };
	if (unpack_u8(&u) != CHANGE_VERSION)
		return bytes.len ? E_VERSION : E_CORRUPT;
	type = unpack_u8(&u);
	row = row_of(type);
	if (!row)
		return E_CORRUPT;
	change.type = (enum change_type)type;
	change.now = unpack_time(&u);
	change.actor = unpack_text(&u);
	for (size_t i = 0; i < COUNT(fields); i++)
		if (row->fields & fields[i].bit)
			unpack_field(&u, &fields[i], &change);
	if (!unpack_done(&u))
		return E_CORRUPT;
	change.replayed = true;
	*out = change;
	return E_OK;
}

/* What was done before the log was replayed had room. */
static enum err need_room(struct txn *txn, struct change *change)
{
	uint64_t limit;

	if (!(row_of(change->type)->fields & ADDS) || change->replayed ||
	    !db_full(txn->db, &limit))
		return E_OK;
	return cause_set(&change->cause, E_FULL,
			 "the store %s is full: it holds the %llu MiB of "
			 "store_size; raise that, or run: dockpass audit prune",
			 db_folder(txn->db), (unsigned long long)(limit >> 20));
}

static enum err apply(struct txn *txn, struct change *change)
{
	const struct row *row = row_of(change->type);
	struct pack pack = { 0 };
	enum err err;

	assert(row);
	change_pack(change, &pack);
	if (pack.over || pack.len > CHANGE_MAX)
		return cause_set(&change->cause, E_LIMIT,
				 "a name or value is too long; names have at "
				 "most 255 bytes");
	err = need_text(change, change->actor, TEXT_MAX, "the actor's name");
	if (!err)
		err = need_room(txn, change);
	if (!err)
		err = row->apply(txn, change);
	if (!err && !txn->err)
		changelog_append(txn, change);
	return err;
}

static enum err store_failed(struct cause *cause, enum err err,
			     const struct db *db)
{
	return cause_set(cause, err, "the store %s failed: %s", db_folder(db),
			 err_text(err));
}

enum err change_apply(struct txn *txn, struct change *change)
{
	AUTO(txn) struct txn own;
	enum err err;

	change->new_id = 0;
	change->cause.text[0] = '\0';
	change->need = NEED_NOTHING;
	txn_nested(txn, &own);
	err = own.err ? own.err : apply(&own, change);
	if (own.err || !err) {
		err = txn_commit(&own);
		txn->err = err;
		if (err)
			store_failed(&change->cause, err, txn->db);
	}
	if (err)
		change->new_id = 0;
	return change->result = err;
}

static void fail_all(struct change *const *list, size_t n, enum err err,
		     const struct db *db)
{
	for (size_t i = 0; i < n; i++) {
		list[i]->new_id = 0;
		list[i]->result = store_failed(&list[i]->cause, err, db);
	}
}

enum err change_commit_in(struct txn *txn, struct change *const *list, size_t n)
{
	enum err err;

	for (size_t i = 0; i < n && !txn->err; i++)
		if (change_apply(txn, list[i]))
			continue; /* it carries its own result */
	err = txn_commit(txn);
	if (err)
		fail_all(list, n, err, txn->db);
	return err;
}

enum err change_commit(struct db *db, struct change *const *list, size_t n)
{
	AUTO(txn) struct txn txn;

	txn_write(db, &txn);
	return change_commit_in(&txn, list, n);
}

enum err deed_commit(struct db *db, deed *run, void *arg)
{
	AUTO(txn) struct txn txn;
	enum err err;

	txn_write(db, &txn);
	err = txn.err ? txn.err : run(&txn, arg);
	if (err)
		return err;
	return txn_commit(&txn);
}
