/* server/serve.c - see the header. Thread: main. */
#include "server/serve.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "server/notify.h"
#include "server/owner.h"
#include "server/serve_own.h"
#include "store/steady.h"
#include "token/date.h"

enum {
	POLL_MS = 20,
	LEAVE_MS = 10 * 1000,
	SPARE_MS = 5 * 1000, /* for writer, jobs, log */
	HOUR_MS = 60 * 60 * 1000
};

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void log_warning(void *arg, const char *event, const char *text)
{
	(void)arg;
	log_event(LEVEL_WARNING, event, "%s", text);
}

/* For who waits for the reload, too: what takes a restart. `arg`: or NULL. */
static void remark(void *arg, const char *event, const char *text)
{
	log_warning(NULL, event, text);
	if (arg)
		buf_printf(arg, "\n%s", text);
}

/*
 * After the start or a reload, and once a day. A failed one says one line.
 * *said: remark().
 */
static void say_warnings(const struct server *server, struct buf *said)
{
	const struct config *config = server->live->config;
	struct cause cause;

	live_warn(server->live, time(NULL), log_warning, NULL);
	if (server->connections < config->connections)
		log_event(LEVEL_WARNING, "limits",
			  "limits.connections is %u, lowered to %u by the "
			  "descriptor limit: raise it (ulimit -n, LimitNOFILE)",
			  config->connections, server->connections);
	if (access(config->path, R_OK))
		log_event(LEVEL_WARNING, "start",
			  "%s: no reload will be able to read it: let the "
			  "owner of %s do so, by chown or chmod",
			  config->path, config->store);
	if (db_in_place(server->services.db, &cause))
		remark(said, "store", cause.text);
	if (server->root)
		log_event(LEVEL_WARNING, "start",
			  "runs as root, as root owns %s: give the folder to a "
			  "user of its own",
			  server->config->store);
}

static void look(struct server *server, int64_t limit)
{
	struct watched is = {
		.oldest = steady_ms(),
		.writer = writer_wait(server->services.writer),
	};
	const char *stuck;

	for (unsigned i = 0; i < server->workers_started; i++) {
		int64_t at = worker_turned_at(server->workers[i]);

		if (!worker_ended(server->workers[i]) && at < is.oldest)
			is.oldest = at;
	}
	if (watch_look(&server->watch, &is, steady_ms(), limit, &stuck))
		notify_say("WATCHDOG=1");
	if (stuck && *stuck)
		log_event(LEVEL_ERROR, "watchdog",
			  "%s does not go on: systemd is no longer told that "
			  "all is well, and will start dockpass again",
			  stuck);
	else if (stuck)
		log_event(LEVEL_WARNING, "watchdog", "all goes on again");
}

/* The next signal, or 0 after `ms`. Whoever watches hears from us meanwhile. */
static int wait_for(struct server *server, int64_t ms)
{
	int64_t end = steady_ms() + ms, limit = notify_watchdog();
	int64_t every = watch_every(limit);
	int got;

	do {
		int64_t left = end - steady_ms();
		struct timespec ts;

		if (limit && steady_ms() - server->watch.told_at >= every)
			look(server, limit);
		if (limit && left > every)
			left = every;
		if (left < 0)
			left = 0;
		ts = (struct timespec) { left / 1000, left % 1000 * 1000000 };
		got = sigtimedwait(&server->signals, NULL, &ts);
	} while (got <= 0 && steady_ms() < end);
	return got > 0 ? got : 0;
}

static void tell_ready(const struct server *server)
{
	notify_say("READY=1\nSTATUS=%u workers, key %s signs",
		   server->workers_count, server->live->key->libtrust);
}

/*
 * Whatever else is wrong: it was rotated. But where another leads root now, the
 * one that is open stays. False: it was not opened.
 */
static bool reopen_log(const struct server *server)
{
	struct cause cause;

	if (!stay_log(server->live->config, &cause))
		return log_reopen();
	log_event(LEVEL_ERROR, "log", "its file is not opened again: %s",
		  cause.text);
	return false;
}

static void reload(struct server *server)
{
	struct live *live;
	AUTO(buf) struct buf said;
	struct cause cause;
	enum err err;

	buf_init(&said, RELOAD_SAID);
	db_reload_begins(server->services.db);
	notify_say("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)now_us());
	log_event(LEVEL_INFO, "reload",
		  "reading configuration, keys and "
		  "certificates");
	err = live_load(server->config_path, server->config, &live, &cause);
	if (!err)
		err = log_route(live->config->log.file,
				live->config->log.syslog, &cause);
	if (err) {
		live_drop(live);
		(void)reopen_log(server);
		monitor_reload(server->monitor, false, 0);
		log_event(LEVEL_ERROR, "reload", "the old ones stay: %s",
			  cause.text);
		notify_say("READY=1\nSTATUS=the last reload failed: %s",
			   cause.text);
		db_reload_ends(server->services.db, true, cause.text);
		return;
	}
	monitor_reload(server->monitor, true, time(NULL));
	buf_printf(&said, "%.255s", live->config->path);
	live_warn_fixed(server->config, live->config, remark, &said);
	server_limit(server, live->config);
	for (unsigned i = 0; i < server->workers_started; i++)
		worker_publish(server->workers[i], live);
	jobs_publish(server->jobs, live);
	live_drop(server->live);
	server->live = live;
	say_warnings(server, &said);
	log_event(LEVEL_INFO, "reload", "done: key %s signs",
		  live->key->libtrust);
	tell_ready(server);
	/* Last: who waits for it goes on, and systemd has been told. */
	buf_add_char(&said, '\0');
	db_reload_ends(server->services.db, false, said.over ? "" : said.at);
}

static bool all_ended(const struct server *server)
{
	for (unsigned i = 0; i < server->workers_started; i++)
		if (!worker_ended(server->workers[i]))
			return false;
	return jobs_quiet(server->jobs);
}

/* What was rotated is opened again; what would be read is of no use now. */
static void reload_no_more(const struct server *server)
{
	bool opened;

	db_reload_begins(server->services.db);
	opened = reopen_log(server);
	monitor_reload(server->monitor, false, 0);
	log_event(LEVEL_WARNING, "reload",
		  "the old ones stay, as the server ends; the log's file was "
		  "%sopened again",
		  opened ? "" : "not ");
	db_reload_ends(server->services.db, true, "it is about to end");
}

static const char second_signal[] = "a second signal came";

/* Until `end` (steady_ms). The reason to leave at once, or NULL. */
static const char *wait_to_end(struct server *server, int64_t end)
{
	int64_t left;
	int got;

	while ((left = end - steady_ms()) > 0) {
		got = wait_for(server, left);
		if (got == SIGHUP)
			reload_no_more(server);
		else if (got)
			return second_signal;
	}
	return NULL;
}

/* Who asks /readyz learns of it first. As wait_to_end(). */
static const char *warn_of_end(struct server *server)
{
	int64_t drain = (int64_t)server->live->config->admin.drain * 1000;

	notify_say("STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld\n"
		   "STATUS=finishing what is under way",
		   (long long)(drain + LEAVE_MS + SPARE_MS) * 1000);
	atomic_store(&server->monitor->draining, true);
	if (drain)
		log_event(LEVEL_INFO, "stop",
			  "told to end: for %u s /readyz says no, and all "
			  "else goes on (admin.drain)",
			  server->live->config->admin.drain);
	return wait_to_end(server, steady_ms() + drain);
}

/* Why at once, or NULL: all has been finished. */
static const char *leave(struct server *server)
{
	const char *why = warn_of_end(server);
	int64_t end;

	if (why)
		return why;
	log_event(LEVEL_INFO, "stop", "finishing what is under way");
	for (unsigned i = 0; i < server->workers_started; i++)
		worker_drain(server->workers[i]);
	jobs_drain(server->jobs);
	end = steady_ms() + LEAVE_MS;
	while (!why && !all_ended(server)) {
		if (steady_ms() >= end)
			return "10 s are over";
		why = wait_to_end(server, steady_ms() + POLL_MS);
	}
	return why;
}

static void say_started(const struct server *server)
{
	const struct config *config = server->config;

	say_warnings(server, NULL);
	log_event(server->sandbox.whole ? LEVEL_INFO : LEVEL_WARNING, "start",
		  "sandbox: %s", server->sandbox.text);
	for (unsigned i = 0; i < config->listeners_count; i++)
		log_event(LEVEL_INFO, "start", "listening on %s://%s",
			  config_certificates(&config->listeners[i].tls)
				  ? "https"
				  : "http",
			  config->listeners[i].address);
	if (*config->admin.address)
		log_event(LEVEL_INFO, "start", "metrics and health on %s://%s",
			  config_certificates(&config->admin.tls) ? "https"
								  : "http",
			  config->admin.address);
	log_event(LEVEL_INFO, "start", "ready: %u workers, key %s signs",
		  server->workers_count, server->live->key->libtrust);
	tell_ready(server);
}

/*
 * The next signal, or 0 once it is another day than *day (UTC). By the clock
 * and at least once an hour, as clocks are set and machines sleep.
 */
static int wait_signal(struct server *server, int64_t *day)
{
	for (;;) {
		int64_t now = time(NULL), left = (DAY - now % DAY) * 1000;
		int got;

		if (now / DAY != *day) {
			*day = now / DAY;
			return 0;
		}
		got = wait_for(server, left < HOUR_MS ? left : HOUR_MS);
		if (got)
			return got;
	}
}

/* Until a signal ends it; what is warned of comes nearer. As leave(). */
static const char *run(struct server *server)
{
	int64_t day = time(NULL) / DAY;
	int got;

	say_started(server);
	while ((got = wait_signal(server, &day)) != SIGTERM && got != SIGINT)
		if (got == SIGHUP)
			reload(server);
		else
			say_warnings(server, NULL);
	return leave(server);
}

int serve(const char *config_path, enum log_format format)
{
	struct server server = { .config_path = config_path, .format = format };
	struct cause cause = { "" };
	enum err err = server_up(&server, &cause);
	const char *why = err ? NULL : run(&server);

	if (why)
		server_leave(why);
	if (!err)
		log_event(LEVEL_INFO, "stop", "done");
	server_down(&server);
	if (err)
		fprintf(stderr, "dockpass: %s\n", cause.text);
	return err ? 1 : 0;
}
