/* server/cli/check.c - dockpass init, serve, check: the server's commands. */
#include "server/cli/init.h"
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

/* clang-format off */
static const struct command rows[] = {
	{ "init", "DIR [--service NAME] [--issuer NAME] [--listen ADDR:PORT] [--url URL]",
	  "make configuration, keys and store in a folder", 1, 1,
	  O(JSON) | O(SERVICE) | O(ISSUER) | O(LISTEN) | O(URL), init_run },
	{ "serve", "[--log-format json|text]", "run the server", 0, 0, O(LOG_FORMAT), serve_run },
	{ "check", "[--table]", "show the configuration in effect, or what is wrong with it", 0, 0, O(JSON) | O(TABLE), check_run },
};
/* clang-format on */

const struct command_group server_commands = { rows, COUNT(rows) };
