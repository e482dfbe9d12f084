/*
 * token/date.h - seconds since 1970 (UTC) and their text, whatever the host's
 * time zone. Proleptic Gregorian, years 1970 to 9999, no leap seconds.
 */
#pragma once

#include "token/base.h"

enum { DAY = 24 * 60 * 60 };

int64_t day_of(int64_t when); /* 00:00 UTC of its day */

/*
 * "2027-01-31" to the second at which that day begins in UTC. Exactly ten
 * characters and a date that exists, else E_SYNTAX and *out is 0.
 */
enum err date_parse(struct str text, int64_t *out) MUST_CHECK;

/*
 * A span of time: "30d", a number and one of s, m, h, d, w; in seconds, 1 to
 * DURATION_MAX, else E_SYNTAX and *out is 0.
 */
enum { DURATION_MAX = 36500 }; /* days */
enum err duration_parse(struct str text, int64_t *out) MUST_CHECK;
/* In the largest unit that leaves no rest: "30d", "90m". */
struct duration_text {
	char at[32];
};
struct duration_text duration_print(int64_t seconds);

/*
 * When something is to die: a date as above, or "30d" or "2w", so many days
 * after the day of `now`. 00:00 UTC of that day, which may lie in the past.
 */
enum err expiry_parse(struct str text, int64_t now, int64_t *out) MUST_CHECK;

struct date_text {
	char at[64]; /* the compiler counts with any year */
};

/* The day of `when`: "2027-01-31". */
struct date_text date_print(int64_t when);

/* RFC 3339 in UTC, as GitLab writes it: "2027-01-31T08:15:00.000Z". */
struct date_text time_print(int64_t when);
