/*
 * store/writer.c - a bounded queue and the thread that empties it. While one
 * group is being synced the next one gathers.
 */
#include "store/writer.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "store/thread.h"

enum { QUEUE_MAX = 1024 };

struct job {
	struct change *change; /* NULL: a deed */
	void (*done)(struct change *change, void *arg);
	void *arg;
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
	_Atomic uint64_t turns;
	_Atomic uint64_t failed; /* commits */
	pthread_mutex_t lock;	 /* of what follows */
	pthread_cond_t more;
	bool ends;
	size_t len;
	struct job queue[QUEUE_MAX];
	/* The thread's own: what it commits now. */
	struct job jobs[QUEUE_MAX];
	struct change *changes[QUEUE_MAX];
};

/* Takes all that is queued; 0: nothing will come any more. */
static size_t gather(struct writer *w) ON(writer_thread);
static size_t gather(struct writer *w)
{
	size_t n;

	pthread_mutex_lock(&w->lock);
	while (!w->len && !w->ends)
		pthread_cond_wait(&w->more, &w->lock);
	n = w->len;
	for (size_t i = 0; i < n; i++)
		w->jobs[i] = w->queue[i];
	w->len = 0;
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

static void commit(struct writer *w, size_t n) ON(writer_thread);
static void commit(struct writer *w, size_t n)
{
	size_t changes = 0;
	enum err err = E_OK;

	for (size_t i = 0; i < n; i++)
		if (w->jobs[i].change)
			w->changes[changes++] = w->jobs[i].change;
	if (changes)
		err = change_commit(w->db, w->changes, changes);
	count_failed(w, err);
	/* Each change carries its result; here only our promise is kept. */
	for (size_t i = 0; i < n; i++) {
		const struct job *job = &w->jobs[i];

		if (!job->change) {
			run_errand(w, job->arg);
			continue;
		}
		assert(!err || job->change->result);
		job->done(job->change, job->arg);
	}
}

static void *run(void *arg)
{
	struct writer *w = arg;
	size_t n;

	become_writer();
	while ((n = gather(w))) {
		commit(w, n);
		atomic_fetch_sub(&w->waiting, (unsigned)n);
		atomic_fetch_add(&w->turns, 1);
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

static enum err enqueue(struct writer *writer, const struct job *job)
{
	bool full;

	pthread_mutex_lock(&writer->lock);
	full = writer->len == QUEUE_MAX || writer->ends;
	if (!full) {
		writer->queue[writer->len++] = *job;
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
	return enqueue(writer, &(struct job) { change, done, arg });
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

uint64_t writer_turns(const struct writer *writer)
{
	return atomic_load(&writer->turns);
}

unsigned writer_waiting(const struct writer *writer)
{
	return atomic_load_explicit(&writer->waiting, memory_order_relaxed);
}

uint64_t writer_failed(const struct writer *writer)
{
	return atomic_load_explicit(&writer->failed, memory_order_relaxed);
}
