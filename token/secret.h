/*
 * token/secret.h - the texts that open a door, and their digests.
 *
 *   PAT            "glpat-" + 20 of [A-Za-z0-9_-]: 120 random bits
 *                  another prefix + 20 of them: 102 random bits, and 18 that
 *                  follow from these
 *   refresh token  "dprt-"  + 40 of [A-Za-z0-9_-]: 240 random bits
 *
 * Only the SHA-256 of the whole text is kept. 102 random bits need no slow
 * hash: nobody can try 2^101 of them. The 18 bits tell a PAT whose prefix only
 * the store knows, or knew once, from other words, so that it can be hidden
 * wherever it turns up. A secret has no print function; it is wiped when its
 * scope ends, AUTO(secret).
 *
 * Pure: random bytes are the caller's.
 */
#pragma once

#include "token/base.h"

enum {
	PAT_RANDOM = 15,     /* bytes */
	REFRESH_RANDOM = 30, /* bytes */
	DIGEST_LEN = 32,     /* bytes */
	SECRET_MAX = 64,
	PREFIX_MAX = 20
};

/* What a PAT begins with: at most PREFIX_MAX letters, and a NUL. */
struct prefix {
	char at[PREFIX_MAX + 1];
};
#define PREFIX_DEFAULT                                                         \
	{                                                                      \
		.at = "glpat-"                                                 \
	}

/* E_SYNTAX: what it may be; *out is then as it was. */
enum err prefix_parse(struct str text, struct prefix *out,
		      struct cause *cause) MUST_CHECK;
struct str prefix_str(const struct prefix *prefix);

struct secret {
	char text[SECRET_MAX];
	size_t len;
};

struct digest {
	unsigned char at[DIGEST_LEN];
};

void secret_cleanup(struct secret *secret);
struct secret secret_pat(const struct prefix *prefix,
			 const unsigned char random[PAT_RANDOM]);
struct secret secret_refresh(const unsigned char random[REFRESH_RANDOM]);
struct str secret_str(const struct secret *secret);

/*
 * Has it the form of a PAT or a refresh token? Decides no right: only whether
 * an unknown secret is worth a slow password check.
 */
bool secret_looks_like_token(struct str text);

/* A word of that form keeps its prefix alone; true: there was one. */
bool secret_hide(char *text);
/*
 * Of what a client says of itself: the password of an address becomes stars,
 * and so does a word that is "user:secret" in base64.
 */
void secret_hide_wrapped(char *text);

/*
 * All in `text`, of any bytes, that has the form of a secret, as often as it is
 * there; for a prefix of one's own each one that it may be, the longest first.
 * The slices point into `text`.
 */
enum found { FOUND_KNOWN, /* glpat-, dprt- */ FOUND_OWN, FOUND_JWT };
typedef void secret_found(void *arg, enum found what, struct str text);
void secret_each(struct str text, secret_found *found, void *arg);
/*
 * The same of what may have leaked: also in its words in base64, those in them,
 * and so on (config.json, "Authorization: Basic", a Kubernetes secret), each of
 * these percent-encoded or in UTF-16, too; and the JWTs. Some are found twice.
 * What was decoded is wiped: the slices live as long as the call.
 */
void secret_each_within(struct str text, secret_found *found, void *arg);

/* In constant time, but for their lengths. */
bool secret_eq(struct str a, struct str b);
/* SHA-256 of the text, 0 to any number of bytes. */
enum err secret_digest(struct str text, struct digest *out) MUST_CHECK;
bool digest_eq(const struct digest *a, const struct digest *b); /* const time */
struct str digest_str(const struct digest *digest);
