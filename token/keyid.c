/* token/keyid.c - see the header. */
#include "token/keyid.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "token/encode.h"
#include "token/json.h"
#include "token/secret.h"

enum { LIBTRUST_BYTES = 30, SPKI_MAX = RSA_BITS_MAX / 8 + 64 };

static const char *const part_names[][2] = {
	[ALG_ES256] = { OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y },
	[ALG_RS256] = { OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E },
	[ALG_ES384] = { OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y },
};

/* `size` bytes, zeros in front (RFC 7518 6.2.1.2); as many as needed if 0. */
static bool get_number(const EVP_PKEY *pkey, const char *name, size_t size,
		       unsigned char *at, size_t max, size_t *len)
{
	BIGNUM *n = NULL;
	bool fine = EVP_PKEY_get_bn_param(pkey, name, &n) == 1;

	if (fine) {
		*len = size ? size : (size_t)BN_num_bytes(n);
		fine = *len <= max && BN_bn2binpad(n, at, (int)*len) >= 0;
	}
	BN_free(n);
	return fine;
}

enum err keyid_public(const struct evp_pkey_st *pkey, enum key_alg alg,
		      struct key_public *out)
{
	size_t size = alg_of(alg)->size, max = sizeof(out->part[0].at);
	bool fine = true;

	*out = (struct key_public) { 0 };
	if (alg == ALG_EDDSA) {
		out->part[0].len = size;
		fine = EVP_PKEY_get_raw_public_key(pkey, out->part[0].at,
						   &out->part[0].len) == 1 &&
		       out->part[0].len == size;
	}
	for (size_t i = 0; i < 2 && fine && alg != ALG_EDDSA; i++)
		fine = get_number(pkey, part_names[alg][i], size,
				  out->part[i].at, max, &out->part[i].len);
	if (fine)
		return E_OK;
	*out = (struct key_public) { 0 };
	ERR_clear_error();
	return E_CRYPTO;
}

static struct str part_str(const struct key_public *public, size_t i)
{
	return (struct str) { (const char *)public->part[i].at,
			      public->part[i].len };
}

static void put_part(struct buf *buf, const char *name,
		     const struct key_public *public, size_t i)
{
	AUTO(buf) struct buf text;

	buf_init(&text, 2 * sizeof(public->part[i].at));
	base64url_add(&text, part_str(public, i));
	json_put_str(buf, name, buf_str(&text));
}

/* In the order that RFC 7638 3.3 hashes them in. */
static void put_members(struct buf *buf, const struct alg *alg,
			const struct key_public *public)
{
	bool rsa = !alg->crv;

	if (rsa)
		put_part(buf, "e", public, 1);
	else
		json_put_str(buf, "crv", str_of(alg->crv));
	json_put_str(buf, "kty", str_of(alg->kty));
	put_part(buf, rsa ? "n" : "x", public, 0);
	if (!rsa && public->part[1].len)
		put_part(buf, "y", public, 1);
}

static enum err fill_rfc7638(struct key *key, const struct key_public *public)
{
	AUTO(buf) struct buf text;
	struct digest digest;
	enum err err;

	buf_init(&text, 4096);
	json_open(&text, '{');
	put_members(&text, alg_of(key->alg), public);
	json_close(&text, '}');
	err = text.over ? E_LIMIT : secret_digest(buf_str(&text), &digest);
	if (err)
		return err;
	buf_clear(&text);
	base64url_add(&text, digest_str(&digest));
	assert(text.len == sizeof(key->rfc7638) - 1);
	memcpy(key->rfc7638, text.at, text.len);
	return E_OK;
}

/* RSA has one encoding only (RFC 3279 2.3.1), the rest is put together. */
static enum err add_spki(const struct key *key, const struct key_public *public,
			 struct buf *out)
{
	unsigned char *der = NULL;
	int len;

	if (alg_of(key->alg)->spki.len) {
		buf_add(out, alg_of(key->alg)->spki);
		buf_add(out, part_str(public, 0));
		buf_add(out, part_str(public, 1));
		return E_OK;
	}
	len = i2d_PUBKEY(key->pkey, &der);
	if (len <= 0)
		return E_CRYPTO;
	buf_add(out, (struct str) { (const char *)der, (size_t)len });
	OPENSSL_free(der);
	return E_OK;
}

static enum err fill_libtrust(struct key *key, const struct key_public *public)
{
	AUTO(buf) struct buf text;
	struct digest digest;
	char *at = key->libtrust;
	enum err err;

	buf_init(&text, SPKI_MAX);
	err = add_spki(key, public, &text);
	if (!err)
		err = text.over ? E_LIMIT
				: secret_digest(buf_str(&text), &digest);
	if (err)
		return err;
	buf_clear(&text);
	base32_add(&text, str_head(digest_str(&digest), LIBTRUST_BYTES));
	for (size_t i = 0; i < text.len; i++) {
		if (i && i % 4 == 0)
			*at++ = ':';
		*at++ = text.at[i];
	}
	assert(at - key->libtrust == sizeof(key->libtrust) - 1);
	return E_OK;
}

static bool is_alg(const EVP_PKEY *pkey, const struct alg *alg)
{
	char group[64] = "";
	int bits = EVP_PKEY_get_bits(pkey);

	if (!EVP_PKEY_is_a(pkey, alg->type))
		return false;
	if (alg->group)
		return EVP_PKEY_get_group_name(pkey, group, sizeof(group),
					       NULL) == 1 &&
		       !strcmp(group, alg->group);
	return alg->crv || (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX);
}

static bool find_alg(const EVP_PKEY *pkey, enum key_alg *out)
{
	for (enum key_alg i = ALG_ES256; i <= ALG_EDDSA; i++)
		if (is_alg(pkey, alg_of(i))) {
			*out = i;
			return true;
		}
	return false;
}

enum err keyid_fill(struct key *key, struct cause *cause)
{
	struct key_public public;
	enum err err;

	if (!find_alg(key->pkey, &key->alg))
		return cause_set(cause, E_REFUSED,
				 "not a key that dockpass signs with: use EC "
				 "P-256 or P-384, RSA of %d to %d bits, or "
				 "Ed25519",
				 RSA_BITS_MIN, RSA_BITS_MAX);
	err = keyid_public(key->pkey, key->alg, &public);
	if (!err)
		err = fill_rfc7638(key, &public);
	if (!err)
		err = fill_libtrust(key, &public);
	if (!err)
		return E_OK;
	ERR_clear_error();
	return cause_set(cause, err, "the public key cannot be read");
}

enum err keyid_print(const struct key *key, enum kid_style style,
		     struct buf *buf)
{
	struct key_public public;
	enum err err = keyid_public(key->pkey, key->alg, &public);

	if (err)
		return err;
	json_open(buf, '{');
	put_members(buf, alg_of(key->alg), &public);
	json_put_str(
		buf, "kid",
		str_of(style == KID_LIBTRUST ? key->libtrust : key->rfc7638));
	json_put_str(buf, "use", STR("sig"));
	json_put_str(buf, "alg", key_alg_name(key->alg));
	json_close(buf, '}');
	return E_OK;
}

/* It forgets zeros in front. */
bool key_is_misread(const struct key *key)
{
	struct key_public public;

	return alg_of(key->alg)->group &&
	       !keyid_public(key->pkey, key->alg, &public) &&
	       (!public.part[0].at[0] || !public.part[1].at[0]);
}
