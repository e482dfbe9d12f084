/* server/tls_pair.c - see the header. */
#include "server/tls_pair.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "server/file.h"
#include "token/date.h"
#include "token/pem.h"
#include "token/word.h"

enum { PEM_MAX = 256 * 1024, RSA_BITS = 2048 };

void tls_pair_done(struct tls_pair *pair)
{
	X509_free(pair->own);
	sk_X509_pop_free(pair->chain, X509_free);
	EVP_PKEY_free(pair->key);
	*pair = (struct tls_pair) { 0 };
}

void tls_pair_cleanup(struct tls_pair *pair)
{
	tls_pair_done(pair);
}

static int64_t seconds(const ASN1_TIME *time)
{
	struct tm tm;

	return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* Adds to `list` till the end; false: another begins, but cannot be used. */
static bool read_all(BIO *bio, STACK_OF(X509) * list)
{
	unsigned long error;
	X509 *next;

	while ((next = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (!sk_X509_push(list, next)) {
			X509_free(next);
			return false;
		}
	}
	error = ERR_peek_last_error();
	return ERR_GET_LIB(error) == ERR_LIB_PEM &&
	       ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

/* *out reads from `pem`; both are the caller's to end. */
static enum err read_pem(const char *path, bool secret, struct buf *pem,
			 BIO **out, struct cause *cause)
{
	enum err err;

	*out = NULL;
	buf_init(pem, PEM_MAX);
	err = file_read_own(path, secret, pem, cause);
	if (!err)
		*out = BIO_new_mem_buf(pem->at, (int)pem->len);
	return err;
}

static enum err read_certificate(const char *path, struct tls_pair *pair,
				 struct cause *cause)
{
	AUTO(buf) struct buf pem;
	AUTO(BIO) BIO *bio = NULL;
	enum err err = read_pem(path, false, &pem, &bio, cause);

	if (err)
		return err;
	pair->own = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	if (!pair->own)
		return cause_set(cause, E_SYNTAX,
				 "%s: holds no certificate in PEM: name the "
				 "server's certificate, its chain behind it",
				 path);
	pair->chain = sk_X509_new_null();
	if (!pair->chain || !read_all(bio, pair->chain))
		return cause_set(cause, E_SYNTAX,
				 "%s: the chain behind the certificate is cut "
				 "or damaged: copy the file again",
				 path);
	pair->begins = seconds(X509_get0_notBefore(pair->own));
	pair->ends = seconds(X509_get0_notAfter(pair->own));
	return E_OK;
}

static enum err read_key(const char *path, struct tls_pair *pair,
			 struct cause *cause)
{
	AUTO(buf) struct buf pem;
	AUTO(BIO) BIO *bio = NULL;
	enum err err = read_pem(path, true, &pem, &bio, cause);

	if (err)
		return err;
	pair->key = bio ? PEM_read_bio_PrivateKey(bio, NULL, pem_no_passphrase,
						  NULL)
			: NULL;
	if (!pair->key)
		return cause_set(cause, E_SYNTAX,
				 "%s: holds no private key in PEM without a "
				 "passphrase; name the key's file, or write "
				 "one without: openssl pkey -in %s -out NEW",
				 path, word_of(path).at);
	return E_OK;
}

/* The kind of the certificate's key; TLS_KINDS: none for TLS. */
static enum tls_kind kind_of(const X509 *certificate)
{
	EVP_PKEY *key = X509_get0_pubkey(certificate);

	switch (key ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE) {
	case EVP_PKEY_RSA:
		return EVP_PKEY_get_bits(key) < RSA_BITS ? TLS_KINDS : TLS_RSA;
	case EVP_PKEY_EC:
		return TLS_ECDSA;
	case EVP_PKEY_ED25519:
		return TLS_ED25519;
	case EVP_PKEY_ED448:
		return TLS_ED448;
	default:
		return TLS_KINDS;
	}
}

enum err tls_pair_read(const struct config_certificate *from,
		       struct tls_pair *out, struct cause *cause)
{
	enum err err;

	*out = (struct tls_pair) { 0 };
	err = read_certificate(from->certificate, out, cause);
	if (!err && !out->ends)
		err = cause_set(cause, E_SYNTAX,
				"%s: its end cannot be told: get another "
				"certificate",
				from->certificate);
	if (err)
		return config_blame(from->certificate_place, err, cause);
	out->kind = kind_of(out->own);
	if (out->kind == TLS_KINDS) {
		cause_set(cause, E_SYNTAX,
			  "%s: is not for a key of RSA, from %d bits on, of "
			  "an elliptic curve, or Ed25519: make such a key, "
			  "and get a certificate for it",
			  from->certificate, RSA_BITS);
		return config_blame(from->certificate_place, E_SYNTAX, cause);
	}
	err = read_key(from->key, out, cause);
	if (!err && X509_check_private_key(out->own, out->key) != 1)
		err = cause_set(cause, E_SYNTAX,
				"%s: does not belong to the certificate %s: "
				"name the key that it was made for",
				from->key, from->certificate);
	return err ? config_blame(from->key_place, err, cause) : E_OK;
}

static void call_with_address(const ASN1_OCTET_STRING *address,
			      tls_each_name *each, void *arg)
{
	int family = ASN1_STRING_length(address) == 4	 ? AF_INET
		     : ASN1_STRING_length(address) == 16 ? AF_INET6
							 : AF_UNSPEC;
	char text[INET6_ADDRSTRLEN];

	if (family != AF_UNSPEC &&
	    inet_ntop(family, ASN1_STRING_get0_data(address), text,
		      sizeof(text)))
		each(arg, str_of(text));
}

void tls_pair_names(const struct tls_pair *pair, tls_each_name *each, void *arg)
{
	GENERAL_NAMES *names =
		X509_get_ext_d2i(pair->own, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		int type;
		const ASN1_STRING *value = GENERAL_NAME_get0_value(
			sk_GENERAL_NAME_value(names, i), &type);

		if (type == GEN_IPADD)
			call_with_address(value, each, arg);
		else if (type == GEN_DNS)
			each(arg,
			     (struct str) {
				     (const char *)ASN1_STRING_get0_data(value),
				     (size_t)ASN1_STRING_length(value) });
	}
	GENERAL_NAMES_free(names);
}

enum err tls_authorities_read(const char *path, STACK_OF(X509) * *out,
			      struct cause *cause)
{
	AUTO(buf) struct buf pem;
	AUTO(BIO) BIO *bio = NULL;
	enum err err = read_pem(path, false, &pem, &bio, cause);
	bool whole;

	*out = NULL;
	if (err)
		return err;
	*out = sk_X509_new_null();
	whole = bio && *out && read_all(bio, *out);
	if (whole && sk_X509_num(*out))
		return E_OK;
	tls_authorities_free(*out);
	*out = NULL;
	return cause_set(cause, E_SYNTAX,
			 "%s: holds no certificates in PEM, or one that is "
			 "cut or damaged: name the authorities' file",
			 path);
}

void tls_authorities_free(STACK_OF(X509) * list)
{
	sk_X509_pop_free(list, X509_free);
}

int64_t tls_authorities_end(STACK_OF(X509) * list)
{
	int64_t first = 0;

	for (int i = 0; i < sk_X509_num(list); i++) {
		const X509 *at = sk_X509_value(list, i);
		int64_t end = seconds(X509_get0_notAfter(at));

		if (!first || end < first)
			first = end;
	}
	return first;
}

static bool add_digest(EVP_MD_CTX *ctx, X509 *certificate)
{
	unsigned char *der = NULL;
	int len = i2d_X509(certificate, &der);
	bool added = len > 0 && EVP_DigestUpdate(ctx, der, (size_t)len) == 1;

	OPENSSL_free(der);
	return added;
}

enum err tls_digest(X509 *own, STACK_OF(X509) * list, struct digest *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool done = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
		    (!own || add_digest(ctx, own));

	*out = (struct digest) { 0 };
	for (int i = 0; done && i < sk_X509_num(list); i++)
		done = add_digest(ctx, sk_X509_value(list, i));
	done = done && EVP_DigestFinal_ex(ctx, out->at, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return done ? E_OK : E_MEMORY;
}
