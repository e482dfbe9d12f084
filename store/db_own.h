/*
 * store/db_own.h - what db.c (the environment) and txn.c (transactions and
 * rows) share; the only place that includes lmdb.h.
 */
#pragma once

#include <lmdb.h>
#include <stdatomic.h>

#include "store/db.h"

struct db {
	MDB_env *env;
	int lock;	/* server.lock, or -1 */
	uint64_t locks; /* the lock.mdb that is open: holder_locks() */
	struct reloads reloads;
	_Atomic uint64_t limit;
	void (*on_wait)(const struct db *db, bool on); /* or NULL */
	MDB_dbi dbi[TABLE_COUNT];
};

/* The one mapping of LMDB's codes. */
enum err err_of(int code);

/* That this process holds the lock: seen by db_holder(). False: it is not. */
bool holder_claim(const struct db *db);
void holder_leave(const struct db *db);
/* That this process serves it: seen by db_in_service(), till it is closed. */
void holder_serve(const struct db *db);
/* Which lock.mdb a folder has; 0: none. */
uint64_t holder_locks(const char *folder);
/*
 * E_BUSY: a server has another data.mdb than is there, or open, or that one and
 * another lock.mdb: what one of the two locks, and which commit is the newest,
 * the other would not know. The first: before the store is opened, as that
 * makes a lock.mdb; the second once it is, and whenever it counts.
 */
enum err holder_look(const struct db *db, const char *folder,
		     struct cause *cause) MUST_CHECK;
enum err holder_check(const struct db *db, struct cause *cause) MUST_CHECK;
enum err file_replaced(const char *folder, const char *name,
		       struct cause *cause);
/* E_BUSY, and why there was no slot for a reader. */
enum err readers_full(const struct db *db, struct cause *cause);
