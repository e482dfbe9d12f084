/*
 * server/metrics_print.c - the table of metrics. Names by Prometheus'
 * conventions: base units, _total for counters alone.
 */
#include "server/metrics.h"

#include <stdio.h>
#include <time.h>

#include "server/crowd.h"
#include "server/log.h"
#include "server/services.h"
#include "server/version.h"
#include "store/census.h"
#include "store/job.h"
#include "token/encode.h"

/* One scrape. */
struct scrape {
	const struct request *req;
	const struct monitor *monitor;
	const char *name; /* of the metric at hand */
	struct buf *buf;
	uint64_t sums[METRICS_LEN];
	struct db_usage usage;
};

static const char *const outcomes[] = {
	[OUTCOME_ISSUED] = "issued",
	[OUTCOME_REFUSED] = "refused",
	[OUTCOME_FAILED] = "failed",
};

static void put(const struct scrape *s, uint64_t n)
{
	buf_add(s->buf, str_of(s->name));
	buf_add_char(s->buf, ' ');
	buf_add_u64(s->buf, n);
	buf_add_char(s->buf, '\n');
}

static void put_ns(const struct scrape *s, const char *labels, uint64_t ns)
{
	buf_printf(s->buf, "%s%s %llu.%09llu\n", s->name, labels,
		   (unsigned long long)(ns / 1000000000),
		   (unsigned long long)(ns % 1000000000));
}

/* A label's value is a text of ours, or a listener's address. */
static void put_label(const struct scrape *s, const char *label,
		      struct str value, uint64_t n)
{
	buf_printf(s->buf, "%s{%s=\"" STR_FMT "\"} %llu\n", s->name, label,
		   STR_ARG(value), (unsigned long long)n);
}

static void put_build(const struct scrape *s)
{
	put_label(s, "version", STR(DOCKPASS_VERSION), 1);
}

static void put_started(const struct scrape *s)
{
	put(s, (uint64_t)s->monitor->started_at);
}

static void put_cpu(const struct scrape *s)
{
	struct timespec ts = { 0 };

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	put_ns(s, "", (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec);
}

static void put_workers(const struct scrape *s)
{
	put(s, s->monitor->workers);
}

static void put_draining(const struct scrape *s)
{
	put(s, atomic_load(&s->monitor->draining));
}

static void put_reload(const struct scrape *s)
{
	put(s, !atomic_load(&s->monitor->reload_failed));
}

static void put_reloaded(const struct scrape *s)
{
	put(s, (uint64_t)atomic_load(&s->monitor->reloaded_at));
}

#define CONFIG_INFO "dockpass_config_info"

void metrics_put_config(const struct config *config, struct buf *out)
{
	struct digest digest;

	if (config_digest(config, &digest))
		return;
	buf_add(out, STR(CONFIG_INFO "{sha256=\""));
	hex_add(out, digest_str(&digest));
	buf_add(out, STR("\"} 1\n"));
}

static void put_config(const struct scrape *s)
{
	metrics_put_config(s->req->live->config, s->buf);
}

/* A rate needs a counter that is there before it counts. */
static void put_requests(const struct scrape *s)
{
	for (unsigned i = 0; i < OUTCOME_COUNT * REASON_COUNT; i++) {
		enum outcome outcome = i / REASON_COUNT;
		enum reason reason = i % REASON_COUNT;
		uint64_t n = s->sums[AT_REASON + i];

		if (!n && (outcome != reason_outcome(reason) ||
			   reason == REASON_NONE))
			continue;
		buf_printf(s->buf,
			   "%s{outcome=\"%s\",reason=\"" STR_FMT "\"} %llu\n",
			   s->name, outcomes[outcome],
			   STR_ARG(reason_code(reason)), (unsigned long long)n);
	}
}

static void put_bucket(const struct scrape *s, enum outcome outcome,
		       const char *end, uint64_t n)
{
	buf_printf(s->buf, "%s_bucket{outcome=\"%s\",le=\"%s\"} %llu\n",
		   s->name, outcomes[outcome], end, (unsigned long long)n);
}

static void put_duration(const struct scrape *s)
{
	for (unsigned outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
		const uint64_t *counts =
			&s->sums[AT_BUCKET + outcome * (BUCKETS + 1)];
		uint64_t n = 0, ns = s->sums[AT_NS + outcome];

		for (unsigned i = 0; i < BUCKETS; i++) {
			char end[32];

			n += counts[i];
			snprintf(end, sizeof(end), "%g",
				 (double)buckets_us[i] / 1e6);
			put_bucket(s, outcome, end, n);
		}
		n += counts[BUCKETS];
		put_bucket(s, outcome, "+Inf", n);
		buf_printf(s->buf,
			   "%s_sum{outcome=\"%s\"} %llu.%09llu\n"
			   "%s_count{outcome=\"%s\"} %llu\n",
			   s->name, outcomes[outcome],
			   (unsigned long long)(ns / 1000000000),
			   (unsigned long long)(ns % 1000000000), s->name,
			   outcomes[outcome], (unsigned long long)n);
	}
}

static void put_responses(const struct scrape *s)
{
	for (unsigned i = 0; i < STATUSES; i++)
		buf_printf(s->buf, "%s{code=\"%d\"} %llu\n", s->name,
			   status_number(i),
			   (unsigned long long)s->sums[AT_STATUS + i]);
}

static void put_connections(const struct scrape *s)
{
	put(s, crowd_count(s->monitor->crowd));
}

static void put_connections_most(const struct scrape *s)
{
	put(s, crowd_most(s->monitor->crowd));
}

static void put_accepted(const struct scrape *s)
{
	put(s, s->sums[METRIC_ACCEPTED]);
}

static void put_crowded(const struct scrape *s)
{
	put_label(s, "limit", STR("connections"), s->sums[METRIC_CROWDED]);
	put_label(s, "limit", STR("connections_per_address"),
		  s->sums[METRIC_CROWDED_ADDRESS]);
	put_label(s, "limit", STR("held"), s->sums[METRIC_CROWDED_HELD]);
}

static void put_slow(const struct scrape *s)
{
	put_label(s, "in", STR("first_byte"), s->sums[METRIC_SLOW_FIRST]);
	put_label(s, "in", STR("request"), s->sums[METRIC_SLOW_REQUEST]);
	put_label(s, "in", STR("reply"), s->sums[METRIC_SLOW_REPLY]);
	put_label(s, "in", STR("next_request"), s->sums[METRIC_SLOW_NEXT]);
}

static void put_held(const struct scrape *s)
{
	put(s, monitor_held(s->monitor).now);
}

static void put_held_most(const struct scrape *s)
{
	put(s, monitor_held(s->monitor).most);
}

static void put_tls_failed(const struct scrape *s)
{
	for (unsigned i = 0; i < TLS_FAILURES; i++)
		put_label(s, "cause", str_of(tls_failure_label(i)),
			  s->sums[AT_TLS + i]);
}

static void put_late(const struct scrape *s)
{
	put(s, s->sums[METRIC_LATE]);
}

static void put_passwords(const struct scrape *s)
{
	put(s, password_waiting(s->req->services->pool));
}

static void put_writer(const struct scrape *s)
{
	put(s, writer_waiting(s->req->services->writer));
}

static void put_writer_wait(const struct scrape *s)
{
	int64_t ms = writer_wait(s->req->services->writer);

	put_ns(s, "", (uint64_t)ms * 1000000);
}

static void put_commits_failed(const struct scrape *s)
{
	put(s, writer_failed(s->req->services->writer));
}

static void put_log_lost(const struct scrape *s)
{
	struct log_state state;

	log_state(&state);
	put(s, state.lost);
}

static void put_log_failing(const struct scrape *s)
{
	struct log_state state;

	log_state(&state);
	put(s, state.failing);
}

static void put_disk(const struct scrape *s)
{
	struct disk disk;

	if (db_disk(db_folder(s->req->services->db), &disk))
		put(s, disk.left);
}

static void put_file(const struct scrape *s)
{
	put(s, s->usage.file);
}

static void put_used(const struct scrape *s)
{
	put(s, s->usage.used);
}

static void put_limit(const struct scrape *s)
{
	put(s, s->usage.limit);
}

static void put_map(const struct scrape *s)
{
	put(s, s->usage.map);
}

static void put_entries(const struct scrape *s)
{
	for (enum table table = 0; table < TABLE_COUNT; table++)
		put_label(s, "table", table_name(table),
			  txn_count(s->req->txn, table));
}

static void put_readers(const struct scrape *s)
{
	put(s, s->usage.readers);
}

static void put_slots(const struct scrape *s)
{
	put(s, s->usage.slots);
}

static void put_commit(const struct scrape *s)
{
	put(s, txn_id(s->req->txn));
}

void metrics_put_key(const struct key *key, struct buf *out)
{
	buf_printf(out,
		   METRICS_KEY "{kid=\"%s\",alg=\"" STR_FMT
			       "\",state=\"" STR_FMT "\"} %lld\n",
		   key->libtrust, STR_ARG(key_alg_name(key->alg)),
		   STR_ARG(key_state_name(key->state)),
		   (long long)key->not_after);
}

static void put_keys(const struct scrape *s)
{
	const struct keyring *keyring = s->req->live->keyring;

	for (size_t i = 0; i < keyring_len(keyring); i++)
		metrics_put_key(keyring_at(keyring, i), s->buf);
}

#define CERTIFICATE_EXPIRY "dockpass_certificate_expiry_timestamp_seconds"

/* A path may hold anything but controls. */
static void put_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, *text);
	}
}

void metrics_put_certificate(const char *address, const struct tls_file *file,
			     struct buf *out)
{
	buf_printf(out, CERTIFICATE_EXPIRY "{listener=\"%s\",file=\"", address);
	put_escaped(out, file->path);
	buf_add(out, STR("\",sha256=\""));
	hex_add(out, digest_str(&file->digest));
	buf_printf(out, "\"} %lld\n", (long long)file->ends);
}

static void put_certificates(const struct scrape *s)
{
	const struct live *live = s->req->live;

	const char *address;
	size_t n;

	for (unsigned i = 0; live_listener(live->config, i, &address); i++) {
		const struct tls_file *files =
			live->tls[i] ? tls_files(live->tls[i], &n) : NULL;

		for (size_t j = 0; files && j < n; j++)
			metrics_put_certificate(address, &files[j], s->buf);
	}
}

/* Nothing is said before it has been counted. */
static void put_expiring(const struct scrape *s)
{
	int64_t n = atomic_load(&s->monitor->expiring);

	if (n >= 0)
		put(s, (uint64_t)n);
}

/* Those that were given up are in the table for a while, too. */
static uint64_t count_waiting(const struct scrape *s)
{
	uint64_t all = txn_count(s->req->txn, TABLE_MAILBOX);
	int64_t lost = atomic_load(&s->monitor->given_up);

	return lost > 0 ? all - (all < (uint64_t)lost ? all : (uint64_t)lost)
			: all;
}

static void put_notices(const struct scrape *s)
{
	put(s, count_waiting(s));
}

static void put_oldest(const struct scrape *s)
{
	int64_t oldest = atomic_load(&s->monitor->oldest_notice);
	bool some = oldest && count_waiting(s);

	put(s, some && oldest < s->req->now ? (uint64_t)(s->req->now - oldest)
					    : 0);
}

static void put_given_up(const struct scrape *s)
{
	int64_t n = atomic_load(&s->monitor->given_up);

	if (n >= 0)
		put(s, (uint64_t)n);
}

/* One that never ran is late, too: from when the store was made. */
static void put_checks(const struct scrape *s)
{
	for (unsigned job = JOB_FIRST; job <= JOB_LAST; job++) {
		struct job_state state;

		if (job_get(s->req->txn, (enum job)job, &state))
			continue;
		if (!state.ran_at && job != JOB_LIFETIME)
			state.ran_at = txn_created_at(s->req->txn);
		put_label(s, "check", str_of(job_name((enum job)job)),
			  (uint64_t)state.ran_at);
	}
}

/* clang-format off */
/* `store`: not said when the store cannot be read. */
static const struct {
	const char *name, *type, *help;
	void (*put)(const struct scrape *scrape);
	bool store;
} rows[] = {
	{ "dockpass_build_info", "gauge", "Which dockpass it is; always 1.", put_build, false },
	{ "process_start_time_seconds", "gauge", "When it was started, in seconds since 1970.", put_started, false },
	{ "process_cpu_seconds_total", "counter", "Processor time that all its threads have used.", put_cpu, false },
	{ "dockpass_workers", "gauge", "Event loops.", put_workers, false },
	{ "dockpass_draining", "gauge", "1 once it has been told to end.", put_draining, false },
	{ "dockpass_reload_successful", "gauge", "1 if the last reload was done; 0: it was refused, and the old configuration stays.", put_reload, false },
	{ "dockpass_reload_success_timestamp_seconds", "gauge", "When the configuration in effect was read, in seconds since 1970.", put_reloaded, false },
	{ CONFIG_INFO, "gauge", "The configuration in effect, by what changes with any of its options; always 1.", put_config, false },
	{ "dockpass_token_requests_total", "counter", "Token requests, by outcome and by the reason code of the log.", put_requests, false },
	{ "dockpass_token_request_duration_seconds", "histogram", "From a token request to its answer, by outcome.", put_duration, false },
	{ "dockpass_http_responses_total", "counter", "Answers of the public listeners, by status.", put_responses, false },
	{ "dockpass_connections", "gauge", "Open connections that count against limits.connections.", put_connections, false },
	{ "dockpass_connections_limit", "gauge", "As many as there may be.", put_connections_most, false },
	{ "dockpass_connections_accepted_total", "counter", "Connections of the public listeners.", put_accepted, false },
	{ "dockpass_connections_crowded_total", "counter", "Of them, those that were over a limit: answered 503, or closed.", put_crowded, false },
	{ "dockpass_connections_slow_total", "counter", "Of them, those that were ended as their peer took too long, by what it took too long in.", put_slow, false },
	{ "dockpass_held_bytes", "gauge", "Memory of requests that are not whole and of answers that are not taken.", put_held, false },
	{ "dockpass_held_limit_bytes", "gauge", "As much as there may be (limits.held).", put_held_most, false },
	{ "dockpass_tls_handshakes_failed_total", "counter", "TLS handshakes that a client began and that were not completed, by cause.", put_tls_failed, false },
	{ "dockpass_answers_held_back_total", "counter", "Answers to wrong secrets that came late, as there were too many of them (guard.failures).", put_late, false },
	{ "dockpass_password_queue_length", "gauge", "Passwords that wait to be checked.", put_passwords, false },
	{ "dockpass_writer_queue_length", "gauge", "Changes that wait for the disk.", put_writer, false },
	{ "dockpass_writer_wait_seconds", "gauge", "For how long changes have waited by now: for the disk, or for a process that holds the store's lock.", put_writer_wait, false },
	{ "dockpass_store_commits_failed_total", "counter", "Groups of changes that the server could not write: the disk is full, or the store damaged.", put_commits_failed, false },
	{ "dockpass_store_disk_free_bytes", "gauge", "Space that is left on the store's disk.", put_disk, false },
	{ "dockpass_log_lines_lost_total", "counter", "Lines of the log that log.file, syslog or standard error did not take.", put_log_lost, false },
	{ "dockpass_log_failing", "gauge", "1 while log.file or syslog takes no lines: they wait, and are lost when there are too many.", put_log_failing, false },
	{ "dockpass_store_size_bytes", "gauge", "Size of the store's file, which never shrinks.", put_file, true },
	{ "dockpass_store_used_bytes", "gauge", "Of it, what is in use; the rest is taken before it grows.", put_used, true },
	{ "dockpass_store_limit_bytes", "gauge", "store_size: from so much in use on nothing is added.", put_limit, true },
	{ "dockpass_store_map_bytes", "gauge", "Size that the file can have.", put_map, true },
	{ "dockpass_store_entries", "gauge", "Rows, by table.", put_entries, true },
	{ "dockpass_store_readers", "gauge", "Reader slots in use, by all processes.", put_readers, true },
	{ "dockpass_store_readers_limit", "gauge", "Reader slots.", put_slots, true },
	{ "dockpass_store_last_commit_id", "gauge", "Number of the newest commit.", put_commit, true },
	{ METRICS_KEY, "gauge", "When the certificate of a signing key ends, in seconds since 1970.", put_keys, false },
	{ CERTIFICATE_EXPIRY, "gauge", "When a TLS certificate of a listener ends, or the first of its client_ca, in seconds since 1970; sha256 is of all that are in the file.", put_certificates, false },
	{ "dockpass_tokens_expiring_soon", "gauge", "Living tokens that die within 7 days and have not been rotated.", put_expiring, false },
	{ "dockpass_notices_queued", "gauge", "Mail and webhook calls that have not been delivered.", put_notices, true },
	{ "dockpass_notices_oldest_age_seconds", "gauge", "For how long the oldest of them has waited.", put_oldest, true },
	{ "dockpass_notices_given_up", "gauge", "Mail and webhook calls that were given up in the last 7 days, after three days each.", put_given_up, true },
	{ "dockpass_check_last_run_timestamp_seconds", "gauge", "When a check of all tokens ran last, in seconds since 1970; never yet: when the store was made, and 0 of lifetime.", put_checks, true },
};
/* clang-format on */

enum status metrics_get(struct request *req, struct reply *reply)
{
	struct scrape s = {
		.req = req,
		.monitor = req->services->monitor,
		.buf = reply->body,
	};

	monitor_sum(s.monitor, s.sums);
	db_usage(req->txn, &s.usage);
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (rows[i].store && req->txn->err)
			continue;
		s.name = rows[i].name;
		buf_printf(s.buf, "# HELP %s %s\n# TYPE %s %s\n", s.name,
			   rows[i].help, s.name, rows[i].type);
		rows[i].put(&s);
	}
	reply->type = "text/plain; version=0.0.4; charset=utf-8";
	reply->no_store = true;
	return STATUS_OK;
}
