/* test/unit/token/test_secret.c - token/secret: texts and digests. */
#include "test/unit/check.h"

#include <stdio.h>
#include <string.h>

#include "token/encode.h"
#include "token/secret.h"

static void text_of_a_pat(void **state)
{
	static const unsigned char low[PAT_RANDOM],
		high[PAT_RANDOM] = { 0xff, 0xff, 0xff, 0xff, 0xff,
				     0xff, 0xff, 0xff, 0xff, 0xff,
				     0xff, 0xff, 0xff, 0xfb, 0xff };
	AUTO(secret) struct secret zero = secret_pat(low);
	AUTO(secret) struct secret one = secret_pat(high);

	(void)state;
	assert_str(secret_str(&zero), "glpat-AAAAAAAAAAAAAAAAAAAA");
	assert_str(secret_str(&one), "glpat-__________________v_");
}

static void text_of_a_refresh_token(void **state)
{
	unsigned char random[REFRESH_RANDOM];
	AUTO(secret) struct secret secret = { 0 };

	(void)state;
	memset(random, 0x69, sizeof(random));
	secret = secret_refresh(random);
	assert_str(secret_str(&secret),
		   "dprt-aWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlp");
}

static void cleanup_wipes(void **state)
{
	static const struct secret zero;
	unsigned char random[PAT_RANDOM] = { 1, 2, 3 };
	struct secret secret = secret_pat(random);

	(void)state;
	secret_cleanup(&secret);
	assert_memory_equal(&secret, &zero, sizeof(zero));
}

static const struct {
	const char *rule, *text;
	bool want;
} looks[] = {
	{ "a PAT", "glpat-AAAAAAAAAAAAAAAAAAAA", true },
	{ "a short PAT", "glpat-", true },
	{ "a refresh token", "dprt-x", true },
	{ "a password", "hunter2", false },
	{ "case matters", "GLPAT-AAAAAAAAAAAAAAAAAAAA", false },
	{ "only in front", " glpat-AAAAAAAAAAAAAAAAAAAA", false },
	{ "a part of the prefix", "glpat", false },
	{ "nothing", "", false },
};

static void looks_like_a_token(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(looks); i++) {
		print_message("%s\n", looks[i].rule);
		assert_int_equal(secret_looks_like_token(str_of(looks[i].text)),
				 looks[i].want);
	}
}

/* FIPS 180-4, by NIST's examples. */
static const struct {
	const char *text, *want;
} digests[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb924"
	      "27ae41e4649b934ca495991b7852b855" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223"
		 "b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	  "248d6a61d20638b8e5c026930c3e6039"
	  "a33ce45964ff2167f6ecedd419db06c1" },
};

static void digest_is_sha256(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(digests); i++) {
		AUTO(buf) struct buf hex;
		struct digest digest;

		buf_init(&hex, 64);
		assert_int_equal(
			secret_digest(str_of(digests[i].text), &digest), E_OK);
		hex_add(&hex, digest_str(&digest));
		assert_str(buf_str(&hex), digests[i].want);
	}
}

static void digests_differ_in_any_byte(void **state)
{
	struct digest a = { { 0 } }, b = a;

	(void)state;
	assert_true(digest_eq(&a, &b));
	for (size_t i = 0; i < DIGEST_LEN; i++) {
		b.at[i] = 1;
		assert_false(digest_eq(&a, &b));
		b.at[i] = 0;
	}
}

static void hidden_in_what_is_said(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "no user 'alice'", NULL },
		{ "no user 'GLPAT-abc'", NULL },
		{ "'glpat-aB3_-z' is no id", "'glpat-******' is no id" },
		{ "glpat-", "glpat-" },
		{ "x=dprt-abc glpat-abcglpat-x",
		  "x=dprt-*** glpat-**********" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[64];

		snprintf(text, sizeof(text), "%s", rows[i].text);
		assert_int_equal(secret_hide(text), rows[i].want != NULL);
		assert_string_equal(text,
				    rows[i].want ? rows[i].want : rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_a_pat),
		cmocka_unit_test(text_of_a_refresh_token),
		cmocka_unit_test(cleanup_wipes),
		cmocka_unit_test(looks_like_a_token),
		cmocka_unit_test(hidden_in_what_is_said),
		cmocka_unit_test(digest_is_sha256),
		cmocka_unit_test(digests_differ_in_any_byte),
	};

	return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
