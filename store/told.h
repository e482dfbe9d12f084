/*
 * store/told.h - what the owner of a token has been told of its end, so that
 * nobody is told twice.
 *
 * One number says it: for how many days before its death he was warned last; 0
 * once he was told that it is dead. It only falls.
 */
#pragma once

#include "store/db.h"

enum { TOLD_DEATH = 0, TOLD_NOTHING = INT32_MAX };

/* TOLD_NOTHING where there is no row, and on a failure, which sticks. */
unsigned told_get(struct txn *txn, uint64_t pat);
void told_put(struct txn *txn, uint64_t pat, unsigned days);
