/*
 * token/limits.h - what a single token is limited to, beside its scopes: to
 * repositories, to networks, to services. Each is a list as it is stored and
 * shown, its entries parted by commas; the empty list limits nothing.
 *
 *   repositories  names as in token/path.h, lower case; a component "*" is any
 *                 one, "**" any number of them, none too; the whole must fit
 *   networks      "10.0.0.0/8,2001:db8::/32": addresses with the number of bits
 *                 that count (RFC 4632); without it, one address
 *   services      names as dockpass.yaml has them
 *
 * Pure: no I/O, no allocation. What cannot be read fits nothing.
 */
#pragma once

#include "token/base.h"

/*
 * one, as options and reasons call it; several, as JSON does. They are stored
 * in this order: another one is a new version of the records that hold them.
 */
#define LIMIT_LIST(X)                                                          \
	X(REPOSITORY, "repository", "repositories")                            \
	X(NETWORK, "network", "networks")                                      \
	X(SERVICE, "service", "services")

enum limit {
#define X(name, one, several) LIMIT_##name,
	LIMIT_LIST(X)
#undef X
		LIMIT_COUNT
};

enum {
	LIMITS_MAX = 32,      /* entries of a list */
	LIMITS_LEN_MAX = 1000 /* bytes of a list */
};

const char *limit_name(enum limit limit); /* "repository" */
const char *limit_list(enum limit limit); /* "repositories" */

/* E_SYNTAX, E_LIMIT: which entry, what is wrong with it, what would do. */
enum err limit_check(enum limit limit, struct str list,
		     struct cause *cause) MUST_CHECK;
/*
 * Is what is asked (a repository, an address, a service) in the list? An IPv4
 * address that IPv6 carries (::ffff:10.0.0.1) is one.
 */
bool limit_fits(enum limit limit, struct str list, struct str asked);
