/*
 * server/cli/doctor_near.c - what is beside the server: its url, mail server
 * and webhook, the machine's clock and limits.
 */
#include "server/cli/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>

#include "server/crowd.h"
#include "server/jobs/courier.h"

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
