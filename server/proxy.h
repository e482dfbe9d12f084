/*
 * server/proxy.h - the PROXY header that a proxy sends before all else
 * (HAProxy, doc/proxy-protocol.txt), versions 1 and 2:
 *
 *   "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", "PROXY UNKNOWN\r\n"
 *   12 bytes of signature, u8 version and command, u8 family, u16 length,
 *   addresses and ports, then what we do not read
 *
 * Pure: no I/O, no allocation, no clock.
 */
#pragma once

#include "token/network.h"

enum {
	PROXY_LINE_MAX = 107, /* of version 1, with its end */
	PROXY_MAX = 1024      /* of version 2 */
};

enum proxy_step {
	PROXY_MORE, /* as far as it goes it may become one */
	PROXY_WHOLE,
	PROXY_BAD /* none, or too long: close */
};

enum proxy_who {
	PROXY_CLIENT, /* `client` is whom it is sent for */
	PROXY_ITSELF, /* the proxy's own connection: a health check */
	PROXY_HIDDEN  /* of somebody whose address it does not know */
};

struct proxy_header {
	enum proxy_who who;
	struct network client;
	size_t len; /* of the header */
};

/* *out is set with PROXY_WHOLE alone. */
enum proxy_step proxy_parse(struct str bytes,
			    struct proxy_header *out) MUST_CHECK;
/*
 * After `bytes`, of which more are wanted, `next` is what comes: how much of it
 * is still the header's? What stands behind is for another reader.
 */
size_t proxy_takes(struct str bytes, struct str next);
