/*
 * token/keygen.c - key_generate(): a fresh key and its certificate.
 *
 * The certificate is no CA: registries have it in their bundle, where it
 * stands for itself.
 */
#include "token/keyring.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "token/date.h"
#include "token/keyid.h"
#include "token/pem.h"

enum {
	RSA_BITS = 2048,
	TRIES = 64,	      /* one key in 43 is refused */
	VALID_DAYS = 3652,    /* ten years */
	SERIAL_BITS = 127,    /* positive, and under 20 bytes: RFC 5280 */
	COMMON_NAME_MAX = 64, /* RFC 5280 A.1 */
};

static EVP_PKEY *make_key(const struct alg *alg)
{
	if (alg->group)
		return EVP_EC_gen(alg->group);
	if (!alg->crv)
		return EVP_RSA_gen(RSA_BITS);
	return EVP_PKEY_Q_keygen(NULL, NULL, alg->type);
}

static EVP_PKEY *make_good_key(enum key_alg alg)
{
	for (int i = 0; i < TRIES; i++) {
		struct key key = { .pkey = make_key(alg_of(alg)) };
		EVP_PKEY *pkey = key.pkey;

		if (!pkey || keyid_fill(&key, NULL)) {
			EVP_PKEY_free(pkey);
			return NULL;
		}
		/* An id that begins so is an option to a command line. */
		if (!key_is_misread(&key) && key.rfc7638[0] != '-')
			return pkey;
		EVP_PKEY_free(pkey);
	}
	return NULL;
}

static bool set_serial(X509 *certificate)
{
	BIGNUM *n = BN_new();
	bool fine = n &&
		    BN_rand(n, SERIAL_BITS, BN_RAND_TOP_ONE,
			    BN_RAND_BOTTOM_ANY) == 1 &&
		    BN_to_ASN1_INTEGER(n, X509_get_serialNumber(certificate));

	BN_free(n);
	return fine;
}

/* A longer name is cut, not in the middle of a character. */
static bool set_name(X509 *certificate, struct str name)
{
	X509_NAME *subject = X509_get_subject_name(certificate);

	if (name.len > COMMON_NAME_MAX) {
		name.len = COMMON_NAME_MAX;
		while (name.len && (name.at[name.len] & 0xc0) == 0x80)
			name.len--;
	}
	return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
					  (const unsigned char *)name.at,
					  (int)name.len, -1, 0) == 1 &&
	       X509_set_issuer_name(certificate, subject) == 1;
}

static bool set_times(X509 *certificate, int64_t now)
{
	time_t from = (time_t)(now - DAY);
	time_t to = from + (time_t)VALID_DAYS * DAY;

	return ASN1_TIME_set(X509_getm_notBefore(certificate), from) &&
	       ASN1_TIME_set(X509_getm_notAfter(certificate), to);
}

/*
 * No key usage: without keyCertSign OpenSSL would not take the certificate for
 * its own issuer.
 */
static bool set_no_ca(X509 *certificate)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(
		NULL, NULL, NID_basic_constraints, "critical,CA:FALSE");
	bool fine = extension && X509_add_ext(certificate, extension, -1) == 1;

	X509_EXTENSION_free(extension);
	return fine;
}

static X509 *make_certificate(EVP_PKEY *pkey, const struct alg *alg,
			      struct str name, int64_t now)
{
	const EVP_MD *digest = NULL;
	X509 *certificate = X509_new();

	if (alg->digest)
		digest = EVP_get_digestbyname(alg->digest);
	if (certificate && X509_set_version(certificate, X509_VERSION_3) == 1 &&
	    set_serial(certificate) && set_name(certificate, name) &&
	    set_times(certificate, now) &&
	    X509_set_pubkey(certificate, pkey) == 1 && set_no_ca(certificate) &&
	    X509_sign(certificate, pkey, digest) > 0)
		return certificate;
	X509_free(certificate);
	return NULL;
}

/* The memory of such a BIO is wiped when it is freed. */
static bool add_pem(EVP_PKEY *pkey, X509 *certificate, struct buf *pem)
{
	AUTO(BIO) BIO *bio = BIO_new(BIO_s_secmem());
	char *at = NULL;
	long len;

	if (!bio ||
	    PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL,
					  NULL) != 1 ||
	    PEM_write_bio_X509(bio, certificate) != 1)
		return false;
	len = BIO_get_mem_data(bio, &at);
	buf_add(pem, (struct str) { at, (size_t)len });
	return true;
}

enum err key_generate(enum key_alg alg, struct str name, int64_t now,
		      struct buf *pem)
{
	EVP_PKEY *pkey = make_good_key(alg);
	X509 *certificate = NULL;
	enum err err = E_CRYPTO;

	if (pkey)
		certificate = make_certificate(pkey, alg_of(alg), name, now);
	if (certificate && add_pem(pkey, certificate, pem))
		err = pem->over ? E_LIMIT : E_OK;
	EVP_PKEY_free(pkey);
	X509_free(certificate);
	ERR_clear_error();
	return err;
}
