/*
 * server/metrics.h - what is counted, and what is told of it (/metrics in
 * Prometheus' text format 0.0.4).
 *
 * Each worker counts in memory of its own, by plain additions: no lock, no
 * atomic read-modify-write; a scrape reads the counters of all workers and adds
 * them up. Workers live as long as the process, whatever is reloaded, so no
 * counter ever falls. Gauges are read when they are asked for; those that cost
 * more than a moment are worked out by the jobs thread (store/census.h).
 *
 * No label is of a client's making: reasons, statuses, tables, key ids and
 * listeners are bounded. No user, project, token or secret is in it.
 *
 * A metric is a row in metrics_print.c.
 */
#pragma once

#include <stdatomic.h>

#include "server/http/request.h"
#include "server/tls.h"

/* Without labels. */
enum metric {
	METRIC_ACCEPTED,	/* connections */
	METRIC_CROWDED,		/* connections that were one too many */
	METRIC_LATE,		/* answers that were held back */
	METRIC_CROWDED_ADDRESS, /* one too many of their address */
	METRIC_CROWDED_HELD,	/* gave way, as limits.held was reached */
	METRIC_SLOW_FIRST,   /* no byte in time, or no end of the handshake */
	METRIC_SLOW_REQUEST, /* was not whole in time */
	METRIC_SLOW_REPLY,   /* was not taken in time */
	METRIC_SLOW_NEXT,    /* no next request in time */
	METRIC_COUNT
};

/* In the order of the list of statuses. */
enum {
#define X(name, number, phrase, code) STATUS_INDEX_##name,
	STATUS_LIST(X)
#undef X
		STATUSES
};

/* Where what is in a worker's counters. */
enum {
	BUCKETS = 17, /* and one for what is longer */
	AT_STATUS = METRIC_COUNT,
	AT_REASON = AT_STATUS + STATUSES,
	AT_BUCKET = AT_REASON + OUTCOME_COUNT * REASON_COUNT,
	AT_NS = AT_BUCKET + OUTCOME_COUNT * (BUCKETS + 1),
	AT_TLS = AT_NS + OUTCOME_COUNT,
	METRICS_LEN = AT_TLS + TLS_FAILURES
};

/* A worker's. Its cache lines are its own. */
struct metrics {
	_Alignas(64) _Atomic uint64_t at[METRICS_LEN];
	_Atomic uint64_t held, held_most; /* bytes, as they are now */
};

/* On the worker whose they are. */
void metrics_count(struct metrics *metrics, enum metric metric);
/* A handshake that began and did not end. */
void metrics_handshake(struct metrics *metrics, enum tls_failure failure);
void metrics_reply(struct metrics *metrics, enum status status);
/* A token request, answered; `ns`: how long that took. */
void metrics_token(struct metrics *metrics, enum status status,
		   enum reason reason, uint64_t ns);

/* Upper ends of the buckets, in microseconds. */
extern const unsigned buckets_us[BUCKETS];
int status_number(unsigned i); /* of the i-th of STATUSES */

/* What there is one of. Members are set once, or atomic. */
struct monitor {
	int64_t started_at;
	unsigned workers;
	struct metrics *metrics; /* one a worker */
	struct crowd *crowd;

	/* What main writes. */
	_Atomic bool draining, reload_failed;
	_Atomic int64_t reloaded_at;
	/* What any worker writes. */
	_Atomic bool waits; /* it was said that changes wait (server/waits.h) */
	/* What the jobs thread writes. -1: not counted yet; 0: none waits. */
	_Atomic int64_t expiring, oldest_notice, given_up;
};

enum err monitor_new(unsigned workers, int64_t now,
		     struct monitor **out) MUST_CHECK;
void monitor_free(struct monitor *monitor); /* NULL is fine */
/* From main; `now` counts if it was done. */
void monitor_reload(struct monitor *monitor, bool done, int64_t now);
/* What peers have the workers hold, and how much that may be. */
struct held_sum {
	uint64_t now, most;
};
struct held_sum monitor_held(const struct monitor *monitor);
/* The counters of all workers. From any thread. */
void monitor_sum(const struct monitor *monitor, uint64_t out[METRICS_LEN]);

/* The line that it has of a key, with its state; the line's name. */
#define METRICS_KEY "dockpass_key_expiry_timestamp_seconds"
void metrics_put_key(const struct key *key, struct buf *out);
/* The line that it has of the configuration in effect, which tells no part. */
void metrics_put_config(const struct config *config, struct buf *out);
/* The line that it has of a file of a listener's TLS. */
void metrics_put_certificate(const char *address, const struct tls_file *file,
			     struct buf *out);
/* GET /metrics: a handler. */
enum status metrics_get(struct request *req, struct reply *reply);
