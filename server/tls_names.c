/* server/tls_names.c - see the header. A sorted table, searched by halves. */
#include "server/tls_names.h"

#include <stdlib.h>
#include <string.h>

enum {
	TLS_NAME_MAX = 253, /* RFC 1035 2.3.4, as text */
	NAMES_MAX = 4096
};

struct name {
	uint8_t len;
	char text[TLS_NAME_MAX]; /* lower case, without a dot at its end */
	struct tls_set set;
};

struct tls_names {
	struct name *at;
	size_t len, size;
};

struct tls_names *tls_names_new(void)
{
	struct tls_names *names = calloc(1, sizeof(*names));

	assert(names);
	return names;
}

void tls_names_free(struct tls_names *names)
{
	if (!names)
		return;
	free(names->at);
	free(names);
}

static bool name_char(char c)
{
	return ascii_is_low(c) || c == '-' || c == '_' ||
	       c == ':'; /* of an IPv6 address */
}

/* False: that is no name. `wild`: it may begin with "*.". */
static bool name_read(struct str s, bool wild, struct name *out)
{
	struct str labels, label;

	*out = (struct name) { 0 };
	if (s.len && s.at[s.len - 1] == '.')
		s.len--;
	if (!s.len || s.len > TLS_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		out->text[i] = ascii_lower(s.at[i]);
	out->len = (uint8_t)s.len;
	labels = (struct str) { out->text, out->len };
	if (wild && str_starts(labels, STR("*.")))
		labels = str_skip(labels, 2);
	if (!labels.len || labels.at[labels.len - 1] == '.')
		return false;
	while (str_cut(&labels, '.', &label)) {
		if (!label.len)
			return false;
		for (size_t i = 0; i < label.len; i++)
			if (!name_char(label.at[i]))
				return false;
	}
	return true;
}

static int name_cmp(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return str_cmp((struct str) { x->text, x->len },
		       (struct str) { y->text, y->len });
}

static struct name *row_of(struct tls_names *names, const struct name *name)
{
	for (size_t i = 0; i < names->len; i++)
		if (!name_cmp(&names->at[i], name))
			return &names->at[i];
	if (names->len == NAMES_MAX)
		return NULL;
	if (names->len == names->size) {
		names->size = names->size ? 2 * names->size : 8;
		names->at =
			realloc(names->at, names->size * sizeof(*names->at));
		assert(names->at);
	}
	names->at[names->len] = *name;
	memset(&names->at[names->len].set, TLS_NONE, sizeof(struct tls_set));
	return &names->at[names->len++];
}

enum err tls_names_add(struct tls_names *names, struct str text,
		       enum tls_kind kind, uint8_t n, uint8_t *other)
{
	struct name name, *row;
	uint8_t *at;

	*other = TLS_NONE;
	if (!name_read(text, true, &name))
		return E_SYNTAX;
	row = row_of(names, &name);
	if (!row)
		return E_LIMIT;
	at = &row->set.at[kind];
	/* A certificate may say a name twice. */
	if (*at != TLS_NONE && *at != n) {
		*other = *at;
		return E_EXISTS;
	}
	*at = n;
	return E_OK;
}

void tls_names_sort(struct tls_names *names)
{
	if (names->len)
		qsort(names->at, names->len, sizeof(*names->at), name_cmp);
}

const struct tls_set *tls_names_find(const struct tls_names *names,
				     struct str text)
{
	struct name name;
	const struct name *found;
	const char *dot;

	if (!names->len || !name_read(text, false, &name))
		return NULL;
	found = bsearch(&name, names->at, names->len, sizeof(*names->at),
			name_cmp);
	dot = memchr(name.text, '.', name.len);
	if (found || !dot)
		return found ? &found->set : NULL;
	/* "*" and all from the first dot on. */
	name.len = (uint8_t)(name.text + name.len - dot + 1);
	memmove(name.text + 1, dot, name.len - 1u);
	name.text[0] = '*';
	found = bsearch(&name, names->at, names->len, sizeof(*names->at),
			name_cmp);
	return found ? &found->set : NULL;
}

bool tls_names_at(const struct tls_names *names, size_t i, struct str *name,
		  const struct tls_set **set)
{
	if (i >= names->len)
		return false;
	*name = (struct str) { names->at[i].text, names->at[i].len };
	*set = &names->at[i].set;
	return true;
}
