/* test/unit/token/test_secret.c - token/secret: texts and digests. */
#include "test/unit/check.h"

#include <stdio.h>
#include <string.h>

#include "token/encode.h"
#include "token/secret.h"

static const struct prefix glpat = PREFIX_DEFAULT;

static void text_of_a_pat(void **state)
{
	static const unsigned char low[PAT_RANDOM],
		high[PAT_RANDOM] = { 0xff, 0xff, 0xff, 0xff, 0xff,
				     0xff, 0xff, 0xff, 0xff, 0xff,
				     0xff, 0xff, 0xff, 0xfb, 0xff };
	AUTO(secret) struct secret zero = secret_pat(&glpat, low);
	AUTO(secret) struct secret one = secret_pat(&glpat, high);

	(void)state;
	assert_str(secret_str(&zero), "glpat-AAAAAAAAAAAAAAAAAAAA");
	assert_str(secret_str(&one), "glpat-__________________v_");
}

/* As many letters, three of which follow from the others. */
static void text_with_a_prefix_of_ones_own(void **state)
{
	static const char *const prefixes[] = { "a", "acme-",
						"ACME_ci-0123456789-x" };
	unsigned char random[PAT_RANDOM] = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(prefixes); i++)
		for (unsigned n = 0; n < 256; n++) {
			AUTO(secret) struct secret secret = { 0 };
			char last;
			struct str text;
			struct prefix prefix;

			assert_int_equal(prefix_parse(str_of(prefixes[i]),
						      &prefix, NULL),
					 E_OK);
			random[n % PAT_RANDOM] = (unsigned char)(7 * n);
			secret = secret_pat(&prefix, random);
			text = secret_str(&secret);
			assert_true(str_starts(text, str_of(prefixes[i])));
			assert_int_equal(text.len, strlen(prefixes[i]) + 20);
			assert_true(secret_looks_like_token(text));
			assert_false(secret_looks_like_token(
				str_head(text, text.len - 1)));
			last = secret.text[text.len - 1];
			secret.text[text.len - 1] = last == 'A' ? 'B' : 'A';
			assert_false(secret_looks_like_token(text));
		}
}

/* In another's words, and with a prefix that is set no longer. */
static void hidden_whatever_its_prefix(void **state)
{
	const unsigned char random[PAT_RANDOM] = { 1, 2, 3, 4 };
	const struct prefix prefix = { "acme-" };
	AUTO(secret) struct secret secret = secret_pat(&prefix, random);
	char text[128];

	(void)state;
	snprintf(text, sizeof(text), "no user '%.*s'; no", (int)secret.len,
		 secret.text);
	assert_true(secret_hide(text));
	assert_string_equal(text, "no user 'acme-********************'; no");
}

/* Of 20,000 words of its length none is taken for one, or hardly one. */
static void other_words_stay(void **state)
{
	unsigned taken = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		char text[64];

		snprintf(text, sizeof(text), "a-repository-%u-of-somebody", i);
		taken += secret_hide(text);
	}
	assert_true(taken <= 1);
}

static void prefixes(void **state)
{
	static const struct {
		const char *rule, *text;
		bool fine;
	} rows[] = {
		{ "GitLab's", "glpat-", true },
		{ "one's own", "acme_ci-", true },
		{ "one letter", "x", true },
		{ "20 letters", "abcdefghijklmnopqrst", true },
		{ "no more", "abcdefghijklmnopqrstu", false },
		{ "nothing", "", false },
		{ "no blank", "a b", false },
		{ "nothing that shells or JSON read", "a\"", false },
		{ "no dot", "a.", false },
		{ "no other alphabet", "\xc3\xa4", false },
		{ "not that of refresh tokens", "dprt-", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct prefix prefix = { 0 };
		struct cause cause = { "" };
		enum err err =
			prefix_parse(str_of(rows[i].text), &prefix, &cause);

		print_message("%s\n", rows[i].rule);
		assert_int_equal(err, rows[i].fine ? E_OK : E_SYNTAX);
		assert_int_equal(!cause.text[0], rows[i].fine);
		assert_str(prefix_str(&prefix),
			   rows[i].fine ? rows[i].text : "");
	}
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
	struct secret secret = secret_pat(&glpat, random);

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

static void hidden_in_what_is_written_for_http(void **state)
{
	static const struct {
		const char *rule, *text, *want;
	} rows[] = {
		{ "ann:glpat-12345", "curl -u YW5uOmdscGF0LTEyMzQ1",
		  "curl -u ********************" },
		{ "one byte less, with its end", "YW5uOmdscGF0LTEyMzQ= x",
		  "*******************= x" },
		{ "a password", "Basic YW5uOkNvcnJlY3QtSG9yc2U=;",
		  "Basic ***********************=;" },
		{ "cut", "Basic YW5uOkNvcnJlY3QtSG9",
		  "Basic *******************" },
		{ "behind a letter", "a=/YW5uOmdscGF0LTEyMzQ1",
		  "a=*********************" },
		{ "behind two", "a=20YW5uOmdscGF0LTEyMzQ1",
		  "a=**********************" },
		{ "of a form", "Basic+YW5uOmdscGF0LTEyMzQ1",
		  "**************************" },
		{ "of twelve letters", "x YW5uOjEyMzQ1", "x ************" },
		{ "a space in it",
		  "YW5uOnR3byB3b3Jkcywgb3I=", "***********************=" },
		{ "three letters before", "xyzYW5uOmdscGF0LTEyMzQ1",
		  "***********************" },
		{ "no colon", "YW5uYW5uYW5uYW5u", "YW5uYW5uYW5uYW5u" },
		{ "too short", "YTpiOmM=", "YTpiOmM=" },
		{ "docker",
		  "docker/24.0.7 go/go1.20.10 git-commit/311b9ff "
		  "kernel/6.1.0-13-amd64 os/linux arch/amd64 "
		  "UpstreamClient(Docker-Client/24.0.7 \\(linux\\))",
		  NULL },
		{ "podman", "containers/5.24.1 (github.com/containers/image)",
		  NULL },
		{ "a name", "repository:library/ubuntu/0123456789abcdef:pull",
		  NULL },
		{ "an address", "https://ann:secret@host/",
		  "https://ann:******@host/" },
		{ "two, with a sign", "http://a:b@c@d e://f:g@h",
		  "http://a:***@d e://f:*@h" },
		{ "nobody in it", "https://ann@host:1/a:b@c", NULL },
		{ "its end", "https://a:b", NULL },
		{ "nothing", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[256];

		print_message("%s\n", rows[i].rule);
		snprintf(text, sizeof(text), "%s", rows[i].text);
		secret_hide_wrapped(text);
		assert_string_equal(text,
				    rows[i].want ? rows[i].want : rows[i].text);
	}
}

/* Names of repositories, of any letters, stay. */
static void other_words_are_no_pairs(void **state)
{
	static const char some[] = "abcdefghijklmnopqrstuvwxyz/0123456789";
	unsigned taken = 0, seed = 7;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		char text[17] = "", was[17];

		for (size_t k = 0; k < sizeof(text) - 1; k++) {
			seed = seed * 1103515245 + 12345;
			text[k] = some[(seed >> 16) % (sizeof(some) - 1)];
		}
		memcpy(was, text, sizeof(was));
		secret_hide_wrapped(text);
		taken += strcmp(was, text) != 0;
	}
	assert_true(taken <= 1);
}

static void whole_or_not(void **state)
{
	(void)state;
	assert_true(secret_eq(STR("abc"), STR("abc")));
	assert_true(secret_eq(STR(""), (struct str) { 0 }));
	assert_false(secret_eq(STR("abc"), STR("abd")));
	assert_false(secret_eq(STR("abc"), STR("ab")));
	assert_false(secret_eq(STR("ab"), STR("abc")));
	assert_false(secret_eq(STR(""), STR("a")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_or_not),
		cmocka_unit_test(text_of_a_pat),
		cmocka_unit_test(text_with_a_prefix_of_ones_own),
		cmocka_unit_test(hidden_whatever_its_prefix),
		cmocka_unit_test(other_words_stay),
		cmocka_unit_test(hidden_in_what_is_written_for_http),
		cmocka_unit_test(other_words_are_no_pairs),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(text_of_a_refresh_token),
		cmocka_unit_test(cleanup_wipes),
		cmocka_unit_test(looks_like_a_token),
		cmocka_unit_test(hidden_in_what_is_said),
		cmocka_unit_test(digest_is_sha256),
		cmocka_unit_test(digests_differ_in_any_byte),
	};

	return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
