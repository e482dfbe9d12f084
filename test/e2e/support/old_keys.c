/* test/e2e/support/old_keys.c - an engine for OpenSSL that has it keep RSA and
 * EC keys in the form that they had before OpenSSL 3.
 *
 * OpenSMTPD 6.8 (Debian 12) needs that: it hangs a note on a public key, which
 * has another process sign with the private one. OpenSSL 3 signs with a copy
 * of the key, which has no note ("missing private key"), unless an engine says
 * how such keys are used. This one says: as ever.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/engine.h>

static int methods(ENGINE *engine, EVP_PKEY_METHOD **method, const int **kinds,
		   int kind)
{
	static const int all[] = { EVP_PKEY_RSA, EVP_PKEY_EC };

	(void)engine;
	if (!method) {
		*kinds = all;
		return sizeof(all) / sizeof(*all);
	}
	/* OpenSSL's own: it does not free it. */
	*method = (EVP_PKEY_METHOD *)EVP_PKEY_meth_find(kind);
	return *method != NULL;
}

static int describe(ENGINE *engine, const char *id)
{
	(void)id;
	return ENGINE_set_id(engine, "old_keys") &&
	       ENGINE_set_name(engine, "keys as before OpenSSL 3") &&
	       ENGINE_set_pkey_meths(engine, methods);
}

IMPLEMENT_DYNAMIC_CHECK_FN()
IMPLEMENT_DYNAMIC_BIND_FN(describe)
