/*
 * token/keyring.h - the keys that JWTs are signed with, and their public side.
 *
 * A key is one PEM text: a private key (PKCS #8) and its self-signed
 * certificate. One key of a keyring is current and signs; `next` ones are
 * published before they sign, `retired` ones stay published until removed.
 *
 * Built whole, then read-only: any thread may read a finished keyring. Private
 * keys live in OpenSSL's memory alone and are wiped with keyring_free().
 *
 * Key ids: libtrust's (distribution 2.x: base32 of the first 240 bits of the
 * SHA-256 of the SubjectPublicKeyInfo, in groups of 4) and RFC 7638's.
 */
#pragma once

#include "token/buf.h"

enum key_alg { ALG_ES256, ALG_RS256, ALG_ES384, ALG_EDDSA };
enum key_state { KEY_NEXT, KEY_CURRENT, KEY_RETIRED };
enum kid_style { KID_LIBTRUST, KID_RFC7638 };

enum { KEYS_MAX = 32 };

struct key {
	enum key_alg alg;
	enum key_state state;
	char libtrust[60]; /* NUL-terminated, 59 characters */
	char rfc7638[44];  /* NUL-terminated, 43 characters */
	int64_t not_after; /* of the certificate, seconds UTC */
	struct evp_pkey_st *pkey;
	struct x509_st *certificate;
};

struct keyring;

struct keyring *keyring_new(void);
void keyring_free(struct keyring *keyring); /* NULL is fine */
void keyring_cleanup(struct keyring **keyring);

/*
 * Adds a key. E_SYNTAX: no key, no certificate, or they do not belong
 * together; E_REFUSED: an algorithm or size we do not sign with (RSA under
 * 2048 bits, other curves); E_EXISTS: is there already, or a second current
 * one; E_LIMIT: KEYS_MAX. *cause says which, without naming a file.
 */
enum err keyring_add(struct keyring *keyring, struct str pem,
		     enum key_state state, struct cause *cause) MUST_CHECK;

size_t keyring_len(const struct keyring *keyring);
const struct key *keyring_at(const struct keyring *keyring, size_t i);
const struct key *keyring_current(const struct keyring *keyring); /* or NULL */
/* By either id; NULL if there is none. */
const struct key *keyring_find(const struct keyring *keyring, struct str kid);

/* Has it a coordinate that registry 3.1 makes another rfc7638 id of? */
bool key_is_misread(const struct key *key);

enum err key_alg_parse(struct str name, enum key_alg *out) MUST_CHECK;
struct str key_alg_name(enum key_alg alg); /* as in RFC 7518, RFC 8037 */
enum err key_state_parse(struct str name, enum key_state *out) MUST_CHECK;
struct str key_state_name(enum key_state state);

/*
 * A fresh key and its certificate (subject and issuer CN=`name`, valid ten
 * years from a day before `now`) as PEM, mode 0600 material. EC keys have no
 * coordinate that starts with a zero byte: registry 3.1 miscomputes their id.
 * No key has an rfc7638 id that begins with a hyphen: a command line would take
 * it for an option.
 */
enum err key_generate(enum key_alg alg, struct str name, int64_t now,
		      struct buf *pem) MUST_CHECK;

/* {"keys":[...]}: public members alone, each key under both its ids. */
enum err keyring_print_jwks(const struct keyring *keyring, bool current_only,
			    struct buf *buf) MUST_CHECK;
/* The certificates as PEM, the current one first. */
enum err keyring_print_bundle(const struct keyring *keyring, bool current_only,
			      struct buf *buf) MUST_CHECK;
