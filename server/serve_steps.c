/* server/serve_steps.c - what the server is made of; see server/serve_own.h. */
#include "server/serve_own.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "server/memory.h"
#include "server/notify.h"
#include "server/owner.h"

enum {
	PASSWORD_THREADS = 2,
	ADMIN_CONNECTIONS = 64,
	WRITER_MS = 400, /* after the workers, which have nearly all of it */
	JOBS_MS = 400	 /* likewise */
};

/* What is in memory must not be found on disk or by a debugger. */
static enum err up_process(struct server *server, struct cause *cause)
{
	const struct rlimit none = { 0, 0 };

	(void)cause;
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	memory_wipe_freed();
	sigemptyset(&server->signals);
	sigaddset(&server->signals, SIGTERM);
	sigaddset(&server->signals, SIGINT);
	sigaddset(&server->signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &server->signals, NULL);
	return E_OK;
}

static enum err up_notify(struct server *server, struct cause *cause)
{
	(void)server;
	return notify_open(cause);
}

static void down_notify(struct server *server)
{
	(void)server;
	notify_close();
}

static unsigned count_cores(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);

	return n > 0 ? (unsigned)n : 1;
}

static enum err up_config(struct server *server, struct cause *cause)
{
	enum err err = config_load(server->config_path, &server->config, cause);

	if (!err)
		server->workers_count = server->config->workers
						? server->config->workers
						: count_cores();
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
	return sockets_open(server->config, server->workers_count,
			    &server->sockets, cause);
}

static void down_sockets(struct server *server)
{
	sockets_close(&server->sockets);
}

static enum err up_owner(struct server *server, struct cause *cause)
{
	enum err err = become_server(server->config, &server->root, cause);

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

void server_limit(struct server *server, const struct config *config)
{
	server->connections = config->connections;
	crowd_limit(server->crowd, &server->connections,
		    config->connections_per_address);
	db_limit(server->services.db, (uint64_t)config->store_size << 20);
}

static enum err up_crowd(struct server *server, struct cause *cause)
{
	unsigned most = ADMIN_CONNECTIONS;
	enum err err = crowd_new(&server->crowd);

	if (!err)
		err = guard_new(&server->services.guard);
	if (!err)
		err = crowd_new(&server->admin_crowd);
	if (!err)
		err = monitor_new(server->workers_count, time(NULL),
				  &server->monitor);
	if (err)
		return cause_set(cause, err, "no memory for counters");
	server_limit(server, server->config);
	crowd_limit(server->admin_crowd, &most, most);
	server->monitor->crowd = server->crowd;
	server->services.monitor = server->monitor;
	return E_OK;
}

static void down_crowd(struct server *server)
{
	monitor_free(server->monitor);
	crowd_free(server->admin_crowd);
	guard_free(server->services.guard);
	crowd_free(server->crowd);
}

/* Whatever has to be opened is open; no thread has begun. */
static enum err up_sandbox(struct server *server, struct cause *cause)
{
	(void)cause;
	tzset(); /* threads then need no file for the date */
	sandbox_enter(server->config, &server->sandbox);
	return E_OK;
}

static enum err up_log(struct server *server, struct cause *cause)
{
	const struct config_log *log = &server->config->log;
	enum err err = log_route(log->file, log->syslog, cause);

	if (err && log->file)
		config_blame(config_place(server->config, "log.file"), err,
			     cause);
	if (!err && log_start(server->format))
		err = cause_set(cause, E_MEMORY, "no log thread");
	return err;
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
	event_set_log_callback(on_libevent);
	server->workers =
		calloc(server->workers_count, sizeof(struct worker *));
	assert(server->workers);
	for (unsigned i = 0; i < server->workers_count; i++) {
		const struct worker_setup setup = {
			.live = server->live,
			.services = &server->services,
			.crowd = server->crowd,
			.admin_crowd = server->admin_crowd,
			.metrics = &server->monitor->metrics[i],
			.sockets = sockets_of(&server->sockets, i),
		};
		enum err err = worker_new(&setup, &server->workers[i]);

		sockets_given(&server->sockets, i);
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

void server_leave(const char *why)
{
	log_event(LEVEL_WARNING, "stop", "left at once: %s", why);
	log_stop();
	_exit(0);
}

/* Nobody was told that a change is done which now will not be. */
static void down_writer(struct server *server)
{
	if (!writer_stop(server->services.writer, WRITER_MS))
		server_leave("another process holds the store's lock");
}

static enum err up_jobs(struct server *server, struct cause *cause)
{
	struct jobs_setup setup = {
		.db = server->services.db,
		.writer = server->services.writer,
		.live = server->live,
		.uses = calloc(server->workers_count, sizeof(struct uses *)),
		.uses_count = server->workers_count,
		.monitor = server->monitor,
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
	server_leave(
		"the daily checks wait for the disk, or for a name server");
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
	{ "systemd", up_notify, down_notify },
	{ "config", up_config, down_config },
	{ "sockets", up_sockets, down_sockets },
	{ "owner", up_owner, NULL },
	{ "keys and certificates", up_live, down_live },
	{ "store", up_store, down_store },
	{ "limits", up_crowd, down_crowd },
	{ "sandbox", up_sandbox, NULL },
	{ "log", up_log, down_log },
	{ "loops", up_loops, down_loops },
	{ "passwords", up_pool, down_pool },
	{ "writer", up_writer, down_writer },
	{ "jobs", up_jobs, down_jobs },
	{ "workers", up_workers, down_workers },
};

enum err server_up(struct server *server, struct cause *cause)
{
	enum err err = E_OK;

	while (server->steps < COUNT(steps) && !err)
		err = steps[server->steps++].up(server, cause);
	if (err && !cause->text[0])
		cause_set(cause, err, "%s: %s", steps[server->steps - 1].name,
			  err_text(err));
	return err;
}

void server_down(struct server *server)
{
	while (server->steps-- > 0)
		if (steps[server->steps].down)
			steps[server->steps].down(server);
}
