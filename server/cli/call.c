/* server/cli/call.c - what commands share: the live store, lists, JSON. */
#include "server/cli/command.h"

#include <string.h>

#include "server/cli/line.h"
#include "server/file.h"
#include "server/owner.h"
#include "token/date.h"

bool call_config(struct call *call)
{
	enum err err;

	if (call->config)
		return true;
	err = config_load_bare(call->opts[OPT_CONFIG], &call->config,
			       &call->cause);
	if (err)
		call_failed(call, err);
	return !err;
}

static const char *parent_of(struct call *call, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return ".";
	return arena_printf(&call->arena, "%.*s",
			    slash > path ? (int)(slash - path) : 1, path)
		.at;
}

/* Be it there or not. */
static bool same_place(struct call *call, const char *a, const char *b)
{
	const char *one = strrchr(a, '/'), *other = strrchr(b, '/');

	return file_same(a, b) ||
	       (!strcmp(one ? one + 1 : a, other ? other + 1 : b) &&
		file_same(parent_of(call, a), parent_of(call, b)));
}

int call_elsewhere(struct call *call, const char *path)
{
	const struct config *config = call->config;
	const char *const *at;
	const char *own;

	if (same_place(call, path, config->path))
		return call_refuse(call,
				   "%.400s: is dockpass's own configuration; "
				   "name another file",
				   path);
	for (size_t i = 0; (at = config_path_at(config, i)); i++)
		if (*at && same_place(call, path, *at))
			return call_refuse(call,
					   "%.300s: %.300s uses it; name "
					   "another file",
					   path, config->path);
	for (size_t i = 0; (own = config_folder_at(config, i)); i++)
		if (file_same(parent_of(call, path), own))
			return call_refuse(call,
					   "%.400s: %.300s is dockpass's own "
					   "folder; name a file elsewhere",
					   path, own);
	return EXIT_DONE;
}

/* The owner of what lies around a store that is not there yet makes it. */
static enum err own_missing(struct call *call)
{
	const char *folder = parent_of(call, call->config->store);
	bool root;

	return become_owner(folder, call->config->path, &root, &call->cause);
}

static enum err make_store(struct call *call)
{
	enum err err = own_missing(call);

	if (err)
		return err;
	return db_open(call->config->store, DB_CREATE, call->now, &call->db,
		       &call->cause);
}

/* DB_CREATE: if there is none. Says nothing; the configuration is read. */
static enum err try_store(struct call *call, enum db_mode mode)
{
	enum db_mode first = mode == DB_CREATE ? DB_OPEN : mode;
	enum err err;
	bool root;

	err = become_server(call->config, &root, &call->cause);
	if (!err)
		err = db_open(call->config->store, first, call->now, &call->db,
			      &call->cause);
	if (err == E_NOT_FOUND && mode == DB_CREATE)
		err = make_store(call);
	else if (err == E_NOT_FOUND)
		config_blame(call->config->store_place, err, &call->cause);
	if (err)
		return err;
	db_limit(call->db, (uint64_t)call->config->store_size << 20);
	call_say_waits(call->db);
	return E_OK;
}

static bool open_store(struct call *call, enum db_mode mode)
{
	enum err err;

	if (!call_config(call))
		return false;
	err = try_store(call, mode);
	if (err)
		call_failed(call, err);
	return !err;
}

bool call_store(struct call *call)
{
	return open_store(call, DB_OPEN);
}

bool call_store_owner(struct call *call, bool missing)
{
	enum err err;
	bool root;

	if (!call_config(call))
		return false;
	err = become_server(call->config, &root, &call->cause);
	if (err == E_NOT_FOUND && missing)
		err = own_missing(call);
	else if (err == E_NOT_FOUND)
		config_blame(call->config->store_place, err, &call->cause);
	if (err)
		call_failed(call, err);
	return !err;
}

bool call_store_or_new(struct call *call, bool damaged)
{
	return open_store(call, damaged ? DB_ANEW : DB_CREATE);
}

static enum err commit(struct call *call, struct change *change)
{
	enum err err;

	change->now = call->now;
	change->actor = call->actor;
	become_writer();
	err = change_commit(call->db, (struct change *const[]) { change }, 1);
	leave_writer();
	return err ? err : change->result;
}

void call_log(struct call *call, struct change *change)
{
	enum err err = try_store(call, DB_OPEN);

	change->cause = call->cause;
	if (!err)
		err = commit(call, change);
	if (err)
		call_warn(call,
			  "dockpass: warning: it is done, but not in the "
			  "store's log: %.600s",
			  *change->cause.text ? change->cause.text
					      : err_text(err));
}

int call_commit(struct call *call, struct change *change)
{
	static const char *const needs[] = {
		[NEED_NOTHING] = "",
		[NEED_YES] = "yes",
		[NEED_RECURSIVE] = "recursive",
	};
	enum err err = commit(call, change);

	if (!err) {
		call->lost = "what was asked is done all the same";
		return EXIT_DONE;
	}
	if (*needs[change->need])
		cause_set(&call->cause, change->result,
			  "%.400s; add --%s to do it", change->cause.text,
			  needs[change->need]);
	else
		call->cause = change->cause;
	return call_failed(call, err);
}

void listing_row(struct listing *listing, const struct str *cells)
{
	size_t n = listing->columns, used = listing->rows * n;

	if (used + n > listing->size) {
		size_t size = listing->size ? 2 * listing->size : 64 * n;
		struct str *more =
			arena_alloc(listing->arena, size * sizeof(*more));

		if (used)
			memcpy(more, listing->cells, used * sizeof(*more));
		listing->cells = more;
		listing->size = size;
	}
	for (size_t i = 0; i < n; i++)
		listing->cells[used + i] = arena_copy(listing->arena, cells[i]);
	listing->rows++;
}

/*
 * What a terminal might take for a command is not printed. Returns how many
 * characters it has; `out` NULL: these alone.
 */
static size_t print_cell(struct str cell, struct buf *out)
{
	size_t count = 0;

	for (; cell.len; count++) {
		size_t n = print_len(cell);

		if (out)
			buf_add(out, n ? str_head(cell, n) : STR("?"));
		cell = str_skip(cell, n ? n : 1);
	}
	return count;
}

void listing_print(const struct listing *listing, struct buf *out)
{
	size_t n = listing->columns, widths[COLUMNS_MAX] = { 0 };

	assert(n <= COLUMNS_MAX);
	for (size_t i = 0; i < listing->rows * n; i++) {
		size_t width = print_cell(listing->cells[i], NULL);

		if (width > widths[i % n])
			widths[i % n] = width;
	}
	for (size_t i = 0; i < listing->rows * n; i++) {
		size_t used = print_cell(listing->cells[i], out);

		if (i % n == n - 1)
			buf_add_char(out, '\n');
		else
			buf_printf(out, "%*s", (int)(widths[i % n] + 2 - used),
				   "");
	}
}

int listing_end(const struct listing *listing, struct call *call)
{
	if (call->json)
		buf_add(&call->out, STR("]\n"));
	else
		listing_print(listing, &call->out);
	return EXIT_DONE;
}

void put_time(struct buf *out, const char *key, int64_t when)
{
	if (when)
		json_put_str(out, key, str_of(time_print(when).at));
	else
		json_put_null(out, key);
}

struct str call_services(struct call *call)
{
	const struct config *config = call->config;
	struct str list = { 0 };

	for (unsigned i = 0; i < config->services_count; i++)
		list = arena_printf(&call->arena, STR_FMT "%s%s", STR_ARG(list),
				    i ? ", " : "", config->services[i].name);
	return str_head(list, list.len < 255 ? list.len : 255);
}

int call_no_service(struct call *call, struct str name)
{
	return call_refuse(call, "no service '%.*s' in %.255s; it has " STR_FMT,
			   (int)(name.len < 80 ? name.len : 80),
			   name.at ? name.at : "", call->config->path,
			   STR_ARG(call_services(call)));
}

struct str show_date(struct call *call, int64_t when)
{
	if (!when)
		return STR("-");
	return arena_printf(&call->arena, "%s", date_print(when).at);
}

struct str show_time(struct call *call, int64_t when)
{
	if (!when)
		return STR("-");
	return arena_printf(&call->arena, "%s", time_print(when).at);
}

struct str show_id(struct call *call, uint64_t id)
{
	return arena_printf(&call->arena, "%llu", (unsigned long long)id);
}

int call_duration(struct call *call, enum opt opt, int64_t *out)
{
	const int days = opt == OPT_GRACE ? GRACE_MOST / DAY : DURATION_MAX;

	if (!duration_parse(call_opt(call, opt), out))
		return EXIT_DONE;
	return call_usage(call,
			  "--%s: '%.40s' is no span of time, write 24h or 7d "
			  "(s, m, h, d or w, up to %d days)",
			  opt_rows[opt].name, call->opts[opt], days);
}
