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

enum {
	LIMITS_MAX = 32,      /* entries of a list */
	LIMITS_LEN_MAX = 1000 /* bytes of a list */
};

/* E_SYNTAX, E_LIMIT: which entry, what is wrong with it, what would do. */
enum err limits_check_repositories(struct str list,
				   struct cause *cause) MUST_CHECK;
enum err limits_check_networks(struct str list, struct cause *cause) MUST_CHECK;
enum err limits_check_services(struct str list, struct cause *cause) MUST_CHECK;

bool limits_repository(struct str list, struct str name);
/* An IPv4 address that IPv6 carries (::ffff:10.0.0.1) is one. */
bool limits_network(struct str list, struct str address);
bool limits_service(struct str list, struct str name);
