/*
 * server/http/forwarded.h - for whom a proxy asks: X-Forwarded-For, as it has
 * come to be, and Forwarded (RFC 7239).
 *
 *   X-Forwarded-For: 192.0.2.1, 2001:db8::1, 10.0.0.2:4711
 *   Forwarded: for=192.0.2.1;proto=https, for="[2001:db8::1]:4711"
 *
 * Each proxy appends the address that it was asked from. So they are read from
 * the right, and the first that is no trusted proxy is the client: what stands
 * left of it, anybody may have written. If all are trusted it is the leftmost.
 *
 * What cannot be read ("unknown", "_hidden", a line that is no Forwarded at
 * all) hides the client: then the address is that of the proxy that wrote it,
 * and client.unsure says so. The same where the two headers name two clients: a
 * proxy writes one of them and lets pass what it is sent of the other.
 *
 * Pure: no I/O, no allocation.
 */
#pragma once

#include "token/network.h"

enum { HOPS_MAX = 32 /* that are looked at, from the right */ };

/* The entries of all lines of one header, in their order; the last of them. */
struct hops {
	size_t count; /* that have been added */
	struct str at[HOPS_MAX];
};

/* One line of the header. Its text must live as long as the hops. */
void hops_add_plain(struct hops *hops, struct str line); /* X-Forwarded-For */
void hops_add_forwarded(struct hops *hops, struct str line);

struct client {
	struct network address;
	bool unsure;
};

/* `peer` is trusted, and sent these headers; either may have no hop. */
struct client hops_client(const struct hops *plain,
			  const struct hops *forwarded,
			  const struct network *peer,
			  const struct networks *trusted);
