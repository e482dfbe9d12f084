/*
 * server/worker.h - one event loop: its sockets, its evhttp, its transaction,
 * its signer. A worker never blocks, never takes a lock, never writes the
 * store; others reach it through atomic slots and an eventfd.
 */
#pragma once

#include "server/crowd.h"
#include "server/live.h"
#include "server/services.h"
#include "server/uses.h"

struct worker;

struct worker_setup {
	struct live *live; /* held by the worker from then on */
	struct services *services;
	struct crowd *crowd, *admin_crowd;
	struct metrics *metrics; /* its own */
	const int *sockets;	 /* a row of server/listen.h */
};

/* Takes the sockets, whatever comes of it. */
enum err worker_new(const struct worker_setup *setup,
		    struct worker **out) MUST_CHECK;
enum err worker_start(struct worker *worker) MUST_CHECK; /* its thread */

/* From main: the snapshot that counts from its next turn on. */
void worker_publish(struct worker *worker, struct live *live);
/*
 * From main: accepts what waits, then no more; answers what is under way and
 * ends within 10 s. worker_join() waits for that.
 */
void worker_drain(struct worker *worker);
void worker_join(struct worker *worker);
bool worker_ended(const struct worker *worker);
/* When its loop last turned, which it does each second: monotonic ms. */
int64_t worker_turned_at(const struct worker *worker);
/* What its tokens were used for: the jobs thread takes from it. */
struct uses *worker_uses(const struct worker *worker);
/* Joined, and nobody is left who could wake it. NULL is fine. */
void worker_free(struct worker *worker);
