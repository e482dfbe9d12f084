/*
 * store/folder.h - inside of the store: the folder that holds one (data.mdb,
 * lock.mdb, server.lock): its modes, its making.
 */
#pragma once

#include <limits.h>

#include "store/db.h"

struct path {
	char at[PATH_MAX];
};

struct path folder_path(const char *folder, const char *name);

/* A name that a file has there; NULL: that was all. */
const char *folder_file(size_t i);
/* Mode 0700; one that exists must hold nothing but a creation cut short. */
enum err folder_make(const char *folder, struct cause *cause) MUST_CHECK;
/*
 * E_MODE when group or others can read or write something; E_NOT_FOUND when
 * nothing is there, unless it is about to be made.
 */
enum err folder_check(const char *folder, bool create,
		      struct cause *cause) MUST_CHECK;
enum err folder_empty(const char *folder, struct cause *cause); /* its text */
enum err folder_sync(const char *folder, struct cause *cause) MUST_CHECK;
/*
 * Before data.mdb is made, and where it is gone: whoever still has the old one
 * open keeps it, and its locks, of which LMDB's tell which commit is the
 * newest. As the one that holds served_lock().
 */
enum err folder_drop_locks(const char *folder, struct cause *cause) MUST_CHECK;
/*
 * data.mdb, if it is there, becomes data.mdb.damaged, unread. E_BUSY while a
 * server uses it, E_EXISTS: another has that name already.
 */
enum err folder_set_aside(const char *folder, struct cause *cause) MUST_CHECK;
/*
 * From now on: a page of data.mdb that is mapped and cannot be read (the file
 * was cut short, its disk fails) ends the process with one line and status 1;
 * a file that may not grow (ulimit -f) is a failed write and no more.
 */
void folder_tame_signals(const char *folder);
_Noreturn void folder_damaged(void); /* the same, from elsewhere */
