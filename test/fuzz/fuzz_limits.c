/*
 * test/fuzz/fuzz_limits.c - limits of tokens, from arbitrary bytes: a list, a
 * line feed, and what is held against it.
 */
#include "token/limits.h"
#include "token/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A list fits what one of its entries fits alone, and no more. */
static void check(enum limit limit, struct str list, struct str asked)
{
	struct str rest = list, entry;
	bool one = !list.len;

	while (str_cut(&rest, ',', &entry))
		one |= entry.len && limit_fits(limit, entry, asked);
	assert(limit_fits(limit, list, asked) == one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size }, list;
	struct cause cause = { "" };

	if (!size)
		return 0;
	str_cut(&rest, '\n', &list);
	for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
		cause.text[0] = '\0';
		check(limit, list, rest);
		if (limit_check(limit, list, &cause))
			assert(*cause.text);
	}
	if (list.len && limit_fits(LIMIT_REPOSITORY, list, rest))
		assert(path_valid(rest));
	return 0;
}
