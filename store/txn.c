/* store/txn.c - transactions and rows: see store/db.h. */
#include "store/db_own.h"

#include <errno.h>
#include <string.h>

#include "store/served.h"

enum err err_of(int code)
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
	/* What LMDB says of a page that cannot be, and ever after. */
	case MDB_PAGE_FULL:
	case MDB_CURSOR_FULL:
	case MDB_BAD_TXN:
	case MDB_PANIC:
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
	if (db->on_wait)
		db->on_wait(db, true);
	begin(db, NULL, 0, txn);
	if (db->on_wait)
		db->on_wait(db, false);
	txn->claimed = txn->mdb && holder_claim(db);
}

static void leave(struct txn *txn)
{
	if (txn->claimed)
		holder_leave(txn->db);
	txn->claimed = false;
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
	struct disk disk;
	int code;

	if (txn->writes && !txn->err)
		txn->err = served_check(txn->db, NULL);
	if (txn->err) {
		txn_cleanup(txn);
		return txn->err;
	}
	assert(mdb);
	txn->mdb = NULL; /* gone, whatever comes of it */
	code = mdb_txn_commit(mdb);
	leave(txn);
	if (code == EIO && db_disk(db_folder(txn->db), &disk) && !disk.left)
		code = ENOSPC; /* LMDB's EIO may be a write that ended short */
	return txn->err = err_of(code);
}

void txn_cleanup(struct txn *txn)
{
	if (txn->mdb)
		mdb_txn_abort(txn->mdb);
	leave(txn);
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

void txn_clear(struct txn *txn, enum table table)
{
	assert(txn->writes);
	if (!txn->err)
		txn->err = err_of(mdb_drop(txn->mdb, txn->db->dbi[table], 0));
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

uint64_t txn_id(const struct txn *txn)
{
	return txn->mdb ? mdb_txn_id(txn->mdb) : 0;
}
