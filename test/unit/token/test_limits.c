/* test/unit/token/test_limits.c - token/limits: one row per rule. */
#include "test/unit/check.h"

#include <string.h>

#include "token/limits.h"

/* clang-format off */
static const struct {
	const char *rule, *list, *name;
	bool want;
} repositories[] = {
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

static const struct {
	const char *rule, *list, *address;
	bool want;
} networks[] = {
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

static const struct {
	const char *rule, *list, *name;
	bool want;
} services[] = {
	{ "no limit", "", "reg", true },
	{ "the same", "reg", "reg", true },
	{ "one of two", "a,reg", "reg", true },
	{ "another", "reg", "registry", false },
	{ "in another case", "reg", "REG", false },
	{ "none", "reg", "", false },
};

enum kind { REPOSITORIES, NETWORKS, SERVICES };

#define TEN   "a,a,a,a,a,a,a,a,a,a,"
#define LONG  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG4 LONG LONG LONG LONG

static const struct {
	const char *rule;
	enum kind kind;
	const char *list, *cause; /* NULL: it is right */
} lists[] = {
	{ "nothing", REPOSITORIES, "", NULL },
	{ "a name", REPOSITORIES, "group/app", NULL },
	{ "stars", REPOSITORIES, "*/a/**/b,**", NULL },
	{ "a part of a component", REPOSITORIES, "group/app*", "'group/app*' is no pattern" },
	{ "three stars", REPOSITORIES, "a/***", "'a/***' is no pattern" },
	{ "an empty component", REPOSITORIES, "a//b", "'a//b' is no pattern" },
	{ "an empty one at the end", REPOSITORIES, "a/", "'a/' is no pattern" },
	{ "and in front", REPOSITORIES, "/a", "'/a' is no pattern" },
	{ "capitals", REPOSITORIES, "A", "'A' is no pattern" },
	{ "an empty entry", REPOSITORIES, "a,,b", "'' is no pattern" },
	{ "an empty entry at the end", REPOSITORIES, "a,", "'' is no pattern" },
	{ "a tag", REPOSITORIES, "a:1", "'a:1' is no pattern" },
	{ "a way up", REPOSITORIES, "../a", "'../a' is no pattern" },
	{ "32 of them", REPOSITORIES, TEN TEN TEN "a,a", NULL },
	{ "no more", REPOSITORIES, TEN TEN TEN "a,a,a", "at most 32 limits" },
	{ "an entry as long as a name may be", REPOSITORIES, LONG4 "aaa", NULL },
	{ "an entry that is too long", REPOSITORIES, LONG4 "aaaa", "is no pattern" },
	{ "a list that is too long", REPOSITORIES, LONG4 "," LONG4 "," LONG4 "," LONG4, "at most 1000 bytes" },
	{ "networks", NETWORKS, "10.0.0.0/8,2001:db8::/32,192.0.2.1,::1", NULL },
	{ "all", NETWORKS, "0.0.0.0/0,::/0", NULL },
	{ "all of one", NETWORKS, "10.1.2.3/32,::1/128", NULL },
	{ "too many bits", NETWORKS, "10.0.0.0/33", "'10.0.0.0/33' is no network: write" },
	{ "too many of IPv6", NETWORKS, "::/129", "is no network" },
	{ "no bits", NETWORKS, "10.0.0.0/", "is no network" },
	{ "a mask", NETWORKS, "10.0.0.0/255.0.0.0", "is no network" },
	{ "a sign", NETWORKS, "10.0.0.0/+8", "is no network" },
	{ "a name", NETWORKS, "localhost", "is no network" },
	{ "three numbers", NETWORKS, "10.0.0/8", "is no network" },
	{ "octal", NETWORKS, "010.0.0.1", "is no network" },
	{ "bits behind those that count", NETWORKS, "10.0.0.5/24", "'10.0.0.5/24' is no network: its address has bits behind" },
	{ "so in IPv6", NETWORKS, "2001:db8::1/64", "has bits behind" },
	{ "an interface", NETWORKS, "fe80::1%eth0", "is no network" },
	{ "nothing between", NETWORKS, "::1,,::2", "'' is no network" },
	{ "services", SERVICES, "reg,another one", NULL },
	{ "no name", SERVICES, "reg,", "'' is no name of a service" },
	{ "1000 bytes", SERVICES, LONG4 LONG4 LONG4 LONG LONG LONG TEN TEN "aaaaaaaaaaaaaaa", NULL },
	{ "and one more", SERVICES, LONG4 LONG4 LONG4 LONG LONG LONG TEN TEN "aaaaaaaaaaaaaaaa", "at most 1000 bytes" },
	{ "a control character", SERVICES, "a\tb", "is no name of a service" },
};
/* clang-format on */

static void names_that_fit(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(repositories); i++) {
		print_message("%s\n", repositories[i].rule);
		assert_int_equal(
			limits_repository(str_of(repositories[i].list),
					  str_of(repositories[i].name)),
			repositories[i].want);
	}
}

static void addresses_that_fit(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(networks); i++) {
		print_message("%s\n", networks[i].rule);
		assert_int_equal(limits_network(str_of(networks[i].list),
						str_of(networks[i].address)),
				 networks[i].want);
	}
}

static void services_that_fit(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(services); i++) {
		print_message("%s\n", services[i].rule);
		assert_int_equal(limits_service(str_of(services[i].list),
						str_of(services[i].name)),
				 services[i].want);
	}
}

static void what_may_be_listed(void **state)
{
	static enum err (*const checks[])(struct str, struct cause *) = {
		[REPOSITORIES] = limits_check_repositories,
		[NETWORKS] = limits_check_networks,
		[SERVICES] = limits_check_services,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct cause cause = { "" };
		enum err err =
			checks[lists[i].kind](str_of(lists[i].list), &cause);

		print_message("%s\n", lists[i].rule);
		assert_int_equal(!err, !lists[i].cause);
		if (err && !strstr(cause.text, lists[i].cause))
			fail_msg("cause: %s", cause.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_fit),
		cmocka_unit_test(addresses_that_fit),
		cmocka_unit_test(services_that_fit),
		cmocka_unit_test(what_may_be_listed),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
