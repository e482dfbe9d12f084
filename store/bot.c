/* store/bot.c - see the header. */
#include "store/bot.h"

#include "store/pat.h"

static bool lives(struct txn *txn, const struct pat *pat,
		  const struct settings *settings, int64_t now)
{
	return pat_active(pat, settings, now) &&
	       !pat_idle(pat, pat_used_at(txn, pat), now);
}

bool bot_ended(struct txn *txn, const struct user *user, int64_t now)
{
	struct settings settings;
	uint64_t id = 0;

	if (!(user->flags & USER_BOT) || settings_read(txn, &settings))
		return false;
	while ((id = pat_next_of(txn, user->id, id))) {
		struct pat pat;

		if (pat_get(txn, id, &pat) == E_NOT_FOUND)
			txn->err = E_CORRUPT;
		if (txn->err || lives(txn, &pat, &settings, now))
			return false;
	}
	return !txn->err;
}
