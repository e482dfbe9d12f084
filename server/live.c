/* server/live.c - builds a snapshot, whole or not at all. */
#include "server/live.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/keys.h"
#include "server/log.h"
#include "server/tls.h"
#include "token/claims.h"
#include "token/date.h"

enum {
	HEADER_MAX = 64 * 1024,
	JWKS_MAX = 256 * 1024,
	WARN_DAYS = 90, /* before a certificate ends */
};

static char *text_take(struct buf *buf, struct str *out)
{
	char *at = malloc(buf->len + 1);

	assert(at);
	if (buf->len)
		memcpy(at, buf->at, buf->len);
	at[buf->len] = '\0';
	*out = (struct str) { at, buf->len };
	return at;
}

static void text_free(struct str *s)
{
	free((char *)s->at);
	*s = (struct str) { 0 };
}

static void live_free(struct live *live)
{
	unsigned listeners = live->config ? live->config->listeners_count : 0;
	unsigned services = live->config ? live->config->services_count : 0;

	for (unsigned i = 0; live->tls && i < listeners; i++)
		tls_free(live->tls[i]);
	for (unsigned i = 0; live->services && i < services; i++)
		text_free(&live->services[i].header);
	free(live->tls);
	free(live->services);
	text_free(&live->realm);
	text_free(&live->jwks);
	keyring_free(live->keyring);
	config_free(live->config);
	free(live);
}

struct live *live_hold(struct live *live)
{
	atomic_fetch_add(&live->holders, 1);
	return live;
}

void live_drop(struct live *live)
{
	if (live && atomic_fetch_sub(&live->holders, 1) == 1)
		live_free(live);
}

static void live_cleanup(struct live **live)
{
	live_drop(*live);
}

static enum err load_keys(struct live *live, struct cause *cause)
{
	AUTO(buf) struct buf jwks;
	enum err err = keys_load(live->config->keys, &live->keyring, cause);

	buf_init(&jwks, JWKS_MAX);
	if (err == E_NOT_FOUND)
		config_blame(live->config->keys_place, err, cause);
	if (err)
		return err;
	live->key = keyring_current(live->keyring);
	if (!live->key)
		return cause_set(cause, E_NOT_FOUND,
				 "%s: no key is current: make one with "
				 "'dockpass key new' and 'dockpass key "
				 "activate'",
				 live->config->keys);
	err = keyring_print_jwks(live->keyring, false, &jwks);
	if (err || jwks.over)
		return cause_set(cause, err ? err : E_LIMIT,
				 "%s: the public keys cannot be printed",
				 live->config->keys);
	text_take(&jwks, &live->jwks);
	return E_OK;
}

/* A registry refuses an ended certificate, though not the bare key id. */
static enum err make_headers(struct live *live, int64_t now,
			     struct cause *cause)
{
	const struct config *config = live->config;
	bool ended = live->key->not_after <= now;

	live->services =
		calloc(config->services_count, sizeof(*live->services));
	assert(live->services);
	for (unsigned i = 0; i < config->services_count; i++) {
		const struct config_service *service = &config->services[i];
		AUTO(buf) struct buf header;
		enum err err;

		buf_init(&header, HEADER_MAX);
		err = claims_header(live->key, service->kid,
				    service->x5c && !ended, &header);
		if (err || header.over)
			return cause_set(cause, err ? err : E_LIMIT,
					 "no JWT header for service %s",
					 service->name);
		live->services[i].config = service;
		text_take(&header, &live->services[i].header);
	}
	return E_OK;
}

static enum err load_tls(struct live *live, struct cause *cause)
{
	const struct config *config = live->config;

	live->tls =
		calloc(config->listeners_count, sizeof(struct ssl_ctx_st *));
	assert(live->tls);
	for (unsigned i = 0; i < config->listeners_count; i++) {
		const struct config_listener *at = &config->listeners[i];
		enum err err;

		if (!at->certificate)
			continue;
		err = tls_new(at->certificate, at->key, &live->tls[i], cause);
		if (err)
			return config_blame(at->place, err, cause);
	}
	return E_OK;
}

enum err live_load(const char *config_path, struct live **out,
		   struct cause *cause)
{
	AUTO(live) struct live *live = calloc(1, sizeof(*live));
	int64_t now = time(NULL);
	struct buf realm;
	enum err err;

	*out = NULL;
	assert(live);
	atomic_init(&live->holders, 1);
	err = config_load(config_path, &live->config, cause);
	if (!err)
		err = load_keys(live, cause);
	if (!err)
		err = make_headers(live, now, cause);
	if (!err)
		err = load_tls(live, cause);
	if (err)
		return err;
	buf_init(&realm, 4096);
	buf_printf(&realm, "%s/token", live->config->url);
	text_take(&realm, &live->realm);
	buf_done(&realm);
	*out = live;
	live = NULL;
	return E_OK;
}

const struct live_service *live_service(const struct live *live,
					struct str name)
{
	const struct config_service *found = config_service(live->config, name);

	for (unsigned i = 0; i < live->config->services_count; i++)
		if (live->services[i].config == found)
			return &live->services[i];
	return NULL;
}

static void warn_end(const char *what, int64_t end, int64_t now,
		     const char *advice)
{
	struct date_text day = date_print(end);

	if (end <= now)
		log_event(LEVEL_WARNING, "certificate",
			  "the certificate of %s ended on %s: %s", what, day.at,
			  advice);
	else if (end - now < (int64_t)WARN_DAYS * DAY)
		log_event(LEVEL_WARNING, "certificate",
			  "the certificate of %s ends on %s: %s", what, day.at,
			  advice);
}

void live_warn(const struct live *live)
{
	int64_t now = time(NULL);

	warn_end("the signing key", live->key->not_after, now,
		 "registries refuse x5c then, so it is left out: make a key "
		 "with 'dockpass key new'");
	for (unsigned i = 0; i < live->config->listeners_count; i++)
		if (live->tls[i])
			warn_end(live->config->listeners[i].address,
				 tls_not_after(live->tls[i]), now,
				 "renew it, then reload");
}
