/*
 * server/cli/check.c - dockpass init, serve, check, reload: the server's
 * commands.
 */
#include "server/cli/init.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/config_table.h"
#include "server/live.h"
#include "server/serve.h"

static void on_warning(void *arg, const char *event, const char *text)
{
	(void)event;
	call_warn(arg, "dockpass: warning: %s", text);
}

static enum err open_all(struct call *call)
{
	struct live *live = NULL;
	enum err err = live_load(call->config->path, NULL, &live, &call->cause);

	if (!err)
		live_warn(live, call->now, on_warning, call);
	live_drop(live);
	return err;
}

static void put_config(struct call *call)
{
	struct buf *out = &call->out;

	if (!call->json) {
		config_print(call->config, out);
		buf_add(out, STR("ok\n"));
		return;
	}
	json_open(out, '{');
	json_put_bool(out, "ok", true);
	json_put_str(out, "config", str_of(call->config->path));
	json_key(out, "options");
	config_print_json(call->config, out);
	json_close(out, '}');
	buf_add_char(out, '\n');
}

/* All that serve would refuse or warn of, but for a port that is taken. */
static int check_run(struct call *call)
{
	enum err err;

	if (call->opts[OPT_TABLE]) {
		config_print_table(&call->out);
		return EXIT_DONE;
	}
	if (!call_store(call))
		return EXIT_REFUSED;
	err = open_all(call);
	if (err)
		return call_failed(call, err);
	put_config(call);
	return EXIT_DONE;
}

static int serve_run(struct call *call)
{
	struct str format = call_opt(call, OPT_LOG_FORMAT);
	bool text = str_eq(format, STR("text"));

	if (format.len && !text && !str_eq(format, STR("json")))
		return call_usage(call,
				  "log format '%.40s' is not json or text",
				  format.at);
	return serve(call->opts[OPT_CONFIG], text ? FORMAT_TEXT : FORMAT_JSON);
}

enum { LOOK_MS = 20, PATIENCE = 1000 / LOOK_MS };

/*
 * systemd names the server as well (systemd.service(5), MAINPID). It opens its
 * log again and tells what is wrong, even if we cannot read where its store is.
 */
static int untold(void)
{
	const char *named = getenv("MAINPID");
	uint64_t pid;

	if (named && !str_to_u64(str_of(named), INT32_MAX, &pid) && pid > 1)
		(void)kill((pid_t)pid, SIGHUP);
	return EXIT_REFUSED;
}

/* `err`: of db_reloads(). */
static int no_server(struct call *call, enum err err)
{
	const char *store = call->config->store;

	if (err != E_NOT_FOUND)
		return call_failed(call, err);
	return call_refuse(
		call,
		db_served(store)
			? "the server of %.400s cannot be told: its "
			  "server.lock was removed: restart it"
			: "no server uses %.400s: start it; or, if it is "
			  "another store than before, restart it",
		store);
}

/* Who has to wait for more than a second is told for whom. */
static void wait_a_little(long pid, int turn)
{
	const struct timespec ts = { .tv_nsec = LOOK_MS * 1000000L };

	if (turn == PATIENCE)
		fprintf(stderr,
			"dockpass: waiting for process %ld, the server\n", pid);
	nanosleep(&ts, NULL);
}

/* Its configuration's path, and a line for each thing that takes a restart. */
static void tell_done(struct call *call, const struct reloads *is)
{
	struct str said = str_of(is->said), line;

	if (str_cut(&said, '\n', &line) && line.len)
		call_note(call,
			  "process %ld has read " STR_FMT " and the files that "
			  "it names",
			  is->pid, STR_ARG(line));
	else
		call_note(call, "process %ld has read its files", is->pid);
	while (str_cut(&said, '\n', &line))
		call_warn(call, "dockpass: warning: " STR_FMT, STR_ARG(line));
}

/* It may have begun before we came: what it reads then is not the newest. */
static int await_reload(struct call *call, const struct reloads *before)
{
	const char *store = call->config->store;
	struct reloads now;
	bool serves;

	for (int turn = 0; (serves = !db_reloads(store, &now, NULL) &&
				     now.pid == before->pid) &&
			   !db_reloaded(before, &now);
	     turn += turn < INT32_MAX)
		wait_a_little(before->pid, turn);
	if (!serves)
		return call_refuse(call,
				   "the server ended before it had read its "
				   "files: its log says why");
	if (now.stale)
		return call_refuse(call,
				   "the running server has refused it, and "
				   "goes on with what it had: %s",
				   now.said);
	tell_done(call, &now);
	return EXIT_DONE;
}

static int reload_run(struct call *call)
{
	struct reloads before;
	enum err err;

	if (!call_store_owner(call, false))
		return untold();
	err = db_reloads(call->config->store, &before, &call->cause);
	if (err) {
		(void)no_server(call, err);
		return untold();
	}
	if (!before.pid)
		return call_refuse(
			call,
			"the server of %.400s is not to be seen from "
			"here: say it in its container",
			call->config->store);
	if (kill((pid_t)before.pid, SIGHUP))
		return call_refuse(
			call,
			"cannot tell process %ld, the server: %s; be "
			"root, or its user",
			before.pid, strerror(errno));
	return await_reload(call, &before);
}

/* clang-format off */
static const struct command rows[] = {
	{ "init", "DIR [--service NAME] [--issuer NAME] [--listen ADDR:PORT] [--url URL]",
	  "make configuration, keys and store in a folder", 1, 1,
	  O(JSON) | O(SERVICE) | O(ISSUER) | O(LISTEN) | O(URL), init_run },
	{ "serve", "[--log-format json|text]", "run the server", 0, 0, O(LOG_FORMAT), serve_run },
	{ "check", "[--table]", "show the configuration in effect, or what is wrong with it", 0, 0, O(JSON) | O(TABLE), check_run },
	{ "reload", "", "have the running server read its files again; says what it refuses", 0, 0, 0, reload_run },
};
/* clang-format on */

const struct command_group server_commands = { rows, COUNT(rows) };
