/*
 * server/jobs/desk.h - where checks are made and notices sent: the jobs thread,
 * which hands its writes to the writer, or a command, which writes itself.
 */
#pragma once

#include "server/config.h"
#include "server/jobs/courier.h"
#include "store/expiry.h"
#include "store/writer.h"

struct desk {
	struct db *db;
	struct writer *writer; /* NULL: a command */
	const struct config *config;
	courier_go_on *go_on; /* asked while it waits */
	/* Asked between two deliveries; false: the rest later. NULL: true. */
	courier_go_on *more;
	void *arg;
	int64_t pause[2]; /* mail, webhook: nothing goes until then */
};

enum err desk_write(const struct desk *desk, deed *what, void *arg) MUST_CHECK;
unsigned desk_ways(const struct desk *desk); /* of enum notice_way */

/*
 * The jobs whose time has come; what they did is in the log. *cause: which one
 * could not be made, and why.
 */
enum err desk_run_due(const struct desk *desk, int64_t now,
		      struct cause *cause) MUST_CHECK;
/*
 * One of the daily checks, by hand, as if it were `day`. A day that has not
 * come is only looked at: nobody is told what is not true yet, and
 * result->found is all. What it queues is due DESK_HOLD after `now`, so that
 * who asked for it can send it before.
 */
enum { DESK_HOLD = 60 };
enum err desk_run(const struct desk *desk, enum job job, int64_t day,
		  int64_t now, struct check_result *result) MUST_CHECK;

struct sent {
	unsigned done, failed;
	struct cause cause; /* of the last that failed */
};
/*
 * Sends what is due; what fails stays queued. E_OK: nothing more is due, or
 * there is no going on.
 */
enum err desk_send_due(struct desk *desk, int64_t now,
		       struct sent *sent) MUST_CHECK;
/* Sends all that waits, due or not: something has changed, or a person asks. */
enum err desk_send_all(struct desk *desk, int64_t now,
		       struct sent *sent) MUST_CHECK;
