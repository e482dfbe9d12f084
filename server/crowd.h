/*
 * server/crowd.h - how many connections there are, in all and from one
 * address. Counters are atomic and as many as they are: addresses share one
 * when their keyed hash says so, which only makes the limit stricter.
 */
#pragma once

#include "token/base.h"

struct sockaddr;
struct crowd;

enum {
	DESCRIPTORS = 1 << 20, /* at most: Linux' own fs.nr_open */
	CROWD_EXTRA = 256,     /* above the limits, to be told so */
	CROWD_RESERVE = 128    /* descriptors for files, logs, loops */
};

enum err crowd_new(struct crowd **out) MUST_CHECK;
void crowd_free(struct crowd *crowd); /* NULL is fine */

/*
 * Raises the descriptor limit as far as it goes, to DESCRIPTORS. *total is
 * lowered to what it allows.
 */
void crowd_limit(struct crowd *crowd, unsigned *total, unsigned per_address);

/* The welcome that are there; how many there may be. From any thread. */
unsigned crowd_count(const struct crowd *crowd);
unsigned crowd_most(const struct crowd *crowd);

/*
 * WELCOME: within both limits. FULL: may be told so, as CROWD_EXTRA others.
 * Only the welcome count against the limits: a crowd of one address that is
 * over its own limit takes no place from another.
 */
enum crowd_verdict { CROWD_WELCOME, CROWD_FULL, CROWD_CLOSE };
/* Which limit it was that one is over. */
enum crowd_limit { CROWD_TOTAL, CROWD_ADDRESS };
/*
 * Counts one; the verdict and *place are for crowd_leave(). NULL: a proxy's,
 * which counts among all alone. *limit unless WELCOME.
 */
enum crowd_verdict crowd_enter(struct crowd *crowd,
			       const struct sockaddr *address, unsigned *place,
			       enum crowd_limit *limit);
void crowd_leave(struct crowd *crowd, enum crowd_verdict verdict,
		 unsigned place);
