/*
 * store/told.h - what the owner of a token has been told of its end, so that
 * nobody is told twice.
 *
 * One number says it: for how many days before its death he was warned last; 0
 * once he was told that it is dead. It only falls, but for what was told to
 * nobody in the end, or on a day that has not come: by a clock that was wrong.
 */
#pragma once

#include "store/db.h"

enum { TOLD_DEATH = 0, TOLD_NOTHING = INT32_MAX };

/* TOLD_NOTHING where there is no row, and on a failure, which sticks. */
unsigned told_get(struct txn *txn, uint64_t pat, int64_t today);
/* `day`: 00:00 of the date for which a check queued it. */
void told_put(struct txn *txn, uint64_t pat, unsigned days, int64_t day);
/*
 * What became of what was queued for that day. reached: one has got it. lost:
 * one was given up; unless another has got it, nothing counts as told.
 */
void told_reached(struct txn *txn, uint64_t pat, int64_t day);
void told_lost(struct txn *txn, uint64_t pat, int64_t day);

/* Can it be read? */
enum err told_check(struct txn *txn, struct str value) MUST_CHECK;
