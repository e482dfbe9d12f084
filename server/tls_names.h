/*
 * server/tls_names.h - which certificates are shown to whoever asks for a name
 * (SNI, RFC 6066 3). Pure.
 *
 * A certificate's names are those of its subjectAltName. A wildcard stands for
 * one whole first label (RFC 6125 6.4.3): "*.example.com" for a.example.com,
 * neither for example.com nor for a.b.example.com; "f*.example.com" for
 * nothing. A name that is written out goes before a wildcard.
 */
#pragma once

#include "token/base.h"

/* One certificate of each kind of key at most; a client takes what it can. */
enum tls_kind { TLS_RSA, TLS_ECDSA, TLS_ED25519, TLS_ED448, TLS_KINDS };
enum { TLS_NONE = 255 };

struct tls_set {
	uint8_t at[TLS_KINDS]; /* numbers of certificates; TLS_NONE */
};

struct tls_names;

struct tls_names *tls_names_new(void);
void tls_names_free(struct tls_names *names); /* NULL is fine */

/*
 * Certificate number `n` has this name; E_SYNTAX: it is none that can be asked
 * for. E_EXISTS: another certificate of this kind has the name, and keeps it;
 * *other is its number. E_LIMIT: there are too many names.
 */
enum err tls_names_add(struct tls_names *names, struct str name,
		       enum tls_kind kind, uint8_t n,
		       uint8_t *other) MUST_CHECK;
/* All have been added: now it may be asked. */
void tls_names_sort(struct tls_names *names);

/* NULL: no certificate has this name. From any thread, without a lock. */
const struct tls_set *tls_names_find(const struct tls_names *names,
				     struct str name);
/* The i-th; false: there are no more. *name lives as long as `names`. */
bool tls_names_at(const struct tls_names *names, size_t i, struct str *name,
		  const struct tls_set **set);
