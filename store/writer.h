/*
 * store/writer.h - the server's one writing thread: gathers what is queued and
 * commits it with one fsync.
 */
#pragma once

#include "store/change.h"

struct writer;

enum err writer_start(struct db *db, struct writer **out) MUST_CHECK;
/*
 * Finishes what is queued, then ends the thread. False: not within `ms`, as
 * another process holds the store's lock; the thread lives on, and so must the
 * store. NULL is fine.
 */
bool writer_stop(struct writer *writer, int ms) MUST_CHECK;

/* How many wait, or are being committed. From any thread. */
unsigned writer_waiting(const struct writer *writer);
/* Commits that failed (a full disk, a damaged store), ever. Likewise. */
uint64_t writer_failed(const struct writer *writer);

/*
 * For how many ms it has been at one group by now: it waits for another process
 * to let go of the store's lock, or for the disk. From any thread.
 */
int64_t writer_wait(const struct writer *writer);
/*
 * Changes that have been queued for `ms` are refused (E_BUSY) and will never be
 * done; what is being committed is not, as nobody could say that it will not.
 * done() is called on this thread, which may be any.
 */
void writer_expire(struct writer *writer, int64_t ms);

/*
 * Has a deed done (store/change.h) and waits for it: not for a worker. E_BUSY:
 * the queue is full, or the writer ends.
 */
enum err writer_do(struct writer *writer, deed *what, void *arg) MUST_CHECK;

/*
 * Queues a change, from any thread; never blocks. E_BUSY when the queue is full
 * (done() is then not called). done() is called on the writer's thread when the
 * change is on disk or has failed, or by writer_expire(); it must only hand the
 * news on.
 */
enum err writer_submit(struct writer *writer, struct change *change,
		       void (*done)(struct change *change, void *arg),
		       void *arg) MUST_CHECK;
