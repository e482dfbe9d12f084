/* server/cli/settings.c - dockpass settings ... */
#include "server/cli/command.h"
#include "store/expiry.h"
#include "token/date.h"

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

	buf_init(&text, SETTING_VALUE_MAX);
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
			show_time(call, settings->set_at[i]),
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

enum err call_sweep(struct call *call, struct limit_sweep *out)
{
	struct check check = {
		.job = JOB_LIFETIME,
		.now = call->now,
		.day = day_of(call->now),
	};
	AUTO(affected) struct affected_list list = { 0 };
	AUTO(txn) struct txn txn = { 0 };
	struct job_state state;
	int64_t marker;
	enum err err;

	*out = (struct limit_sweep) { 0 };
	txn_read(call->db, &txn);
	err = settings_read(&txn, &check.settings);
	if (!err)
		err = job_get(&txn, JOB_LIFETIME, &state);
	if (!err)
		err = expiry_scan(&txn, &check, NULL, NULL, &list);
	if (err || !list.len)
		return err;
	out->count = list.len;
	out->at = job_next(JOB_LIFETIME, &state, &check.settings, call->now,
			   &marker);
	return E_OK;
}

void call_warn_sweep(struct call *call, const struct limit_sweep *sweep)
{
	bool one = sweep->count == 1;

	if (sweep->count)
		call_warn(call,
			  "dockpass: warning: %llu token%s longer and will be "
			  "revoked at %s; dockpass settings set "
			  "max_token_lifetime none before then keeps %s",
			  (unsigned long long)sweep->count,
			  one ? " lives" : "s live", time_print(sweep->at).at,
			  one ? "it" : "them");
}

static int tell_sweep(struct call *call)
{
	struct limit_sweep sweep;
	enum err err = call_sweep(call, &sweep);

	if (err)
		return call_failed(call, err);
	call_warn_sweep(call, &sweep);
	return EXIT_DONE;
}

static int settings_set(struct call *call)
{
	struct change change = { .type = CHANGE_SETTING_PUT,
				 .text = call->args[0],
				 .value = call->args[1] };
	struct settings unused = { 0 };
	enum setting setting;
	int status;

	if (setting_find(change.text, &setting, &call->cause) ||
	    setting_parse(setting, change.value, &unused, &call->cause))
		return call_usage(call, "%s", call->cause.text);
	if (!call_store(call))
		return EXIT_REFUSED;
	status = call_commit(call, &change);
	if (!status && setting == SETTING_max_token_lifetime)
		status = tell_sweep(call);
	return status;
}

/* clang-format off */
static const struct command rows[] = {
	{ "settings list", "", "what holds while the server runs, and what each setting means", 0, 0, O(JSON), settings_list },
	{ "settings get", "NAME", "the value of one setting", 1, 1, O(JSON), settings_get },
	{ "settings set", "NAME VALUE", "set one, from the next request on; VALUE none: its default", 2, 2, 0, settings_set },
};
/* clang-format on */

const struct command_group settings_commands = { rows, COUNT(rows) };
