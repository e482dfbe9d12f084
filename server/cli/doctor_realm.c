/*
 * server/cli/doctor_realm.c - where does a registry send its clients, is that
 * this dockpass, as what does it ask, and do the clocks agree?
 */
#include "server/cli/doctor.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server/http/request.h"
#include "token/claims.h"

enum { LEEWAY = 60, BEHIND = BACKDATE + LEEWAY };

static const char *write_realm(struct doctor *d)
{
	return doctor_text(d,
			   "write auth.token.realm: %s/token in the registry's "
			   "config.yml, and restart it",
			   d->call->config->url);
}

enum health check_realm(struct doctor *d)
{
	const char *url = d->call->config->url;
	struct str realm = str_of(d->realm), ours = str_of(url);
	bool tls = str_starts(realm, STR("https://"));
	bool secure = str_starts(ours, STR("https://"));
	struct str rest = url_path(realm), path;

	str_cut(&rest, '?', &path); /* it may have parameters of its own */
	if (!tls && !str_starts(realm, STR("http://")))
		return doctor_found(d, HEALTH_FAIL, write_realm(d),
				    "the realm %.200s is no http(s) address",
				    d->realm);
	if (tls == secure && route_is_token(path) &&
	    str_eq_nocase(url_host_port(d, realm), url_host_port(d, ours)))
		return doctor_found(d, HEALTH_OK, NULL,
				    "%.200s is this dockpass", d->realm);
	if (str_eq(url_host_port(d, str_skip(realm, tls ? 8 : 7)),
		   url_host_port(d, str_skip(ours, 7 + secure))) &&
	    tls != secure)
		return doctor_found(d, HEALTH_FAIL, write_realm(d),
				    "the realm is %.200s, but this dockpass is "
				    "%s: the scheme differs",
				    d->realm, url);
	if (str_eq(url_host_port(d, realm), url_host_port(d, str_of(d->url))))
		return doctor_found(
			d, HEALTH_FAIL,
			doctor_text(d,
				    "remove auth.token.autoredirect from the "
				    "registry's config.yml, if it is there; %s",
				    write_realm(d)),
			"the registry sends its clients to itself, %.200s; "
			"this dockpass is %s/token",
			d->realm, url);
	return doctor_found(
		d, HEALTH_FAIL,
		doctor_text(d,
			    "%s; or, if that is another name of this "
			    "dockpass, %s",
			    write_realm(d), d->call->config->url_place),
		"the registry sends its clients to %.200s, this dockpass is "
		"%s/token",
		d->realm, url);
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

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || (c && strchr("-._~", c))) {
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
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "abcdefghijklmnopqrstuvwxyz0123456789-_.",
			    token.at[i]) ||
		    !token.at[i])
			return (struct str) { 0 };
	return token;
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
	if ((status == 400 || status == 401 || status == 429) && body.len &&
	    memmem(body.at, body.len, "\"errors\"", 8))
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

static bool same_but_blanks(struct str a, struct str b)
{
	size_t i = 0, j = 0;

	for (;;) {
		while (i < a.len && a.at[i] && strchr(" \t-_.", a.at[i]))
			i++;
		while (j < b.len && b.at[j] && strchr(" \t-_.", b.at[j]))
			j++;
		if (i == a.len || j == b.len)
			return i == a.len && j == b.len;
		if (ascii_lower(a.at[i++]) != ascii_lower(b.at[j++]))
			return false;
	}
}

enum health check_service(struct doctor *d)
{
	const struct config *config = d->call->config;
	const struct config_service *first = &config->services[0];

	if (!d->service.len)
		return doctor_found(
			d, HEALTH_FAIL,
			doctor_text(d,
				    "write auth.token.service: %s in the "
				    "registry's config.yml, and restart it",
				    first->name),
			"the registry's challenge names no service");
	for (unsigned i = 0; i < config->services_count; i++)
		if (str_eq(d->service, str_of(config->services[i].name)))
			return doctor_found(d, HEALTH_OK, NULL,
					    "'%.*s' is configured",
					    SHOW(d->service));
	for (unsigned i = 0; i < config->services_count; i++)
		if (same_but_blanks(d->service,
				    str_of(config->services[i].name)))
			first = &config->services[i];
	return doctor_found(
		d, HEALTH_FAIL,
		doctor_text(d,
			    "write auth.token.service: %s in the "
			    "registry's config.yml and restart it, or "
			    "change %s and reload",
			    first->name, first->place),
		"the registry calls itself '%.*s', and no service has that "
		"name%s",
		SHOW(d->service),
		same_but_blanks(d->service, str_of(first->name))
			? doctor_text(d,
				      "; '%s' differs in case, blanks or "
				      "hyphens",
				      first->name)
			: "");
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
