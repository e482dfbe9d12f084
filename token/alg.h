/*
 * token/alg.h - inside of token/: one row for each algorithm that JWTs are
 * signed with.
 */
#pragma once

#include "token/keyring.h"

enum {
	RSA_BITS_MIN = 2048,
	RSA_BITS_MAX = 8192,
	SIGNATURE_MAX = RSA_BITS_MAX / 8,
};

struct alg {
	struct str name;    /* in a JWT's header: RFC 7518 3.1, RFC 8037 3.1 */
	const char *type;   /* of the key, as OpenSSL names it */
	const char *group;  /* OpenSSL's curve; NULL: none to choose */
	const char *kty;    /* RFC 7518 6.1, RFC 8037 2 */
	const char *crv;    /* likewise; NULL for RSA */
	const char *digest; /* NULL: part of the algorithm */
	size_t size;	    /* bytes of a coordinate; 0 for RSA */
	struct str spki;    /* DER up to the public point, uncompressed */
};

const struct alg *alg_of(enum key_alg alg);
