/* test/unit/server/test_tls_names.c - server/tls_names: SNI and SANs. */
#include "test/unit/check.h"

#include <stdio.h>
#include <string.h>

#include "server/tls_names.h"

/* What certificates hold; those of one number are one certificate's. */
static const struct {
	const char *name;
	enum tls_kind kind;
	uint8_t n, other;
	enum err err;
} held[] = {
	{ "auth.example.com", TLS_RSA, 0, TLS_NONE, E_OK },
	{ "Auth.Example.COM", TLS_RSA, 0, TLS_NONE, E_OK },
	{ "auth.example.com", TLS_ECDSA, 1, TLS_NONE, E_OK },
	{ "AUTH.example.com", TLS_ECDSA, 2, 1, E_EXISTS },
	{ "*.example.com", TLS_ECDSA, 2, TLS_NONE, E_OK },
	{ "*.a.example.com", TLS_RSA, 3, TLS_NONE, E_OK },
	{ "*.a.example.com", TLS_RSA, 4, 3, E_EXISTS },
	{ "dot.example.org.", TLS_ED25519, 4, TLS_NONE, E_OK },
	{ "10.0.0.1", TLS_RSA, 5, TLS_NONE, E_OK },
	{ "2001:db8::1", TLS_RSA, 5, TLS_NONE, E_OK },
	{ "xn--bcher-kva.example", TLS_RSA, 5, TLS_NONE, E_OK },
	{ "_a-b.example", TLS_ED448, 6, TLS_NONE, E_OK },
	{ "f*.example.com", TLS_RSA, 7, TLS_NONE, E_SYNTAX },
	{ "*f.example.com", TLS_RSA, 7, TLS_NONE, E_SYNTAX },
	{ "a.*.example.com", TLS_RSA, 7, TLS_NONE, E_SYNTAX },
	{ "*.*.example.com", TLS_RSA, 7, TLS_NONE, E_SYNTAX },
	{ "*", TLS_RSA, 7, TLS_NONE, E_SYNTAX },
	{ "*.", TLS_RSA, 7, TLS_NONE, E_SYNTAX },
	{ "", TLS_RSA, 7, TLS_NONE, E_SYNTAX },
	{ ".", TLS_RSA, 7, TLS_NONE, E_SYNTAX },
	{ ".example.com", TLS_RSA, 7, TLS_NONE, E_SYNTAX },
	{ "a..example.com", TLS_RSA, 7, TLS_NONE, E_SYNTAX },
	{ "a.example.com..", TLS_RSA, 7, TLS_NONE, E_SYNTAX },
	{ "a b.example.com", TLS_RSA, 7, TLS_NONE, E_SYNTAX },
	{ "b\xc3\xbc.example", TLS_RSA, 7, TLS_NONE, E_SYNTAX },
};

/* "0 1 - -": certificates by kind; "": none. */
static const struct {
	const char *rule, *asked, *want;
} rows[] = {
	{ "a name that is written out", "auth.example.com", "0 1 - -" },
	{ "in any case", "aUTH.eXAMPLE.Com", "0 1 - -" },
	{ "with the root's dot", "auth.example.com.", "0 1 - -" },
	{ "the certificate may have it", "dot.example.org", "- - 4 -" },
	{ "a wildcard is one label", "b.example.com", "- 2 - -" },
	{ "not none", "example.com", "" },
	{ "not two", "c.b.example.com", "" },
	{ "the deeper one", "b.a.example.com", "3 - - -" },
	{ "its parent is the other's", "a.example.com", "- 2 - -" },
	{ "nor none there", ".a.example.com", "" },
	{ "nor an empty label", "..example.com", "" },
	{ "an address is a name like others", "10.0.0.1", "5 - - -" },
	{ "but without wildcards", "10.0.0.2", "" },
	{ "of six, too", "2001:DB8::1", "5 - - -" },
	{ "international names as they are encoded", "XN--bcher-kva.example",
	  "5 - - -" },
	{ "an underscore", "_a-b.example", "- - - 6" },
	{ "another name", "auth.example.net", "" },
	{ "the beginning of one", "auth.example.co", "" },
	{ "more than one", "auth.example.comm", "" },
	{ "nobody asks for a wildcard", "*.example.com", "" },
	{ "nor for half of one", "f*.example.com", "" },
	{ "one label", "localhost", "" },
	{ "nothing", "", "" },
	{ "a dot", ".", "" },
};

static struct tls_names *make(void)
{
	struct tls_names *names = tls_names_new();
	uint8_t other;

	for (size_t i = 0; i < COUNT(held); i++) {
		print_message("%s\n", held[i].name);
		assert_int_equal(tls_names_add(names, str_of(held[i].name),
					       held[i].kind, held[i].n, &other),
				 held[i].err);
		assert_int_equal(other, held[i].other);
	}
	tls_names_sort(names);
	return names;
}

static const char *print(const struct tls_set *set, char out[32])
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; set && i < TLS_KINDS; i++)
		len += (size_t)(set->at[i] == TLS_NONE
					? snprintf(out + len, 32 - len, "%s-",
						   i ? " " : "")
					: snprintf(out + len, 32 - len, "%s%d",
						   i ? " " : "", set->at[i]));
	return out;
}

static void found(void **state)
{
	struct tls_names *names = make();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char out[32];

		print_message("%s\n", rows[i].rule);
		assert_string_equal(
			print(tls_names_find(names, str_of(rows[i].asked)),
			      out),
			rows[i].want);
	}
	tls_names_free(names);
}

static void limits(void **state)
{
	struct tls_names *names = tls_names_new();
	char longest[254];
	uint8_t other;

	(void)state;
	memset(longest, 'a', sizeof(longest));
	assert_null(tls_names_find(names, STR("a")));
	for (size_t i = 63; i < 253; i += 64)
		longest[i] = '.';
	assert_int_equal(tls_names_add(names, (struct str) { longest, 254 },
				       TLS_RSA, 0, &other),
			 E_SYNTAX);
	assert_int_equal(tls_names_add(names, (struct str) { longest, 253 },
				       TLS_RSA, 0, &other),
			 E_OK);
	tls_names_sort(names);
	assert_non_null(tls_names_find(names, (struct str) { longest, 253 }));
	assert_null(tls_names_find(names, (struct str) { longest, 254 }));
	/* A label of one letter grows by none. */
	assert_int_equal(
		tls_names_add(names, STR("a\0b.example"), TLS_RSA, 1, &other),
		E_SYNTAX);
	tls_names_free(names);
}

static void as_many_as_there_may_be(void **state)
{
	enum { MOST = 4096 };
	struct tls_names *names = tls_names_new();
	char name[16];
	uint8_t other;

	(void)state;
	for (int i = 0; i <= MOST; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(
			tls_names_add(names, str_of(name), TLS_RSA, 0, &other),
			i < MOST ? E_OK : E_LIMIT);
	}
	/* One that is there may be said again. */
	assert_int_equal(tls_names_add(names, STR("n0"), TLS_ECDSA, 1, &other),
			 E_OK);
	tls_names_free(names);
}

static void each(void **state)
{
	struct tls_names *names = make();
	const struct tls_set *set;
	struct str name, last = { 0 };
	size_t n = 0;

	(void)state;
	for (; tls_names_at(names, n, &name, &set); n++) {
		assert_true(!n || str_cmp(last, name) < 0);
		last = name;
	}
	assert_int_equal(n, 8);
	tls_names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found),
		cmocka_unit_test(limits),
		cmocka_unit_test(as_many_as_there_may_be),
		cmocka_unit_test(each),
	};

	return cmocka_run_group_tests_name("tls_names", tests, NULL, NULL);
}
