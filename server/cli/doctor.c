/*
 * server/cli/doctor.c - dockpass doctor: is all well on this side, or with a
 * registry; and if not, what is the first thing to mend.
 */
#include "server/cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/config_check.h"
#include "store/steady.h"

/* Run in this order, which is one of causes; what is first to mend is said by
   the third column. */
static const struct check here[] = {
	{ "config", 0, GRAVE_BLIND, check_config },
	{ "owner", KNOWN_CONFIG, GRAVE_BLIND, check_owner },
	{ "keys", KNOWN_OWNER, GRAVE_START, check_keys },
	{ "public", KNOWN_KEYS, GRAVE_SOME, check_public },
	{ "certificate", KNOWN_KEYS, GRAVE_SOME, check_certificate },
	{ "tls", KNOWN_OWNER, GRAVE_START, check_listener_tls },
	{ "secrets", KNOWN_OWNER, GRAVE_START, check_secrets },
	{ "log", KNOWN_OWNER, GRAVE_START, check_log_file },
	{ "warnings", KNOWN_KEYS, GRAVE_SOME, check_warnings },
	{ "disk", KNOWN_CONFIG, GRAVE_START, check_disk },
	{ "store", KNOWN_OWNER, GRAVE_START, check_store },
	{ "room", KNOWN_STORE, GRAVE_LATER, check_room },
	{ "server", KNOWN_CONFIG, GRAVE_DOWN, check_server },
	{ "served", KNOWN_SERVER | KNOWN_KEYS, GRAVE_SOME, check_served },
	{ "url", KNOWN_SERVER, GRAVE_DOWN, check_url },
	{ "mail", KNOWN_CONFIG, GRAVE_LATER, check_mail },
	{ "webhook", KNOWN_CONFIG, GRAVE_LATER, check_webhook },
	{ "clock", 0, GRAVE_SOME, check_clock },
	{ "descriptors", KNOWN_CONFIG, GRAVE_LATER, check_descriptors },
};

/* A server that was not told of its keys comes after a registry that does not
   have them: told first, it would sign with one that is not known there. */
static const struct check there[] = {
	{ "config", 0, GRAVE_BLIND, check_config },
	{ "owner", KNOWN_CONFIG, GRAVE_BLIND, check_owner },
	{ "keys", KNOWN_OWNER, GRAVE_BLIND, check_keys },
	{ "registry", 0, GRAVE_BLIND, check_registry },
	{ "proxy", 0, GRAVE_LATER, check_proxy },
	{ "challenge", KNOWN_REGISTRY, GRAVE_DOWN, check_challenge },
	{ "realm", KNOWN_CHALLENGE | KNOWN_CONFIG, GRAVE_DOWN, check_realm },
	{ "scheme", KNOWN_CHALLENGE, GRAVE_SOME, check_scheme },
	{ "endpoint", KNOWN_CHALLENGE, GRAVE_DOWN, check_endpoint },
	{ "signer", KNOWN_CHALLENGE | KNOWN_KEYS, GRAVE_SOME, check_signer },
	{ "service", KNOWN_CHALLENGE | KNOWN_CONFIG, GRAVE_DOWN,
	  check_service },
	{ "clock", KNOWN_REGISTRY | KNOWN_CONFIG, GRAVE_DOWN, check_skew },
	{ "key", KNOWN_CHALLENGE | KNOWN_KEYS, GRAVE_DOWN, check_key },
	{ "form", KNOWN_KEY, GRAVE_DOWN, check_form },
	{ "issuer", KNOWN_KEY, GRAVE_DOWN, check_issuer },
	{ "token", KNOWN_CHALLENGE | KNOWN_KEYS, GRAVE_EFFECT, check_token },
};

static const char *const words[] = {
	[HEALTH_OK] = "ok",
	[HEALTH_WARN] = "warn",
	[HEALTH_FAIL] = "FAIL",
	[HEALTH_SKIPPED] = "-",
};
static const char *const json_words[] = {
	[HEALTH_OK] = "ok",
	[HEALTH_WARN] = "warn",
	[HEALTH_FAIL] = "fail",
	[HEALTH_SKIPPED] = "skipped",
};

enum { TEXT_MAX = 2048, OUTPUT_COLUMN = 12 };

static const char *keep(struct doctor *d, const char *fmt, va_list args)
{
	char text[TEXT_MAX];

	vsnprintf(text, sizeof(text), fmt, args);
	make_printable(text);
	secret_hide(text);
	return arena_cstr(&d->call->arena, str_of(text));
}

const char *doctor_text(struct doctor *d, const char *fmt, ...)
{
	const char *text;
	va_list args;

	va_start(args, fmt);
	text = keep(d, fmt, args);
	va_end(args);
	return text;
}

enum health doctor_found(struct doctor *d, enum health health, const char *mend,
			 const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	d->found.text = keep(d, fmt, args);
	va_end(args);
	d->found.mend = mend;
	return health;
}

static void print_check(struct doctor *d, const char *name, enum health health)
{
	struct buf *out = &d->call->out;

	if (!d->call->json) {
		buf_printf(out, "%-5s %-*s %s%s%s\n", words[health],
			   OUTPUT_COLUMN - 1, name, d->found.text,
			   d->found.mend ? ": " : "",
			   d->found.mend ? d->found.mend : "");
		return;
	}
	json_open(out, '{');
	json_put_str(out, "name", str_of(name));
	json_put_str(out, "status", str_of(json_words[health]));
	json_put_str(out, "message", str_of(d->found.text));
	if (d->found.mend)
		json_put_str(out, "mend", str_of(d->found.mend));
	else
		json_put_null(out, "mend");
	json_close(out, '}');
}

/* The gravest of all; `line` NULL: there is none. */
struct gravest {
	const char *line;
	enum gravity gravity;
};
struct gravests {
	struct gravest failed, warned;
};

static void weigh(struct doctor *d, const char *name, struct gravest *gravest)
{
	if (gravest->line && gravest->gravity <= d->found.gravity)
		return;
	gravest->line = doctor_text(d, "%s: %s%s%s", name, d->found.text,
				    d->found.mend ? ": " : "",
				    d->found.mend ? d->found.mend : "");
	gravest->gravity = d->found.gravity;
}

static void run_check(struct doctor *d, const struct check *check,
		      struct gravests *gravests)
{
	enum health health;

	d->found = (struct finding) { "", NULL, check->gravity };
	if ((d->known & check->needs) == check->needs)
		health = check->run(d);
	else
		health = doctor_found(d, HEALTH_SKIPPED, NULL,
				      "not looked at: what it needs is missing "
				      "above");
	print_check(d, check->name, health);
	if (health == HEALTH_FAIL)
		weigh(d, check->name, &gravests->failed);
	if (health == HEALTH_WARN)
		weigh(d, check->name, &gravests->warned);
}

static int tell(struct doctor *d, const struct gravests *gravests)
{
	struct call *call = d->call;
	const char *failed = gravests->failed.line;
	const char *warned = gravests->warned.line;
	const char *verdict =
		failed	 ? doctor_text(d, "first to mend: %s", failed)
		: warned ? doctor_text(d, "all well, but look at %s", warned)
			 : "all is well";

	if (call->json) {
		json_close(&call->out, ']');
		json_put_bool(&call->out, "ok", !failed);
		json_put_str(&call->out, "verdict", str_of(verdict));
		json_close(&call->out, '}');
		buf_add_char(&call->out, '\n');
	} else {
		buf_printf(&call->out, "%s\n", verdict);
	}
	if (!failed)
		return EXIT_DONE;
	call->report = true;
	cause_set(&call->cause, E_REFUSED, "%s", failed);
	return EXIT_REFUSED;
}

static void run_all(struct doctor *d, const struct check *checks, size_t count,
		    struct gravests *gravests)
{
	if (d->call->json) {
		json_open(&d->call->out, '{');
		if (d->url)
			json_put_str(&d->call->out, "registry", str_of(d->url));
		else
			json_put_null(&d->call->out, "registry");
		json_key(&d->call->out, "checks");
		json_open(&d->call->out, '[');
	}
	for (size_t i = 0; i < count; i++)
		run_check(d, &checks[i], gravests);
}

/* "localhost:5000" is http, as docker takes it; any other host is https. */
static int read_url(struct doctor *d, struct str text)
{
	bool local = host_is_local(url_host(text));
	struct call *call = d->call;
	struct cause why;
	const char *url;
	size_t len;

	url = arena_cstr(&call->arena, text);
	if (!strstr(url, "://"))
		url = arena_printf(&call->arena, "%s://%s%c",
				   local ? "http" : "https", url, '\0')
			      .at;
	len = strlen(url);
	if (len > 4 && !strcmp(url + len - 4, "/v2/"))
		len -= 4;
	else if (len > 1 && url[len - 1] == '/')
		len--;
	url = arena_cstr(&call->arena, (struct str) { url, len });
	if (url_check(str_of(url), &why))
		return call_usage(call,
				  "'%.200s' is no registry's address; write "
				  "https://registry.example.com",
				  call->args[0].at);
	d->url = url;
	return EXIT_DONE;
}

static bool has_time(void *arg)
{
	const struct doctor *d = arg;

	return steady_seconds() < d->until;
}

static int doctor_run(struct call *call)
{
	AUTO(transfer) struct transfer *transfer = NULL;
	struct doctor d = { .call = call,
			    .ca = call->opts[OPT_CACERT],
			    .service_meant = call->opts[OPT_SERVICE] };
	struct gravests gravests = { 0 };
	int status = EXIT_DONE;

	if (call->argc)
		status = read_url(&d, call->args[0]);
	else if (d.service_meant)
		status = call_usage(call, "--service is of a registry: name "
					  "its address, too");
	if (status)
		return status;
	if (transfer_new(has_time, &d, &transfer))
		return call_failed(call, E_MEMORY);
	d.transfer = transfer;
	d.until = steady_seconds() + DOCTOR_SECONDS;
	if (d.url)
		run_all(&d, there, COUNT(there), &gravests);
	else
		run_all(&d, here, COUNT(here), &gravests);
	keyring_free(d.keyring);
	return tell(&d, &gravests);
}

/* clang-format off */
static const struct command rows[] = {
	{ "doctor", "[REGISTRY-URL] [--service NAME] [--cacert FILE]", "what is wrong with a registry's logins, or on this side, and what mends it", 0, 1,
	  O(JSON) | O(CACERT) | O(SERVICE), doctor_run },
};
/* clang-format on */

const struct command_group doctor_commands = { rows, COUNT(rows) };
