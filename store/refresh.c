/*
 * store/refresh.c - refresh tokens: tables "refresh" and "pat_refresh".
 *
 * Table "refresh": SHA-256 of the secret, 32 bytes -> u8 version=1, u64 pat,
 * time created_at, time expires_at, text service. Of token 9, for "reg":
 *
 *   01 0000000000000009 0000000067f00000 00000000686fa600 0003 726567
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

/*
 * The oldest of a PAT's (of equal age the lowest digest, so that replay takes
 * the same one); returns how many there are.
 */
static size_t oldest(struct txn *txn, uint64_t pat, struct digest *out)
{
	AUTO(cursor) struct cursor cursor;
	struct key8 prefix = key_u64(pat);
	int64_t best = INT64_MAX;
	size_t n = 0;

	cursor_open(txn, TABLE_PAT_REFRESH, STR_OF(prefix.at), &cursor);
	for (; cursor_next(&cursor); n++) {
		struct str rest = str_skip(cursor.key, sizeof(prefix.at));
		struct refresh refresh;
		struct digest digest;

		if (rest.len != DIGEST_LEN) {
			txn->err = E_CORRUPT;
			return 0;
		}
		memcpy(digest.at, rest.at, rest.len);
		if (refresh_find(txn, &digest, &refresh)) {
			txn->err = E_CORRUPT;
			return 0;
		}
		if (n && refresh.created_at >= best)
			continue;
		best = refresh.created_at;
		*out = digest;
	}
	return n;
}

static void remove_one(struct txn *txn, uint64_t pat,
		       const struct digest *digest)
{
	struct pat_key key = pat_key(pat, digest_str(digest));

	txn_remove(txn, TABLE_REFRESH, digest_str(digest));
	txn_remove(txn, TABLE_PAT_REFRESH, STR_OF(key.at));
}

void refresh_add(struct txn *txn, const struct digest *digest,
		 const struct refresh *refresh)
{
	struct pat_key key = pat_key(refresh->pat, digest_str(digest));
	struct digest old;
	struct pack pack = { 0 };

	while (oldest(txn, refresh->pat, &old) >= REFRESH_PER_PAT && !txn->err)
		remove_one(txn, refresh->pat, &old);
	pack_u8(&pack, REFRESH_VERSION);
	pack_u64(&pack, refresh->pat);
	pack_time(&pack, refresh->created_at);
	pack_time(&pack, refresh->expires_at);
	pack_text(&pack, refresh->service);
	txn_add(txn, TABLE_REFRESH, digest_str(digest), pack_str(&pack));
	txn_put(txn, TABLE_PAT_REFRESH, STR_OF(key.at), STR(""));
}

void refresh_remove_pat(struct txn *txn, uint64_t pat)
{
	struct digest digest;

	while (oldest(txn, pat, &digest) && !txn->err)
		remove_one(txn, pat, &digest);
}
