/* store/served.c - see the header. */
#include "store/served.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/db_own.h"
#include "store/folder.h"

/* Bytes of server.lock to lock. Side by side they would be one lock. */
enum { SAID_AT = 0, STEPS_AT = 2 };
/* The length of a lock has 63 bits. */
#define LOCKS_MASK (((uint64_t)1 << 62) - 1)

/* Its owner may have put anything there: nobody waits for who opens a FIFO. */
static int open_lock(const char *path, int how)
{
	int fd = open(path, how | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC,
		      S_IRUSR | S_IWUSR);
	struct stat st;

	if (fd < 0 || (!fstat(fd, &st) && S_ISREG(st.st_mode)))
		return fd;
	close(fd);
	errno = ENXIO;
	return -1;
}

static enum err no_lock(const char *path, struct cause *cause)
{
	if (errno != ENXIO && errno != ELOOP && errno != EISDIR)
		return cause_errno(cause, "cannot open it", path);
	return cause_set(cause, E_REFUSED,
			 "%s: is no regular file; remove it: the next start "
			 "makes it again",
			 path);
}

enum err served_lock(const char *folder, int *lock, struct cause *cause)
{
	struct path path = folder_path(folder, "server.lock");
	int fd = open_lock(path.at, O_RDWR | O_CREAT);

	*lock = -1;
	if (fd < 0)
		return no_lock(path.at, cause);
	/* server.lock, too, may have been removed. */
	if (!db_served(folder) && !flock(fd, LOCK_EX | LOCK_NB)) {
		*lock = fd;
		return E_OK;
	}
	close(fd);
	return cause_set(cause, E_BUSY,
			 "%s: another server uses this store; stop it first",
			 folder);
}

void served_unlock(int lock)
{
	if (lock >= 0)
		close(lock);
}

/* On server.lock. `len` 0: all that follows. */
static bool mark(int fd, int how, short type, off_t at, off_t len,
		 struct flock *lock)
{
	*lock = (struct flock) { .l_type = type,
				 .l_whence = SEEK_SET,
				 .l_start = at,
				 .l_len = len };
	return fd >= 0 && !fcntl(fd, how, lock);
}

static void say(const struct db *db)
{
	const struct reloads *is = &db->reloads;
	short said = is->stale ? F_WRLCK : *is->said ? F_RDLCK : F_UNLCK;
	struct flock own;

	/* All of it, each time: later it needs nothing more of the disk. */
	(void)!pwrite(db->lock, is->said, sizeof(is->said), 0);
	(void)mark(db->lock, F_SETLK, said, SAID_AT, 1, &own);
	(void)mark(db->lock, F_SETLK, F_WRLCK, STEPS_AT, is->steps, &own);
}

void db_reload_begins(struct db *db)
{
	db->reloads.steps++;
	say(db);
}

void db_reload_ends(struct db *db, bool stale, const char *said)
{
	db->reloads.steps++;
	db->reloads.stale = stale;
	snprintf(db->reloads.said, sizeof(db->reloads.said), "%s", said);
	say(db);
}

static bool hear_steps(int fd, struct reloads *out)
{
	struct flock other;

	*out = (struct reloads) { .steps = 0 };
	if (!mark(fd, F_GETLK, F_WRLCK, STEPS_AT, 0, &other) ||
	    other.l_type != F_WRLCK)
		return false;
	out->pid = other.l_pid > 0 ? other.l_pid : 0;
	out->steps = other.l_len;
	return true;
}

/* Its disk may have been full, or it may be about to write another text. */
static void hear_said(int fd, struct reloads *out)
{
	struct flock other;
	ssize_t n;

	if (!mark(fd, F_GETLK, F_WRLCK, SAID_AT, 1, &other) ||
	    other.l_type == F_UNLCK)
		return;
	out->stale = other.l_type == F_WRLCK;
	n = pread(fd, out->said, sizeof(out->said), 0);
	out->said[n > 0 ? n - 1 : 0] = '\0';
	if (!*out->said || out->steps % 2 == 0)
		snprintf(out->said, sizeof(out->said), "%s",
			 out->stale ? "its log says why" : "");
}

enum err db_reloads(const char *folder, struct reloads *out,
		    struct cause *cause)
{
	struct path path = folder_path(folder, "server.lock");
	AUTO(fd) int fd = open_lock(path.at, O_RDONLY);
	struct reloads again;

	*out = (struct reloads) { .steps = 0 };
	if (fd < 0 && errno != ENOENT)
		return no_lock(path.at, cause);
	while (hear_steps(fd, out)) {
		hear_said(fd, out);
		if (hear_steps(fd, &again) && again.steps == out->steps)
			return E_OK;
	}
	return E_NOT_FOUND;
}

bool db_reloaded(const struct reloads *before, const struct reloads *now)
{
	int64_t begun = before->steps / 2, ended = (now->steps - 1) / 2;

	return ended > begun;
}

static const struct flock served = {
	.l_type = F_RDLCK,
	.l_whence = SEEK_SET,
	.l_start = 1,
	.l_len = 1,
};

/* The store first: who sees a server without it takes it for replaced. */
void served_begin(struct db *db)
{
	struct flock own = served;
	int fd;

	own.l_len += (off_t)db->locks;
	/* The second where the first is not known (gVisor). */
	if (!mdb_env_get_fd(db->env, &fd) && fcntl(fd, F_OFD_SETLK, &own))
		(void)fcntl(fd, F_SETLK, &own);
	db->reloads.steps = 1;
	say(db);
}

/* *locks: the server's lock.mdb, 0 of who is no server. */
static bool has_server(int fd, uint64_t *locks)
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
	struct path path = folder_path(folder, "data.mdb");

	return open(path.at, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a FIFO? */
}

bool db_served(const char *folder)
{
	AUTO(fd) int fd = open_data(folder);
	uint64_t locks;

	return has_server(fd, &locks);
}

uint64_t served_locks(const char *folder)
{
	struct path path = folder_path(folder, "lock.mdb");
	struct stat st;

	return stat(path.at, &st) ? 0 : (uint64_t)st.st_ino & LOCKS_MASK;
}

enum err served_replaced(const char *folder, const char *name,
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

	return !db_reloads(folder, &is, NULL) && !has_server(fd, &its);
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
		return served_replaced(folder, "data.mdb", cause);
	if (has_server(fd, &its) && its && its != locks)
		return served_replaced(folder, "lock.mdb", cause);
	return E_OK;
}

enum err served_look(const struct db *db, const char *folder,
		     struct cause *cause)
{
	AUTO(fd) int fd = open_data(folder);

	return compare(db, folder, fd, served_locks(folder), cause);
}

enum err served_check(const struct db *db, struct cause *cause)
{
	int fd;

	if (mdb_env_get_fd(db->env, &fd))
		return E_OK;
	return compare(db, db_folder(db), fd, db->locks, cause);
}
