/*
 * server/http/field.h - what the values of HTTP's fields are made of (RFC 9110
 * 5.6).
 *
 * Pure: no I/O, no allocation.
 */
#pragma once

#include <string.h>

#include "token/base.h"

/* A byte of a token: tchar, 5.6.2. */
static inline bool field_is_token(char c)
{
	return ascii_is_alnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static inline bool field_begins(struct str s, char c)
{
	return s.len && s.at[0] == c;
}

/* The bytes that *rest begins with and that are such; perhaps none. */
static inline struct str field_take(struct str *rest, bool (*is)(char c))
{
	struct str all = *rest;
	size_t n = 0;

	while (n < rest->len && is(rest->at[n]))
		n++;
	*rest = str_skip(*rest, n);
	return str_head(all, n);
}

/* Blanks and tabs (5.6.3); returns how many. */
static inline size_t field_skip_blanks(struct str *rest)
{
	size_t before = rest->len;

	while (field_begins(*rest, ' ') || field_begins(*rest, '\t'))
		*rest = str_skip(*rest, 1);
	return before - rest->len;
}
