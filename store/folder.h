/*
 * store/folder.h - inside of db.c: the folder that holds a store (data.mdb,
 * lock.mdb, server.lock): its modes, its making, its one server.
 */
#pragma once

#include "store/db.h"

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
/* E_BUSY while another process holds it. */
enum err folder_lock(const char *folder, int *lock,
		     struct cause *cause) MUST_CHECK;
void folder_unlock(int lock); /* -1 is fine */
/*
 * What who holds it says of himself, heard until he ends. The text of
 * server.lock is `said`; locks of the kernel's on it, which nobody waits for,
 * say that it is (byte 0: to write if `stale`, else to read) and how many
 * `steps` (as many bytes, from 2 on).
 */
void folder_say(int lock, const struct reloads *is);
bool folder_hear(const char *folder, struct reloads *out);
/* E_OK, unless it is there and we may not hear. */
enum err folder_look(const char *folder, struct cause *cause) MUST_CHECK;
/*
 * Before data.mdb is made, and where it is gone: whoever still has the old one
 * open keeps it, and its locks, of which LMDB's tell which commit is the
 * newest. As the one that holds folder_lock().
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
