/*
 * test/fuzz/fuzz_proxy.c - a PROXY header, whole and in pieces: the same comes
 * of it, and nothing behind it is taken.
 */
#include "server/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As the reader takes it; *len: how far. */
static enum proxy_step in_pieces(struct str text, size_t piece, size_t *len,
				 struct proxy_header *out)
{
	enum proxy_step step = PROXY_MORE;

	*len = 0;
	while (*len < text.len && step == PROXY_MORE) {
		struct str next = str_skip(text, *len);
		size_t taken;

		if (next.len > piece)
			next.len = piece;
		taken = proxy_takes(str_head(text, *len), next);
		assert(taken && taken <= next.len);
		*len += taken;
		step = proxy_parse(str_head(text, *len), out);
	}
	return step;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data + 1, size - 1 };
	struct proxy_header all, some;
	size_t len, len_some;
	enum proxy_step step;

	if (size < 2)
		return 0;
	step = in_pieces(text, size, &len, &all);
	assert(in_pieces(text, 1 + data[0] % 64, &len_some, &some) == step);
	assert(len <= PROXY_MAX || step == PROXY_BAD);
	if (step != PROXY_WHOLE)
		return 0;
	assert(all.len == len && some.len == len_some && len == len_some);
	assert(all.who == some.who);
	if (all.who == PROXY_CLIENT)
		assert(address_eq(&all.client, &some.client) &&
		       all.client.bits == 128);
	return 0;
}
