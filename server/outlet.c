/* server/outlet.c - see the header. */
#include "server/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "server/log.h"
#include "server/sandbox.h"
#include "token/word.h"

#define DEV_LOG "/dev/log"

enum {
	FILE_MODE = S_IRUSR | S_IWUSR,
	/* A group of readers, as logrotate's `create 0640 dockpass adm`. */
	FORBIDDEN = S_IWGRP | S_IXGRP | S_IRWXO,
	TURNS = 3,
	ROOM_MS = 200, /* for a daemon that is slow */
	HEAD_MAX = 64  /* "<30>Nov 26 01:02:03 dockpass[4711]: " */
};

struct outlet {
	int fd;	      /* -1: no socket now */
	int error;    /* an errno, of the last try */
	int facility; /* of syslog; -1: a file */
	char *path;
	char message[HEAD_MAX + LINE_MAX_BYTES]; /* of syslog */
};

static const struct {
	const char *name;
	int number;
} facilities[] = {
	{ "auth", LOG_AUTH },	  { "authpriv", LOG_AUTHPRIV },
	{ "daemon", LOG_DAEMON }, { "local0", LOG_LOCAL0 },
	{ "local1", LOG_LOCAL1 }, { "local2", LOG_LOCAL2 },
	{ "local3", LOG_LOCAL3 }, { "local4", LOG_LOCAL4 },
	{ "local5", LOG_LOCAL5 }, { "local6", LOG_LOCAL6 },
	{ "local7", LOG_LOCAL7 }, { "user", LOG_USER },
};

bool outlet_facility(const char *name, int *out)
{
	for (size_t i = 0; i < COUNT(facilities); i++)
		if (!strcmp(facilities[i].name, name)) {
			*out = facilities[i].number;
			return true;
		}
	return false;
}

static enum err check_mode(const struct stat *st, const char *path,
			   struct cause *cause)
{
	if (S_ISDIR(st->st_mode))
		return cause_set(cause, E_IO,
				 "%.300s: is a folder; name a file in it",
				 path);
	if (!S_ISREG(st->st_mode))
		return cause_set(cause, E_IO,
				 "%.300s: is no file; without log.file the log "
				 "goes to standard error",
				 path);
	if (st->st_mode & FORBIDDEN)
		return cause_set(cause, E_MODE,
				 "%.300s: others can read or write it; run: "
				 "chmod 640 %s",
				 path, word_of(path).at);
	return E_OK;
}

static enum err denied(const char *path, struct cause *cause)
{
	if (errno == EACCES && sandbox_hides(path, true, cause))
		return E_REFUSED;
	if (errno == ELOOP)
		return cause_set(cause, E_REFUSED,
				 "%.300s: is a link, and may lead anywhere; "
				 "name the file itself",
				 path);
	if (errno == EACCES)
		return cause_set(cause, errno_err(errno),
				 "%.300s: cannot open it: %s; the server runs "
				 "as user %u: let it write there, by chown or "
				 "chmod",
				 path, strerror(errno), geteuid());
	return cause_set(cause, errno_err(errno),
			 "%.300s: cannot open it: %s%s", path, strerror(errno),
			 errno_advice(errno));
}

enum err outlet_check(const char *path, struct cause *cause)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	struct stat st;

	if (!lstat(path, &st)) {
		enum err err;

		errno = ELOOP;
		if (S_ISLNK(st.st_mode))
			return denied(path, cause);
		err = check_mode(&st, path, cause);

		return err || !access(path, W_OK) ? err : denied(path, cause);
	}
	snprintf(folder, sizeof(folder), "%.*s",
		 slash ? (int)(slash - path + 1) : 1, slash ? path : ".");
	if (stat(folder, &st) || !S_ISDIR(st.st_mode))
		return cause_set(cause, E_NOT_FOUND,
				 "%.300s: there is no such folder; make it, "
				 "and give it to the server's user",
				 folder);
	return access(folder, W_OK | X_OK) ? denied(path, cause) : E_OK;
}

static struct outlet *outlet_new(const char *path)
{
	struct outlet *outlet = calloc(1, sizeof(*outlet));

	assert(outlet);
	outlet->path = strdup(path);
	assert(outlet->path);
	outlet->fd = outlet->facility = -1;
	return outlet;
}

/* NONBLOCK: a pipe that nobody reads must not hold up the start. */
enum err outlet_file(const char *path, struct outlet **out, struct cause *cause)
{
	int fd = open(path,
		      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY |
			      O_NONBLOCK | O_NOFOLLOW,
		      FILE_MODE);
	struct stat st;
	enum err err;

	*out = NULL;
	if (fd < 0)
		return denied(path, cause);
	err = fstat(fd, &st) ? E_IO : check_mode(&st, path, cause);
	if (err) {
		close(fd);
		return err;
	}
	*out = outlet_new(path);
	(*out)->fd = fd;
	return E_OK;
}

struct outlet *outlet_syslog(const char *facility)
{
	struct outlet *outlet = outlet_new(DEV_LOG);
	bool known = outlet_facility(facility, &outlet->facility);

	assert(known);
	return outlet;
}

void outlet_free(struct outlet *outlet)
{
	if (!outlet)
		return;
	if (outlet->fd >= 0)
		close(outlet->fd);
	free(outlet->path);
	free(outlet);
}

void outlet_why(const struct outlet *outlet, struct cause *out)
{
	cause_set(out, E_OK, "%.300s: %s%s", outlet->path,
		  strerror(outlet->error), errno_remedy(outlet->error));
}

/* Up to and with the last line feed of the first `n` bytes. */
static size_t whole_lines(struct str first, struct str second, size_t n)
{
	while (n && (n <= first.len ? first.at[n - 1]
				    : second.at[n - 1 - first.len]) != '\n')
		n--;
	return n;
}

/* The disk was full in the middle of a line: its beginning is taken back. */
static void take_back(const struct outlet *outlet, size_t torn)
{
	struct stat st;

	if (torn && !fstat(outlet->fd, &st) && st.st_size >= (off_t)torn)
		(void)!ftruncate(outlet->fd, st.st_size - (off_t)torn);
}

static size_t write_file(struct outlet *outlet, struct str first,
			 struct str second)
{
	const struct iovec parts[] = {
		{ (void *)(uintptr_t)first.at, first.len },
		{ (void *)(uintptr_t)second.at, second.len },
	};
	size_t all = first.len + second.len, whole;
	ssize_t n;

	do
		n = writev(outlet->fd, parts, COUNT(parts));
	while (n < 0 && errno == EINTR);
	outlet->error = n < 0		  ? errno
			: (size_t)n < all ? ENOSPC /* or it would go on */
					  : 0;
	if (n <= 0)
		return 0;
	whole = whole_lines(first, second, (size_t)n);
	take_back(outlet, (size_t)n - whole);
	return whole;
}

static bool is_connected(struct outlet *outlet)
{
	const struct sockaddr_un address = { .sun_family = AF_UNIX,
					     .sun_path = DEV_LOG };

	if (outlet->fd >= 0)
		return true;
	outlet->fd =
		socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (outlet->fd >= 0 &&
	    !connect(outlet->fd, (const struct sockaddr *)&address,
		     sizeof(address)))
		return true;
	outlet->error = errno;
	if (outlet->fd >= 0)
		close(outlet->fd);
	outlet->fd = -1;
	return false;
}

/* RFC 3164 as daemons read it on /dev/log: without a host, local time. */
static size_t print_message(struct outlet *outlet, const char *line, size_t len)
{
	static const int severities[] = {
		[LEVEL_INFO] = LOG_INFO,
		[LEVEL_WARNING] = LOG_WARNING,
		[LEVEL_ERROR] = LOG_ERR,
	};
	enum log_level level = log_line_level((struct str) { line, len });
	time_t now = time(NULL);
	char stamp[32] = "";
	struct tm tm;
	int head;

	if (localtime_r(&now, &tm))
		strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm);
	head = snprintf(outlet->message, HEAD_MAX, "<%d>%s dockpass[%d]: ",
			outlet->facility | severities[level], stamp,
			(int)getpid());
	memcpy(outlet->message + head, line, len);
	return (size_t)head + len;
}

/* A daemon that was started again has another socket. */
static bool send_message(struct outlet *outlet, size_t len)
{
	for (int turn = 0; turn < TURNS && is_connected(outlet); turn++) {
		struct pollfd room = { .fd = outlet->fd, .events = POLLOUT };

		if (send(outlet->fd, outlet->message, len, MSG_NOSIGNAL) >= 0)
			return true;
		outlet->error = errno;
		if (errno == EAGAIN && poll(&room, 1, ROOM_MS) > 0)
			continue;
		if (errno == EAGAIN || errno == ENOBUFS)
			return false;
		close(outlet->fd);
		outlet->fd = -1;
	}
	return false;
}

static size_t write_syslog(struct outlet *outlet, struct str first,
			   struct str second)
{
	size_t done = 0, all = first.len + second.len;
	static char line[LINE_MAX_BYTES]; /* the log thread alone is here */

	outlet->error = 0;
	while (done < all) {
		size_t n = 0;
		char c = '\0';

		for (; done + n < all && c != '\n'; n++) {
			size_t at = done + n;

			c = at < first.len ? first.at[at]
					   : second.at[at - first.len];
			if (n < sizeof(line))
				line[n] = c;
		}
		if (c != '\n' ||
		    !send_message(outlet, print_message(outlet, line, n - 1)))
			break;
		done += n;
	}
	return done;
}

size_t outlet_write(struct outlet *outlet, struct str first, struct str second)
{
	if (outlet->facility < 0)
		return write_file(outlet, first, second);
	return write_syslog(outlet, first, second);
}
