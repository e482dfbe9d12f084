/* server/cli/store.c - dockpass backup, restore, store check */
#include <stdio.h>

#include "server/cli/command.h"
#include "server/file.h"
#include "store/backup.h"
#include "store/look.h"
#include "token/date.h"

enum { BACKUP_MODE = 0600 };

static void tell(struct call *call, const char *what,
		 const struct store_facts *facts)
{
	if (call->json) {
		put_time(&call->out, "changed_at", facts->changed_at);
		json_put_int(&call->out, "users", (int64_t)facts->users);
		json_put_int(&call->out, "spaces", (int64_t)facts->spaces);
		json_put_int(&call->out, "tokens", (int64_t)facts->tokens);
		json_put_int(&call->out, "changes", (int64_t)facts->changes);
		return;
	}
	buf_printf(&call->out,
		   "%s: %llu users, %llu groups and projects, %llu tokens, "
		   "%llu changes, the newest %s\n",
		   what, (unsigned long long)facts->users,
		   (unsigned long long)facts->spaces,
		   (unsigned long long)facts->tokens,
		   (unsigned long long)facts->changes,
		   facts->changed_at ? time_print(facts->changed_at).at : "-");
}

static void tell_alone(struct call *call, const char *what,
		       const struct store_facts *facts)
{
	if (call->json)
		json_open(&call->out, '{');
	tell(call, what, facts);
	if (call->json)
		buf_add(&call->out, STR("}\n"));
}

static int store_check(struct call *call)
{
	struct store_facts facts;
	enum err err;

	if (!call_store_owner(call, false))
		return EXIT_REFUSED;
	err = look_at_store(call->config->store, &facts, &call->cause);
	if (err == E_NOT_FOUND)
		config_blame(call->config->store_place, err, &call->cause);
	if (err)
		return call_failed(call, err);
	tell_alone(call, call->config->store, &facts);
	return EXIT_DONE;
}

struct backup {
	struct db *db;
	struct store_facts facts;
};

/* What cannot be read again is no backup: it is read before it has a name. */
static enum err write_backup(int fd, void *arg, struct cause *cause)
{
	struct backup *backup = arg;
	AUTO(db) struct db *copy = NULL;
	char path[32];
	enum err err = backup_write(backup->db, fd, cause);

	if (err)
		return err;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = backup_open(path, &copy, &backup->facts, cause);
	if (err == E_MEMORY)
		cause_set(cause, err, "cannot read the copy" DB_SPACE);
	if (err != E_CORRUPT)
		return err;
	/* What is wrong with the copy is so with the store: in its words. */
	if (!look_at_store(db_folder(backup->db), &backup->facts, cause))
		cause_set(cause, err, "the copy is damaged: try again");
	return err;
}

static int backup_run(struct call *call)
{
	const char *path = arena_cstr(&call->arena, call->args[0]);
	struct backup backup = { 0 };
	enum err err;
	int status;

	if (!call_store(call))
		return EXIT_REFUSED;
	status = call_elsewhere(call, path);
	if (status)
		return status;
	backup.db = call->db;
	err = file_write_by(path, BACKUP_MODE, call->opts[OPT_YES],
			    write_backup, &backup, &call->cause);
	if (err)
		return call_unwritten(call, path, err);
	tell_alone(call, path, &backup.facts);
	call_note(call, "the keys and dockpass.yaml are not in it: copy them "
			"once, to another place");
	return EXIT_DONE;
}

/* What one that is sound knows of revocations would be lost with it. */
static int check_damaged(struct call *call)
{
	struct store_facts facts;
	enum err err = look_at_store(call->config->store, &facts, &call->cause);

	switch (err) {
	case E_OK:
		return call_refuse(call,
				   "%s: the store is sound: say --yes instead, "
				   "which keeps what was revoked since",
				   call->config->store);
	case E_MODE:
	case E_BUSY:
	case E_LIMIT:
	case E_SPACE:
	case E_MEMORY:
	case E_READONLY:
		return call_failed(call, err);
	default:
		return EXIT_DONE;
	}
}

/* A store that is missing is made; one that has lived needs --yes. */
static int open_target(struct call *call, const char *path)
{
	AUTO(txn) struct txn txn = { 0 };
	uint64_t changes;
	int status = EXIT_DONE;

	if (call->opts[OPT_DAMAGED])
		status = check_damaged(call);
	if (status)
		return status;
	if (!call_store_or_new(call, call->opts[OPT_DAMAGED] != NULL))
		return EXIT_REFUSED;
	txn_read(call->db, &txn);
	changes = txn_count(&txn, TABLE_LOG);
	if (txn.err)
		return call_failed(call, txn.err);
	if (changes && !call->opts[OPT_YES])
		return call_refuse(call,
				   "%s holds a store with %llu changes; say "
				   "--yes to put %.300s in its place",
				   call->config->store,
				   (unsigned long long)changes, path);
	return EXIT_DONE;
}

/* For --json. */
static const char *const kin_names[] = {
	[KIN_NONE] = "another",	   [KIN_NEW] = "new",
	[KIN_EARLIER] = "earlier", [KIN_LATER] = "later",
	[KIN_UNTOLD] = "untold",   [KIN_PARTED] = "parted",
};

static const char *why_unknown(const struct call *call,
			       const struct restored *done)
{
	if (call->opts[OPT_DAMAGED])
		return "the store that was here, now data.mdb.damaged, cannot "
		       "be read";
	if (done->kin == KIN_UNTOLD)
		return "the log of the store that was here has nothing in "
		       "common with this backup's (one was pruned, or is "
		       "damaged), so it does not tell what came after";
	if (done->kin == KIN_NEW)
		return "no store was here that could tell what came after";
	return "the store that was here is no later state of this backup";
}

static const char *but_for(struct call *call, const struct restored *done)
{
	if (!done->taken_away)
		return "";
	return arena_printf(&call->arena,
			    ", but for what that store tells of: %llu (the "
			    "newest entries of dockpass audit list)",
			    (unsigned long long)done->taken_away)
		.at;
}

/* One that has what was here before holds no lock that could be seen. */
static void tell_unserved(struct call *call, bool served)
{
	if (!served)
		call_note(call,
			  "no server has %s open: start it; one that runs has "
			  "another store, which no command changes: restart it",
			  call->config->store);
}

static void tell_restored(struct call *call, const char *path,
			  const struct store_facts *facts,
			  const struct restored *done,
			  const struct limit_sweep *sweep)
{
	bool served = db_served(call->config->store);
	const char *since = call->opts[OPT_REVOKE_NEWER_THAN];

	if (call->json)
		json_open(&call->out, '{');
	tell(call, path, facts);
	if (call->json) {
		json_put_str(&call->out, "store_was",
			     str_of(kin_names[done->kin]));
		json_put_int(&call->out, "lost", (int64_t)done->lost);
		json_put_int(&call->out, "taken_away",
			     (int64_t)done->taken_away);
		json_put_int(&call->out, "revoked_newer", (int64_t)done->newer);
		json_put_bool(&call->out, "served", served);
		json_put_int(&call->out, "limit_revokes",
			     (int64_t)sweep->count);
		put_time(&call->out, "limit_revokes_at", sweep->at);
		buf_add(&call->out, STR("}\n"));
	}
	if (since)
		call_note(call,
			  "tokens revoked, as they were made since %s: %llu",
			  since, (unsigned long long)done->newer);
	if (done->kin == KIN_LATER)
		call_note(call,
			  "changes since then that are lost: %llu; what was "
			  "taken away since then, and stays so: %llu",
			  (unsigned long long)done->lost,
			  (unsigned long long)done->taken_away);
	else
		call_warn(call,
			  "%s: what was revoked or blocked after %s may work "
			  "again%s; look through dockpass token list, user "
			  "list, project list and settings list, and revoke or "
			  "close it%s",
			  why_unknown(call, done),
			  time_print(facts->changed_at).at, but_for(call, done),
			  since ? ""
				: ", or repeat with --yes --revoke-newer-than "
				  "DATE");
	call_warn_sweep(call, sweep);
	tell_unserved(call, served);
}

static int restore_run(struct call *call)
{
	const char *path = arena_cstr(&call->arena, call->args[0]);
	struct str since = call_opt(call, OPT_REVOKE_NEWER_THAN);
	struct restore how = { .now = call->now, .actor = call->actor };
	AUTO(db) struct db *copy = NULL;
	struct store_facts facts;
	struct restored done;
	struct limit_sweep sweep;
	enum err err;
	int status;

	if (since.len && date_parse(since, &how.newer_than))
		return call_usage(call, "date '%.40s' is not YYYY-MM-DD",
				  since.at);
	if (!call_store_owner(call, true))
		return EXIT_REFUSED;
	err = backup_open(path, &copy, &facts, &call->cause);
	if (err)
		return call_failed(call, err);
	status = open_target(call, path);
	if (status)
		return status;
	become_writer();
	err = backup_restore(call->db, copy, &how, &done, &call->cause);
	leave_writer();
	if (err)
		return call_failed(call, err);
	call->lost = "the store is restored all the same";
	err = call_sweep(call, &sweep);
	tell_restored(call, path, &facts, &done, &sweep);
	return err ? call_failed(call, err) : EXIT_DONE;
}

/* clang-format off */
static const struct command rows[] = {
	{ "backup", "FILE [--yes]", "copy the live store into one file", 1, 1, O(JSON) | O(YES), backup_run },
	{ "restore", "FILE [--yes | --damaged] [--revoke-newer-than YYYY-MM-DD]", "put a backup in the place of the store", 1, 1, O(JSON) | O(YES) | O(DAMAGED) | O(REVOKE_NEWER_THAN), restore_run },
	{ "store check", "", "read all of the store: is every record sound, does every index agree", 0, 0, O(JSON), store_check },
};
/* clang-format on */

const struct command_group store_commands = { rows, COUNT(rows) };
