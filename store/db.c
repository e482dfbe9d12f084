/*
 * store/db.c - the LMDB environment, its transactions, and the table "meta".
 *
 * Table "meta": text -> u64, but for "log", which is store/changelog.c's:
 *
 *   "format"      0000000000000001   STORE_FORMAT
 *   "created"     0000000067f00000   the second of creation
 *   "user" "space" "pat"             store/counter.c
 *
 * All tables and "format" come with the first commit: a folder whose creation
 * was cut short holds no "format" and is no store, so it can be made again.
 * LMDB syncs at each commit (no MDB_NOSYNC): what is committed is on disk.
 */
#include "store/db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <lmdb.h>

#include "store/folder.h"
#include "store/record.h"

static const char *const tables[] = {
#define X(name, text) [TABLE_##name] = text,
	TABLE_LIST(X)
#undef X
};

enum {
	READERS_MAX = 1024,
	TABLES_MAX =
		64,   /* later formats have more: room to read their "meta" */
	KEY_MAX = 511 /* LMDB's own limit */
};
#define MAP_SIZE ((size_t)64 << 30)

struct db {
	MDB_env *env;
	int lock; /* server.lock, or -1 */
	MDB_dbi dbi[TABLE_COUNT];
};

/* The one mapping of LMDB's codes. */
static enum err err_of(int code)
{
	switch (code) {
	case MDB_SUCCESS:
		return E_OK;
	case MDB_NOTFOUND:
		return E_NOT_FOUND;
	case MDB_KEYEXIST:
		return E_EXISTS;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		return E_FULL;
	case MDB_READERS_FULL:
		return E_BUSY;
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
		return E_VERSION;
	case MDB_INVALID:
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
		return E_CORRUPT;
	case MDB_BAD_VALSIZE:
		return E_LIMIT;
	default: /* errno's are positive, LMDB's own negative */
		return code > 0 && code != EINVAL ? errno_err(code)
						  : E_INTERNAL;
	}
}

static MDB_val val_of(struct str s)
{
	return (MDB_val) { s.len, (void *)(uintptr_t)s.at };
}

static struct str str_of_val(MDB_val val)
{
	return (struct str) { val.mv_data, val.mv_size };
}

/* Opening */

static enum err open_env(struct db *db, const char *folder, struct cause *cause)
{
	int dead, code = mdb_env_create(&db->env);

	folder_tame_signals(folder);
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
		return cause_set(
			cause, err_of(code), "cannot open store %s: %s%s",
			folder, mdb_strerror(code),
			err_of(code) == E_CORRUPT ? "; restore a backup"
						  : errno_advice(code));
	return E_OK;
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
	if (code) {
		if (code != MDB_NOTFOUND)
			txn->err = err_of(code);
		return 0;
	}
	if (!txn_get(txn, TABLE_META, STR("format"), &u.rest))
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
	if (err)
		return cause_set(cause, err, "cannot read store %s: %s", folder,
				 err_text(err));
	return E_OK;
}

enum err db_open(const char *folder, enum db_mode mode, int64_t now,
		 struct db **out, struct cause *cause)
{
	AUTO(db) struct db *db = calloc(1, sizeof(*db));
	enum err err = E_OK;

	*out = NULL;
	if (!db)
		return cause_set(cause, E_MEMORY, "out of memory");
	db->lock = -1;
	if (mode == DB_CREATE)
		err = folder_make(folder, cause);
	if (!err)
		err = folder_check(folder, mode == DB_CREATE, cause);
	if (!err && mode == DB_SERVE)
		err = folder_lock(folder, &db->lock, cause);
	if (!err)
		err = open_env(db, folder, cause);
	if (!err && mode == DB_CREATE)
		err = create_tables(db, folder, now, cause);
	if (!err)
		err = check_format(db, folder, cause);
	if (err)
		return err;
	*out = db;
	db = NULL;
	return E_OK;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	if (db->env)
		mdb_env_close(db->env);
	folder_unlock(db->lock);
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

/* Transactions */

static void begin(struct db *db, struct MDB_txn *parent, unsigned flags,
		  struct txn *txn)
{
	int dead, code;

	*txn = (struct txn) { .db = db, .writes = !(flags & MDB_RDONLY) };
	code = mdb_txn_begin(db->env, parent, flags, &txn->mdb);
	/* Slots of readers that were killed. */
	if (code == MDB_READERS_FULL && !mdb_reader_check(db->env, &dead))
		code = mdb_txn_begin(db->env, parent, flags, &txn->mdb);
	if (code) {
		txn->mdb = NULL;
		txn->err = err_of(code);
	}
}

void txn_read(struct db *db, struct txn *txn)
{
	begin(db, NULL, MDB_RDONLY, txn);
}

void txn_write(struct db *db, struct txn *txn)
{
	begin(db, NULL, 0, txn);
}

void txn_nested(struct txn *parent, struct txn *txn)
{
	if (parent->err)
		*txn = (struct txn) { .db = parent->db,
				      .err = parent->err,
				      .writes = true };
	else
		begin(parent->db, parent->mdb, 0, txn);
}

enum err txn_commit(struct txn *txn)
{
	MDB_txn *mdb = txn->mdb;
	int code;

	if (txn->err) {
		txn_cleanup(txn);
		return txn->err;
	}
	assert(mdb);
	txn->mdb = NULL; /* gone, whatever comes of it */
	code = mdb_txn_commit(mdb);
	if (code == EIO && folder_full(db_folder(txn->db)))
		code = ENOSPC; /* LMDB's EIO may be a write that ended short */
	return txn->err = err_of(code);
}

void txn_cleanup(struct txn *txn)
{
	if (txn->mdb)
		mdb_txn_abort(txn->mdb);
	txn->mdb = NULL;
}

void txn_renew(struct txn *txn)
{
	assert(!txn->writes);
	if (!txn->mdb) {
		txn_read(txn->db, txn);
		return;
	}
	mdb_txn_reset(txn->mdb);
	txn->err = err_of(mdb_txn_renew(txn->mdb));
}

void txn_rest(struct txn *txn)
{
	assert(!txn->writes);
	if (txn->mdb)
		mdb_txn_reset(txn->mdb);
}

/* Rows */

bool txn_get(struct txn *txn, enum table table, struct str key,
	     struct str *value)
{
	MDB_val k = val_of(key), v;
	int code;

	*value = (struct str) { 0 };
	if (txn->err || !key.len || key.len > KEY_MAX)
		return false;
	code = mdb_get(txn->mdb, txn->db->dbi[table], &k, &v);
	if (code && code != MDB_NOTFOUND)
		txn->err = err_of(code);
	if (code)
		return false;
	*value = str_of_val(v);
	return true;
}

/* A value of no address is a record that did not fit its struct pack. */
static void put(struct txn *txn, enum table table, struct str key,
		struct str value, unsigned flags)
{
	MDB_val k = val_of(key), v = val_of(value);

	assert(txn->writes);
	if (txn->err)
		return;
	if (!key.len || key.len > KEY_MAX || !value.at)
		txn->err = E_LIMIT;
	else
		txn->err = err_of(
			mdb_put(txn->mdb, txn->db->dbi[table], &k, &v, flags));
}

void txn_put(struct txn *txn, enum table table, struct str key,
	     struct str value)
{
	put(txn, table, key, value, 0);
}

void txn_add(struct txn *txn, enum table table, struct str key,
	     struct str value)
{
	put(txn, table, key, value, MDB_NOOVERWRITE);
}

void txn_remove(struct txn *txn, enum table table, struct str key)
{
	MDB_val k = val_of(key);
	int code;

	assert(txn->writes);
	if (txn->err || !key.len || key.len > KEY_MAX)
		return;
	code = mdb_del(txn->mdb, txn->db->dbi[table], &k, NULL);
	if (code != MDB_NOTFOUND)
		txn->err = err_of(code);
}

uint64_t txn_count(struct txn *txn, enum table table)
{
	MDB_stat stat;
	int code;

	if (txn->err)
		return 0;
	code = mdb_stat(txn->mdb, txn->db->dbi[table], &stat);
	txn->err = err_of(code);
	return code ? 0 : stat.ms_entries;
}

void cursor_open(struct txn *txn, enum table table, struct str prefix,
		 struct cursor *cursor)
{
	cursor->key = cursor->value = (struct str) { 0 };
	cursor->txn = txn;
	cursor->mdb = NULL;
	cursor->begun = false;
	cursor->prefix_len = 0;
	if (txn->err)
		return;
	if (prefix.len > sizeof(cursor->prefix)) {
		txn->err = E_LIMIT;
		return;
	}
	cursor->prefix_len = prefix.len;
	if (prefix.len)
		memcpy(cursor->prefix, prefix.at, prefix.len);
	txn->err = err_of(
		mdb_cursor_open(txn->mdb, txn->db->dbi[table], &cursor->mdb));
}

/* False ends it: closed, so that it stays ended. */
static bool step(struct cursor *c, struct str from, MDB_cursor_op op)
{
	MDB_val k = val_of(from), v = { 0 };
	int code;

	c->key = c->value = (struct str) { 0 };
	if (!c->mdb || c->txn->err)
		return false;
	code = mdb_cursor_get(c->mdb, &k, &v, op);
	if (code && code != MDB_NOTFOUND)
		c->txn->err = err_of(code);
	if (code || !str_starts(str_of_val(k),
				(struct str) { c->prefix, c->prefix_len })) {
		cursor_cleanup(c);
		return false;
	}
	c->key = str_of_val(k);
	c->value = str_of_val(v);
	return true;
}

void cursor_seek(struct cursor *cursor, struct str from)
{
	struct str prefix = { cursor->prefix, cursor->prefix_len };

	if (str_cmp(from, prefix) < 0)
		from = prefix;
	cursor->begun = false;
	step(cursor, from, from.len ? MDB_SET_RANGE : MDB_FIRST);
}

bool cursor_next(struct cursor *cursor)
{
	struct str prefix = { cursor->prefix, cursor->prefix_len };
	bool begun = cursor->begun;

	cursor->begun = true;
	if (begun)
		return step(cursor, prefix, MDB_NEXT);
	if (cursor->key.len) /* where cursor_seek() went */
		return true;
	return step(cursor, prefix, prefix.len ? MDB_SET_RANGE : MDB_FIRST);
}

void cursor_cleanup(struct cursor *cursor)
{
	if (cursor->mdb)
		mdb_cursor_close(cursor->mdb);
	cursor->mdb = NULL;
}
