/*
 * store/writer.c - a bounded queue and the thread that empties it. While one
 * group is being synced the next one gathers. The thread waits for the store's
 * lock first and takes what is queued then: so what waits can be withdrawn as
 * long as another process has that lock.
 */
#include "store/writer.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "store/steady.h"
#include "store/thread.h"

enum { QUEUE_MAX = 1024, WITHDRAWN = 64 /* at a time */ };

struct job {
	struct change *change; /* NULL: a deed */
	void (*done)(struct change *change, void *arg);
	void *arg;
	int64_t since; /* ms: when it was queued */
};

/* On the stack of who waits for it. */
struct errand {
	deed *run;
	void *arg;
	enum err result;
	sem_t done;
};

struct writer {
	struct db *db;
	pthread_t thread;
	_Atomic bool ended;
	_Atomic unsigned waiting; /* queued, and not done yet */
	_Atomic uint64_t failed;  /* commits */
	_Atomic int64_t busy;	  /* ms: since when with this group; 0: not */
	_Atomic int64_t oldest;	  /* ms: of the queued changes; 0: none */
	pthread_mutex_t lock;	  /* of what follows */
	pthread_cond_t more;
	bool ends;
	size_t len;
	struct job queue[QUEUE_MAX];
	/* The thread's own: what it commits now. */
	struct job jobs[QUEUE_MAX];
	struct change *changes[QUEUE_MAX];
};

/* Never 0. */
static int64_t now_ms(void)
{
	return steady_ms() + 1;
}

/* False: nothing will come any more. */
static bool await(struct writer *w) ON(writer_thread);
static bool await(struct writer *w)
{
	bool some;

	pthread_mutex_lock(&w->lock);
	while (!w->len && !w->ends)
		pthread_cond_wait(&w->more, &w->lock);
	some = w->len;
	pthread_mutex_unlock(&w->lock);
	return some;
}

/* Takes all that is queued; perhaps it was withdrawn. */
static size_t gather(struct writer *w) ON(writer_thread);
static size_t gather(struct writer *w)
{
	size_t n;

	pthread_mutex_lock(&w->lock);
	n = w->len;
	for (size_t i = 0; i < n; i++)
		w->jobs[i] = w->queue[i];
	w->len = 0;
	atomic_store(&w->oldest, 0);
	pthread_mutex_unlock(&w->lock);
	return n;
}

/* A deed may also have found nothing to do, or that it may not. */
static void count_failed(struct writer *w, enum err err)
{
	if (err && err != E_NOT_FOUND && err != E_REFUSED)
		atomic_fetch_add(&w->failed, 1);
}

static void run_errand(struct writer *w, struct errand *errand)
	ON(writer_thread);
static void run_errand(struct writer *w, struct errand *errand)
{
	errand->result = deed_commit(w->db, errand->run, errand->arg);
	count_failed(w, errand->result);
	sem_post(&errand->done);
}

static void commit_changes(struct writer *w, struct txn *txn, size_t n)
	ON(writer_thread);
static void commit_changes(struct writer *w, struct txn *txn, size_t n)
{
	size_t changes = 0;
	enum err err = E_OK;

	for (size_t i = 0; i < n; i++)
		if (w->jobs[i].change)
			w->changes[changes++] = w->jobs[i].change;
	if (changes)
		err = change_commit_in(txn, w->changes, changes);
	count_failed(w, err);
	/* Each change carries its result; here only our promise is kept. */
	for (size_t i = 0; i < n; i++) {
		const struct job *job = &w->jobs[i];

		if (!job->change)
			continue;
		assert(!err || job->change->result);
		job->done(job->change, job->arg);
	}
}

/* A deed has a transaction of its own, and may wait for the lock anew. */
static void commit_group(struct writer *w) ON(writer_thread);
static void commit_group(struct writer *w)
{
	struct txn txn;
	size_t n;

	txn_write(w->db, &txn);
	n = gather(w);
	commit_changes(w, &txn, n);
	txn_cleanup(&txn);
	for (size_t i = 0; i < n; i++)
		if (!w->jobs[i].change)
			run_errand(w, w->jobs[i].arg);
	atomic_fetch_sub(&w->waiting, (unsigned)n);
}

static void *run(void *arg)
{
	struct writer *w = arg;

	become_writer();
	while (await(w)) {
		atomic_store(&w->busy, now_ms());
		commit_group(w);
		atomic_store(&w->busy, 0);
	}
	leave_writer();
	atomic_store(&w->ended, true);
	return NULL;
}

enum err writer_start(struct db *db, struct writer **out)
{
	struct writer *w = calloc(1, sizeof(*w));

	*out = NULL;
	if (!w)
		return E_MEMORY;
	w->db = db;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	if (pthread_create(&w->thread, NULL, run, w)) {
		pthread_cond_destroy(&w->more);
		pthread_mutex_destroy(&w->lock);
		free(w);
		return E_BUSY;
	}
	*out = w;
	return E_OK;
}

bool writer_stop(struct writer *writer, int ms)
{
	if (!writer)
		return true;
	pthread_mutex_lock(&writer->lock);
	writer->ends = true;
	pthread_cond_signal(&writer->more);
	pthread_mutex_unlock(&writer->lock);
	if (!thread_join(writer->thread, &writer->ended, ms))
		return false;
	pthread_cond_destroy(&writer->more);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
	return true;
}

/* The first of those that can be withdrawn. */
static void note_oldest(struct writer *w, const struct job *job)
{
	if (job->change && !atomic_load(&w->oldest))
		atomic_store(&w->oldest, job->since);
}

static enum err enqueue(struct writer *writer, const struct job *job)
{
	bool full;

	pthread_mutex_lock(&writer->lock);
	full = writer->len == QUEUE_MAX || writer->ends;
	if (!full) {
		writer->queue[writer->len] = *job;
		writer->queue[writer->len].since = now_ms();
		note_oldest(writer, &writer->queue[writer->len++]);
		atomic_fetch_add(&writer->waiting, 1);
	}
	pthread_cond_signal(&writer->more);
	pthread_mutex_unlock(&writer->lock);
	return full ? E_BUSY : E_OK;
}

enum err writer_submit(struct writer *writer, struct change *change,
		       void (*done)(struct change *change, void *arg),
		       void *arg)
{
	assert(change);
	return enqueue(
		writer,
		&(struct job) { .change = change, .done = done, .arg = arg });
}

enum err writer_do(struct writer *writer, deed *what, void *arg)
{
	struct errand errand = { .run = what, .arg = arg };
	enum err err;

	sem_init(&errand.done, 0, 0);
	err = enqueue(writer, &(struct job) { .arg = &errand });
	while (!err && sem_wait(&errand.done))
		; /* a signal */
	sem_destroy(&errand.done);
	return err ? err : errand.result;
}

unsigned writer_waiting(const struct writer *writer)
{
	return atomic_load_explicit(&writer->waiting, memory_order_relaxed);
}

uint64_t writer_failed(const struct writer *writer)
{
	return atomic_load_explicit(&writer->failed, memory_order_relaxed);
}

int64_t writer_wait(const struct writer *writer)
{
	int64_t busy = atomic_load(&writer->busy);

	return busy ? now_ms() - busy : 0;
}

/* Some of the changes that were queued before then: out of the queue. */
static size_t withdraw(struct writer *w, int64_t before,
		       struct job out[WITHDRAWN])
{
	size_t n = 0, left = 0;

	pthread_mutex_lock(&w->lock);
	atomic_store(&w->oldest, 0);
	for (size_t i = 0; i < w->len; i++) {
		struct job job = w->queue[i];

		if (job.change && job.since <= before && n < WITHDRAWN) {
			out[n++] = job;
		} else {
			note_oldest(w, &job);
			w->queue[left++] = job;
		}
	}
	w->len = left;
	pthread_mutex_unlock(&w->lock);
	return n;
}

void writer_expire(struct writer *writer, int64_t ms)
{
	struct job old[WITHDRAWN];
	int64_t before = now_ms() - ms, oldest = atomic_load(&writer->oldest);
	size_t n;

	/* Each worker asks each second: mostly there is nothing to lock for. */
	if (!atomic_load(&writer->busy) || !oldest || oldest > before)
		return;
	while ((n = withdraw(writer, before, old))) {
		atomic_fetch_sub(&writer->waiting, (unsigned)n);
		for (size_t i = 0; i < n; i++) {
			old[i].change->result =
				cause_set(&old[i].change->cause, E_BUSY,
					  "the store's lock was held for too "
					  "long");
			old[i].done(old[i].change, old[i].arg);
		}
	}
}
