/* server/tls_conn.c - connections; see server/tls.h. */
#include "server/tls.h"

#include <stdio.h>
#include <stdlib.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

enum { RECORD_MAX = 16 * 1024, SUBJECT_MAX = 255 };

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
 * What is left of a record that did not fit under the input's watermark:
 * libevent would wait for the socket, which has no more of it.
 */
bool tls_read_rest(struct bufferevent *bev, size_t most)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	struct evbuffer *input = bufferevent_get_input(bev);
	struct evbuffer_iovec room;
	int n;

	if (!ssl || !SSL_pending(ssl) || evbuffer_get_length(input) >= most)
		return false;
	evbuffer_unfreeze(input, 0);
	if (evbuffer_reserve_space(input, RECORD_MAX, &room, 1) != 1)
		return false;
	n = SSL_read(ssl, room.iov_base, RECORD_MAX);
	ERR_clear_error();
	if (n <= 0)
		return false;
	room.iov_len = (size_t)n;
	return !evbuffer_commit_space(input, &room, 1);
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

/* Printable, whatever its maker has written into it. */
char *tls_subject(struct bufferevent *bev)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	const X509 *own = ssl ? SSL_get0_peer_certificate(ssl) : NULL;
	BIO *bio = own ? BIO_new(BIO_s_mem()) : NULL;
	char *all = NULL, *text;
	long len;

	if (!bio)
		return NULL;
	X509_NAME_print_ex(bio, X509_get_subject_name(own), 0,
			   XN_FLAG_RFC2253 &
				   ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
	len = BIO_get_mem_data(bio, &all);
	text = calloc(1, SUBJECT_MAX + 1);
	assert(text);
	print_copy((struct str) { all, len > 0 ? (size_t)len : 0 }, text,
		   SUBJECT_MAX);
	BIO_free(bio);
	ERR_clear_error();
	return text;
}

static const struct {
	const char *label, *words;
} failures[] = {
#define X(name, label, words) [TLS_##name] = { label, words },
	TLS_FAILURE_LIST(X)
#undef X
};

const char *tls_failure_label(enum tls_failure failure)
{
	return failures[failure].label;
}

static enum tls_failure failure_of(unsigned long error)
{
	static const struct {
		int reason;
		enum tls_failure failure;
	} rows[] = {
		{ SSL_R_UNSUPPORTED_PROTOCOL, TLS_VERSION },
		{ SSL_R_VERSION_TOO_LOW, TLS_VERSION },
		{ SSL_R_WRONG_SSL_VERSION, TLS_VERSION },
		{ SSL_R_INAPPROPRIATE_FALLBACK, TLS_VERSION },
		{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, TLS_VERSION },
		{ SSL_R_NO_SHARED_CIPHER, TLS_CIPHER },
		{ SSL_R_NO_SUITABLE_KEY_SHARE, TLS_CIPHER },
		{ SSL_R_NO_SUITABLE_GROUPS, TLS_CIPHER },
		{ SSL_R_NO_SHARED_GROUPS, TLS_CIPHER },
		{ SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, TLS_CIPHER },
		{ SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, TLS_CIPHER },
		{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, TLS_CIPHER },
		{ SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY, TLS_CIPHER },
		{ SSL_R_HTTP_REQUEST, TLS_NO_TLS },
		{ SSL_R_HTTPS_PROXY_REQUEST, TLS_NO_TLS },
		{ SSL_R_WRONG_VERSION_NUMBER, TLS_NO_TLS },
		{ SSL_R_UNKNOWN_PROTOCOL, TLS_NO_TLS },
		{ SSL_R_RECORD_LENGTH_MISMATCH, TLS_NO_TLS },
		{ SSL_R_RECORD_TOO_SMALL, TLS_NO_TLS },
		{ SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, TLS_NO_CERTIFICATE },
		{ SSL_R_CERTIFICATE_VERIFY_FAILED, TLS_CERTIFICATE },
		{ SSL_R_EE_KEY_TOO_SMALL, TLS_CERTIFICATE },
		{ SSL_R_CA_KEY_TOO_SMALL, TLS_CERTIFICATE },
		{ SSL_R_CA_MD_TOO_WEAK, TLS_CERTIFICATE },
		{ SSL_R_EXCESSIVE_MESSAGE_SIZE, TLS_CERTIFICATE },
		{ SSL_R_UNEXPECTED_EOF_WHILE_READING, TLS_LEFT },
		{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, TLS_REFUSED },
		{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, TLS_REFUSED },
		{ SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, TLS_REFUSED },
		{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, TLS_REFUSED },
		{ SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, TLS_REFUSED },
		{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, TLS_REFUSED },
		{ SSL_R_TLSV1_ALERT_ACCESS_DENIED, TLS_REFUSED },
	};

	if (!error)
		return TLS_LEFT;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (ERR_GET_LIB(error) == ERR_LIB_SSL &&
		    ERR_GET_REASON(error) == rows[i].reason)
			return rows[i].failure;
	return TLS_OTHER;
}

/*
 * Whoever only connects and leaves has tried none. SSL_is_init_finished() is
 * false again after an end without a goodbye; the state stays what it was.
 */
enum tls_failure tls_failed(struct bufferevent *bev, char why[TLS_WHY_MAX])
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	BIO *bio = ssl ? SSL_get_rbio(ssl) : NULL;
	enum tls_failure failure;
	unsigned long error;
	const char *reason;

	why[0] = '\0';
	if (!bio || SSL_get_state(ssl) == TLS_ST_OK || !BIO_number_read(bio))
		return TLS_FINE;
	error = bufferevent_get_openssl_error(bev);
	failure = failure_of(error);
	reason = failure == TLS_CERTIFICATE && SSL_get_verify_result(ssl)
			 ? X509_verify_cert_error_string(
				   SSL_get_verify_result(ssl))
			 : ERR_reason_error_string(error);
	snprintf(why, TLS_WHY_MAX, "%s%s%s%s", failures[failure].words,
		 reason ? " (" : "", reason ? reason : "", reason ? ")" : "");
	return failure;
}
