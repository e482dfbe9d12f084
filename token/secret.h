/*
 * token/secret.h - the text of a secret and its digest.
 *
 *   PAT            "glpat-" + 20 of [A-Za-z0-9_-]: 120 random bits
 *   refresh token  "dprt-"  + 40 of [A-Za-z0-9_-]: 240 random bits
 *
 * Only the SHA-256 of the whole text is kept. 120 random bits need no slow
 * hash: nobody can try 2^119 of them. A secret has no print function; it is
 * wiped when its scope ends, AUTO(secret).
 *
 * Pure: random bytes are the caller's.
 */
#pragma once

#include "token/base.h"

enum {
	PAT_RANDOM = 15,     /* bytes */
	REFRESH_RANDOM = 30, /* bytes */
	DIGEST_LEN = 32,     /* bytes */
	SECRET_MAX = 64
};

struct secret {
	char text[SECRET_MAX];
	size_t len;
};

struct digest {
	unsigned char at[DIGEST_LEN];
};

void secret_cleanup(struct secret *secret);
struct secret secret_pat(const unsigned char random[PAT_RANDOM]);
struct secret secret_refresh(const unsigned char random[REFRESH_RANDOM]);
struct str secret_str(const struct secret *secret);

/*
 * Has it a PAT's (a refresh token's) prefix? Decides no right: only whether an
 * unknown secret is worth a slow password check.
 */
bool secret_looks_like_token(struct str text);

/* A word that begins like one keeps its prefix alone; true: there was one. */
bool secret_hide(char *text);

/* SHA-256 of the text, 0 to any number of bytes. */
enum err secret_digest(struct str text, struct digest *out) MUST_CHECK;
bool digest_eq(const struct digest *a, const struct digest *b); /* const time */
struct str digest_str(const struct digest *digest);
