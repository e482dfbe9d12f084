/*
 * store/changelog.c - table "log", and its head, "log" in table "meta": u64
 * number, SHA-256 of the newest entry. With the head a change or loss of the
 * newest entries is found too.
 *
 * The first entry, a token_revoke of token 9 by "job":
 *
 *   0000000000000001 ->
 *   01 00..00 (32) 01 0c 0000000067f00000 0003 6a6f62 0000000000000009
 *   0000000000000000
 */
#include "store/changelog.h"

#include <string.h>

#include "store/record.h"
#include "token/secret.h"

enum { LOG_VERSION = 1 };

struct head {
	uint64_t number;
	struct digest digest; /* of that entry; zero when there is none */
};

static void head_read(struct txn *txn, struct head *out)
{
	struct unpack u = { 0 };
	struct str digest;

	*out = (struct head) { 0 };
	if (!txn_get(txn, TABLE_META, STR("log"), &u.rest))
		return;
	out->number = unpack_u64(&u);
	digest = unpack_bytes(&u, DIGEST_LEN);
	if (unpack_done(&u))
		memcpy(out->digest.at, digest.at, DIGEST_LEN);
	else
		txn->err = E_CORRUPT;
}

static enum err entry_digest(uint64_t number, struct str record,
			     struct digest *out)
{
	struct pack pack = { 0 };

	pack_u64(&pack, number);
	pack_bytes(&pack, record);
	if (pack.over) {
		*out = (struct digest) { 0 };
		return E_LIMIT;
	}
	return secret_digest(pack_str(&pack), out);
}

void changelog_append(struct txn *txn, const struct change *change)
{
	struct pack record = { 0 }, packed = { 0 }, value = { 0 };
	struct head head;
	struct key8 key;
	enum err err;

	head_read(txn, &head);
	change_pack(change, &packed);
	pack_u8(&record, LOG_VERSION);
	pack_bytes(&record, digest_str(&head.digest));
	pack_bytes(&record, pack_str(&packed));
	record.over |= packed.over;
	head.number++;
	err = entry_digest(head.number, pack_str(&record), &head.digest);
	if (err && !txn->err)
		txn->err = err;
	key = key_u64(head.number);
	txn_add(txn, TABLE_LOG, STR_OF(key.at), pack_str(&record));
	pack_u64(&value, head.number);
	pack_bytes(&value, digest_str(&head.digest));
	txn_put(txn, TABLE_META, STR("log"), pack_str(&value));
}

static enum err verify_entry(struct cursor *cursor, struct head *head)
{
	struct unpack k = { .rest = cursor->key },
		      u = { .rest = cursor->value };
	uint64_t number = unpack_u64(&k);
	unsigned version = unpack_u8(&u);
	struct str before = unpack_bytes(&u, DIGEST_LEN);
	struct change change;

	if (!unpack_done(&k) || u.failed || number != head->number + 1 ||
	    version != LOG_VERSION ||
	    !str_eq(before, digest_str(&head->digest)))
		return E_CORRUPT;
	if (change_unpack(u.rest, &change))
		return E_CORRUPT;
	head->number = number;
	return entry_digest(number, cursor->value, &head->digest);
}

enum err changelog_verify(struct txn *txn, uint64_t *count, struct cause *cause)
{
	AUTO(cursor) struct cursor cursor;
	struct head newest, head = { 0 };

	*count = 0;
	head_read(txn, &newest);
	cursor_open(txn, TABLE_LOG, STR(""), &cursor);
	while (cursor_next(&cursor))
		if (verify_entry(&cursor, &head))
			return cause_set(
				cause, E_CORRUPT,
				"log entry %llu: it or the one before was "
				"changed or is missing; restore a backup",
				(unsigned long long)head.number + 1);
	if (txn->err)
		return cause_set(cause, txn->err, "cannot read the log: %s",
				 err_text(txn->err));
	if (head.number != newest.number ||
	    !digest_eq(&head.digest, &newest.digest))
		return cause_set(cause, E_CORRUPT,
				 "log entry %llu: it or one after was changed "
				 "or is missing; restore a backup",
				 (unsigned long long)head.number);
	*count = head.number;
	return E_OK;
}

static enum err read_entry(struct txn *txn, uint64_t number, struct change *out)
{
	struct key8 key = key_u64(number);
	struct str record;

	*out = (struct change) { 0 };
	if (!txn_get(txn, TABLE_LOG, STR_OF(key.at), &record) ||
	    record.len <= 1 + DIGEST_LEN)
		return E_CORRUPT;
	return change_unpack(str_skip(record, 1 + DIGEST_LEN), out);
}

enum err changelog_newest(struct txn *txn, int64_t *out)
{
	struct head head;
	struct change change;
	enum err err;

	*out = 0;
	head_read(txn, &head);
	if (!head.number)
		return txn->err;
	err = read_entry(txn, head.number, &change);
	*out = change.now;
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

/* The first entry that is not before `at`, as far as times rise. */
static enum err find_time(struct txn *txn, int64_t at, uint64_t end,
			  uint64_t *number)
{
	uint64_t first = 1;

	while (first < end) {
		uint64_t middle = first + (end - first) / 2;
		struct change change;
		enum err err = read_entry(txn, middle, &change);

		if (err)
			return err;
		if (change.now < at)
			first = middle + 1;
		else
			end = middle;
	}
	*number = first;
	return E_OK;
}

enum err changelog_revoked(struct txn *txn, const struct pat *pat,
			   struct change *out)
{
	struct change change;
	struct head head;
	uint64_t number;
	int best = 0, found = 0;
	enum err err;

	*out = (struct change) { 0 };
	head_read(txn, &head);
	err = find_time(txn, pat->revoked_at, head.number + 1, &number);
	for (; !err && number <= head.number; number++) {
		int heavy;

		err = read_entry(txn, number, &change);
		if (err || change.now != pat->revoked_at)
			break;
		heavy = weight(&change, pat->id);
		found = heavy > best ? 1 : found + (heavy && heavy == best);
		if (heavy > best)
			*out = change;
		best = heavy > best ? heavy : best;
	}
	if (err || txn->err || found == 1 || best == 2)
		return err ? err : txn->err;
	*out = (struct change) { 0 };
	return E_NOT_FOUND;
}

bool changelog_follows(struct txn *txn, struct txn *older, uint64_t *since)
{
	struct head now, then;
	struct digest digest;
	struct str record;
	struct key8 key;

	*since = 0;
	head_read(txn, &now);
	head_read(older, &then);
	if (!then.number)
		return false;
	key = key_u64(then.number);
	if (!txn_get(txn, TABLE_LOG, STR_OF(key.at), &record) ||
	    entry_digest(then.number, record, &digest) ||
	    !digest_eq(&digest, &then.digest))
		return false;
	*since = now.number - then.number;
	return true;
}
