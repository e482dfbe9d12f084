/* server/http/challenge.c - see the header. */
#include "server/http/challenge.h"

#include <string.h>

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

static bool is_token(char c) /* RFC 9110 5.6.2 */
{
	return is_alnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token68(char c) /* RFC 9110 11.2 */
{
	return is_alnum(c) || (c && strchr("-._~+/", c));
}

static bool begins(struct str s, char c)
{
	return s.len && s.at[0] == c;
}

static struct str take(struct str *rest, bool (*is)(char c))
{
	struct str all = *rest;
	size_t n = 0;

	while (n < rest->len && is(rest->at[n]))
		n++;
	*rest = str_skip(*rest, n);
	return str_head(all, n);
}

/* RFC 9110 5.6.3: blanks and tabs. */
static size_t skip_blanks(struct str *rest)
{
	size_t before = rest->len;

	while (begins(*rest, ' ') || begins(*rest, '\t'))
		*rest = str_skip(*rest, 1);
	return before - rest->len;
}

/* An element of a list may be empty (RFC 9110 5.6.1.2). */
static bool skip_commas(struct str *rest)
{
	bool any = false;

	skip_blanks(rest);
	while (begins(*rest, ',')) {
		*rest = str_skip(*rest, 1);
		skip_blanks(rest);
		any = true;
	}
	return any;
}

static enum err take_quoted(struct str *rest, struct arena *arena,
			    struct str *value)
{
	struct str text = str_skip(*rest, 1);
	char *to = arena_alloc(arena, text.len + 1);
	size_t len = 0;

	while (!begins(text, '"')) {
		if (begins(text, '\\'))
			text = str_skip(text, 1);
		if (!text.len)
			return E_SYNTAX;
		to[len++] = text.at[0];
		text = str_skip(text, 1);
	}
	*rest = str_skip(text, 1);
	*value = (struct str) { to, len };
	return E_OK;
}

/*
 * Is it name "=" value that comes next? Then it is taken. A name alone is the
 * scheme of the next challenge, and stays.
 */
static enum err take_param(struct str *rest, struct arena *arena,
			   struct challenge *c, bool *none)
{
	struct str ahead = *rest, name = take(&ahead, is_token), value;

	skip_blanks(&ahead);
	*none = !name.len || !begins(ahead, '=');
	if (*none)
		return E_OK;
	ahead = str_skip(ahead, 1);
	skip_blanks(&ahead);
	if (begins(ahead, '"')) {
		if (take_quoted(&ahead, arena, &value))
			return E_SYNTAX;
	} else {
		value = take(&ahead, is_token);
		if (!value.len)
			return E_SYNTAX;
	}
	if (challenge_get(c, name, &(struct str) { 0 }))
		return E_SYNTAX;
	if (c->len == CHALLENGE_PARAMS_MAX)
		return E_LIMIT;
	c->at[c->len].name = name;
	c->at[c->len++].value = value;
	*rest = ahead;
	return E_OK;
}

static enum err take_params(struct str *rest, struct arena *arena,
			    struct challenge *c)
{
	bool none = false;

	for (;;) {
		enum err err = take_param(rest, arena, c, &none);

		if (err)
			return err;
		if (none)
			return c->len ? E_OK : E_NOT_FOUND;
		skip_blanks(rest);
		if (!rest->len)
			return E_OK;
		/* What follows may be another challenge. */
		if (!skip_commas(rest))
			return E_SYNTAX;
	}
}

/* Up to the comma or the end; false: something else stands there. */
static bool take_token68(struct str *rest, struct str *token)
{
	struct str ahead = *rest;

	take(&ahead, is_token68);
	while (begins(ahead, '='))
		ahead = str_skip(ahead, 1);
	*token = str_head(*rest, rest->len - ahead.len);
	skip_blanks(&ahead);
	if (!token->len || (ahead.len && !begins(ahead, ','))) {
		*token = (struct str) { 0 };
		return false;
	}
	*rest = ahead;
	return true;
}

static enum err take_challenge(struct str *rest, struct arena *arena,
			       struct challenge *c)
{
	enum err err;

	skip_commas(rest);
	if (!rest->len)
		return E_NOT_FOUND;
	c->scheme = take(rest, is_token);
	if (!c->scheme.len)
		return E_SYNTAX;
	if (!skip_blanks(rest) && rest->len && !begins(*rest, ','))
		return E_SYNTAX;
	if (!rest->len || begins(*rest, ','))
		return E_OK; /* the scheme alone */
	if (take_token68(rest, &c->token68))
		return E_OK;
	err = take_params(rest, arena, c);
	return err == E_NOT_FOUND ? E_SYNTAX : err;
}

enum err challenge_next(struct str *rest, struct arena *arena,
			struct challenge *out)
{
	enum err err;

	*out = (struct challenge) { .len = 0 };
	err = take_challenge(rest, arena, out);
	if (err)
		*out = (struct challenge) { .len = 0 };
	return err;
}

bool challenge_get(const struct challenge *challenge, struct str name,
		   struct str *value)
{
	*value = (struct str) { 0 };
	for (size_t i = 0; i < challenge->len; i++) {
		if (!str_eq_nocase(challenge->at[i].name, name))
			continue;
		*value = challenge->at[i].value;
		return true;
	}
	return false;
}
