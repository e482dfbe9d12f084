/*
 * server/cli/doctor_near.c - what runs beside: the server itself, mail server
 * and webhook, the machine's clock and limits.
 */
#include "server/cli/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>

#include "server/crowd.h"
#include "server/jobs/courier.h"

enum { JWKS_MAX = 256 * 1024 };

/* How a program on this machine reaches a listener. */
static const char *near_url(struct doctor *d, const char *address, bool tls,
			    const char *path)
{
	const char *port = strrchr(address, ':');
	struct str host = { address, (size_t)(port - address) };

	return doctor_text(d, "http%s://" STR_FMT "%s%s", tls ? "s" : "",
			   STR_ARG(host_near(host)), port, path);
}

static const char start_it[] =
	"start it, with systemctl start dockpass or dockpass serve; its log "
	"says why it ended";

static const char restart_it[] =
	"listeners, their tls and admin.address take a restart: systemctl "
	"restart dockpass; or it was started with other DOCKPASS_* variables";

/* Its certificate is of another name: nobody is told a secret here. */
static enum health ask_health(struct doctor *d, const char *address, bool tls)
{
	AUTO(buf) struct buf head, body;
	struct transfer_reply reply;
	const char *url = near_url(d, address, tls, "/healthz");

	doctor_get(d, url, NULL, true, &head, &body, &reply);
	if (reply.end != TRANSFER_DONE && db_served(d->call->config->store))
		return doctor_found(d, HEALTH_FAIL, restart_it,
				    "dockpass runs, but does not answer at %s",
				    url);
	if (reply.end == TRANSFER_REFUSED)
		return doctor_found(d, HEALTH_FAIL, start_it,
				    "dockpass does not run: nothing listens at "
				    "%s",
				    address);
	if (reply.end != TRANSFER_DONE)
		return doctor_no_answer(d, "the server", url, "", &reply);
	if (reply.status == 503)
		return doctor_found(d, HEALTH_FAIL,
				    "its log's lines of overload name the "
				    "limit and an address",
				    "%s turns connections away: too many are "
				    "open",
				    address);
	if (reply.status != 200)
		return doctor_found(d, HEALTH_FAIL,
				    "see what has that port: ss -ltnp (package "
				    "iproute2)",
				    "what answers at %s is no dockpass (%ld)",
				    address, reply.status);
	return HEALTH_OK;
}

/* Not where a PROXY header comes first, or a certificate of the client's. */
static bool may_ask(const struct config_listener *listener)
{
	return !listener->proxy_protocol && !listener->tls.client_ca;
}

enum health check_server(struct doctor *d)
{
	const struct config *config = d->call->config;
	unsigned asked = 0;

	for (unsigned i = 0; i < config->listeners_count; i++) {
		const struct config_listener *l = &config->listeners[i];
		enum health health;

		if (!may_ask(l))
			continue;
		health = ask_health(d, l->address,
				    config_certificates(&l->tls) > 0);
		if (health != HEALTH_OK)
			return health;
		asked++;
	}
	if (*config->admin.address && !config->admin.tls.client_ca) {
		enum health health =
			ask_health(d, config->admin.address,
				   config_certificates(&config->admin.tls) > 0);

		if (health != HEALTH_OK)
			return health;
		asked++;
	}
	if (!asked)
		return doctor_found(d, HEALTH_OK, NULL,
				    "every listener is for proxies or for "
				    "clients with a certificate: not asked");
	d->known |= KNOWN_SERVER;
	return doctor_found(d, HEALTH_OK, NULL, "answers at %s",
			    config->listeners[0].address);
}

/* Has the running server read the keys that are on the disk? */
enum health check_served(struct doctor *d)
{
	const struct config *config = d->call->config;
	const struct config_listener *l = NULL;
	AUTO(buf) struct buf head, body, want;
	struct transfer_reply reply;
	const char *url;

	buf_init(&head, 0);
	buf_init(&body, 0);
	buf_init(&want, JWKS_MAX);
	for (unsigned i = 0; i < config->listeners_count && !l; i++)
		if (may_ask(&config->listeners[i]))
			l = &config->listeners[i];
	if (!l)
		return doctor_found(d, HEALTH_OK, NULL,
				    "every listener is for proxies or for "
				    "clients with a certificate: not asked");
	url = near_url(d, l->address, config_certificates(&l->tls) > 0,
		       "/.well-known/jwks.json");
	doctor_get(d, url, NULL, true, &head, &body, &reply);
	if (reply.end != TRANSFER_DONE)
		return doctor_no_answer(d, "the server", url, "", &reply);
	if (keyring_print_jwks(d->keyring, false, &want))
		return doctor_found(d, HEALTH_FAIL, NULL,
				    "the keys cannot be printed");
	if (!str_eq(buf_str(&want), buf_str(&body)) &&
	    !db_served(config->store)) {
		d->found.gravity = GRAVE_DOWN;
		return doctor_found(d, HEALTH_FAIL, start_it,
				    "what answers at %s is another dockpass: "
				    "nobody serves %s",
				    l->address, config->store);
	}
	if (!str_eq(buf_str(&want), buf_str(&body)))
		return doctor_found(d, HEALTH_FAIL,
				    "send it SIGHUP: systemctl reload dockpass",
				    "the running server has other keys than "
				    "%s: they changed, and it was not told",
				    config->keys);
	return doctor_found(d, HEALTH_OK, NULL,
			    "the running server has the keys of %s",
			    config->keys);
}

/* What clients are told. From here it may be out of reach, as behind a NAT. */
enum health check_url(struct doctor *d)
{
	const struct config *config = d->call->config;
	struct str url = str_of(config->url), host = url_host(url), to;
	const char *realm = doctor_text(d, "%s/token", config->url);
	AUTO(buf) struct buf head, body;
	struct transfer_reply reply;

	doctor_get(d, realm, NULL, false, &head, &body, &reply);
	if (reply.end != TRANSFER_DONE) {
		doctor_no_answer(d, "the realm", realm, "with --cacert FILE",
				 &reply);
		return HEALTH_WARN;
	}
	if (reply.status >= 300 && reply.status < 400) {
		struct str lines = buf_str(&head);

		doctor_head(&lines, STR("Location"), &to);
		return doctor_found(
			d, HEALTH_FAIL,
			doctor_text(d, "%s: write where it leads to",
				    config->url_place),
			"%s is a redirect to %.*s: clients lose "
			"the secret on the way",
			realm, (int)(to.len < 300 ? to.len : 300), to.at);
	}
	if (!str_has(buf_str(&body), '{'))
		return doctor_found(d, HEALTH_FAIL,
				    doctor_text(d, "%s, or the proxy there",
						config->url_place),
				    "what answers at %s is no dockpass (%ld)",
				    realm, reply.status);
	if (is_private_literal(host) && !host_is_local(host))
		return doctor_found(d, HEALTH_WARN,
				    doctor_text(d, "%s: write a DNS name",
						config->url_place),
				    "crane and others refuse a realm at a "
				    "private address, %s",
				    config->url);
	if (str_starts(url, STR("http:")) && !host_is_local(host))
		return doctor_found(d, HEALTH_WARN,
				    doctor_text(d,
						"set listeners[].tls or put a "
						"proxy in front, and https:// "
						"as %s",
						config->url_place),
				    "secrets go to %s in clear", config->url);
	return doctor_found(d, HEALTH_OK, NULL, "%s answers", realm);
}

/* Greeting and EHLO: no mail, no login. */
enum health check_mail(struct doctor *d)
{
	const struct config_mail *mail = &d->call->config->mail;
	struct transfer_reply reply;
	struct transfer_ask ask;

	if (!mail->url)
		return doctor_found(d, HEALTH_OK, NULL, "not configured");
	ask = courier_ask(mail);
	ask.seconds = DOCTOR_ASK_SECONDS;
	transfer_mail(d->transfer, &ask, NULL, &reply);
	/* It has spoken SMTP, whatever it thinks of NOOP without a login. */
	if (reply.end == TRANSFER_DONE ||
	    (reply.end == TRANSFER_BROKEN && reply.status == 530))
		return doctor_found(d, HEALTH_OK, NULL, "%s answers",
				    mail->url);
	if (*transfer_refusal(d->transfer))
		return doctor_found(d, HEALTH_FAIL,
				    "ask who runs it; notices wait meanwhile",
				    "the mail server, %s: %s", mail->url,
				    transfer_refusal(d->transfer));
	return doctor_no_answer(d, "the mail server", mail->url, "as mail.ca",
				&reply);
}

/* Its address may hold a secret: the host alone is shown. */
enum health check_webhook(struct doctor *d)
{
	const struct config_hook *hook = &d->call->config->hook;
	struct transfer_reply reply;
	const char *shown;
	struct transfer_ask ask = {
		.url = hook->url,
		.schemes = "http,https",
		.seconds = DOCTOR_ASK_SECONDS,
		.ca = hook->ca,
	};

	if (!hook->url)
		return doctor_found(d, HEALTH_OK, NULL, "not configured");
	transfer_connect(d->transfer, &ask, &reply);
	shown = doctor_text(d, "%s" STR_FMT,
			    strncmp(hook->url, "https:", 6) ? "http://"
							    : "https://",
			    STR_ARG(url_host_port(d, str_of(hook->url))));
	if (reply.end != TRANSFER_DONE)
		return doctor_no_answer(d, "the webhook", shown,
					"as webhook.ca", &reply);
	return doctor_found(d, HEALTH_OK, NULL, "%s can be reached", shown);
}

enum health check_clock(struct doctor *d)
{
	struct timex state = { .modes = 0 };

	if (adjtimex(&state) == TIME_ERROR || state.status & STA_UNSYNC)
		return doctor_found(d, HEALTH_WARN,
				    "switch on NTP (timedatectl set-ntp true); "
				    "registries allow a minute",
				    "nothing keeps this machine's clock right");
	return doctor_found(d, HEALTH_OK, NULL, "is synchronised");
}

/* As the server does it; of this process, which is started another way. */
enum health check_descriptors(struct doctor *d)
{
	const unsigned want = d->call->config->connections;
	struct crowd *crowd;
	unsigned total = want;

	if (crowd_new(&crowd))
		return doctor_found(d, HEALTH_WARN, NULL, "no limit is known");
	crowd_limit(crowd, &total, want);
	crowd_free(crowd);
	if (total < want)
		return doctor_found(
			d, HEALTH_WARN, "raise it (LimitNOFILE=, ulimit -n)",
			"limits.connections is %u; started from this shell, "
			"the descriptor limit would make it %u",
			want, total);
	return doctor_found(d, HEALTH_OK, NULL, "enough for %u connections",
			    want);
}
