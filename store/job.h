/*
 * store/job.h - what runs by itself, and when it last did.
 *
 * A daily check runs once a UTC date, from its hour on. Its marker is the date
 * that is done: a run that was missed is caught up once, one that is done is
 * not repeated after a restart. A store counts the checks of the day on which
 * it was made as done.
 */
#pragma once

#include "store/db.h"
#include "store/setting.h"

/* Numbers are stored: number, name, seconds after 00:00 UTC */
#define JOB_LIST(X)                                                            \
	X(JOB_EXPIRING, 1, "expiring", 1 * 3600)                               \
	X(JOB_EXPIRED, 2, "expired", 2 * 3600)                                 \
	X(JOB_LIFETIME, 3, "lifetime", 0)

enum job {
#define X(id, number, name, at) id = number,
	JOB_LIST(X)
#undef X
};
enum {
	JOB_FIRST = JOB_EXPIRING,
	JOB_LAST = JOB_LIFETIME,
	JOB_TEXT_MAX = 300,
	JOB_GRACE = 3 * 60 * 60 /* to change one's mind about a limit */
};

const char *job_name(enum job job);

struct job_state {
	int64_t marker;	   /* 00:00 of the date that is done; JOB_LIFETIME: when
			      the limit was set that has been enforced */
	int64_t ran_at;	   /* 0: never */
	uint64_t found;	   /* tokens, by the last run */
	uint64_t queued;   /* notices, by the last run */
	uint64_t untold;   /* tokens of which it could tell nobody */
	uint64_t given_up; /* notices that could not be delivered, ever */
	int64_t failed_at; /* 0: nothing waits that could not be sent */
	struct str failure; /* what failed last */
};

enum err job_get(struct txn *txn, enum job job,
		 struct job_state *out) MUST_CHECK;
void job_put(struct txn *txn, enum job job, const struct job_state *state);

/*
 * When it is to run next, 0: not at all; one whose time has come by `now` is
 * due, and *marker is what is done with it. A marker of another day to come is
 * of a clock that was wrong: it counts as none.
 */
int64_t job_next(enum job job, const struct job_state *state,
		 const struct settings *settings, int64_t now, int64_t *marker);
