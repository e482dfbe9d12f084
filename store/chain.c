/*
 * store/chain.c - is the log as it was written? See store/changelog.h. Whoever
 * is to blame is named: when an entry does not fit the one before, the one
 * after tells which of the two was changed.
 */
#include "store/changelog.h"

#include "store/record.h"
#include "token/date.h"

#define ADVICE "; " STORE_MEND

typedef unsigned long long ull;

static enum err blame(struct cause *cause, const char *what, uint64_t number)
{
	return cause_set(cause, E_CORRUPT, "log entry %llu %s" ADVICE,
			 (ull)number, what);
}

static enum err blame_missing(struct cause *cause, uint64_t from, uint64_t to)
{
	if (from == to)
		return blame(cause, "is missing", from);
	return cause_set(cause, E_CORRUPT,
			 "log entries %llu to %llu are missing" ADVICE,
			 (ull)from, (ull)to);
}

/* Does what comes after `entry`, or else the head, say that it is sound? */
static bool vouched(struct cursor *cursor, const struct log_entry *entry)
{
	struct log_entry next;
	struct log_end head;

	if (cursor_next(cursor))
		return !changelog_unpack(cursor, &next) &&
		       digest_eq(&next.before, &entry->digest);
	changelog_head(cursor->txn, &head);
	return head.number == entry->number &&
	       digest_eq(&head.digest, &entry->digest);
}

static enum err blame_link(struct cursor *cursor, const struct log_entry *entry,
			   const struct log_facts *facts, struct cause *cause)
{
	if (!vouched(cursor, entry))
		return blame(cause, "was changed or is out of place",
			     entry->number);
	if (facts->count)
		return blame(cause, "was changed", facts->head.number);
	if (facts->anchor.number)
		return blame(cause,
			     "does not follow the anchor of what was pruned",
			     entry->number);
	return blame(cause, "is not the first that there was", entry->number);
}

/* What number may follow: the next, or a restore's, after the head it lost. */
static uint64_t number_after(uint64_t number, const struct change *change)
{
	if (change->type == CHANGE_RESTORE && change->id > number)
		number = change->id;
	return number + 1;
}

static enum err check(struct cursor *cursor, struct log_facts *facts,
		      struct cause *cause)
{
	struct log_entry entry;
	enum err err = changelog_unpack(cursor, &entry);
	uint64_t next = facts->head.number + 1;

	if (entry.number < next)
		return blame(cause, "is out of place", entry.number);
	if (!err)
		next = number_after(facts->head.number, &entry.change);
	if (entry.number > next)
		return blame_missing(cause, next, entry.number - 1);
	if (err || entry.number < next)
		return blame(cause, "was changed: it cannot be read",
			     entry.number);
	if (!digest_eq(&entry.before, &facts->head.digest))
		return blame_link(cursor, &entry, facts, cause);
	if (entry.change.type == CHANGE_AUDIT_PRUNE)
		facts->pruned = (struct log_end) { entry.change.id,
						   entry.change.digest };
	facts->head = (struct log_end) { entry.number, entry.digest };
	facts->count++;
	return E_OK;
}

/* An anchor that no prune has left hides that the oldest were dropped. */
static enum err check_anchor(const struct log_facts *facts, struct cause *cause)
{
	if (facts->anchor.number == facts->pruned.number &&
	    digest_eq(&facts->anchor.digest, &facts->pruned.digest))
		return E_OK;
	return cause_set(cause, E_CORRUPT,
			 "the anchor of the log is entry %llu, but the newest "
			 "prune ended with entry %llu" ADVICE,
			 (ull)facts->anchor.number, (ull)facts->pruned.number);
}

static enum err check_end(struct txn *txn, const struct log_facts *facts,
			  struct cause *cause)
{
	struct log_end head;

	changelog_head(txn, &head);
	if (txn->err)
		return cause_set(cause, txn->err, "cannot read the log: %s",
				 err_text(txn->err));
	if (!head.number && facts->count)
		return cause_set(cause, E_CORRUPT,
				 "the head of the log is missing" ADVICE);
	if (head.number > facts->head.number)
		return blame_missing(cause, facts->head.number + 1,
				     head.number);
	if (head.number < facts->head.number)
		return blame(cause, "was added", head.number + 1);
	if (!digest_eq(&head.digest, &facts->head.digest))
		return blame(cause, "was changed", head.number);
	return check_anchor(facts, cause);
}

enum err changelog_verify(struct txn *txn, struct log_facts *out,
			  struct cause *cause)
{
	AUTO(cursor) struct cursor cursor;
	struct log_facts facts = { 0 };
	enum err err = E_OK;

	*out = facts;
	changelog_anchor(txn, &facts.anchor);
	facts.head = facts.anchor;
	cursor_open(txn, TABLE_LOG, STR(""), &cursor);
	while (!err && cursor_next(&cursor))
		err = check(&cursor, &facts, cause);
	if (!err)
		err = check_end(txn, &facts, cause);
	if (!err)
		*out = facts;
	return err;
}

bool changelog_next_gap(struct txn *txn, struct log_gap *gap)
{
	AUTO(cursor) struct cursor cursor;
	struct log_end last = { .number = gap->restore };
	struct log_entry entry;
	struct key8 key;

	if (!last.number)
		changelog_anchor(txn, &last);
	key = key_u64(last.number + 1);
	*gap = (struct log_gap) { 0 };
	cursor_open(txn, TABLE_LOG, STR(""), &cursor);
	for (cursor_seek(&cursor, STR_OF(key.at)); cursor_next(&cursor);
	     last.number++) {
		struct unpack u = { .rest = cursor.key };

		if (unpack_u64(&u) == last.number + 1)
			continue;
		if (changelog_unpack(&cursor, &entry))
			return false;
		*gap = (struct log_gap) { last.number + 1, entry.number - 1,
					  entry.number, entry.change.now };
		return true;
	}
	return false;
}

static enum err compare(const struct log_end *kept, const struct digest *now,
			struct cause *cause)
{
	if (digest_eq(&kept->digest, now))
		return E_OK;
	return cause_set(cause, E_CORRUPT,
			 "log entry %llu is another one than that whose hash "
			 "was kept: the log was made again, or the hash is of "
			 "another store",
			 (ull)kept->number);
}

/* Of an entry that is not there: which restore left it out? */
static enum err check_lost(struct cursor *cursor, const struct log_end *kept,
			   struct cause *cause)
{
	struct log_entry entry;

	if (!cursor_next(cursor) || changelog_unpack(cursor, &entry))
		return blame_missing(cause, kept->number, kept->number);
	if (entry.change.id == kept->number)
		return compare(kept, &entry.change.digest, cause);
	return cause_set(cause, E_NOT_FOUND,
			 "log entry %llu was lost by the restore of %s, entry "
			 "%llu: it cannot be compared; keep a later head",
			 (ull)kept->number, time_print(entry.change.now).at,
			 (ull)entry.number);
}

enum err changelog_check_head(struct txn *txn, const struct log_end *kept,
			      struct cause *cause)
{
	AUTO(cursor) struct cursor cursor = { 0 }; /* not begun perhaps */
	struct key8 key = key_u64(kept->number);
	struct log_end head, anchor;
	struct log_entry entry;

	changelog_head(txn, &head);
	changelog_anchor(txn, &anchor);
	if (kept->number > head.number)
		return cause_set(cause, E_CORRUPT,
				 "the log ends with entry %llu: those up to "
				 "%llu, which there were, are missing" ADVICE,
				 (ull)head.number, (ull)kept->number);
	if (kept->number == anchor.number)
		return compare(kept, &anchor.digest, cause);
	if (kept->number < anchor.number)
		return cause_set(cause, E_NOT_FOUND,
				 "log entry %llu was pruned, with all up to "
				 "%llu: it cannot be compared; keep a later "
				 "head",
				 (ull)kept->number, (ull)anchor.number);
	cursor_open(txn, TABLE_LOG, STR(""), &cursor);
	cursor_seek(&cursor, STR_OF(key.at));
	if (!str_eq(cursor.key, STR_OF(key.at)))
		return check_lost(&cursor, kept, cause);
	if (!cursor_next(&cursor) || changelog_unpack(&cursor, &entry))
		return blame(cause, "cannot be read", kept->number);
	return compare(kept, &entry.digest, cause);
}
