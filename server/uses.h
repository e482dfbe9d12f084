/*
 * server/uses.h - uses of tokens on their way from a worker to the store.
 *
 * A worker notes a use in a table of its own. Once a second it passes that
 * table on through a slot, and the jobs thread writes it (through the writer)
 * and gives it back. There is no lock: a slot is filled by one side and emptied
 * by the other. Which tokens were noted within ten minutes the worker knows
 * from a second table; when each may be noted again the store has the last word
 * on, so what comes back corrects it.
 *
 * The memory is fixed: a token has one row of a batch. When more tokens than
 * fit are used before the jobs thread comes (it looks each second), the rest is
 * counted as lost, and noted at a later use.
 */
#pragma once

#include "store/change.h"

struct uses;
struct use_batch;

struct uses *uses_new(void);
void uses_free(struct uses *uses); /* NULL is fine */

/* On the worker. */
void uses_note(struct uses *uses, uint64_t pat, int64_t now, struct str address,
	       struct str client);
void uses_pass_on(struct uses *uses);

/* On the jobs thread: what was passed on, or NULL. */
struct use_batch *uses_take(struct uses *uses);
/* Once the worker has ended: what it did not pass on. */
struct use_batch *uses_take_rest(struct uses *uses);
bool uses_hurry(const struct uses *uses);	   /* more than half is full */
uint64_t uses_lost(struct uses *uses);		   /* since it was asked last */
enum err uses_write(struct txn *txn, void *batch); /* a deed */
void uses_failed(struct use_batch *batch);	   /* so each is noted again */
void uses_give_back(struct uses *uses, struct use_batch *batch);
