/*
 * store/holder.c - who holds the store's lock, who reads: see store/db.h.
 *
 * LMDB's lock does not tell whose it is. So whoever has it also takes a lock
 * of the kernel's on the first byte of data.mdb, which LMDB never locks: of
 * that the kernel tells the process, and it ends with it. It orders nothing,
 * nobody waits for it: another program may have it, then the holder is not
 * known. store/served.h has the second.
 */
#include "store/db_own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NAMED_MAX = 8 }; /* processes */

static bool lock(const struct db *db, int how, struct flock *lock)
{
	int fd = -1;

	*lock = (struct flock) { .l_type = F_WRLCK,
				 .l_whence = SEEK_SET,
				 .l_len = 1 };
	if (how == F_UNLCK)
		lock->l_type = F_UNLCK;
	return !mdb_env_get_fd(db->env, &fd) &&
	       !fcntl(fd, how == F_UNLCK ? F_SETLK : how, lock);
}

bool holder_claim(const struct db *db)
{
	struct flock mine;

	return lock(db, F_SETLK, &mine);
}

void holder_leave(const struct db *db)
{
	struct flock mine;

	(void)lock(db, F_UNLCK, &mine);
}

long db_holder(const struct db *db)
{
	struct flock other;
	int number = errno;
	bool known = lock(db, F_GETLK, &other) && other.l_type == F_WRLCK;

	errno = number;
	return known && other.l_pid > 0 ? (long)other.l_pid : 0;
}

void db_on_wait(struct db *db, void (*on_wait)(const struct db *db, bool on))
{
	db->on_wait = on_wait;
}

struct readers {
	unsigned slots; /* of all */
	size_t len;
	struct {
		long pid;
		unsigned slots;
	} at[NAMED_MAX];
};

/* "       PID         THREAD TRANSACTION", behind a headline. */
static int on_reader(const char *line, void *arg)
{
	struct readers *readers = arg;
	long pid = strtol(line, NULL, 10);
	size_t i = 0;

	while (i < readers->len && readers->at[i].pid != pid)
		i++;
	readers->slots += pid > 0;
	if (pid <= 0 || i == NAMED_MAX)
		return 0;
	readers->len += i == readers->len;
	readers->at[i].pid = pid;
	readers->at[i].slots++;
	return 0;
}

/*
 * Either all slots are taken, or the lock by which LMDB tells that a reader of
 * our id lives: another PID namespace has a process of that id.
 */
enum err readers_full(const struct db *db, struct cause *cause)
{
	struct readers readers = { .len = 0 };
	char names[NAMED_MAX * 40] = "", *at = names;
	MDB_envinfo info;

	mdb_reader_list(db->env, on_reader, &readers);
	if (!mdb_env_info(db->env, &info) && readers.slots < info.me_maxreaders)
		return cause_set(cause, E_BUSY,
				 "cannot read store %.200s: another container "
				 "has it open, by a process of the same id, "
				 "%ld: run commands in the server's container "
				 "(docker exec), or in one of docker run "
				 "--init, where they get another id",
				 db_folder(db), (long)getpid());
	for (size_t i = 0; i < readers.len; i++)
		at += snprintf(at, (size_t)(names + sizeof(names) - at),
			       "%s%ld (%u of them)", i ? ", " : "",
			       readers.at[i].pid, readers.at[i].slots);
	return cause_set(cause, E_BUSY,
			 "cannot read store %.200s: all slots for readers are "
			 "taken, by process %.200s: end what hangs there",
			 db_folder(db), names);
}
