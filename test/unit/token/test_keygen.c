/* test/unit/token/test_keygen.c - token/keygen: fresh keys, certificates. */
#include "test/unit/token/fresh.h"

#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "token/date.h"
#include "token/keyid.h"

static void check_certificate(const struct key *key)
{
	char *name;
	struct tm tm;

	assert_int_equal(X509_verify(key->certificate, key->pkey), 1);
	assert_int_equal(X509_check_issued(key->certificate, key->certificate),
			 X509_V_OK);
	assert_int_equal(X509_check_ca(key->certificate), 0);
	name = X509_NAME_oneline(X509_get_issuer_name(key->certificate), NULL,
				 0);
	assert_string_equal(name, "/CN=test");
	OPENSSL_free(name);
	assert_int_equal(
		ASN1_TIME_to_tm(X509_get0_notBefore(key->certificate), &tm), 1);
	assert_true(timegm(&tm) == NOW - DAY);
	assert_true(key->not_after == NOW - DAY + (int64_t)3652 * DAY);
	assert_true(ASN1_INTEGER_get(
			    X509_get0_serialNumber(key->certificate)) != 0);
}

static void fresh_keys(void **state)
{
	AUTO(keyring) struct keyring *keyring = keyring_new();

	(void)state;
	for (int alg = ALG_ES256; alg <= ALG_EDDSA; alg++) {
		assert_int_equal(
			add_new(keyring, (enum key_alg)alg, KEY_NEXT, NULL),
			E_OK);
		assert_int_equal(keyring_at(keyring, (size_t)alg)->alg, alg);
		check_certificate(keyring_at(keyring, (size_t)alg));
	}
	assert_int_equal(EVP_PKEY_get_bits(keyring_at(keyring, 1)->pkey), 2048);
}

/* 63 of 64 characters fit: the euro sign at the end has three bytes. */
static void a_long_name_is_cut_between_characters(void **state)
{
	AUTO(buf) struct buf pem, name;
	AUTO(keyring) struct keyring *keyring = keyring_new();
	char got[128];

	(void)state;
	buf_init(&pem, PEM_MAX);
	buf_init(&name, 256);
	buf_printf(&name, "%063d\xe2\x82\xac%0100d", 0, 0);
	assert_int_equal(key_generate(ALG_ES256, buf_str(&name), NOW, &pem),
			 E_OK);
	assert_int_equal(keyring_add(keyring, buf_str(&pem), KEY_NEXT, NULL),
			 E_OK);
	X509_NAME_get_text_by_NID(
		X509_get_subject_name(keyring_at(keyring, 0)->certificate),
		NID_commonName, got, sizeof(got));
	assert_int_equal(strlen(got), 63);
}

/*
 * One in 128 would have such a coordinate, one in 64 such an id: 1000 keys
 * without one are no chance.
 */
static void no_coordinate_begins_with_zero_no_id_with_a_hyphen(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		AUTO(buf) struct buf pem;
		struct key_public public;
		struct key key = { .alg = ALG_ES256 };
		EVP_PKEY *pkey;
		BIO *bio;

		buf_init(&pem, PEM_MAX);
		assert_int_equal(key_generate(ALG_ES256, STR("t"), NOW, &pem),
				 E_OK);
		bio = BIO_new_mem_buf(pem.at, (int)pem.len);
		pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
		assert_int_equal(keyid_public(pkey, ALG_ES256, &public), E_OK);
		assert_int_not_equal(public.part[0].at[0], 0);
		assert_int_not_equal(public.part[1].at[0], 0);
		key.pkey = pkey;
		assert_int_equal(keyid_fill(&key, NULL), E_OK);
		assert_int_not_equal(key.rfc7638[0], '-');
		EVP_PKEY_free(pkey);
		BIO_free(bio);
	}
}

static void pem_over_a_limit(void **state)
{
	AUTO(buf) struct buf pem;

	(void)state;
	buf_init(&pem, 100);
	assert_int_equal(key_generate(ALG_ES256, STR("t"), NOW, &pem), E_LIMIT);
	assert_int_equal(buf_str(&pem).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fresh_keys),
		cmocka_unit_test(a_long_name_is_cut_between_characters),
		cmocka_unit_test(
			no_coordinate_begins_with_zero_no_id_with_a_hyphen),
		cmocka_unit_test(pem_over_a_limit),
	};

	return cmocka_run_group_tests_name("keygen", tests, NULL, NULL);
}
