/*
 * server/http/challenge.h - WWW-Authenticate, as a registry sends it (RFC 9110
 * 11.6.1).
 *
 *   Bearer realm="https://auth.example.com/token",service="registry"
 *   Basic realm="a \"b\", c", Bearer realm=x , scope="a b"
 *   Negotiate YWJj==
 *
 * Several challenges stand in one line, parted by commas, or in several lines.
 * A quoted text may hold commas, and quotes behind a backslash.
 *
 * Pure: no I/O. What is read lives as long as the line and the arena.
 */
#pragma once

#include "token/arena.h"

enum { CHALLENGE_PARAMS_MAX = 16 };

struct challenge {
	struct str scheme;
	struct str token68; /* empty: it has parameters, or nothing */
	size_t len;
	struct {
		struct str name, value; /* the value without its quotes */
	} at[CHALLENGE_PARAMS_MAX];
};

/*
 * Takes the next challenge from the beginning of *rest. E_NOT_FOUND: there is
 * none any more; E_SYNTAX: it cannot be read, or has a parameter twice;
 * E_LIMIT: it has too many. *out is empty unless E_OK. Of the arena it takes no
 * more than it is long.
 */
enum err challenge_next(struct str *rest, struct arena *arena,
			struct challenge *out) MUST_CHECK;

/* By its name, any case. False: it is not there. */
bool challenge_get(const struct challenge *challenge, struct str name,
		   struct str *value);
