/*
 * server/jobs/trail.h - tells the log of every change of the store, whoever
 * made it: commands, the daily checks, the server itself. It follows the
 * store's own log by the numbers of its entries.
 *
 * What changed while the server was down is told at its next start. A line may
 * come twice after a crash alone: how far it is, is written down at most once
 * in some seconds and at the end, and never beyond what has left the rings.
 * Lines that cannot be written (a full disk) wait in the store and are not
 * lost.
 *
 * Thread: jobs.
 */
#pragma once

#include "store/writer.h"

enum { TRAIL_WAITING = 512 };

struct trail {
	struct db *db;
	struct writer *writer;
	bool begun, failed;
	uint64_t commit; /* that was looked at last */
	uint64_t told;	 /* the last entry that is in the log's ring */
	uint64_t out;	 /* the last that has left it */
	uint64_t stored; /* what the store has of that */
	int64_t at;	 /* when it was stored, monotonic seconds */
	/* Those in between: where each ends in the ring. */
	struct {
		size_t end;
		uint64_t number;
	} waiting[TRAIL_WAITING];
	size_t first, len;
};

/* What is new; nothing is read if nothing was committed. */
void trail_turn(struct trail *trail);
void trail_end(struct trail *trail);
