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
