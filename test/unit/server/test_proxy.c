/* test/unit/server/test_proxy.c - server/proxy: one row per rule. */
#include "test/unit/check.h"

#include <string.h>

#include "server/proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BINARY(x) STR(SIGNATURE x)
#define V4                                                                     \
	"\xc0\0\2\1"                                                           \
	"\xc0\0\2\2"                                                           \
	"\x12\x34\1\xbb"
#define V6 "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"

/* `want`: the client, "itself", "hidden"; NULL: bad; "": more is wanted. */
static const struct {
	const char *rule;
	struct str bytes;
	const char *want;
} rows[] = {
	{ "IPv4", STR("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"),
	  "192.0.2.1" },
	{ "IPv6", STR("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"),
	  "2001:db8::1" },
	{ "unknown", STR("PROXY UNKNOWN\r\n"), "hidden" },
	{ "unknown, and more", STR("PROXY UNKNOWN ffff::1 ::1 65535 1\r\n"),
	  "hidden" },
	{ "nothing yet", STR(""), "" },
	{ "a part of the word", STR("PRO"), "" },
	{ "a part of the line", STR("PROXY TCP4 192.0.2.1 192.0.2.2 56324"),
	  "" },
	{ "no line feed yet", STR("PROXY UNKNOWN\r"), "" },
	{ "another word", STR("PROXZ"), NULL },
	{ "small letters", STR("proxy UNKNOWN\r\n"), NULL },
	{ "HTTP", STR("GET / HTTP/1.1\r\n"), NULL },
	{ "TLS", STR("\x16\3\1"), NULL },
	{ "no carriage return", STR("PROXY UNKNOWN\n"), NULL },
	{ "nothing behind", STR("PROXY \r\n"), NULL },
	{ "another family", STR("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"),
	  NULL },
	{ "of the other family", STR("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"),
	  NULL },
	{ "and the other way round", STR("PROXY TCP4 ::1 ::2 1 2\r\n"), NULL },
	{ "of two families", STR("PROXY TCP4 192.0.2.1 ::2 1 2\r\n"), NULL },
	{ "of two families, too", STR("PROXY TCP4 ::1 192.0.2.2 1 2\r\n"),
	  NULL },
	{ "a port missing", STR("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"), NULL },
	{ "one too many", STR("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"),
	  NULL },
	{ "two blanks", STR("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n"), NULL },
	{ "a blank at the end", STR("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"),
	  NULL },
	{ "a wild port", STR("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n"),
	  NULL },
	{ "no port", STR("PROXY TCP4 192.0.2.1 192.0.2.2 a 2\r\n"), NULL },
	{ "no address", STR("PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n"), NULL },
	{ "a NUL", STR("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n"), NULL },

	{ "binary IPv4", BINARY("\x21\x11\0\x0c" V4), "192.0.2.1" },
	{ "binary IPv6", BINARY("\x21\x21\0\x24" V6 V6 "\0\1\0\2"),
	  "2001:db8::1" },
	{ "more behind the addresses", BINARY("\x21\x11\0\x10" V4 "\4\0\1x"),
	  "192.0.2.1" },
	{ "a health check", BINARY("\x20\0\0\0"), "itself" },
	{ "a health check with addresses", BINARY("\x20\x11\0\x0c" V4),
	  "itself" },
	{ "binary unknown", BINARY("\x21\0\0\0"), "hidden" },
	{ "a part of the signature", STR("\r\n\r\n\0\r"), "" },
	{ "a part of the head", BINARY("\x21\x11\0"), "" },
	{ "a part of the addresses", BINARY("\x21\x11\0\x0c\xc0\0\2\1"), "" },
	{ "another signature", STR("\r\n\r\n\0\r\nQUIX\n"), NULL },
	{ "another version", BINARY("\x11\x11\0\x0c" V4), NULL },
	{ "another command", BINARY("\x22\x11\0\x0c" V4), NULL },
	{ "binary UDP", BINARY("\x21\x12\0\x0c" V4), NULL },
	{ "a UNIX socket", BINARY("\x21\x31\0\x0c" V4), NULL },
	{ "too short for IPv4", BINARY("\x21\x11\0\x0b" V4), NULL },
	{ "too short for IPv6", BINARY("\x21\x21\0\x23" V6 V6 "\0\1\0\2"),
	  NULL },
	{ "as long as it may be", BINARY("\x21\x11\3\xf0"), "" },
	{ "a byte too long", BINARY("\x21\x11\3\xf1"), NULL },
	{ "too long", BINARY("\x21\x11\4\0"), NULL },
};

static const char *print(const struct proxy_header *header,
			 char text[NETWORK_TEXT_MAX])
{
	if (header->who == PROXY_HIDDEN)
		return "hidden";
	if (header->who == PROXY_ITSELF)
		return "itself";
	address_print(&header->client, text);
	return text;
}

static void each_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct proxy_header header;
		enum proxy_step step = proxy_parse(rows[i].bytes, &header);
		const char *want = rows[i].want;
		char text[NETWORK_TEXT_MAX];

		print_message("%s\n", rows[i].rule);
		assert_int_equal(step, !want   ? PROXY_BAD
				       : *want ? PROXY_WHOLE
					       : PROXY_MORE);
		if (step != PROXY_WHOLE)
			continue;
		assert_string_equal(print(&header, text), want);
		assert_int_equal(header.len, rows[i].bytes.len);
	}
}

/* In pieces of any size, and with HTTP behind: the header alone is taken. */
static void nothing_behind_is_taken(void **state)
{
	static const char behind[] = "\r\nPROXY GET /\r\n\r\n";

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str bytes = rows[i].bytes;
		char all[256];
		size_t size = bytes.len + sizeof(behind);

		if (!rows[i].want || !*rows[i].want)
			continue;
		memcpy(all, bytes.at, bytes.len);
		memcpy(all + bytes.len, behind, sizeof(behind));
		for (size_t piece = 1; piece <= size; piece++) {
			struct proxy_header header;
			size_t len = 0;

			while (proxy_parse((struct str) { all, len },
					   &header) == PROXY_MORE) {
				size_t left = size - len;
				struct str next = { all + len,
						    left < piece ? left
								 : piece };

				len += proxy_takes((struct str) { all, len },
						   next);
			}
			assert_int_equal(len, bytes.len);
		}
	}
}

static void a_line_has_an_end(void **state)
{
	struct proxy_header header;
	char line[PROXY_LINE_MAX + 2] = "PROXY UNKNOWN ";

	(void)state;
	memset(line + 14, 'x', sizeof(line) - 14);
	for (size_t n = 14; n < PROXY_LINE_MAX; n++)
		assert_int_equal(proxy_parse((struct str) { line, n }, &header),
				 PROXY_MORE);
	assert_int_equal(
		proxy_parse((struct str) { line, PROXY_LINE_MAX }, &header),
		PROXY_BAD);
	memcpy(line + PROXY_LINE_MAX - 2, "\r\n", 2);
	assert_int_equal(
		proxy_parse((struct str) { line, PROXY_LINE_MAX }, &header),
		PROXY_WHOLE);
	memcpy(line + PROXY_LINE_MAX - 2, "x\r\n", 3);
	assert_int_equal(
		proxy_parse((struct str) { line, PROXY_LINE_MAX + 1 }, &header),
		PROXY_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule),
		cmocka_unit_test(nothing_behind_is_taken),
		cmocka_unit_test(a_line_has_an_end),
	};

	return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
