/* server/inherited.c - see the header. */
#include "server/inherited.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST = 3, TEXT_MAX = 64 };

static const char *const variables[] = { "LISTEN_PID", "LISTEN_FDS",
					 "LISTEN_FDNAMES" };

void forget_variables(const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		unsetenv(names[i]);
}

/* 0: none, or for another process. */
static enum err count(uint64_t *out, struct cause *cause)
{
	const char *number = getenv("LISTEN_FDS");
	uint64_t pid;

	*out = 0;
	if (!number ||
	    str_to_u64(str_of(getenv("LISTEN_PID")), INT32_MAX, &pid) ||
	    pid != (uint64_t)getpid())
		return E_OK;
	if (!str_to_u64(str_of(number), INHERITED_MAX, out))
		return E_OK;
	return cause_set(cause, E_SYNTAX,
			 "LISTEN_FDS: '%.40s' is no number up to %d", number,
			 INHERITED_MAX);
}

static int option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) ? -1 : value;
}

/* What is wrong with it, or NULL. */
static const char *fault_of(int fd, struct sockaddr_storage *at)
{
	socklen_t len = sizeof(*at);

	if (getsockname(fd, (struct sockaddr *)at, &len) ||
	    option_of(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM ||
	    (at->ss_family != AF_INET && at->ss_family != AF_INET6))
		return "no TCP socket; write ListenStream=ADDRESS:PORT";
	if (option_of(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1)
		return "it does not listen; write Accept=no";
	if (at->ss_family == AF_INET6 &&
	    option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 1)
		return "takes IPv4 clients as IPv6 ones; write "
		       "BindIPv6Only=ipv6-only, and a ListenStream= for each";
	return NULL;
}

static bool prepare(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && !fcntl(fd, F_SETFL, flags | O_NONBLOCK) &&
	       !fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void close_all(struct inherited *inherited)
{
	for (size_t i = 0; i < inherited->len; i++)
		if (inherited->row[i].fd >= 0)
			close(inherited->row[i].fd);
	inherited->len = 0;
}

enum err inherited_open(struct inherited *out, struct cause *cause)
{
	struct str names = str_of(getenv("LISTEN_FDNAMES")), name;
	uint64_t n;
	enum err err = count(&n, cause);

	*out = (struct inherited) { .len = n };
	for (size_t i = 0; i < n; i++) {
		const char *fault;
		int fd = FIRST + (int)i;

		out->row[i].fd = fd;
		str_cut(&names, ':', &name);
		print_copy(name, out->row[i].name,
			   sizeof(out->row[i].name) - 1);
		fault = prepare(fd) ? fault_of(fd, &out->row[i].at)
				    : strerror(errno);
		if (fault && !err)
			err = cause_set(cause, E_SYNTAX,
					"socket %zu of systemd (%s): %s", i + 1,
					out->row[i].name, fault);
	}
	if (err)
		close_all(out);
	forget_variables(variables, COUNT(variables));
	return err;
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

	if (a->sa_family != b->sa_family)
		return false;
	if (a->sa_family == AF_INET)
		return a4->sin_port == b4->sin_port &&
		       a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a6->sin6_port == b6->sin6_port &&
	       !memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr));
}

int inherited_take(struct inherited *inherited, const struct sockaddr *at)
{
	for (size_t i = 0; i < inherited->len; i++) {
		int fd = inherited->row[i].fd;

		if (fd < 0 ||
		    !same_address((struct sockaddr *)&inherited->row[i].at, at))
			continue;
		inherited->row[i].fd = -1;
		return fd;
	}
	return -1;
}

static const char *text_of(const struct sockaddr_storage *at,
			   char out[TEXT_MAX])
{
	const struct sockaddr_in *four = (const void *)at;
	const struct sockaddr_in6 *six = (const void *)at;
	char host[INET6_ADDRSTRLEN] = "";

	if (at->ss_family == AF_INET) {
		inet_ntop(AF_INET, &four->sin_addr, host, sizeof(host));
		snprintf(out, TEXT_MAX, "%s:%u", host, ntohs(four->sin_port));
	} else {
		inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof(host));
		snprintf(out, TEXT_MAX, "[%s]:%u", host, ntohs(six->sin6_port));
	}
	return out;
}

enum err inherited_close(struct inherited *inherited, struct cause *cause)
{
	char text[TEXT_MAX];
	enum err err = E_OK;

	for (size_t i = 0; i < inherited->len && !err; i++)
		if (inherited->row[i].fd >= 0)
			err = cause_set(
				cause, E_REFUSED,
				"systemd hands over a socket of %s (%s), which "
				"is no listener: name it under listeners or "
				"admin, or take it out of dockpass.socket",
				text_of(&inherited->row[i].at, text),
				inherited->row[i].name);
	close_all(inherited);
	return err;
}
