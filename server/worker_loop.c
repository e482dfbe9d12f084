/* server/worker_loop.c - a worker's thread: wake-ups, reload, the end. */
#include "server/worker_own.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "server/log.h"
#include "server/waits.h"
#include "store/steady.h"

enum {
	BODY_MAX = 512 * 1024, /* of a reply */
	TASKS_KEPT = 8,
	SWEEP_MS = 1000,
	HELD_LEAST = 1 << 20,
	DRAIN_MS = 50,	/* a step of the end */
	QUIET_MS = 250, /* an idle connection may still be used then */
	DRAIN_MAX_MS = 9500
};

static void task_free(struct task *task)
{
	if (!task)
		return;
	if (task->late)
		event_free(task->late);
	arena_done(&task->arena);
	buf_done(&task->body);
	free(task);
}

struct task *task_get(struct worker *worker)
{
	struct task *task = worker->kept;

	if (task) {
		worker->kept = task->next;
		worker->kept_count--;
		return task;
	}
	task = calloc(1, sizeof(*task));
	assert(task);
	task->worker = worker;
	arena_init(&task->arena);
	buf_init(&task->body, BODY_MAX);
	return task;
}

void task_reset(struct task *task)
{
	arena_reset(&task->arena);
	buf_clear(&task->body);
}

void task_put(struct worker *worker, struct task *task)
{
	if (worker->kept_count == TASKS_KEPT) {
		task_free(task);
		return;
	}
	task_reset(task);
	task->next = worker->kept;
	worker->kept = task;
	worker->kept_count++;
}

static void nudge(struct worker *worker)
{
	uint64_t one = 1;

	(void)!write(worker->wake_fd, &one, sizeof(one));
}

void task_wake(struct request *req)
{
	struct task *task =
		(struct task *)((char *)req - offsetof(struct task, req));
	struct worker *worker = task->worker;

	task->next = atomic_load(&worker->woken_tasks);
	while (!atomic_compare_exchange_weak(&worker->woken_tasks, &task->next,
					     task))
		;
	nudge(worker);
}

static void resume_tasks(struct worker *worker)
{
	struct task *task = atomic_exchange(&worker->woken_tasks, NULL);

	while (task) {
		struct task *next = task->next;

		if (task_step(task, task->req.resume)) {
			task_put(worker, task);
			worker->waiting--;
		}
		task = next;
	}
}

static int listener_row(const struct listener *listener,
			const struct live *live)
{
	unsigned n = live->config->listeners_count;
	const char *address;

	for (unsigned i = 0; live_listener(live->config, i, &address); i++)
		if (listener->admin == (i == n) &&
		    !strcmp(address, listener->address) &&
		    !live->tls[i] == !listener->tls)
			return (int)i;
	return -1;
}

/* What a reload may change; its address stays as text. */
static void listener_use(struct listener *listener, struct live *live,
			 unsigned row)
{
	live_listener(live->config, row, &listener->address);
	listener->live = live_hold(live);
	listener->tls = live->tls[row];
	listener->proxied =
		!listener->admin && live->config->listeners[row].proxy_protocol;
}

/* An address that is no longer named keeps the certificate it has. */
static void listener_renew(struct listener *listener, struct live *live)
{
	int row = listener_row(listener, live);
	struct live *before = listener->live;

	if (row < 0)
		return;
	listener_use(listener, live, (unsigned)row);
	live_drop(before);
}

/*
 * An equal part of limits.held, as the kernel deals connections out equally;
 * but room for some requests of the longest.
 */
static size_t held_of(const struct worker *worker)
{
	size_t all = (size_t)worker->live->config->held << 20;
	size_t part = all / worker->services->monitor->workers;

	return part > HELD_LEAST ? part : HELD_LEAST;
}

static void take_live(struct worker *worker)
{
	struct live *live = atomic_exchange(&worker->next_live, NULL);
	struct signer *signer;

	if (!live)
		return;
	if (signer_new(live->key, &signer)) {
		log_event(LEVEL_ERROR, "reload",
			  "a worker cannot use the new key: it goes on with "
			  "the old one");
		live_drop(live);
		return;
	}
	signer_free(worker->signer);
	worker->signer = signer;
	for (unsigned i = 0; i < worker->listeners_count; i++)
		listener_renew(&worker->listeners[i], live);
	live_drop(worker->live);
	worker->live = live;
	conns_trust(&worker->conns, &live->trusted);
	conns_limit(&worker->conns, held_of(worker));
}

/* A step of the end, every DRAIN_MS. Who watches may watch till then. */
static void drain_step(struct worker *worker)
{
	for (unsigned i = 0; i < worker->listeners_count; i++)
		if (!worker->listeners[i].admin)
			listener_stop(&worker->listeners[i]);
	worker->drain_ms += DRAIN_MS;
	conns_drain(&worker->conns, QUIET_MS);
	if ((worker->conns.count == worker->conns.aside && !worker->waiting) ||
	    worker->drain_ms >= DRAIN_MAX_MS)
		event_base_loopbreak(worker->base);
}

static void set_tick(struct worker *worker, int ms)
{
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(worker->tick, &tv);
}

static void on_woken(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;
	uint64_t n;

	(void)what;
	(void)!read(fd, &n, sizeof(n));
	take_live(worker);
	resume_tasks(worker);
	if (atomic_load(&worker->drain_wanted) && !worker->drains) {
		worker->drains = true;
		set_tick(worker, DRAIN_MS);
	}
}

static void note_turn(struct worker *worker)
{
	atomic_store(&worker->turned_at, steady_ms());
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;

	(void)fd, (void)what;
	note_turn(worker);
	conns_sweep(&worker->conns);
	uses_pass_on(worker->uses);
	waits_look(worker->services);
	for (unsigned i = 0; i < worker->listeners_count; i++)
		listener_resume(&worker->listeners[i]);
	if (worker->drains)
		drain_step(worker);
}

static enum err loop_open(struct worker *worker, struct crowd *crowd)
{
	struct event_config *config = event_config_new();
	enum err err;

	if (!config)
		return E_MEMORY;
	event_config_set_flag(config,
			      EVENT_BASE_FLAG_NOLOCK |
				      EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	worker->base = event_base_new_with_config(config);
	event_config_free(config);
	worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!worker->base || worker->wake_fd < 0)
		return E_MEMORY;
	err = conns_init(&worker->conns, worker->base, crowd, worker->metrics,
			 conn_watch);
	conns_trust(&worker->conns, &worker->live->trusted);
	worker->woken = event_new(worker->base, worker->wake_fd,
				  EV_READ | EV_PERSIST, on_woken, worker);
	worker->tick = event_new(worker->base, -1, EV_PERSIST, on_tick, worker);
	if (err || !worker->woken || !worker->tick)
		return E_MEMORY;
	conns_limit(&worker->conns, held_of(worker));
	event_add(worker->woken, NULL);
	set_tick(worker, SWEEP_MS);
	return E_OK;
}

static enum err listeners_open(struct worker *worker,
			       const struct worker_setup *setup)
{
	unsigned n = worker->live->config->listeners_count;
	enum err err = E_OK;

	for (unsigned i = 0; i < worker->listeners_count; i++) {
		struct listener *listener = &worker->listeners[i];
		int fd = setup->sockets[i];

		*listener = (struct listener) {
			.worker = worker,
			.admin = i == n,
			.crowd = i == n ? setup->admin_crowd : setup->crowd,
		};
		listener_use(listener, worker->live, i);
		if (err)
			close(fd);
		else
			err = listener_open(listener, fd);
	}
	return err;
}

enum err worker_new(const struct worker_setup *setup, struct worker **out)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	enum err err;

	*out = NULL;
	assert(worker);
	worker->services = setup->services;
	worker->live = live_hold(setup->live);
	worker->metrics = setup->metrics;
	worker->listeners_count =
		setup->live->config->listeners_count +
		(setup->sockets[setup->live->config->listeners_count] >= 0);
	worker->listeners =
		calloc(worker->listeners_count, sizeof(struct listener));
	assert(worker->listeners);
	worker->task = task_get(worker);
	worker->uses = uses_new();
	note_turn(worker);
	err = loop_open(worker, setup->crowd);
	if (!err)
		err = listeners_open(worker, setup);
	if (!err)
		err = signer_new(worker->live->key, &worker->signer);
	if (err) {
		worker_free(worker);
		return err;
	}
	*out = worker;
	return E_OK;
}

static void *on_thread(void *arg)
{
	struct worker *worker = arg;

	txn_read(worker->services->db, &worker->txn);
	txn_rest(&worker->txn);
	event_base_dispatch(worker->base);
	for (unsigned i = 0; i < worker->listeners_count; i++)
		listener_close(&worker->listeners[i]);
	txn_cleanup(&worker->txn);
	atomic_store(&worker->ended, true);
	return NULL;
}

enum err worker_start(struct worker *worker)
{
	return pthread_create(&worker->thread, NULL, on_thread, worker)
		       ? E_MEMORY
		       : E_OK;
}

void worker_publish(struct worker *worker, struct live *live)
{
	live_drop(atomic_exchange(&worker->next_live, live_hold(live)));
	nudge(worker);
}

void worker_drain(struct worker *worker)
{
	atomic_store(&worker->drain_wanted, true);
	nudge(worker);
}

bool worker_ended(const struct worker *worker)
{
	return atomic_load(&worker->ended);
}

int64_t worker_turned_at(const struct worker *worker)
{
	return atomic_load(&worker->turned_at);
}

struct uses *worker_uses(const struct worker *worker)
{
	return worker->uses;
}

void worker_join(struct worker *worker)
{
	pthread_join(worker->thread, NULL);
}

void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	for (unsigned i = 0; i < worker->listeners_count; i++) {
		listener_close(&worker->listeners[i]);
		live_drop(worker->listeners[i].live);
	}
	conns_done(&worker->conns);
	if (worker->woken)
		event_free(worker->woken);
	if (worker->tick)
		event_free(worker->tick);
	if (worker->base)
		event_base_free(worker->base);
	close(worker->wake_fd);
	while (worker->kept) {
		struct task *task = worker->kept;

		worker->kept = task->next;
		task_free(task);
	}
	task_free(worker->task);
	signer_free(worker->signer);
	uses_free(worker->uses);
	live_drop(worker->live);
	live_drop(atomic_exchange(&worker->next_live, NULL));
	free(worker->listeners);
	free(worker);
}
