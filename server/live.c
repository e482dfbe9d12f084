/* server/live.c - builds a snapshot, whole or not at all. */
#include "server/live.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/jobs/courier.h"
#include "server/keys.h"
#include "server/owner.h"
#include "server/sandbox.h"
#include "server/thresholds.h"
#include "server/tls.h"
#include "token/claims.h"
#include "token/date.h"

enum {
	HEADER_MAX = 64 * 1024,
	JWKS_MAX = 256 * 1024,
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

/* All but the configuration. */
static void live_free(struct live *live)
{
	const struct config *config = live->config;

	for (unsigned i = 0; live->tls && i <= config->listeners_count; i++)
		tls_free(live->tls[i]);
	for (unsigned i = 0; live->services && i < config->services_count;
	     i++) {
		text_free(&live->services[i].header);
		text_free(&live->services[i].bare);
	}
	free(live->tls);
	free(live->services);
	text_free(&live->challenge);
	text_free(&live->jwks);
	keyring_free(live->keyring);
	free(live);
}

struct live *live_hold(struct live *live)
{
	atomic_fetch_add(&live->holders, 1);
	return live;
}

void live_drop(struct live *live)
{
	struct config *config;

	if (!live || atomic_fetch_sub(&live->holders, 1) != 1)
		return;
	config = live->config;
	live_free(live);
	config_free(config);
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

static enum err make_header(const struct live *live,
			    const struct config_service *service, bool x5c,
			    struct str *out, struct cause *cause)
{
	AUTO(buf) struct buf header;
	enum err err;

	buf_init(&header, HEADER_MAX);
	err = claims_header(live->key, service->kid, x5c, &header);
	if (err || header.over)
		return cause_set(cause, err ? err : E_LIMIT,
				 "no JWT header for service %s", service->name);
	text_take(&header, out);
	return E_OK;
}

static enum err make_headers(struct live *live, struct cause *cause)
{
	const struct config *config = live->config;
	enum err err = E_OK;

	live->services =
		calloc(config->services_count, sizeof(*live->services));
	assert(live->services);
	for (unsigned i = 0; i < config->services_count && !err; i++) {
		const struct config_service *service = &config->services[i];
		struct live_service *made = &live->services[i];

		made->config = service;
		err = make_header(live, service, service->x5c, &made->header,
				  cause);
		if (!err)
			err = make_header(live, service, false, &made->bare,
					  cause);
	}
	return err;
}

const struct config_tls *live_listener(const struct config *config, unsigned i,
				       const char **address)
{
	if (i > config->listeners_count)
		return NULL;
	if (i == config->listeners_count) {
		*address = config->admin.address;
		return &config->admin.tls;
	}
	*address = config->listeners[i].address;
	return &config->listeners[i].tls;
}

static enum err load_tls(struct live *live, struct cause *cause)
{
	const struct config *config = live->config;
	const struct config_tls *at;
	const char *address;
	enum err err = E_OK;

	live->tls = calloc(config->listeners_count + 1,
			   sizeof(struct ssl_ctx_st *));
	assert(live->tls);
	for (unsigned i = 0; !err && (at = live_listener(config, i, &address));
	     i++)
		if (*address && config_certificates(at))
			err = tls_new(at, &live->tls[i], cause);
	return err;
}

/* As the check of the configuration has read them before. */
static enum err load_networks(struct live *live, struct cause *cause)
{
	const struct config *config = live->config;
	enum err err = networks_read(str_of(config->trusted_proxies),
				     &live->trusted, cause);

	live->guard = (struct guard_rules) {
		.failures = config->guard.failures,
		.failures_per_user = config->guard.failures_per_user,
		.seconds = config->guard.seconds,
	};
	return err ? err
		   : networks_read(str_of(config->guard.exempt),
				   &live->guard.exempt, cause);
}

enum err live_new(struct config *config, struct live **out, struct cause *cause)
{
	struct live *live = calloc(1, sizeof(*live));
	struct buf challenge;
	enum err err;

	*out = NULL;
	assert(live);
	atomic_init(&live->holders, 1);
	live->config = config;
	err = load_keys(live, cause);
	if (!err)
		err = make_headers(live, cause);
	if (!err)
		err = load_tls(live, cause);
	if (!err)
		err = load_networks(live, cause);
	if (!err)
		err = courier_check(config, cause);
	if (err) {
		live_free(live);
		return err;
	}
	buf_init(&challenge, 4096);
	buf_printf(&challenge, "Basic realm=\"%s/token\", charset=\"UTF-8\"",
		   live->config->url);
	text_take(&challenge, &live->challenge);
	buf_done(&challenge);
	*out = live;
	return E_OK;
}

static void keep_url(struct config *config, const struct config *bound)
{
	char *url;

	if (!bound || !bound->url_derived || !config->url_derived)
		return;
	url = strdup(bound->url);
	assert(url);
	free((void *)(uintptr_t)config->url);
	config->url = url;
}

enum err live_load(const char *config_path, const struct config *bound,
		   struct live **out, struct cause *cause)
{
	struct config *config;
	enum err err = config_load(config_path, &config, cause);

	*out = NULL;
	if (err)
		return err;
	keep_url(config, bound);
	err = sandbox_check(config, cause);
	if (!err && bound)
		err = stay_server(config, cause);
	if (!err)
		err = live_new(config, out, cause);
	if (err)
		config_free(config);
	return err;
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

struct str live_header(const struct live *live,
		       const struct live_service *service, int64_t now)
{
	return now < live->key->not_after ? service->header : service->bare;
}

struct warner {
	int64_t now;
	live_say *say;
	void *arg;
};

static void warn_end(const struct warner *w, const char *path, const char *what,
		     int64_t end, int64_t days, const char *advice)
{
	struct cause line;

	if (end - w->now >= days * DAY)
		return;
	cause_set(&line, E_OK, "%.200s: the certificate of %s %s at %s: %s",
		  path, what, end <= w->now ? "ended" : "ends",
		  time_print(end).at, advice);
	w->say(w->arg, "certificate", line.text);
}

static void warn_tls(const struct warner *w, const struct live *live)
{
	const char *address, *doubt;
	struct cause line;
	size_t n;

	for (unsigned i = 0; live_listener(live->config, i, &address); i++) {
		const struct tls_file *files =
			live->tls[i] ? tls_files(live->tls[i], &n) : NULL;

		for (size_t j = 0; files && j < n; j++) {
			bool ended = files[j].ends <= w->now;

			cause_set(&line, E_OK, "%s%.100s",
				  files[j].clients
					  ? "the clients' authority of "
					  : "",
				  address);
			warn_end(w, files[j].path, line.text, files[j].ends,
				 TLS_WARN_DAYS,
				 !ended ? "renew it, then reload"
				 : files[j].clients
					 ? "no client is let in any more: "
					   "renew it, then reload"
					 : "no client takes it any more: renew "
					   "it, then reload; or this machine's "
					   "clock is wrong");
			if (files[j].begins <= w->now)
				continue;
			cause_set(&line, E_OK,
				  "%.300s: is good from %s on: till then "
				  "clients refuse it; or this machine's clock "
				  "is wrong",
				  files[j].path,
				  time_print(files[j].begins).at);
			w->say(w->arg, "certificate", line.text);
		}
		for (size_t j = 0;
		     files && (doubt = tls_doubt(live->tls[i], j)); j++)
			w->say(w->arg, "certificate", doubt);
	}
}

/* Do clients come by a proxy on this machine that nobody has named? */
static bool hides_proxy(const struct config *config)
{
	if (config->trusted_proxies ||
	    !str_starts(str_of(config->url), STR("https:")))
		return false;
	for (unsigned i = 0; i < config->listeners_count; i++) {
		const struct config_listener *one = &config->listeners[i];
		struct str address = str_of(one->address);

		if (one->proxy_protocol || config_certificates(&one->tls) ||
		    (!str_starts(address, STR("127.")) &&
		     !str_starts(address, STR("[::1]:"))))
			return false;
	}
	return true;
}

static void warn_proxies(const struct warner *w, const struct live *live)
{
	const struct config *config = live->config;
	struct cause line;

	for (unsigned i = 0; i < config->listeners_count; i++) {
		if (!config->listeners[i].proxy_protocol || live->trusted.len)
			continue;
		cause_set(&line, E_OK,
			  "listeners[%u].proxy_protocol without "
			  "trusted_proxies: whoever reaches %s says himself "
			  "where he comes from; name the proxies",
			  i, config->listeners[i].address);
		w->say(w->arg, "proxy", line.text);
	}
	if (hides_proxy(config))
		w->say(w->arg, "proxy",
		       "url is https, and no listener has TLS or is reached "
		       "from elsewhere: all clients of the proxy in front "
		       "count as this machine, whose guesses are not counted; "
		       "name it under trusted_proxies");
}

void live_warn(const struct live *live, int64_t now, live_say *say, void *arg)
{
	const struct warner w = { now, say, arg };
	const struct config *config = live->config;
	struct cause cause;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s.pem", config->keys,
		 live->key->rfc7638);
	warn_end(&w, path, "the signing key", live->key->not_after,
		 KEY_WARN_DAYS,
		 "registries refuse its x5c then, so tokens go without; change "
		 "the key, beginning with 'dockpass key new'");
	warn_tls(&w, live);
	warn_proxies(&w, live);
	if (keys_check_public(live->keyring, config->public, &cause))
		say(arg, "keys", cause.text);
}

static bool same_text(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

/* Plain, or with TLS. */
static bool same_kind(const struct config_tls *a, const struct config_tls *b)
{
	return !config_certificates(a) == !config_certificates(b);
}

/* What is bound or open stays as it is. */
void live_warn_fixed(const struct config *old, const struct config *new,
		     live_say *say, void *arg)
{
	bool moved = old->listeners_count != new->listeners_count;

	for (unsigned i = 0; !moved && i < old->listeners_count; i++)
		moved = !same_text(old->listeners[i].address,
				   new->listeners[i].address) ||
			!same_kind(&old->listeners[i].tls,
				   &new->listeners[i].tls);
	if (moved)
		say(arg, "reload",
		    "listeners have changed: restart to use the new ones");
	if (!same_text(old->admin.address, new->admin.address) ||
	    !same_kind(&old->admin.tls, &new->admin.tls))
		say(arg, "reload",
		    "admin.address has changed: restart to use the new one");
	if (!same_text(old->store, new->store))
		say(arg, "reload",
		    "store has changed: restart to use the new one");
	if (old->sandbox != new->sandbox)
		say(arg, "reload",
		    "sandbox has changed: restart to switch it on or off");
	if (old->workers != new->workers)
		say(arg, "reload",
		    "workers has changed: restart to use the new number");
}
