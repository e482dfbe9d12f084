/*
 * server/cli/doctor_registry.c - what a registry says before it is shown any
 * token: does it answer, where does it send its clients, as what.
 */
#include "server/cli/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SHOWN = 200, SKEW_OK = 5, LEEWAY = 60, BEHIND = 10 + LEEWAY };

/* At most so much of what others say is shown. */
#define SHOW(s) (int)((s).len < SHOWN ? (s).len : SHOWN), (s).at

static const char registry_ca[] =
	"with --cacert FILE; docker wants it as "
	"/etc/docker/certs.d/HOST:PORT/ca.crt, others among the system's";
static const char paste[] =
	"paste what dockpass registry-config prints into the registry's "
	"config.yml, and restart it";

static enum health refuse_status(struct doctor *d, const char *url,
				 struct str head, struct str body)
{
	struct str lines = head, to, type;

	doctor_head(&lines, STR("Location"), &to);
	lines = head;
	doctor_head(&lines, STR("Content-Type"), &type);
	if (d->status >= 300 && d->status < 400)
		return doctor_found(d, HEALTH_FAIL,
				    "let the proxy in front of the registry "
				    "pass /v2/ as it is, with https:// if it "
				    "has that",
				    "%s is redirected to %.*s: clients lose "
				    "their token on the way",
				    url, SHOW(to));
	if (d->status == 400 && body.len &&
	    memmem(body.at, body.len, "HTTPS", 5))
		return doctor_found(d, HEALTH_FAIL,
				    doctor_text(d, "write https://%s",
						d->url + strlen("http://")),
				    "the registry, %s, speaks TLS", d->url);
	if (d->status >= 500)
		return doctor_found(d, HEALTH_FAIL,
				    "look at its log, and at that of a proxy "
				    "in front",
				    "%s answers %ld", url, d->status);
	return doctor_found(d, HEALTH_FAIL,
			    "name the address under which images are pulled",
			    "%s is no registry: it answers %ld, %.*s", url,
			    d->status, SHOW(type.len ? type : STR("nothing")));
}

enum health check_registry(struct doctor *d)
{
	const char *url = doctor_text(d, "%s/v2/", d->url);
	AUTO(buf) struct buf head, body;
	struct transfer_reply reply;
	struct str lines, type;

	doctor_get(d, url, NULL, false, &head, &body, &reply);
	if (reply.end != TRANSFER_DONE)
		return doctor_no_answer(d, "the registry", url, registry_ca,
					&reply);
	d->status = reply.status;
	d->dated = reply.date;
	d->ahead = reply.date ? reply.date - (int64_t)time(NULL) : 0;
	d->head = arena_copy(&d->call->arena, buf_str(&head));
	lines = d->head;
	doctor_head(&lines, STR("Content-Type"), &type);
	d->registry2 = str_eq(type, STR("application/json; charset=utf-8"));
	if (d->status != 200 && d->status != 401)
		return refuse_status(d, url, buf_str(&head), buf_str(&body));
	if (str_starts(type, STR("text/html")))
		return refuse_status(d, url, buf_str(&head), buf_str(&body));
	d->known |= KNOWN_REGISTRY;
	return doctor_found(d, HEALTH_OK, NULL, "%s answers", url);
}

static bool says(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value;
}

/* It may hold a password: the name of the variable is enough. */
enum health check_proxy(struct doctor *d)
{
	static const char *const secure[] = { "https_proxy", "HTTPS_PROXY",
					      "all_proxy", "ALL_PROXY" };
	static const char *const plain[] = { "http_proxy", "HTTP_PROXY",
					     "all_proxy", "ALL_PROXY" };
	bool tls = !strncmp(d->url, "https:", 6);
	struct str host = url_host(str_of(d->url));

	for (size_t i = 0; i < COUNT(plain); i++) {
		const char *name = tls ? secure[i] : plain[i];
		const char *none = says("no_proxy") ? getenv("no_proxy")
						    : getenv("NO_PROXY");
		const char *known = doctor_text(d, STR_FMT, STR_ARG(host));

		if (!says(name) || (none && strstr(none, known)) ||
		    (none && !strcmp(none, "*")))
			continue;
		return doctor_found(
			d, HEALTH_WARN,
			doctor_text(d,
				    "add %s to no_proxy, of dockerd too, "
				    "if the proxy cannot reach it",
				    known),
			"%s is set: clients here may ask through that proxy, "
			"these checks do not",
			name);
	}
	return doctor_found(d, HEALTH_OK, NULL, "the environment names none");
}

/* A challenge of each scheme; a line that cannot be read is the end. */
static enum err read_challenges(struct doctor *d, bool *basic, size_t *count)
{
	struct str lines = d->head, line;
	struct challenge c;
	enum err err = E_NOT_FOUND;

	*basic = false;
	*count = 0;
	while (doctor_head(&lines, STR("WWW-Authenticate"), &line)) {
		while (!(err = challenge_next(&line, &d->call->arena, &c))) {
			++*count;
			if (str_eq_nocase(c.scheme, STR("Basic")))
				*basic = true;
			if (str_eq_nocase(c.scheme, STR("Bearer")) &&
			    !d->challenge.scheme.len)
				d->challenge = c;
		}
		if (err != E_NOT_FOUND)
			return err;
	}
	return E_OK;
}

static enum health no_bearer(struct doctor *d, bool basic, size_t count)
{
	if (basic)
		return doctor_found(
			d, HEALTH_FAIL,
			doctor_text(d,
				    "take auth.htpasswd (or the proxy's "
				    "auth_basic) away, and %s",
				    paste),
			"the registry asks for a password of its own (Basic), "
			"not for our tokens");
	if (count)
		return doctor_found(d, HEALTH_FAIL, paste,
				    "the registry asks for something else "
				    "than tokens");
	return doctor_found(d, HEALTH_FAIL,
			    "let the proxy in front pass the header",
			    "the registry answers 401, but no "
			    "WWW-Authenticate with it");
}

enum health check_challenge(struct doctor *d)
{
	struct arena *arena = &d->call->arena;
	struct str realm;
	size_t count;
	bool basic;

	if (d->status == 200)
		return doctor_found(d, HEALTH_FAIL, paste,
				    "the registry asks nobody for a token: "
				    "all may do everything there");
	if (read_challenges(d, &basic, &count))
		return doctor_found(d, HEALTH_FAIL,
				    "look at what writes it: a proxy, or "
				    "quotes in the registry's config.yml",
				    "the registry's WWW-Authenticate cannot "
				    "be read");
	if (!d->challenge.scheme.len)
		return no_bearer(d, basic, count);
	if (!challenge_get(&d->challenge, STR("realm"), &realm) || !realm.len)
		return doctor_found(d, HEALTH_FAIL, paste,
				    "the registry's challenge names no realm");
	d->realm = arena_cstr(arena, realm);
	challenge_get(&d->challenge, STR("service"), &d->service);
	d->known |= KNOWN_CHALLENGE;
	return doctor_found(d, HEALTH_OK, NULL,
			    "Bearer realm=%.*s service=%.*s", SHOW(realm),
			    SHOW(d->service));
}

/* What the same server answers to, besides /token. */
static bool is_our_path(struct str path)
{
	static const char *const paths[] = {
		"/token",      "/token/",   "/auth",
		"/auth/token", "/jwt/auth", "/service/token",
	};

	for (size_t i = 0; i < COUNT(paths); i++)
		if (str_eq(path, str_of(paths[i])))
			return true;
	return false;
}

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

	if (!tls && !str_starts(realm, STR("http://")))
		return doctor_found(d, HEALTH_FAIL, write_realm(d),
				    "the realm %.200s is no http(s) address",
				    d->realm);
	if (str_starts(realm, ours) && is_our_path(str_skip(realm, ours.len)))
		return doctor_found(d, HEALTH_OK, NULL,
				    "%.200s is this dockpass", d->realm);
	if (str_eq(url_host_port(d, str_skip(realm, tls ? 8 : 7)),
		   url_host_port(d, str_skip(ours, 7 + secure))) &&
	    tls != secure)
		return doctor_found(d, HEALTH_FAIL, write_realm(d),
				    "the realm is %.200s, but this dockpass is "
				    "%s: the scheme differs",
				    d->realm, url);
	return doctor_found(
		d, HEALTH_FAIL,
		doctor_text(d,
			    "%s; or, if that is another name of this "
			    "dockpass, %s",
			    write_realm(d), d->call->config->url_place),
		"the registry sends its clients to %.200s, this dockpass is "
		"%s/token%s",
		d->realm, url,
		str_eq(url_host(realm), url_host(str_of(d->url))) &&
				strstr(d->realm, "/auth/token")
			? " (auth.token.autoredirect makes such a realm)"
			: "");
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
	return doctor_found(d, HEALTH_FAIL,
			    d->known & KNOWN_CONFIG ? write_realm(d) : paste,
			    "no token server answers at %.200s (%ld)", d->realm,
			    status);
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
		return doctor_found(d, HEALTH_FAIL, paste,
				    "the realm %.200s is no address", d->realm);
	buf_printf(&url, "%s%cservice=", d->realm,
		   str_has(realm, '?') ? '&' : '?');
	add_escaped(&url, d->service);
	buf_add_char(&url, '\0');
	if (url.over)
		return doctor_found(d, HEALTH_FAIL, paste,
				    "the realm is too long");
	doctor_get(d, url.at, NULL, false, &head, &body, &reply);
	if (reply.end != TRANSFER_DONE)
		return doctor_no_answer(d, "the realm", d->realm, registry_ca,
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
	if (off > SKEW_OK)
		return doctor_found(d, HEALTH_WARN, mend,
				    "the registry's clock is %lld s %s",
				    (long long)off,
				    ahead > 0 ? "ahead" : "behind");
	if (d->realm_dated &&
	    (d->realm_ahead > SKEW_OK || d->realm_ahead < -SKEW_OK))
		return doctor_found(d, HEALTH_WARN, mend,
				    "dockpass's clock is %lld s off this "
				    "machine's, the registry's too",
				    (long long)d->realm_ahead);
	return doctor_found(d, HEALTH_OK, NULL,
			    "the registry's and dockpass's agree");
}
