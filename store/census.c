/* store/census.c - see the header. */
#include "store/census.h"

#include "store/mailbox.h"
#include "store/pat.h"
#include "token/date.h"

static bool dies_soon(const struct pat *pat, const struct settings *settings,
		      int64_t now)
{
	int64_t dies_at = pat_dies_at(pat, settings);

	return pat_active(pat, settings, now) && !pat->next && dies_at &&
	       dies_at <= now + (int64_t)CENSUS_DAYS * DAY;
}

/* False: that was the last. */
static bool next_token(struct cursor *cursor, const struct census *census)
{
	bool more = cursor_next(cursor);

	if (more && census->begun &&
	    str_eq(cursor->key, digest_str(&census->at)))
		more = cursor_next(cursor);
	return more;
}

static enum err count_tokens(struct txn *txn, int64_t now, unsigned most,
			     struct census *census)
{
	AUTO(cursor) struct cursor cursor;
	struct settings settings;
	enum err err = settings_read(txn, &settings);
	struct pat pat;

	cursor_open(txn, TABLE_PAT, STR(""), &cursor);
	if (census->begun)
		cursor_seek(&cursor, digest_str(&census->at));
	while (!err && most-- && next_token(&cursor, census)) {
		err = pat_unpack(txn, cursor.key, cursor.value, &pat);
		if (err)
			break;
		census->expiring += dies_soon(&pat, &settings, now);
		census->at = pat.digest;
		census->begun = true;
	}
	census->whole = !cursor.key.len;
	return err ? err : txn->err;
}

static enum err count_notices(struct txn *txn, struct census *out)
{
	AUTO(cursor) struct cursor cursor;
	struct notice notice;

	cursor_open(txn, TABLE_MAILBOX, STR(""), &cursor);
	while (mailbox_next_any(&cursor, &notice))
		if (notice.given_up_at)
			out->given_up++;
		else if (!out->oldest || notice.queued_at < out->oldest)
			out->oldest = notice.queued_at;
	return txn->err;
}

enum err census_step(struct txn *txn, int64_t now, unsigned most,
		     struct census *census)
{
	enum err err = count_tokens(txn, now, most, census);

	if (!err && census->whole)
		err = count_notices(txn, census);
	if (err)
		*census = (struct census) { 0 };
	return err;
}
