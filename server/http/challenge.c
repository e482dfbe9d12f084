/* server/http/challenge.c - see the header. */
#include "server/http/challenge.h"

#include "server/http/field.h"

static bool is_token68(char c) /* RFC 9110 11.2 */
{
	return ascii_is_alnum(c) || (c && strchr("-._~+/", c));
}

/* An element of a list may be empty (RFC 9110 5.6.1.2). */
static bool skip_commas(struct str *rest)
{
	bool any = false;

	field_skip_blanks(rest);
	while (field_begins(*rest, ',')) {
		*rest = str_skip(*rest, 1);
		field_skip_blanks(rest);
		any = true;
	}
	return any;
}

/* Behind its first quote: how long it is, and how long without backslashes. */
static bool find_quote(struct str text, size_t *end, size_t *len)
{
	*end = *len = 0;
	for (size_t i = 0; i < text.len; i++, ++*len) {
		*end = i;
		if (text.at[i] == '"')
			return true;
		if (text.at[i] == '\\')
			i++;
	}
	return false;
}

static enum err take_quoted(struct str *rest, struct arena *arena,
			    struct str *value)
{
	struct str text = str_skip(*rest, 1);
	size_t end, len;
	char *to;

	if (!find_quote(text, &end, &len))
		return E_SYNTAX;
	*rest = str_skip(text, end + 1);
	*value = str_head(text, end);
	if (len == end)
		return E_OK;
	to = arena_alloc(arena, len);
	for (size_t i = 0, at = 0; i < end; i++)
		to[at++] = text.at[text.at[i] == '\\' ? ++i : i];
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
	struct str ahead = *rest, name = field_take(&ahead, field_is_token),
		   value;

	field_skip_blanks(&ahead);
	*none = !name.len || !field_begins(ahead, '=');
	if (*none)
		return E_OK;
	ahead = str_skip(ahead, 1);
	field_skip_blanks(&ahead);
	if (field_begins(ahead, '"')) {
		if (take_quoted(&ahead, arena, &value))
			return E_SYNTAX;
	} else {
		value = field_take(&ahead, field_is_token);
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
		field_skip_blanks(rest);
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

	field_take(&ahead, is_token68);
	while (field_begins(ahead, '='))
		ahead = str_skip(ahead, 1);
	*token = str_head(*rest, rest->len - ahead.len);
	field_skip_blanks(&ahead);
	if (!token->len || (ahead.len && !field_begins(ahead, ','))) {
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
	c->scheme = field_take(rest, field_is_token);
	if (!c->scheme.len)
		return E_SYNTAX;
	if (!field_skip_blanks(rest) && rest->len && !field_begins(*rest, ','))
		return E_SYNTAX;
	if (!rest->len || field_begins(*rest, ','))
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
