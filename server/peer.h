/*
 * server/peer.h - who is at the other end of a connection: the address of its
 * socket, or whom a PROXY header names in its place; and whether that is a
 * trusted proxy, whose requests say who the client is.
 */
#pragma once

#include "server/proxy.h"

struct sockaddr_storage;

/* Whom to trust, for all connections of a worker; counted up when renewed. */
struct trust {
	const struct networks *proxies;
	unsigned version;
};

struct peer {
	struct network address;
	bool named;   /* by a PROXY header */
	bool unsure;  /* the header did not say for whom; or it has gone */
	bool trusted; /* as of the version of `judged` */
	unsigned judged;
	char *subject; /* of its certificate; NULL: it showed none */
};

/* What cannot be told is the address "::". */
void peer_init(struct peer *peer, int fd, const struct trust *trust);
void peer_name(struct peer *peer, const struct proxy_header *header,
	       const struct trust *trust);
bool peer_trusted(struct peer *peer, const struct trust *trust);
void peer_sockaddr(const struct peer *peer, struct sockaddr_storage *out);
