/* test/fuzz/fuzz_params.c - a query or form from its bytes. */
#include <string.h>

#include "server/http/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) struct arena arena;
	struct params params;
	struct cause cause = { "" };
	struct str value;

	arena_init(&arena);
	if (params_parse((struct str) { (const char *)data, size }, &arena,
			 &params, &cause)) {
		assert(!params.len && cause.text[0]);
		return 0;
	}
	assert(params.len <= PARAMS_MAX);
	for (size_t i = 0; i < params.len; i++) {
		assert(!memchr(params.at[i].value.at, '\0',
			       params.at[i].value.len));
		assert(params_first(&params, params.at[i].name).at);
	}
	if (params_one(&params, STR("service"), &value, &cause))
		assert(!value.at);
	return 0;
}
