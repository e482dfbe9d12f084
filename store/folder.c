/* store/folder.c - see the header. */
#include "store/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/served.h"
#include "token/word.h"

#define SET_ASIDE "data.mdb.damaged"

enum { OTHERS = S_IRWXG | S_IRWXO, FOLDER_MAX = PATH_MAX - 32 };

struct path folder_path(const char *folder, const char *name)
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
		struct path parent = folder_path(folder, "..");

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
	struct path data = folder_path(folder, "data.mdb");
	struct path lock = folder_path(folder, "lock.mdb");
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

enum err folder_drop_locks(const char *folder, struct cause *cause)
{
	struct path data = folder_path(folder, "data.mdb");
	struct path locks = folder_path(folder, "lock.mdb");

	if (access(data.at, F_OK) && !access(locks.at, F_OK) &&
	    unlink(locks.at))
		return cause_errno(cause, "cannot remove it", locks.at);
	return E_OK;
}

enum err folder_set_aside(const char *folder, struct cause *cause)
{
	struct path data = folder_path(folder, "data.mdb");
	struct path aside = folder_path(folder, SET_ASIDE);
	int lock;
	enum err err = served_lock(folder, &lock, cause);

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
	served_unlock(lock);
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
	struct path data = folder_path(folder, "data.mdb");

	snprintf(last_words.at, sizeof(last_words.at),
		 "dockpass: %s: damaged or cut short, or its disk is full or "
		 "fails; free some space, or " STORE_MEND "\n",
		 data.at);
	last_words.len = strlen(last_words.at);
	sigaction(SIGBUS, &action, NULL);
	signal(SIGXFSZ, SIG_IGN);
}
