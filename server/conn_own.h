/*
 * server/conn_own.h - what conn.c (queues, intake, replies), conn_enter.c
 * (whose it is, whether there is room), conn_held.c (what it costs in memory)
 * and conn_sweep.c (how long it may take) share of a connection. Thread: the
 * worker whose it is; times are monotonic ms.
 */
#pragma once

#include "server/conn.h"
#include "server/metrics.h"

struct proxy_reader;

struct conn {
	struct conns *all;
	struct crowd *crowd;
	struct conn *next, *prev; /* in its queue */
	enum conn_queue queue;
	bool queued, known, counted, full, proxied;
	bool crowded; /* counted as one too many */
	bool lingers; /* refused: more may come than will be read */
	bool looked;  /* at the certificate of its peer */
	bool stalled; /* its peer has not taken a reply */
	bool replied; /* in this turn: is in that list */
	enum crowd_limit over;
	int fd;
	enum crowd_verdict verdict;
	unsigned place;
	uint32_t answered;
	int64_t since; /* ms */
	size_t held;   /* bytes that count; 0: in no list */
	bool large;
	TAILQ_ENTRY(conn) in_held, in_replied;
	struct bufferevent *bev;
	struct event *late; /* bev has gone, and left its descriptor */
	bool busy;	    /* it is us who change the input */
	struct intake intake;
	struct peer peer;
	struct proxy_reader *reader; /* a PROXY header is to come */
};

enum { ENDS_MAX = 4 /* of a queue, in a turn of the loop */ };

int64_t conns_now(void); /* ms */
void conn_enqueue(struct conn *conn, enum conn_queue queue);
/* evhttp is told that the peer has gone, and frees all. */
void conn_close(struct conn *conn);
/* The same without an orderly end: what was written is thrown away. */
void conn_reset(struct conn *conn);
/* Has evhttp answered all that it has, and has the peer taken that? */
bool conn_is_quiet(const struct conn *conn);
/*
 * Answers for what has come of a request, "408" (server/intake.h). False: it
 * is not the time for an answer.
 */
bool conn_refuse(struct conn *conn, const char *reason);

/* Of another crowd than those that the limits are for. */
bool conn_aside(const struct conn *conn);
/* It has its descriptor: who is it, and may it stay? */
void conn_enter(struct conn *conn);
/* After its handshake: whose certificate did it show? */
void conn_look(struct conn *conn);
/* At its end: counts and says that its handshake has failed, if it has. */
void conn_judge(struct conn *conn);
/* Its place in the crowd is free again. */
void conn_leave(struct conn *conn);

/*
 * Works out again what it holds. When all of the worker's hold too much, some
 * are refused, but never this one: its turn comes at the end of the loop's.
 */
void conn_weigh(struct conn *conn);
/* A reply has not been taken whole: from now on it is to be, within time. */
void conn_stall(struct conn *conn);
void conn_forget(struct conn *conn); /* it holds nothing any more */
/* Ends more of those over their deadline; `arg`: the conns. */
void conns_on_overdue(int fd, short what, void *arg);
void conns_tell_all(struct conns *conns); /* that was not told yet */
enum err conns_held_init(struct conns *conns) MUST_CHECK;
void conns_held_done(struct conns *conns);

/* Counts it; the log tells of it once a minute. */
void conn_tell(const struct conn *conn, enum metric metric);
/* Counts one; true once a minute, and *count those since the last time. */
bool ratelimit_due(struct ratelimit *limit, uint64_t *count);
