/*
 * server/cli/doctor_registry.c - does a registry answer as one, and does it ask
 * for tokens?
 */
#include "server/cli/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHALLENGES_MAX = 64 };

const char doctor_ca[] =
	"with --cacert FILE; docker wants it as "
	"/etc/docker/certs.d/HOST:PORT/ca.crt, others among the system's";
const char doctor_paste[] =
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
		return doctor_no_answer(d, "the registry", url, doctor_ca,
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
			if (++*count > CHALLENGES_MAX)
				return E_LIMIT;
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
				    doctor_paste),
			"the registry asks for a password of its own (Basic), "
			"not for our tokens");
	if (count)
		return doctor_found(d, HEALTH_FAIL, doctor_paste,
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
		d->found.gravity = GRAVE_OPEN;
	if (d->status == 200)
		return doctor_found(d, HEALTH_FAIL, doctor_paste,
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
		return doctor_found(d, HEALTH_FAIL, doctor_paste,
				    "the registry's challenge names no realm");
	d->realm = arena_cstr(arena, realm);
	challenge_get(&d->challenge, STR("service"), &d->service);
	d->known |= KNOWN_CHALLENGE;
	return doctor_found(d, HEALTH_OK, NULL,
			    "Bearer realm=%.*s service=%.*s", SHOW(realm),
			    SHOW(d->service));
}
