/*
 * test/unit/token/test_mail.c - token/mail: nothing that is put in ends a
 * header or adds one.
 */
#include "test/unit/check.h"

#include <string.h>

#include "token/date.h"
#include "token/mail.h"

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X64 X50 "xxxxxxxxxxxxxx"

static const struct {
	const char *rule, *text;
	bool valid;
} addresses[] = {
	{ "an address", "alice@example.com", true },
	{ "a tag", "alice+ci@example.com", true },
	{ "one host", "root@localhost", true },
	{ "nothing", "", false },
	{ "no at", "alice", false },
	{ "nobody", "@example.com", false },
	{ "nowhere", "alice@", false },
	{ "two", "a@b@c", false },
	{ "a list", "a@b,c@d", false },
	{ "a blank", "a b@c", false },
	{ "a line feed", "a@b\nRCPT TO:<c@d>", false },
	{ "a bracket", "a@b> NOTIFY=NEVER", false },
	{ "a name before", "Alice <a@b>", false },
	{ "quotes", "\"a\"@b", false },
	{ "no ASCII", "\xc3\xa4@b", false },
	{ "a dot at the end", "a@b.", false },
	{ "64 bytes", X64 "@b", true },
	{ "65 bytes", X64 "x@b", false },
	{ "255 bytes", "a@" X64 X64 X64 X50 "xxxxxxxxxxx", false },
};

static void which_are_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		print_message("%s\n", addresses[i].rule);
		assert_int_equal(mail_address_valid(str_of(addresses[i].text)),
				 addresses[i].valid);
	}
}

static const struct {
	const char *rule, *value, *want;
} headers[] = {
	{ "plain", "a b", "S: a b\r\n" },
	{ "empty", "", "S: \r\n" },
	{ "ends of lines go", "a\r\nBcc: b@c", "S: aBcc: b@c\r\n" },
	{ "controls go",
	  "a\x01\x7f"
	  "b",
	  "S: ab\r\n" },
	{ "what is no UTF-8 goes",
	  "a\xff"
	  "b",
	  "S: ab\r\n" },
	{ "UTF-8 is encoded", "\xc3\xa4", "S: =?UTF-8?B?w6Q=?=\r\n" },
	{ "so is what looks encoded", "=?x", "S: =?UTF-8?B?PT94?=\r\n" },
	{ "long lines are folded between characters",
	  X50 "xxxxxxxxxxxxxxxxxxxxxxx\xc3\xa4",
	  "S: =?UTF-8?B?eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4?="
	  "\r\n =?UTF-8?B?eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eMOk?="
	  "\r\n" },
};

static void no_value_ends_a_header(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++) {
		AUTO(buf) struct buf out;

		print_message("%s\n", headers[i].rule);
		buf_init(&out, 4096);
		mail_header(&out, "S", str_of(headers[i].value));
		assert_str(buf_str(&out), headers[i].want);
	}
}

static const struct {
	int64_t when;
	const char *want;
} dates[] = {
	{ 0, "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n" },
	{ 951782400, "Date: Tue, 29 Feb 2000 00:00:00 +0000\r\n" },
	{ 1801383300, "Date: Sun, 31 Jan 2027 08:15:00 +0000\r\n" },
	{ 4102444799, "Date: Thu, 31 Dec 2099 23:59:59 +0000\r\n" },
};

static void dates_are_in_utc(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(dates); i++) {
		AUTO(buf) struct buf out;

		buf_init(&out, 4096);
		mail_date(&out, dates[i].when);
		assert_str(buf_str(&out), dates[i].want);
	}
}

#define MIME(charset, encoding)                                                \
	"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=" charset      \
	"\r\nContent-Transfer-Encoding: " encoding "\r\n\r\n"

static void bodies(void **state)
{
	AUTO(buf) struct buf out, lines;
	struct str rest, line;

	(void)state;
	buf_init(&out, 8192);
	mail_body(&out, STR("a\n\nb\n"));
	assert_str(buf_str(&out), MIME("us-ascii", "7bit") "a\r\n\r\nb\r\n");
	buf_clear(&out);
	mail_body(&out, STR("\xc3\xa4\n"));
	assert_str(buf_str(&out), MIME("utf-8", "base64") "w6QNCg==\r\n");
	buf_init(&lines, 8192);
	for (int i = 0; i < 1000; i++)
		buf_add_char(&lines, 'x');
	buf_clear(&out);
	mail_body(&out, buf_str(&lines));
	rest = buf_str(&out);
	while (str_cut(&rest, '\n', &line))
		assert_true(line.len <= 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_are_addresses),
		cmocka_unit_test(no_value_ends_a_header),
		cmocka_unit_test(dates_are_in_utc),
		cmocka_unit_test(bodies),
	};

	return cmocka_run_group_tests_name("mail", tests, NULL, NULL);
}
