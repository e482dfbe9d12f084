/*
 * store/db.c - the LMDB environment and the table "meta".
 *
 * Table "meta": text -> u64, but for "log", which is store/changelog.c's:
 *
 *   "format"      0000000000000002   STORE_FORMAT
 *   "created"     0000000067f00000   the second of creation
 *   "user" "space" "pat" "notice"    store/counter.c
 *
 * All tables and "format" come with the first commit: a folder whose creation
 * was cut short holds no "format" and is no store, so it can be made again.
 * LMDB syncs at each commit (no MDB_NOSYNC): what is committed is on disk.
 */
#include "store/db_own.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/folder.h"
#include "store/record.h"
#include "store/served.h"

static const char *const tables[] = {
#define X(name, text, what) [TABLE_##name] = text,
	TABLE_LIST(X)
#undef X
};

enum {
	READERS_MAX = 1024,
	TABLES_MAX = 64 /* later formats have more: room to read their "meta" */
};
#define MAP_SIZE ((size_t)64 << 30)

/* Pages that cannot be: LMDB has found it out itself, and would abort. */
static void on_nonsense(MDB_env *env, const char *what)
{
	(void)env;
	(void)what;
	folder_damaged();
}

/* A copy's; it was read before, so this is the end of one that changes. */
static void on_nonsense_in_copy(MDB_env *env, const char *what)
{
	static const char said[] = ": has changed meanwhile: take another "
				   "one\n";
	const char *path = mdb_env_get_userctx(env);

	(void)what;
	(void)!write(STDERR_FILENO, "dockpass: ", 10);
	(void)!write(STDERR_FILENO, path, strlen(path));
	(void)!write(STDERR_FILENO, said, sizeof(said) - 1);
	_exit(1);
}

static const char *advice_of(int code)
{
	if (err_of(code) == E_CORRUPT)
		return "; " STORE_MEND;
	if (code == ENOMEM)
		return DB_SPACE;
	return errno_advice(code);
}

static enum err open_env(struct db *db, const char *folder, struct cause *cause)
{
	int dead, code = mdb_env_create(&db->env);

	folder_tame_signals(folder);
	if (!code)
		code = mdb_env_set_assert(db->env, on_nonsense);
	if (!code)
		code = mdb_env_set_mapsize(db->env, MAP_SIZE);
	if (!code)
		code = mdb_env_set_maxdbs(db->env, TABLES_MAX);
	if (!code)
		code = mdb_env_set_maxreaders(db->env, READERS_MAX);
	if (!code)
		code = mdb_env_open(db->env, folder, MDB_NOTLS,
				    S_IRUSR | S_IWUSR);
	if (!code)
		code = mdb_reader_check(db->env, &dead);
	if (code)
		return cause_set(cause, err_of(code),
				 "cannot open store %s: %s%s", folder,
				 mdb_strerror(code), advice_of(code));
	return E_OK;
}

/* What LMDB has opened it does not tell: what was there before and after. */
static enum err open_with_locks(struct db *db, const char *folder,
				struct cause *cause)
{
	uint64_t before = served_locks(folder);
	enum err err = served_look(db, folder, cause);

	if (!err)
		err = open_env(db, folder, cause);
	if (err)
		return err;
	db->locks = served_locks(folder);
	if (before && before != db->locks)
		return served_replaced(folder, "lock.mdb", cause);
	return served_check(db, cause);
}

static enum err open_tables(struct txn *txn, unsigned flags)
{
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		int code = mdb_dbi_open(txn->mdb, tables[i], flags,
					&txn->db->dbi[i]);

		if (code)
			return txn->err = code == MDB_NOTFOUND ? E_CORRUPT
							       : err_of(code);
	}
	return E_OK;
}

/* Tables without a format are what is left of a store, and none to begin. */
static bool has_tables(struct txn *txn)
{
	MDB_stat stat;

	return !mdb_env_stat(txn->db->env, &stat) && stat.ms_entries;
}

/* 0: no store yet. */
static uint64_t read_format(struct txn *txn)
{
	struct unpack u = { 0 };
	uint64_t format;
	int code;

	if (txn->err)
		return 0;
	code = mdb_dbi_open(txn->mdb, tables[TABLE_META], 0,
			    &txn->db->dbi[TABLE_META]);
	if (code && code != MDB_NOTFOUND)
		txn->err = err_of(code);
	else if ((code || !txn_get(txn, TABLE_META, STR("format"), &u.rest)) &&
		 !txn->err && has_tables(txn))
		txn->err = E_CORRUPT;
	if (txn->err || !u.rest.len)
		return 0;
	format = unpack_u64(&u);
	if (!unpack_done(&u))
		txn->err = E_CORRUPT;
	return format;
}

static void put_number(struct txn *txn, struct str name, uint64_t n)
{
	struct key8 value = key_u64(n);

	txn_put(txn, TABLE_META, name, STR_OF(value.at));
}

static enum err create_tables(struct db *db, const char *folder, int64_t now,
			      struct cause *cause)
{
	AUTO(txn) struct txn txn;
	enum err err;

	txn_write(db, &txn);
	if (read_format(&txn))
		return cause_set(cause, E_EXISTS, "%s: holds a store already",
				 folder);
	if (!txn.err && !open_tables(&txn, MDB_CREATE)) {
		put_number(&txn, STR("format"), STORE_FORMAT);
		put_number(&txn, STR("created"), (uint64_t)now);
	}
	err = txn_commit(&txn);
	if (err)
		return cause_set(cause, err, "cannot make store %s: %s", folder,
				 err_text(err));
	return folder_sync(folder, cause);
}

static enum err check_format(struct db *db, const char *folder,
			     struct cause *cause)
{
	AUTO(txn) struct txn txn;
	uint64_t format;
	enum err err;

	txn_read(db, &txn);
	format = read_format(&txn);
	if (!format && !txn.err)
		return folder_empty(folder, cause);
	if (!txn.err && format != STORE_FORMAT)
		return cause_set(
			cause, E_VERSION,
			"%s: store of format %llu, this dockpass reads "
			"%d; use the dockpass that made it",
			folder, (unsigned long long)format, STORE_FORMAT);
	if (!txn.err)
		txn.err = open_tables(&txn, 0);
	err = txn_commit(&txn); /* keeps the handles */
	if (err == E_BUSY)
		return readers_full(db, cause);
	if (err)
		return cause_set(cause, err, "cannot read store %s: %s", folder,
				 err_text(err));
	return E_OK;
}

static struct db *db_new(void)
{
	struct db *db = calloc(1, sizeof(*db));

	if (!db)
		return NULL;
	db->lock = -1;
	db_limit(db, DB_SIZE_MOST);
	return db;
}

enum err db_open(const char *folder, enum db_mode mode, int64_t now,
		 struct db **out, struct cause *cause)
{
	AUTO(db) struct db *db = db_new();
	enum err err = E_OK;

	*out = NULL;
	if (!db)
		return cause_set(cause, E_MEMORY, "out of memory");
	if (mode == DB_ANEW) {
		err = folder_set_aside(folder, cause);
		mode = DB_CREATE;
	}
	if (!err && mode == DB_CREATE)
		err = folder_make(folder, cause);
	if (!err)
		err = folder_check(folder, mode == DB_CREATE, cause);
	if (!err && mode != DB_OPEN)
		err = served_lock(folder, &db->lock, cause);
	if (!err && mode == DB_CREATE)
		err = folder_drop_locks(folder, cause);
	if (!err)
		err = open_with_locks(db, folder, cause);
	if (!err && mode == DB_SERVE)
		served_begin(db);
	if (!err && mode == DB_CREATE)
		err = create_tables(db, folder, now, cause);
	if (!err)
		err = check_format(db, folder, cause);
	if (err)
		return err;
	if (mode == DB_CREATE) {
		served_unlock(db->lock); /* a server may start */
		db->lock = -1;
	}
	*out = db;
	db = NULL;
	return E_OK;
}

enum err db_open_copy(int fd, const char *path, struct db **out,
		      struct cause *cause)
{
	AUTO(db) struct db *db = db_new();
	char at[32];
	enum err err;
	int code;

	*out = NULL;
	if (!db)
		return cause_set(cause, E_MEMORY, "out of memory");
	snprintf(at, sizeof(at), "/proc/self/fd/%d", fd);
	code = mdb_env_create(&db->env);
	if (!code)
		code = mdb_env_set_userctx(db->env, (void *)(uintptr_t)path);
	if (!code)
		code = mdb_env_set_assert(db->env, on_nonsense_in_copy);
	if (!code)
		code = mdb_env_set_maxdbs(db->env, TABLES_MAX);
	if (!code)
		code = mdb_env_open(
			db->env, at,
			MDB_RDONLY | MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS, 0);
	if (code)
		return cause_set(cause, err_of(code), "%s: %s%s", path,
				 mdb_strerror(code),
				 code == ENOMEM ? DB_SPACE : "");
	err = check_format(db, path, cause);
	if (err)
		return err;
	*out = db;
	db = NULL;
	return E_OK;
}

enum err db_copy(struct db *db, int fd)
{
	enum err err = err_of(mdb_env_copyfd2(db->env, fd, MDB_CP_COMPACT));

	return err ? err : served_check(db, NULL);
}

void db_close(struct db *db)
{
	if (!db)
		return;
	served_unlock(db->lock); /* first: see served_begin() */
	if (db->env)
		mdb_env_close(db->env);
	free(db);
}

void db_cleanup(struct db **db)
{
	db_close(*db);
}

const char *db_folder(const struct db *db)
{
	const char *folder = "";

	mdb_env_get_path(db->env, &folder);
	return folder;
}

const char *db_file(size_t i)
{
	return folder_file(i);
}

enum err db_in_place(const struct db *db, struct cause *cause)
{
	const char *folder = db_folder(db);
	struct stat open, there = { 0 };
	char path[PATH_MAX];
	int fd;

	if (mdb_env_get_fd(db->env, &fd) || fstat(fd, &open))
		return E_OK;
	snprintf(path, sizeof(path), "%s/data.mdb", folder);
	if (stat(path, &there) && errno != ENOENT && errno != ENOTDIR)
		return cause_errno(cause,
				   "cannot be reached any more, and a restart "
				   "would not find it",
				   folder);
	if (open.st_dev == there.st_dev && open.st_ino == there.st_ino)
		return db->locks == served_locks(folder)
			       ? E_OK
			       : served_replaced(folder, "lock.mdb", cause);
	return cause_set(cause, E_NOT_FOUND,
			 "%s: is not the store that is open (removed or "
			 "renamed, and made again): what commands change there "
			 "does not hold: restart dockpass",
			 folder);
}

struct str table_name(enum table table)
{
	assert((size_t)table < COUNT(tables));
	return str_of(tables[table]);
}

bool table_observed(enum table table)
{
	enum { DECIDED, OBSERVED };
	static const bool observed[] = {
#define X(name, text, what) [TABLE_##name] = what,
		TABLE_LIST(X)
#undef X
	};

	assert((size_t)table < COUNT(observed));
	return observed[table];
}
