/* store/bot.c - see the header. */
#include "store/bot.h"

#include "store/pat.h"
#include "store/record.h"

static bool lives(struct txn *txn, const struct pat *pat,
		  const struct settings *settings, int64_t now)
{
	return pat_active(pat, settings, now) &&
	       !pat_idle(pat, pat_used_at(txn, pat), now);
}

bool bot_ended(struct txn *txn, const struct user *user, int64_t now)
{
	struct key8 prefix = key_u64(user->id);
	AUTO(cursor) struct cursor c = { 0 };
	struct settings settings;

	if (!(user->flags & USER_BOT) || settings_read(txn, &settings))
		return false;
	for (cursor_open(txn, TABLE_USER_PAT, STR_OF(prefix.at), &c);
	     cursor_next(&c);) {
		struct unpack key = { .rest = c.key };
		struct pat pat;

		unpack_u64(&key);
		if (pat_get(txn, unpack_u64(&key), &pat) == E_NOT_FOUND)
			txn->err = E_CORRUPT;
		if (txn->err || lives(txn, &pat, &settings, now))
			return false;
	}
	return !txn->err;
}
