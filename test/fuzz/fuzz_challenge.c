/*
 * test/fuzz/fuzz_challenge.c - a line of WWW-Authenticate: reading it ends, and
 * what was read is written in it.
 */
#include "server/http/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct str part, struct str whole)
{
	return part.at >= whole.at &&
	       part.at + part.len <= whole.at + whole.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct str line = { (const char *)data, size };
	AUTO(arena) struct arena arena;
	struct challenge c;
	struct str rest = line, before = line, value;
	enum err err;

	arena_init(&arena);
	while (!(err = challenge_next(&rest, &arena, &c))) {
		assert(rest.len < before.len && inside(rest, line));
		assert(c.scheme.len && inside(c.scheme, line));
		assert(!c.len || !c.token68.len);
		for (size_t i = 0; i < c.len; i++) {
			assert(inside(c.at[i].name, line));
			assert(c.at[i].value.len <= size);
			assert(challenge_get(&c, c.at[i].name, &value));
			assert(str_eq(value, c.at[i].value));
		}
		before = rest;
	}
	assert(!c.scheme.len && !c.len);
	assert(err != E_NOT_FOUND || !rest.len);
	return 0;
}
