/* server/notify.c - see the header. */
#include "server/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/inherited.h"

enum { SAID_MAX = 1024 };

static const char *const variables[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC",
					 "WATCHDOG_PID" };

static struct {
	int fd;
	int64_t watchdog;
} manager = { .fd = -1 };

/* It may be meant for another process of the same environment. */
static int64_t read_watchdog(void)
{
	uint64_t pid, us;

	if (getenv("WATCHDOG_PID") &&
	    (str_to_u64(str_of(getenv("WATCHDOG_PID")), INT32_MAX, &pid) ||
	     pid != (uint64_t)getpid()))
		return 0;
	if (str_to_u64(str_of(getenv("WATCHDOG_USEC")), INT64_MAX, &us))
		return 0;
	return (int64_t)us / 1000;
}

/* A path, or "@name" of the abstract kind. */
static enum err dial(const char *path, struct cause *cause)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	socklen_t size =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);

	if (len < 2 || len >= sizeof(at.sun_path) ||
	    (*path != '/' && *path != '@'))
		return cause_set(cause, E_SYNTAX,
				 "NOTIFY_SOCKET: '%.120s' is no socket of the "
				 "file system; unset it",
				 path);
	memcpy(at.sun_path, path, len);
	if (*path == '@')
		at.sun_path[0] = '\0';
	manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (manager.fd >= 0 &&
	    !connect(manager.fd, (const struct sockaddr *)&at, size))
		return E_OK;
	cause_set(cause, E_IO,
		  "NOTIFY_SOCKET: %.120s: %s; unset it, or start dockpass as a "
		  "service of systemd",
		  path, strerror(errno));
	notify_close();
	return E_IO;
}

enum err notify_open(struct cause *cause)
{
	const char *path = getenv("NOTIFY_SOCKET");
	enum err err = path && *path ? dial(path, cause) : E_OK;

	if (manager.fd >= 0)
		manager.watchdog = read_watchdog();
	forget_variables(variables, COUNT(variables));
	return err;
}

void notify_close(void)
{
	if (manager.fd >= 0)
		close(manager.fd);
	manager.fd = -1;
	manager.watchdog = 0;
}

void notify_say(const char *fmt, ...)
{
	char said[SAID_MAX];
	va_list args;
	int len;

	if (manager.fd < 0)
		return;
	va_start(args, fmt);
	len = vsnprintf(said, sizeof(said), fmt, args);
	va_end(args);
	if (len >= (int)sizeof(said))
		len = (int)sizeof(said) - 1;
	/* One that has gone cannot be told. */
	if (len > 0)
		(void)!send(manager.fd, said, (size_t)len,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
}

int64_t notify_watchdog(void)
{
	return manager.watchdog;
}
