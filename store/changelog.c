/*
 * store/changelog.c - table "log", and its ends in table "meta": "log", u64
 * number, SHA-256 of the newest entry; "log_anchor", likewise of the last that
 * was pruned, or absent.
 *
 * The first entry, a token_revoke of token 9 by "job":
 *
 *   0000000000000001 ->
 *   01 00..00 (32) 01 0c 0000000067f00000 0003 6a6f62 0000000000000009
 *   0000000000000000
 */
#include "store/changelog.h"

#include <string.h>

#include "store/apply.h"
#include "store/record.h"
#include "store/setting.h"
#include "token/secret.h"

enum { LOG_VERSION = 1 };

static const struct str head_name = { "log", 3 };
static const struct str anchor_name = { "log_anchor", 10 };

static void end_read(struct txn *txn, struct str name, struct log_end *out)
{
	struct unpack u = { 0 };
	struct str digest;

	*out = (struct log_end) { 0 };
	if (!txn_get(txn, TABLE_META, name, &u.rest))
		return;
	out->number = unpack_u64(&u);
	digest = unpack_bytes(&u, DIGEST_LEN);
	if (unpack_done(&u))
		memcpy(out->digest.at, digest.at, DIGEST_LEN);
	else
		txn->err = E_CORRUPT;
}

static void end_put(struct txn *txn, struct str name, const struct log_end *end)
{
	struct pack value = { 0 };

	pack_u64(&value, end->number);
	pack_bytes(&value, digest_str(&end->digest));
	txn_put(txn, TABLE_META, name, pack_str(&value));
}

void changelog_head(struct txn *txn, struct log_end *out)
{
	end_read(txn, head_name, out);
}

void changelog_anchor(struct txn *txn, struct log_end *out)
{
	end_read(txn, anchor_name, out);
}

static enum err entry_digest(uint64_t number, struct str record,
			     struct digest *out)
{
	struct pack pack = { 0 };

	*out = (struct digest) { 0 };
	pack_u64(&pack, number);
	pack_bytes(&pack, record);
	if (pack.over)
		return E_LIMIT;
	return secret_digest(pack_str(&pack), out);
}

void changelog_append(struct txn *txn, const struct change *change)
{
	struct pack record = { 0 }, packed = { 0 };
	struct log_end head;
	struct key8 key;
	enum err err;

	changelog_head(txn, &head);
	change_pack(change, &packed);
	pack_u8(&record, LOG_VERSION);
	pack_bytes(&record, digest_str(&head.digest));
	pack_bytes(&record, pack_str(&packed));
	record.over |= packed.over;
	if (change->type == CHANGE_RESTORE && change->id > head.number)
		head.number = change->id;
	head.number++;
	err = entry_digest(head.number, pack_str(&record), &head.digest);
	if (err && !txn->err)
		txn->err = err;
	key = key_u64(head.number);
	txn_add(txn, TABLE_LOG, STR_OF(key.at), pack_str(&record));
	end_put(txn, head_name, &head);
}

enum err changelog_unpack(struct cursor *cursor, struct log_entry *out)
{
	struct unpack k = { .rest = cursor->key },
		      u = { .rest = cursor->value };
	struct log_entry entry = { .number = unpack_u64(&k) };
	unsigned version = unpack_u8(&u);
	struct str before = unpack_bytes(&u, DIGEST_LEN);
	enum err err;

	*out = (struct log_entry) { .number = entry.number };
	if (!unpack_done(&k) || u.failed || version != LOG_VERSION)
		return E_CORRUPT;
	memcpy(entry.before.at, before.at, DIGEST_LEN);
	err = change_unpack(u.rest, &entry.change);
	if (!err)
		err = entry_digest(entry.number, cursor->value, &entry.digest);
	if (!err)
		*out = entry;
	return err;
}

/*
 * That its number goes on is above. What a limit of the copy's revokes has not
 * been seen coming by anybody: it counts from now on.
 */
enum err apply_restore(struct txn *txn, struct change *change)
{
	struct settings settings;
	enum err err = settings_read(txn, &settings);

	if (!err && settings.max_token_lifetime)
		setting_put(txn, SETTING_max_token_lifetime, &settings,
			    change->now);
	return err ? err : txn->err;
}

/* Keys are files (server/keys.h): the entry is all that a store has of them. */
enum err apply_key(struct txn *txn, struct change *change)
{
	enum err err = need_text(change, change->text, TEXT_MAX, "a key's id");

	if (!err)
		err = need_text(change, change->value, TEXT_MAX,
				"a key's algorithm");
	return err ? err : txn->err;
}

/* False: there is none of that number. */
static bool find(struct txn *txn, uint64_t number, struct log_end *out)
{
	struct key8 key = key_u64(number);
	struct str record;

	*out = (struct log_end) { .number = number };
	return txn_get(txn, TABLE_LOG, STR_OF(key.at), &record) &&
	       !entry_digest(number, record, &out->digest);
}

/* The number of the oldest that is there, or 0. */
static uint64_t oldest(struct txn *txn)
{
	AUTO(cursor) struct cursor cursor;
	struct unpack u = { 0 };

	cursor_open(txn, TABLE_LOG, STR(""), &cursor);
	if (cursor_next(&cursor))
		u.rest = cursor.key;
	return unpack_u64(&u);
}

enum err apply_audit_prune(struct txn *txn, struct change *change)
{
	struct log_end last;
	uint64_t n;

	if (!find(txn, change->id, &last) ||
	    !digest_eq(&last.digest, &change->digest))
		return cause_set(&change->cause, E_NOT_FOUND,
				 "the log has no such entry %llu",
				 (unsigned long long)change->id);
	while ((n = oldest(txn)) && n <= last.number) {
		struct key8 key = key_u64(n);

		txn_remove(txn, TABLE_LOG, STR_OF(key.at));
	}
	end_put(txn, anchor_name, &last);
	return txn->err;
}

/* The first whose number is not below `number`: some are left out. */
static enum err read_from(struct txn *txn, uint64_t number,
			  struct log_entry *out)
{
	AUTO(cursor) struct cursor cursor;
	struct key8 key = key_u64(number);

	*out = (struct log_entry) { 0 };
	cursor_open(txn, TABLE_LOG, STR(""), &cursor);
	cursor_seek(&cursor, STR_OF(key.at));
	if (!cursor_next(&cursor))
		return txn->err ? txn->err : E_CORRUPT;
	return changelog_unpack(&cursor, out);
}

enum err changelog_newest(struct txn *txn, int64_t *out)
{
	struct log_entry entry;
	struct log_end head;
	enum err err;

	*out = 0;
	changelog_head(txn, &head);
	if (!head.number)
		return txn->err;
	err = read_from(txn, head.number, &entry);
	if (!err && entry.number != head.number)
		err = E_CORRUPT;
	if (!err)
		*out = entry.change.now;
	return err;
}

/* A change of its own, 2; one that may have been it, 1. */
static int weight(const struct change *change, uint64_t pat)
{
	switch (change->type) {
	case CHANGE_TOKEN_REVOKE:
		return change->id == pat ? 2 : change->recursive != 0;
	case CHANGE_TOKEN_ROTATE:
	case CHANGE_USER_REMOVE:
	case CHANGE_SPACE_REMOVE:
		return 1;
	default:
		return 0;
	}
}

/* From where on no entry is before `at`, as far as times rise. */
static enum err find_time(struct txn *txn, int64_t at, uint64_t *number)
{
	struct log_end anchor, head;
	uint64_t first, end;

	changelog_anchor(txn, &anchor);
	changelog_head(txn, &head);
	first = anchor.number + 1;
	end = head.number + 1;
	while (first < end) {
		uint64_t middle = first + (end - first) / 2;
		struct log_entry entry;
		enum err err = read_from(txn, middle, &entry);

		if (err)
			return err;
		if (entry.change.now < at)
			first = entry.number + 1;
		else
			end = middle;
	}
	*number = first;
	return txn->err;
}

/* Of those of that second: the one that is it, or the only one that may be. */
static enum err pick_revoked(struct cursor *cursor, const struct pat *pat,
			     struct change *out)
{
	struct change best = { 0 };
	int most = 0, found = 0;

	while (cursor_next(cursor)) {
		struct log_entry entry;
		enum err err = changelog_unpack(cursor, &entry);
		int heavy = weight(&entry.change, pat->id);

		if (err)
			return err;
		if (entry.change.now != pat->revoked_at)
			break;
		found = heavy > most ? 1 : found + (heavy && heavy == most);
		if (heavy > most) {
			best = entry.change;
			most = heavy;
		}
	}
	if (found != 1 && most != 2)
		return E_NOT_FOUND;
	*out = best;
	return E_OK;
}

enum err changelog_revoked(struct txn *txn, const struct pat *pat,
			   struct change *out)
{
	AUTO(cursor) struct cursor cursor;
	struct key8 key;
	uint64_t number;
	enum err err;

	*out = (struct change) { 0 };
	cursor_open(txn, TABLE_LOG, STR(""), &cursor);
	err = find_time(txn, pat->revoked_at, &number);
	if (err)
		return err;
	key = key_u64(number);
	cursor_seek(&cursor, STR_OF(key.at));
	err = pick_revoked(&cursor, pat, out);
	return txn->err ? txn->err : err;
}

/* Numbers may leave some out, so they are counted. */
static uint64_t count_since(struct txn *txn, uint64_t number)
{
	AUTO(cursor) struct cursor cursor;
	struct key8 key = key_u64(number + 1);
	uint64_t n = 0;

	cursor_open(txn, TABLE_LOG, STR(""), &cursor);
	for (cursor_seek(&cursor, STR_OF(key.at)); cursor_next(&cursor);)
		n++;
	return n;
}

bool changelog_follows(struct txn *txn, struct txn *older, uint64_t *since)
{
	struct log_end anchor, then, same;

	*since = 0;
	changelog_anchor(txn, &anchor);
	changelog_head(older, &then);
	if (!then.number) /* made, and no change yet */
		return !anchor.number &&
		       txn_created_at(txn) == txn_created_at(older) &&
		       (*since = count_since(txn, 0)) > 0;
	if (then.number == anchor.number)
		same = anchor;
	else if (!find(txn, then.number, &same))
		return false;
	if (!digest_eq(&same.digest, &then.digest))
		return false;
	*since = count_since(txn, then.number);
	return true;
}

uint64_t changelog_fork(struct txn *txn, struct txn *other)
{
	AUTO(cursor) struct cursor cursor;
	uint64_t shared = 0;

	cursor_open(other, TABLE_LOG, STR(""), &cursor);
	while (cursor_next(&cursor)) {
		struct unpack u = { .rest = cursor.key };
		uint64_t number = unpack_u64(&u);
		struct log_end mine, its;

		if (!find(txn, number, &mine) || !find(other, number, &its))
			continue;
		if (!digest_eq(&mine.digest, &its.digest))
			break;
		shared = number;
	}
	return shared;
}
