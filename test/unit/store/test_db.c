/*
 * test/unit/store/test_db.c - store/db: what is refused at the door, sticky
 * errors, cursors, and other processes.
 */
#include "test/unit/store/fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void path_in(const struct fixture *f, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", f->folder, name);
}

static enum err reopen(struct fixture *f, enum db_mode mode,
		       struct cause *cause)
{
	enum err err;

	db_close(f->db);
	cause->text[0] = '\0';
	err = db_open(f->folder, mode, NOW, &f->db, cause);
	if (err) {
		assert_null(f->db);
		assert_true(cause->text[0] != '\0');
	}
	return err;
}

static void modes(void **state)
{
	static const struct {
		const char *name;
		mode_t mode, good;
	} rows[] = {
		{ "", 0750, 0700 },	    { "", 0701, 0700 },
		{ "", 0720, 0700 },	    { "data.mdb", 0640, 0600 },
		{ "data.mdb", 0604, 0600 }, { "data.mdb", 0602, 0600 },
		{ "lock.mdb", 0660, 0600 },
	};
	struct fixture f;
	struct cause cause;

	(void)state;
	fixture_open(&f);
	for (size_t i = 0; i < COUNT(rows); i++) {
		char path[128];

		path_in(&f, rows[i].name, path);
		assert_int_equal(chmod(path, rows[i].mode), 0);
		assert_int_equal(reopen(&f, DB_OPEN, &cause), E_MODE);
		assert_non_null(strstr(cause.text, "chmod"));
		assert_int_equal(reopen(&f, DB_SERVE, &cause), E_MODE);
		assert_int_equal(chmod(path, rows[i].good), 0);
		assert_int_equal(reopen(&f, DB_OPEN, &cause), E_OK);
	}
	fixture_close(&f);
}

static void made_for_the_owner_alone(void **state)
{
	static const char *const names[] = { "", "/data.mdb", "/lock.mdb",
					     "/server.lock" };
	mode_t old = umask(0);
	struct fixture f;
	struct cause cause;
	char folder[128], path[160];

	(void)state;
	folder_make(&f);
	path_in(&f, "store", folder);
	assert_int_equal(db_open(folder, DB_CREATE, NOW, &f.db, &cause), E_OK);
	db_close(f.db);
	assert_int_equal(db_open(folder, DB_SERVE, NOW, &f.db, &cause), E_OK);
	for (size_t i = 0; i < COUNT(names); i++) {
		struct stat st;

		snprintf(path, sizeof(path), "%s%s", folder, names[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, i ? 0600 : 0700);
	}
	umask(old);
	fixture_close(&f);
}

static void creation(void **state)
{
	struct fixture f;
	struct cause cause;
	char path[128];

	(void)state;
	folder_make(&f);
	assert_int_equal(reopen(&f, DB_OPEN, &cause), E_NOT_FOUND);
	/* What a creation that was cut short leaves. */
	path_in(&f, "data.mdb", path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(reopen(&f, DB_OPEN, &cause), E_NOT_FOUND);
	assert_int_equal(reopen(&f, DB_SERVE, &cause), E_NOT_FOUND);
	assert_int_equal(reopen(&f, DB_CREATE, &cause), E_OK);
	assert_int_equal(reopen(&f, DB_CREATE, &cause), E_EXISTS);
	assert_int_equal(reopen(&f, DB_OPEN, &cause), E_OK);
	fixture_close(&f);

	folder_make(&f);
	path_in(&f, "letter.txt", path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(reopen(&f, DB_CREATE, &cause), E_EXISTS);
	folder_remove(&f);
	assert_int_equal(
		db_open("/nonexistent/a/b", DB_CREATE, NOW, &f.db, &cause),
		E_NOT_FOUND);
	assert_int_equal(db_open("/nonexistent", DB_OPEN, NOW, &f.db, &cause),
			 E_NOT_FOUND);
}

static void put_format(struct fixture *f, struct str value)
{
	AUTO(txn) struct txn txn;

	txn_write(f->db, &txn);
	txn_put(&txn, TABLE_META, STR("format"), value);
	assert_int_equal(txn_commit(&txn), E_OK);
}

static void formats(void **state)
{
	struct key8 newer = key_u64(STORE_FORMAT + 1);
	struct fixture f;
	struct cause cause;

	(void)state;
	fixture_open(&f);
	put_format(&f, STR_OF(newer.at));
	assert_int_equal(reopen(&f, DB_OPEN, &cause), E_VERSION);
	assert_non_null(strstr(cause.text, "format 3"));
	fixture_close(&f);
	fixture_open(&f);
	put_format(&f, STR("x"));
	assert_int_equal(reopen(&f, DB_OPEN, &cause), E_CORRUPT);
	assert_non_null(strstr(cause.text, "; restore a backup"));
	fixture_close(&f);
}

/* Tables without a format are what is left of one: none is begun there. */
static void what_is_left_of_a_store(void **state)
{
	static const enum db_mode modes[] = { DB_OPEN, DB_CREATE, DB_SERVE };
	struct fixture f;

	(void)state;
	fixture_open(&f);
	add_user(f.db, "alice", 0);
	{
		AUTO(txn) struct txn txn;

		txn_write(f.db, &txn);
		txn_remove(&txn, TABLE_META, STR("format"));
		assert_int_equal(txn_commit(&txn), E_OK);
	}
	db_close(f.db);
	for (size_t i = 0; i < COUNT(modes); i++) {
		struct cause cause;

		assert_int_equal(
			db_open(f.folder, modes[i], NOW, &f.db, &cause),
			E_CORRUPT);
		assert_null(f.db);
	}
	folder_remove(&f);
}

static void garbage_is_no_store(void **state)
{
	char garbage[8192], path[128];
	struct fixture f;
	struct cause cause;
	FILE *file;

	(void)state;
	folder_make(&f);
	path_in(&f, "data.mdb", path);
	memset(garbage, 'x', sizeof(garbage));
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(garbage, sizeof(garbage), 1, file), 1);
	fclose(file);
	chmod(path, 0600);
	assert_int_equal(reopen(&f, DB_OPEN, &cause), E_CORRUPT);
	assert_non_null(strstr(cause.text, "; restore a backup"));
	assert_int_equal(reopen(&f, DB_CREATE, &cause), E_CORRUPT);
	folder_remove(&f);
}

/* What LMDB maps but cannot read ends with a line, not with a signal. */
static void cut_short(void **state)
{
	char path[128], line[512] = "";
	struct fixture f;
	int said[2], status;
	pid_t pid;

	(void)state;
	fixture_open(&f);
	db_close(f.db);
	path_in(&f, "data.mdb", path);
	assert_int_equal(truncate(path, 2 * sysconf(_SC_PAGESIZE)), 0);
	assert_int_equal(pipe(said), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct db *db;

		dup2(said[1], STDERR_FILENO);
		_exit(db_open(f.folder, DB_OPEN, NOW, &db, NULL) ? 2 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_true(read(said[0], line, sizeof(line) - 1) > 0);
	assert_non_null(strstr(line, path));
	assert_non_null(strstr(line, "; free some space, or " STORE_MEND "\n"));
	close(said[0]);
	close(said[1]);
	folder_remove(&f);
}

struct pipes {
	int up[2], down[2];
};

static void tell(int fd)
{
	assert_int_equal(write(fd, "x", 1), 1);
}

static void hear(int fd)
{
	char c;

	assert_int_equal(read(fd, &c, 1), 1);
}

/* A process of its own, made before we open the store ourselves. */
static pid_t child_start(void (*body)(const struct fixture *f,
				      const struct pipes *pipes),
			 const struct fixture *f, struct pipes *pipes)
{
	pid_t pid;

	assert_int_equal(pipe(pipes->up), 0);
	assert_int_equal(pipe(pipes->down), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		body(f, pipes);
		_exit(0);
	}
	return pid;
}

static void child_end(pid_t pid, struct pipes *pipes, int want)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(want ? WIFSIGNALED(status)
			 : WIFEXITED(status) && !WEXITSTATUS(status));
	for (int i = 0; i < 2; i++) {
		close(pipes->up[i]);
		close(pipes->down[i]);
	}
}

/* What it says in turn; the last as long as it serves. */
static const struct {
	bool stale;
	const char *said;
} reloads[] = {
	{ true, "dockpass.yaml:3: colour: is no option" },
	{ false, "/etc/dockpass/dockpass.yaml\nworkers has changed" },
	{ false, "" },
	{ true, "dockpass.yaml:4: color: is no option" },
};

static void serve_until_killed(const struct fixture *f,
			       const struct pipes *pipes)
{
	struct db *db;
	struct cause cause;

	if (db_open(f->folder, DB_SERVE, NOW, &db, &cause))
		_exit(2);
	tell(pipes->up[1]);
	for (size_t i = 0; i < COUNT(reloads); i++) {
		hear(pipes->down[0]);
		db_reload_begins(db);
		db_reload_ends(db, reloads[i].stale, reloads[i].said);
		tell(pipes->up[1]);
	}
	for (;;)
		pause();
}

static void one_server(void **state)
{
	struct fixture f;
	struct pipes pipes;
	struct reloads is;
	struct cause cause;
	char path[128];
	pid_t pid;

	(void)state;
	fixture_open(&f);
	db_close(f.db);
	f.db = NULL;
	pid = child_start(serve_until_killed, &f, &pipes);
	hear(pipes.up[0]);
	assert_int_equal(reopen(&f, DB_SERVE, &cause), E_BUSY);
	assert_non_null(strstr(cause.text, "another server"));
	assert_int_equal(reopen(&f, DB_OPEN, &cause), E_OK); /* the CLI may */
	assert_int_equal(db_reloads(f.folder, &is, NULL), E_OK);
	assert_true(is.pid == pid && is.steps == 1 && !is.stale);
	assert_string_equal(is.said, "");
	for (int i = 0; i < (int)COUNT(reloads); i++) {
		tell(pipes.down[1]);
		hear(pipes.up[0]);
		assert_int_equal(db_reloads(f.folder, &is, NULL), E_OK);
		assert_int_equal(is.pid, pid);
		assert_int_equal(is.steps, 3 + 2 * i);
		assert_true(is.stale == reloads[i].stale);
		assert_string_equal(is.said, reloads[i].said);
	}
	/* Where the text found no room, it is refused all the same. */
	path_in(&f, "server.lock", path);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(db_reloads(f.folder, &is, NULL), E_OK);
	assert_true(is.stale);
	assert_string_equal(is.said, "its log says why");
	assert_int_equal(kill(pid, SIGKILL), 0);
	child_end(pid, &pipes, SIGKILL);
	assert_int_equal(db_reloads(f.folder, &is, NULL), E_NOT_FOUND);
	assert_int_equal(reopen(&f, DB_SERVE, &cause), E_OK);
	fixture_close(&f);
}

/* Which of them has read what was there when `before` was seen. */
static const struct {
	const char *rule;
	int64_t before, now;
	bool done;
} turns[] = {
	{ "none has begun", 1, 1, false },
	{ "it is under way", 1, 2, false },
	{ "it has ended", 1, 3, true },
	{ "and another is under way", 1, 4, true },
	{ "one was under way, and is", 2, 2, false },
	{ "that one has ended: it began too early", 2, 3, false },
	{ "the next one is under way", 2, 4, false },
	{ "the next one has ended", 2, 5, true },
	{ "the tenth", 19, 21, true },
};

static void reloads_in_turn(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(turns); i++) {
		struct reloads before = { .steps = turns[i].before };
		struct reloads now = { .steps = turns[i].now };

		print_message("%s\n", turns[i].rule);
		assert_true(db_reloaded(&before, &now) == turns[i].done);
	}
}

/* Not another that has its name, nor what a command has open. */
static void what_the_server_has(void **state)
{
	char place[128], aside[128];
	struct cause cause;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	path_in(&f, "data.mdb", place);
	path_in(&f, "data.old", aside);
	assert_false(db_served(f.folder));
	assert_int_equal(reopen(&f, DB_SERVE, &cause), E_OK);
	assert_true(db_served(f.folder));
	assert_int_equal(rename(place, aside), 0);
	assert_false(db_served(f.folder));
	assert_int_equal(close(open(place, O_CREAT | O_WRONLY, 0600)), 0);
	assert_false(db_served(f.folder));
	assert_int_equal(rename(aside, place), 0);
	assert_true(db_served(f.folder));
	assert_int_equal(reopen(&f, DB_OPEN, &cause), E_OK);
	assert_false(db_served(f.folder));
	fixture_close(&f);
}

static void serve_when_told(const struct fixture *f, const struct pipes *pipes)
{
	struct db *db;

	hear(pipes->down[0]);
	if (db_open(f->folder, DB_SERVE, NOW, &db, NULL))
		_exit(2);
	tell(pipes->up[1]);
	for (;;)
		pause();
}

static void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY), out = open(to, O_CREAT | O_WRONLY, 0600);
	char buf[1 << 14];
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		assert_int_equal(write(out, buf, (size_t)n), n);
	close(in);
	close(out);
}

/* By each way to open it; and nobody makes one. */
static void assert_locked_out(struct fixture *f, bool there)
{
	static const enum db_mode modes[] = { DB_OPEN, DB_SERVE, DB_ANEW };
	struct cause cause;
	char locks[128];

	path_in(f, "lock.mdb", locks);
	for (size_t i = 0; i < COUNT(modes); i++) {
		assert_int_equal(reopen(f, modes[i], &cause), E_BUSY);
		if (modes[i] == DB_OPEN)
			assert_non_null(strstr(cause.text,
					       "/lock.mdb was removed or "
					       "replaced while a server"));
		assert_true(!access(locks, F_OK) == there);
	}
}

/* rm, rsync, and both of them with server.lock gone as well. */
static void locks_that_the_server_does_not_have(void **state)
{
	char locks[128], other[128], server[128];
	struct cause cause;
	struct fixture f;
	struct pipes pipes;
	pid_t pid;

	(void)state;
	fixture_open(&f);
	db_close(f.db);
	f.db = NULL;
	path_in(&f, "lock.mdb", locks);
	path_in(&f, "server.lock", server);
	snprintf(other, sizeof(other), "%s.other", f.folder);
	pid = child_start(serve_when_told, &f, &pipes);
	tell(pipes.down[1]);
	hear(pipes.up[0]);
	assert_int_equal(reopen(&f, DB_OPEN, &cause), E_OK);
	db_close(f.db);
	f.db = NULL;
	copy_file(locks, other);
	assert_int_equal(unlink(locks), 0);
	assert_locked_out(&f, false);
	assert_int_equal(rename(other, locks), 0);
	assert_locked_out(&f, true);
	assert_int_equal(unlink(server), 0);
	assert_locked_out(&f, true);
	assert_int_equal(unlink(locks), 0);
	assert_locked_out(&f, false);
	assert_int_equal(kill(pid, SIGKILL), 0);
	child_end(pid, &pipes, SIGKILL);
	assert_int_equal(reopen(&f, DB_SERVE, &cause), E_OK);
	fixture_close(&f);
}

/* Who came before the server, and has locks that it has not. */
static void locks_from_before_the_server(void **state)
{
	struct fixture f;
	struct pipes pipes;
	struct txn txn;
	char path[128];
	pid_t pid;
	int fd;

	(void)state;
	fixture_open(&f);
	db_close(f.db);
	f.db = NULL;
	pid = child_start(serve_when_told, &f, &pipes);
	assert_int_equal(db_open(f.folder, DB_OPEN, NOW, &f.db, NULL), E_OK);
	txn_write(f.db, &txn);
	assert_int_equal(txn_commit(&txn), E_OK);
	path_in(&f, "lock.mdb", path);
	assert_int_equal(db_in_place(f.db, NULL), E_OK);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(db_in_place(f.db, NULL), E_BUSY);
	tell(pipes.down[1]);
	hear(pipes.up[0]);
	assert_int_equal(db_in_place(f.db, NULL), E_BUSY);
	txn_write(f.db, &txn);
	txn_put(&txn, TABLE_SETTING, STR("a"), STR("2"));
	assert_int_equal(txn_commit(&txn), E_BUSY);
	path_in(&f, "copy", path);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	assert_int_equal(db_copy(f.db, fd), E_BUSY);
	close(fd);
	unlink(path);
	assert_int_equal(kill(pid, SIGKILL), 0);
	child_end(pid, &pipes, SIGKILL);
	fixture_close(&f);
}

static void write_when_told(const struct fixture *f, const struct pipes *pipes)
{
	struct db *db;
	struct txn txn;
	struct cause cause;

	hear(pipes->down[0]);
	if (db_open(f->folder, DB_OPEN, NOW, &db, &cause))
		_exit(2);
	txn_write(db, &txn);
	txn_put(&txn, TABLE_SETTING, STR("a"), STR("2"));
	if (txn_commit(&txn))
		_exit(3);
	db_close(db);
	tell(pipes->up[1]);
}

static void next_transaction_sees_another_process(void **state)
{
	struct fixture f;
	struct pipes pipes;
	struct cause cause;
	struct str value;
	struct txn txn;
	pid_t pid;

	(void)state;
	fixture_open(&f);
	db_close(f.db);
	f.db = NULL;
	pid = child_start(write_when_told, &f, &pipes);
	assert_int_equal(reopen(&f, DB_SERVE, &cause), E_OK);
	txn_read(f.db, &txn);
	txn_renew(&txn);
	assert_false(txn_get(&txn, TABLE_SETTING, STR("a"), &value));
	tell(pipes.down[1]);
	hear(pipes.up[0]);
	assert_false(txn_get(&txn, TABLE_SETTING, STR("a"), &value));
	txn_rest(&txn);
	assert_false(txn_get(&txn, TABLE_SETTING, STR("a"), &value));
	txn_renew(&txn);
	assert_int_equal(txn.err, E_OK);
	assert_true(txn_get(&txn, TABLE_SETTING, STR("a"), &value));
	assert_str(value, "2");
	txn_cleanup(&txn);
	child_end(pid, &pipes, 0);
	fixture_close(&f);
}

static void read_until_refused(const struct fixture *f,
			       const struct pipes *pipes)
{
	static struct txn txns[4096];
	struct db *db;
	size_t n = 0;

	hear(pipes->down[0]);
	if (db_open(f->folder, DB_OPEN, NOW, &db, NULL))
		_exit(2);
	do
		txn_read(db, &txns[n]);
	while (!txns[n++].err && n < COUNT(txns));
	if (txns[n - 1].err != E_BUSY)
		_exit(3);
	tell(pipes->up[1]);
	for (;;)
		pause();
}

/* All slots of readers are taken; those of a killed process are free again. */
static void reader_slots(void **state)
{
	struct fixture f;
	struct pipes pipes;
	struct cause cause;
	struct txn txn;
	pid_t pid;

	(void)state;
	fixture_open(&f);
	db_close(f.db);
	f.db = NULL;
	pid = child_start(read_until_refused, &f, &pipes);
	assert_int_equal(reopen(&f, DB_OPEN, &cause), E_OK);
	tell(pipes.down[1]);
	hear(pipes.up[0]);
	txn_read(f.db, &txn);
	assert_int_equal(txn.err, E_BUSY);
	txn_cleanup(&txn);
	assert_int_equal(done(f.db, (struct change) { .type = CHANGE_GROUP_ADD,
						      .path = STR("g") }),
			 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	child_end(pid, &pipes, SIGKILL);
	txn_read(f.db, &txn);
	assert_int_equal(txn.err, E_OK);
	txn_cleanup(&txn);
	fixture_close(&f);
}

static void read_until_killed(const struct fixture *f,
			      const struct pipes *pipes)
{
	struct db *db;
	struct txn txn;

	hear(pipes->down[0]);
	if (db_open(f->folder, DB_OPEN, NOW, &db, NULL))
		_exit(2);
	txn_read(db, &txn);
	tell(pipes->up[1]);
	for (;;)
		pause();
}

static off_t size_of(const struct fixture *f)
{
	char path[128];
	struct stat st;

	path_in(f, "data.mdb", path);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/*
 * Beside a server, which keeps the table of readers: what a killed command was
 * reading is free again for the next one that opens the store.
 */
static void killed_reader_pins_no_page(void **state)
{
	enum { CHANGES = 64 };
	struct pipes server, reader;
	struct fixture f;
	struct cause cause;
	pid_t server_pid, reader_pid;
	off_t before;

	(void)state;
	fixture_open(&f);
	db_close(f.db);
	f.db = NULL;
	server_pid = child_start(serve_until_killed, &f, &server);
	hear(server.up[0]);
	reader_pid = child_start(read_until_killed, &f, &reader);
	tell(reader.down[1]);
	hear(reader.up[0]);
	assert_int_equal(kill(reader_pid, SIGKILL), 0);
	child_end(reader_pid, &reader, SIGKILL);
	assert_int_equal(reopen(&f, DB_OPEN, &cause), E_OK);
	before = size_of(&f);
	for (int i = 0; i < CHANGES; i++)
		done(f.db,
		     (struct change) { .type = CHANGE_SETTING_PUT,
				       .text = STR("enforce_token_expiry"),
				       .value = STR("true") });
	/* Else each takes several pages more. */
	assert_true(size_of(&f) - before < CHANGES * sysconf(_SC_PAGESIZE));
	assert_int_equal(kill(server_pid, SIGKILL), 0);
	child_end(server_pid, &server, SIGKILL);
	fixture_close(&f);
}

static void first_error_sticks(void **state)
{
	AUTO(txn) struct txn txn;
	AUTO(cursor) struct cursor cursor;
	struct fixture f;
	struct str value;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	txn_add(&txn, TABLE_SETTING, STR("a"), STR("1"));
	txn_add(&txn, TABLE_SETTING, STR("a"), STR("2"));
	assert_int_equal(txn.err, E_EXISTS);
	assert_false(txn_get(&txn, TABLE_SETTING, STR("a"), &value));
	txn_put(&txn, TABLE_SETTING, STR(""), STR("x"));
	assert_int_equal(txn.err, E_EXISTS);
	cursor_open(&txn, TABLE_META, STR(""), &cursor);
	assert_false(cursor_next(&cursor));
	assert_int_equal(txn_count(&txn, TABLE_META), 0);
	assert_int_equal(txn_next_id(&txn, COUNTER_USER), 0);
	assert_int_equal(txn_commit(&txn), E_EXISTS);
	txn_read(f.db, &txn);
	assert_false(txn_get(&txn, TABLE_SETTING, STR("a"), &value));
	txn_cleanup(&txn);
	fixture_close(&f);
}

static void what_does_not_fit_is_refused(void **state)
{
	static const char big[512];
	struct fixture f;
	struct txn txn;
	struct str value;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	assert_false(txn_get(&txn, TABLE_SETTING, STR_OF(big), &value));
	assert_false(txn_get(&txn, TABLE_SETTING, STR(""), &value));
	assert_int_equal(txn.err, E_OK);
	txn_put(&txn, TABLE_SETTING, STR_OF(big), STR("x"));
	assert_int_equal(txn_commit(&txn), E_LIMIT);
	txn_write(f.db, &txn);
	txn_put(&txn, TABLE_SETTING, STR("a"), (struct str) { 0 });
	assert_int_equal(txn_commit(&txn), E_LIMIT);
	fixture_close(&f);
}

static void nested_is_undone_alone(void **state)
{
	struct fixture f;
	struct txn txn, own;
	struct str value;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	txn_put(&txn, TABLE_SETTING, STR("a"), STR("1"));
	txn_nested(&txn, &own);
	txn_put(&own, TABLE_SETTING, STR("b"), STR("1"));
	txn_cleanup(&own);
	txn_nested(&txn, &own);
	txn_put(&own, TABLE_SETTING, STR("c"), STR("1"));
	assert_int_equal(txn_commit(&own), E_OK);
	assert_int_equal(txn_commit(&txn), E_OK);
	txn_read(f.db, &txn);
	assert_true(txn_get(&txn, TABLE_SETTING, STR("a"), &value));
	assert_false(txn_get(&txn, TABLE_SETTING, STR("b"), &value));
	assert_true(txn_get(&txn, TABLE_SETTING, STR("c"), &value));
	txn_cleanup(&txn);
	fixture_close(&f);
}

static void walk(struct txn *txn, const char *prefix, const char *from,
		 const char *want)
{
	AUTO(cursor) struct cursor cursor;
	char got[64] = "";

	cursor_open(txn, TABLE_SETTING, str_of(prefix), &cursor);
	if (from)
		cursor_seek(&cursor, str_of(from));
	while (cursor_next(&cursor)) {
		size_t len = strlen(got);

		snprintf(got + len, sizeof(got) - len, STR_FMT " ",
			 STR_ARG(cursor.key));
	}
	assert_string_equal(got, want);
	assert_false(cursor_next(&cursor));
	assert_int_equal(txn->err, E_OK);
}

static void cursors(void **state)
{
	static const char *const keys[] = { "b/x", "a", "b", "b/", "c", "b0" };
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	walk(&txn, "", NULL, "");
	for (size_t i = 0; i < COUNT(keys); i++)
		txn_put(&txn, TABLE_SETTING, str_of(keys[i]), STR("v"));
	assert_int_equal(txn_count(&txn, TABLE_SETTING), COUNT(keys));
	walk(&txn, "", NULL, "a b b/ b/x b0 c ");
	walk(&txn, "b", NULL, "b b/ b/x b0 ");
	walk(&txn, "b/", NULL, "b/ b/x ");
	walk(&txn, "d", NULL, "");
	walk(&txn, "", "b/a", "b/x b0 c ");
	walk(&txn, "b/", "b/a", "b/x ");
	walk(&txn, "b/", "a", "b/ b/x ");
	walk(&txn, "b/", "c", "");
	walk(&txn, "", "d", "");
	txn_cleanup(&txn);
	fixture_close(&f);
}

/* Full from the first page on that is more than it may have. */
static void full_by_a_page(void **state)
{
	struct db_usage usage;
	struct fixture f;
	struct txn txn;
	uint64_t limit, page;

	(void)state;
	fixture_open(&f);
	txn_read(f.db, &txn);
	db_usage(&txn, &usage);
	txn_cleanup(&txn);
	page = (uint64_t)sysconf(_SC_PAGESIZE);
	assert_true(usage.used >= 2 * page && usage.used % page == 0);
	db_limit(f.db, usage.used);
	assert_false(db_full(f.db, &limit));
	assert_int_equal(limit, usage.used);
	db_limit(f.db, usage.used - page);
	assert_true(db_full(f.db, &limit));
	fixture_close(&f);
}

static void hold_lock(const struct fixture *f, const struct pipes *pipes)
{
	struct db *db;
	struct txn txn;

	hear(pipes->down[0]);
	if (db_open(f->folder, DB_OPEN, NOW, &db, NULL))
		_exit(2);
	txn_write(db, &txn);
	tell(pipes->up[1]);
	for (;;)
		pause();
}

/* Whoever hangs with the lock of the old one does not hold up the new one. */
static void anew_beside_a_lock(struct fixture *f, enum db_mode mode)
{
	char data[128], aside[128];
	struct pipes pipes;
	struct cause cause;
	pid_t pid;

	fixture_open(f);
	db_close(f->db);
	f->db = NULL;
	path_in(f, "data.mdb", data);
	path_in(f, "data.mdb.damaged", aside);
	pid = child_start(hold_lock, f, &pipes);
	tell(pipes.down[1]);
	hear(pipes.up[0]);
	if (mode == DB_CREATE)
		assert_int_equal(rename(data, aside), 0);
	alarm(10); /* else for ever */
	assert_int_equal(reopen(f, mode, &cause), E_OK);
	assert_int_equal(access(aside, F_OK), 0);
	assert_int_equal(done(f->db, (struct change) { .type = CHANGE_GROUP_ADD,
						       .path = STR("g") }),
			 1);
	alarm(0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	child_end(pid, &pipes, SIGKILL);
}

static void set_aside_with_its_lock(void **state)
{
	struct fixture f;
	struct cause cause;

	(void)state;
	anew_beside_a_lock(&f, DB_ANEW);
	/* Not a second time: that would be the end of the first. */
	assert_int_equal(reopen(&f, DB_ANEW, &cause), E_EXISTS);
	fixture_close(&f);
}

/* Whoever has a store open keeps its lock.mdb: two would be two writers. */
static void a_store_that_is_there_is_not_made_again(void **state)
{
	struct stat before, after;
	struct fixture f;
	struct cause cause;
	struct db *again;
	char path[128];

	(void)state;
	fixture_open(&f);
	path_in(&f, "lock.mdb", path);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(db_open(f.folder, DB_CREATE, NOW, &again, &cause),
			 E_EXISTS);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	fixture_close(&f);
}

static void moved_away_without_its_lock(void **state)
{
	struct fixture f;

	(void)state;
	anew_beside_a_lock(&f, DB_CREATE);
	fixture_close(&f);
}

/* Who has it open goes on with what has lost its name. */
static void another_has_taken_its_place(void **state)
{
	char place[128], aside[128];
	struct fixture f;

	(void)state;
	fixture_open(&f);
	path_in(&f, "data.mdb", place);
	path_in(&f, "data.old", aside);
	assert_int_equal(db_in_place(f.db, NULL), E_OK);
	assert_int_equal(rename(place, aside), 0);
	assert_int_equal(db_in_place(f.db, NULL), E_NOT_FOUND);
	assert_int_equal(close(open(place, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(db_in_place(f.db, NULL), E_NOT_FOUND);
	assert_int_equal(unlink(place), 0);
	assert_int_equal(rename(aside, place), 0);
	assert_int_equal(db_in_place(f.db, NULL), E_OK);
	/* A file in the place of the folder. */
	snprintf(aside, sizeof(aside), "%s.old", f.folder);
	assert_int_equal(rename(f.folder, aside), 0);
	assert_int_equal(close(open(f.folder, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(db_in_place(f.db, NULL), E_NOT_FOUND);
	assert_int_equal(unlink(f.folder), 0);
	assert_int_equal(rename(aside, f.folder), 0);
	assert_int_equal(db_in_place(f.db, NULL), E_OK);
	fixture_close(&f);
}

static void ids_count_up_by_family(void **state)
{
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	assert_int_equal(txn_next_id(&txn, COUNTER_USER), 1);
	assert_int_equal(txn_next_id(&txn, COUNTER_USER), 2);
	assert_int_equal(txn_next_id(&txn, COUNTER_PAT), 1);
	assert_int_equal(txn_commit(&txn), E_OK);
	txn_write(f.db, &txn);
	assert_int_equal(txn_next_id(&txn, COUNTER_USER), 3);
	assert_int_equal(txn_next_id(&txn, COUNTER_SPACE), 1);
	txn_cleanup(&txn);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modes),
		cmocka_unit_test(made_for_the_owner_alone),
		cmocka_unit_test(creation),
		cmocka_unit_test(formats),
		cmocka_unit_test(what_is_left_of_a_store),
		cmocka_unit_test(garbage_is_no_store),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(one_server),
		cmocka_unit_test(reloads_in_turn),
		cmocka_unit_test(what_the_server_has),
		cmocka_unit_test(locks_that_the_server_does_not_have),
		cmocka_unit_test(locks_from_before_the_server),
		cmocka_unit_test(next_transaction_sees_another_process),
		cmocka_unit_test(reader_slots),
		cmocka_unit_test(killed_reader_pins_no_page),
		cmocka_unit_test(first_error_sticks),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(nested_is_undone_alone),
		cmocka_unit_test(cursors),
		cmocka_unit_test(full_by_a_page),
		cmocka_unit_test(set_aside_with_its_lock),
		cmocka_unit_test(a_store_that_is_there_is_not_made_again),
		cmocka_unit_test(moved_away_without_its_lock),
		cmocka_unit_test(another_has_taken_its_place),
		cmocka_unit_test(ids_count_up_by_family),
	};

	return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
