/*
 * server/listen.h - listening sockets: one a worker on each address, so that
 * the kernel spreads the connections (SO_REUSEPORT). One that systemd hands
 * over (server/inherited.h) is shared by all workers instead: whoever comes
 * first accepts.
 */
#pragma once

#include "server/config.h"

/* A row a worker: one a listener, then one for admin or -1. */
struct sockets {
	size_t row, len; /* of a row, of all */
	int *at;
};

/*
 * An address that another process has, even one that would share it, is E_BUSY
 * with *cause; then none is open.
 */
enum err sockets_open(const struct config *config, unsigned workers,
		      struct sockets *out, struct cause *cause) MUST_CHECK;
void sockets_close(struct sockets *sockets); /* all zero is fine */
/* A worker's row; and from now on they are the worker's to close. */
const int *sockets_of(const struct sockets *sockets, unsigned worker);
void sockets_given(struct sockets *sockets, unsigned worker);
