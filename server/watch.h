/*
 * server/watch.h - do the threads turn that everything hangs on? Main looks now
 * and then, and tells systemd's watchdog, which starts the server again when it
 * hears nothing.
 *
 * A worker turns each second. The writer may wait for minutes, while another
 * process holds the store's lock (a restore): a start would not help it.
 * Threads that may wait for others (jobs, log) are not looked at.
 *
 * Pure: the clock is monotonic, in milliseconds, and a parameter.
 */
#pragma once

#include "token/base.h"

enum {
	WATCH_LEAST = 2500, /* of a worker: two turns and a half */
	WATCH_WRITER = 5 * 60 * 1000
};

/* All zero: nothing was seen yet. */
struct watch {
	int64_t told_at;
	bool stuck; /* as of the last look */
};

/* Of what looks see. */
struct watched {
	int64_t oldest; /* when the last of the workers turned */
	int64_t writer; /* for how long it has been at what it does now */
};

/* How long main may sleep; 0: nobody watches. `limit`: of the watchdog. */
int64_t watch_every(int64_t limit);
/*
 * A look. True: all turn, so say so. *stuck: what does not, when that has
 * changed since the last look ("": nothing is stuck any more); else NULL.
 */
bool watch_look(struct watch *watch, const struct watched *now_is, int64_t now,
		int64_t limit, const char **stuck);
