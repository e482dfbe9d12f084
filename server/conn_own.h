/*
 * server/conn_own.h - what conn.c (queues, intake, replies) and conn_enter.c
 * (whose it is, whether there is room) share of a connection.
 */
#pragma once

#include "server/conn.h"

struct proxy_reader;

struct conn {
	struct conns *all;
	struct crowd *crowd;
	struct conn *next, *prev; /* in its queue, or among the strangers */
	enum conn_queue queue;
	bool queued, known, counted, full, proxied;
	bool crowded; /* counted as one too many */
	bool lingers; /* refused: more may come than will be read */
	bool looked;  /* at the certificate of its peer */
	int fd;
	enum crowd_verdict verdict;
	unsigned place;
	uint32_t answered;
	int64_t since; /* ms */
	struct bufferevent *bev;
	struct event *late; /* bev has gone, and left its descriptor */
	bool busy;	    /* it is us who change the input */
	struct intake intake;
	struct peer peer;
	struct proxy_reader *reader; /* a PROXY header is to come */
};

int64_t conns_now(void); /* ms */
/* evhttp is told that the peer has gone, and frees all. */
void conn_close(struct conn *conn);

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
