/*
 * test/unit/token/test_base.c - what every file uses: token/base, buf, arena,
 * json, date, encode.
 */
#include "test/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "token/arena.h"
#include "token/date.h"
#include "token/encode.h"
#include "token/json.h"

static void slices(void **state)
{
	(void)state;
	assert_int_equal(str_of(NULL).len, 0);
	assert_true(str_eq(STR(""), (struct str) { 0 }));
	assert_true(str_eq(STR("a\0b"), STR("a\0b")));
	assert_false(str_eq(STR("a\0b"), STR("a\0c")));
	assert_false(str_eq(STR("ab"), STR("a")));
	assert_true(str_eq_nocase(STR("aBc1"), STR("AbC1")));
	assert_false(str_eq_nocase(STR("\xe4"), STR("\xc4")));
	assert_false(str_eq_nocase(STR("@"), STR("`")));
	assert_true(str_cmp(STR("a"), STR("ab")) < 0);
	assert_true(str_cmp(STR("b"), STR("ab")) > 0);
	assert_true(str_cmp(STR("\xff"), STR("a")) > 0);
	assert_int_equal(str_cmp(STR("a"), STR("a")), 0);
	assert_true(str_starts(STR("abc"), STR("ab")));
	assert_true(str_starts(STR("a"), STR("")));
	assert_false(str_starts(STR("a"), STR("ab")));
	assert_true(str_has(STR("a\0"), '\0'));
	assert_false(str_has(STR(""), '\0'));
	assert_str(str_skip(STR("abc"), 3), "");
	assert_str(str_head(STR("abc"), 2), "ab");
	assert_str(str_trim(STR(" \t a\t b \t")), "a\t b");
	assert_str(str_trim(STR("\na")), "\na");
	assert_str(str_trim(STR(" ")), "");
	assert_str(str_trim((struct str) { 0 }), "");
}

static const struct {
	const char *rule, *text, *want; /* each word in brackets */
} cuts[] = {
	{ "nothing", "", "" },
	{ "one word", "a", "[a]" },
	{ "empty words count", ",,a", "[][][a]" },
	{ "but for one at the very end", "a,", "[a]" },
	{ "two empty ones at the end", "a,,", "[a][]" },
};

static void cutting(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cuts); i++) {
		struct str rest = str_of(cuts[i].text), word;
		AUTO(buf) struct buf got;

		print_message("%s\n", cuts[i].rule);
		buf_init(&got, 64);
		while (str_cut(&rest, ',', &word))
			buf_printf(&got, "[" STR_FMT "]", STR_ARG(word));
		assert_str(buf_str(&got), cuts[i].want);
		assert_int_equal(word.len, 0);
	}
}

static const struct {
	const char *rule, *text;
	uint64_t max;
	enum err err;
	uint64_t want;
} numbers[] = {
	{ "zero", "0", 10, E_OK, 0 },
	{ "zeros in front", "007", 10, E_OK, 7 },
	{ "the limit", "10", 10, E_OK, 10 },
	{ "over the limit", "11", 10, E_LIMIT, 0 },
	{ "one digit over the limit", "7", 6, E_LIMIT, 0 },
	{ "the largest", "18446744073709551615", UINT64_MAX, E_OK, UINT64_MAX },
	{ "one more", "18446744073709551616", UINT64_MAX, E_LIMIT, 0 },
	{ "ten times as much", "184467440737095516150", UINT64_MAX, E_LIMIT,
	  0 },
	{ "empty", "", 10, E_SYNTAX, 0 },
	{ "a sign", "+1", 10, E_SYNTAX, 0 },
	{ "a minus", "-1", 10, E_SYNTAX, 0 },
	{ "a space", " 1", 10, E_SYNTAX, 0 },
	{ "hexadecimal", "0x1", 10, E_SYNTAX, 0 },
	{ "a letter at the end", "1a", 10, E_SYNTAX, 0 },
};

static void reading_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++) {
		uint64_t got = 77;

		print_message("%s\n", numbers[i].rule);
		assert_int_equal(str_to_u64(str_of(numbers[i].text),
					    numbers[i].max, &got),
				 numbers[i].err);
		assert_true(got == numbers[i].want);
	}
}

static void causes(void **state)
{
	struct cause cause = { "" };

	(void)state;
	assert_int_equal(cause_set(NULL, E_IO, "%s", "x"), E_IO);
	assert_int_equal(cause_set(&cause, E_MODE, "%0600d", 1), E_MODE);
	assert_int_equal(strlen(cause.text), sizeof(cause.text) - 1);
	assert_string_equal(err_text(E_REFUSED), "not allowed");
	assert_string_equal(err_text((enum err)9999), "unknown failure");
}

static void buf_grows_to_its_limit(void **state)
{
	AUTO(buf) struct buf buf;

	(void)state;
	buf_init(&buf, 1000);
	for (int i = 0; i < 1000; i++)
		buf_add_char(&buf, 'x');
	assert_int_equal(buf_str(&buf).len, 1000);
	buf_add_char(&buf, 'y');
	assert_true(buf.over);
	assert_int_equal(buf_str(&buf).len, 0);
	buf_clear(&buf);
	assert_false(buf.over);
	buf_add_i64(&buf, INT64_MIN);
	buf_add_char(&buf, ' ');
	buf_add_u64(&buf, UINT64_MAX);
	assert_str(buf_str(&buf), "-9223372036854775808 18446744073709551615");
}

static void buf_error_is_sticky(void **state)
{
	AUTO(buf) struct buf buf;

	(void)state;
	buf_init(&buf, 4);
	buf_add(&buf, STR("12345"));
	buf_add(&buf, STR("1"));
	assert_int_equal(buf.len, 0);
	assert_int_equal(buf_str(&buf).len, 0);
	assert_null(buf_room(&buf, 1));
}

static void buf_clear_wipes(void **state)
{
	static const char zero[6];
	AUTO(buf) struct buf buf;

	(void)state;
	buf_init(&buf, 64);
	buf_add(&buf, STR("secret"));
	buf_clear(&buf);
	assert_memory_equal(buf.at, zero, sizeof(zero));
}

static void arena_gives_zeroed_memory_again(void **state)
{
	AUTO(arena) struct arena arena;
	char *first, *large;

	(void)state;
	arena_init(&arena);
	first = arena_alloc(&arena, 100);
	memset(first, 'x', 100);
	large = arena_alloc(&arena, 100000);
	assert_int_equal((uintptr_t)large % 16, 0);
	arena_reset(&arena);
	assert_ptr_equal(arena_alloc(&arena, 100), first);
	assert_int_equal(first[0] | first[99], 0);
	assert_str(arena_lower(&arena, STR("AbC\xc4")), "abc\xc4");
	assert_string_equal(arena_cstr(&arena, STR("ab")), "ab");
	assert_str(arena_printf(&arena, "%d-%s", 7, "x"), "7-x");
}

#define FFFD "\xef\xbf\xbd"

static const struct {
	const char *rule, *text, *want;
} strings[] = {
	{ "plain", "a/b", "a/b" },
	{ "quote and backslash", "\"\\", "\\\"\\\\" },
	{ "line feed", "a\nb", "a\\u000ab" },
	{ "escape", "\x1b[0m", "\\u001b[0m" },
	{ "DEL", "\x7f", "\\u007f" },
	{ "C1 controls: a terminal may obey them",
	  "\xc2\x80\xc2\x85\xc2\x9b\xc2\x9f", "\\u0080\\u0085\\u009b\\u009f" },
	{ "and what is behind them", "\xc2\xa0", "\xc2\xa0" },
	{ "ends of a line to some", "\xe2\x80\xa8\xe2\x80\xa9",
	  "\\u2028\\u2029" },
	{ "what turns its direction", "\xe2\x80\xae\xe2\x81\xa6",
	  "\\u202e\\u2066" },
	{ "what is not seen", "\xe2\x80\x8b\xe2\x81\xa0", "\\u200b\\u2060" },
	{ "a mark of the byte order",
	  "a\xef\xbb\xbf"
	  "b",
	  "a\\ufeffb" },
	{ "notes between lines", "\xef\xbf\xb9\xef\xbf\xba\xef\xbf\xbb",
	  "\\ufff9\\ufffa\\ufffb" },
	{ "a hyphen that is not there", "\xc2\xad", "\\u00ad" },
	{ "marks of Arabic and Mongolian", "\xd8\x9c\xe1\xa0\x8e",
	  "\\u061c\\u180e" },
	{ "beyond 16 bits", "\xf0\x91\x82\xbd\xf3\xa0\x81\xbf",
	  "\\ud804\\udcbd\\udb40\\udc7f" },
	{ "what is beside those",
	  "\xc2\xac\xc2\xae\xef\xbb\xbe\xef\xbc\x80\xef\xbf\xb8\xef\xbf\xbc"
	  "\xf0\x91\x82\xbc\xf0\x91\x82\xbe",
	  "\xc2\xac\xc2\xae\xef\xbb\xbe\xef\xbc\x80\xef\xbf\xb8\xef\xbf\xbc"
	  "\xf0\x91\x82\xbc\xf0\x91\x82\xbe" },
	{ "and what is beside them", "\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xb0",
	  "\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xb0" },
	{ "two bytes", "\xc3\xa4", "\xc3\xa4" },
	{ "three bytes", "\xe2\x82\xac", "\xe2\x82\xac" },
	{ "four bytes", "\xf0\x9f\x90\xb3", "\xf0\x9f\x90\xb3" },
	{ "the last character", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
	{ "beyond the last", "\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD },
	{ "a tail alone", "a\x80z", "a" FFFD "z" },
	{ "a head alone", "a\xc3z", "a" FFFD "z" },
	{ "a head at the end", "a\xe2\x82", "a" FFFD FFFD },
	{ "two bytes for ASCII", "\xc0\xaf", FFFD FFFD },
	{ "two bytes for less than 0x80", "\xc1\xbf", FFFD FFFD },
	{ "three bytes for two", "\xe0\x9f\xbf", FFFD FFFD FFFD },
	{ "four bytes for three", "\xf0\x8f\xbf\xbf", FFFD FFFD FFFD FFFD },
	{ "a surrogate", "\xed\xa0\x80", FFFD FFFD FFFD },
	{ "the last before surrogates", "\xed\x9f\xbf", "\xed\x9f\xbf" },
	{ "a head that never is", "\xf5\xff\xfe", FFFD FFFD FFFD },
	{ "good behind bad", "\xff\xc3\xa4", FFFD "\xc3\xa4" },
};

static void json_strings(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(strings); i++) {
		AUTO(buf) struct buf got, want;

		print_message("%s\n", strings[i].rule);
		buf_init(&got, 256);
		buf_init(&want, 256);
		json_str(&got, str_of(strings[i].text));
		buf_printf(&want, "\"%s\"", strings[i].want);
		assert_true(str_eq(buf_str(&got), buf_str(&want)));
	}
}

static const struct {
	const char *rule, *text, *want;
} lines[] = {
	{ "plain", "a b", "a b" },
	{ "of other alphabets", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xb3",
	  "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xb3" },
	{ "line feed, tab, escape, DEL", "\n\t\x1b\x7f", "????" },
	{ "the first of Latin-1", "\xc2\xa0", "\xc2\xa0" },
	{ "the controls before it", "\xc2\x80\xc2\x9b\xc2\x9f", "??????" },
	{ "what is not seen", "a\xef\xbb\xbf\xf3\xa0\x81\x81z", "a???????z" },
	{ "no UTF-8", "a\xffz", "a?z" },
	{ "cut short", "\xe2\x82", "??" },
	{ "empty", "", "" },
};

static void printable(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		char text[32];

		print_message("%s\n", lines[i].rule);
		snprintf(text, sizeof(text), "%s", lines[i].text);
		make_printable(text);
		assert_string_equal(text, lines[i].want);
		assert_true(str_printable(str_of(text)));
		assert_int_equal(str_printable(str_of(lines[i].text)),
				 !strcmp(lines[i].text, lines[i].want));
	}
}

static void json_places_commas(void **state)
{
	AUTO(buf) struct buf got;

	(void)state;
	buf_init(&got, 256);
	json_open(&got, '{');
	json_put_str(&got, "s", STR("a\0["));
	json_put_int(&got, "i", -7);
	json_put_bool(&got, "b", true);
	json_put_null(&got, "n");
	json_key(&got, "l");
	json_open(&got, '[');
	json_str(&got, STR("{"));
	json_open(&got, '{');
	json_close(&got, '}');
	json_int(&got, 1);
	json_bool(&got, false);
	json_null(&got);
	json_open(&got, '[');
	json_close(&got, ']');
	json_close(&got, ']');
	json_close(&got, '}');
	assert_str(buf_str(&got), "{\"s\":\"a\\u0000[\",\"i\":-7,\"b\":true,"
				  "\"n\":null,\"l\":[\"{\",{},1,false,null,"
				  "[]]}");
}

static const struct {
	const char *rule, *text;
	enum err err;
	int64_t want;
} dates[] = {
	{ "the first day", "1970-01-01", E_OK, 0 },
	{ "before it", "1969-12-31", E_SYNTAX, 0 },
	{ "a day in January", "2027-01-31", E_OK, 1801353600 },
	{ "29 February of a leap year", "2028-02-29", E_OK, 1835395200 },
	{ "29 February of another", "2027-02-29", E_SYNTAX, 0 },
	{ "2000 is a leap year", "2000-02-29", E_OK, 951782400 },
	{ "2100 is none", "2100-02-29", E_SYNTAX, 0 },
	{ "1 March 2100", "2100-03-01", E_OK, 4107542400 },
	{ "30 February", "2028-02-30", E_SYNTAX, 0 },
	{ "31 April", "2027-04-31", E_SYNTAX, 0 },
	{ "31 December", "2027-12-31", E_OK, 1830211200 },
	{ "32 December", "2027-12-32", E_SYNTAX, 0 },
	{ "month 13", "2027-13-01", E_SYNTAX, 0 },
	{ "month 0", "2027-00-01", E_SYNTAX, 0 },
	{ "day 0", "2027-01-00", E_SYNTAX, 0 },
	{ "after 32 bits", "2038-01-20", E_OK, 2147558400 },
	{ "the last day", "9999-12-31", E_OK, 253402214400 },
	{ "short", "2027-1-31", E_SYNTAX, 0 },
	{ "long", "2027-01-311", E_SYNTAX, 0 },
	{ "slashes", "2027/01/31", E_SYNTAX, 0 },
	{ "a sign", "+027-01-31", E_SYNTAX, 0 },
	{ "a space", "2027-01- 1", E_SYNTAX, 0 },
	{ "a time behind", "2027-01-31T00:00", E_SYNTAX, 0 },
	{ "empty", "", E_SYNTAX, 0 },
};

static void reading_dates(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(dates); i++) {
		int64_t got = 77;

		print_message("%s\n", dates[i].rule);
		assert_int_equal(date_parse(str_of(dates[i].text), &got),
				 dates[i].err);
		assert_true(got == dates[i].want);
	}
}

/* Every day from 1970 to 2400, against libc. */
static void dates_as_libc_has_them(void **state)
{
	(void)state;
	for (int64_t day = 0; day < 430 * 365; day++) {
		time_t when = (time_t)(day * DAY + DAY - 1);
		struct date_text got = date_print(when);
		char want[32];
		struct tm tm;
		int64_t back;

		assert_non_null(gmtime_r(&when, &tm));
		strftime(want, sizeof(want), "%Y-%m-%d", &tm);
		assert_string_equal(got.at, want);
		assert_int_equal(date_parse(str_of(got.at), &back), E_OK);
		assert_true(back == day * DAY);
	}
}

static void times_are_utc(void **state)
{
	(void)state;
	setenv("TZ", "America/New_York", 1);
	tzset();
	assert_string_equal(time_print(1801383323).at,
			    "2027-01-31T08:15:23.000Z");
	assert_string_equal(time_print(1801353599).at,
			    "2027-01-30T23:59:59.000Z");
	unsetenv("TZ");
	tzset();
}

/* RFC 4648 section 10; base64url and base32 as there, without padding. */
static const struct {
	const char *text, *base64, *base64url, *base32, *hex;
} vectors[] = {
	{ "", "", "", "", "" },
	{ "f", "Zg==", "Zg", "MY", "66" },
	{ "fo", "Zm8=", "Zm8", "MZXQ", "666f" },
	{ "foo", "Zm9v", "Zm9v", "MZXW6", "666f6f" },
	{ "foob", "Zm9vYg==", "Zm9vYg", "MZXW6YQ", "666f6f62" },
	{ "fooba", "Zm9vYmE=", "Zm9vYmE", "MZXW6YTB", "666f6f6261" },
	{ "foobar", "Zm9vYmFy", "Zm9vYmFy", "MZXW6YTBOI", "666f6f626172" },
	{ "\xfb\xff\xfe", "+//+", "-__-", "7P774", "fbfffe" },
};

static void rfc4648_vectors(void **state)
{
	static void (*const add[])(struct buf *,
				   struct str) = { base64_add, base64url_add,
						   base32_add, hex_add };

	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		const char *const want[] = { vectors[i].base64,
					     vectors[i].base64url,
					     vectors[i].base32,
					     vectors[i].hex };
		char back[16];
		size_t len;

		for (size_t j = 0; j < COUNT(add); j++) {
			AUTO(buf) struct buf got;

			buf_init(&got, 64);
			add[j](&got, str_of(vectors[i].text));
			assert_str(buf_str(&got), want[j]);
			for (size_t k = 0; j == 1 && k < got.len; k++)
				assert_true(is_base64url(got.at[k]));
		}
		assert_int_equal(base64_decode(str_of(vectors[i].base64), back,
					       sizeof(back), &len),
				 E_OK);
		assert_str(((struct str) { back, len }), vectors[i].text);
	}
}

static void letters_of_base64url(void **state)
{
	size_t count = 0;

	(void)state;
	for (int c = 0; c < 256; c++)
		count += is_base64url((char)c);
	assert_int_equal(count, 64);
	for (const char *c = "+/=.~ "; *c; c++)
		assert_false(is_base64url(*c));
	assert_false(is_base64url('\0'));
}

static const struct {
	const char *rule, *text;
	enum err err;
} decodes[] = {
	{ "as many bytes as there is room", "QUJDREVG", E_OK },
	{ "one more", "QUJDREVGRw==", E_LIMIT },
	{ "no padding", "QUI", E_SYNTAX },
	{ "too much padding", "QQ===", E_SYNTAX },
	{ "three times padding", "Q===", E_SYNTAX },
	{ "padding alone", "====", E_SYNTAX },
	{ "padding inside", "QQ==QUJD", E_SYNTAX },
	{ "unused bits set, one byte", "QR==", E_SYNTAX },
	{ "unused bits set, two bytes", "QUF=", E_SYNTAX },
	{ "the URL alphabet", "-__-", E_SYNTAX },
	{ "a line feed", "QUJD\n", E_SYNTAX },
	{ "a space", "QU D", E_SYNTAX },
	{ "a byte above ASCII", "QU\xc3\xa4", E_SYNTAX },
};

static void strict_base64(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(decodes); i++) {
		char out[6];
		size_t len = 77;

		print_message("%s\n", decodes[i].rule);
		assert_int_equal(base64_decode(str_of(decodes[i].text), out,
					       sizeof(out), &len),
				 decodes[i].err);
		if (decodes[i].err)
			assert_int_equal(len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices),
		cmocka_unit_test(cutting),
		cmocka_unit_test(reading_numbers),
		cmocka_unit_test(causes),
		cmocka_unit_test(buf_grows_to_its_limit),
		cmocka_unit_test(buf_error_is_sticky),
		cmocka_unit_test(buf_clear_wipes),
		cmocka_unit_test(arena_gives_zeroed_memory_again),
		cmocka_unit_test(json_strings),
		cmocka_unit_test(printable),
		cmocka_unit_test(json_places_commas),
		cmocka_unit_test(reading_dates),
		cmocka_unit_test(dates_as_libc_has_them),
		cmocka_unit_test(times_are_utc),
		cmocka_unit_test(rfc4648_vectors),
		cmocka_unit_test(letters_of_base64url),
		cmocka_unit_test(strict_base64),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
