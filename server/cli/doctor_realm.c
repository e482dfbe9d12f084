/*
 * server/cli/doctor_realm.c - where does a registry send its clients, is that
 * this dockpass, as what does it ask, and do the clocks agree?
 */
#include "server/cli/doctor.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server/http/request.h"
#include "server/live.h"
#include "token/claims.h"
#include "token/encode.h"

enum { LEEWAY = 60, BEHIND = BACKDATE + LEEWAY };

static const char *write_realm(struct doctor *d)
{
	return doctor_text(d,
			   "write auth.token.realm: %s/token in the registry's "
			   "config.yml, and restart it",
			   d->call->config->url);
}

static struct str port_of(struct str host_port)
{
	size_t at = host_port.len;

	while (at && host_port.at[at - 1] != ':')
		at--;
	return str_skip(host_port, at);
}

/*
 * Which of ours is asked there, though url says another? "" is none, which is
 * so as well where `realm` has a host that need not be this machine.
 */
static const char *which_listener(struct doctor *d, struct str realm)
{
	const struct config *config = d->call->config;
	struct str port = port_of(url_host_port(d, realm));
	struct str host = url_host(realm);
	bool here = host_is_local(host) ||
		    str_eq_nocase(host, url_host(str_of(config->url)));
	const char *address;

	for (unsigned i = 0; live_listener(config, i, &address); i++) {
		if (!str_eq(port, port_of(str_of(address))) ||
		    !(here || str_eq(host, url_host(str_of(address)))))
			continue;
		if (i == config->listeners_count)
			return doctor_text(d,
					   "; that is admin.address, %s, "
					   "which gives no tokens",
					   address);
		return doctor_text(d, "; that is listeners[%u], %s%s", i,
				   address,
				   config->listeners[i].proxy_protocol
					   ? ", which waits for a PROXY header"
					   : "");
	}
	return "";
}

/* At our own address. */
static enum health check_own_realm(struct doctor *d, struct str path,
				   struct str query)
{
	struct str other;

	if (!route_is_token(path))
		return doctor_found(d, HEALTH_FAIL, write_realm(d),
				    "the realm %.200s is at this dockpass, "
				    "which gives no tokens at '%.*s'",
				    d->realm, SHOW(path));
	if (doctor_realm_service(d, query, &other))
		return doctor_found(d, HEALTH_FAIL, write_realm(d),
				    "the realm asks for the service '%.*s', "
				    "the registry itself for '%.*s', which it "
				    "ought to be alone: docker sends both, and "
				    "is refused",
				    SHOW(other), SHOW(d->service));
	return doctor_found(d, HEALTH_OK, NULL, "%.200s is this dockpass",
			    d->realm);
}

static enum health found_elsewhere(struct doctor *d, struct str realm)
{
	const struct config *config = d->call->config;
	const char *listener = which_listener(d, realm);

	if (str_eq(url_host_port(d, realm), url_host_port(d, str_of(d->url))))
		return doctor_found(
			d, HEALTH_FAIL,
			doctor_text(d,
				    "remove auth.token.autoredirect from the "
				    "registry's config.yml, if it is there; %s",
				    write_realm(d)),
			"the registry sends its clients to itself, %.200s; "
			"this dockpass is %s/token",
			d->realm, config->url);
	return doctor_found(
		d, HEALTH_FAIL,
		*listener ? write_realm(d)
			  : doctor_text(d,
					"%s; or, if that is another name of "
					"this dockpass, %s",
					write_realm(d), config->url_place),
		"the registry sends its clients to %.200s, this dockpass is "
		"%s/token%s",
		d->realm, config->url, listener);
}

enum health check_realm(struct doctor *d)
{
	const char *url = d->call->config->url;
	struct str realm = str_of(d->realm), ours = str_of(url);
	bool tls = str_starts(realm, STR("https://"));
	bool secure = str_starts(ours, STR("https://"));
	struct str query = url_path(realm), path;

	str_cut(&query, '?', &path); /* it may have parameters of its own */
	if (!tls && !str_starts(realm, STR("http://")))
		return doctor_found(d, HEALTH_FAIL, write_realm(d),
				    "the realm %.200s is no http(s) address",
				    d->realm);
	if (tls == secure &&
	    str_eq_nocase(url_host_port(d, realm), url_host_port(d, ours)))
		return check_own_realm(d, path, query);
	if (str_eq(url_host_port(d, str_skip(realm, tls ? 8 : 7)),
		   url_host_port(d, str_skip(ours, 7 + secure))) &&
	    tls != secure)
		return doctor_found(d, HEALTH_FAIL, write_realm(d),
				    "the realm is %.200s, but this dockpass is "
				    "%s: the scheme differs",
				    d->realm, url);
	return found_elsewhere(d, realm);
}

enum health check_scheme(struct doctor *d)
{
	struct str realm = str_of(d->realm), host = url_host(realm);

	if (!strncmp(d->url, "https:", 6) && !str_starts(realm, STR("https:")))
		return doctor_found(d, HEALTH_FAIL,
				    "give dockpass TLS, or a proxy with it, "
				    "and write https:// in url and in "
				    "auth.token.realm",
				    "the registry has TLS and its realm, "
				    "%.200s, has not: crane and regctl refuse "
				    "that, and secrets go in clear",
				    d->realm);
	if (is_private_literal(host) &&
	    !str_eq(url_host_port(d, realm), url_host_port(d, str_of(d->url))))
		return doctor_found(d, HEALTH_WARN,
				    "write a DNS name (or localhost) in url "
				    "and in auth.token.realm",
				    "crane and others refuse a realm at a "
				    "loopback or private address, %.*s",
				    SHOW(host));
	if (!strncmp(d->url, "http:", 5) &&
	    !host_is_local(url_host(str_of(d->url))))
		return doctor_found(d, HEALTH_WARN,
				    "give it TLS; or name it in each docker's "
				    "insecure-registries",
				    "the registry has no TLS: docker refuses "
				    "it, and tokens go in clear");
	return doctor_found(d, HEALTH_OK, NULL, "clients take that realm");
}

static void add_escaped(struct buf *out, struct str text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.at[i];

		if (ascii_is_alnum((char)c) || (c && strchr("-._~", c))) {
			buf_add_char(out, (char)c);
			continue;
		}
		buf_add_char(out, '%');
		buf_add_char(out, digits[c >> 4]);
		buf_add_char(out, digits[c & 15]);
	}
}

/* The value of "token": a JWT, which JSON has no reason to escape. */
static struct str find_token(struct str body)
{
	static const char key[] = "\"token\"";
	const char *at =
		body.len ? memmem(body.at, body.len, key, sizeof(key) - 1)
			 : NULL;
	struct str rest, token;

	if (!at)
		return (struct str) { 0 };
	rest = str_trim(str_skip(body, (size_t)(at - body.at) + 7));
	if (!str_starts(rest, STR(":")))
		return (struct str) { 0 };
	rest = str_trim(str_skip(rest, 1));
	if (!str_starts(rest, STR("\"")))
		return (struct str) { 0 };
	rest = str_skip(rest, 1);
	str_cut(&rest, '"', &token);
	for (size_t i = 0; i < token.len; i++)
		if (!is_base64url(token.at[i]) && token.at[i] != '.')
			return (struct str) { 0 };
	return token;
}

static bool has_errors(struct str body)
{
	return body.len && memmem(body.at, body.len, "\"errors\"", 8);
}

/* So a 400 is no word of the service, but of how it is asked. */
static bool is_own_service(const struct doctor *d)
{
	return d->known & KNOWN_CONFIG && d->service.len &&
	       config_service(d->call->config, d->service);
}

static enum health read_endpoint(struct doctor *d, struct str head,
				 struct str body, long status)
{
	struct str to, lines = head;

	doctor_head(&lines, STR("Location"), &to);
	if (status >= 300 && status < 400)
		return doctor_found(
			d, HEALTH_FAIL,
			"write where it leads to as url in dockpass.yaml and "
			"as auth.token.realm in the registry's config.yml, "
			"and restart both",
			"the realm is a redirect to %.*s: clients lose the "
			"secret on the way",
			SHOW(to));
	if (status == 200 && find_token(body).len) {
		d->given = arena_cstr(&d->call->arena, find_token(body));
		return doctor_found(d, HEALTH_OK, NULL, "%.200s gives tokens",
				    d->realm);
	}
	if (has_errors(body) && status == 400 && is_own_service(d))
		return doctor_found(d, HEALTH_FAIL,
				    RELOAD "; if it says the same then, the "
					   "realm is not this one's, or "
					   "asks for what it should not",
				    "%.200s refuses the service '%.*s', which "
				    "is configured here",
				    d->realm, SHOW(d->service));
	if (has_errors(body) &&
	    (status == 400 || status == 401 || status == 429))
		return doctor_found(d, HEALTH_OK, NULL, "%.200s answers %ld",
				    d->realm, status);
	if (status >= 500)
		return doctor_found(d, HEALTH_FAIL,
				    "dockpass doctor there says why",
				    "%.200s answers %ld", d->realm, status);
	return doctor_found(
		d, HEALTH_FAIL,
		d->known & KNOWN_CONFIG ? write_realm(d) : doctor_paste,
		"no token server answers at %.200s (%ld)", d->realm, status);
}

static bool wants_certificates(const struct doctor *d)
{
	const struct config *config = d->call->config;

	for (unsigned i = 0;
	     d->known & KNOWN_CONFIG && i < config->listeners_count; i++)
		if (config->listeners[i].tls.client_ca)
			return true;
	return false;
}

enum health check_endpoint(struct doctor *d)
{
	AUTO(buf) struct buf head, body, url;
	struct transfer_reply reply;
	struct str realm = str_of(d->realm);

	buf_init(&head, 0);
	buf_init(&body, 0);
	buf_init(&url, DOCTOR_ANSWER_MAX);
	if (str_has(realm, '#') || str_has(realm, ' ') || !str_printable(realm))
		return doctor_found(d, HEALTH_FAIL, doctor_paste,
				    "the realm %.200s is no address", d->realm);
	buf_printf(&url, "%s%cservice=", d->realm,
		   str_has(realm, '?') ? '&' : '?');
	add_escaped(&url, d->service);
	buf_add_char(&url, '\0');
	if (url.over)
		return doctor_found(d, HEALTH_FAIL, doctor_paste,
				    "the realm is too long");
	doctor_get(d, url.at, NULL, false, &head, &body, &reply);
	if (reply.end == TRANSFER_BROKEN && wants_certificates(d))
		return doctor_found(d, HEALTH_WARN, NULL,
				    "%.200s could not be asked: a listener "
				    "here has client_ca, and wants a "
				    "certificate of its clients",
				    d->realm);
	if (reply.end != TRANSFER_DONE)
		return doctor_no_answer(d, "the realm", d->realm, doctor_ca,
					&reply);
	d->realm_dated = reply.date;
	d->realm_ahead = reply.date ? reply.date - (int64_t)time(NULL) : 0;
	return read_endpoint(d, buf_str(&head), buf_str(&body), reply.status);
}

/* Tokens begin ten seconds back; registries 2 and 3 allow a minute. */
enum health check_skew(struct doctor *d)
{
	static const char mend[] = "switch on NTP on both machines";
	int64_t ahead = d->ahead - (d->realm_dated ? d->realm_ahead : 0);
	const struct config_service *service =
		config_service(d->call->config, d->service);
	int64_t ttl = service ? service->ttl : 300;
	int64_t off = ahead < 0 ? -ahead : ahead;

	if (!d->dated)
		return doctor_found(d, HEALTH_WARN, NULL,
				    "the registry's answer has no Date");
	if (ahead < -BEHIND)
		return doctor_found(d, HEALTH_FAIL, mend,
				    "the registry's clock is %lld s behind: "
				    "tokens are not valid yet there",
				    (long long)off);
	if (ahead > ttl + LEEWAY)
		return doctor_found(d, HEALTH_FAIL, mend,
				    "the registry's clock is %lld s ahead: "
				    "tokens are dead when they come there",
				    (long long)off);
	d->known |= KNOWN_CLOCK;
	if (off > DOCTOR_SKEW)
		return doctor_found(d, HEALTH_WARN, mend,
				    "the registry's clock is %lld s %s",
				    (long long)off,
				    ahead > 0 ? "ahead" : "behind");
	if (d->realm_dated &&
	    (d->realm_ahead > DOCTOR_SKEW || d->realm_ahead < -DOCTOR_SKEW))
		return doctor_found(d, HEALTH_WARN, mend,
				    "dockpass's clock is %lld s off this "
				    "machine's, the registry's too",
				    (long long)d->realm_ahead);
	return doctor_found(d, HEALTH_OK, NULL,
			    "the registry's and dockpass's agree");
}
