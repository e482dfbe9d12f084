/*
 * store/holder.c - who holds the store's lock, who reads: see store/db.h.
 *
 * LMDB's lock does not tell whose it is. So whoever has it also takes a lock
 * of the kernel's on the first byte of data.mdb, which LMDB never locks: of
 * that the kernel tells the process, and it ends with it. It orders nothing,
 * nobody waits for it: another program may have it, then the holder is not
 * known. A server has one from the second byte on, for as long as the file is
 * open: as long as one byte and the number of its lock.mdb's inode. That one
 * is removed or replaced (rm, rsync) with no word to who has it, and must not
 * be opened a second time by who has: closing it would give LMDB's locks away.
 */
#include "store/db_own.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMED_MAX = 8 }; /* processes */
/* The length of a lock has 63 bits. */
#define LOCKS_MASK (((uint64_t)1 << 62) - 1)

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

	own.l_len += (off_t)db->locks;
	/* The second where the first is not known (gVisor). */
	if (!mdb_env_get_fd(db->env, &fd) && fcntl(fd, F_OFD_SETLK, &own))
		(void)fcntl(fd, F_SETLK, &own);
}

/* *locks: the server's lock.mdb, 0 of who is no server. */
static bool is_served(int fd, uint64_t *locks)
{
	struct flock other = served;

	*locks = 0;
	other.l_type = F_WRLCK;
	if (fd < 0 || fcntl(fd, F_GETLK, &other) || other.l_type == F_UNLCK)
		return false;
	if (other.l_start == served.l_start && other.l_len > served.l_len)
		*locks = (uint64_t)(other.l_len - served.l_len);
	return true;
}

static int open_data(const char *folder)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/data.mdb", folder);
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a FIFO? */
}

bool db_in_service(const char *folder)
{
	AUTO(fd) int fd = open_data(folder);
	uint64_t locks;

	return is_served(fd, &locks);
}

uint64_t holder_locks(const char *folder)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/lock.mdb", folder);
	return stat(path, &st) ? 0 : (uint64_t)st.st_ino & LOCKS_MASK;
}

enum err file_replaced(const char *folder, const char *name,
		       struct cause *cause)
{
	return cause_set(cause, E_BUSY,
			 "%.400s/%s was removed or replaced while a server has "
			 "the store: restart the server (systemctl restart "
			 "dockpass)",
			 folder, name);
}

/*
 * A server says that it has this data.mdb before it says that it is there, and
 * takes it back after that: who looks in the same moment has to look twice.
 */
static bool has_another(const char *folder, int fd)
{
	struct reloads is;
	uint64_t its;

	return db_reloads(folder, &is) && !is_served(fd, &its);
}

/* No server asks: it would give away what it says itself, by looking. */
static enum err compare(const struct db *db, const char *folder, int fd,
			uint64_t locks, struct cause *cause)
{
	uint64_t its;

	if (db->lock >= 0)
		return E_OK;
	if (fd < 0)
		return E_OK; /* there is none: LMDB will say so */
	if (has_another(folder, fd) && has_another(folder, fd))
		return file_replaced(folder, "data.mdb", cause);
	if (is_served(fd, &its) && its && its != locks)
		return file_replaced(folder, "lock.mdb", cause);
	return E_OK;
}

enum err holder_look(const struct db *db, const char *folder,
		     struct cause *cause)
{
	AUTO(fd) int fd = open_data(folder);

	return compare(db, folder, fd, holder_locks(folder), cause);
}

enum err holder_check(const struct db *db, struct cause *cause)
{
	int fd;

	if (mdb_env_get_fd(db->env, &fd))
		return E_OK;
	return compare(db, db_folder(db), fd, db->locks, cause);
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
