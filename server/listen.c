/* server/listen.c - see the header. */
#include "server/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/util.h>

#include "server/inherited.h"

enum {
	BACKLOG = 4096,
	/* The longest answer fits; the kernel would keep megabytes unread. */
	UNREAD = 64 * 1024
};

struct place {
	struct sockaddr_storage at;
	int len;
};

/* Accepted connections have it from there. */
static void pass_on(int fd)
{
	int one = 1, unread = UNREAD;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &unread, sizeof(unread));
}

static int bind_one(struct place *place, bool shared)
{
	struct sockaddr *at = (struct sockaddr *)&place->at;
	socklen_t len = (socklen_t)place->len;
	int one = 1, error;
	int fd = socket(at->sa_family,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (at->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	pass_on(fd);
	if (!bind(fd, at, len) && !listen(fd, BACKLOG) &&
	    !getsockname(fd, at, &len)) /* port 0: the rest take the same */
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static enum err explain(const char *address, const char *option,
			struct cause *cause)
{
	if (errno == EADDRINUSE)
		return cause_set(cause, E_BUSY,
				 "%s is taken by another process: end it, or "
				 "choose another address under %s",
				 address, option);
	if (errno == EACCES)
		return cause_set(cause, E_REFUSED,
				 "%s may not be bound by this user: choose a "
				 "port of 1024 or more, or have systemd listen "
				 "(dockpass.socket)",
				 address);
	return cause_set(cause, E_IO,
			 "%s cannot be bound: %s; choose an address of this "
			 "machine under %s",
			 address, strerror(errno), option);
}

/* One queue for all, which outlives us: nothing in it is lost by a restart. */
static enum err share(int fd, unsigned count, size_t stride, int *sockets,
		      struct cause *cause)
{
	pass_on(fd);
	sockets[0] = fd;
	for (unsigned i = 1; i < count; i++) {
		sockets[i * stride] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (sockets[i * stride] < 0)
			return cause_set(cause, E_IO,
					 "no descriptor for a worker: %s",
					 strerror(errno));
	}
	return E_OK;
}

/* `count` times, into sockets[0], sockets[stride] ... */
static enum err listen_open(const char *address, const char *option,
			    struct inherited *inherited, unsigned count,
			    size_t stride, int *sockets, struct cause *cause)
{
	struct place place = { .len = sizeof(place.at) };
	enum err err = E_OK;
	unsigned done = 0;
	int probe;

	if (evutil_parse_sockaddr_port(address, (struct sockaddr *)&place.at,
				       &place.len))
		return cause_set(cause, E_SYNTAX,
				 "%s is no ADDRESS:PORT (127.0.0.1:5001, "
				 "[::1]:5001)",
				 address);
	probe = inherited_take(inherited, (struct sockaddr *)&place.at);
	if (probe >= 0)
		return share(probe, count, stride, sockets, cause);
	/* Alone first: a second server must not share the address. */
	probe = bind_one(&place, false);
	if (probe < 0)
		return explain(address, option, cause);
	close(probe);
	for (; done < count && !err; done++) {
		sockets[done * stride] = bind_one(&place, true);
		if (sockets[done * stride] < 0)
			err = explain(address, option, cause);
	}
	return err;
}

enum err sockets_open(const struct config *config, unsigned workers,
		      struct sockets *out, struct cause *cause)
{
	unsigned n = config->listeners_count;
	struct sockets sockets = { n + 1, (n + 1) * workers, NULL };
	struct inherited inherited;
	enum err err = inherited_open(&inherited, cause), left;

	sockets.at = malloc(sockets.len * sizeof(int));
	assert(sockets.at);
	for (size_t i = 0; i < sockets.len; i++)
		sockets.at[i] = -1;
	for (unsigned i = 0; i < n && !err; i++)
		err = listen_open(config->listeners[i].address, "listeners",
				  &inherited, workers, sockets.row,
				  sockets.at + i, cause);
	if (!err && *config->admin.address)
		err = listen_open(config->admin.address, "admin", &inherited,
				  workers, sockets.row, sockets.at + n, cause);
	left = inherited_close(&inherited, err ? NULL : cause);
	if (!err)
		err = left;
	if (err)
		sockets_close(&sockets);
	*out = sockets;
	return err;
}

const int *sockets_of(const struct sockets *sockets, unsigned worker)
{
	return sockets->at + worker * sockets->row;
}

void sockets_given(struct sockets *sockets, unsigned worker)
{
	for (size_t i = 0; i < sockets->row; i++)
		sockets->at[worker * sockets->row + i] = -1;
}

void sockets_close(struct sockets *sockets)
{
	for (size_t i = 0; i < sockets->len; i++)
		if (sockets->at[i] >= 0)
			close(sockets->at[i]);
	free(sockets->at);
	*sockets = (struct sockets) { 0 };
}
