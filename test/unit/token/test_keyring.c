/*
 * test/unit/token/test_keyring.c - token/keyring: key ids by known vectors,
 * what may join a keyring, and what it shows to the world.
 */
#include "test/unit/token/fresh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "test/unit/token/keys.h"
#include "token/date.h"
#include "token/keyid.h"

/* clang-format off */
static const struct {
	const char *name, *pem;
	enum key_alg alg;
	const char *libtrust, *rfc7638;
} vectors[] = {
	{ "spec/auth/jwt.md", SPEC_P256, ALG_ES256,
	  "PYYO:TEWU:V7JH:26JV:AQTZ:LJC3:SXVJ:XGHA:34F2:2LAQ:ZRMK:Z7Q6",
	  "8qjioA3ZA7ti2JIE7c-U8smBFuZolQZvhSHDPU3hhB8" },
	{ "the same, point compressed", COMPRESSED_P256, ALG_ES256,
	  "PYYO:TEWU:V7JH:26JV:AQTZ:LJC3:SXVJ:XGHA:34F2:2LAQ:ZRMK:Z7Q6",
	  "8qjioA3ZA7ti2JIE7c-U8smBFuZolQZvhSHDPU3hhB8" },
	{ "the same, curve spelled out", EXPLICIT_P256, ALG_ES256,
	  "PYYO:TEWU:V7JH:26JV:AQTZ:LJC3:SXVJ:XGHA:34F2:2LAQ:ZRMK:Z7Q6",
	  "8qjioA3ZA7ti2JIE7c-U8smBFuZolQZvhSHDPU3hhB8" },
	{ "RFC 7638 3.1", RFC7638_RSA, ALG_RS256,
	  "VUZD:EDHW:YWLN:RBFQ:KOA3:UVZ2:XKG5:2V2J:WTPI:6SRD:U6PZ:VCO5",
	  "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" },
	{ "x begins with a zero byte", LEADING_ZERO_P256, ALG_ES256,
	  "HVHZ:ST6I:F4OR:OPDN:GJXA:LYHY:X76T:LAWQ:RYP2:3CRU:GVAA:4U3A",
	  "7Yxe6c_3bAa6kiaK1G-BZmi9EeNsUmlcbdnrtLeuK4E" },
	{ "RFC 8037 A.3", RFC8037_ED25519, ALG_EDDSA,
	  "A3R7:3D62:FG5W:BK2Z:KV66:MHW3:BLWN:WIYR:GS7D:BZ23:IVPY:4G3Z",
	  "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" },
	{ "P-384", P384, ALG_ES384,
	  "ZDZZ:5L3Q:WLTE:GXUF:F3S7:PI3T:IKJX:S3PB:CRYG:QQD6:4RGK:3CP2",
	  "ZlJdgANqwdjziodcZF0Pk-KpTCBoEdc9yV0Fm_Xy5B8" },
};
/* clang-format on */

static EVP_PKEY *read_public(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(pkey);
	return pkey;
}

static void ids_by_known_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		struct key key = { .pkey = read_public(vectors[i].pem) };

		print_message("%s\n", vectors[i].name);
		assert_int_equal(keyid_fill(&key, NULL), E_OK);
		assert_int_equal(key.alg, vectors[i].alg);
		assert_string_equal(key.libtrust, vectors[i].libtrust);
		assert_string_equal(key.rfc7638, vectors[i].rfc7638);
		EVP_PKEY_free(key.pkey);
	}
}

static void jwk_of_a_known_key(void **state)
{
	struct key key = { .pkey = read_public(LEADING_ZERO_P256) };
	AUTO(buf) struct buf got;

	(void)state;
	buf_init(&got, 4096);
	assert_int_equal(keyid_fill(&key, NULL), E_OK);
	assert_int_equal(keyid_print(&key, KID_RFC7638, &got), E_OK);
	assert_str(buf_str(&got),
		   "{\"crv\":\"P-256\",\"kty\":\"EC\","
		   "\"x\":\"AFVDiUrz0A7X10Cr29dclrBod7eH219w7qeLkKjXwAo\","
		   "\"y\":\"u0yFo9jqKe-q-iRAaRLdhNWxTcMr9lbvbGvVil2UP5I\","
		   "\"kid\":\"7Yxe6c_3bAa6kiaK1G-BZmi9EeNsUmlcbdnrtLeuK4E\","
		   "\"use\":\"sig\",\"alg\":\"ES256\"}");
	EVP_PKEY_free(key.pkey);
}

/* A key and a certificate of `other`, or of the key itself. */
static void put_pem(EVP_PKEY *pkey, EVP_PKEY *other, struct buf *pem)
{
	X509 *certificate = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	const EVP_MD *md =
		EVP_PKEY_is_a(other, "ED25519") ? NULL : EVP_sha256();
	char *at;
	long len;

	assert_true(X509_gmtime_adj(X509_getm_notBefore(certificate), 0) &&
		    X509_gmtime_adj(X509_getm_notAfter(certificate), DAY));
	assert_int_equal(X509_set_pubkey(certificate, other), 1);
	assert_true(X509_sign(certificate, other, md) > 0);
	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0,
						       NULL, NULL),
			 1);
	assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
	len = BIO_get_mem_data(bio, &at);
	buf_add(pem, (struct str) { at, (size_t)len });
	BIO_free(bio);
	X509_free(certificate);
}

static const struct {
	const char *rule, *type, *group;
	unsigned bits;
	enum err err;
} sizes[] = {
	{ "RSA of 2048 bits", "RSA", NULL, 2048, E_OK },
	{ "RSA of less", "RSA", NULL, 2047, E_REFUSED },
	{ "RSA of 1024 bits", "RSA", NULL, 1024, E_REFUSED },
	{ "RSA-PSS is another algorithm", "RSA-PSS", NULL, 2048, E_REFUSED },
	{ "P-256", "EC", "P-256", 0, E_OK },
	{ "P-384", "EC", "P-384", 0, E_OK },
	{ "P-521", "EC", "P-521", 0, E_REFUSED },
	{ "secp256k1: as long as P-256", "EC", "secp256k1", 0, E_REFUSED },
	{ "Ed25519", "ED25519", NULL, 0, E_OK },
	{ "Ed448", "ED448", NULL, 0, E_REFUSED },
};

static EVP_PKEY *make_key(const char *type, const char *group, unsigned bits)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
	if (bits)
		assert_int_equal(
			EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits), 1);
	if (group)
		assert_int_equal(EVP_PKEY_CTX_set_group_name(ctx, group), 1);
	assert_int_equal(EVP_PKEY_generate(ctx, &pkey), 1);
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static void put_sized(size_t i, struct buf *pem)
{
	EVP_PKEY *pkey = make_key(sizes[i].type, sizes[i].group, sizes[i].bits);

	/* Ed448 signs without a digest to choose: a certificate of any. */
	if (strcmp(sizes[i].type, "ED448") != 0) {
		put_pem(pkey, pkey, pem);
	} else {
		EVP_PKEY *other = make_key("ED25519", NULL, 0);

		put_pem(pkey, other, pem);
		EVP_PKEY_free(other);
	}
	EVP_PKEY_free(pkey);
}

static void algorithms_and_sizes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		AUTO(keyring) struct keyring *keyring = keyring_new();
		struct cause cause = { "" };
		AUTO(buf) struct buf pem;

		print_message("%s\n", sizes[i].rule);
		buf_init(&pem, PEM_MAX);
		put_sized(i, &pem);
		assert_int_equal(
			keyring_add(keyring, buf_str(&pem), KEY_NEXT, &cause),
			sizes[i].err);
		assert_int_equal(!!cause.text[0], !!sizes[i].err);
		assert_int_equal(keyring_len(keyring), !sizes[i].err);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

static void key_and_certificate_belong_together(void **state)
{
	AUTO(keyring) struct keyring *keyring = keyring_new();
	EVP_PKEY *a = make_key("EC", "P-256", 0);
	EVP_PKEY *b = make_key("EC", "P-256", 0);
	struct cause cause;
	AUTO(buf) struct buf pem;

	(void)state;
	buf_init(&pem, PEM_MAX);
	put_pem(a, b, &pem);
	assert_int_equal(keyring_add(keyring, buf_str(&pem), KEY_NEXT, &cause),
			 E_SYNTAX);
	assert_string_equal(cause.text, "the certificate is of another key");
	assert_int_equal(keyring_len(keyring), 0);
	assert_int_equal(ERR_peek_error(), 0);
	EVP_PKEY_free(a);
	EVP_PKEY_free(b);
}

/* Signatures of such a key verify under no public key that it shows. */
static void both_halves_belong_together(void **state)
{
	/* RFC 5915 inside of PKCS #8: d = 1 beside the point of d = 379 */
	static const char lie[] =
		"-----BEGIN PRIVATE KEY-----\n"
		"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAAAAAAAAAAAAAA"
		"AA\n"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAGhRANCAAQAVUOJSvPQDtfXQKvb11yWsGh3t4"
		"fb\n"
		"X3Dup4uQqNfACrtMhaPY6invqvokQGkS3YTVsU3DK/ZW72xr1YpdlD+S\n"
		"-----END PRIVATE KEY-----\n";
	AUTO(keyring) struct keyring *keyring = keyring_new();
	EVP_PKEY *signs = make_key("EC", "P-256", 0);
	struct cause cause;
	AUTO(buf) struct buf pem, text;
	const char *certificate;

	(void)state;
	buf_init(&pem, PEM_MAX);
	buf_init(&text, PEM_MAX);
	put_pem(signs, signs, &pem);
	buf_add_char(&pem, '\0');
	certificate = strstr(pem.at, "-----BEGIN CERTIFICATE");
	assert_non_null(certificate);
	buf_printf(&text, "%s%s", lie, certificate);
	assert_int_equal(keyring_add(keyring, buf_str(&text), KEY_NEXT, &cause),
			 E_SYNTAX);
	assert_non_null(strstr(cause.text, "public half"));
	EVP_PKEY_free(signs);
}

static void what_is_no_pem(void **state)
{
	AUTO(keyring) struct keyring *keyring = keyring_new();
	struct cause cause = { "" };
	AUTO(buf) struct buf pem;
	const char *middle;

	(void)state;
	buf_init(&pem, PEM_MAX);
	assert_int_equal(key_generate(ALG_ES256, STR("test"), NOW, &pem), E_OK);
	buf_add_char(&pem, '\0');
	middle = strstr(pem.at, "-----BEGIN CERTIFICATE");
	assert_int_equal(keyring_add(keyring, STR(""), KEY_NEXT, &cause),
			 E_SYNTAX);
	assert_int_equal(keyring_add(keyring, STR("hello"), KEY_NEXT, &cause),
			 E_SYNTAX);
	assert_int_equal(keyring_add(keyring, str_of(middle), KEY_NEXT, &cause),
			 E_SYNTAX);
	assert_non_null(strstr(cause.text, "no private key"));
	assert_int_equal(
		keyring_add(keyring,
			    str_head(buf_str(&pem), (size_t)(middle - pem.at)),
			    KEY_NEXT, &cause),
		E_SYNTAX);
	assert_non_null(strstr(cause.text, "no certificate"));
	assert_int_equal(keyring_len(keyring), 0);
	assert_int_equal(ERR_peek_error(), 0);
}

/* Nobody is asked on a terminal. */
static void a_passphrase_is_refused(void **state)
{
	AUTO(keyring) struct keyring *keyring = keyring_new();
	EVP_PKEY *pkey = make_key("EC", "P-256", 0);
	BIO *bio = BIO_new(BIO_s_mem());
	char *at;
	long len;

	(void)state;
	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey,
						       EVP_aes_128_cbc(),
						       "secret", 6, NULL, NULL),
			 1);
	len = BIO_get_mem_data(bio, &at);
	assert_int_equal(keyring_add(keyring, (struct str) { at, (size_t)len },
				     KEY_NEXT, NULL),
			 E_SYNTAX);
	BIO_free(bio);
	EVP_PKEY_free(pkey);
}

static void one_key_once_one_current(void **state)
{
	AUTO(keyring) struct keyring *keyring = keyring_new();
	struct cause cause;
	AUTO(buf) struct buf pem;

	(void)state;
	buf_init(&pem, PEM_MAX);
	assert_int_equal(key_generate(ALG_ES256, STR("test"), NOW, &pem), E_OK);
	assert_null(keyring_current(keyring));
	assert_int_equal(keyring_add(keyring, buf_str(&pem), KEY_RETIRED, NULL),
			 E_OK);
	assert_int_equal(keyring_add(keyring, buf_str(&pem), KEY_NEXT, &cause),
			 E_EXISTS);
	assert_non_null(strstr(cause.text, "already"));
	assert_null(keyring_current(keyring));
	assert_int_equal(add_new(keyring, ALG_ES256, KEY_CURRENT, NULL), E_OK);
	assert_int_equal(add_new(keyring, ALG_ES256, KEY_CURRENT, &cause),
			 E_EXISTS);
	assert_non_null(strstr(cause.text, "second current"));
	assert_int_equal(keyring_len(keyring), 2);
	assert_ptr_equal(keyring_current(keyring), keyring_at(keyring, 1));
}

static void keys_are_limited(void **state)
{
	AUTO(keyring) struct keyring *keyring = keyring_new();
	struct cause cause;

	(void)state;
	for (int i = 0; i < KEYS_MAX; i++)
		assert_int_equal(add_new(keyring, ALG_EDDSA, KEY_RETIRED, NULL),
				 E_OK);
	assert_int_equal(add_new(keyring, ALG_EDDSA, KEY_RETIRED, &cause),
			 E_LIMIT);
	assert_int_equal(keyring_len(keyring), KEYS_MAX);
}

static void found_by_either_id(void **state)
{
	AUTO(keyring) struct keyring *keyring = keyring_new();
	const struct key *key;

	(void)state;
	assert_int_equal(add_new(keyring, ALG_ES256, KEY_NEXT, NULL), E_OK);
	assert_int_equal(add_new(keyring, ALG_ES384, KEY_NEXT, NULL), E_OK);
	key = keyring_at(keyring, 1);
	assert_ptr_equal(keyring_find(keyring, str_of(key->libtrust)), key);
	assert_ptr_equal(keyring_find(keyring, str_of(key->rfc7638)), key);
	assert_null(keyring_find(keyring, STR("")));
	assert_null(keyring_find(keyring, str_head(str_of(key->rfc7638), 42)));
}

static void names(void **state)
{
	static const char *const algs[] = { "ES256", "RS256", "ES384",
					    "EdDSA" };
	static const char *const states[] = { "next", "current", "retired" };
	enum key_alg alg;
	enum key_state key_state;

	(void)state;
	for (size_t i = 0; i < COUNT(algs); i++) {
		assert_str(key_alg_name((enum key_alg)i), algs[i]);
		assert_int_equal(key_alg_parse(str_of(algs[i]), &alg), E_OK);
		assert_int_equal(alg, i);
	}
	assert_int_equal(key_alg_parse(STR("HS256"), &alg), E_SYNTAX);
	assert_int_equal(key_alg_parse(STR("none"), &alg), E_SYNTAX);
	for (size_t i = 0; i < COUNT(states); i++) {
		assert_str(key_state_name((enum key_state)i), states[i]);
		assert_int_equal(key_state_parse(str_of(states[i]), &key_state),
				 E_OK);
		assert_int_equal(key_state, i);
	}
	assert_int_equal(key_state_parse(STR("Current"), &key_state), E_SYNTAX);
	assert_int_equal(key_state, KEY_RETIRED);
}

static size_t count(struct str text, const char *what)
{
	size_t n = 0, len = strlen(what);

	for (size_t i = 0; i + len <= text.len; i++)
		n += !memcmp(text.at + i, what, len);
	return n;
}

static void jwks(void **state)
{
	static const char *const private[] = { "\"d\":",  "\"p\":", "\"q\":",
					       "\"dp\":", "\"k\":", "PRIVATE" };
	AUTO(keyring) struct keyring *keyring = keyring_new();
	AUTO(buf) struct buf got;

	(void)state;
	buf_init(&got, 65536);
	for (int alg = ALG_ES256; alg <= ALG_EDDSA; alg++)
		assert_int_equal(
			add_new(keyring, (enum key_alg)alg,
				alg == ALG_ES384 ? KEY_CURRENT : KEY_RETIRED,
				NULL),
			E_OK);
	assert_int_equal(keyring_print_jwks(keyring, false, &got), E_OK);
	assert_int_equal(count(buf_str(&got), "\"use\":\"sig\""), 8);
	assert_int_equal(count(buf_str(&got), "\"kty\":\"EC\""), 4);
	assert_int_equal(count(buf_str(&got), "\"kty\":\"RSA\""), 2);
	assert_int_equal(count(buf_str(&got), "\"kty\":\"OKP\""), 2);
	for (size_t i = 0; i < COUNT(private); i++)
		assert_int_equal(count(buf_str(&got), private[i]), 0);
	for (size_t i = 0; i < 4; i++) {
		const struct key *key = keyring_at(keyring, i);

		assert_int_equal(count(buf_str(&got), key->libtrust), 1);
		assert_int_equal(count(buf_str(&got), key->rfc7638), 1);
	}
	assert_true(str_starts(buf_str(&got),
			       STR("{\"keys\":[{\"crv\":\"P-384\"")));
	buf_clear(&got);
	assert_int_equal(keyring_print_jwks(keyring, true, &got), E_OK);
	assert_int_equal(count(buf_str(&got), "\"alg\":\"ES384\""), 2);
	assert_int_equal(count(buf_str(&got), "\"alg\":"), 2);
}

static void bundle(void **state)
{
	AUTO(keyring) struct keyring *keyring = keyring_new();
	AUTO(buf) struct buf got;
	X509 *first;
	BIO *bio;

	(void)state;
	buf_init(&got, 65536);
	assert_int_equal(add_new(keyring, ALG_ES256, KEY_NEXT, NULL), E_OK);
	assert_int_equal(keyring_print_bundle(keyring, true, &got),
			 E_NOT_FOUND);
	assert_int_equal(add_new(keyring, ALG_ES256, KEY_CURRENT, NULL), E_OK);
	assert_int_equal(keyring_print_bundle(keyring, false, &got), E_OK);
	assert_int_equal(count(buf_str(&got), "-----BEGIN CERTIFICATE"), 2);
	assert_int_equal(count(buf_str(&got), "-----BEGIN"), 2);
	bio = BIO_new_mem_buf(got.at, (int)got.len);
	first = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	assert_int_equal(X509_cmp(first, keyring_current(keyring)->certificate),
			 0);
	X509_free(first);
	BIO_free(bio);
	buf_clear(&got);
	assert_int_equal(keyring_print_bundle(keyring, true, &got), E_OK);
	assert_int_equal(count(buf_str(&got), "-----BEGIN"), 1);
}

static void output_over_a_limit(void **state)
{
	AUTO(keyring) struct keyring *keyring = keyring_new();
	AUTO(buf) struct buf got;

	(void)state;
	buf_init(&got, 100);
	assert_int_equal(add_new(keyring, ALG_ES256, KEY_CURRENT, NULL), E_OK);
	assert_int_equal(keyring_print_bundle(keyring, false, &got), E_LIMIT);
	buf_clear(&got);
	assert_int_equal(keyring_print_jwks(keyring, false, &got), E_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_by_known_vectors),
		cmocka_unit_test(jwk_of_a_known_key),
		cmocka_unit_test(algorithms_and_sizes),
		cmocka_unit_test(key_and_certificate_belong_together),
		cmocka_unit_test(both_halves_belong_together),
		cmocka_unit_test(what_is_no_pem),
		cmocka_unit_test(a_passphrase_is_refused),
		cmocka_unit_test(one_key_once_one_current),
		cmocka_unit_test(keys_are_limited),
		cmocka_unit_test(found_by_either_id),
		cmocka_unit_test(names),
		cmocka_unit_test(jwks),
		cmocka_unit_test(bundle),
		cmocka_unit_test(output_over_a_limit),
	};

	return cmocka_run_group_tests_name("keyring", tests, NULL, NULL);
}
