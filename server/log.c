/*
 * server/log.c - rings and the log thread. What lines look like: log_line.c;
 * where they go: outlet.c.
 *
 * A ring has one writer, its thread, and one reader, the log thread. A line is
 * in it as it will be written, so the reader only copies bytes. Rings live as
 * long as the process: a thread that ends leaves its last lines in it. Lines
 * of tokens and changes have rings of their own, as they may go elsewhere than
 * the others.
 *
 * Each way out has read a ring up to a point of its own. One that fails keeps
 * its lines in the ring and tries again each second; when they fill half of it
 * they are given up, so that there is room for the other ways.
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
#include "server/outlet.h"
#include "store/steady.h"

enum {
	RING = 256 * 1024,
	NAP_MS = 5, /* while lines come, so that they are written in bulk */
	RETRY_MS = 1000
};

enum kind { KIND_EVENT, KIND_TOKEN, KIND_COUNT };
enum way { WAY_STDERR, WAY_FILE, WAY_SYSLOG, WAY_COUNT };

struct outlets {
	struct outlet *at[WAY_COUNT]; /* NULL: none; of standard error too */
};

struct ring {
	struct ring *next;
	enum kind kind;
	_Atomic size_t head, tail; /* bytes written, read by all: ever */
	size_t read[WAY_COUNT];	   /* of the log thread alone */
	_Atomic uint64_t lost;
	struct buf line; /* of the thread alone */
	char at[RING];
};

static struct {
	_Atomic(struct ring *) rings;
	_Atomic bool runs, ends, asleep;
	_Atomic uint64_t lost; /* ever */
	enum log_format format;
	int wake;
	pthread_t thread;
	char *file, *facility;		/* of main alone: what was said last */
	_Atomic(struct outlets *) next; /* from main to the log thread */
	/* Of the log thread alone, while it runs. */
	struct outlets route;
	struct {
		_Atomic bool failing; /* others read it */
		int64_t retry_at;     /* steady ms */
		uint64_t lost;
	} ways[WAY_COUNT];
} logger;

static _Thread_local struct ring *mine[KIND_COUNT];

static struct ring *ring_mine(enum kind kind)
{
	struct ring *ring = mine[kind];

	if (ring)
		return ring;
	ring = mine[kind] = calloc(1, sizeof(*ring));
	assert(ring);
	ring->kind = kind;
	buf_init(&ring->line, LINE_MAX_BYTES);
	ring->next = atomic_load(&logger.rings);
	while (!atomic_compare_exchange_weak(&logger.rings, &ring->next, ring))
		;
	return ring;
}

/* If nobody reads, there is nobody to tell: false. */
static bool say(struct str lines)
{
	return file_write_all(STDERR_FILENO, lines);
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
		(void)!say(buf_str(&ring->line));
	} else {
		ring_put(ring, buf_str(&ring->line));
		wake();
	}
	buf_clear(&ring->line);
}

static void route_close(struct outlets *route)
{
	for (enum way way = 0; way < WAY_COUNT; way++)
		outlet_free(route->at[way]);
	*route = (struct outlets) { 0 };
}

/* What was in the rings of one that fails waits for its successor. */
static void take_route(void)
{
	struct outlets *next = atomic_exchange(&logger.next, NULL);

	if (!next)
		return;
	route_close(&logger.route);
	logger.route = *next;
	free(next);
	for (enum way way = 0; way < WAY_COUNT; way++) {
		logger.ways[way].retry_at = 0;
		if (!logger.route.at[way])
			logger.ways[way].failing = false;
	}
}

static bool wanted(enum way way, enum kind kind)
{
	if (way != WAY_STDERR)
		return logger.route.at[way];
	return kind == KIND_EVENT ||
	       (!logger.route.at[WAY_FILE] && !logger.route.at[WAY_SYSLOG]);
}

static void say_failing(enum way way)
{
	struct cause why;

	outlet_why(logger.route.at[way], &why);
	log_event(LEVEL_ERROR, "log",
		  "%s: its lines wait, and are lost when there are too many",
		  why.text);
}

static void say_well(enum way way)
{
	log_event(LEVEL_WARNING, "log", "%s takes lines again; lost: %llu",
		  way == WAY_FILE ? "log.file" : "syslog",
		  (unsigned long long)logger.ways[way].lost);
	logger.ways[way].lost = 0;
}

static uint64_t count_lines(struct str first, struct str second)
{
	uint64_t n = 0;

	for (size_t i = 0; i < first.len; i++)
		n += first.at[i] == '\n';
	for (size_t i = 0; i < second.len; i++)
		n += second.at[i] == '\n';
	return n;
}

/* How many bytes it took. */
static size_t put_out(enum way way, struct str first, struct str second)
{
	size_t all = first.len + second.len, took;

	if (way == WAY_STDERR) {
		if (!say(first) || !say(second))
			atomic_fetch_add(&logger.lost,
					 count_lines(first, second));
		return all;
	}
	if (logger.ways[way].failing && steady_ms() < logger.ways[way].retry_at)
		return 0;
	took = outlet_write(logger.route.at[way], first, second);
	if (took < all) {
		logger.ways[way].retry_at = steady_ms() + RETRY_MS;
		if (!logger.ways[way].failing)
			say_failing(way);
	} else if (logger.ways[way].failing) {
		say_well(way);
	}
	logger.ways[way].failing = took < all;
	return took;
}

/* True if something was written. */
static bool drain_way(struct ring *ring, enum way way, size_t head)
{
	size_t *read = &ring->read[way], at = *read % RING, n = head - *read;
	struct str first = { ring->at + at, n < RING - at ? n : RING - at };
	struct str second = { ring->at, n - first.len };
	size_t took = n;

	if (!n)
		return false;
	if (wanted(way, ring->kind))
		took = put_out(way, first, second);
	if (took < n && n > RING / 2) {
		uint64_t lines = count_lines(first, second);

		logger.ways[way].lost += lines;
		atomic_fetch_add(&logger.lost, lines);
		*read = head;
		return false;
	}
	*read += took;
	return took;
}

/* True if there was something. */
static bool ring_drain(struct ring *ring)
{
	size_t head = atomic_load(&ring->head), most = 0;
	bool some = false;

	for (enum way way = 0; way < WAY_COUNT; way++) {
		some |= drain_way(ring, way, head);
		if (head - ring->read[way] > most)
			most = head - ring->read[way];
	}
	atomic_store(&ring->tail, head - most);
	return some;
}

static void say_lost(struct ring *ring)
{
	uint64_t lost = atomic_exchange(&ring->lost, 0);

	atomic_fetch_add(&logger.lost, lost);
	if (lost)
		log_event(LEVEL_WARNING, "log",
			  "%llu lines were lost: there were more than could "
			  "be written",
			  (unsigned long long)lost);
}

static bool drain_all(void)
{
	bool some = false;

	take_route();
	for (struct ring *ring = atomic_load(&logger.rings); ring;
	     ring = ring->next) {
		some |= ring_drain(ring);
		say_lost(ring);
	}
	return some;
}

static int patience(void)
{
	for (enum way way = 0; way < WAY_COUNT; way++)
		if (logger.ways[way].failing)
			return RETRY_MS;
	return -1;
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
		poll(&woken, 1, patience());
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
	route_close(&logger.route);
}

void log_state(struct log_state *out)
{
	*out = (struct log_state) { .lost = atomic_load(&logger.lost) };
	for (enum way way = 0; way < WAY_COUNT; way++)
		out->failing |= atomic_load(&logger.ways[way].failing);
}

static char *copy(const char *text)
{
	char *made = text ? strdup(text) : NULL;

	assert(!text || made);
	return made;
}

enum err log_route(const char *file, const char *facility, struct cause *cause)
{
	struct outlets *route = calloc(1, sizeof(*route));
	char *path = copy(file), *name = copy(facility);
	enum err err = E_OK;

	assert(route);
	if (file)
		err = outlet_file(file, &route->at[WAY_FILE], cause);
	if (err) {
		free(path);
		free(name);
		free(route);
		return err;
	}
	if (facility)
		route->at[WAY_SYSLOG] = outlet_syslog(facility);
	free(logger.file);
	free(logger.facility);
	logger.file = path;
	logger.facility = name;
	route = atomic_exchange(&logger.next, route);
	if (route) /* it was never taken */
		route_close(route);
	free(route);
	if (atomic_load(&logger.runs))
		wake();
	return E_OK;
}

bool log_reopen(void)
{
	struct cause cause;
	enum err err = log_route(logger.file, logger.facility, &cause);

	if (err)
		log_event(LEVEL_ERROR, "log", "%s", cause.text);
	return !err;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void put_event(enum log_level level, const char *event,
		      const struct log_about *about, const char *fmt,
		      va_list args)
{
	struct ring *ring = ring_mine(KIND_EVENT);
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

struct log_progress log_progress(void)
{
	struct ring *ring = ring_mine(KIND_TOKEN);

	return (struct log_progress) { atomic_load(&ring->head),
				       atomic_load(&ring->tail) };
}

/* Far from the half that is given up when a way out fails. */
bool log_change(struct txn *txn, const struct log_entry *entry, uint64_t count)
{
	struct ring *ring = ring_mine(KIND_TOKEN);
	struct log_progress now = log_progress();

	if (now.put - now.written > RING / 4)
		return false;
	log_print_change(txn, entry, count, logger.format, &ring->line);
	put(ring);
	return true;
}

void log_token(const struct log_token *line)
{
	struct ring *ring = ring_mine(KIND_TOKEN);

	log_print_token(line, logger.format, &ring->line);
	put(ring);
}
