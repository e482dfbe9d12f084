/*
 * token/claims.h - the JWT that a registry reads (distribution
 * spec/auth/jwt.md): libjwt builds the claims, OpenSSL signs them.
 *
 * libjwt's own jwt_encode() parses the PEM key at each call, twenty times the
 * cost of the signature; so a signer holds a context primed with the key, and
 * the encoded header is made once per service.
 */
#pragma once

#include "token/keyring.h"
#include "token/scope.h"

enum { JTI_LEN = 16, BACKDATE = 10 /* seconds of nbf and iat */ };

struct claims {
	struct str issuer, audience; /* iss, aud: one string each */
	struct str subject;	     /* sub; "" for the anonymous */
	int64_t now, expires_at;     /* seconds UTC */
	unsigned char jti[JTI_LEN];  /* random */
	const struct scope_list *access;
};

/*
 * The encoded first part of a JWT, without its dot: typ, alg, kid, and x5c
 * (RFC 7515 4.1.6: standard base64 DER) if asked for.
 */
enum err claims_header(const struct key *key, enum kid_style style, bool x5c,
		       struct buf *out) MUST_CHECK;

/*
 * What the JWT `text` says of itself; nobody has looked whether it is true.
 * E_SYNTAX: it is none, or has no `sub` or `exp`. Control characters of the
 * subject are '?'.
 */
struct claims_seen {
	char subject[256]; /* "" for the anonymous */
	int64_t expires_at;
};
enum err claims_look(struct str text, struct claims_seen *out) MUST_CHECK;

/* Signs with one key. One thread at a time; the key must outlive it. */
struct signer;
enum err signer_new(const struct key *key, struct signer **out) MUST_CHECK;
void signer_free(struct signer *signer);
void signer_cleanup(struct signer **signer);

/*
 * Appends header.claims.signature to *out. ECDSA signatures are raw r||s
 * (RFC 7518 3.4). `header` is from claims_header() of the signer's key.
 */
enum err claims_sign(const struct claims *claims, struct str header,
		     struct signer *signer, struct buf *out) MUST_CHECK;
