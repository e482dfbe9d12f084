/*
 * server/tls.h - TLS 1.2 and 1.3 for a listener. tls.c makes its context
 * (tls_context.c: how it is to be), tls_conn.c its connections; no other file
 * includes openssl/ssl.h.
 *
 * A context is read-only once made: every worker uses it, and connections that
 * began with it may outlive its snapshot. Sessions are not resumed, neither by
 * tickets nor by ids: each connection has a key exchange of its own, and no key
 * is there that could open a recorded one.
 */
#pragma once

#include "server/config.h"
#include "token/secret.h"

struct ssl_ctx_st;
struct event_base;
struct bufferevent;

/*
 * All certificates of `config`. Whoever asks for a name (SNI) is shown those
 * that have it, one of each kind of key; all others are shown the first.
 * With a client_ca clients have to show, or may show, one of their own; who is
 * in it decides nothing but that the connection stands. E_MODE: others can read
 * a key. *cause begins with where the file is named. ALPN answers http/1.1, and
 * never ends a handshake.
 */
enum err tls_new(const struct config_tls *config, struct ssl_ctx_st **out,
		 struct cause *cause) MUST_CHECK;
void tls_free(struct ssl_ctx_st *tls); /* NULL is fine */

/* Of its certificates, and of client_ca: seconds UTC; 0: not known. */
struct tls_file {
	const char *path; /* of the configuration */
	bool clients;	  /* of client_ca */
	int64_t begins, ends;
	struct digest
		digest; /* SHA-256 of its certificates, one after another */
};
const struct tls_file *tls_files(const struct ssl_ctx_st *tls, size_t *n);
/* The i-th line of what may not be as it was meant; NULL: no more. */
const char *tls_doubt(const struct ssl_ctx_st *tls, size_t i);

/* A connection yet without a descriptor; NULL when there is no memory. */
struct bufferevent *tls_bufferevent(struct event_base *base,
				    struct ssl_ctx_st *tls);
/*
 * Writes the output, head and body in one record (of up to 16 KiB), as far as
 * the peer takes it; libevent goes on with the rest. False: it is no TLS
 * connection, and nothing was done.
 */
bool tls_write(struct bufferevent *bev);
/*
 * Brings what is left of a record into the input, unless that holds `most`
 * bytes already. True: there was something.
 */
bool tls_read_rest(struct bufferevent *bev, size_t most);
/* Tells the peer that nothing was cut off. Without TLS nothing happens. */
void tls_goodbye(struct bufferevent *bev);

/*
 * Whom the client's certificate was made for, as "CN=runner-7,O=Example" (RFC
 * 4514), its end cut off beyond 255 bytes; the caller's to free(). NULL: he
 * showed none.
 */
char *tls_subject(struct bufferevent *bev);

/* Why a handshake did not come to its end: label of the metric, words. */
#define TLS_FAILURE_LIST(X)                                                    \
	X(VERSION, "version", "it speaks neither TLS 1.2 nor 1.3")             \
	X(CIPHER, "cipher", "no cipher, group or signature that both have")    \
	X(NO_TLS, "no_tls", "what came is no TLS")                             \
	X(NO_CERTIFICATE, "no_client_certificate",                             \
	  "it showed no certificate, and tls.client_certificates is required") \
	X(CERTIFICATE, "client_certificate", "its certificate is not taken")   \
	X(REFUSED, "refused", "it does not take our certificate")              \
	X(LEFT, "left", "it left, or said nothing for too long")               \
	X(OTHER, "other", "it failed")

enum tls_failure {
#define X(name, label, words) TLS_##name,
	TLS_FAILURE_LIST(X)
#undef X
		TLS_FAILURES,
	TLS_FINE
};

const char *tls_failure_label(enum tls_failure failure);
/*
 * A handshake has begun, and has not come to its end: why; else TLS_FINE.
 * `why` is a line for a person. Once a connection: it takes the errors away.
 */
enum { TLS_WHY_MAX = 512 };
enum tls_failure tls_failed(struct bufferevent *bev, char why[TLS_WHY_MAX]);
