/* token/date.c - see the header. */
#include "token/date.h"

#include <stdio.h>
#include <string.h>

/* Days from 1970-01-01, by counting years from March (leap day last). */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t m = month > 2 ? month - 3 : month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day -
	       1 - 719468;
}

static void civil_of(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
	int64_t z = days + 719468, era = z / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t m = (5 * doy + 2) / 153;

	*day = doy - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = yoe + era * 400 + (*month <= 2);
}

int64_t day_of(int64_t when)
{
	return when - when % DAY;
}

struct date_text date_print(int64_t when)
{
	struct date_text text = { 0 };
	int64_t year, month, day;

	assert(when >= 0);
	civil_of(when / DAY, &year, &month, &day);
	snprintf(text.at, sizeof(text.at), "%04lld-%02lld-%02lld",
		 (long long)year, (long long)month, (long long)day);
	return text;
}

struct date_text time_print(int64_t when)
{
	struct date_text text = date_print(when);
	int s = (int)(when % DAY);
	size_t len = strlen(text.at);

	snprintf(text.at + len, sizeof(text.at) - len, "T%02d:%02d:%02d.000Z",
		 s / 3600, s / 60 % 60, s % 60);
	return text;
}

enum err date_parse(struct str text, int64_t *out)
{
	uint64_t year, month, day;
	struct date_text again;
	int64_t when;

	*out = 0;
	if (text.len != 10 || text.at[4] != '-' || text.at[7] != '-')
		return E_SYNTAX;
	if (str_to_u64(str_head(text, 4), 9999, &year) || year < 1970 ||
	    str_to_u64(str_head(str_skip(text, 5), 2), 12, &month) || !month ||
	    str_to_u64(str_skip(text, 8), 31, &day) || !day)
		return E_SYNTAX;
	when = days_of((int64_t)year, (int64_t)month, (int64_t)day) * DAY;
	again = date_print(when); /* 30 February comes out as another day */
	if (!str_eq(str_of(again.at), text))
		return E_SYNTAX;
	*out = when;
	return E_OK;
}

static const struct {
	char letter;
	int64_t seconds;
} units[] = {
	{ 'w', 7 * DAY }, { 'd', DAY }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 }
};

enum err duration_parse(struct str text, int64_t *out)
{
	const int64_t max = (int64_t)DURATION_MAX * DAY;
	uint64_t number;

	*out = 0;
	for (size_t i = 0; text.len && i < COUNT(units); i++) {
		if (text.at[text.len - 1] != units[i].letter)
			continue;
		if (str_to_u64(str_head(text, text.len - 1),
			       (uint64_t)(max / units[i].seconds), &number) ||
		    !number)
			return E_SYNTAX;
		*out = (int64_t)number * units[i].seconds;
		return E_OK;
	}
	return E_SYNTAX;
}

/* Weeks are for reading alone. */
struct duration_text duration_print(int64_t seconds)
{
	struct duration_text text = { "0s" };

	for (size_t i = 1; seconds && i < COUNT(units); i++) {
		if (seconds % units[i].seconds)
			continue;
		snprintf(text.at, sizeof(text.at), "%lld%c",
			 (long long)(seconds / units[i].seconds),
			 units[i].letter);
		break;
	}
	return text;
}

enum err expiry_parse(struct str text, int64_t now, int64_t *out)
{
	int64_t span;

	if (!date_parse(text, out))
		return E_OK;
	if (duration_parse(text, &span) || span % DAY ||
	    str_has(STR("hms"), text.at[text.len - 1]))
		return E_SYNTAX;
	*out = day_of(now) + span;
	return E_OK;
}
