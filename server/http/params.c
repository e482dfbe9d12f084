/* server/http/params.c - see the header. */
#include "server/http/params.h"

#include <string.h>

#include "token/encode.h"

/* One byte of *text, which is not empty, or -1. */
static int decode_one(struct str *text, bool plus)
{
	char c = text->at[0];
	int high, low;

	if (c != '%') {
		*text = str_skip(*text, 1);
		return c == '+' && plus ? ' ' : (unsigned char)c;
	}
	if (text->len < 3)
		return -1;
	high = hex_value(text->at[1]);
	low = hex_value(text->at[2]);
	*text = str_skip(*text, 3);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

enum err percent_decode(struct str text, bool plus, struct arena *arena,
			struct str *out)
{
	char *at;
	size_t len = 0;

	*out = (struct str) { 0 };
	if (text.len && memchr(text.at, '\0', text.len))
		return E_SYNTAX;
	if (!str_has(text, '%') && !(plus && str_has(text, '+'))) {
		*out = text;
		return E_OK;
	}
	at = arena_alloc(arena, text.len);
	while (text.len) {
		int c = decode_one(&text, plus);

		if (c <= 0)
			return E_SYNTAX;
		at[len++] = (char)c;
	}
	*out = (struct str) { at, len };
	return E_OK;
}

static size_t count_params(struct str text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.len; i++)
		n += text.at[i] == '&';
	return n;
}

enum err params_parse(struct str text, struct arena *arena, struct params *out,
		      struct cause *cause)
{
	size_t most = count_params(text), len = 0;
	struct param *list;
	struct str pair, name;

	*out = (struct params) { 0 };
	if (most > PARAMS_MAX)
		return cause_set(cause, E_LIMIT,
				 "more than %d parameters: ask for less",
				 (int)PARAMS_MAX);
	list = arena_alloc(arena, most * sizeof(*list));
	while (str_cut(&text, '&', &pair)) {
		if (!pair.len)
			continue;
		str_cut(&pair, '=', &name);
		if (percent_decode(name, true, arena, &list[len].name) ||
		    percent_decode(pair, true, arena, &list[len].value))
			return cause_set(cause, E_SYNTAX,
					 "a parameter has a bad %% escape or "
					 "a zero byte: encode it as %%XX");
		if (!list[len].value.at)
			list[len].value.at = ""; /* empty, but there */
		len++;
	}
	*out = (struct params) { len, list };
	return E_OK;
}

enum err params_one(const struct params *params, struct str name,
		    struct str *out, struct cause *cause)
{
	struct str found = { 0 };

	*out = (struct str) { 0 };
	for (size_t i = 0; i < params->len; i++) {
		if (!str_eq(params->at[i].name, name))
			continue;
		if (found.at && !str_eq(found, params->at[i].value))
			return cause_set(cause, E_REFUSED,
					 "two different values of " STR_FMT
					 ": send one",
					 STR_ARG(name));
		found = params->at[i].value;
	}
	*out = found;
	return E_OK;
}

struct str params_first(const struct params *params, struct str name)
{
	for (size_t i = 0; i < params->len; i++)
		if (str_eq(params->at[i].name, name))
			return params->at[i].value;
	return (struct str) { 0 };
}
