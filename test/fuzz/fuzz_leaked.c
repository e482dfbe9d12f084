/*
 * test/fuzz/fuzz_leaked.c - secrets within anything: each that is found has the
 * form of one; a JWT is read, or refused.
 */
#include <stdlib.h>
#include <string.h>

#include "token/claims.h"
#include "token/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_found(void *arg, enum found what, struct str text)
{
	struct claims_seen seen;

	(void)arg;
	assert(text.len && text.at);
	if (what != FOUND_JWT) {
		assert(secret_looks_like_token(text));
		return;
	}
	if (claims_look(text, &seen))
		assert(!seen.expires_at && !*seen.subject);
	else
		assert(seen.expires_at > 0 &&
		       str_printable(str_of(seen.subject)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };

	if (size <= 64 * 1024)
		secret_each_within(text, on_found, NULL);
	return 0;
}
