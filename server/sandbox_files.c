/*
 * server/sandbox_files.c - which files can be opened (Landlock); the only place
 * that includes linux/landlock.h.
 *
 * A file of the configuration is allowed with the folder around it: it is
 * replaced by another of its name (editors, certbot, logrotate, a mounted
 * secret), which is another file for the kernel. So is the folder of the file
 * that a symbolic link leads to. The store is open already: no name in it is
 * allowed. Nothing can be executed, nothing made but a log file.
 *
 * Looking at a file (stat) and connecting to a socket in the file system
 * (/dev/log) is not Landlock's.
 */
#include "server/sandbox_own.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/landlock.h>

/* By their numbers, as Debian 12's header ends with ABI 2. */
enum {
	FS_OF_ABI_1 = (1 << 13) - 1, /* up to MAKE_SYM */
	FS_REFER = 1 << 13,	     /* ABI 2 */
	FS_TRUNCATE = 1 << 14,	     /* ABI 3 */
	FS_IOCTL_DEV = 1 << 15,	     /* ABI 5 */
	NET_BIND_TCP = 1 << 0,	     /* ABI 4 */
	SCOPE_SOCKETS = 1 << 0,	     /* ABI 6: abstract ones, of others */
	SCOPE_SIGNALS = 1 << 1,	     /* ABI 6: to others */
};

enum {
	READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	APPEND = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
		 FS_TRUNCATE, /* what was torn is cut off */
	OF_A_FILE = LANDLOCK_ACCESS_FS_READ_FILE |
		    LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE,
};

/* struct landlock_ruleset_attr as of ABI 6; an older kernel takes zeros. */
struct ruleset {
	uint64_t fs, net, scopes;
};

/* malloc, time zones, modules that are loaded when a name is looked up. */
static const char *const system_paths[] = {
	"/usr",		  "/lib", "/lib64",
	"/etc/localtime", "/sys", "/proc/sys/vm/overcommit_memory",
};
/*
 * Names and authorities of whom something is sent to. All of it: resolv.conf
 * and hosts are replaced while the server runs.
 */
#define NAMES "/etc/resolv.conf"

/* What a path needs: where it is, and where it leads to; "": nowhere. */
struct need {
	const char *path;
	char at[2][PATH_MAX];
	uint64_t access;
};
typedef bool visitor(const struct need *need); /* true: enough */

/*
 * Real paths, of files or of folders with all that is below. The kernel knows
 * the file or folder, not its name: one that took the name since is another.
 */
struct grant {
	char *path;
	uint64_t access;
	dev_t device;
	ino_t number;
};

enum { GRANTS_MAX = 512 };

static struct {
	bool on;
	size_t len;
	struct grant at[GRANTS_MAX];
} granted;

static void real(const char *path, char out[PATH_MAX])
{
	if (!realpath(path, out))
		out[0] = '\0';
}

/* The folder around a file; of "/" the file alone. */
static void folder_around(const char *path, char out[PATH_MAX])
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int len = slash ? (int)(slash - path) : 1;

	if (slash == path)
		real(path, out);
	else if (snprintf(folder, sizeof(folder), "%.*s", len,
			  slash ? path : ".") < (int)sizeof(folder))
		real(folder, out);
}

/* Of a file that may be replaced, or be a link to one that may. */
static void file_need(const char *path, uint64_t access, struct need *need)
{
	char leads[PATH_MAX];

	*need = (struct need) { .path = path, .access = access };
	folder_around(path, need->at[0]);
	real(path, leads);
	if (*leads)
		folder_around(leads, need->at[1]);
}

static bool visit_option(const struct config *config, const char *path,
			 visitor *visit)
{
	struct need need = { .path = path, .access = READ };

	if (!path || path == config->store)
		return false;
	if (path == config->keys || path == config->public)
		real(path, need.at[0]);
	else
		file_need(path, path == config->log.file ? APPEND : READ,
			  &need);
	return visit(&need);
}

/* The path that visit() found to be enough, and where it is set; NULL: none. */
static const char *visit_all(const struct config *config, visitor *visit,
			     const char **place)
{
	const char *const *at;
	struct need need;

	for (size_t i = 0; (at = config_path_at(config, i)); i++) {
		*place = config_path_place(config, i);
		if (visit_option(config, *at, visit))
			return *at;
	}
	*place = "";
	if (visit_option(config, config->path, visit))
		return config->path;
	if (!config->mail.url && !config->hook.url)
		return NULL;
	*place = config_place(config,
			      config->mail.url ? "mail.url" : "webhook.url");
	file_need(NAMES, READ, &need);
	return visit(&need) ? NAMES : NULL;
}

static bool lies_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return !strncmp(path, folder, len) &&
	       (!path[len] || path[len] == '/' || len == 1);
}

static bool covers(const struct grant *grant, const char *path, uint64_t access)
{
	return lies_below(path, grant->path) &&
	       (grant->access & access) == access;
}

static bool is_granted(const char *path, uint64_t access)
{
	for (size_t i = 0; i < granted.len; i++)
		if (covers(&granted.at[i], path, access))
			return true;
	return false;
}

static bool is_as_it_was(const struct grant *grant)
{
	struct stat st;

	return !stat(grant->path, &st) && st.st_dev == grant->device &&
	       st.st_ino == grant->number;
}

static enum reach reach_of(const char *path, uint64_t access)
{
	enum reach found = REACH_BEYOND;

	for (size_t i = 0; i < granted.len; i++) {
		if (!covers(&granted.at[i], path, access))
			continue;
		if (is_as_it_was(&granted.at[i]))
			return REACH_FINE;
		found = REACH_ANOTHER;
	}
	return found;
}

static void grant(const char *path, uint64_t access)
{
	struct grant *next = &granted.at[granted.len];

	if (!*path || is_granted(path, access) || granted.len == GRANTS_MAX)
		return;
	next->path = strdup(path);
	assert(next->path);
	next->access = access;
	granted.len++;
}

static bool grant_need(const struct need *need)
{
	for (size_t i = 0; i < COUNT(need->at); i++)
		grant(need->at[i], need->access);
	return false;
}

static bool is_missing(const struct need *need)
{
	for (size_t i = 0; i < COUNT(need->at); i++)
		if (*need->at[i] && !is_granted(need->at[i], need->access))
			return true;
	return false;
}

static void grant_all(const struct config *config)
{
	char path[PATH_MAX];
	const char *place;

	for (size_t i = 0; i < COUNT(system_paths); i++) {
		real(system_paths[i], path);
		grant(path, READ);
	}
	visit_all(config, grant_need, &place);
}

/* E: an errno; 0 is fine. */
static int add_rule(int rules, struct grant *grant, uint64_t handled)
{
	AUTO(fd) int fd = open(grant->path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr attr = {
		.allowed_access = grant->access & handled,
		.parent_fd = fd,
	};
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return errno == ENOENT || errno == EACCES ? 0 : errno;
	grant->device = st.st_dev;
	grant->number = st.st_ino;
	if (!S_ISDIR(st.st_mode))
		attr.allowed_access &= OF_A_FILE;
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH,
		    &attr, 0))
		return errno;
	return 0;
}

static struct ruleset ruleset_of(long abi)
{
	struct ruleset all = { .fs = FS_OF_ABI_1 };

	if (abi >= 2)
		all.fs |= FS_REFER;
	if (abi >= 3)
		all.fs |= FS_TRUNCATE;
	if (abi >= 4)
		all.net |= NET_BIND_TCP;
	if (abi >= 5)
		all.fs |= FS_IOCTL_DEV;
	if (abi >= 6)
		all.scopes |= SCOPE_SOCKETS | SCOPE_SIGNALS;
	return all;
}

static int restrict_self(const struct config *config, long abi)
{
	const struct ruleset all = ruleset_of(abi);
	AUTO(fd)
	int rules =
		(int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
	int error = 0;

	if (rules < 0)
		return errno;
	grant_all(config);
	for (size_t i = 0; i < granted.len && !error; i++)
		error = add_rule(rules, &granted.at[i], all.fs);
	if (!error && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		       syscall(SYS_landlock_restrict_self, rules, 0)))
		error = errno;
	return error;
}

bool files_restrict(const struct config *config, char said[SANDBOX_SAID])
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
			   LANDLOCK_CREATE_RULESET_VERSION);
	int error = abi < 0 ? errno : restrict_self(config, abi);

	granted.on = !error;
	if (error)
		snprintf(said, SANDBOX_SAID, "Landlock (%s)",
			 error == ENOSYS || error == EOPNOTSUPP
				 ? "the kernel has none, or it is switched off"
				 : strerror(error));
	else
		snprintf(said, SANDBOX_SAID, "Landlock ABI %ld", abi);
	return !error;
}

enum reach files_reach(const char *path, bool append)
{
	struct need need;
	struct stat st;

	if (!granted.on)
		return REACH_FINE;
	file_need(path, append ? APPEND : READ, &need);
	if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
		real(path, need.at[0]);
		need.at[1][0] = '\0';
	}
	for (size_t i = 0; i < COUNT(need.at); i++) {
		enum reach reach = *need.at[i]
					   ? reach_of(need.at[i], need.access)
					   : REACH_FINE;

		if (reach != REACH_FINE)
			return reach;
	}
	return REACH_FINE;
}

const char *files_missing(const struct config *config, const char **place)
{
	return granted.on ? visit_all(config, is_missing, place) : NULL;
}
