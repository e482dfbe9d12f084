/* server/jobs/jobs.c - see the header. */
#include "server/jobs/jobs.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "server/jobs/desk.h"
#include "server/jobs/trail.h"
#include "server/log.h"
#include "server/metrics.h"
#include "store/census.h"
#include "store/steady.h"
#include "store/thread.h"
#include "token/date.h"

enum {
	TICK_MS = 1000,
	USES_EVERY = 10,	 /* seconds; sooner when there are many */
	DRAIN = 5,		 /* seconds */
	CENSUS_STEP = 10 * 1000, /* tokens: some milliseconds a second */
	CENSUS_AGAIN = 60 * 60,	 /* seconds, if nothing changes: days pass */
	RETRY = 60,		 /* seconds after a failure of the store */
};

struct jobs {
	struct desk desk;
	struct trail trail;
	struct live *live;
	struct uses **uses;
	unsigned uses_count;
	int64_t uses_at, retry_at, checked_at; /* monotonic */
	bool uses_failed;
	bool checks;  /* one is being made */
	bool afresh;  /* all that waits is tried, whatever failed */
	int64_t seen; /* the clock, when it was looked at last */
	struct monitor *monitor;
	struct census census;	/* as far as it is read */
	int64_t census_again;	/* monotonic */
	uint64_t census_commit; /* that it began with */
	int wake;
	pthread_t thread;

	/* What main writes. */
	_Atomic(struct live *) next_live;
	_Atomic int64_t drain_at; /* monotonic; 0: not yet */
	_Atomic bool ends;
	/* What main reads. */
	_Atomic bool quiet, ended;
};

/* A worker notes them again later. */
static void say_uses(struct jobs *jobs, enum err err)
{
	if (err && !jobs->uses_failed)
		log_event(LEVEL_WARNING, "jobs",
			  "last uses of tokens cannot be written: %s",
			  err_text(err));
	jobs->uses_failed = err;
}

static void write_uses(struct jobs *jobs, struct uses *uses,
		       struct use_batch *batch)
{
	enum err err = desk_write(&jobs->desk, uses_write, batch);

	if (err)
		uses_failed(batch);
	say_uses(jobs, err);
	uses_give_back(uses, batch);
}

static void say_lost(struct uses *uses)
{
	uint64_t lost = uses_lost(uses);

	if (lost)
		log_event(LEVEL_WARNING, "jobs",
			  "%llu uses of tokens were not noted: too many tokens "
			  "at once; they are at their next use",
			  (unsigned long long)lost);
}

static void gather(struct jobs *jobs)
{
	int64_t now = steady_seconds();
	bool all = now - jobs->uses_at >= USES_EVERY;

	if (all)
		jobs->uses_at = now;
	for (unsigned i = 0; i < jobs->uses_count; i++) {
		struct uses *uses = jobs->uses[i];
		struct use_batch *batch =
			all || uses_hurry(uses) ? uses_take(uses) : NULL;

		if (batch)
			write_uses(jobs, uses, batch);
		say_lost(uses);
	}
	trail_turn(&jobs->trail);
}

static void gather_last(struct jobs *jobs)
{
	for (unsigned i = 0; i < jobs->uses_count; i++) {
		struct uses *uses = jobs->uses[i];
		struct use_batch *batch = uses_take(uses);

		if (batch)
			write_uses(jobs, uses, batch);
		batch = uses_take_rest(uses);
		if (batch)
			write_uses(jobs, uses, batch);
	}
}

static void watch_clock(struct jobs *jobs, int64_t now)
{
	if (now < jobs->seen - RETRY)
		log_event(LEVEL_WARNING, "jobs",
			  "the clock was set back, from %s to %s: what was "
			  "told of days to come is told again when they come",
			  time_print(jobs->seen).at, time_print(now).at);
	jobs->seen = now;
}

static void try_later(struct jobs *jobs, enum err err, const struct cause *why)
{
	if (!err || atomic_load(&jobs->drain_at))
		return;
	jobs->retry_at = steady_seconds() + RETRY;
	log_event(LEVEL_ERROR, "jobs", "to be tried again in a minute: %s",
		  why->text);
}

/* Once a second at the most. */
static void check(struct jobs *jobs)
{
	int64_t now = time(NULL), second = steady_seconds();
	struct cause why;

	if (second < jobs->retry_at || second == jobs->checked_at)
		return;
	jobs->checked_at = second;
	watch_clock(jobs, now);
	jobs->checks = true;
	try_later(jobs, desk_run_due(&jobs->desk, now, &why), &why);
	jobs->checks = false;
}

/*
 * Asked while a delivery waits, and between the steps of a check. A mail server
 * may take minutes: what is due meanwhile is done meanwhile.
 */
static bool go_on(void *arg)
{
	struct jobs *jobs = arg;
	int64_t drain_at = atomic_load(&jobs->drain_at);

	if (drain_at)
		return steady_seconds() - drain_at < DRAIN;
	gather(jobs);
	if (!jobs->checks)
		check(jobs);
	return true;
}

/* A reload may have mended what the next one needs. */
static bool more(void *arg)
{
	struct jobs *jobs = arg;

	return !atomic_load(&jobs->next_live);
}

static void take_live(struct jobs *jobs)
{
	struct live *live = atomic_exchange(&jobs->next_live, NULL);

	if (!live)
		return;
	live_drop(jobs->live);
	jobs->live = live;
	jobs->desk.config = live->config;
	jobs->desk.pause[0] = jobs->desk.pause[1] = 0;
	jobs->afresh = true;
}

static uint64_t count_waiting(struct jobs *jobs)
{
	AUTO(txn) struct txn txn;
	AUTO(cursor) struct cursor cursor;
	struct notice notice;
	uint64_t n = 0;

	txn_read(jobs->desk.db, &txn);
	cursor_open(&txn, TABLE_MAILBOX, STR(""), &cursor);
	while (mailbox_next(&cursor, &notice))
		n++;
	return n;
}

static enum err send_notices(struct jobs *jobs, int64_t now)
{
	struct sent sent = { 0 };
	enum err err = jobs->afresh ? desk_send_all(&jobs->desk, now, &sent)
				    : desk_send_due(&jobs->desk, now, &sent);

	jobs->afresh = false;
	if (sent.failed)
		log_event(
			LEVEL_WARNING, "jobs",
			"%u notice%s could not be sent now, waiting: %llu: %s",
			sent.failed, sent.failed == 1 ? "" : "s",
			(unsigned long long)count_waiting(jobs),
			sent.cause.text);
	if (sent.done)
		log_event(LEVEL_INFO, "jobs", "%u notice%s sent", sent.done,
			  sent.done == 1 ? "" : "s");
	return err;
}

static void work(struct jobs *jobs)
{
	struct cause why;
	enum err err;

	check(jobs);
	if (steady_seconds() < jobs->retry_at)
		return;
	err = send_notices(jobs, time(NULL));
	cause_set(&why, err, "notices: the store %.300s: %s",
		  db_folder(jobs->desk.db), err_text(err));
	try_later(jobs, err, &why);
}

/* A step; what was counted stays until it has been counted again. */
static void take_census(struct jobs *jobs)
{
	AUTO(txn) struct txn txn;
	struct census *census = &jobs->census;

	txn_read(jobs->desk.db, &txn);
	if (!census->begun) {
		if (txn_id(&txn) == jobs->census_commit &&
		    steady_seconds() < jobs->census_again)
			return;
		jobs->census_commit = txn_id(&txn);
		jobs->census_again = steady_seconds() + CENSUS_AGAIN;
	}
	if (census_step(&txn, time(NULL), CENSUS_STEP, census))
		jobs->census_commit = 0;
	if (!census->whole)
		return;
	atomic_store(&jobs->monitor->expiring, (int64_t)census->expiring);
	atomic_store(&jobs->monitor->oldest_notice, census->oldest);
	atomic_store(&jobs->monitor->given_up, (int64_t)census->given_up);
	*census = (struct census) { 0 };
}

static void nap(struct jobs *jobs)
{
	struct pollfd woken = { .fd = jobs->wake, .events = POLLIN };
	uint64_t n;

	if (poll(&woken, 1, TICK_MS) > 0)
		(void)!read(jobs->wake, &n, sizeof(n));
}

static void *on_thread(void *arg)
{
	struct jobs *jobs = arg;

	while (!atomic_load(&jobs->ends)) {
		take_live(jobs);
		gather(jobs);
		if (!atomic_load(&jobs->drain_at))
			work(jobs);
		else
			atomic_store(&jobs->quiet, true);
		nap(jobs);
		if (!atomic_load(&jobs->drain_at))
			take_census(jobs);
	}
	gather_last(jobs);
	trail_end(&jobs->trail);
	atomic_store(&jobs->ended, true);
	return NULL;
}

static void jobs_free(struct jobs *jobs)
{
	if (jobs->wake >= 0)
		close(jobs->wake);
	live_drop(jobs->live);
	live_drop(atomic_exchange(&jobs->next_live, NULL));
	free(jobs->uses);
	free(jobs);
}

enum err jobs_start(const struct jobs_setup *setup, struct jobs **out)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));

	*out = NULL;
	assert(jobs);
	jobs->live = live_hold(setup->live);
	jobs->uses = setup->uses;
	jobs->uses_count = setup->uses_count;
	jobs->desk = (struct desk) {
		.db = setup->db,
		.writer = setup->writer,
		.config = setup->live->config,
		.go_on = go_on,
		.more = more,
		.arg = jobs,
	};
	jobs->trail =
		(struct trail) { .db = setup->db, .writer = setup->writer };
	jobs->afresh = true;
	jobs->monitor = setup->monitor;
	jobs->uses_at = steady_seconds();
	jobs->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (jobs->wake < 0 ||
	    pthread_create(&jobs->thread, NULL, on_thread, jobs)) {
		jobs_free(jobs);
		return E_MEMORY;
	}
	*out = jobs;
	return E_OK;
}

static void wake(struct jobs *jobs)
{
	uint64_t one = 1;

	(void)!write(jobs->wake, &one, sizeof(one));
}

void jobs_publish(struct jobs *jobs, struct live *live)
{
	live_drop(atomic_exchange(&jobs->next_live, live_hold(live)));
	wake(jobs);
}

void jobs_drain(struct jobs *jobs)
{
	atomic_store(&jobs->drain_at, steady_seconds());
	wake(jobs);
}

bool jobs_quiet(const struct jobs *jobs)
{
	return atomic_load(&jobs->quiet);
}

bool jobs_stop(struct jobs *jobs, int ms)
{
	if (!jobs)
		return true;
	atomic_store(&jobs->ends, true);
	wake(jobs);
	if (!thread_join(jobs->thread, &jobs->ended, ms))
		return false;
	jobs_free(jobs);
	return true;
}
