/* test/unit/token/test_limits.c - token/limits: one row per rule. */
#include "test/unit/check.h"

#include <string.h>

#include "token/limits.h"

/* clang-format off */
struct row {
	const char *rule, *list, *asked;
	bool want;
};

static const struct row repositories[] = {
	{ "no limit", "", "a/b", true },
	{ "the same name", "a/b", "a/b", true },
	{ "not what lies below", "a/b", "a/b/c", false },
	{ "nor what it lies in", "a/b", "a", false },
	{ "nor what begins alike", "a/b", "a/bc", false },
	{ "nor what ends alike", "b", "a/b", false },
	{ "one of several", "x,a/b,y", "a/b", true },
	{ "none of several", "x,a/b,y", "b", false },
	{ "a star is one component", "a/*", "a/b", true },
	{ "not two", "a/*", "a/b/c", false },
	{ "not none", "a/*", "a", false },
	{ "in the middle", "a/*/c", "a/b/c", true },
	{ "and there one", "a/*/c", "a/b/b/c", false },
	{ "in front", "*/b", "a/b", true },
	{ "two of them", "*/*", "a/b", true },
	{ "two of them are two", "*/*", "a", false },
	{ "two stars are any number", "a/**", "a/b/c/d", true },
	{ "one", "a/**", "a/b", true },
	{ "none", "a/**", "a", true },
	{ "not of another", "a/**", "ab", false },
	{ "nor of one beside", "a/**", "b/a", false },
	{ "everything", "**", "a/b/c", true },
	{ "in the middle any number", "a/**/z", "a/b/c/z", true },
	{ "in the middle none", "a/**/z", "a/z", true },
	{ "the end must fit", "a/**/z", "a/b/z/y", false },
	{ "the last of many fits", "a/**/z", "a/z/z/z", true },
	{ "in front any number", "**/z", "a/b/z", true },
	{ "in front none", "**/z", "z", true },
	{ "then a star", "**/*/z", "a/b/z", true },
	{ "a star wants one", "**/*/z", "z", false },
	{ "twice", "**/a/**/b", "x/a/y/a/z/b", true },
	{ "twice, in order", "**/a/**/b", "b/x/a", false },
	{ "side by side", "a/**/**/b", "a/b", true },
	{ "at the end, too", "a/**/**", "a", true },
	{ "many, and no match", "**/a/**/a/**/a/**/b", "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/c", false },
	{ "what is no name", "**", "a//b", false },
	{ "what is no name either", "**", "", false },
	{ "nor a name in capitals", "**", "A", false },
	{ "a name that holds stars", "a/*", "a/*", false },
};

static const struct row networks[] = {
	{ "no limit", "", "10.0.0.1", true },
	{ "no limit, no address", "", "", true },
	{ "in it", "10.0.0.0/8", "10.255.255.255", true },
	{ "its first", "10.0.0.0/8", "10.0.0.0", true },
	{ "behind it", "10.0.0.0/8", "11.0.0.0", false },
	{ "before it", "10.0.0.0/8", "9.255.255.255", false },
	{ "odd bits", "10.0.0.128/25", "10.0.0.128", true },
	{ "odd bits, out", "10.0.0.128/25", "10.0.0.127", false },
	{ "one address", "10.0.0.1", "10.0.0.1", true },
	{ "and no other", "10.0.0.1", "10.0.0.2", false },
	{ "all of IPv4", "0.0.0.0/0", "192.0.2.1", true },
	{ "is not IPv6", "0.0.0.0/0", "2001:db8::1", false },
	{ "all of IPv6 is not IPv4", "::/0", "192.0.2.1", false },
	{ "nor as IPv6 carries it", "::/0", "::ffff:192.0.2.1", false },
	{ "all of both", "0.0.0.0/0,::/0", "2001:db8::1", true },
	{ "IPv6", "2001:db8::/32", "2001:db8:ffff::1", true },
	{ "IPv6, out", "2001:db8::/32", "2001:db9::", false },
	{ "IPv6, in other words", "2001:db8::/32", "2001:0DB8:0::1", true },
	{ "IPv6, one address", "::1", "::1", true },
	{ "IPv4 that IPv6 carries", "10.0.0.0/8", "::ffff:10.1.2.3", true },
	{ "so written in the list", "::ffff:10.0.0.0/104", "10.1.2.3", true },
	{ "with its interface", "fe80::/10", "fe80::1%eth0", true },
	{ "one of several", "192.0.2.0/24,10.0.0.0/8", "10.0.0.1", true },
	{ "no address", "0.0.0.0/0", "", false },
	{ "nor text", "0.0.0.0/0", "localhost", false },
	{ "nor with a port", "0.0.0.0/0", "10.0.0.1:80", false },
	{ "what cannot be read fits nothing", "10.0.0.0/x", "10.0.0.0", false },
	{ "nor does what stands beside it fall", "x,10.0.0.0/8", "10.0.0.1", true },
};

static const struct row services[] = {
	{ "no limit", "", "reg", true },
	{ "the same", "reg", "reg", true },
	{ "one of two", "a,reg", "reg", true },
	{ "another", "reg", "registry", false },
	{ "in another case", "reg", "REG", false },
	{ "none", "reg", "", false },
};

#define TEN   "a,a,a,a,a,a,a,a,a,a,"
#define LONG  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG4 LONG LONG LONG LONG

static const struct {
	const char *rule;
	enum limit limit;
	const char *list, *cause; /* NULL: it is right */
} lists[] = {
	{ "nothing", LIMIT_REPOSITORY, "", NULL },
	{ "a name", LIMIT_REPOSITORY, "group/app", NULL },
	{ "stars", LIMIT_REPOSITORY, "*/a/**/b,**", NULL },
	{ "a part of a component", LIMIT_REPOSITORY, "group/app*", "'group/app*' is no pattern" },
	{ "three stars", LIMIT_REPOSITORY, "a/***", "'a/***' is no pattern" },
	{ "an empty component", LIMIT_REPOSITORY, "a//b", "'a//b' is no pattern" },
	{ "an empty one at the end", LIMIT_REPOSITORY, "a/", "'a/' is no pattern" },
	{ "and in front", LIMIT_REPOSITORY, "/a", "'/a' is no pattern" },
	{ "capitals", LIMIT_REPOSITORY, "A", "'A' is no pattern" },
	{ "an empty entry", LIMIT_REPOSITORY, "a,,b", "'' is no pattern" },
	{ "an empty entry at the end", LIMIT_REPOSITORY, "a,", "'' is no pattern" },
	{ "a tag", LIMIT_REPOSITORY, "a:1", "'a:1' is no pattern" },
	{ "a way up", LIMIT_REPOSITORY, "../a", "'../a' is no pattern" },
	{ "32 of them", LIMIT_REPOSITORY, TEN TEN TEN "a,a", NULL },
	{ "no more", LIMIT_REPOSITORY, TEN TEN TEN "a,a,a", "at most 32 limits" },
	{ "an entry as long as a name may be", LIMIT_REPOSITORY, LONG4 "aaa", NULL },
	{ "an entry that is too long", LIMIT_REPOSITORY, LONG4 "aaaa", "is no pattern" },
	{ "a list that is too long", LIMIT_REPOSITORY, LONG4 "," LONG4 "," LONG4 "," LONG4, "at most 1000 bytes" },
	{ "networks", LIMIT_NETWORK, "10.0.0.0/8,2001:db8::/32,192.0.2.1,::1", NULL },
	{ "all", LIMIT_NETWORK, "0.0.0.0/0,::/0", NULL },
	{ "all of one", LIMIT_NETWORK, "10.1.2.3/32,::1/128", NULL },
	{ "too many bits", LIMIT_NETWORK, "10.0.0.0/33", "'10.0.0.0/33' is no network: write" },
	{ "too many of IPv6", LIMIT_NETWORK, "::/129", "is no network" },
	{ "no bits", LIMIT_NETWORK, "10.0.0.0/", "is no network" },
	{ "a mask", LIMIT_NETWORK, "10.0.0.0/255.0.0.0", "is no network" },
	{ "a sign", LIMIT_NETWORK, "10.0.0.0/+8", "is no network" },
	{ "a name", LIMIT_NETWORK, "localhost", "is no network" },
	{ "three numbers", LIMIT_NETWORK, "10.0.0/8", "is no network" },
	{ "octal", LIMIT_NETWORK, "010.0.0.1", "is no network" },
	{ "bits behind those that count", LIMIT_NETWORK, "10.0.0.5/24", "'10.0.0.5/24' is no network: its address has bits behind" },
	{ "so in IPv6", LIMIT_NETWORK, "2001:db8::1/64", "has bits behind" },
	{ "an interface", LIMIT_NETWORK, "fe80::1%eth0", "is no network" },
	{ "nothing between", LIMIT_NETWORK, "::1,,::2", "'' is no network" },
	{ "services", LIMIT_SERVICE, "reg,another one", NULL },
	{ "no name", LIMIT_SERVICE, "reg,", "'' is no name of a service" },
	{ "1000 bytes", LIMIT_SERVICE, LONG4 LONG4 LONG4 LONG LONG LONG TEN TEN "aaaaaaaaaaaaaaa", NULL },
	{ "and one more", LIMIT_SERVICE, LONG4 LONG4 LONG4 LONG LONG LONG TEN TEN "aaaaaaaaaaaaaaaa", "at most 1000 bytes" },
	{ "a control character", LIMIT_SERVICE, "a\tb", "is no name of a service" },
};
/* clang-format on */

static void fit(enum limit limit, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		print_message("%s\n", rows[i].rule);
		assert_int_equal(limit_fits(limit, str_of(rows[i].list),
					    str_of(rows[i].asked)),
				 rows[i].want);
	}
}

static void what_fits(void **state)
{
	(void)state;
	fit(LIMIT_REPOSITORY, repositories, COUNT(repositories));
	fit(LIMIT_NETWORK, networks, COUNT(networks));
	fit(LIMIT_SERVICE, services, COUNT(services));
}

static void what_may_be_listed(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct cause cause = { "" };
		enum err err = limit_check(lists[i].limit,
					   str_of(lists[i].list), &cause);

		print_message("%s\n", lists[i].rule);
		assert_int_equal(!err, !lists[i].cause);
		if (err && !strstr(cause.text, lists[i].cause))
			fail_msg("cause: %s", cause.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits),
		cmocka_unit_test(what_may_be_listed),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
