/* server/serve.c - see the header. Thread: main. */
#include "server/serve.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "server/file.h"
#include "server/jobs/jobs.h"
#include "server/listen.h"
#include "server/worker.h"
#include "token/date.h"

enum {
	PASSWORD_THREADS = 2,
	POLL_MS = 20,
	LEAVE_MS = 10 * 1000,
	HOUR = 60 * 60,	 /* in seconds */
	WRITER_MS = 400, /* after the workers, which have nearly all of it */
	JOBS_MS = 400	 /* likewise */
};

struct server {
	const char *config_path;
	enum log_format format;
	sigset_t signals;
	struct config *config; /* of the start: what a reload cannot change */
	struct live *first;    /* whose it is, once there is one */
	struct live *live;
	struct crowd *crowd;
	unsigned connections; /* as many as there may be */
	bool root;
	struct services services;
	struct jobs *jobs;
	unsigned workers_count, workers_started;
	struct worker **workers;
	int *sockets; /* workers x listeners */
};

/* What is in memory must not be found on disk or by a debugger. */
static enum err up_process(struct server *server, struct cause *cause)
{
	const struct rlimit none = { 0, 0 };

	(void)cause;
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&server->signals);
	sigaddset(&server->signals, SIGTERM);
	sigaddset(&server->signals, SIGINT);
	sigaddset(&server->signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &server->signals, NULL);
	return E_OK;
}

static enum err up_config(struct server *server, struct cause *cause)
{
	enum err err = config_load(server->config_path, &server->config, cause);

	if (!err)
		server->workers_count = server->config->workers;
	return err;
}

static void down_config(struct server *server)
{
	if (server->first)
		live_drop(server->first);
	else
		config_free(server->config);
}

/* Before root is left: a port under 1024 needs it. */
static enum err up_sockets(struct server *server, struct cause *cause)
{
	const struct config *config = server->config;
	size_t n = (size_t)server->workers_count * config->listeners_count;
	enum err err = E_OK;

	server->sockets = malloc(n * sizeof(int));
	assert(server->sockets);
	for (size_t i = 0; i < n; i++)
		server->sockets[i] = -1;
	for (unsigned i = 0; i < config->listeners_count && !err; i++)
		err = listen_open(
			config->listeners[i].address, server->workers_count,
			config->listeners_count, server->sockets + i, cause);
	return err;
}

static void down_sockets(struct server *server)
{
	size_t n =
		(size_t)server->workers_count * server->config->listeners_count;

	for (size_t i = 0; i < n; i++)
		if (server->sockets[i] >= 0)
			close(server->sockets[i]);
	free(server->sockets);
}

static enum err up_owner(struct server *server, struct cause *cause)
{
	enum err err =
		become_owner(server->config->store, &server->root, cause);

	/* A change of user makes a process dumpable or not by itself. */
	prctl(PR_SET_DUMPABLE, 0);
	if (err == E_NOT_FOUND)
		config_blame(server->config->store_place, err, cause);
	return err;
}

static enum err up_live(struct server *server, struct cause *cause)
{
	enum err err = live_new(server->config, &server->live, cause);

	if (!err)
		server->first = live_hold(server->live);
	return err;
}

static void down_live(struct server *server)
{
	live_drop(server->live);
}

static enum err up_store(struct server *server, struct cause *cause)
{
	enum err err = db_open(server->config->store, DB_SERVE, time(NULL),
			       &server->services.db, cause);

	if (err == E_NOT_FOUND)
		config_blame(server->config->store_place, err, cause);
	return err;
}

static void down_store(struct server *server)
{
	db_close(server->services.db);
}

static void set_limits(struct server *server, const struct config *config)
{
	server->connections = config->connections;
	crowd_limit(server->crowd, &server->connections,
		    config->connections_per_address);
}

static enum err up_crowd(struct server *server, struct cause *cause)
{
	enum err err = crowd_new(&server->crowd);

	if (!err)
		err = guard_new(&server->services.guard);
	if (err)
		return cause_set(cause, err, "no memory for counters");
	set_limits(server, server->config);
	return E_OK;
}

static void down_crowd(struct server *server)
{
	guard_free(server->services.guard);
	crowd_free(server->crowd);
}

static enum err up_log(struct server *server, struct cause *cause)
{
	enum err err = log_start(server->format);

	return err ? cause_set(cause, err, "no log thread") : E_OK;
}

static void down_log(struct server *server)
{
	(void)server;
	log_stop();
}

static void on_libevent(int severity, const char *text)
{
	if (severity >= EVENT_LOG_WARN)
		log_event(LEVEL_WARNING, "libevent", "%s", text);
}

/* Before their threads: what can fail fails here. */
static enum err up_loops(struct server *server, struct cause *cause)
{
	unsigned listeners = server->config->listeners_count;

	event_set_log_callback(on_libevent);
	server->workers =
		calloc(server->workers_count, sizeof(struct worker *));
	assert(server->workers);
	for (unsigned i = 0; i < server->workers_count; i++) {
		int *sockets = server->sockets + (size_t)i * listeners;
		const struct worker_setup setup = {
			.live = server->live,
			.services = &server->services,
			.crowd = server->crowd,
			.sockets = sockets,
		};
		enum err err = worker_new(&setup, &server->workers[i]);

		for (unsigned k = 0; k < listeners; k++)
			sockets[k] = -1;
		if (err)
			return cause_set(cause, err, "no event loop: %s",
					 err_text(err));
	}
	return E_OK;
}

static void down_loops(struct server *server)
{
	for (unsigned i = 0; i < server->workers_count; i++)
		worker_free(server->workers[i]);
	free(server->workers);
}

static enum err up_pool(struct server *server, struct cause *cause)
{
	enum err err =
		password_pool_start(PASSWORD_THREADS, &server->services.pool);

	return err ? cause_set(cause, err, "no threads for passwords: %s",
			       err_text(err))
		   : E_OK;
}

static void down_pool(struct server *server)
{
	password_pool_stop(server->services.pool);
}

static enum err up_writer(struct server *server, struct cause *cause)
{
	enum err err =
		writer_start(server->services.db, &server->services.writer);

	return err ? cause_set(cause, err, "no writer: %s", err_text(err))
		   : E_OK;
}

static void leave_now(const char *why)
{
	log_event(LEVEL_WARNING, "stop", "left at once: %s", why);
	log_stop();
	_exit(0);
}

/* Nobody was told that a change is done which now will not be. */
static void down_writer(struct server *server)
{
	if (!writer_stop(server->services.writer, WRITER_MS))
		leave_now("another process holds the store's lock");
}

static enum err up_jobs(struct server *server, struct cause *cause)
{
	struct jobs_setup setup = {
		.db = server->services.db,
		.writer = server->services.writer,
		.live = server->live,
		.uses = calloc(server->workers_count, sizeof(struct uses *)),
		.uses_count = server->workers_count,
	};
	enum err err;

	assert(setup.uses);
	for (unsigned i = 0; i < server->workers_count; i++)
		setup.uses[i] = worker_uses(server->workers[i]);
	err = jobs_start(&setup, &server->jobs);
	return err ? cause_set(cause, err, "no thread for the daily checks")
		   : E_OK;
}

static void down_jobs(struct server *server)
{
	if (jobs_stop(server->jobs, JOBS_MS))
		return;
	leave_now("the daily checks wait for the disk, or for a name server");
}

static enum err up_workers(struct server *server, struct cause *cause)
{
	for (unsigned i = 0; i < server->workers_count; i++) {
		if (worker_start(server->workers[i]))
			return cause_set(cause, E_MEMORY,
					 "no thread for a worker");
		server->workers_started++;
	}
	return E_OK;
}

static void down_workers(struct server *server)
{
	for (unsigned i = 0; i < server->workers_started; i++)
		worker_drain(server->workers[i]);
	for (unsigned i = 0; i < server->workers_started; i++)
		worker_join(server->workers[i]);
}

/* Upwards in this order, downwards in the other. A step undoes itself. */
static const struct {
	const char *name;
	enum err (*up)(struct server *server, struct cause *cause);
	void (*down)(struct server *server);
} steps[] = {
	{ "process", up_process, NULL },
	{ "config", up_config, down_config },
	{ "sockets", up_sockets, down_sockets },
	{ "owner", up_owner, NULL },
	{ "keys and certificates", up_live, down_live },
	{ "store", up_store, down_store },
	{ "limits", up_crowd, down_crowd },
	{ "log", up_log, down_log },
	{ "loops", up_loops, down_loops },
	{ "passwords", up_pool, down_pool },
	{ "writer", up_writer, down_writer },
	{ "jobs", up_jobs, down_jobs },
	{ "workers", up_workers, down_workers },
};

static void log_warning(void *arg, const char *event, const char *text)
{
	(void)arg;
	log_event(LEVEL_WARNING, event, "%s", text);
}

/* After the start or a reload; a failed one says one line alone. */
static void say_warnings(const struct server *server)
{
	const struct config *config = server->live->config;

	live_warn(server->live, time(NULL), log_warning, NULL);
	if (server->connections < config->connections)
		log_event(LEVEL_WARNING, "limits",
			  "limits.connections is %u, lowered to %u by the "
			  "descriptor limit: raise it (ulimit -n, LimitNOFILE)",
			  config->connections, server->connections);
	if (server->root)
		log_event(LEVEL_WARNING, "start",
			  "runs as root, as root owns %s: give the folder to a "
			  "user of its own",
			  server->config->store);
}

static void reload(struct server *server)
{
	struct live *live;
	struct cause cause;

	log_event(LEVEL_INFO, "reload",
		  "reading configuration, keys and "
		  "certificates");
	if (live_load(server->config_path, &live, &cause)) {
		log_event(LEVEL_ERROR, "reload", "the old ones stay: %s",
			  cause.text);
		return;
	}
	live_warn_fixed(server->config, live->config, log_warning, NULL);
	set_limits(server, live->config);
	for (unsigned i = 0; i < server->workers_started; i++)
		worker_publish(server->workers[i], live);
	jobs_publish(server->jobs, live);
	live_drop(server->live);
	server->live = live;
	say_warnings(server);
	log_event(LEVEL_INFO, "reload", "done: key %s signs",
		  live->key->libtrust);
}

static bool all_ended(const struct server *server)
{
	for (unsigned i = 0; i < server->workers_started; i++)
		if (!worker_ended(server->workers[i]))
			return false;
	return jobs_quiet(server->jobs);
}

/* False: a second signal, so at once. */
static bool leave(struct server *server)
{
	const struct timespec nap = { 0, POLL_MS * 1000000L };
	int waited = 0;

	log_event(LEVEL_INFO, "stop", "finishing what is under way");
	for (unsigned i = 0; i < server->workers_started; i++)
		worker_drain(server->workers[i]);
	jobs_drain(server->jobs);
	while (!all_ended(server)) {
		int got = sigtimedwait(&server->signals, NULL, &nap);

		waited += POLL_MS;
		if (got == SIGTERM || got == SIGINT || waited > LEAVE_MS)
			return false;
	}
	return true;
}

static void say_started(const struct server *server)
{
	const struct config *config = server->config;

	say_warnings(server);
	for (unsigned i = 0; i < config->listeners_count; i++)
		log_event(LEVEL_INFO, "start", "listening on %s://%s",
			  config->listeners[i].certificate ? "https" : "http",
			  config->listeners[i].address);
	log_event(LEVEL_INFO, "start", "ready: %u workers, key %s signs",
		  server->workers_count, server->live->key->libtrust);
}

/*
 * The next signal, or 0 once it is another day than *day (UTC). By the clock
 * and at least once an hour, as clocks are set and machines sleep.
 */
static int wait_signal(const struct server *server, int64_t *day)
{
	for (;;) {
		int64_t now = time(NULL), left = DAY - now % DAY;
		const struct timespec wait = { left < HOUR ? left : HOUR, 0 };
		int got;

		if (now / DAY != *day) {
			*day = now / DAY;
			return 0;
		}
		got = sigtimedwait(&server->signals, NULL, &wait);
		if (got > 0)
			return got;
	}
}

/* Until a signal ends it; what it warns of comes nearer every day. */
static bool run(struct server *server)
{
	int64_t day = time(NULL) / DAY;
	int got;

	say_started(server);
	while ((got = wait_signal(server, &day)) != SIGTERM && got != SIGINT)
		if (got == SIGHUP)
			reload(server);
		else
			live_warn(server->live, time(NULL), log_warning, NULL);
	return leave(server);
}

int serve(const char *config_path, enum log_format format)
{
	struct server server = { .config_path = config_path, .format = format };
	struct cause cause = { "" };
	enum err err = E_OK;
	size_t done = 0;

	while (done < COUNT(steps) && !err)
		err = steps[done++].up(&server, &cause);
	if (err && !cause.text[0])
		cause_set(&cause, err, "%s: %s", steps[done - 1].name,
			  err_text(err));
	if (!err && !run(&server)) {
		log_event(LEVEL_WARNING, "stop", "left at once");
		log_stop();
		_exit(0);
	}
	if (!err)
		log_event(LEVEL_INFO, "stop", "done");
	while (done-- > 0)
		if (steps[done].down)
			steps[done].down(&server);
	if (err)
		fprintf(stderr, "dockpass: %s\n", cause.text);
	return err ? 1 : 0;
}
