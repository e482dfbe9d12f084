/*
 * server/jobs/jobs.h - the thread of what runs by itself: it writes down which
 * tokens were used, tells the log of changes, makes the daily checks, sends
 * what they queue, and counts for those who watch.
 *
 * It may wait for a mail server, for the disk, for the writer; nobody waits for
 * it. It looks at the clock once a second, as clocks are set and machines
 * sleep.
 */
#pragma once

#include "server/live.h"
#include "server/uses.h"
#include "store/writer.h"

struct jobs;

struct jobs_setup {
	struct db *db;
	struct writer *writer;
	struct live *live;  /* held by it from then on */
	struct uses **uses; /* of each worker; it takes the array */
	unsigned uses_count;
	struct monitor *monitor;
};

enum err jobs_start(const struct jobs_setup *setup,
		    struct jobs **out) MUST_CHECK;
/* From main: the snapshot that counts from its next turn on. */
void jobs_publish(struct jobs *jobs, struct live *live);
/*
 * From main: begins nothing more; what it is sending gets 5 s. jobs_quiet():
 * nothing is being sent any more.
 */
void jobs_drain(struct jobs *jobs);
bool jobs_quiet(const struct jobs *jobs);
/*
 * Once the workers have ended: writes down the last uses, then ends the thread.
 * False: not within `ms`; then it lives on, and so must all that it uses.
 */
bool jobs_stop(struct jobs *jobs, int ms) MUST_CHECK;
