/* token/secret.c - see the header. */
#include "token/secret.h"

#include <pthread.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "token/encode.h"

#define PAT_PREFIX     "glpat-"
#define REFRESH_PREFIX "dprt-"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256; /* fetching costs more than hashing; kept to the end */

static void fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

void secret_cleanup(struct secret *secret)
{
	OPENSSL_cleanse(secret, sizeof(*secret));
}

static struct secret make(struct str prefix, struct str random)
{
	AUTO(buf) struct buf text;
	struct secret secret = { 0 };

	buf_init(&text, SECRET_MAX);
	buf_add(&text, prefix);
	base64url_add(&text, random);
	assert(!text.over);
	memcpy(secret.text, text.at, text.len);
	secret.len = text.len;
	return secret;
}

struct secret secret_pat(const unsigned char random[PAT_RANDOM])
{
	return make(STR(PAT_PREFIX),
		    (struct str) { (const char *)random, PAT_RANDOM });
}

struct secret secret_refresh(const unsigned char random[REFRESH_RANDOM])
{
	return make(STR(REFRESH_PREFIX),
		    (struct str) { (const char *)random, REFRESH_RANDOM });
}

struct str secret_str(const struct secret *secret)
{
	return (struct str) { secret->text, secret->len };
}

bool secret_looks_like_token(struct str text)
{
	return str_starts(text, STR(PAT_PREFIX)) ||
	       str_starts(text, STR(REFRESH_PREFIX));
}

bool secret_hide(char *text)
{
	static const char *const prefixes[] = { PAT_PREFIX, REFRESH_PREFIX };
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789-_";
	bool found = false;

	for (size_t i = 0; i < COUNT(prefixes); i++)
		for (char *at = text; (at = strstr(at, prefixes[i]));) {
			size_t len;

			at += strlen(prefixes[i]);
			len = strspn(at, alphabet);
			memset(at, '*', len);
			at += len;
			found = true;
		}
	return found;
}

enum err secret_digest(struct str text, struct digest *out)
{
	struct digest digest;
	unsigned len = 0;

	*out = (struct digest) { 0 };
	pthread_once(&once, fetch);
	if (!sha256 ||
	    EVP_Digest(text.len ? text.at : "", text.len, digest.at, &len,
		       sha256, NULL) != 1 ||
	    len != DIGEST_LEN)
		return E_CRYPTO;
	*out = digest;
	return E_OK;
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
	return !CRYPTO_memcmp(a->at, b->at, DIGEST_LEN);
}

struct str digest_str(const struct digest *digest)
{
	return STR_OF(digest->at);
}
