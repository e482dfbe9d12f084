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
	uint64_t locks; /* the lock.mdb that is open: served_locks() */
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
/* E_BUSY, and why there was no slot for a reader. */
enum err readers_full(const struct db *db, struct cause *cause);
