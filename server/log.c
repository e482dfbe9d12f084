/*
 * server/log.c - rings and the log thread. What lines look like: log_line.c.
 *
 * A ring has one writer, its thread, and one reader, the log thread. A line is
 * in it as it will be written, so the reader only copies bytes. Rings live as
 * long as the process: a thread that ends leaves its last lines in it.
 */
#include "server/log.h"

#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "server/file.h"

enum {
	RING = 256 * 1024,
	LINE_MAX_BYTES = 16 * 1024,
	NAP_MS = 5, /* while lines come, so that they are written in bulk */
};

struct ring {
	struct ring *next;
	_Atomic size_t head, tail; /* bytes written, bytes read: ever */
	_Atomic uint64_t lost;
	struct buf line; /* of the thread alone */
	char at[RING];
};

static struct {
	_Atomic(struct ring *) rings;
	_Atomic bool runs, ends, asleep;
	enum log_format format;
	int wake;
	pthread_t thread;
} logger;

static _Thread_local struct ring *mine;

static struct ring *ring_mine(void)
{
	if (mine)
		return mine;
	mine = calloc(1, sizeof(*mine));
	assert(mine);
	buf_init(&mine->line, LINE_MAX_BYTES);
	mine->next = atomic_load(&logger.rings);
	while (!atomic_compare_exchange_weak(&logger.rings, &mine->next, mine))
		;
	return mine;
}

/* If nobody reads, there is nobody to tell. */
static void say(const char *at, size_t len)
{
	(void)!file_write_all(STDERR_FILENO, (struct str) { at, len });
}

static void wake(void)
{
	uint64_t one = 1;

	if (atomic_exchange(&logger.asleep, false))
		(void)!write(logger.wake, &one, sizeof(one));
}

static void ring_put(struct ring *ring, struct str line)
{
	size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	size_t tail = atomic_load(&ring->tail);
	size_t at = head % RING, first = RING - at;

	if (line.len > RING - (head - tail)) {
		atomic_fetch_add(&ring->lost, 1);
		return;
	}
	if (first > line.len)
		first = line.len;
	memcpy(ring->at + at, line.at, first);
	memcpy(ring->at, line.at + first, line.len - first);
	atomic_store(&ring->head, head + line.len);
}

static void put(struct ring *ring)
{
	if (ring->line.over) {
		atomic_fetch_add(&ring->lost, 1);
	} else if (!atomic_load(&logger.runs)) {
		say(ring->line.at, ring->line.len);
	} else {
		ring_put(ring, buf_str(&ring->line));
		wake();
	}
	buf_clear(&ring->line);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* True if there was something. */
static bool ring_drain(struct ring *ring)
{
	size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	size_t head = atomic_load(&ring->head);
	size_t at = tail % RING, n = head - tail;
	size_t first = n < RING - at ? n : RING - at;

	if (!n)
		return false;
	say(ring->at + at, first);
	say(ring->at, n - first);
	atomic_store(&ring->tail, head);
	return true;
}

static void say_lost(struct ring *ring)
{
	uint64_t lost = atomic_exchange(&ring->lost, 0);

	if (lost)
		log_event(LEVEL_WARNING, "log",
			  "%llu lines were lost: there were more than standard "
			  "error took",
			  (unsigned long long)lost);
}

static bool drain_all(void)
{
	bool some = false;

	for (struct ring *ring = atomic_load(&logger.rings); ring;
	     ring = ring->next) {
		some |= ring_drain(ring);
		say_lost(ring);
	}
	return some;
}

static void *on_thread(void *arg)
{
	struct pollfd woken = { .fd = logger.wake, .events = POLLIN };
	uint64_t n;

	(void)arg;
	while (!atomic_load(&logger.ends)) {
		if (drain_all()) {
			poll(NULL, 0, NAP_MS);
			continue;
		}
		atomic_store(&logger.asleep, true);
		if (drain_all() || atomic_load(&logger.ends))
			continue;
		poll(&woken, 1, -1);
		(void)!read(logger.wake, &n, sizeof(n));
	}
	return NULL;
}

enum err log_start(enum log_format format)
{
	logger.format = format;
	logger.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (logger.wake < 0)
		return E_IO;
	atomic_store(&logger.ends, false);
	if (pthread_create(&logger.thread, NULL, on_thread, NULL)) {
		close(logger.wake);
		return E_MEMORY;
	}
	atomic_store(&logger.runs, true);
	return E_OK;
}

void log_stop(void)
{
	if (!atomic_load(&logger.runs))
		return;
	atomic_store(&logger.ends, true);
	atomic_store(&logger.asleep, true);
	wake();
	pthread_join(logger.thread, NULL);
	atomic_store(&logger.runs, false);
	drain_all();
	close(logger.wake);
}

static void put_event(enum log_level level, const char *event,
		      const struct log_about *about, const char *fmt,
		      va_list args)
{
	struct ring *ring = ring_mine();
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, args);
	log_print_event(now_ms(), level, event, about, str_of(text),
			logger.format, &ring->line);
	put(ring);
}

void log_event(enum log_level level, const char *event, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_event(level, event, NULL, fmt, args);
	va_end(args);
}

void log_event_about(enum log_level level, const char *event,
		     const struct log_about *about, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_event(level, event, about, fmt, args);
	va_end(args);
}

void log_token(const struct log_token *line)
{
	struct ring *ring = ring_mine();

	log_print_token(line, logger.format, &ring->line);
	put(ring);
}
