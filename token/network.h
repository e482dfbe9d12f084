/*
 * token/network.h - IP addresses, and networks as RFC 4632 writes them.
 *
 *   10.0.0.0/8   2001:db8::/32   192.0.2.1 (one address)
 *
 * All are kept as IPv6: an IPv4 address is ::ffff:a.b.c.d, and one that comes
 * so is an IPv4 address. "::/0" is all of IPv6, and none of IPv4.
 *
 * Pure: no I/O, no allocation.
 */
#pragma once

#include "token/base.h"

enum {
	NETWORKS_MAX = 32,    /* of a list */
	NETWORK_TEXT_MAX = 46 /* of an address, with its NUL */
};

struct network {
	unsigned char at[16];
	unsigned bits; /* that count; of one address all 128 */
};

struct networks {
	size_t len;
	struct network at[NETWORKS_MAX];
};

/* E_SYNTAX: *cause says what would do. A bit behind those that count is one. */
enum err network_read(struct str text, struct network *out,
		      struct cause *cause) MUST_CHECK;
/* An address alone; false: it is none, and *out is all zero. */
bool address_read(struct str text, struct network *out) MUST_CHECK;
/* As people write it; NUL-terminated. */
void address_print(const struct network *address, char out[NETWORK_TEXT_MAX]);
bool address_eq(const struct network *a, const struct network *b);
bool address_is_ipv4(const struct network *address);
/* 127.0.0.1 or ::1: who asks from this machine has it, unless he chooses. */
bool address_is_own(const struct network *address);
/*
 * 127.0.0.0/8, ::1 or "localhost", each with a port or without: "[::1]:25". It
 * is this machine, and nothing goes over a network.
 */
bool host_is_local(struct str host);
/*
 * How a program on this machine reaches who listens at `host`, an address in
 * brackets if it is IPv6: 0.0.0.0 and [::] are all of its addresses, so at
 * 127.0.0.1 or [::1]; else as it is written.
 */
struct str host_near(struct str host);

bool network_has(const struct network *network, const struct network *address);

/*
 * Networks parted by commas, blanks allowed; the empty text is none. E_SYNTAX,
 * E_LIMIT: *out is then empty.
 */
enum err networks_read(struct str list, struct networks *out,
		       struct cause *cause) MUST_CHECK;
bool networks_have(const struct networks *list, const struct network *address);
