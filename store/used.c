/*
 * store/used.c - table "used": u64 token id -> u8 version=1, time at,
 * text address, text client. Token 9, by docker:
 *
 *   0000000000000009 -> 01 0000000067f00000 0009 3132372e302e302e31
 *                       0006 646f636b6572
 */
#include "store/used.h"

#include "store/record.h"

enum { USED_VERSION = 1 };

enum err used_get(struct txn *txn, uint64_t pat, struct used *out)
{
	struct key8 key = key_u64(pat);
	struct unpack u = { 0 };
	struct used used;

	*out = (struct used) { 0 };
	if (!txn_get(txn, TABLE_USED, STR_OF(key.at), &u.rest))
		return txn->err ? txn->err : E_NOT_FOUND;
	if (unpack_u8(&u) != USED_VERSION)
		return txn->err = u.failed ? E_CORRUPT : E_VERSION;
	used.at = unpack_time(&u);
	used.address = unpack_text(&u);
	used.client = unpack_text(&u);
	if (!unpack_done(&u))
		return txn->err = E_CORRUPT;
	*out = used;
	return E_OK;
}

static struct str clean(struct str s, char *at, size_t max)
{
	return (struct str) { at, print_copy(s, at, max) };
}

int64_t used_note(struct txn *txn, uint64_t pat, const struct used *used)
{
	struct key8 key = key_u64(pat);
	char address[USED_ADDRESS_MAX], client[USED_CLIENT_MAX];
	struct pack pack = { 0 };
	struct used before;
	enum err err = used_get(txn, pat, &before);

	/* Of two workers the later may come first; a clock may be set back. */
	if (!err && used->at - before.at < USED_EVERY &&
	    before.at - used->at < USED_EVERY)
		return before.at;
	if (err && err != E_NOT_FOUND)
		return 0;
	pack_u8(&pack, USED_VERSION);
	pack_time(&pack, used->at);
	pack_text(&pack, clean(used->address, address, sizeof(address)));
	pack_text(&pack, clean(used->client, client, sizeof(client)));
	txn_put(txn, TABLE_USED, STR_OF(key.at), pack_str(&pack));
	return used->at;
}
