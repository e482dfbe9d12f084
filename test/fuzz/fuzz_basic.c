/* test/fuzz/fuzz_basic.c - the value of an Authorization header. */
#include <string.h>

#include "server/auth/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) struct arena arena;
	struct credential got;
	struct cause cause = { "" };

	arena_init(&arena);
	if (credential_parse((struct str) { (const char *)data, size }, &arena,
			     &got, &cause)) {
		assert(got.kind == CREDENTIAL_BAD && cause.text[0]);
		return 0;
	}
	assert(got.user.len <= USERNAME_MAX);
	assert(got.secret.len <= SECRET_TEXT_MAX);
	if (got.kind == CREDENTIAL_PASSWORD)
		assert(got.user.len && got.secret.len &&
		       !str_has(got.user, ':') &&
		       !memchr(got.secret.at, '\0', got.secret.len));
	if (got.kind == CREDENTIAL_BAD)
		assert(!got.user.len && !got.secret.len);
	return 0;
}
