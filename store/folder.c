/* store/folder.c - see the header. */
#include "store/folder.h"
#include "token/word.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SET_ASIDE "data.mdb.damaged"

enum { OTHERS = S_IRWXG | S_IRWXO, FOLDER_MAX = PATH_MAX - 32 };
/* Bytes of server.lock to lock. Side by side they would be one lock. */
enum { SAID_AT = 0, STEPS_AT = 2 };

struct path {
	char at[PATH_MAX];
};

static struct path path_of(const char *folder, const char *name)
{
	struct path path;

	snprintf(path.at, sizeof(path.at), "%s/%s", folder, name);
	return path;
}

/* LMDB and mkdir() leave the names in a folder to the kernel's mood. */
enum err folder_sync(const char *path, struct cause *cause)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd))
		return cause_errno(cause, "cannot sync the folder", path);
	return E_OK;
}

static enum err check_mode(const char *path, const char *mode, bool missing_ok,
			   struct cause *cause)
{
	struct stat st;

	if (stat(path, &st)) {
		if (errno == ENOENT && missing_ok)
			return E_OK;
		return cause_errno(cause, "cannot open the store", path);
	}
	if (st.st_mode & OTHERS)
		return cause_set(cause, E_MODE,
				 "%s: group or others can read or write it; "
				 "run: chmod %s %s",
				 path, mode, word_of(path).at);
	return E_OK;
}

const char *folder_file(size_t i)
{
	static const char *const files[] = { "data.mdb", "lock.mdb",
					     "server.lock", SET_ASIDE };

	return i < COUNT(files) ? files[i] : NULL;
}

static bool is_store_file(const char *name)
{
	const char *file;

	for (size_t i = 0; (file = folder_file(i)); i++)
		if (!strcmp(name, file))
			return true;
	return !strcmp(name, ".") || !strcmp(name, "..");
}

/* Files of a creation that was cut short may be there, strange ones not. */
static enum err check_empty(const char *folder, struct cause *cause)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	enum err err = E_OK;

	if (!dir)
		return cause_errno(cause, "cannot read the folder", folder);
	while (!err && (entry = readdir(dir)))
		if (!is_store_file(entry->d_name))
			err = cause_set(cause, E_EXISTS,
					"%s: not empty; choose a new folder "
					"for the store",
					folder);
	closedir(dir);
	return err;
}

static enum err check_length(const char *folder, struct cause *cause)
{
	if (strlen(folder) <= FOLDER_MAX)
		return E_OK;
	return cause_set(cause, E_LIMIT, "the store's path is too long");
}

enum err folder_make(const char *folder, struct cause *cause)
{
	enum err err = check_length(folder, cause);

	if (err)
		return err;
	if (!mkdir(folder, S_IRWXU)) {
		struct path parent = path_of(folder, "..");

		return folder_sync(parent.at, cause);
	}
	if (errno != EEXIST)
		return cause_errno(cause, "cannot make the folder", folder);
	return check_empty(folder, cause);
}

enum err folder_empty(const char *folder, struct cause *cause)
{
	return cause_set(cause, E_NOT_FOUND,
			 "%s: no store there; name another folder in "
			 "dockpass.yaml, restore it from a backup, or init "
			 "another folder and move its store here",
			 folder);
}

enum err folder_check(const char *folder, bool create, struct cause *cause)
{
	struct path data = path_of(folder, "data.mdb");
	struct path lock = path_of(folder, "lock.mdb");
	struct stat st;
	enum err err = check_length(folder, cause);

	if (!err && !create && stat(folder, &st) && errno == ENOENT)
		return folder_empty(folder, cause);
	if (!err)
		err = check_mode(folder, "700", false, cause);
	if (!err)
		err = check_mode(data.at, "600", true, cause);
	if (!err)
		err = check_mode(lock.at, "600", true, cause);
	if (err || create)
		return err;
	/* LMDB would quietly make a new one. */
	if (stat(data.at, &st) || !st.st_size)
		return folder_empty(folder, cause);
	return E_OK;
}

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

/* The kernel releases it at the end of the process, however it ends. */
enum err folder_lock(const char *folder, int *lock, struct cause *cause)
{
	struct path path = path_of(folder, "server.lock");
	int fd = open_lock(path.at, O_RDWR | O_CREAT);

	*lock = -1;
	if (fd < 0)
		return no_lock(path.at, cause);
	/* server.lock, too, may have been removed. */
	if (!db_in_service(folder) && !flock(fd, LOCK_EX | LOCK_NB)) {
		*lock = fd;
		return E_OK;
	}
	close(fd);
	return cause_set(cause, E_BUSY,
			 "%s: another server uses this store; stop it first",
			 folder);
}

/* Another lock than that of flock(): nobody waits for it. `len` 0: all. */
static bool mark(int fd, int how, short type, off_t at, off_t len,
		 struct flock *lock)
{
	*lock = (struct flock) { .l_type = type,
				 .l_whence = SEEK_SET,
				 .l_start = at,
				 .l_len = len };
	return fd >= 0 && !fcntl(fd, how, lock);
}

void folder_say(int lock, const struct reloads *is)
{
	short said = is->stale ? F_WRLCK : *is->said ? F_RDLCK : F_UNLCK;
	struct flock own;

	/* All of it, each time: later it needs nothing more of the disk. */
	(void)!pwrite(lock, is->said, sizeof(is->said), 0);
	(void)mark(lock, F_SETLK, said, SAID_AT, 1, &own);
	(void)mark(lock, F_SETLK, F_WRLCK, STEPS_AT, is->steps, &own);
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

bool folder_hear(const char *folder, struct reloads *out)
{
	struct path path = path_of(folder, "server.lock");
	AUTO(fd) int fd = open_lock(path.at, O_RDONLY);
	struct reloads again;

	while (hear_steps(fd, out)) {
		hear_said(fd, out);
		if (hear_steps(fd, &again) && again.steps == out->steps)
			return true;
	}
	return false;
}

enum err folder_look(const char *folder, struct cause *cause)
{
	struct path path = path_of(folder, "server.lock");
	AUTO(fd) int fd = open_lock(path.at, O_RDONLY);

	return fd >= 0 || errno == ENOENT ? E_OK : no_lock(path.at, cause);
}

void folder_unlock(int lock)
{
	if (lock >= 0)
		close(lock);
}

enum err folder_drop_locks(const char *folder, struct cause *cause)
{
	struct path data = path_of(folder, "data.mdb");
	struct path locks = path_of(folder, "lock.mdb");

	if (access(data.at, F_OK) && !access(locks.at, F_OK) &&
	    unlink(locks.at))
		return cause_errno(cause, "cannot remove it", locks.at);
	return E_OK;
}

enum err folder_set_aside(const char *folder, struct cause *cause)
{
	struct path data = path_of(folder, "data.mdb");
	struct path aside = path_of(folder, SET_ASIDE);
	int lock;
	enum err err = folder_lock(folder, &lock, cause);

	if (err)
		return err;
	if (!access(aside.at, F_OK))
		err = cause_set(cause, E_EXISTS,
				"%s: is there from another time: move it away",
				aside.at);
	else if (rename(data.at, aside.at) && errno != ENOENT)
		err = cause_errno(cause, "cannot rename it", data.at);
	else
		err = folder_drop_locks(folder, cause);
	folder_unlock(lock);
	return err ? err : folder_sync(folder, cause);
}

/* What is written when it happens: a signal's handler may not print. */
static struct {
	size_t len;
	char at[PATH_MAX + 320];
} last_words;

/* No return value of LMDB can tell. It is safe at any point, as kill -9 is. */
void folder_damaged(void)
{
	(void)!write(STDERR_FILENO, last_words.at, last_words.len);
	_exit(1);
}

static void on_damage(int number)
{
	(void)number;
	folder_damaged();
}

void folder_tame_signals(const char *folder)
{
	const struct sigaction action = { .sa_handler = on_damage };
	struct path data = path_of(folder, "data.mdb");

	snprintf(last_words.at, sizeof(last_words.at),
		 "dockpass: %s: damaged or cut short, or its disk is full or "
		 "fails; free some space, or " STORE_MEND "\n",
		 data.at);
	last_words.len = strlen(last_words.at);
	sigaction(SIGBUS, &action, NULL);
	signal(SIGXFSZ, SIG_IGN);
}
