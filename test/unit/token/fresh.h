/* test/unit/token/fresh.h - keyrings of keys that are made for the test. */
#pragma once

#include "test/unit/check.h"

#include "token/keyring.h"

enum { NOW = 1800000000, PEM_MAX = 16384 };

static inline enum err add_new(struct keyring *keyring, enum key_alg alg,
			       enum key_state state, struct cause *cause)
{
	AUTO(buf) struct buf pem;

	buf_init(&pem, PEM_MAX);
	assert_int_equal(key_generate(alg, STR("test"), NOW, &pem), E_OK);
	return keyring_add(keyring, buf_str(&pem), state, cause);
}
