/*
 * test/unit/token/test_network.c - token/network: one row per rule. Whether an
 * address is in a network is in test_limits.c, too.
 */
#include "test/unit/check.h"

#include <string.h>

#include "token/network.h"

/* `want`: as it is printed; NULL: no address. */
static const struct {
	const char *text, *want;
} addresses[] = {
	{ "10.1.2.3", "10.1.2.3" },
	{ "::ffff:10.1.2.3", "10.1.2.3" },
	{ "::FFFF:0a01:0203", "10.1.2.3" },
	{ "2001:DB8:0:0::1", "2001:db8::1" },
	{ "::1", "::1" },
	{ "::", "::" },
	{ "1111:2222:3333:4444:5555:6666:7777:8888",
	  "1111:2222:3333:4444:5555:6666:7777:8888" },
	{ "1111:2222:3333:4444:5555:6666:123.123.123.123",
	  "1111:2222:3333:4444:5555:6666:7b7b:7b7b" },
	{ "", NULL },
	{ "10.1.2", NULL },
	{ "10.1.2.3.4", NULL },
	{ "010.1.2.3", NULL },
	{ "10.1.2.256", NULL },
	{ "10.1.2.3 ", NULL },
	{ "10.1.2.3:80", NULL },
	{ "10.1.2.3/8", NULL },
	{ "[::1]", NULL },
	{ "fe80::1%eth0", NULL },
	{ "localhost", NULL },
	{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:0000", NULL },
};

static void addresses_are_read_and_printed(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct network got;
		char text[NETWORK_TEXT_MAX];

		print_message("%s\n", addresses[i].text);
		assert_int_equal(address_read(str_of(addresses[i].text), &got),
				 addresses[i].want != NULL);
		if (!addresses[i].want)
			continue;
		address_print(&got, text);
		assert_string_equal(text, addresses[i].want);
	}
}

static void a_nul_ends_no_address(void **state)
{
	struct network got;

	(void)state;
	assert_false(address_read(STR("10.1.2.3\0"), &got));
	assert_false(address_read(STR("\0"), &got));
}

/* `has`: an address that is in it; `lacks`: one that is not. */
static const struct {
	const char *list, *has, *lacks, *error;
} lists[] = {
	{ "", NULL, "10.0.0.1", NULL },
	{ "  ", NULL, "10.0.0.1", NULL },
	{ "10.0.0.0/8", "10.9.9.9", "11.0.0.0", NULL },
	{ "10.0.0.0/8, 2001:db8::/33", "2001:db8:7fff::1",
	  "2001:db8:8000::", NULL },
	{ " 192.0.2.1 , ::1 ", "::1", "::2", NULL },
	{ "192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2", NULL },
	{ "::/0", "2001:db8::1", "10.0.0.1", NULL },
	{ "0.0.0.0/0", "10.0.0.1", "2001:db8::1", NULL },
	{ "10.0.0.0/8,", NULL, NULL, "'' is no network" },
	{ ",10.0.0.0/8", NULL, NULL, "'' is no network" },
	{ "10.0.0.0/33", NULL, NULL, "'10.0.0.0/33' is no network" },
	{ "10.0.0.0/", NULL, NULL, "'10.0.0.0/' is no network" },
	{ "10.0.0.0/-1", NULL, NULL, "'10.0.0.0/-1' is no network" },
	{ "10.0.0.1/8", NULL, NULL, "has bits behind" },
	{ "10.0.0.1/31", NULL, NULL, "has bits behind" },
	{ "2001:db8::1/127", NULL, NULL, "has bits behind" },
	{ "example.com", NULL, NULL, "'example.com' is no network" },
	{ "1,2 3", NULL, NULL, "'1' is no network" },
};

static bool has(const struct networks *list, const char *text)
{
	struct network address;

	assert_true(address_read(str_of(text), &address));
	return networks_have(list, &address);
}

static void lists_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct networks got = { .len = 9 };
		struct cause cause = { "" };
		enum err err =
			networks_read(str_of(lists[i].list), &got, &cause);

		print_message("%s\n", lists[i].list);
		assert_int_equal(err, lists[i].error ? E_SYNTAX : E_OK);
		if (lists[i].error) {
			assert_non_null(strstr(cause.text, lists[i].error));
			assert_int_equal(got.len, 0);
		}
		assert_true(!lists[i].has || has(&got, lists[i].has));
		assert_false(lists[i].lacks && has(&got, lists[i].lacks));
	}
}

static void a_list_has_an_end(void **state)
{
	static const char one[] = "::1,";
	enum { LEN = sizeof(one) - 1 };
	char text[LEN * (NETWORKS_MAX + 1)];
	struct networks got;
	struct cause cause = { "" };

	(void)state;
	for (size_t i = 0; i <= NETWORKS_MAX; i++)
		memcpy(text + LEN * i, one, LEN);
	assert_int_equal(
		networks_read((struct str) { text, LEN * NETWORKS_MAX - 1 },
			      &got, &cause),
		E_OK);
	assert_int_equal(got.len, NETWORKS_MAX);
	assert_int_equal(networks_read((struct str) { text, sizeof(text) - 1 },
				       &got, &cause),
			 E_LIMIT);
	assert_int_equal(got.len, 0);
	assert_non_null(strstr(cause.text, "more than 32 networks"));
}

static const struct {
	const char *host;
	bool local;
} hosts[] = {
	{ "localhost", true },
	{ "LocalHost:5000", true },
	{ "127.0.0.1", true },
	{ "127.255.0.9:25", true },
	{ "::1", true },
	{ "0:0:0:0:0:0:0:1", true },
	{ "[::1]", true },
	{ "[::1]:25", true },
	{ "::ffff:127.0.0.1", true },
	{ "", false },
	{ "localhost.example.com", false },
	{ "localhosts", false },
	{ "127.example.com:80", false },
	{ "127.1", false },
	{ "128.0.0.1", false },
	{ "2001:db8::7f00:1", false }, /* 127 in the place of IPv4's */
	{ "[2001:db8::7f00:1]:443", false },
	{ "126.255.255.255", false },
	{ "0.0.0.0", false },
	{ "::", false },
	{ "::2", false },
	{ "[::1", false },
	{ "[::1]a", false },
	{ "1::1", false },
	{ "10.0.0.1", false },
};

static void what_is_local(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hosts); i++) {
		print_message("%s\n", hosts[i].host);
		assert_int_equal(host_is_local(str_of(hosts[i].host)),
				 hosts[i].local);
	}
}

static const struct {
	const char *address;
	bool own;
} owns[] = {
	{ "127.0.0.1", true },
	{ "::1", true },
	{ "::ffff:127.0.0.1", true },
	{ "127.0.0.2", false },
	{ "127.0.1.1", false },
	{ "::2", false },
	{ "::", false },
	{ "::7f00:1", false },
};

static void whose_a_program_of_this_machine_is(void **state)
{
	struct network address;

	(void)state;
	for (size_t i = 0; i < COUNT(owns); i++) {
		print_message("%s\n", owns[i].address);
		assert_true(address_read(str_of(owns[i].address), &address));
		assert_int_equal(address_is_own(&address), owns[i].own);
	}
}

static const struct {
	const char *host, *near;
} listeners[] = {
	{ "0.0.0.0", "127.0.0.1" },
	{ "[::]", "[::1]" },
	{ "[0:0:0:0:0:0:0:0]", "[::1]" },
	{ "[::ffff:0.0.0.0]", "127.0.0.1" },
	{ "127.0.0.1", "127.0.0.1" },
	{ "[::1]", "[::1]" },
	{ "192.0.2.0", "192.0.2.0" },
	{ "0.0.0.1", "0.0.0.1" },
	{ "[2001:db8::]", "[2001:db8::]" },
	{ "[", "[" },
	{ "[]", "[]" },
	{ "", "" },
};

static void where_one_is_reached_from_here(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(listeners); i++) {
		struct str near = host_near(str_of(listeners[i].host));

		print_message("%s\n", listeners[i].host);
		assert_true(str_eq(near, str_of(listeners[i].near)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_and_printed),
		cmocka_unit_test(a_nul_ends_no_address),
		cmocka_unit_test(lists_are_read),
		cmocka_unit_test(a_list_has_an_end),
		cmocka_unit_test(what_is_local),
		cmocka_unit_test(whose_a_program_of_this_machine_is),
		cmocka_unit_test(where_one_is_reached_from_here),
	};

	return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
