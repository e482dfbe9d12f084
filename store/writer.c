/*
 * store/writer.c - a bounded queue and the thread that empties it. While one
 * group is being synced the next one gathers.
 */
#include "store/writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { QUEUE_MAX = 1024 };

struct job {
	struct change *change;
	void (*done)(struct change *change, void *arg);
	void *arg;
};

struct writer {
	struct db *db;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
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
	for (size_t i = 0; i < n; i++) {
		w->jobs[i] = w->queue[i];
		w->changes[i] = w->queue[i].change;
	}
	w->len = 0;
	pthread_mutex_unlock(&w->lock);
	return n;
}

static void commit(struct writer *w, size_t n) ON(writer_thread);
static void commit(struct writer *w, size_t n)
{
	enum err err = change_commit(w->db, w->changes, n);

	/* Each change carries its result; here only our promise is kept. */
	for (size_t i = 0; i < n; i++) {
		assert(!err || w->changes[i]->result);
		w->jobs[i].done(w->jobs[i].change, w->jobs[i].arg);
	}
}

static void *run(void *arg)
{
	struct writer *w = arg;
	size_t n;

	become_writer();
	while ((n = gather(w)))
		commit(w, n);
	leave_writer();
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

static bool join(pthread_t thread, int ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	return !pthread_timedjoin_np(thread, NULL, &until);
}

bool writer_stop(struct writer *writer, int ms)
{
	if (!writer)
		return true;
	pthread_mutex_lock(&writer->lock);
	writer->ends = true;
	pthread_cond_signal(&writer->more);
	pthread_mutex_unlock(&writer->lock);
	if (!join(writer->thread, ms))
		return false;
	pthread_cond_destroy(&writer->more);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
	return true;
}

enum err writer_submit(struct writer *writer, struct change *change,
		       void (*done)(struct change *change, void *arg),
		       void *arg)
{
	bool full;

	pthread_mutex_lock(&writer->lock);
	full = writer->len == QUEUE_MAX || writer->ends;
	if (!full)
		writer->queue[writer->len++] =
			(struct job) { change, done, arg };
	pthread_cond_signal(&writer->more);
	pthread_mutex_unlock(&writer->lock);
	return full ? E_BUSY : E_OK;
}
