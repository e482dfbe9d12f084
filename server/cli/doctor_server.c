/*
 * server/cli/doctor_server.c - the server that runs on this machine: does it
 * answer, and does it go by what is on the disk?
 */
#include "server/cli/doctor.h"

#include <string.h>

#include "server/http/ready.h"
#include "server/live.h"
#include "server/metrics.h"
#include "server/tls.h"

enum { METRIC_MAX = 16 * 1024 };

static const char start_it[] =
	"start it, with systemctl start dockpass or dockpass serve; its log "
	"says why it ended";
static const char restart_it[] =
	"listeners, their tls and admin.address take a restart: systemctl "
	"restart dockpass; or it was started with other DOCKPASS_* variables";
const char doctor_see_port[] =
	"see what has that port: ss -ltnp (package iproute2)";
static const char see_port_or_restart[] =
	"see what has that port: ss -ltnp (package iproute2); if it is "
	"dockpass, it has another store: systemctl restart dockpass";
const char doctor_not_asked[] =
	"every listener is for proxies or for clients with a certificate";

static const char *base_url(struct doctor *d, const char *address, bool tls)
{
	const char *port = strrchr(address, ':');
	struct str host = { address, (size_t)(port - address) };

	return doctor_text(d, "http%s://" STR_FMT "%s", tls ? "s" : "",
			   STR_ARG(host_near(host)), port);
}

static bool wants_certificate(const struct config_tls *tls)
{
	return tls->client_ca && (!tls->client_certificates ||
				  strcmp(tls->client_certificates, "optional"));
}

bool near_at(struct doctor *d, unsigned i, struct near *out)
{
	const struct config *config = d->call->config;
	const char *address = "";
	const struct config_tls *tls = live_listener(config, i, &address);

	*out = (struct near) { 0 };
	if (!tls || !*address)
		return false;
	*out = (struct near) {
		.address = address,
		.base = base_url(d, address, config_certificates(tls) > 0),
		.tls = tls,
		.admin = i == config->listeners_count,
	};
	out->open = !wants_certificate(tls) &&
		    (out->admin || !config->listeners[i].proxy_protocol);
	return true;
}

bool near_open(struct doctor *d, bool admin, struct near *out)
{
	for (unsigned i = 0; near_at(d, i, out); i++)
		if (out->open && out->admin == admin)
			return true;
	return false;
}

bool doctor_unserved(const struct doctor *d)
{
	return d->known & KNOWN_OWNER && !db_served(d->call->config->store);
}

/* Of a server that has this store. */
static enum health found_stuck(struct doctor *d, const struct near *near,
			       const struct transfer_reply *reply)
{
	if (reply->end == TRANSFER_LATE)
		return doctor_found(
			d, HEALTH_FAIL,
			"its log's lines of watchdog say what does not go on; "
			"systemctl restart dockpass",
			"dockpass runs, but gives no answer at %s within %d s",
			near->base, DOCTOR_ASK_SECONDS);
	if (reply->end == TRANSFER_CUT)
		return doctor_no_answer(d, "dockpass, which runs", near->base,
					"", reply);
	return doctor_found(d, HEALTH_FAIL, restart_it,
			    "dockpass runs, but does not answer at %s: %.300s",
			    near->base, reply->said);
}

static enum health found_silence(struct doctor *d, const struct near *near,
				 const struct transfer_reply *reply)
{
	if (db_served(d->call->config->store))
		return found_stuck(d, near, reply);
	if (reply->end == TRANSFER_REFUSED)
		return doctor_found(d, HEALTH_FAIL, start_it,
				    "dockpass does not run: nothing listens at "
				    "%s",
				    near->address);
	return doctor_no_answer(d, "the server", near->base, "", reply);
}

static bool has_text(struct str s, const char *text)
{
	return memmem(s.at, s.len, text, strlen(text));
}

/* Its words for why: {"status":"not ready","checks":{...}}. */
static enum health found_unready(struct doctor *d, const struct near *near,
				 struct str said)
{
	if (has_text(said, READY_ENDING))
		return doctor_found(d, HEALTH_FAIL,
				    "once it has ended (admin.drain), "
				    "systemctl start dockpass",
				    "the server has been told to end, and "
				    "reads nothing any more");
	return doctor_found(d, HEALTH_FAIL, "its log says why",
			    "the server is not ready: %s/readyz says %.*s",
			    near->base, SHOW(said));
}

/* Its certificate is of another name: nobody is told a secret here. */
static enum health ask_health(struct doctor *d, const struct near *near)
{
	const char *url = doctor_text(d, "%s/%s", near->base,
				      near->admin ? "readyz" : "healthz");
	AUTO(buf) struct buf head, body;
	struct transfer_reply reply;

	doctor_get(d, url, NULL, true, &head, &body, &reply);
	if (reply.end != TRANSFER_DONE)
		return found_silence(d, near, &reply);
	if (reply.status == 503 && has_text(buf_str(&body), READY_NOT))
		return found_unready(d, near, buf_str(&body));
	if (reply.status == 503)
		return doctor_found(d, HEALTH_FAIL,
				    "its log's lines of overload name the "
				    "limit and an address",
				    "%s turns connections away: too many are "
				    "open",
				    near->address);
	if (reply.status != 200)
		return doctor_found(d, HEALTH_FAIL, doctor_see_port,
				    "what answers at %s is no dockpass (%ld)",
				    near->address, reply.status);
	return HEALTH_OK;
}

/* Nothing can be asked there; whether somebody listens is seen all the same. */
static enum health knock(struct doctor *d, const struct near *near)
{
	struct transfer_ask ask = {
		.url = base_url(d, near->address, false),
		.schemes = "http",
		.seconds = DOCTOR_ASK_SECONDS,
	};
	struct transfer_reply reply;

	transfer_connect(d->transfer, &ask, &reply);
	if (reply.end != TRANSFER_DONE)
		return found_silence(d, near, &reply);
	if (doctor_unserved(d))
		return doctor_found(d, HEALTH_FAIL, see_port_or_restart,
				    "what listens at %s is another program: "
				    "nobody serves %s",
				    near->address, d->call->config->store);
	return HEALTH_OK;
}

enum health check_server(struct doctor *d)
{
	const char *at = NULL;
	struct near near;

	for (unsigned i = 0; near_at(d, i, &near); i++) {
		enum health health =
			near.open ? ask_health(d, &near) : knock(d, &near);

		if (health != HEALTH_OK)
			return health;
		if (near.open && !at)
			at = near.address;
	}
	d->known |= KNOWN_SERVER;
	if (at)
		return doctor_found(d, HEALTH_OK, NULL, "answers at %s", at);
	return doctor_found(d, HEALTH_OK, NULL, "listens at %s; %s: not asked",
			    d->call->config->listeners[0].address,
			    doctor_not_asked);
}

/* Of a listener's files, by the lines that the server has of its own. */
static enum health compare_files(struct doctor *d, const struct near *near,
				 const struct tls_file *files, size_t count,
				 struct str lines)
{
	for (size_t i = 0; i < count; i++) {
		AUTO(buf) struct buf own;

		buf_init(&own, METRIC_MAX);
		metrics_put_certificate(near->address, &files[i], &own);
		if (!own.over && memmem(lines.at, lines.len, own.at, own.len))
			continue;
		return doctor_found(
			d, HEALTH_FAIL, doctor_tell(d),
			files[i].clients
				? "the server asks for certificates of others "
				  "than %s has: it changed, and it was not told"
				: "the server shows another certificate than "
				  "%s: it changed, and it was not told",
			files[i].path);
	}
	return HEALTH_OK;
}

/* What cannot be loaded is told elsewhere. */
static enum health compare_tls(struct doctor *d, struct str lines)
{
	enum health health = HEALTH_OK;
	struct near near;

	for (unsigned i = 0; !health && near_at(d, i, &near); i++) {
		const struct tls_file *files;
		struct ssl_ctx_st *tls;
		struct cause cause;
		size_t count;

		if (!config_certificates(near.tls) ||
		    tls_new(near.tls, &tls, &cause))
			continue;
		files = tls_files(tls, &count);
		health = compare_files(d, &near, files, count, lines);
		tls_free(tls);
	}
	return health;
}

/* Options that are of no key and no certificate, or a file's that is gone. */
static enum health compare_config(struct doctor *d, struct str lines)
{
	const struct config *config = d->call->config;
	AUTO(buf) struct buf own;

	buf_init(&own, METRIC_MAX);
	metrics_put_config(config, &own);
	if (own.len && memmem(lines.at, lines.len, own.at, own.len))
		return HEALTH_OK;
	return doctor_found(d, HEALTH_WARN,
			    doctor_text(d,
					"%s; if it still says so, restart "
					"it",
					doctor_tell(d)),
			    "the running server goes by other options than %s: "
			    "they changed, and it was not told; or it was "
			    "started with other DOCKPASS_* variables",
			    config->path);
}

enum health doctor_shown(struct doctor *d)
{
	AUTO(buf) struct buf head, body;
	struct transfer_reply reply;
	enum health health;
	struct near near;
	const char *url;

	buf_init(&head, 0);
	buf_init(&body, 0);
	if (!near_open(d, true, &near))
		return HEALTH_SKIPPED;
	url = doctor_text(d, "%s/metrics", near.base);
	doctor_get(d, url, NULL, true, &head, &body, &reply);
	if (reply.end != TRANSFER_DONE || reply.status != 200)
		return HEALTH_SKIPPED;
	health = compare_tls(d, buf_str(&body));
	return health ? health : compare_config(d, buf_str(&body));
}
