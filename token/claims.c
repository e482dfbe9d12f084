/* token/claims.c - see the header. */
#include "token/claims.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <jwt.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "token/alg.h"
#include "token/encode.h"
#include "token/json.h"

enum { TEXT_MAX = 256 * 1024, HEADER_MAX = 64 * 1024 };

struct signer {
	const struct alg *alg;
	EVP_MD_CTX *primed, *work;
	struct buf text; /* cleared and used again: no allocation */
};

static void jwt_cleanup(jwt_t **jwt)
{
	jwt_free(*jwt);
}

static enum err put_x5c(const struct key *key, struct buf *json)
{
	AUTO(buf) struct buf text;
	unsigned char *der = NULL;
	int len = i2d_X509(key->certificate, &der);

	if (len <= 0) {
		ERR_clear_error();
		return E_CRYPTO;
	}
	buf_init(&text, HEADER_MAX);
	base64_add(&text, (struct str) { (const char *)der, (size_t)len });
	OPENSSL_free(der);
	json_key(json, "x5c");
	json_open(json, '[');
	json_str(json, buf_str(&text));
	json_close(json, ']');
	return text.over ? E_LIMIT : E_OK;
}

enum err claims_header(const struct key *key, enum kid_style style, bool x5c,
		       struct buf *out)
{
	AUTO(buf) struct buf json;
	enum err err = E_OK;

	buf_init(&json, HEADER_MAX);
	json_open(&json, '{');
	json_put_str(&json, "typ", STR("JWT"));
	json_put_str(&json, "alg", key_alg_name(key->alg));
	json_put_str(
		&json, "kid",
		str_of(style == KID_LIBTRUST ? key->libtrust : key->rfc7638));
	if (x5c)
		err = put_x5c(key, &json);
	json_close(&json, '}');
	if (err || json.over)
		return err ? err : E_LIMIT;
	base64url_add(out, buf_str(&json));
	return out->over ? E_LIMIT : E_OK;
}

enum err signer_new(const struct key *key, struct signer **out)
{
	struct signer *signer = calloc(1, sizeof(*signer));

	*out = NULL;
	assert(signer);
	signer->alg = alg_of(key->alg);
	signer->primed = EVP_MD_CTX_new();
	signer->work = EVP_MD_CTX_new();
	buf_init(&signer->text, TEXT_MAX);
	if (!signer->primed || !signer->work ||
	    EVP_DigestSignInit_ex(signer->primed, NULL, signer->alg->digest,
				  NULL, NULL, key->pkey, NULL) != 1) {
		ERR_clear_error();
		signer_free(signer);
		return E_CRYPTO;
	}
	*out = signer;
	return E_OK;
}

void signer_free(struct signer *signer)
{
	if (!signer)
		return;
	EVP_MD_CTX_free(signer->primed);
	EVP_MD_CTX_free(signer->work);
	buf_done(&signer->text);
	free(signer);
}

void signer_cleanup(struct signer **signer)
{
	signer_free(*signer);
}

/* What holds a NUL would be cut short there: another name than was meant. */
static bool add_text(jwt_t *jwt, const char *name, struct str value,
		     struct buf *text)
{
	if (str_has(value, '\0'))
		return false;
	buf_clear(text);
	buf_add(text, value);
	buf_add_char(text, '\0');
	return !text->over && !jwt_add_grant(jwt, name, text->at);
}

static bool add_jti(jwt_t *jwt, const unsigned char random[JTI_LEN],
		    struct buf *text)
{
	buf_clear(text);
	hex_add(text, (struct str) { (const char *)random, JTI_LEN });
	buf_add_char(text, '\0');
	return !jwt_add_grant(jwt, "jti", text->at);
}

/*
 * The claims, encoded. libjwt sorts them, and "access" is the first: it is put
 * before the others instead of being read and written again by libjwt.
 */
static enum err add_claims(const struct claims *claims, struct buf *text,
			   struct buf *out)
{
	AUTO(jwt) jwt_t *jwt = NULL;
	int64_t from = claims->now - BACKDATE;
	char *others;

	if (jwt_new(&jwt))
		return E_MEMORY;
	if (!add_text(jwt, "iss", claims->issuer, text) ||
	    !add_text(jwt, "sub", claims->subject, text) ||
	    !add_text(jwt, "aud", claims->audience, text) ||
	    jwt_add_grant_int(jwt, "exp", claims->expires_at) ||
	    jwt_add_grant_int(jwt, "nbf", from) ||
	    jwt_add_grant_int(jwt, "iat", from) ||
	    !add_jti(jwt, claims->jti, text))
		return E_SYNTAX;
	others = jwt_get_grants_json(jwt, NULL);
	if (!others)
		return E_MEMORY;
	buf_clear(text);
	json_open(text, '{');
	json_key(text, "access");
	scope_print_json(claims->access, text);
	buf_add_char(text, ',');
	buf_add(text, str_skip(str_of(others), 1)); /* its "{" */
	free(others);
	if (text->over)
		return E_LIMIT;
	base64url_add(out, buf_str(text));
	return E_OK;
}

/* DER to r || s, each as long as the curve has it (RFC 7518 3.4). */
static bool make_raw(unsigned char *at, size_t *len, size_t size)
{
	const unsigned char *der = at;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)*len);
	bool fine =
		pair &&
		BN_bn2binpad(ECDSA_SIG_get0_r(pair), at, (int)size) >= 0 &&
		BN_bn2binpad(ECDSA_SIG_get0_s(pair), at + size, (int)size) >= 0;

	ECDSA_SIG_free(pair);
	*len = 2 * size;
	return fine;
}

/*
 * FINALISE: the copy is used up by this one signature, else OpenSSL would copy
 * it once more.
 */
static enum err add_signature(struct signer *signer, struct str text,
			      struct buf *out)
{
	unsigned char at[SIGNATURE_MAX];
	size_t len = sizeof(at);

	if (EVP_MD_CTX_copy_ex(signer->work, signer->primed) != 1)
		return E_CRYPTO;
	EVP_MD_CTX_set_flags(signer->work, EVP_MD_CTX_FLAG_FINALISE);
	if (EVP_DigestSign(signer->work, at, &len,
			   (const unsigned char *)text.at, text.len) != 1)
		return E_CRYPTO;
	if (signer->alg->group && !make_raw(at, &len, signer->alg->size))
		return E_CRYPTO;
	buf_add_char(out, '.');
	base64url_add(out, (struct str) { (const char *)at, len });
	return E_OK;
}

static enum err append(const struct claims *claims, struct str header,
		       struct signer *signer, struct buf *out)
{
	size_t start = out->len;
	enum err err;

	buf_add(out, header);
	buf_add_char(out, '.');
	err = add_claims(claims, &signer->text, out);
	if (!err && out->over)
		err = E_LIMIT;
	if (!err)
		err = add_signature(signer, str_skip(buf_str(out), start), out);
	return !err && out->over ? E_LIMIT : err;
}

enum err claims_sign(const struct claims *claims, struct str header,
		     struct signer *signer, struct buf *out)
{
	size_t start = out->len;
	enum err err = append(claims, header, signer, out);

	buf_clear(&signer->text);
	if (!err)
		return E_OK;
	ERR_clear_error();
	if (out->len > start)
		OPENSSL_cleanse(out->at + start, out->len - start);
	out->len = start;
	return err;
}

/* Of base64url (RFC 4648 5), without padding; a NUL behind it. */
static enum err decode_part(struct str part, struct buf *out)
{
	AUTO(buf) struct buf text;
	size_t len;
	char *at;

	buf_init(&text, TEXT_MAX);
	for (size_t i = 0; i < part.len; i++) {
		char c = part.at[i];

		buf_add_char(&text, c == '-' ? '+' : c == '_' ? '/' : c);
	}
	while (text.len % 4)
		buf_add_char(&text, '=');
	at = buf_room(out, text.len + 1);
	if (text.over || !at ||
	    base64_decode(buf_str(&text), at, text.len, &len))
		return E_SYNTAX;
	at[len] = '\0';
	buf_grew(out, len + 1);
	return E_OK;
}

/* libjwt reads JSON; of the signature, and how it is made, it hears nothing. */
enum err claims_look(struct str text, struct claims_seen *out)
{
	AUTO(buf) struct buf json;
	AUTO(jwt) jwt_t *jwt = NULL;
	const char *subject;
	int64_t expires_at;
	struct str part;

	*out = (struct claims_seen) { .expires_at = 0 };
	buf_init(&json, TEXT_MAX);
	if (!str_cut(&text, '.', &part) || !str_cut(&text, '.', &part) ||
	    decode_part(part, &json) || jwt_new(&jwt) ||
	    jwt_add_grants_json(jwt, json.at))
		return E_SYNTAX;
	subject = jwt_get_grant(jwt, "sub");
	expires_at = jwt_get_grant_int(jwt, "exp");
	if (!subject || expires_at <= 0)
		return E_SYNTAX;
	out->expires_at = expires_at;
	print_copy(str_of(subject), out->subject, sizeof(out->subject) - 1);
	return E_OK;
}
