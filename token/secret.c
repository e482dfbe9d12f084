/* token/secret.c - see the header. */
#include "token/secret.h"

#include <pthread.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "token/encode.h"

#define PAT_PREFIX     "glpat-"
#define REFRESH_PREFIX "dprt-"

enum {
	BODY_LEN = 20, /* of a PAT, behind its prefix */
	CHECK_LEN = 3, /* of these, with a prefix of one's own */
	CHECK_BITS = 6 * CHECK_LEN
};

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuv"
	"wxyz0123456789-_";

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

/* FNV-1a, folded: it tells words apart, and hides nothing. */
static void check_of(const char *body, char out[CHECK_LEN])
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < BODY_LEN - CHECK_LEN; i++)
		hash = (hash ^ (unsigned char)body[i]) * 0x100000001b3u;
	hash ^= hash >> 32;
	hash ^= hash >> CHECK_BITS;
	for (size_t i = 0; i < CHECK_LEN; i++)
		out[i] = alphabet[hash >> (6 * i) & 63];
}

static bool checks(const char *body)
{
	char check[CHECK_LEN];

	check_of(body, check);
	return !memcmp(check, body + BODY_LEN - CHECK_LEN, CHECK_LEN);
}

struct secret secret_pat(const struct prefix *prefix,
			 const unsigned char random[PAT_RANDOM])
{
	struct secret secret =
		make(prefix_str(prefix),
		     (struct str) { (const char *)random, PAT_RANDOM });
	char *body = secret.text + secret.len - BODY_LEN;

	if (!str_eq(prefix_str(prefix), STR(PAT_PREFIX)))
		check_of(body, body + BODY_LEN - CHECK_LEN);
	return secret;
}

struct secret secret_refresh(const unsigned char random[REFRESH_RANDOM])
{
	return make(STR(REFRESH_PREFIX),
		    (struct str) { (const char *)random, REFRESH_RANDOM });
}

enum err prefix_parse(struct str text, struct prefix *out, struct cause *cause)
{
	struct prefix prefix = { 0 };
	bool known = text.len && text.len <= PREFIX_MAX;

	for (size_t i = 0; known && i < text.len; i++) {
		known = memchr(alphabet, text.at[i], sizeof(alphabet) - 1);
		prefix.at[i] = text.at[i];
	}
	if (!known)
		return cause_set(cause, E_SYNTAX,
				 "'%.*s' is no prefix: 1 to %d letters, "
				 "digits, \"-\" and \"_\"",
				 (int)(text.len < 40 ? text.len : 40), text.at,
				 (int)PREFIX_MAX);
	if (str_starts(text, STR(REFRESH_PREFIX)))
		return cause_set(cause, E_SYNTAX,
				 "refresh tokens begin with " REFRESH_PREFIX
				 "; choose another prefix");
	*out = prefix;
	return E_OK;
}

struct str prefix_str(const struct prefix *prefix)
{
	return str_of(prefix->at);
}

struct str secret_str(const struct secret *secret)
{
	return (struct str) { secret->text, secret->len };
}

/* Letters of a secret at the start of `text`. */
static size_t word_len(const char *text)
{
	static const bool letters[256] = {
		['0' ... '9'] = true, ['A' ... 'Z'] = true,
		['a' ... 'z'] = true, ['-'] = true,
		['_'] = true,
	};
	size_t len = 0;

	while (letters[(unsigned char)text[len]])
		len++;
	return len;
}

/* A whole word: a prefix of one's own, and what secret_pat() puts behind it. */
static bool is_own(const char *word, size_t len)
{
	return len > BODY_LEN && len <= BODY_LEN + PREFIX_MAX &&
	       checks(word + len - BODY_LEN);
}

bool secret_looks_like_token(struct str text)
{
	char word[BODY_LEN + PREFIX_MAX + 1];
	bool own;

	if (str_starts(text, STR(PAT_PREFIX)) ||
	    str_starts(text, STR(REFRESH_PREFIX)))
		return true;
	if (text.len >= sizeof(word))
		return false;
	memcpy(word, text.len ? text.at : "", text.len);
	word[text.len] = '\0';
	own = word_len(word) == text.len && is_own(word, text.len);
	OPENSSL_cleanse(word, sizeof(word));
	return own;
}

static bool hide_behind(char *text, const char *prefix)
{
	bool found = false;

	while ((text = strstr(text, prefix))) {
		size_t len;

		text += strlen(prefix);
		len = word_len(text);
		memset(text, '*', len);
		text += len;
		found = true;
	}
	return found;
}

bool secret_hide(char *text)
{
	bool found = hide_behind(text, PAT_PREFIX);

	found |= hide_behind(text, REFRESH_PREFIX);
	while (*text) {
		size_t len = word_len(text);

		if (is_own(text, len)) {
			memset(text + len - BODY_LEN, '*', BODY_LEN);
			found = true;
		}
		text += len ? len : 1;
	}
	return found;
}

/* With a prefix of one's own before the body at `body`, of any length. */
static void each_own(struct str word, size_t body, secret_found *found,
		     void *arg)
{
	size_t prefix = body < PREFIX_MAX ? body : PREFIX_MAX;

	for (; prefix; prefix--)
		found(arg, FOUND_OWN,
		      str_head(str_skip(word, body - prefix),
			       prefix + BODY_LEN));
}

/* Other letters may stand on either side: "\nglpat-...". */
static void each_in_word(struct str word, secret_found *found, void *arg)
{
	static const struct {
		struct str prefix;
		size_t len;
	} known[] = {
		{ STR(PAT_PREFIX), sizeof(PAT_PREFIX) - 1 + BODY_LEN },
		{ STR(REFRESH_PREFIX),
		  sizeof(REFRESH_PREFIX) - 1 + REFRESH_RANDOM / 3 * 4 },
	};

	for (size_t at = 0; at < word.len; at++) {
		struct str rest = str_skip(word, at);

		for (size_t i = 0; i < COUNT(known); i++)
			if (rest.len >= known[i].len &&
			    str_starts(rest, known[i].prefix))
				found(arg, FOUND_KNOWN,
				      str_head(rest, known[i].len));
		if (rest.len >= BODY_LEN && checks(rest.at))
			each_own(word, at, found, arg);
	}
}

void secret_each(struct str text, secret_found *found, void *arg)
{
	size_t len;

	for (; text.len; text = str_skip(text, len ? len : 1)) {
		len = str_span(text, is_base64url);
		each_in_word(str_head(text, len), found, arg);
	}
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

bool secret_eq(struct str a, struct str b)
{
	return a.len == b.len && (!a.len || !CRYPTO_memcmp(a.at, b.at, a.len));
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
	return !CRYPTO_memcmp(a->at, b->at, DIGEST_LEN);
}

struct str digest_str(const struct digest *digest)
{
	return STR_OF(digest->at);
}
