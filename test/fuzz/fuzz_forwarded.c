/*
 * test/fuzz/fuzz_forwarded.c - lines of X-Forwarded-For, a NUL, and lines of
 * Forwarded: whatever they say, the client is none of the trusted proxies
 * unless all are, and nobody is sure of what cannot be read.
 */
#include "server/http/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add(struct hops *hops, struct str lines,
		void (*add_line)(struct hops *hops, struct str line))
{
	struct str line;

	while (str_cut(&lines, '\n', &line))
		add_line(hops, line);
}

static bool same(const struct client *a, const struct client *b)
{
	return a->unsure == b->unsure && address_eq(&a->address, &b->address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size }, first;
	struct hops plain = { .count = 0 }, forwarded = { .count = 0 };
	const struct hops none = { .count = 0 };
	struct client both, one, two;
	struct networks trusted;
	struct network peer;

	if (networks_read(STR("10.0.0.0/8,::1"), &trusted, NULL) ||
	    !address_read(STR("10.0.0.1"), &peer))
		__builtin_trap();
	str_cut(&rest, '\0', &first);
	add(&plain, first, hops_add_plain);
	add(&forwarded, rest, hops_add_forwarded);
	one = hops_client(&plain, &none, &peer, &trusted);
	two = hops_client(&none, &forwarded, &peer, &trusted);
	both = hops_client(&plain, &forwarded, &peer, &trusted);
	assert(!one.unsure || networks_have(&trusted, &one.address));
	assert(!two.unsure || networks_have(&trusted, &two.address));
	if (!plain.count)
		assert(same(&both, &two));
	else if (!forwarded.count)
		assert(same(&both, &one));
	else if (!both.unsure)
		assert(same(&both, &one) && same(&both, &two));
	else
		assert(address_eq(&both.address, &peer));
	return 0;
}
