/*
 * store/changelog.h - the table "log": every change, in order, hash-chained.
 * One log is the audit trail, the replay, and what other nodes follow.
 *
 * Key: number, u64, 1 first. Record: u8 version=1, the SHA-256 of the entry
 * before (zero for the first), the packed change (store/change.c). The hash of
 * an entry is that of its number and its record.
 *
 * The head, number and hash of the newest entry, is in the store; so a change
 * or loss of the newest entries is found. Who can write the store can make a
 * whole other log with a head that fits: that is found by who has kept a head
 * elsewhere (changelog_check_head).
 *
 * Two entries do not follow their number's predecessor. After a prune the first
 * follows the anchor, number and hash of the last that went; the newest prune's
 * own entry says the same, or anybody might drop the oldest. A "restore" takes
 * the log of the copy, yet numbers go on: it holds number and hash of the head
 * that it replaced, and its own number is the next after both heads.
 */
#pragma once

#include "store/change.h"

/* An end of the log; number 0: there is none. */
struct log_end {
	uint64_t number;
	struct digest digest;
};

void changelog_append(struct txn *txn, const struct change *change);

void changelog_head(struct txn *txn, struct log_end *out);
void changelog_anchor(struct txn *txn, struct log_end *out);

struct log_entry {
	uint64_t number;
	struct digest digest, before; /* its hash, that of the one before */
	struct change change;	      /* texts point into the store */
};

/*
 * A row of a cursor over TABLE_LOG. E_CORRUPT, E_VERSION: it cannot be read,
 * out->number is what its key says all the same.
 */
enum err changelog_unpack(struct cursor *cursor,
			  struct log_entry *out) MUST_CHECK;

struct log_facts {
	struct log_end anchor, head;
	struct log_end pruned; /* the anchor, as the newest prune says it */
	uint64_t count;	       /* of entries that are there */
};

/*
 * Walks the whole log: E_CORRUPT, with *cause naming the number, when an entry
 * is changed, missing or out of order. *out is zero unless E_OK.
 */
enum err changelog_verify(struct txn *txn, struct log_facts *out,
			  struct cause *cause) MUST_CHECK;
/* Numbers that a restore left out: entries `from` to `to` were lost by it. */
struct log_gap {
	uint64_t from, to;
	uint64_t restore; /* its number */
	int64_t at;	  /* when it was made */
};
/* The next one of a sound log, the first if *gap is zero. False: no more. */
bool changelog_next_gap(struct txn *txn, struct log_gap *gap);
/*
 * Is `kept`, which somebody kept elsewhere, an entry of this log, sound as it
 * is? E_CORRUPT: the log was cut or made again; E_NOT_FOUND: it was pruned or
 * lost by a restore, so that nobody can tell.
 */
enum err changelog_check_head(struct txn *txn, const struct log_end *kept,
			      struct cause *cause) MUST_CHECK;

/* *out: when the newest change was made, seconds UTC; 0: there is none. */
enum err changelog_newest(struct txn *txn, int64_t *out) MUST_CHECK;
/*
 * By what change a token was revoked at that second, as far as the log's times
 * rise: E_NOT_FOUND where they do not, or where one second has seen several
 * that may have. *out points into the store.
 */
enum err changelog_revoked(struct txn *txn, const struct pat *pat,
			   struct change *out) MUST_CHECK;
/*
 * Does `txn` have the newest entry of `older` in its own log: is `older` an
 * earlier state of the same store, perhaps before any change? *since: how many
 * entries came after it.
 * A log that was pruned past it cannot tell: then it does not.
 */
bool changelog_follows(struct txn *txn, struct txn *older, uint64_t *since);
/* The newest entry that both logs have; 0: there is none. */
uint64_t changelog_fork(struct txn *txn, struct txn *other);
