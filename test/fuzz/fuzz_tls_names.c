/*
 * test/fuzz/fuzz_tls_names.c - names of certificates, and one that is asked
 * for, from arbitrary bytes: the last line is asked, each other is a
 * certificate's.
 */
#include "server/tls_names.h"

#include <string.h>

enum { LINES_MAX = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str without_root(struct str s)
{
	return s.len && s.at[s.len - 1] == '.' ? str_head(s, s.len - 1) : s;
}

/* As RFC 6125 6.4.3 has it, in a plainer way. */
static bool fits(struct str held, struct str asked)
{
	const char *dot;

	held = without_root(held);
	asked = without_root(asked);
	if (str_eq_nocase(held, asked))
		return true;
	dot = asked.len ? memchr(asked.at, '.', asked.len) : NULL;
	return dot && dot > asked.at && str_starts(held, STR("*.")) &&
	       str_eq_nocase(str_skip(held, 1),
			     str_skip(asked, (size_t)(dot - asked.at)));
}

static bool is_name(struct str s)
{
	struct tls_names *names = tls_names_new();
	uint8_t other;
	enum err err = tls_names_add(names, s, TLS_RSA, 0, &other);

	tls_names_free(names);
	return !err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size }, line, lines[LINES_MAX];
	struct tls_names *names = tls_names_new();
	const struct tls_set *set;
	bool exact = false, some = false;
	uint8_t n = 0, other;

	while (n < LINES_MAX && str_cut(&rest, '\n', &line))
		lines[n++] = line;
	line = n ? lines[--n] : STR("");
	for (uint8_t i = 0; i < n; i++) {
		enum err err =
			tls_names_add(names, lines[i], TLS_RSA, i, &other);

		assert(err == E_OK || err == E_SYNTAX || err == E_EXISTS);
		assert((err == E_EXISTS) == (other != TLS_NONE));
		if (err == E_SYNTAX)
			lines[i] = STR("");
		exact |= str_eq_nocase(without_root(lines[i]),
				       without_root(line));
		some |= lines[i].len && fits(lines[i], line);
	}
	tls_names_sort(names);
	set = tls_names_find(names, line);
	assert(!set || fits(lines[set->at[TLS_RSA]], line));
	/* Who asks for a wildcard, or for what is no name, asks for none. */
	if (is_name(line) && !memchr(line.at, '*', line.len))
		assert(!set == !some);
	else
		assert(!set);
	if (set && exact)
		assert(str_eq_nocase(without_root(lines[set->at[TLS_RSA]]),
				     without_root(line)));
	tls_names_free(names);
	return 0;
}
