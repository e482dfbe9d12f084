/* token/alg.c - the table of algorithms, and their names. */
#include "token/alg.h"

#include <openssl/obj_mac.h>

/* SubjectPublicKeyInfo by RFC 5480 2 and RFC 8410 4, a named curve. */
static const char spki_p256[] = "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce"
				"\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d"
				"\x03\x01\x07\x03\x42\x00\x04";
static const char spki_p384[] = "\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce"
				"\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22"
				"\x03\x62\x00\x04";
static const char spki_ed25519[] = "\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03"
				   "\x21\x00";

#define BYTES(array)                                                           \
	{                                                                      \
		(array), sizeof(array) - 1                                     \
	}

static const struct alg algs[] = {
	[ALG_ES256] = { .name = BYTES("ES256"),
			.type = "EC",
			.group = SN_X9_62_prime256v1,
			.kty = "EC",
			.crv = "P-256",
			.digest = "SHA256",
			.size = 32,
			.spki = BYTES(spki_p256) },
	[ALG_RS256] = { .name = BYTES("RS256"),
			.type = "RSA",
			.kty = "RSA",
			.digest = "SHA256" },
	[ALG_ES384] = { .name = BYTES("ES384"),
			.type = "EC",
			.group = SN_secp384r1,
			.kty = "EC",
			.crv = "P-384",
			.digest = "SHA384",
			.size = 48,
			.spki = BYTES(spki_p384) },
	[ALG_EDDSA] = { .name = BYTES("EdDSA"),
			.type = "ED25519",
			.kty = "OKP",
			.crv = "Ed25519",
			.size = 32,
			.spki = BYTES(spki_ed25519) },
};

const struct alg *alg_of(enum key_alg alg)
{
	assert((size_t)alg < COUNT(algs));
	return &algs[alg];
}

enum err key_alg_parse(struct str name, enum key_alg *out)
{
	*out = ALG_ES256;
	for (size_t i = 0; i < COUNT(algs); i++)
		if (str_eq(algs[i].name, name)) {
			*out = (enum key_alg)i;
			return E_OK;
		}
	return E_SYNTAX;
}

struct str key_alg_name(enum key_alg alg)
{
	return alg_of(alg)->name;
}
