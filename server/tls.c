/* server/tls.c - see the header. */
#include "server/tls.h"

#include <string.h>
#include <time.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "server/file.h"
#include "token/pem.h"

enum { PEM_MAX = 256 * 1024, RECORD_MAX = 16 * 1024, SUITES_MAX = 1024 };

void tls_free(struct ssl_ctx_st *tls)
{
	SSL_CTX_free(tls);
}

static void tls_cleanup(struct ssl_ctx_st **tls)
{
	SSL_CTX_free(*tls);
}

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

/* False: another certificate begins, but cannot be used. */
static bool add_chain(struct ssl_ctx_st *tls, BIO *bio)
{
	unsigned long error;
	X509 *next;

	while ((next = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (SSL_CTX_add0_chain_cert(tls, next) != 1) {
			X509_free(next);
			return false;
		}
	}
	error = ERR_peek_last_error();
	return ERR_GET_LIB(error) == ERR_LIB_PEM &&
	       ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static enum err use_certificate(struct ssl_ctx_st *tls, const char *path,
				struct cause *cause)
{
	AUTO(buf) struct buf pem;
	AUTO(BIO) BIO *bio = NULL;
	enum err err;
	X509 *own;
	bool fine;

	buf_init(&pem, PEM_MAX);
	err = file_read_own(path, false, &pem, cause);
	if (err)
		return err;
	bio = BIO_new_mem_buf(pem.at, (int)pem.len);
	own = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	fine = own && SSL_CTX_use_certificate(tls, own) == 1;
	X509_free(own);
	if (!fine)
		return cause_set(cause, E_SYNTAX,
				 "%s: holds no certificate in PEM: name the "
				 "server's certificate, its chain behind it",
				 path);
	if (!add_chain(tls, bio))
		return cause_set(cause, E_SYNTAX,
				 "%s: the chain behind the certificate is cut "
				 "or damaged: copy the file again",
				 path);
	return E_OK;
}

static enum err use_key(struct ssl_ctx_st *tls, const char *path,
			const char *certificate, struct cause *cause)
{
	AUTO(buf) struct buf pem;
	AUTO(BIO) BIO *bio = NULL;
	EVP_PKEY *key;
	enum err err;
	bool fine;

	buf_init(&pem, PEM_MAX);
	err = file_read_own(path, true, &pem, cause);
	if (err)
		return err;
	bio = BIO_new_mem_buf(pem.at, (int)pem.len);
	key = bio ? PEM_read_bio_PrivateKey(bio, NULL, pem_no_passphrase, NULL)
		  : NULL;
	if (!key)
		return cause_set(cause, E_SYNTAX,
				 "%s: holds no private key in PEM without a "
				 "passphrase; name the key's file, or write "
				 "one without: openssl pkey -in %s -out NEW",
				 path, path);
	fine = SSL_CTX_use_PrivateKey(tls, key) == 1 &&
	       SSL_CTX_check_private_key(tls) == 1;
	EVP_PKEY_free(key);
	if (!fine)
		return cause_set(cause, E_SYNTAX,
				 "%s: does not belong to the certificate %s: "
				 "name the key that it was made for",
				 path, certificate);
	return E_OK;
}

/* The machine's own configuration may be stricter. */
static bool no_old_versions(struct ssl_ctx_st *tls)
{
	long least = SSL_CTX_get_min_proto_version(tls);

	return least >= TLS1_2_VERSION ||
	       SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1;
}

/* The suites of TLS 1.3 that are allowed: of AES-128, or all others. */
static void add_suites(struct ssl_ctx_st *tls, bool aes128, struct buf *names)
{
	STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(tls);

	for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
		const SSL_CIPHER *suite = sk_SSL_CIPHER_value(all, i);
		const char *name = SSL_CIPHER_get_name(suite);

		if (SSL_CIPHER_get_protocol_id(suite) >> 8 == 0x13 &&
		    aes128 == !!strstr(name, "AES_128"))
			buf_printf(names, "%s%s", names->len ? ":" : "", name);
	}
}

/* With the SHA-384 of AES-256 a handshake is 5 % dearer. */
static bool prefer_aes128(struct ssl_ctx_st *tls)
{
	AUTO(buf) struct buf names;

	buf_init(&names, SUITES_MAX);
	add_suites(tls, true, &names);
	add_suites(tls, false, &names);
	buf_add_char(&names, '\0');
	return !names.over && SSL_CTX_set_ciphersuites(tls, names.at) == 1;
}

enum err tls_new(const char *certificate, const char *key,
		 struct ssl_ctx_st **out, struct cause *cause)
{
	AUTO(tls) struct ssl_ctx_st *tls = SSL_CTX_new(TLS_server_method());
	enum err err;

	*out = NULL;
	if (!tls || !no_old_versions(tls) || !prefer_aes128(tls))
		return cause_set(cause, E_CRYPTO,
				 "OpenSSL, as this machine configures it, has "
				 "no TLS 1.2 or 1.3");
	SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_NO_COMPRESSION |
					 SSL_OP_NO_TICKET |
					 SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* The chain is what the file has: it is not sought at each handshake */
	SSL_CTX_set_mode(tls,
			 SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	/*
	 * Registry clients resume no session (Go's do not by default), and
	 * the key of tickets would be one for the life of the process.
	 */
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(tls, 0);
	SSL_CTX_set_alpn_select_cb(tls, on_alpn, NULL);
	err = use_certificate(tls, certificate, cause);
	if (!err)
		err = use_key(tls, key, certificate, cause);
	ERR_clear_error();
	if (err)
		return err;
	*out = tls;
	tls = NULL;
	return E_OK;
}

int64_t tls_not_after(const struct ssl_ctx_st *tls)
{
	const X509 *own = SSL_CTX_get0_certificate(tls);
	struct tm tm;

	if (!own || ASN1_TIME_to_tm(X509_get0_notAfter(own), &tm) != 1)
		return 0;
	return (int64_t)timegm(&tm);
}

struct bufferevent *tls_bufferevent(struct event_base *base,
				    struct ssl_ctx_st *tls)
{
	SSL *ssl = SSL_new(tls);
	struct bufferevent *bev;

	if (!ssl)
		return NULL;
	bev = bufferevent_openssl_socket_new(base, -1, ssl,
					     BUFFEREVENT_SSL_ACCEPTING,
					     BEV_OPT_CLOSE_ON_FREE);
	if (!bev)
		SSL_free(ssl);
	else /* a peer that leaves without a word is gone all the same */
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

/* What could not be written is given to SSL_write again, by libevent. */
bool tls_write(struct bufferevent *bev)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	struct evbuffer *output = bufferevent_get_output(bev);
	size_t len;

	if (!ssl)
		return false;
	while ((len = evbuffer_get_length(output))) {
		int n;

		if (len > RECORD_MAX)
			len = RECORD_MAX;
		n = SSL_write(ssl, evbuffer_pullup(output, (ssize_t)len),
			      (int)len);
		if (n <= 0)
			break;
		evbuffer_drain(output, (size_t)n);
	}
	ERR_clear_error();
	return true;
}

/*
 * Whoever only connects and leaves has tried none. SSL_is_init_finished() is
 * false again after an end without a goodbye; the state stays what it was.
 */
bool tls_failed(struct bufferevent *bev)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	BIO *bio = ssl ? SSL_get_rbio(ssl) : NULL;

	return bio && SSL_get_state(ssl) != TLS_ST_OK && BIO_number_read(bio);
}

/* The alert is sent or it is not: nobody waits for an answer. */
void tls_goodbye(struct bufferevent *bev)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);

	if (!ssl || !SSL_is_init_finished(ssl) || SSL_get_shutdown(ssl))
		return;
	SSL_shutdown(ssl);
	ERR_clear_error();
}
