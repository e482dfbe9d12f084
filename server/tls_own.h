/* server/tls_own.h - what tls.c and tls_context.c share. */
#pragma once

#include <openssl/ssl.h>

struct config_tls;

/*
 * Without a certificate yet. `store` NULL: clients show none; else they are
 * verified by it, and told of the names of `authorities`. NULL: OpenSSL, as
 * this machine configures it, will not do.
 */
SSL_CTX *tls_context_new(const struct config_tls *config, X509_STORE *store,
			 STACK_OF(X509) * authorities);
