/*
 * test/unit/token/test_claims.c - token/claims: every part of a JWT, and its
 * signature by each algorithm, checked by OpenSSL.
 */
#include "test/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "token/claims.h"
#include "token/encode.h"

enum { NOW = 1800000000, PART_MAX = 512 * 1024 };

static const struct {
	enum key_alg alg;
	const char *name, *digest;
	size_t size; /* of a coordinate; 0: no ECDSA */
} algs[] = {
	{ ALG_ES256, "ES256", "SHA256", 32 },
	{ ALG_RS256, "RS256", "SHA256", 0 },
	{ ALG_ES384, "ES384", "SHA384", 48 },
	{ ALG_EDDSA, "EdDSA", NULL, 0 },
};

static struct keyring *keyrings[COUNT(algs)];
static struct scope_list access_list = { .len = 2,
					 .at = {
						 { SCOPE_REPOSITORY,
						   { "group/app", 9 },
						   RIGHT_PULL | RIGHT_PUSH },
						 { SCOPE_CATALOG,
						   { "catalog", 7 },
						   RIGHT_CATALOG },
					 } };

static const struct claims usual = {
	.issuer = { "auth.example.com", 16 },
	.audience = { "registry", 8 },
	.subject = { "alice", 5 },
	.now = NOW,
	.expires_at = NOW + 300,
	.jti = { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09,
		 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0xff },
	.access = &access_list,
};

static const struct key *key_at(size_t i)
{
	return keyring_current(keyrings[i]);
}

/* base64url, as a JWT has it, to text in *out; a NUL behind it. */
static void decode(struct str part, struct buf *out)
{
	AUTO(buf) struct buf text;
	size_t len;
	char *room;

	buf_init(&text, PART_MAX);
	for (size_t i = 0; i < part.len; i++) {
		char c = part.at[i];

		assert_true(c != '+' && c != '/' && c != '=');
		buf_add_char(&text, c == '-' ? '+' : c == '_' ? '/' : c);
	}
	while (text.len % 4)
		buf_add_char(&text, '=');
	room = buf_room(out, text.len + 1);
	assert_non_null(room);
	assert_int_equal(base64_decode(buf_str(&text), room, text.len, &len),
			 E_OK);
	room[len] = '\0';
	buf_grew(out, len);
}

/* `part` of header.claims.signature; *signed_part is what was signed. */
static struct str part_of(struct str jwt, int part, struct str *signed_part)
{
	struct str rest = jwt, word;
	int seen = 0;

	assert_true(str_cut(&rest, '.', &word));
	*signed_part = word;
	for (; seen < part; seen++) {
		*signed_part =
			str_head(jwt, (size_t)(word.at - jwt.at) + word.len);
		assert_true(str_cut(&rest, '.', &word));
	}
	assert_int_equal(seen, part);
	return word;
}

/* r || s back to the DER that OpenSSL verifies. */
static size_t der_of(const unsigned char *raw, size_t size, unsigned char *der)
{
	ECDSA_SIG *pair = ECDSA_SIG_new();
	unsigned char *end = der;

	ECDSA_SIG_set0(pair, BN_bin2bn(raw, (int)size, NULL),
		       BN_bin2bn(raw + size, (int)size, NULL));
	assert_true(i2d_ECDSA_SIG(pair, &end) > 0);
	ECDSA_SIG_free(pair);
	return (size_t)(end - der);
}

static bool verifies(size_t i, struct str jwt)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	AUTO(buf) struct buf signature;
	struct str text, part = part_of(jwt, 2, &text);
	unsigned char der[256];
	const unsigned char *at;
	size_t len;
	bool good;

	buf_init(&signature, PART_MAX);
	decode(part, &signature);
	at = (const unsigned char *)signature.at;
	len = signature.len;
	if (algs[i].size) {
		assert_int_equal(len, 2 * algs[i].size);
		len = der_of(at, algs[i].size, der);
		at = der;
	}
	assert_int_equal(EVP_DigestVerifyInit_ex(ctx, NULL, algs[i].digest,
						 NULL, NULL, key_at(i)->pkey,
						 NULL),
			 1);
	good = EVP_DigestVerify(ctx, at, len, (const unsigned char *)text.at,
				text.len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

static void sign(size_t i, const struct claims *claims, struct buf *jwt)
{
	AUTO(signer) struct signer *signer = NULL;
	AUTO(buf) struct buf header;

	buf_init(&header, PART_MAX);
	assert_int_equal(claims_header(key_at(i), KID_LIBTRUST, false, &header),
			 E_OK);
	assert_int_equal(signer_new(key_at(i), &signer), E_OK);
	assert_int_equal(claims_sign(claims, buf_str(&header), signer, jwt),
			 E_OK);
}

static void each_algorithm_verifies(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(algs); i++) {
		AUTO(buf) struct buf jwt;

		print_message("%s\n", algs[i].name);
		buf_init(&jwt, PART_MAX);
		sign(i, &usual, &jwt);
		assert_true(verifies(i, buf_str(&jwt)));
		jwt.at[10] ^= 1;
		assert_false(verifies(i, buf_str(&jwt)));
	}
}

/* One in 256 has an r or s with a zero in front: the padding is used. */
static void a_signer_signs_again_and_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(algs); i++) {
		AUTO(signer) struct signer *signer = NULL;
		int rounds = algs[i].size ? 1000 : 5;

		assert_int_equal(signer_new(key_at(i), &signer), E_OK);
		for (int n = 0; n < rounds; n++) {
			struct claims claims = usual;
			AUTO(buf) struct buf jwt;

			claims.expires_at += n;
			buf_init(&jwt, 4096);
			assert_int_equal(
				claims_sign(&claims, STR("e30"), signer, &jwt),
				E_OK);
			assert_true(verifies(i, buf_str(&jwt)));
		}
	}
}

static void claims_of(const struct claims *claims, struct buf *out)
{
	AUTO(buf) struct buf jwt;
	struct str ignored;

	buf_init(&jwt, PART_MAX);
	sign(0, claims, &jwt);
	decode(part_of(buf_str(&jwt), 1, &ignored), out);
}

/* The order of the members does not matter: RFC 8259 4. */
static const struct {
	const char *rule, *has;
} members[] = {
	{ "iss", "\"iss\":\"auth.example.com\"" },
	{ "sub", "\"sub\":\"alice\"" },
	{ "aud is a string: registry 2.8 reads no list",
	  "\"aud\":\"registry\"" },
	{ "exp is an integer", "\"exp\":1800000300," },
	{ "nbf: ten seconds back", "\"nbf\":1799999990," },
	{ "iat: ten seconds back", "\"iat\":1799999990," },
	{ "jti: 128 bits", "\"jti\":\"000102030405060708090a0b0c0d0eff\"" },
	{ "access", "\"access\":[{\"" },
	{ "a repository", "\"name\":\"group/app\"" },
	{ "its type", "\"type\":\"repository\"" },
	{ "its actions, sorted", "\"actions\":[\"pull\",\"push\"]" },
	{ "the catalog", "\"actions\":[\"*\"]" },
};

static void each_claim(void **state)
{
	AUTO(buf) struct buf got;
	size_t commas = 0;

	(void)state;
	buf_init(&got, PART_MAX);
	claims_of(&usual, &got);
	for (size_t i = 0; i < COUNT(members); i++) {
		print_message("%s\n", members[i].rule);
		assert_non_null(strstr(got.at, members[i].has));
	}
	for (const char *at = got.at; (at = strstr(at, "\":")); at++)
		commas++;
	assert_int_equal(commas, 8 + 2 * 3); /* nothing else is in it */
}

static const struct {
	const char *rule;
	struct str subject;
	const char *has;
} subjects[] = {
	{ "the anonymous", { "", 0 }, "\"sub\":\"\"" },
	{ "a quote", { "a\"b", 3 }, "\"sub\":\"a\\\"b\"" },
	{ "no way out of the string",
	  { "\",\"sub\":\"root", 13 },
	  "\"sub\":\"\\\",\\\"sub\\\":\\\"root\"" },
	{ "UTF-8", { "\xc3\xa4", 2 }, "\"sub\":\"\xc3\xa4\"" },
};

static void subjects_are_escaped(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(subjects); i++) {
		struct claims claims = usual;
		AUTO(buf) struct buf got;

		print_message("%s\n", subjects[i].rule);
		buf_init(&got, PART_MAX);
		claims.subject = subjects[i].subject;
		claims_of(&claims, &got);
		assert_non_null(strstr(got.at, subjects[i].has));
	}
}

static void no_access_is_an_empty_list(void **state)
{
	static const struct scope_list none;
	struct claims claims = usual;
	AUTO(buf) struct buf got;

	(void)state;
	buf_init(&got, PART_MAX);
	claims.access = &none;
	claims_of(&claims, &got);
	assert_non_null(strstr(got.at, "\"access\":[]"));
}

static const struct {
	const char *rule;
	struct str subject;
	size_t max;
	enum err err;
} refused[] = {
	{ "a NUL would cut the name short", { "root\0x", 6 }, 4096, E_SYNTAX },
	{ "what is no UTF-8", { "\xff", 1 }, 4096, E_SYNTAX },
	{ "no room for the header", { "a", 1 }, 6, E_LIMIT },
	{ "no room for the claims", { "a", 1 }, 100, E_LIMIT },
	{ "no room for the signature", { "a", 1 }, 400, E_LIMIT },
};

static void a_refused_token_leaves_nothing(void **state)
{
	AUTO(signer) struct signer *signer = NULL;

	(void)state;
	assert_int_equal(signer_new(key_at(0), &signer), E_OK);
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct claims claims = usual;
		AUTO(buf) struct buf out;

		print_message("%s\n", refused[i].rule);
		buf_init(&out, refused[i].max);
		buf_add(&out, STR("abc"));
		claims.subject = refused[i].subject;
		assert_int_equal(
			claims_sign(&claims, STR("e30e30"), signer, &out),
			refused[i].err);
		assert_int_equal(out.len, 3);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

/* The longest that can be asked; its caller says what is too long. */
static void the_longest_list(void **state)
{
	static struct scope_list all;
	static char name[SCOPE_NAME_MAX];
	struct claims claims = usual;
	AUTO(buf) struct buf got;

	(void)state;
	memset(name, 'a', sizeof(name));
	for (all.len = 0; all.len < SCOPE_MAX; all.len++)
		all.at[all.len] =
			(struct scope) { SCOPE_REPOSITORY, STR_OF(name),
					 RIGHT_REPOSITORY };
	buf_init(&got, PART_MAX);
	claims.access = &all;
	claims_of(&claims, &got);
	assert_true(got.len > SCOPE_MAX * SCOPE_NAME_MAX);
}

static void header_of(size_t i, enum kid_style style, bool x5c, struct buf *out)
{
	AUTO(buf) struct buf text;

	buf_init(&text, PART_MAX);
	assert_int_equal(claims_header(key_at(i), style, x5c, &text), E_OK);
	decode(buf_str(&text), out);
}

static void headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(algs); i++)
		for (enum kid_style style = KID_LIBTRUST; style <= KID_RFC7638;
		     style++) {
			AUTO(buf) struct buf got, want;

			buf_init(&got, PART_MAX);
			buf_init(&want, PART_MAX);
			header_of(i, style, false, &got);
			buf_printf(&want,
				   "{\"typ\":\"JWT\",\"alg\":\"%s\","
				   "\"kid\":\"%s\"}",
				   algs[i].name,
				   style == KID_LIBTRUST ? key_at(i)->libtrust
							 : key_at(i)->rfc7638);
			assert_true(str_eq(buf_str(&got), buf_str(&want)));
		}
}

/* RFC 7515 4.1.6: standard base64, with padding, of DER. */
static void x5c_is_the_certificate(void **state)
{
	AUTO(buf) struct buf got;
	char der[4096], *from, *end;
	const unsigned char *at = (const unsigned char *)der;
	X509 *certificate;
	size_t len;

	(void)state;
	buf_init(&got, PART_MAX);
	header_of(0, KID_LIBTRUST, true, &got);
	from = strstr(got.at, ",\"x5c\":[\"");
	assert_non_null(from);
	from += strlen(",\"x5c\":[\"");
	end = strstr(from, "\"]}");
	assert_non_null(end);
	assert_int_equal(
		base64_decode((struct str) { from, (size_t)(end - from) }, der,
			      sizeof(der), &len),
		E_OK);
	certificate = d2i_X509(NULL, &at, (long)len);
	assert_non_null(certificate);
	assert_int_equal(X509_cmp(certificate, key_at(0)->certificate), 0);
	X509_free(certificate);
}

static void header_over_a_limit(void **state)
{
	AUTO(buf) struct buf out;

	(void)state;
	buf_init(&out, 50);
	assert_int_equal(claims_header(key_at(0), KID_LIBTRUST, true, &out),
			 E_LIMIT);
}

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(algs); i++) {
		AUTO(buf) struct buf pem;

		buf_init(&pem, 16384);
		keyrings[i] = keyring_new();
		if (key_generate(algs[i].alg, STR("test"), NOW, &pem) ||
		    keyring_add(keyrings[i], buf_str(&pem), KEY_CURRENT, NULL))
			return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(algs); i++)
		keyring_free(keyrings[i]);
	return 0;
}

/* By whatever it is signed. */
static void a_token_tells_whose_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(algs); i++) {
		AUTO(buf) struct buf header, jwt;
		AUTO(signer) struct signer *signer = NULL;
		struct claims_seen seen;

		buf_init(&header, PART_MAX);
		buf_init(&jwt, PART_MAX);
		assert_int_equal(signer_new(key_at(i), &signer), E_OK);
		assert_int_equal(
			claims_header(key_at(i), KID_LIBTRUST, true, &header),
			E_OK);
		assert_int_equal(
			claims_sign(&usual, buf_str(&header), signer, &jwt),
			E_OK);
		assert_int_equal(claims_look(buf_str(&jwt), &seen), E_OK);
		assert_string_equal(seen.subject, "alice");
		assert_int_equal(seen.expires_at, NOW + 300);
	}
}

static void what_a_token_says_of_itself(void **state)
{
	static const struct {
		const char *rule, *claims, *subject;
		int64_t expires_at;
	} rows[] = {
		{ "both", "{\"sub\":\"a\",\"exp\":7}", "a", 7 },
		{ "the anonymous", "{\"sub\":\"\",\"exp\":7}", "", 7 },
		{ "an end of its line", "{\"sub\":\"a\\nb\",\"exp\":7}", "a?b",
		  7 },
		{ "no sub", "{\"exp\":7}", NULL, 0 },
		{ "no exp", "{\"sub\":\"a\"}", NULL, 0 },
		{ "an exp that is a text", "{\"sub\":\"a\",\"exp\":\"7\"}",
		  NULL, 0 },
		{ "an exp before all time", "{\"sub\":\"a\",\"exp\":-7}", NULL,
		  0 },
		{ "a sub that is a number", "{\"sub\":1,\"exp\":7}", NULL, 0 },
		{ "a list", "[1]", NULL, 0 },
		{ "half", "{\"sub\":", NULL, 0 },
		{ "nothing", "", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO(buf) struct buf jwt;
		struct claims_seen seen;

		print_message("%s\n", rows[i].rule);
		buf_init(&jwt, PART_MAX);
		buf_add(&jwt, STR("e30."));
		base64url_add(&jwt, str_of(rows[i].claims));
		buf_add(&jwt, STR(".c2ln"));
		assert_int_equal(claims_look(buf_str(&jwt), &seen),
				 rows[i].subject ? E_OK : E_SYNTAX);
		assert_string_equal(seen.subject,
				    rows[i].subject ? rows[i].subject : "");
		assert_int_equal(seen.expires_at, rows[i].expires_at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_algorithm_verifies),
		cmocka_unit_test(a_signer_signs_again_and_again),
		cmocka_unit_test(each_claim),
		cmocka_unit_test(subjects_are_escaped),
		cmocka_unit_test(no_access_is_an_empty_list),
		cmocka_unit_test(a_refused_token_leaves_nothing),
		cmocka_unit_test(the_longest_list),
		cmocka_unit_test(headers),
		cmocka_unit_test(x5c_is_the_certificate),
		cmocka_unit_test(header_over_a_limit),
		cmocka_unit_test(a_token_tells_whose_it_is),
		cmocka_unit_test(what_a_token_says_of_itself),
	};

	return cmocka_run_group_tests_name("claims", tests, setup, teardown);
}
