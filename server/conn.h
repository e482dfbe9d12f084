/*
 * server/conn.h - the connections of one worker: the intake before evhttp,
 * deadlines, caps. Knows bufferevents, not evhttp.
 *
 * The intake stands at the input buffer of the socket or TLS bufferevent. (A
 * filter bufferevent will not do: evhttp frees it with its last reply still in
 * the one below.) Replies are written once a turn of the loop, together.
 *
 * A connection is in one queue, by what it is waited for; each queue is in the
 * order of its deadlines, so the sweep looks at heads alone.
 *
 * Thread: the worker's.
 */
#pragma once

#include <sys/queue.h>

#include "server/crowd.h"
#include "server/intake.h"
#include "server/metrics.h"
#include "server/peer.h"
#include "server/tls.h"

struct bufferevent;
struct event;
struct event_base;
struct conn;

enum {
	FIRST_MS = 10 * 1000,	/* from the start to the first byte, TLS too */
	REQUEST_MS = 10 * 1000, /* from its first byte to its last */
	REPLY_MS = 10 * 1000,	/* for a reply that the peer does not take */
	IDLE_MS = 60 * 1000,
	LATE_MS = 5 * 1000 /* from a refusal to the close; read till then */
};

enum conn_queue {
	QUEUE_FIRST,
	QUEUE_REQUEST,
	QUEUE_REPLY,
	QUEUE_IDLE,
	QUEUE_LATE,
	QUEUE_COUNT
};

TAILQ_HEAD(conn_list, conn);

/*
 * What is held in memory for peers: requests that are not whole, replies that
 * are not taken, and requests behind these. Whoever sends a request in one
 * piece and takes its answer holds nothing. When there is too much, those who
 * have held longest are refused: of the small if these hold more than half, and
 * else of the large. So a flood of either kind leaves room for the other.
 */
struct held {
	size_t most, total, large; /* bytes; `large`: of the large */
	struct conn_list lists[2]; /* small, large; the oldest first */
	struct event *relief;
};

/* What is a line of the log once a minute. */
struct ratelimit {
	int64_t at;	/* ms; 0: never */
	uint64_t count; /* since then */
	struct network last;
};

struct conns {
	struct event_base *base;
	struct crowd *crowd; /* of those that the limits are for */
	struct metrics *metrics;
	struct trust trust;
	/* Has conn_gone() called at the end of this bufferevent. */
	void (*watch)(struct bufferevent *bev, struct conn *conn);
	struct event *fresh;   /* just accepted: their address is not known */
	struct event *turn;    /* the requests of a turn have been answered */
	struct event *overdue; /* more are, than were ended in this turn */
	struct conn **table;   /* by descriptor */
	unsigned count, aside; /* aside: of another crowd */
	struct conn_list replied; /* in this turn */
	struct held held;
	struct ratelimit ratelimits[METRIC_COUNT], failures[TLS_FAILURES];
	struct ratelimit unnamed; /* no PROXY header came, where one has to */
	struct {
		struct conn *first, *last;
	} queues[QUEUE_COUNT];
};

enum err conns_init(struct conns *conns, struct event_base *base,
		    struct crowd *crowd, struct metrics *metrics,
		    void (*watch)(struct bufferevent *bev,
				  struct conn *conn)) MUST_CHECK;
void conns_done(struct conns *conns); /* evhttp has freed its own by then */

/* From now on: bytes (struct held). */
void conns_limit(struct conns *conns, size_t held);
/* From now on; they must live as long as they are not replaced. */
void conns_trust(struct conns *conns, const struct networks *proxies);

/*
 * Puts the gate before `bev`; false: no memory. `proxied`: a PROXY header comes
 * first, and of trusted proxies alone if there are any. `crowd` another than
 * conns->crowd: it is not counted with the others, and when that crowd is full
 * it is closed without a word.
 */
bool conn_new(struct conns *conns, struct bufferevent *bev, struct crowd *crowd,
	      bool proxied);
void conn_gone(struct conn *conn);
/*
 * Whose connection this descriptor is. None of ours: a proxy's that hides whom
 * it asks for.
 */
const struct peer *conns_peer(struct conns *conns, int fd);

/*
 * The connection of this descriptor is given a reply now: it is written when
 * all requests of this turn of the loop have theirs.
 */
void conns_reply(struct conns *conns, int fd);
/*
 * Ends those over their deadline, a few in a turn of the loop: a request that
 * has begun is answered 408, a reply that is not taken is thrown away, others
 * are closed without a word.
 */
void conns_sweep(struct conns *conns);
/*
 * The end is near: closes those that have been idle, silent from their start,
 * or refused, for `ms`. What is under way goes on.
 */
void conns_drain(struct conns *conns, int64_t ms);
