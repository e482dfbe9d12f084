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
	int lock; /* server.lock, or -1 */
	_Atomic uint64_t limit;
	MDB_dbi dbi[TABLE_COUNT];
};

/* The one mapping of LMDB's codes. */
enum err err_of(int code);
