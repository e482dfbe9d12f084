/*
 * test/unit/server/test_forwarded.c - server/http/forwarded: for whom a proxy
 * asks. 10.0.0.0/8 and ::1 are trusted, the peer is 10.0.0.1.
 */
#include "test/unit/check.h"

#include <stdio.h>
#include <string.h>

#include "server/http/forwarded.h"

/* Lines of a header, parted by '|'. `want`: "?" in front: unsure. */
static const struct {
	const char *rule, *plain, *forwarded, *want;
} rows[] = {
	{ "nobody says", NULL, NULL, "10.0.0.1" },

	/* X-Forwarded-For */
	{ "one", "192.0.2.1", NULL, "192.0.2.1" },
	{ "IPv6", "2001:db8::1", NULL, "2001:db8::1" },
	{ "IPv6 in brackets", "[2001:db8::1]", NULL, "2001:db8::1" },
	{ "IPv4 in IPv6", "::ffff:192.0.2.1", NULL, "192.0.2.1" },
	{ "a port", "192.0.2.1:4711", NULL, "192.0.2.1" },
	{ "a port of IPv6", "[2001:db8::1]:4711", NULL, "2001:db8::1" },
	{ "the rightmost counts", "6.6.6.6, 192.0.2.1", NULL, "192.0.2.1" },
	{ "without blanks", "6.6.6.6,192.0.2.1", NULL, "192.0.2.1" },
	{ "proxies are passed by", "6.6.6.6, 192.0.2.1, 10.0.0.3, ::1", NULL,
	  "192.0.2.1" },
	{ "the last line is the last", "6.6.6.6|192.0.2.1", NULL, "192.0.2.1" },
	{ "through lines", "6.6.6.6, 192.0.2.1|10.0.0.2", NULL, "192.0.2.1" },
	{ "all are proxies", "10.0.0.3, 10.0.0.2", NULL, "10.0.0.3" },
	{ "empty entries are none", ",192.0.2.1,, ,", NULL, "192.0.2.1" },
	{ "an empty line is none", "", NULL, "10.0.0.1" },
	{ "what is left of him does not count", "junk, 192.0.2.1", NULL,
	  "192.0.2.1" },
	{ "junk", "junk", NULL, "?10.0.0.1" },
	{ "hidden", "unknown", NULL, "?10.0.0.1" },
	{ "junk of a proxy behind", "192.0.2.1, junk, 10.0.0.2", NULL,
	  "?10.0.0.2" },
	{ "two in one", "192.0.2.1 192.0.2.2", NULL, "?10.0.0.1" },
	{ "no port", "192.0.2.1:", NULL, "?10.0.0.1" },
	{ "a wild port", "192.0.2.1:65536", NULL, "?10.0.0.1" },
	{ "half a bracket", "[2001:db8::1", NULL, "?10.0.0.1" },
	{ "behind the bracket", "[2001:db8::1]x", NULL, "?10.0.0.1" },
	{ "between bracket and port", "[2001:db8::1]x80", NULL, "?10.0.0.1" },
	{ "IPv4 in brackets", "[192.0.2.1]", NULL, "?10.0.0.1" },
	{ "a name", "client.example.com", NULL, "?10.0.0.1" },
	{ "a network", "192.0.2.0/24", NULL, "?10.0.0.1" },
	{ "quotes", "\"192.0.2.1\"", NULL, "?10.0.0.1" },

	/* Forwarded */
	{ "for", NULL, "for=192.0.2.1", "192.0.2.1" },
	{ "For, and others", NULL, "proto=https;For=192.0.2.1;by=10.0.0.1",
	  "192.0.2.1" },
	{ "quoted", NULL, "for=\"192.0.2.1:4711\"", "192.0.2.1" },
	{ "quoted IPv6", NULL, "for=\"[2001:db8::1]\"", "2001:db8::1" },
	{ "quoted IPv6 and port", NULL, "for=\"[2001:db8::1]:1\"",
	  "2001:db8::1" },
	{ "blanks around", NULL, " for=192.0.2.1 ; proto=http , for=10.0.0.2 ",
	  "192.0.2.1" },
	{ "lines", NULL, "for=6.6.6.6|for=192.0.2.1|for=10.0.0.2",
	  "192.0.2.1" },
	{ "a comma in quotes", NULL, "for=192.0.2.1;host=\"a,for=6.6.6.6\"",
	  "192.0.2.1" },
	{ "a quote in quotes", NULL, "for=192.0.2.1;host=\"a\\\",for=6.6.6.6\"",
	  "192.0.2.1" },
	{ "no for", NULL, "for=6.6.6.6, proto=https", "?10.0.0.1" },
	{ "two for", NULL, "for=6.6.6.6;for=192.0.2.1", "?10.0.0.1" },
	{ "hidden", NULL, "for=unknown", "?10.0.0.1" },
	{ "hidden by a name", NULL, "for=_secret", "?10.0.0.1" },
	{ "IPv6 needs quotes", NULL, "for=[2001:db8::1]", "?10.0.0.1" },
	{ "an escaped address", NULL, "for=\"192.0.2.\\1\"", "?10.0.0.1" },
	{ "no value", NULL, "for=", "?10.0.0.1" },
	{ "no name", NULL, "=192.0.2.1", "?10.0.0.1" },
	{ "no equals sign", NULL, "for", "?10.0.0.1" },
	{ "a blank before the value", NULL, "for= 192.0.2.1", "?10.0.0.1" },
	{ "an open quote swallows what a proxy adds", NULL,
	  "for=6.6.6.6;x=\", for=192.0.2.1", "?10.0.0.1" },
	{ "even if it is closed there", NULL,
	  "for=6.6.6.6;x=\", for=\"[2001:db8::1]\"", "?10.0.0.1" },
	{ "but not in another line", NULL, "for=6.6.6.6;x=\"|for=192.0.2.1",
	  "192.0.2.1" },
	{ "empty elements are none", NULL, ",for=192.0.2.1,, ", "192.0.2.1" },
	{ "empty parameters are none", NULL, ";for=192.0.2.1;;", "192.0.2.1" },

	/* both */
	{ "they agree", "6.6.6.6, 192.0.2.1", "for=192.0.2.1", "192.0.2.1" },
	{ "they do not", "192.0.2.1", "for=6.6.6.6", "?10.0.0.1" },
	{ "one hides", "192.0.2.1", "for=unknown", "?10.0.0.1" },
	{ "one names the proxy itself", "10.0.0.1", "for=unknown",
	  "?10.0.0.1" },
	{ "an empty one says nothing", "192.0.2.1", "", "192.0.2.1" },
};

static void add(struct hops *hops, const char *lines,
		void (*add_line)(struct hops *hops, struct str line))
{
	struct str rest = str_of(lines), line;

	while (str_cut(&rest, '|', &line))
		add_line(hops, line);
}

static struct client client_of(const char *plain, const char *forwarded)
{
	struct hops one = { .count = 0 }, two = { .count = 0 };
	struct networks trusted;
	struct network peer;

	assert_int_equal(networks_read(STR("10.0.0.0/8,::1"), &trusted, NULL),
			 E_OK);
	assert_true(address_read(STR("10.0.0.1"), &peer));
	add(&one, plain, hops_add_plain);
	add(&two, forwarded, hops_add_forwarded);
	return hops_client(&one, &two, &peer, &trusted);
}

static void each_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct client client =
			client_of(rows[i].plain, rows[i].forwarded);
		char text[1 + NETWORK_TEXT_MAX] = "?";

		print_message("%s\n", rows[i].rule);
		address_print(&client.address, text + client.unsure);
		assert_string_equal(text, rows[i].want);
	}
}

/* Who is trusted may write as much as he likes: it is not all looked at. */
static void there_is_an_end(void **state)
{
	char line[1024] = "192.0.2.1";
	size_t len = strlen(line);

	(void)state;
	for (size_t n = 1; n <= HOPS_MAX; n++) {
		len += (size_t)snprintf(line + len, sizeof(line) - len,
					", 10.0.0.2");
		assert_int_equal(client_of(line, NULL).unsure, n == HOPS_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule),
		cmocka_unit_test(there_is_an_end),
	};

	return cmocka_run_group_tests_name("forwarded", tests, NULL, NULL);
}
