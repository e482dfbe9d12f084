/*
 * store/changelog.h - the table "log": every change, in order, hash-chained.
 * One log is the audit trail, the replay, and what other nodes follow.
 *
 * Key: number, u64, 1 first. Record: u8 version=1, the SHA-256 of the entry
 * before (zero for the first), the packed change (store/change.c). The hash of
 * an entry is that of its number and its record.
 */
#pragma once

#include "store/change.h"

void changelog_append(struct txn *txn, const struct change *change);

/*
 * Walks the whole log: E_CORRUPT, with *cause naming the number, when an entry
 * is changed, missing or out of order. *count: entries.
 */
enum err changelog_verify(struct txn *txn, uint64_t *count,
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
 * earlier state of the same store? *since: how many entries came after it.
 */
bool changelog_follows(struct txn *txn, struct txn *older, uint64_t *since);
