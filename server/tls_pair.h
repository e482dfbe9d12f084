/*
 * server/tls_pair.h - a certificate, its chain and its key, as their two files
 * hold them; and the names and dates in it. OpenSSL's queue of errors is the
 * caller's to clear.
 */
#pragma once

#include "server/config.h"
#include "server/tls_names.h"
#include "token/secret.h"

struct evp_pkey_st;
struct x509_st;
struct stack_st_X509;

struct tls_pair {
	struct x509_st *own;
	struct stack_st_X509 *chain;
	struct evp_pkey_st *key;
	enum tls_kind kind;
	int64_t begins, ends; /* seconds UTC; 0: cannot be told */
};

/*
 * Checks all that can be checked without a client and a clock: the key is the
 * certificate's and nobody else's to read. *out is the caller's to
 * tls_pair_done(), whatever comes of it. *cause begins with where the file is
 * named.
 */
enum err tls_pair_read(const struct config_certificate *from,
		       struct tls_pair *out, struct cause *cause) MUST_CHECK;
void tls_pair_done(struct tls_pair *pair);
void tls_pair_cleanup(struct tls_pair *pair); /* AUTO(tls_pair) */

/* Calls `each` for every name and address of its subjectAltName. */
typedef void tls_each_name(void *arg, struct str name);
void tls_pair_names(const struct tls_pair *pair, tls_each_name *each,
		    void *arg);

/* All certificates of a PEM file, at least one. */
enum err tls_authorities_read(const char *path, struct stack_st_X509 **out,
			      struct cause *cause) MUST_CHECK;
void tls_authorities_free(struct stack_st_X509 *list); /* NULL is fine */
/*
 * The SHA-256 of all of a file, one after another as DER; `own` NULL: of the
 * list alone. Of one certificate it is what openssl calls its fingerprint.
 */
enum err tls_digest(struct x509_st *own, struct stack_st_X509 *list,
		    struct digest *out) MUST_CHECK;
/* When the first of them ends; of one certificate. 0: cannot be told. */
int64_t tls_authorities_end(struct stack_st_X509 *list);
