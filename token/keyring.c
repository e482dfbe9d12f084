/* token/keyring.c - see the header. */
#include "token/keyring.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "token/json.h"
#include "token/keyid.h"
#include "token/pem.h"

struct keyring {
	size_t len;
	struct key at[KEYS_MAX];
};

static const struct {
	struct str name;
	enum key_state state;
} states[] = {
	{ { "next", 4 }, KEY_NEXT },
	{ { "current", 7 }, KEY_CURRENT },
	{ { "retired", 7 }, KEY_RETIRED },
};

enum err key_state_parse(struct str name, enum key_state *out)
{
	*out = KEY_RETIRED;
	for (size_t i = 0; i < COUNT(states); i++)
		if (str_eq(states[i].name, name)) {
			*out = states[i].state;
			return E_OK;
		}
	return E_SYNTAX;
}

struct str key_state_name(enum key_state state)
{
	for (size_t i = 0; i < COUNT(states); i++)
		if (states[i].state == state)
			return states[i].name;
	return STR("unknown");
}

static void key_done(struct key *key)
{
	EVP_PKEY_free(key->pkey);
	X509_free(key->certificate);
	*key = (struct key) { 0 };
}

struct keyring *keyring_new(void)
{
	struct keyring *keyring = calloc(1, sizeof(*keyring));

	assert(keyring);
	return keyring;
}

void keyring_free(struct keyring *keyring)
{
	for (size_t i = 0; keyring && i < keyring->len; i++)
		key_done(&keyring->at[i]);
	free(keyring);
}

void keyring_cleanup(struct keyring **keyring)
{
	keyring_free(*keyring);
}

/* Two readers, as the order of the two in the text is free. */
static enum err read_pem(struct key *key, struct str pem, struct cause *cause)
{
	AUTO(BIO) BIO *private = NULL;
	AUTO(BIO) BIO *public = NULL;

	if (pem.len > INT_MAX)
		return cause_set(cause, E_LIMIT, "too long for a key");
	private = BIO_new_mem_buf(pem.len ? pem.at : "", (int)pem.len);
	public = BIO_new_mem_buf(pem.len ? pem.at : "", (int)pem.len);
	if (!private || !public)
		return cause_set(cause, E_MEMORY, "out of memory");
	key->pkey =
		PEM_read_bio_PrivateKey(private, NULL, pem_no_passphrase, NULL);
	if (!key->pkey)
		return cause_set(cause, E_SYNTAX,
				 "holds no private key in PEM without a "
				 "passphrase; put back what dockpass made, "
				 "from a copy, or move it away: dockpass key "
				 "new makes another");
	key->certificate =
		PEM_read_bio_X509(public, NULL, pem_no_passphrase, NULL);
	if (!key->certificate)
		return cause_set(cause, E_SYNTAX, "holds no certificate");
	return E_OK;
}

static bool key_is_whole(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool whole = ctx && EVP_PKEY_pairwise_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	return whole;
}

static enum err check_pair(struct key *key, struct cause *cause)
{
	const ASN1_TIME *end = X509_get0_notAfter(key->certificate);
	struct tm tm;

	if (!key_is_whole(key->pkey))
		return cause_set(cause, E_SYNTAX,
				 "the private key and its own public half do "
				 "not belong together");
	if (X509_check_private_key(key->certificate, key->pkey) != 1)
		return cause_set(cause, E_SYNTAX,
				 "the certificate is of another key");
	if (ASN1_TIME_to_tm(end, &tm) != 1)
		return cause_set(cause, E_SYNTAX,
				 "the certificate's end cannot be read");
	key->not_after = (int64_t)timegm(&tm);
	return E_OK;
}

static enum err check_place(const struct keyring *keyring,
			    const struct key *key, struct cause *cause)
{
	if (keyring_find(keyring, str_of(key->rfc7638)))
		return cause_set(cause, E_EXISTS,
				 "the key is in the keyring already");
	if (key->state == KEY_CURRENT && keyring_current(keyring))
		return cause_set(cause, E_EXISTS,
				 "a second current key: one alone signs");
	return E_OK;
}

enum err keyring_add(struct keyring *keyring, struct str pem,
		     enum key_state state, struct cause *cause)
{
	struct key key = { .state = state };
	enum err err;

	if (keyring->len == KEYS_MAX)
		return cause_set(cause, E_LIMIT,
				 "more than %d keys: remove retired ones",
				 KEYS_MAX);
	err = read_pem(&key, pem, cause);
	if (!err)
		err = keyid_fill(&key, cause);
	if (!err)
		err = check_pair(&key, cause);
	if (!err)
		err = check_place(keyring, &key, cause);
	if (!err) {
		keyring->at[keyring->len++] = key;
		return E_OK;
	}
	ERR_clear_error(); /* TLS on this thread would take it for its own */
	key_done(&key);
	return err;
}

size_t keyring_len(const struct keyring *keyring)
{
	return keyring->len;
}

const struct key *keyring_at(const struct keyring *keyring, size_t i)
{
	assert(i < keyring->len);
	return &keyring->at[i];
}

const struct key *keyring_current(const struct keyring *keyring)
{
	for (size_t i = 0; i < keyring->len; i++)
		if (keyring->at[i].state == KEY_CURRENT)
			return &keyring->at[i];
	return NULL;
}

const struct key *keyring_find(const struct keyring *keyring, struct str kid)
{
	for (size_t i = 0; i < keyring->len; i++) {
		const struct key *key = &keyring->at[i];

		if (str_eq(str_of(key->libtrust), kid) ||
		    str_eq(str_of(key->rfc7638), kid))
			return key;
	}
	return NULL;
}

typedef enum err print_fn(const struct key *key, struct buf *buf);

/* The current key first. */
static enum err print_each(const struct keyring *keyring, bool current_only,
			   print_fn *print, struct buf *buf)
{
	const struct key *current = keyring_current(keyring);
	enum err err = E_OK;

	if (current)
		err = print(current, buf);
	else if (current_only)
		err = E_NOT_FOUND;
	for (size_t i = 0; i < keyring->len && !err && !current_only; i++)
		if (&keyring->at[i] != current)
			err = print(&keyring->at[i], buf);
	return err;
}

static enum err print_jwk(const struct key *key, struct buf *buf)
{
	enum err err = keyid_print(key, KID_LIBTRUST, buf);

	return err ? err : keyid_print(key, KID_RFC7638, buf);
}

enum err keyring_print_jwks(const struct keyring *keyring, bool current_only,
			    struct buf *buf)
{
	enum err err;

	json_open(buf, '{');
	json_key(buf, "keys");
	json_open(buf, '[');
	err = print_each(keyring, current_only, print_jwk, buf);
	json_close(buf, ']');
	json_close(buf, '}');
	return err ? err : buf->over ? E_LIMIT : E_OK;
}

static enum err print_certificate(const struct key *key, struct buf *buf)
{
	AUTO(BIO) BIO *bio = BIO_new(BIO_s_mem());
	char *at = NULL;
	long len;

	if (!bio || PEM_write_bio_X509(bio, key->certificate) != 1) {
		ERR_clear_error();
		return E_CRYPTO;
	}
	len = BIO_get_mem_data(bio, &at);
	buf_add(buf, (struct str) { at, (size_t)len });
	return E_OK;
}

enum err keyring_print_bundle(const struct keyring *keyring, bool current_only,
			      struct buf *buf)
{
	enum err err =
		print_each(keyring, current_only, print_certificate, buf);

	return err ? err : buf->over ? E_LIMIT : E_OK;
}
