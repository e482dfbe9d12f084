/*
 * server/worker_own.h - what worker.c (evhttp), worker_request.c (what it has
 * read) and worker_loop.c (thread, memory, reload, end) share of a worker.
 *
 * A request's memory is a struct task. The worker has one at hand; a request
 * that must wait keeps its task, and the worker takes another.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "server/conn.h"
#include "server/http/request.h"
#include "server/worker.h"

struct evhttp;
struct evhttp_bound_socket;
struct evhttp_request;

struct task {
	struct task *next; /* in the list of free ones, or of woken ones */
	struct worker *worker;
	struct evhttp_request *http;
	struct timespec begun;
	struct arena arena;
	struct buf body;
	struct request req;
	struct reply reply;
	struct event *late; /* the reply is held back */
	enum status status; /* that it will have */
};

struct listener {
	struct worker *worker;
	struct evhttp *http;
	struct evhttp_bound_socket *bound;
	unsigned accepted; /* since others have had their turn */
	struct event *more;
	struct crowd *crowd;
	bool admin;
	const char *address; /* in `live` */
	struct live *live;   /* whose TLS context it uses */
	struct ssl_ctx_st *tls;
	bool proxied; /* a PROXY header comes first */
};

struct worker {
	struct services *services;
	struct event_base *base;
	struct conns conns;
	unsigned listeners_count;
	struct listener *listeners;
	struct live *live;
	struct signer *signer;
	struct uses *uses;
	struct metrics *metrics;
	struct txn txn;
	struct task *task, *kept;
	unsigned kept_count, waiting, late_count;
	struct event *woken, *tick;
	int wake_fd;
	bool drains;
	int drain_ms;
	time_t date_of;
	char date[64];
	pthread_t thread;

	/* What other threads write. */
	_Atomic(struct live *) next_live;
	_Atomic(struct task *) woken_tasks;
	_Atomic bool drain_wanted, ended;
	_Atomic int64_t turned_at; /* what it writes, for others */
};

struct task *task_get(struct worker *worker);
void task_reset(struct task *task);
void task_put(struct worker *worker, struct task *task);
void task_wake(struct request *req); /* from any thread */
/* Makes its request of what has come in. `admin`: by the admin listener. */
void task_begin(struct task *task, struct evhttp_request *http, bool admin);

/*
 * Calls a handler in a fresh view of the store. True: it has answered; else it
 * will, now that it has what it waits for, or the time of its reply has come.
 */
bool task_step(struct task *task, handler *step);

/* For conns_init(). */
void conn_watch(struct bufferevent *bev, struct conn *conn);

enum err listener_open(struct listener *listener, int fd) MUST_CHECK;
void listener_resume(struct listener *listener); /* if it had to pause */
void listener_stop(struct listener *listener);	 /* accepts no more */
void listener_close(struct listener *listener);	 /* its connections, too */
