/*
 * store/holder.c - who holds the store's lock, who reads: see store/db.h.
 *
 * LMDB's lock does not tell whose it is. So whoever has it also takes a lock
 * of the kernel's on the first byte of data.mdb, which LMDB never locks: of
 * that the kernel tells the process, and it ends with it. It orders nothing,
 * nobody waits for it: another program may have it, then the holder is not
 * known. A server has one on the second byte, for as long as the file is open.
 */
#include "store/db_own.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static const struct flock served = {
	.l_type = F_RDLCK,
	.l_whence = SEEK_SET,
	.l_start = 1,
	.l_len = 1,
};

void holder_serve(const struct db *db)
{
	struct flock own = served;
	int fd;

	if (!mdb_env_get_fd(db->env, &fd))
		(void)fcntl(fd, F_OFD_SETLK, &own);
}

bool db_in_service(const char *folder)
{
	struct flock other = served;
	char path[PATH_MAX];
	AUTO(fd) int fd = -1;

	snprintf(path, sizeof(path), "%s/data.mdb", folder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	other.l_type = F_WRLCK;
	return fd >= 0 && !fcntl(fd, F_GETLK, &other) &&
	       other.l_type != F_UNLCK;
}

void db_on_wait(struct db *db, void (*on_wait)(const struct db *db, bool on))
{
	db->on_wait = on_wait;
}

struct readers {
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
	if (pid <= 0 || i == NAMED_MAX)
		return 0;
	readers->len += i == readers->len;
	readers->at[i].pid = pid;
	readers->at[i].slots++;
	return 0;
}

enum err readers_full(const struct db *db, struct cause *cause)
{
	struct readers readers = { .len = 0 };
	char names[NAMED_MAX * 40] = "", *at = names;

	mdb_reader_list(db->env, on_reader, &readers);
	for (size_t i = 0; i < readers.len; i++)
		at += snprintf(at, (size_t)(names + sizeof(names) - at),
			       "%s%ld (%u of them)", i ? ", " : "",
			       readers.at[i].pid, readers.at[i].slots);
	return cause_set(cause, E_BUSY,
			 "cannot read store %.200s: all slots for readers are "
			 "taken, by process %.200s: end what hangs there",
			 db_folder(db), names);
}
