/*
 * store/pat.c - access tokens: tables "pat", "pat_id" and "user_pat".
 *
 * Table "pat": SHA-256 of the secret, 32 bytes -> u8 version=2, u64 id,
 * u64 user, u64 space, u8 kind, u32 scopes, time created_at, time expires_at,
 * time revoked_at, u64 family, u64 previous, u64 next, time grace_ends,
 * text repositories, text networks, text services, time idle, text name. Token
 * 9 of user 7, personal, read_registry, never expires, not revoked, for
 * repository "a" alone, "ci":
 *
 *   02 0000000000000009 0000000000000007 0000000000000000 01 00000020
 *   0000000067f00000 0000000000000000 0000000000000000
 *   0000000000000009 0000000000000000 0000000000000000 0000000000000000
 *   0001 61 0000 0000 0000000000000000 0002 6369
 *
 * Table "pat_id": u64 id -> digest. Table "user_pat": u64 user, u64 id ->
 * nothing. Tokens stay when they are dead, so that they can be told from
 * unknown ones.
 */
#include "store/pat.h"

#include <string.h>

#include "store/record.h"
#include "store/used.h"

enum { PAT_VERSION = 2 };

const char *pat_kind_name(uint64_t kind)
{
	static const char *const names[] = {
#define X(name, text) [PAT_##name] = text,
		PAT_KIND_LIST(X)
#undef X
	};

	return kind && kind < PAT_KINDS ? names[kind] : "?";
}

static enum err unpack(struct txn *txn, const struct digest *digest,
		       struct str value, struct pat *out)
{
	struct unpack u = { .rest = value };
	unsigned kind;
	struct pat pat;

	if (unpack_u8(&u) != PAT_VERSION)
		return txn->err = value.len ? E_VERSION : E_CORRUPT;
	pat.id = unpack_u64(&u);
	pat.user = unpack_u64(&u);
	pat.space = unpack_u64(&u);
	kind = unpack_u8(&u);
	pat.kind = (enum pat_kind)kind;
	pat.scopes = unpack_u32(&u);
	pat.created_at = unpack_time(&u);
	pat.expires_at = unpack_time(&u);
	pat.revoked_at = unpack_time(&u);
	pat.family = unpack_u64(&u);
	pat.previous = unpack_u64(&u);
	pat.next = unpack_u64(&u);
	pat.grace_ends = unpack_time(&u);
	for (enum limit limit = 0; limit < LIMIT_COUNT; limit++)
		pat.limits[limit] = unpack_text(&u);
	pat.idle = unpack_time(&u);
	pat.name = unpack_text(&u);
	pat.digest = *digest;
	if (!unpack_done(&u) || !pat.id || kind == PAT_OF_NO_KIND ||
	    kind >= PAT_KINDS)
		return txn->err = E_CORRUPT;
	*out = pat;
	return E_OK;
}

enum err pat_find(struct txn *txn, const struct digest *digest, struct pat *out)
{
	struct str value;

	*out = (struct pat) { 0 };
	if (!txn_get(txn, TABLE_PAT, digest_str(digest), &value))
		return txn->err ? txn->err : E_NOT_FOUND;
	return unpack(txn, digest, value, out);
}

enum err pat_get(struct txn *txn, uint64_t id, struct pat *out)
{
	struct key8 key = key_u64(id);
	struct digest digest;
	struct str value;
	enum err err;

	*out = (struct pat) { 0 };
	if (!txn_get(txn, TABLE_PAT_ID, STR_OF(key.at), &value))
		return txn->err ? txn->err : E_NOT_FOUND;
	if (value.len != sizeof(digest.at))
		return txn->err = E_CORRUPT;
	memcpy(digest.at, value.at, value.len);
	err = pat_find(txn, &digest, out);
	if (err == E_NOT_FOUND || (!err && out->id != id)) {
		*out = (struct pat) { 0 };
		return txn->err = E_CORRUPT;
	}
	return err;
}

enum err pat_unpack(struct txn *txn, struct str key, struct str value,
		    struct pat *out)
{
	struct digest digest;

	*out = (struct pat) { 0 };
	if (key.len != sizeof(digest.at))
		return txn->err = E_CORRUPT;
	memcpy(digest.at, key.at, key.len);
	return unpack(txn, &digest, value, out);
}

uint64_t pat_next_of(struct txn *txn, uint64_t user, uint64_t after)
{
	AUTO(cursor) struct cursor cursor;
	struct key8 prefix = key_u64(user);
	struct key16 from = key_pair(user, after + 1);
	struct unpack k;

	cursor_open(txn, TABLE_USER_PAT, STR_OF(prefix.at), &cursor);
	cursor_seek(&cursor, STR_OF(from.at));
	if (!cursor_next(&cursor))
		return 0;
	k = (struct unpack) { .rest = cursor.key };
	unpack_u64(&k);
	return unpack_u64(&k);
}

void pat_put(struct txn *txn, const struct pat *pat)
{
	struct key8 id = key_u64(pat->id);
	struct key16 owner = key_pair(pat->user, pat->id);
	struct pack pack = { 0 };

	pack_u8(&pack, PAT_VERSION);
	pack_u64(&pack, pat->id);
	pack_u64(&pack, pat->user);
	pack_u64(&pack, pat->space);
	pack_u8(&pack, (uint8_t)pat->kind);
	pack_u32(&pack, pat->scopes);
	pack_time(&pack, pat->created_at);
	pack_time(&pack, pat->expires_at);
	pack_time(&pack, pat->revoked_at);
	pack_u64(&pack, pat->family);
	pack_u64(&pack, pat->previous);
	pack_u64(&pack, pat->next);
	pack_time(&pack, pat->grace_ends);
	for (enum limit limit = 0; limit < LIMIT_COUNT; limit++)
		pack_text(&pack, pat->limits[limit]);
	pack_time(&pack, pat->idle);
	pack_text(&pack, pat->name);
	txn_put(txn, TABLE_PAT, digest_str(&pat->digest), pack_str(&pack));
	txn_put(txn, TABLE_PAT_ID, STR_OF(id.at), digest_str(&pat->digest));
	txn_put(txn, TABLE_USER_PAT, STR_OF(owner.at), STR(""));
}

int64_t pat_dies_at(const struct pat *pat, const struct settings *settings)
{
	int64_t date = settings->enforce_token_expiry ? pat->expires_at : 0;

	if (!pat->grace_ends)
		return date;
	return date && date < pat->grace_ends ? date : pat->grace_ends;
}

bool pat_active(const struct pat *pat, const struct settings *settings,
		int64_t now)
{
	int64_t dies_at = pat_dies_at(pat, settings);

	return pat->id && !pat->revoked_at && (!dies_at || now < dies_at);
}

int64_t pat_used_at(struct txn *txn, const struct pat *pat)
{
	struct used used;

	if (used_get(txn, pat->id, &used) || used.at < pat->created_at)
		return pat->created_at;
	/* Uses in the ten minutes after it are not written. */
	return used.at + USED_EVERY;
}

bool pat_idle(const struct pat *pat, int64_t used_at, int64_t now)
{
	return pat->idle && now >= used_at + pat->idle;
}
