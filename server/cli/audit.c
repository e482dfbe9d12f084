/* server/cli/audit.c - dockpass audit list, verify, export, prune */
#include <errno.h>

#include "server/audit.h"
#include "server/cli/audit_walk.h"
#include "server/cli/command.h"
#include "server/file.h"
#include "token/date.h"

enum {
	EXPORT_MODE = 0600,
	ENTRY_MAX = 64 * 1024, /* as JSON; a record has 4 KiB */
	CHUNK = 64 * 1024,
	PRUNE_MOST = 50000 /* in one transaction */
};

typedef unsigned long long ull;

/* list */

static enum err list_json(struct audit_walk *walk,
			  const struct log_entry *entry)
{
	struct call *call = walk->arg;

	audit_print_json(walk->txn, entry, &call->out);
	return E_OK;
}

struct list {
	struct call *call;
	struct listing listing;
};

static enum err list_text(struct audit_walk *walk,
			  const struct log_entry *entry)
{
	struct list *list = walk->arg;
	AUTO(buf) struct buf what;

	buf_init(&what, ENTRY_MAX);
	audit_print_text(walk->txn, entry, &what);
	listing_row(&list->listing,
		    (const struct str[]) {
			    show_id(list->call, entry->number),
			    str_of(time_print(entry->change.now).at),
			    entry->change.actor,
			    str_of(change_name(entry->change.type)),
			    buf_str(&what),
		    });
	return E_OK;
}

static int audit_list(struct call *call)
{
	static const struct str head[] = { { "NUMBER", 6 },
					   { "TIME", 4 },
					   { "ACTOR", 5 },
					   { "ACTION", 6 },
					   { "WHAT", 4 } };
	AUTO(txn) struct txn txn = { 0 };
	struct audit_wanted wanted = { 0 };
	struct list list = { call, { &call->arena, COUNT(head), 0, 0, NULL } };
	struct audit_walk how = {
		.txn = &txn, .wanted = &wanted, .visit = list_text, .arg = &list
	};
	int status = audit_begin(call, &wanted, &txn);
	struct log_facts facts;
	enum err err;

	if (status)
		return status;
	if (call->json)
		how = (struct audit_walk) { .txn = &txn,
					    .wanted = &wanted,
					    .visit = list_json,
					    .arg = call };
	if (changelog_verify(&txn, &facts, &call->cause))
		call_warn(call, "dockpass: warning: %.900s", call->cause.text);
	if (call->json)
		json_open(&call->out, '[');
	else
		listing_row(&list.listing, head);
	err = audit_walk(&how, &call->cause);
	if (err)
		return call_failed(call, err);
	audit_tell_none(call, &how);
	if (call->json) {
		json_close(&call->out, ']');
		buf_add_char(&call->out, '\n');
	} else {
		listing_print(&list.listing, &call->out);
	}
	return EXIT_DONE;
}

/* verify */

static void put_end(struct buf *out, const char *key, const struct log_end *end)
{
	if (end->number)
		json_put_str(out, key, str_of(log_end_print(end).at));
	else
		json_put_null(out, key);
}

static void put_gaps(struct call *call, struct txn *txn)
{
	struct log_gap gap = { 0 };

	json_key(&call->out, "lost");
	json_open(&call->out, '[');
	while (changelog_next_gap(txn, &gap)) {
		json_open(&call->out, '{');
		json_put_int(&call->out, "from", (int64_t)gap.from);
		json_put_int(&call->out, "to", (int64_t)gap.to);
		json_put_int(&call->out, "restore", (int64_t)gap.restore);
		put_time(&call->out, "restored_at", gap.at);
		json_close(&call->out, '}');
	}
	json_close(&call->out, ']');
}

/* Else who counts finds fewer entries than numbers, and no word on it. */
static void tell_gaps(struct call *call, struct txn *txn)
{
	struct log_gap gap = { 0 };

	while (changelog_next_gap(txn, &gap)) {
		buf_printf(&call->out, "%s %llu",
			   gap.from == gap.to ? "number" : "numbers",
			   (ull)gap.from);
		if (gap.from != gap.to)
			buf_printf(&call->out, " to %llu", (ull)gap.to);
		buf_printf(&call->out,
			   " %s lost by the restore of %s, entry %llu\n",
			   gap.from == gap.to ? "was" : "were",
			   time_print(gap.at).at, (ull)gap.restore);
	}
}

static void tell_facts(struct call *call, struct txn *txn,
		       const struct log_facts *facts)
{
	if (call->json) {
		json_open(&call->out, '{');
		json_put_int(&call->out, "entries", (int64_t)facts->count);
		put_end(&call->out, "pruned", &facts->anchor);
		put_gaps(call, txn);
		put_end(&call->out, "head", &facts->head);
		json_close(&call->out, '}');
		buf_add_char(&call->out, '\n');
		return;
	}
	buf_printf(&call->out, "%s: %llu entries, all as they were written\n",
		   call->config->store, (ull)facts->count);
	if (facts->anchor.number)
		buf_printf(&call->out, "pruned up to %s\n",
			   log_end_print(&facts->anchor).at);
	tell_gaps(call, txn);
	buf_printf(&call->out, "head %s\n", log_end_print(&facts->head).at);
}

static int audit_verify(struct call *call)
{
	AUTO(txn) struct txn txn = { 0 };
	struct log_facts facts;
	struct log_end kept;
	enum err err;

	if (call->opts[OPT_HEAD] &&
	    log_end_parse(call_opt(call, OPT_HEAD), &kept))
		return call_usage(call,
				  "--head: '%.80s' is no NUMBER:HASH, as "
				  "audit verify prints it",
				  call->opts[OPT_HEAD]);
	if (!call_store(call))
		return EXIT_REFUSED;
	txn_read(call->db, &txn);
	err = changelog_verify(&txn, &facts, &call->cause);
	if (!err && call->opts[OPT_HEAD])
		err = changelog_check_head(&txn, &kept, &call->cause);
	if (err)
		return call_failed(call, err);
	tell_facts(call, &txn, &facts);
	if (!call->opts[OPT_HEAD])
		call_note(call, "keep the head elsewhere, and say --head with "
				"it another time: it finds a log that was cut "
				"or made again");
	return EXIT_DONE;
}

/* export: what was tampered with is no evidence, so it is not made. */

struct export
{
	struct audit_walk walk;
	int fd;
	struct buf text;
	struct cause *cause;
	uint64_t count;
	struct log_end head;
};

static enum err put_text(struct export *export)
{
	bool put = file_write_all(export->fd, buf_str(&export->text));
	enum err err = put ? E_OK : errno_err(errno);

	buf_clear(&export->text);
	if (err)
		return cause_set(export->cause, err,
				 "cannot export the log: %s", err_text(err));
	return E_OK;
}

static enum err export_entry(struct audit_walk *walk,
			     const struct log_entry *entry)
{
	struct export *export = walk->arg;

	audit_print_json(walk->txn, entry, &export->text);
	buf_add_char(&export->text, '\n');
	export->count++;
	return export->text.len < CHUNK ? E_OK : put_text(export);
}

static enum err write_export(int fd, void *arg, struct cause *cause)
{
	struct export *export = arg;
	enum err err;

	export->fd = fd;
	export->cause = cause;
	err = audit_walk(&export->walk, cause);
	return err ? err : put_text(export);
}

static void tell_export(struct call *call, const char *path,
			const struct export *export)
{
	if (call->json) {
		json_open(&call->out, '{');
		json_put_int(&call->out, "entries", (int64_t) export->count);
		put_end(&call->out, "head", &export->head);
		json_close(&call->out, '}');
		buf_add_char(&call->out, '\n');
		return;
	}
	buf_printf(&call->out, "%s: %llu entries\nhead of the log %s\n", path,
		   (ull) export->count, log_end_print(&export->head).at);
}

static int audit_export(struct call *call)
{
	const char *path = arena_cstr(&call->arena, call->args[0]);
	AUTO(txn) struct txn txn = { 0 };
	struct audit_wanted wanted = { 0 };
	struct export export = { .walk = { .txn = &txn,
					   .wanted = &wanted,
					   .visit = export_entry,
					   .arg = &export } };
	int status = audit_begin(call, &wanted, &txn);
	struct log_facts facts;
	enum err err;

	if (!status)
		status = call_elsewhere(call, path);
	if (status)
		return status;
	err = changelog_verify(&txn, &facts, &call->cause);
	if (err)
		return call_failed(call, err);
	export.head = facts.head;
	buf_init(&export.text, CHUNK + ENTRY_MAX);
	err = file_write_by(path, EXPORT_MODE, call->opts[OPT_YES],
			    write_export, &export, &call->cause);
	buf_done(&export.text);
	if (err)
		return call_unwritten(call, path, err);
	tell_export(call, path, &export);
	audit_tell_none(call, &export.walk);
	return EXIT_DONE;
}

/* prune */

struct prune {
	struct log_end last; /* number 0: nothing is that old */
	uint64_t count;
	bool more;
};

/* The log is sound up to there, or it would be pruned to hide that it isn't. */
static enum err plan_prune(struct call *call, int64_t before, uint64_t most,
			   struct prune *out)
{
	AUTO(txn) struct txn txn = { 0 };
	AUTO(cursor) struct cursor cursor;
	struct log_facts facts;
	struct log_entry entry;
	enum err err;

	*out = (struct prune) { 0 };
	txn_read(call->db, &txn);
	cursor.mdb = NULL;
	err = changelog_verify(&txn, &facts, &call->cause);
	if (err)
		return err;
	cursor_open(&txn, TABLE_LOG, STR(""), &cursor);
	while (cursor_next(&cursor) && !changelog_unpack(&cursor, &entry) &&
	       entry.change.now < before) {
		if (out->count == most) {
			out->more = true;
			break;
		}
		out->last = (struct log_end) { entry.number, entry.digest };
		out->count++;
	}
	return txn.err;
}

static int refuse_prune(struct call *call, const struct prune *prune)
{
	return call_refuse(
		call,
		"%llu entries, up to number %llu, would go for good; "
		"keep them with dockpass audit export FILE, then add "
		"--yes to do it",
		(ull)prune->count, (ull)prune->last.number);
}

static void tell_prune(struct call *call, uint64_t count,
		       const struct log_end *last)
{
	if (call->json) {
		json_open(&call->out, '{');
		json_put_int(&call->out, "entries", (int64_t)count);
		put_end(&call->out, "pruned", last);
		json_close(&call->out, '}');
		buf_add_char(&call->out, '\n');
		return;
	}
	buf_printf(&call->out, "%llu entries pruned\n", (ull)count);
	if (last->number)
		buf_printf(&call->out, "pruned up to %s\n",
			   log_end_print(last).at);
}

static int prune_all(struct call *call, int64_t before)
{
	struct log_end last = { 0 };
	struct prune prune = { .more = true };
	uint64_t count = 0;

	while (prune.more) {
		enum err err = plan_prune(call, before, PRUNE_MOST, &prune);
		struct change change = { .type = CHANGE_AUDIT_PRUNE };
		int status;

		if (err)
			return call_failed(call, err);
		if (!prune.count)
			break;
		change.id = prune.last.number;
		change.digest = prune.last.digest;
		status = call_commit(call, &change);
		if (status)
			return status;
		count += prune.count;
		last = prune.last;
	}
	tell_prune(call, count, &last);
	return EXIT_DONE;
}

static int audit_prune(struct call *call)
{
	struct prune prune;
	int64_t before;
	int status = audit_day(call, OPT_BEFORE, &before);
	enum err err;

	if (status)
		return status;
	if (!call->opts[OPT_BEFORE])
		return call_usage(call, "which entries? add --before "
					"YYYY-MM-DD");
	if (before > call->now)
		return call_usage(call, "--before %s has not come yet",
				  call->opts[OPT_BEFORE]);
	if (!call_store(call))
		return EXIT_REFUSED;
	if (call->opts[OPT_YES])
		return prune_all(call, before);
	err = plan_prune(call, before, UINT64_MAX, &prune);
	if (err)
		return call_failed(call, err);
	if (prune.count)
		return refuse_prune(call, &prune);
	tell_prune(call, 0, &prune.last);
	return EXIT_DONE;
}

#define WHICH (O(JSON) | O(SINCE) | O(UNTIL) | O(ACTOR) | O(USER) | O(ACTION))

/* clang-format off */
static const struct command rows[] = {
	{ "audit list", "[--since YYYY-MM-DD] [--until YYYY-MM-DD] [--actor NAME] [--user NAME] [--action NAME]", "the changes of the store, the oldest first", 0, 0, WHICH, audit_list },
	{ "audit verify", "[--head NUMBER:HASH]", "is each entry as it was written, and none missing", 0, 0, O(JSON) | O(HEAD), audit_verify },
	{ "audit export", "FILE [--since YYYY-MM-DD] [--until YYYY-MM-DD] [--actor NAME] [--user NAME] [--action NAME] [--yes]", "the changes of the store into a file, a line of JSON each", 1, 1, WHICH | O(YES), audit_export },
	{ "audit prune", "--before YYYY-MM-DD [--yes]", "remove the oldest entries, for good", 0, 0, O(JSON) | O(BEFORE) | O(YES), audit_prune },
};
/* clang-format on */

const struct command_group audit_commands = { rows, COUNT(rows) };
