/*
 * token/keyid.h - inside of token/: the public members of a key, and the two
 * ids that come of them.
 *
 * They are made from the coordinates, never from the key's own encoding: a
 * compressed point or explicit parameters in a PEM file would give another id
 * than the one that registries compute.
 */
#pragma once

#include "token/alg.h"

struct key_public {
	struct { /* x and y; for RSA n and e */
		unsigned char at[RSA_BITS_MAX / 8];
		size_t len;
	} part[2];
};

enum err keyid_public(const struct evp_pkey_st *pkey, enum key_alg alg,
		      struct key_public *out) MUST_CHECK;

/*
 * Sets alg and both ids from key->pkey. E_REFUSED: an algorithm, curve or size
 * that we do not sign with.
 */
enum err keyid_fill(struct key *key, struct cause *cause) MUST_CHECK;

/* A JWK (RFC 7517 4) under the id of that style. */
enum err keyid_print(const struct key *key, enum kid_style style,
		     struct buf *buf) MUST_CHECK;
