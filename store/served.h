/*
 * store/served.h - inside of the store: that one server has it, and which of
 * its files. Locks of the kernel's say so, which end with the process, however
 * it ends, and for which nobody waits:
 *
 *   server.lock  flock(): no second server, nor whoever makes a store there
 *                byte 0: it says something, to write if `stale`, else to read;
 *                from byte 2 on, as many bytes as it has made `steps`
 *   data.mdb     from byte 1 on (byte 0: store/holder.c), for as long as it is
 *                open: one byte and as many as its lock.mdb's inode has for a
 *                number. That file is removed or replaced (rm, rsync) with no
 *                word to who has it, and must not be opened a second time by
 *                who has: closing it would give LMDB's locks away
 *
 * The text of server.lock is what it `said`.
 */
#pragma once

#include "store/db.h"

/* E_BUSY while another process holds it. */
enum err served_lock(const char *folder, int *lock,
		     struct cause *cause) MUST_CHECK;
void served_unlock(int lock); /* -1 is fine */

/* From now on other processes can tell, until it is closed. */
void served_begin(struct db *db);

/* Which lock.mdb a folder has; 0: none. */
uint64_t served_locks(const char *folder);
/*
 * E_BUSY: a server has another data.mdb than is there, or open, or that one and
 * another lock.mdb: what one of the two locks, and which commit is the newest,
 * the other would not know. The first: before the store is opened, as that
 * makes a lock.mdb; the second once it is, and whenever it counts.
 */
enum err served_look(const struct db *db, const char *folder,
		     struct cause *cause) MUST_CHECK;
enum err served_check(const struct db *db, struct cause *cause) MUST_CHECK;
/* E_BUSY and its text. */
enum err served_replaced(const char *folder, const char *name,
			 struct cause *cause);
