/*
 * server/tls_context.c - what is common to all contexts: versions, suites,
 * ALPN, no sessions, and what clients have to show.
 */
#include "server/tls_own.h"

#include <string.h>

#include "server/config.h"
#include "token/buf.h"

enum { SUITES_MAX = 4096, CLIENT_CHAIN_MAX = 32 * 1024, CLIENT_DEPTH_MAX = 6 };

/* HTTP/1.1 if it is offered; else as if nothing had been. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		   const unsigned char *in, unsigned in_len, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *found;

	(void)ssl, (void)arg;
	if (SSL_select_next_proto(&found, out_len, ours, sizeof(ours) - 1, in,
				  in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = found;
	return SSL_TLSEXT_ERR_OK;
}

/* The machine's own configuration may be stricter. */
static bool no_old_versions(SSL_CTX *tls)
{
	long least = SSL_CTX_get_min_proto_version(tls);

	return least >= TLS1_2_VERSION ||
	       SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1;
}

/* All of TLS 1.3; of 1.2 what has its merits: forward secrecy, AEAD. */
static bool is_modern(const SSL_CIPHER *suite, bool newest)
{
	if (SSL_CIPHER_get_protocol_id(suite) >> 8 == 0x13)
		return newest;
	return !newest && SSL_CIPHER_is_aead(suite) &&
	       SSL_CIPHER_get_kx_nid(suite) == NID_kx_ecdhe;
}

/* The suites that the machine allows: of AES-128, or all others. */
static void add_suites(SSL_CTX *tls, bool newest, bool aes128,
		       struct buf *names)
{
	STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(tls);

	for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
		const SSL_CIPHER *suite = sk_SSL_CIPHER_value(all, i);
		const char *name = SSL_CIPHER_get_name(suite);

		if (is_modern(suite, newest) &&
		    aes128 ==
			    (strstr(name, "AES_128") || strstr(name, "AES128")))
			buf_printf(names, "%s%s", names->len ? ":" : "", name);
	}
}

/* With the SHA-384 of AES-256 a handshake is 5 % dearer. */
static bool choose_suites(SSL_CTX *tls)
{
	AUTO(buf) struct buf newest;
	AUTO(buf) struct buf older;

	buf_init(&newest, SUITES_MAX);
	buf_init(&older, SUITES_MAX);
	add_suites(tls, true, true, &newest);
	add_suites(tls, true, false, &newest);
	add_suites(tls, false, true, &older);
	add_suites(tls, false, false, &older);
	if (newest.over || older.over || (!newest.len && !older.len))
		return false;
	buf_add_char(&newest, '\0');
	/* Those of 1.3 are not what this one is about. */
	if (older.len) {
		buf_add_char(&older, '\0');
		if (SSL_CTX_set_cipher_list(tls, older.at) != 1)
			return false;
	} else if (SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1) {
		return false;
	}
	return SSL_CTX_set_ciphersuites(tls, newest.at) == 1;
}

/* What a group, cipher or key has to be, by this machine's configuration. */
static int (*usual)(const SSL *ssl, const SSL_CTX *tls, int op, int bits,
		    int nid, void *other, void *ex);

/* Finite fields cost us far more than whoever asks for them (CVE-2002-20001) */
static int on_security(const SSL *ssl, const SSL_CTX *tls, int op, int bits,
		       int nid, void *other, void *ex)
{
	if (((unsigned)op & SSL_SECOP_OTHER_TYPE) == SSL_SECOP_OTHER_CURVE &&
	    nid >= NID_ffdhe2048 && nid <= NID_ffdhe8192)
		return 0;
	return usual(ssl, tls, op, bits, nid, other, ex);
}

static bool ask_clients(SSL_CTX *tls, const struct config_tls *config,
			X509_STORE *store, STACK_OF(X509) * authorities)
{
	const char *how = config->client_certificates;
	bool optional = how && !strcmp(how, "optional");

	SSL_CTX_set_verify(tls,
			   optional ? SSL_VERIFY_PEER
				    : SSL_VERIFY_PEER |
					      SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			   NULL);
	SSL_CTX_set_verify_depth(tls, CLIENT_DEPTH_MAX);
	SSL_CTX_set_max_cert_list(tls, CLIENT_CHAIN_MAX);
	SSL_CTX_set1_cert_store(tls, store);
	/* One below a root will do, if it is what the file holds. */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(tls),
				    X509_V_FLAG_PARTIAL_CHAIN);
	for (int i = 0; i < sk_X509_num(authorities); i++)
		if (SSL_CTX_add_client_CA(tls, sk_X509_value(authorities, i)) !=
		    1)
			return false;
	return true;
}

SSL_CTX *tls_context_new(const struct config_tls *config, X509_STORE *store,
			 STACK_OF(X509) * authorities)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	if (!tls || !no_old_versions(tls) || !choose_suites(tls) ||
	    (store && !ask_clients(tls, config, store, authorities))) {
		SSL_CTX_free(tls);
		return NULL;
	}
	if (!usual)
		usual = SSL_CTX_get_security_callback(tls);
	SSL_CTX_set_security_callback(tls, on_security);
	SSL_CTX_set_options(
		tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
			     SSL_OP_NO_TICKET | SSL_OP_CLEANSE_PLAINTEXT |
			     SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* The chain is what the file has: it is not sought at each handshake */
	SSL_CTX_set_mode(tls,
			 SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	/* Registry clients resume no session; Go's do not by default. */
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(tls, 0);
	SSL_CTX_set_alpn_select_cb(tls, on_alpn, NULL);
	return tls;
}
