/*
 * test/unit/token/test_date.c - token/date: spans of time, and when a token is
 * to die; test_base.c has dates.
 */
#include "test/unit/check.h"

#include "token/date.h"

static const struct {
	const char *rule, *text;
	int64_t want; /* 0: E_SYNTAX */
	const char *printed;
} spans[] = {
	{ "days", "30d", 30 * DAY, "30d" },
	{ "hours", "24h", DAY, "1d" },
	{ "hours that are no days", "36h", 36 * 3600, "36h" },
	{ "minutes", "90m", 90 * 60, "90m" },
	{ "seconds", "61s", 61, "61s" },
	{ "weeks", "2w", 14 * DAY, "14d" },
	{ "a century", "36500d", (int64_t)36500 * DAY, "36500d" },
	{ "no more", "36501d", 0, NULL },
	{ "nor in seconds", "3153600001s", 0, NULL },
	{ "as many in seconds", "3153600000s", (int64_t)36500 * DAY, "36500d" },
	{ "none", "0d", 0, NULL },
	{ "no unit", "30", 0, NULL },
	{ "no number", "d", 0, NULL },
	{ "nothing", "", 0, NULL },
	{ "a month", "1M", 0, NULL },
	{ "a year", "1y", 0, NULL },
	{ "two", "1d2h", 0, NULL },
	{ "a blank", "30 d", 0, NULL },
	{ "a sign", "-1d", 0, NULL },
	{ "a point", "1.5d", 0, NULL },
	{ "beyond 64 bits", "99999999999999999999d", 0, NULL },
};

static void reading_spans(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(spans); i++) {
		int64_t got = 77;

		print_message("%s\n", spans[i].rule);
		assert_int_equal(duration_parse(str_of(spans[i].text), &got),
				 spans[i].want ? E_OK : E_SYNTAX);
		assert_true(got == spans[i].want);
		if (spans[i].want)
			assert_string_equal(duration_print(got).at,
					    spans[i].printed);
	}
}

/* `want`: the day at whose begin it is dead. */
static const struct {
	const char *rule, *now, *at, *text, *want;
} deaths[] = {
	{ "a date", "2027-01-31", "12:00:00", "2027-02-01", "2027-02-01" },
	{ "one that has been", "2027-01-31", "12:00:00", "2020-02-29",
	  "2020-02-29" },
	{ "tomorrow", "2027-01-31", "12:00:00", "1d", "2027-02-01" },
	{ "from the first second", "2027-01-31", "00:00:00", "1d",
	  "2027-02-01" },
	{ "from the last second", "2027-01-31", "23:59:59", "1d",
	  "2027-02-01" },
	{ "over the end of a month", "2027-01-31", "12:00:00", "30d",
	  "2027-03-02" },
	{ "over a leap day", "2028-02-28", "12:00:00", "2d", "2028-03-01" },
	{ "to a leap day", "2028-02-28", "12:00:00", "1d", "2028-02-29" },
	{ "from a leap day, a year", "2028-02-29", "12:00:00", "365d",
	  "2029-02-28" },
	{ "over the end of a year", "2027-12-31", "23:59:59", "1d",
	  "2028-01-01" },
	{ "over 2100, which has no leap day", "2100-02-28", "12:00:00", "1d",
	  "2100-03-01" },
	{ "weeks", "2027-01-01", "12:00:00", "2w", "2027-01-15" },
	{ "hours are no days", "2027-01-01", "12:00:00", "24h", NULL },
	{ "seconds neither", "2027-01-01", "12:00:00", "86400s", NULL },
	{ "words neither", "2027-01-01", "12:00:00", "tomorrow", NULL },
	{ "nothing", "2027-01-01", "12:00:00", "", NULL },
	{ "no such day", "2027-01-01", "12:00:00", "2027-02-29", NULL },
};

static int64_t seconds_of(const char *day, const char *at)
{
	uint64_t h, m, s;
	int64_t when;

	assert_int_equal(date_parse(str_of(day), &when), E_OK);
	assert_int_equal(str_to_u64((struct str) { at, 2 }, 23, &h), E_OK);
	assert_int_equal(str_to_u64((struct str) { at + 3, 2 }, 59, &m), E_OK);
	assert_int_equal(str_to_u64((struct str) { at + 6, 2 }, 59, &s), E_OK);
	return when + (int64_t)(h * 3600 + m * 60 + s);
}

static void reading_deaths(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(deaths); i++) {
		int64_t now = seconds_of(deaths[i].now, deaths[i].at);
		int64_t got = 77;

		print_message("%s\n", deaths[i].rule);
		assert_int_equal(
			expiry_parse(str_of(deaths[i].text), now, &got),
			deaths[i].want ? E_OK : E_SYNTAX);
		assert_true(got == (deaths[i].want ? seconds_of(deaths[i].want,
								"00:00:00")
						   : 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading_spans),
		cmocka_unit_test(reading_deaths),
	};

	return cmocka_run_group_tests_name("date", tests, NULL, NULL);
}
