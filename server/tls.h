/*
 * server/tls.h - TLS 1.2 and 1.3 for a listener; the only place that includes
 * openssl/ssl.h. A context is read-only once made: every worker uses it.
 */
#pragma once

#include "token/base.h"

struct ssl_ctx_st;
struct event_base;
struct bufferevent;

/*
 * Certificate (chain behind it) and key, PEM. E_MODE: others can read the key.
 * ALPN answers http/1.1, and never ends a handshake.
 */
enum err tls_new(const char *certificate, const char *key,
		 struct ssl_ctx_st **out, struct cause *cause) MUST_CHECK;
void tls_free(struct ssl_ctx_st *tls); /* NULL is fine */
/* Of the certificate, seconds UTC; 0 when it cannot be told. */
int64_t tls_not_after(const struct ssl_ctx_st *tls);

/* A connection yet without a descriptor; NULL when there is no memory. */
struct bufferevent *tls_bufferevent(struct event_base *base,
				    struct ssl_ctx_st *tls);
/*
 * Writes the output, head and body in one record (of up to 16 KiB), as far as
 * the peer takes it; libevent goes on with the rest. False: it is no TLS
 * connection, and nothing was done.
 */
bool tls_write(struct bufferevent *bev);
/* A handshake has begun, and has not come to its end. */
bool tls_failed(struct bufferevent *bev);
/* Tells the peer that nothing was cut off. Without TLS nothing happens. */
void tls_goodbye(struct bufferevent *bev);
