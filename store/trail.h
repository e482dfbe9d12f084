/*
 * store/trail.h - up to which entry of the store's log the server has told its
 * own log of changes: see server/jobs/trail.h. Observed, not decided: a restore
 * leaves it as it is, as numbers go on.
 */
#pragma once

#include "store/db.h"

/* *out is 0 where nothing was told yet, and unless E_OK. */
enum err trail_get(struct txn *txn, uint64_t *out) MUST_CHECK;
void trail_put(struct txn *txn, uint64_t number);
/* Is it the key, in table "job"? */
bool trail_is_key(struct str key);
