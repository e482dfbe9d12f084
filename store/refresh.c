/*
 * store/refresh.c - refresh tokens: tables "refresh" and "pat_refresh".
 *
 * Table "refresh": SHA-256 of the secret, 32 bytes -> u8 version=1, u64 pat,
 * time created_at, time expires_at, text service. Of token 9, for "reg":
 *
 *   01 0000000000000009 0000000067f00000 00000000686fa600 0003 726567
 *
 * No two of a PAT have the same created_at: the second, or as many more as it
 * takes to be behind the one before. So it is known which came first, also of
 * those made at once or by a clock that was set back.
 *
 * Table "pat_refresh": u64 pat, digest -> nothing.
 */
#include "store/refresh.h"

#include <string.h>

#include "store/record.h"

enum { REFRESH_VERSION = 1 };

struct pat_key {
	unsigned char at[8 + DIGEST_LEN];
};

static struct pat_key pat_key(uint64_t pat, struct str digest)
{
	struct key8 id = key_u64(pat);
	struct pat_key key;

	assert(digest.len == DIGEST_LEN);
	memcpy(key.at, id.at, sizeof(id.at));
	memcpy(key.at + sizeof(id.at), digest.at, digest.len);
	return key;
}

static enum err unpack(struct txn *txn, struct str value, struct refresh *out)
{
	struct unpack u = { .rest = value };
	struct refresh refresh;

	if (unpack_u8(&u) != REFRESH_VERSION)
		return txn->err = value.len ? E_VERSION : E_CORRUPT;
	refresh.pat = unpack_u64(&u);
	refresh.created_at = unpack_time(&u);
	refresh.expires_at = unpack_time(&u);
	refresh.service = unpack_text(&u);
	if (!unpack_done(&u) || !refresh.pat)
		return txn->err = E_CORRUPT;
	*out = refresh;
	return E_OK;
}

enum err refresh_find(struct txn *txn, const struct digest *digest,
		      struct refresh *out)
{
	struct str value;

	*out = (struct refresh) { 0 };
	if (!txn_get(txn, TABLE_REFRESH, digest_str(digest), &value))
		return txn->err ? txn->err : E_NOT_FOUND;
	return unpack(txn, value, out);
}

/* What a PAT has. */
struct held {
	size_t n;
	struct digest oldest;
	int64_t first, last; /* created_at of the oldest, of the newest */
};

static struct held held_by(struct txn *txn, uint64_t pat)
{
	AUTO(cursor) struct cursor cursor;
	struct key8 prefix = key_u64(pat);
	struct held held = { 0 };

	cursor_open(txn, TABLE_PAT_REFRESH, STR_OF(prefix.at), &cursor);
	for (; cursor_next(&cursor); held.n++) {
		struct str rest = str_skip(cursor.key, sizeof(prefix.at));
		struct refresh refresh;
		struct digest digest;

		if (rest.len == DIGEST_LEN)
			memcpy(digest.at, rest.at, rest.len);
		if (rest.len != DIGEST_LEN ||
		    refresh_find(txn, &digest, &refresh)) {
			txn->err = E_CORRUPT;
			return (struct held) { 0 };
		}
		if (!held.n || refresh.created_at > held.last)
			held.last = refresh.created_at;
		if (held.n && refresh.created_at >= held.first)
			continue;
		held.first = refresh.created_at;
		held.oldest = digest;
	}
	return held;
}

void refresh_remove(struct txn *txn, uint64_t pat, const struct digest *digest)
{
	struct pat_key key = pat_key(pat, digest_str(digest));

	txn_remove(txn, TABLE_REFRESH, digest_str(digest));
	txn_remove(txn, TABLE_PAT_REFRESH, STR_OF(key.at));
}

void refresh_add(struct txn *txn, const struct digest *digest,
		 const struct refresh *refresh)
{
	struct pat_key key = pat_key(refresh->pat, digest_str(digest));
	struct held held = held_by(txn, refresh->pat);
	int64_t created_at = refresh->created_at;
	struct pack pack = { 0 };

	for (; held.n >= REFRESH_PER_PAT && !txn->err;
	     held = held_by(txn, refresh->pat))
		refresh_remove(txn, refresh->pat, &held.oldest);
	if (held.n && held.last >= created_at && held.last < INT64_MAX)
		created_at = held.last + 1;
	pack_u8(&pack, REFRESH_VERSION);
	pack_u64(&pack, refresh->pat);
	pack_time(&pack, created_at);
	pack_time(&pack, refresh->expires_at);
	pack_text(&pack, refresh->service);
	txn_add(txn, TABLE_REFRESH, digest_str(digest), pack_str(&pack));
	txn_put(txn, TABLE_PAT_REFRESH, STR_OF(key.at), STR(""));
}

void refresh_remove_pat(struct txn *txn, uint64_t pat)
{
	struct held held;

	while ((held = held_by(txn, pat)).n && !txn->err)
		refresh_remove(txn, pat, &held.oldest);
}
