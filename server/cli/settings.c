/* server/cli/settings.c - dockpass settings ... */
#include "server/cli/command.h"
#include "store/setting.h"

enum { VALUE_MAX = 64 };

static enum err read_settings(struct call *call, struct settings *out)
{
	AUTO(txn) struct txn txn = { 0 };

	txn_read(call->db, &txn);
	return settings_read(&txn, out);
}

static struct str value_text(struct call *call, enum setting setting,
			     const struct settings *settings)
{
	AUTO(buf) struct buf text;

	buf_init(&text, VALUE_MAX);
	setting_print(setting, settings, &text);
	return arena_copy(&call->arena, buf_str(&text));
}

static const struct str head[] = {
	{ "NAME", 4 }, { "VALUE", 5 }, { "SET", 3 }, { "MEANING", 7 }
};

static void list_text(struct call *call, const struct settings *settings)
{
	struct listing listing = { .arena = &call->arena,
				   .columns = COUNT(head) };

	listing_row(&listing, head);
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		const struct str cells[COUNT(head)] = {
			setting_rows[i].name,
			value_text(call, (enum setting)i, settings),
			show_date(call, settings->set_at[i]),
			str_of(setting_rows[i].help),
		};

		listing_row(&listing, cells);
	}
	listing_print(&listing, &call->out);
}

static int settings_list(struct call *call)
{
	struct settings settings;
	enum err err;

	if (!call_store(call))
		return EXIT_REFUSED;
	err = read_settings(call, &settings);
	if (err)
		return call_failed(call, err);
	if (!call->json) {
		list_text(call, &settings);
		return EXIT_DONE;
	}
	json_open(&call->out, '{');
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		json_key(&call->out, setting_rows[i].name.at);
		setting_print_json((enum setting)i, &settings, &call->out);
	}
	json_close(&call->out, '}');
	buf_add_char(&call->out, '\n');
	return EXIT_DONE;
}

static int settings_get(struct call *call)
{
	struct settings settings;
	enum setting setting;
	enum err err = setting_find(call->args[0], &setting, &call->cause);

	if (err)
		return call_usage(call, "%s", call->cause.text);
	if (!call_store(call))
		return EXIT_REFUSED;
	err = read_settings(call, &settings);
	if (err)
		return call_failed(call, err);
	if (call->json)
		setting_print_json(setting, &settings, &call->out);
	else
		setting_print(setting, &settings, &call->out);
	buf_add_char(&call->out, '\n');
	return EXIT_DONE;
}

static int settings_set(struct call *call)
{
	struct change change = { .type = CHANGE_SETTING_PUT,
				 .text = call->args[0],
				 .value = call->args[1] };
	struct settings unused = { 0 };
	enum setting setting;

	if (setting_find(change.text, &setting, &call->cause) ||
	    setting_parse(setting, change.value, &unused, &call->cause))
		return call_usage(call, "%s", call->cause.text);
	return call_store(call) ? call_commit(call, &change) : EXIT_REFUSED;
}

/* clang-format off */
static const struct command rows[] = {
	{ "settings list", "", "what holds while the server runs, and what each setting means", 0, 0, O(JSON), settings_list },
	{ "settings get", "NAME", "the value of one setting", 1, 1, O(JSON), settings_get },
	{ "settings set", "NAME VALUE", "set one, from the next request on; VALUE none: its default", 2, 2, 0, settings_set },
};
/* clang-format on */

const struct command_group settings_commands = { rows, COUNT(rows) };
