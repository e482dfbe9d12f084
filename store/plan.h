/*
 * store/plan.h - inside of restore.c: the changes that a copy needs before it
 * may take the store's place. What was taken away since is taken away again.
 */
#pragma once

#include "store/backup.h"
#include "store/past.h"
#include "token/arena.h"

struct again; /* a change that is to be made again */

struct plan {
	struct txn *now, *copy; /* the store as it is; the copy */
	const struct restore *how;
	enum kin kin; /* what the store is to the copy */
	struct arena arena;
	struct past past; /* if it has seen changes that the copy has not */
	struct again *first, **end;
	uint64_t count; /* what is taken away by them */
	uint64_t newer; /* tokens among that, by how->newer_than alone */
};

/* All that is handed in must live as long as the plan, and stay in place. */
void plan_init(struct plan *plan, struct txn *now, struct txn *copy,
	       const struct restore *how);
void plan_cleanup(struct plan *plan);
/* Reads both; writes nothing. A failure of either sticks to it. */
enum err plan_make(struct plan *plan) MUST_CHECK;
/* Once the copy's rows are in plan->now. Unless E_OK, *cause may say why. */
enum err plan_run(struct plan *plan, struct cause *cause)
	ON(writer_thread) MUST_CHECK;
