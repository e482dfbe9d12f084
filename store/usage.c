/* store/usage.c - how full the store is, and may become: see store/db.h. */
#include "store/db_own.h"

#include <string.h>
#include <sys/statvfs.h>

enum { FREE_DBI = 0 /* LMDB's own: transaction -> number of pages, pages */ };

/* A line for each slot in use, behind a headline. */
static int on_reader(const char *line, void *arg)
{
	unsigned *lines = arg;

	*lines += *line != '(';
	return 0;
}

/* Pages that were given back, a reader may still hold some. */
static uint64_t free_pages(struct txn *txn)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	uint64_t pages = 0;
	size_t n;
	int code;

	if (txn->err)
		return 0;
	code = mdb_cursor_open(txn->mdb, FREE_DBI, &cursor);
	if (code) {
		txn->err = err_of(code);
		return 0;
	}
	while (!(code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
		memcpy(&n, value.mv_data, sizeof(n));
		pages += n;
	}
	mdb_cursor_close(cursor);
	if (code != MDB_NOTFOUND)
		txn->err = err_of(code);
	return pages;
}

void db_usage(struct txn *txn, struct db_usage *out)
{
	MDB_env *env = txn->db->env;
	uint64_t unused = free_pages(txn);
	unsigned lines = 0;
	MDB_envinfo info;
	MDB_stat stat;

	*out = (struct db_usage) { 0 };
	if (mdb_env_info(env, &info) || mdb_env_stat(env, &stat) ||
	    mdb_reader_list(env, on_reader, &lines) < 0) {
		txn->err = txn->err ? txn->err : E_IO;
		return;
	}
	out->file = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
	/* The file may be of a later commit than the transaction. */
	out->used = out->file - unused * stat.ms_psize;
	out->limit = atomic_load(&txn->db->limit);
	out->map = info.me_mapsize;
	out->readers = lines ? lines - 1 : 0;
	out->slots = info.me_maxreaders;
}

bool db_disk(const char *folder, struct disk *out)
{
	struct statvfs disk;

	*out = (struct disk) { 0 };
	if (statvfs(folder, &disk))
		return false;
	out->left = (uint64_t)disk.f_bavail * disk.f_frsize;
	out->read_only = disk.f_flag & ST_RDONLY;
	return true;
}

void db_limit(struct db *db, uint64_t bytes)
{
	atomic_store(&db->limit, bytes);
}

/* Pages are counted only once the file is so large: seldom. */
bool db_full(struct db *db, uint64_t *limit)
{
	AUTO(txn) struct txn txn = { 0 };
	MDB_envinfo info;
	MDB_stat stat;
	uint64_t pages;

	*limit = atomic_load(&db->limit);
	if (mdb_env_info(db->env, &info) || mdb_env_stat(db->env, &stat))
		return false;
	pages = *limit / stat.ms_psize;
	if (info.me_last_pgno < pages)
		return false;
	txn_read(db, &txn);
	return info.me_last_pgno - free_pages(&txn) >= pages;
}
