/*
 * store/db.h - the LMDB environment (db.c), its transactions and their rows
 * (txn.c); who holds its lock (holder.c), which server has it (served.c).
 *
 * Several processes may have a store open: readers never block and never wait;
 * writers, the server's one and the CLI's, are put in order by LMDB's lock.
 * What one commits, the next transaction of another sees. The map is sized
 * once (64 GiB of address space), so that nobody has to grow it under another.
 *
 * Errors stick to the transaction: after the first, reads find nothing, writes
 * do nothing, and txn_commit() refuses. So a store function is a straight line
 * with one look at the end.
 *
 * A slice that a read hands out points into the map: it lives until the
 * transaction ends, and in a write transaction until the next write.
 */
#pragma once

#include "token/base.h"

/*
 * name, as LMDB has it, and what is in it: DECIDED by changes, or OBSERVED,
 * which a restore leaves as it is. What is in a table is described at the head
 * of the file that is named. A new row is a new STORE_FORMAT: a store that was
 * made without it lacks the table.
 */
/* clang-format off */
#define TABLE_LIST(X)                                                          \
	X(META, "meta", DECIDED)         /* store/db.c: format, counters */    \
	X(SETTING, "setting", DECIDED)   /* store/setting.c */                 \
	X(USER, "user", DECIDED)         /* store/user.c: id -> user */        \
	X(USER_NAME, "user_name", DECIDED)     /* likewise: lower-case name -> id */ \
	X(SPACE, "space", DECIDED)       /* store/space.c: path -> space */    \
	X(SPACE_ID, "space_id", DECIDED) /* likewise: id -> path */            \
	X(MEMBER, "member", DECIDED)     /* store/member.c: space, user -> role */ \
	X(USER_MEMBER, "user_member", DECIDED) /* likewise: user, space */     \
	X(PAT, "pat", DECIDED)           /* store/pat.c: digest -> token */    \
	X(PAT_ID, "pat_id", DECIDED)     /* likewise: id -> digest */          \
	X(USER_PAT, "user_pat", DECIDED) /* likewise: user, id */              \
	X(REFRESH, "refresh", DECIDED)   /* store/refresh.c: digest -> refresh */ \
	X(PAT_REFRESH, "pat_refresh", DECIDED) /* likewise: token id, digest */ \
	X(LOG, "log", DECIDED)           /* store/changelog.c: number -> change */ \
	X(USED, "used", OBSERVED)        /* store/used.c: token id -> last use */ \
	X(JOB, "job", OBSERVED)          /* store/job.c: job -> when it ran */ \
	X(TOLD, "told", OBSERVED)        /* store/told.c: token id -> told of */ \
	X(MAILBOX, "mailbox", OBSERVED)  /* store/mailbox.c: time, id -> notice */
/* clang-format on */

enum table {
#define X(name, text, what) TABLE_##name,
	TABLE_LIST(X)
#undef X
		TABLE_COUNT
};

enum { STORE_FORMAT = 2 };
enum { KEY_MAX = 511 }; /* bytes, LMDB's own limit */

struct db;

enum db_mode {
	DB_CREATE, /* a new store in an empty or missing folder, mode 0700;
		    * E_BUSY while a server has what was there */
	DB_ANEW,   /* likewise, where a damaged one is (look_at_store()): it
		    * becomes data.mdb.damaged; E_BUSY while a server uses it */
	DB_OPEN,   /* what is there; E_NOT_FOUND if nothing is */
	DB_SERVE   /* likewise, and as its one server: E_BUSY if there is one */
};

/* What a store is refused for as E_MEMORY, most likely. */
#define DB_SPACE                                                               \
	"; it takes 64 GiB of address space, and a copy as much, though not "  \
	"of memory: ulimit -v unlimited, LimitAS=infinity"

/*
 * Refused with *cause: a folder or file that group or others can read or write
 * (E_MODE), a store of another format (E_VERSION), a second server (E_BUSY), a
 * data.mdb or lock.mdb that is not the one that the server has (E_BUSY;
 * likewise each commit and copy of who opened it before). `now` is the second
 * of creation. DB_SERVE holds until db_close() or the end of the process,
 * however it ends.
 */
enum err db_open(const char *folder, enum db_mode mode, int64_t now,
		 struct db **out, struct cause *cause) MUST_CHECK;
/*
 * Has a server the data.mdb that is there now, not one that was moved away
 * under it? Not for who has the folder's store open and writes.
 */
bool db_served(const char *folder);
/*
 * Of the server of a store: which process it is (0: we cannot see it, it is in
 * another container), how often it began to read its files again, and ended,
 * and what it said at the last end: why it goes on with what it had (stale),
 * or what it has read, lines.
 */
enum { RELOAD_SAID = 2048 }; /* a path, what takes a restart, why it failed */
struct reloads {
	long pid;
	int64_t steps; /* 1, and one more for each begin and each end */
	bool stale;
	char said[RELOAD_SAID];
};
/* The server says so, to other processes and as long as it serves. */
void db_reload_begins(struct db *db);
void db_reload_ends(struct db *db, bool stale, const char *said);
/*
 * What it says. E_NOT_FOUND, without a cause: there is none, or its server.lock
 * was removed; other errors: we may not see.
 */
enum err db_reloads(const char *folder, struct reloads *out,
		    struct cause *cause) MUST_CHECK;
/* Since it said `before`, has a reload begun and ended? */
bool db_reloaded(const struct reloads *before, const struct reloads *now);
void db_close(struct db *db); /* NULL is fine */
void db_cleanup(struct db **db);
const char *db_folder(const struct db *db);
/* What a store's folder holds, be it there or not; NULL: that was all. */
const char *db_file(size_t i);
/*
 * Does its folder still have the store that is open? E_NOT_FOUND: another, or
 * none; E_BUSY: another lock.mdb, or none, so that no command opens it; other
 * errors: nobody can tell.
 */
enum err db_in_place(const struct db *db, struct cause *cause) MUST_CHECK;
/* The disk of a store's folder. False: nobody knows. */
struct disk {
	uint64_t left; /* bytes, for us */
	bool read_only;
};
bool db_disk(const char *folder, struct disk *out);

/*
 * A consistent, compact copy of the store as it is now, while it is written to
 * by others; nobody waits.
 */
enum err db_copy(struct db *db, int fd) MUST_CHECK;
/*
 * Such a copy, to be read alone: the file that `fd` has open, whatever has its
 * name by now. What may be damaged is checked before. `path` is for messages,
 * and must live as long as the db; `fd` may be closed.
 */
enum err db_open_copy(int fd, const char *path, struct db **out,
		      struct cause *cause) MUST_CHECK;

struct txn {
	struct MDB_txn *mdb;
	struct db *db;
	enum err err; /* the first failure stays */
	bool writes;
	bool claimed; /* others can see that we hold the store's lock */
};

/*
 * A transaction ends with its scope: AUTO(txn) struct txn t; what has not been
 * committed by then is undone. A failed begin is a transaction with .err set.
 */
void txn_read(struct db *db, struct txn *txn);
void txn_write(struct db *db, struct txn *txn);
/* Inside a write transaction: undone alone, or joined by txn_commit(). */
void txn_nested(struct txn *parent, struct txn *txn);
enum err txn_commit(struct txn *txn) MUST_CHECK; /* on disk when E_OK */
void txn_cleanup(struct txn *txn);		 /* undoes */

/*
 * A worker's own read transaction, made once: txn_renew() before a request
 * shows the newest commit, txn_rest() after it lets old pages go. No
 * allocation, no lock.
 */
void txn_renew(struct txn *txn);
void txn_rest(struct txn *txn);

/*
 * The process that holds the store's lock for its write transaction; 0: it is
 * not known, or we do, or nobody does. Any thread; a signal's handler, too.
 */
long db_holder(const struct db *db);
/*
 * Called before a write transaction waits for that lock (true) and once it has
 * it (false). For a process of one thread.
 */
void db_on_wait(struct db *db, void (*on_wait)(const struct db *db, bool on));

/* Which commit it shows: they are counted from 1. */
uint64_t txn_id(const struct txn *txn);

/*
 * How full the store is, as the read transaction shows it. No lock, no disk.
 * In bytes: of the file, which never shrinks; of its pages that are in use (the
 * others are taken before the file grows); and what these two may become.
 */
struct db_usage {
	uint64_t file, used, limit, map;
	unsigned readers,
		slots; /* transactions that may read, of any process */
};
void db_usage(struct txn *txn, struct db_usage *out);

/*
 * From `bytes` in use on (DB_SIZE_MOST if nobody says) the store is full for
 * what adds to it. What takes away may use all of the map: a token can be
 * revoked and the log pruned however full it is. Any thread, at any time.
 */
#define DB_SIZE_MOST ((uint64_t)60 << 30)
void db_limit(struct db *db, uint64_t bytes);
bool db_full(struct db *db, uint64_t *limit);
struct str table_name(enum table table);
/* Seen, not decided: the later state is the truer one. */
bool table_observed(enum table table);

/* False: not there, or txn->err. *value is then empty. */
bool txn_get(struct txn *txn, enum table table, struct str key,
	     struct str *value);
void txn_put(struct txn *txn, enum table table, struct str key,
	     struct str value); /* new or replaced */
void txn_add(struct txn *txn, enum table table, struct str key,
	     struct str value); /* E_EXISTS, sticky, if it is there */
void txn_remove(struct txn *txn, enum table table, struct str key);
void txn_clear(struct txn *txn, enum table table); /* of all its rows */
/* Number of rows. */
uint64_t txn_count(struct txn *txn, enum table table);

/*
 * Rows in the order of their keys, those that start with `prefix` alone.
 *
 *   AUTO(cursor) struct cursor c;
 *   for (cursor_open(&txn, TABLE_X, prefix, &c); cursor_next(&c);)
 *           use(c.key, c.value);
 *
 * The table may not be written while the cursor is open. `prefix` is copied.
 */
struct cursor {
	struct str key, value;
	struct txn *txn;
	struct MDB_cursor *mdb;
	size_t prefix_len;
	char prefix[KEY_MAX];
	bool begun;
};

void cursor_open(struct txn *txn, enum table table, struct str prefix,
		 struct cursor *cursor);
/* Begins at the first key that is not before `from` (prefix still holds). */
void cursor_seek(struct cursor *cursor, struct str from);
bool cursor_next(struct cursor *cursor);
void cursor_cleanup(struct cursor *cursor);

/* The next id of a family, 1 first; ids are never used again. */
enum counter {
	COUNTER_USER,
	COUNTER_SPACE,
	COUNTER_PAT,
	COUNTER_NOTICE,
	COUNTER_COUNT
};
uint64_t txn_next_id(struct txn *txn, enum counter counter);
uint64_t txn_last_id(struct txn *txn, enum counter counter); /* 0: none yet */
struct str counter_name(enum counter counter);

/* When the store was made. */
int64_t txn_created_at(struct txn *txn);
