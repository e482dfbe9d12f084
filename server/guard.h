/*
 * server/guard.h - slows down whoever tries secrets, and locks out nobody who
 * has one: a right token never comes here.
 *
 * Counted are wrong tokens and passwords, by the network that they come from
 * (IPv4: the address; IPv6: its /64, and in wider measure its /48 and /32), and
 * wrong passwords by the name of the user, too. A count is a level that falls
 * evenly, from full to nothing in `seconds`. While it is full
 *
 *   a wrong token   is answered late, later for each further one
 *   a password      is not looked at: known or unknown, right or wrong
 *
 * A password counts from when it is looked at, so that many at once are not
 * more than one after the other, and no more once it was right. The same secret
 * of the same user and network by POST and then by GET, or the other way round,
 * counts once: so do containerd, BuildKit and helm.
 *
 * The memory is fixed: levels stand in four rows of cells, one cell in each,
 * found by a keyed hash; the lowest of the four counts (a count-min sketch).
 * Nothing is ever pushed out. Others in the same cells only make it fuller, and
 * a network whose level is full adds to its own cells alone: so the owner of an
 * IPv6 /32 fills no more cells than his share, and forgets nothing of his own.
 *
 * Thread: any. Takes no lock.
 */
#pragma once

#include "token/network.h"

struct guard;

enum {
	GUARD_STEP_MS = 500,  /* later for each failure beyond */
	GUARD_LATE_MS = 4500, /* at the most */
	GUARD_TWICE_MS = 30000,
	GUARD_METERS = 4 /* levels that one failure may raise */
};

struct guard_rules {
	unsigned failures, failures_per_user; /* that make a level full */
	unsigned seconds;
	struct networks exempt; /* besides this machine, if direct */
};

/*
 * By how many ms one has raised each level, as the rules of that moment had it:
 * as much is taken back, whatever the rules are then. All zero: not counted.
 */
struct guard_count {
	int64_t steps[GUARD_METERS];
};

/* One secret that is shown. */
struct guard_try {
	const struct guard_rules *rules;
	int64_t now;	    /* ms, by a clock that nobody sets */
	struct str address; /* one that cannot be read is one of its own */
	bool direct;	    /* its socket's own: 127.0.0.1 is this machine */
	bool unsure;	    /* a proxy's, not known whose: no exempt */
	struct str user, secret;
	bool post;
	struct guard_count counted; /* out: by guard_password() */
	bool user_alone; /* out: it refuses by the user name, not the network */
};

enum err guard_new(struct guard **out) MUST_CHECK;
void guard_free(struct guard *guard); /* NULL is fine */

/* A wrong token; by how many ms its answer is to be late. */
unsigned guard_token(struct guard *guard, const struct guard_try *try);

/*
 * May this password be looked at? 0: yes, and it counts as a wrong one until
 * guard_right(). Else in so many seconds.
 */
unsigned guard_password(struct guard *guard, struct guard_try *try);
/* It was right, or nobody could look: it does not count. */
void guard_right(struct guard *guard, const struct guard_try *try);
/* It was wrong; by how many ms the answer is to be late. */
unsigned guard_wrong(struct guard *guard, const struct guard_try *try);
