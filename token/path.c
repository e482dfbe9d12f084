/* token/path.c - see the header. */
#include "token/path.h"

/* 0 if there is none. */
static size_t separator_len(struct str s)
{
	size_t n = 0;

	if (str_starts(s, STR("__")))
		return 2;
	if (str_starts(s, STR("_")) || str_starts(s, STR(".")))
		return 1;
	while (n < s.len && s.at[n] == '-')
		n++;
	return n;
}

static bool component_valid(struct str s)
{
	for (;;) {
		size_t n = str_span(s, ascii_is_low);

		s = str_skip(s, n);
		if (!n || !s.len)
			return n;
		n = separator_len(s);
		if (!n)
			return false;
		s = str_skip(s, n);
	}
}

size_t path_depth(struct str path)
{
	size_t n = path.len ? 1 : 0;

	for (size_t i = 0; i < path.len; i++)
		n += path.at[i] == '/';
	return n;
}

bool path_valid(struct str path)
{
	bool more;

	if (path.len > PATH_LEN_MAX)
		return false;
	do {
		struct str component;

		more = str_has(path, '/');
		str_cut(&path, '/', &component);
		if (!component_valid(component))
			return false;
	} while (more);
	return true;
}
