/*
 * test/unit/token/test_leaked.c - token/secret: secrets are found in what
 * people paste.
 */
#include "test/unit/check.h"

#include <stdio.h>
#include <string.h>

#include "token/encode.h"
#include "token/secret.h"

#define PAT	"glpat-AbCdEfGhIjKlMnOpQr_-"
#define OTHER	"glpat-01234567890123456789"
#define REFRESH "dprt-AbCdEfGhIjKlMnOpQrStAbCdEfGhIjKlMnOpQrSt"
#define JWT	"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln-_"

enum { LONGEST = 64 * 1024 };

/* `inner` is base64, `wraps` times, between `before` and `after`. */
static const struct {
	const char *rule, *before, *inner;
	int wraps;
	const char *after, *want;
} rows[] = {
	{ "as it is", "", PAT, 0, "", PAT "\n" },
	{ "with its line's end", " ", PAT, 0, "\r\n", PAT "\n" },
	{ "a shell's line", "docker login -u x -p ", PAT, 0, " host\n",
	  PAT "\n" },
	{ "an option", "login --password='", PAT, 0, "'", PAT "\n" },
	{ "user:secret", "alice:", PAT, 0, "", PAT "\n" },
	{ "a header of GitLab's", "PRIVATE-TOKEN: ", PAT, 0, "\r\n", PAT "\n" },
	{ "Bearer", "Authorization: Bearer ", PAT, 0, "", PAT "\n" },
	{ "an address", "https://alice:", PAT, 0, "@host/a/b.git", PAT "\n" },
	{ "letters around it", "\\n", PAT, 0, "\\n", PAT "\n" },
	{ "letters behind it", "", PAT, 0, "xyz", PAT "\n" },
	{ "a letter before it", "n", PAT, 0, "", PAT "\n" },
	{ "one letter less", "", "glpat-AbCdEfGhIjKlMnOpQr_", 0, "", "" },
	{ "in capitals", "", "GLPAT-AbCdEfGhIjKlMnOpQr_-", 0, "", "" },
	{ "two", PAT " ", OTHER, 0, "", PAT "\n" OTHER "\n" },
	{ "the same twice", PAT ",", PAT, 0, "", PAT "\n" PAT "\n" },
	{ "a refresh token", "\"identitytoken\": \"", REFRESH, 0, "\"",
	  REFRESH "\n" },
	{ "half of one", "", "dprt-AbCdEfGhIjKlMnOpQrSt", 0, "", "" },
	{ "Basic", "Authorization: Basic ", "alice:" PAT, 1, "\r\n", PAT "\n" },
	{ "without a user", "Basic ", ":" PAT, 1, "", PAT "\n" },
	{ "a long name", "Basic ", "alice-of-the-long-name:" PAT, 1, "",
	  PAT "\n" },
	{ "config.json", "{\"auths\":{\"host:5000\":{\"auth\":\"", "alice:" PAT,
	  1, "\"}}}\n", PAT "\n" },
	{ "a Kubernetes secret", ".dockerconfigjson: ",
	  "{\"auths\":{\"h\":{\"auth\":\"YWxpY2U6Z2xwYXQtQWJDZEVmR2hJaktsTW5P"
	  "cFFyXy0=\"}}}",
	  1, "\n", PAT "\n" },
	{ "three times over", "", "x:" PAT, 3, "", PAT "\n" },
	{ "four times", "", "x:" PAT, 4, "", "" },
	{ "lines of base64(1)",
	  "eyJhdXRocyI6eyJyZWdpc3RyeS5leGFtcGxlLmNvbSI6eyJ1c2VybmFtZSI6ImFsaWNl"
	  "IiwicGFz\n"
	  "c3dvcmQiOiJnbHBhdC1BYkNkRWZHaElqS2xNbk9wUXJfLSJ9fX0=\n",
	  "", 0, "", PAT "\n" },
	{ "a line that base64(1) has cut in it",
	  "eyJhdXRocyI6eyJhIjp7InVzZXJuYW1lIjoiYWxpY2UiLCJwYXNzd29yZCI6ImdscGF0"
	  "LUFiQ2RF\n  ZkdoSWpLbE1uT3BRcl8tIn19fQ==\n",
	  "", 0, "", PAT "\n" },
	{ "a query", "auth=Basic%20", "alice:" PAT, 1, "&x=y",
	  PAT "\n" PAT "\n" },
	{ "a form", "auth=Basic+", "alice:" PAT, 1, "&x=y", PAT "\n" },
	{ "a path", "/v2/", "alice:" PAT, 1, "/", PAT "\n" },
	{ "a line's end in JSON", "\"\\n", "alice:" PAT, 1, "\\n\"", PAT "\n" },
	{ "three letters before it", "abc", "alice:" PAT, 1, "", PAT "\n" },
	{ "those before it in it, too", "a", "x:" PAT, 3, "", PAT "\n" },
	{ "lines of 31",
	  "YWxpY2U6YWxpY2U6YWxpY2U6Z2xwYXQ\ntQWJDZEVmR2hJaktsTW5PcFFyXy0=", "",
	  0, "", PAT "\n" },
	{ "short lines",
	  "YWxpY2U6YWxpY2U\r\n\t6YWxpY2U6Z2xwYXQ\r\n\ttQWJDZEVmR2hJaktsT\r\n\t"
	  "W5PcFFyXy0=",
	  "", 0, "", PAT "\n" },
	{ "lines in JSON",
	  "\"YWxpY2U6YWxpY2U6YWxpY2U6Z2xwYXQ\\r\\ntQWJDZEVmR2hJaktsTW5PcFFyXy0="
	  "\"",
	  "", 0, "", PAT "\n" },
	{ "lines in JSON in JSON",
	  "\\\"YWxpY2U6YWxpY2U6YWxpY2U6Z2xwYXQ\\\\ntQWJDZEVmR2hJaktsTW5PcFFyXy0"
	  "="
	  "\\\"",
	  "", 0, "", PAT "\n" },
	{ "a shell's lines",
	  "YWxpY2U6YWxpY2U6YWxpY2U6Z2xwYXQ\\\ntQWJDZEVmR2hJaktsTW5PcFFyXy0=",
	  "", 0, "", PAT "\n" },
	{ "percent-encoded", "glpat%2DAbCdEfGhIjKlMnOpQr%5f%2d", "", 0, "",
	  PAT "\n" },
	{ "percent-encoded within", "", "p=glpat%2DAbCdEfGhIjKlMnOpQr_-", 1, "",
	  PAT "\n" },
	{ "half a percent-encoding", "100%", PAT, 0, "%2", PAT "\n" },
	{ "bytes of any kind before it", "", "\xff\xfe>?" PAT, 1, "",
	  PAT "\n" },
	{ "in the alphabet of URLs", "?auth=",
	  "_2FsaWNlOmdscGF0LUFiQ2RFZkdoSWpLbE1uT3BRcl8t", 0, "", PAT "\n" },
	{ "in the line after a word that is none",
	  "AbCdEfGhIjKlMnOpQrStUvWxYzAbC\n", "alice:" PAT, 1, "", PAT "\n" },
	{ "one of which a part is no JSON", "eyJhbGciOiJFUzI1NiJ9.www.", "com",
	  0, "", "" },
	{ "a JWT", "{\"token\":\"", JWT, 0, "\"}", JWT "\n" },
	{ "Bearer and a JWT", "Bearer ", JWT, 0, "", JWT "\n" },
	{ "two parts", "", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0", 0, ".", "" },
	{ "three words", "", "www.example.com", 0, "", "" },
	{ "one of each", PAT "\n", JWT, 0, "", PAT "\n" JWT "\n" },
	{ "nothing", "", "", 0, "", "" },
	{ "words", "", "no user alice: wrong password", 0, "", "" },
};

static void on_found(void *arg, enum found what, struct str text)
{
	struct buf *out = arg;

	assert_int_equal(what, str_starts(text, STR("eyJ")) ? FOUND_JWT
							    : FOUND_KNOWN);
	buf_add(out, text);
	buf_add_char(out, '\n');
}

static void found_wherever_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO(buf) struct buf text, got;

		buf_init(&text, LONGEST);
		buf_init(&got, LONGEST);
		buf_add(&text, str_of(rows[i].inner));
		for (int n = 0; n < rows[i].wraps; n++) {
			AUTO(buf) struct buf inner;

			buf_init(&inner, LONGEST);
			buf_add(&inner, buf_str(&text));
			buf_clear(&text);
			base64_add(&text, buf_str(&inner));
		}
		buf_add(&got, str_of(rows[i].before));
		buf_add(&got, buf_str(&text));
		buf_add(&got, str_of(rows[i].after));
		buf_clear(&text);
		print_message("%s\n", rows[i].rule);
		secret_each_within(buf_str(&got), on_found, &text);
		assert_str(buf_str(&text), rows[i].want);
	}
}

struct own {
	struct str secret;
	unsigned calls, hits;
};

static void on_own(void *arg, enum found what, struct str text)
{
	struct own *own = arg;

	own->calls++;
	own->hits += what == FOUND_OWN && str_eq(text, own->secret);
}

/* Nobody knows where it begins: it is among those that it may be. */
static void with_a_prefix_of_ones_own(void **state)
{
	static const char *const prefixes[] = { "a", "acme-",
						"ACME_ci-0123456789-x" };
	static const char *const around[][2] = { { "", "" },
						 { "x:", "@host" },
						 { "\\n", "\\n" },
						 { "abc", "def" } };
	const unsigned char random[PAT_RANDOM] = { 1, 2, 3, 4 };

	(void)state;
	for (size_t i = 0; i < COUNT(prefixes); i++)
		for (size_t k = 0; k < COUNT(around); k++) {
			struct prefix prefix = { 0 };
			AUTO(secret) struct secret secret = { 0 };
			struct own own;
			char text[128];

			assert_int_equal(prefix_parse(str_of(prefixes[i]),
						      &prefix, NULL),
					 E_OK);
			secret = secret_pat(&prefix, random);
			own = (struct own) { secret_str(&secret), 0, 0 };
			snprintf(text, sizeof(text), "%s%.*s%s", around[k][0],
				 (int)secret.len, secret.text, around[k][1]);
			secret_each(str_of(text), on_own, &own);
			assert_int_equal(own.hits, 1);
			assert_in_range(own.calls, 1, 2 * PREFIX_MAX);
		}
}

/* As a Kubernetes secret has it alone: the shortest. */
static void with_a_prefix_in_base64(void **state)
{
	const unsigned char random[PAT_RANDOM] = { 1, 2, 3, 4 };
	AUTO(secret) struct secret secret = { 0 };
	AUTO(buf) struct buf text;
	struct prefix prefix = { 0 };
	struct own own;

	(void)state;
	assert_int_equal(prefix_parse(STR("a"), &prefix, NULL), E_OK);
	secret = secret_pat(&prefix, random);
	buf_init(&text, LONGEST);
	base64_add(&text, secret_str(&secret));
	own = (struct own) { secret_str(&secret), 0, 0 };
	secret_each_within(buf_str(&text), on_own, &own);
	assert_int_equal(own.hits, 1);
}

/* Whatever it is, its time grows with its length alone. */
static void anything_is_searched(void **state)
{
	static const char *const patterns[] = {
		"A",	      "eyJ",	"eyJ.",
		"eyJ.eyJ.",   "glpat-", "AAAA\n ",
		"dprt-",      "\n",	"=",
		"\xff",	      "A ",	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
		"eyJeyJ.eyJ", "V",	"VVVV%41",
		"Vl\\n",      "%",	"%41",
		"\\",	      "\t",	"A\\\\\\",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(patterns); i++) {
		AUTO(buf) struct buf text;
		struct own own = { STR(""), 0, 0 };

		buf_init(&text, LONGEST);
		while (text.len + strlen(patterns[i]) <= LONGEST)
			buf_add(&text, str_of(patterns[i]));
		secret_each_within(buf_str(&text), on_own, &own);
		assert_in_range(own.calls, 0, LONGEST);
	}
}

static void of_any_bytes(void **state)
{
	static const char text[] = "\0\xff" PAT "\0x";
	AUTO(buf) struct buf got;

	(void)state;
	buf_init(&got, 128);
	secret_each_within((struct str) { text, sizeof(text) - 1 }, on_found,
			   &got);
	assert_str(buf_str(&got), PAT "\n" PAT "\n");
}

/* As PowerShell's ">" writes it, and the base64 of that. */
static void of_utf_16(void **state)
{
	static const char text[] = "\r\n alice:" PAT "\r\n";
	AUTO(buf) struct buf wide, wrapped, got;

	(void)state;
	buf_init(&wide, LONGEST);
	buf_init(&wrapped, LONGEST);
	buf_init(&got, LONGEST);
	buf_add(&wide, STR("\xff\xfe"));
	for (size_t i = 0; text[i]; i++) {
		buf_add_char(&wide, text[i]);
		buf_add_char(&wide, '\0');
	}
	base64_add(&wrapped, buf_str(&wide));
	secret_each_within(buf_str(&wide), on_found, &got);
	secret_each_within(buf_str(&wrapped), on_found, &got);
	assert_str(buf_str(&got), PAT "\n" PAT "\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_wherever_it_is),
		cmocka_unit_test(with_a_prefix_of_ones_own),
		cmocka_unit_test(with_a_prefix_in_base64),
		cmocka_unit_test(anything_is_searched),
		cmocka_unit_test(of_any_bytes),
		cmocka_unit_test(of_utf_16),
	};

	return cmocka_run_group_tests_name("leaked", tests, NULL, NULL);
}
