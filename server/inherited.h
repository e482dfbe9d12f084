/*
 * server/inherited.h - listening sockets that systemd has opened and hands over
 * (sd_listen_fds(3), Sockets= and *.socket units): LISTEN_PID, LISTEN_FDS,
 * LISTEN_FDNAMES.
 *
 * A socket is the listener's whose address it has. One that is nobody's stops
 * the start: else it would take connections that nobody answers.
 */
#pragma once

#include <sys/socket.h>

#include "token/base.h"

enum { INHERITED_MAX = 128 };

struct inherited {
	size_t len;
	struct {
		int fd; /* -1: taken */
		struct sockaddr_storage at;
		char name[64]; /* of FileDescriptorName= */
	} row[INHERITED_MAX];
};

/* What is for this process alone: no child is to act on it. */
void forget_variables(const char *const *names, size_t count);

/*
 * Reads and removes the variables. Those of another process are not read; a
 * descriptor that is no listening TCP socket, or would show IPv4 clients as
 * IPv6 ones, is E_SYNTAX with *cause. Unless E_OK none is left open.
 */
enum err inherited_open(struct inherited *out, struct cause *cause) MUST_CHECK;
/* The one of that address, the caller's to close; or -1. */
int inherited_take(struct inherited *inherited, const struct sockaddr *at);
/* E_REFUSED, if some are left; they are closed. */
enum err inherited_close(struct inherited *inherited,
			 struct cause *cause) MUST_CHECK;
