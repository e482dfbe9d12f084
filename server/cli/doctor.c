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

/* In their order: the first that fails is the first to mend. */
static const struct check here[] = {
	{ "config", 0, check_config },
	{ "owner", KNOWN_CONFIG, check_owner },
	{ "keys", KNOWN_OWNER, check_keys },
	{ "public", KNOWN_KEYS, check_public },
	{ "certificate", KNOWN_KEYS, check_certificate },
	{ "tls", KNOWN_OWNER, check_listener_tls },
	{ "secrets", KNOWN_OWNER, check_secrets },
	{ "store", KNOWN_OWNER, check_store },
	{ "room", KNOWN_STORE, check_room },
	{ "disk", KNOWN_CONFIG, check_disk },
	{ "server", KNOWN_CONFIG, check_server },
	{ "served", KNOWN_SERVER | KNOWN_KEYS, check_served },
	{ "url", KNOWN_SERVER, check_url },
	{ "mail", KNOWN_CONFIG, check_mail },
	{ "webhook", KNOWN_CONFIG, check_webhook },
	{ "clock", 0, check_clock },
	{ "descriptors", KNOWN_CONFIG, check_descriptors },
};

static const struct check there[] = {
	{ "config", 0, check_config },
	{ "owner", KNOWN_CONFIG, check_owner },
	{ "keys", KNOWN_OWNER, check_keys },
	{ "registry", 0, check_registry },
	{ "proxy", 0, check_proxy },
	{ "challenge", KNOWN_REGISTRY, check_challenge },
	{ "realm", KNOWN_CHALLENGE | KNOWN_CONFIG, check_realm },
	{ "scheme", KNOWN_CHALLENGE, check_scheme },
	{ "endpoint", KNOWN_CHALLENGE, check_endpoint },
	{ "signer", KNOWN_CHALLENGE | KNOWN_KEYS, check_signer },
	{ "service", KNOWN_CHALLENGE | KNOWN_CONFIG, check_service },
	{ "clock", KNOWN_REGISTRY | KNOWN_CONFIG, check_skew },
	{ "key", KNOWN_CHALLENGE | KNOWN_KEYS, check_key },
	{ "form", KNOWN_KEY, check_form },
	{ "issuer", KNOWN_KEY, check_issuer },
	{ "token", KNOWN_CHALLENGE | KNOWN_KEYS, check_token },
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
	d->text = keep(d, fmt, args);
	va_end(args);
	d->mend = mend;
	return health;
}

static void print_check(struct doctor *d, const char *name, enum health health)
{
	struct buf *out = &d->call->out;

	if (!d->call->json) {
		buf_printf(out, "%-5s %-*s %s%s%s\n", words[health],
			   OUTPUT_COLUMN - 1, name, d->text,
			   d->mend ? ": " : "", d->mend ? d->mend : "");
		return;
	}
	json_open(out, '{');
	json_put_str(out, "name", str_of(name));
	json_put_str(out, "status", str_of(json_words[health]));
	json_put_str(out, "message", str_of(d->text));
	if (d->mend)
		json_put_str(out, "mend", str_of(d->mend));
	else
		json_put_null(out, "mend");
	json_close(out, '}');
}

/* The first that failed; else the first that warns; else NULL. */
struct first {
	const char *failed, *warned;
};

static void run_check(struct doctor *d, const struct check *check,
		      struct first *first)
{
	enum health health;
	const char *line;

	d->text = "";
	d->mend = NULL;
	if ((d->known & check->needs) == check->needs)
		health = check->run(d);
	else
		health = doctor_found(d, HEALTH_SKIPPED, NULL,
				      "not looked at: what it needs is missing "
				      "above");
	print_check(d, check->name, health);
	line = doctor_text(d, "%s: %s%s%s", check->name, d->text,
			   d->mend ? ": " : "", d->mend ? d->mend : "");
	if (health == HEALTH_FAIL && !first->failed)
		first->failed = line;
	if (health == HEALTH_WARN && !first->warned)
		first->warned = line;
}

static int tell(struct doctor *d, const struct first *first)
{
	struct call *call = d->call;
	const char *verdict =
		first->failed
			? doctor_text(d, "first to mend: %s", first->failed)
		: first->warned ? doctor_text(d, "all well, but look at %s",
					      first->warned)
				: "all is well";

	if (call->json) {
		json_close(&call->out, ']');
		json_put_bool(&call->out, "ok", !first->failed);
		json_put_str(&call->out, "verdict", str_of(verdict));
		json_close(&call->out, '}');
		buf_add_char(&call->out, '\n');
	} else {
		buf_printf(&call->out, "%s\n", verdict);
	}
	if (!first->failed)
		return EXIT_DONE;
	call->report = true;
	cause_set(&call->cause, E_REFUSED, "%s", first->failed);
	return EXIT_REFUSED;
}

static void run_all(struct doctor *d, const struct check *checks, size_t count,
		    struct first *first)
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
		run_check(d, &checks[i], first);
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
	struct doctor d = { .call = call, .ca = call->opts[OPT_CACERT] };
	struct first first = { 0 };
	int status = EXIT_DONE;

	if (call->argc)
		status = read_url(&d, call->args[0]);
	if (status)
		return status;
	if (transfer_new(has_time, &d, &transfer))
		return call_failed(call, E_MEMORY);
	d.transfer = transfer;
	d.until = steady_seconds() + DOCTOR_SECONDS;
	if (d.url)
		run_all(&d, there, COUNT(there), &first);
	else
		run_all(&d, here, COUNT(here), &first);
	keyring_free(d.keyring);
	return tell(&d, &first);
}

/* clang-format off */
static const struct command rows[] = {
	{ "doctor", "[REGISTRY-URL] [--cacert FILE]", "what is wrong with a registry's logins, or on this side, and what mends it", 0, 1,
	  O(JSON) | O(CACERT), doctor_run },
};
/* clang-format on */

const struct command_group doctor_commands = { rows, COUNT(rows) };
