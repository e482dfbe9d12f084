/*
 * test/fuzz/fuzz_limits.c - limits of tokens, from arbitrary bytes: a list, a
 * line feed, and what is held against it.
 */
#include "token/limits.h"
#include "token/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A list fits what one of its entries fits alone, and no more. */
static void check(struct str list, struct str asked,
		  bool (*fits)(struct str list, struct str asked))
{
	struct str rest = list, entry;
	bool one = !list.len;

	while (str_cut(&rest, ',', &entry))
		one |= entry.len && fits(entry, asked);
	assert(fits(list, asked) == one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size }, list;
	struct cause cause = { "" };

	if (!size)
		return 0;
	str_cut(&rest, '\n', &list);
	check(list, rest, limits_repository);
	check(list, rest, limits_network);
	check(list, rest, limits_service);
	if (list.len && limits_repository(list, rest))
		assert(path_valid(rest));
	if (limits_check_repositories(list, &cause))
		assert(*cause.text);
	else if (limits_check_networks(list, &cause))
		assert(*cause.text);
	if (limits_check_services(list, &cause))
		assert(*cause.text);
	return 0;
}
