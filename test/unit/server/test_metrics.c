/*
 * test/unit/server/test_metrics.c - server/metrics: what workers count is what
 * a scrape says; /readyz; which listener has which path.
 */
#include "test/unit/store/fixture.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "server/crowd.h"
#include "server/metrics.h"
#include "server/services.h"
#include "store/job.h"
#include "store/mailbox.h"
#include "store/user.h"
#include "token/claims.h"

enum { WORKERS = 2, MANY = 100000 };

static struct config_listener listener = { .address = "127.0.0.1:5001" };
static struct config config = { .listeners = &listener, .listeners_count = 1 };
static struct live live = { .config = &config };
static struct ssl_ctx_st *no_tls[2]; /* admin's is the last */
static struct fixture fixture;
static struct services shared;
static struct monitor *monitor;
static struct txn txn;
static struct buf body, pem;

static int up(void **state)
{
	struct cause cause;

	(void)state;
	fixture_open(&fixture);
	add_user(fixture.db, "alice", 0);
	live.keyring = keyring_new();
	live.tls = no_tls;
	buf_init(&pem, 65536);
	assert_int_equal(key_generate(ALG_ES256, STR("test"), NOW, &pem), E_OK);
	assert_int_equal(
		keyring_add(live.keyring, buf_str(&pem), KEY_CURRENT, &cause),
		E_OK);
	live.key = keyring_current(live.keyring);
	shared.db = fixture.db;
	assert_int_equal(writer_start(fixture.db, &shared.writer), E_OK);
	assert_int_equal(password_pool_start(1, &shared.pool), E_OK);
	assert_int_equal(monitor_new(WORKERS, NOW, &monitor), E_OK);
	assert_int_equal(crowd_new(&monitor->crowd), E_OK);
	shared.monitor = monitor;
	txn_read(fixture.db, &txn);
	buf_init(&body, 1 << 20);
	return 0;
}

static int down(void **state)
{
	(void)state;
	buf_done(&body);
	buf_done(&pem);
	txn_cleanup(&txn);
	crowd_free(monitor->crowd);
	monitor_free(monitor);
	password_pool_stop(shared.pool);
	assert_true(writer_stop(shared.writer, 10000));
	keyring_free(live.keyring);
	fixture_close(&fixture);
	return 0;
}

static enum status ask(bool admin, const char *path, struct signer *signer)
{
	struct request req = {
		.path = str_of(path),
		.admin = admin,
		.live = &live,
		.signer = signer,
		.services = &shared,
		.txn = &txn,
		.now = NOW,
	};
	struct reply reply = { .body = &body };
	enum status status;

	buf_clear(&body);
	status = route_request(&req, &reply);
	buf_add_char(&body, '\0');
	return status;
}

static void assert_line(const char *line)
{
	char want[300];

	snprintf(want, sizeof(want), "\n%s\n", line);
	if (!strstr(body.at, want))
		fail_msg("no line '%s' in\n%s", line, body.at);
}

static void *on_worker(void *arg)
{
	struct metrics *metrics = arg;

	for (unsigned i = 0; i < MANY; i++) {
		metrics_reply(metrics, STATUS_OK);
		metrics_token(metrics, STATUS_OK, REASON_GRANTED, 1000);
	}
	return NULL;
}

/* While two count, a third adds up: nothing is lost, nothing is too much. */
static void sum_of_two_workers(void **state)
{
	uint64_t sums[METRICS_LEN], before = 0;
	pthread_t threads[WORKERS];

	(void)state;
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, on_worker,
			       &monitor->metrics[i]);
	do {
		monitor_sum(monitor, sums);
		assert_true(sums[AT_STATUS] >= before);
		assert_true(sums[AT_STATUS] <= WORKERS * MANY);
		before = sums[AT_STATUS];
	} while (before < WORKERS * MANY);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(ask(true, "/metrics", NULL), STATUS_OK);
	assert_line("dockpass_http_responses_total{code=\"200\"} 200000");
	assert_line("dockpass_token_requests_total{outcome=\"issued\",reason="
		    "\"granted\"} 200000");
	assert_line("dockpass_token_request_duration_seconds_sum{outcome="
		    "\"issued\"} 0.200000000");
	assert_line("dockpass_token_request_duration_seconds_bucket{outcome="
		    "\"issued\",le=\"2.5e-05\"} 200000");
}

/* Of refusals, to keep them apart from the above. */
static const struct {
	uint64_t ns;
	const char *first; /* of the buckets that has it */
} ends[] = {
	{ 25000, "2.5e-05" },	     { 25001, "5e-05" },
	{ 1000000000, "1" },	     { 9999999999, "10" },
	{ 10000000000, "10" },	     { 10000000001, "+Inf" },
	{ UINT32_MAX * 9l, "+Inf" },
};

static uint64_t in_bucket(const char *end)
{
	char line[200];
	const char *at;

	snprintf(line, sizeof(line),
		 "\ndockpass_token_request_duration_seconds_bucket{outcome="
		 "\"refused\",le=\"%s\"} ",
		 end);
	at = strstr(body.at, line);
	assert_non_null(at);
	return strtoull(at + strlen(line), NULL, 10);
}

static void ends_of_buckets(void **state)
{
	static const char *const all[] = { "2.5e-05", "5e-05", "0.0001", "1",
					   "2.5",     "10",    "+Inf" };

	(void)state;
	for (size_t i = 0; i < COUNT(ends); i++) {
		uint64_t before[COUNT(all)];
		bool reached = false;

		ask(true, "/metrics", NULL);
		for (size_t k = 0; k < COUNT(all); k++)
			before[k] = in_bucket(all[k]);
		metrics_token(&monitor->metrics[i % WORKERS],
			      STATUS_UNAUTHORIZED, REASON_TOKEN_REVOKED,
			      ends[i].ns);
		ask(true, "/metrics", NULL);
		for (size_t k = 0; k < COUNT(all); k++) {
			reached |= !strcmp(all[k], ends[i].first);
			assert_int_equal(in_bucket(all[k]),
					 before[k] + reached);
		}
	}
}

/* Each of a kind is where it belongs, and there before it has counted. */
static void every_status_and_reason(void **state)
{
	(void)state;
	for (unsigned i = 0; i < STATUSES; i++)
		metrics_reply(&monitor->metrics[1],
			      (enum status)status_number(i));
	metrics_token(&monitor->metrics[1], STATUS_UNAVAILABLE, REASON_TOO_BUSY,
		      1);
	metrics_token(&monitor->metrics[1], STATUS_FORBIDDEN,
		      REASON_NO_REGISTRY_SCOPE, 1);
	for (enum metric i = 0; i < METRIC_COUNT; i++)
		for (unsigned k = 0; k <= (unsigned)i; k++)
			metrics_count(&monitor->metrics[k % WORKERS], i);
	for (unsigned i = 0; i < TLS_FAILURES; i++)
		for (unsigned k = 0; k <= i; k++)
			metrics_handshake(&monitor->metrics[k % WORKERS], i);
	ask(true, "/metrics", NULL);
	assert_line("dockpass_http_responses_total{code=\"200\"} 200001");
	assert_line("dockpass_http_responses_total{code=\"503\"} 1");
	assert_line("dockpass_connections_accepted_total 1");
	assert_line("dockpass_answers_held_back_total 3");
	for (unsigned i = 0; i < TLS_FAILURES; i++) {
		char line[100];

		snprintf(line, sizeof(line),
			 "dockpass_tls_handshakes_failed_total{cause=\"%s\"} "
			 "%u",
			 tls_failure_label(i), i + 1);
		assert_line(line);
	}
	assert_line("dockpass_connections_crowded_total{limit=\"connections\"} "
		    "2");
	assert_line("dockpass_connections_crowded_total{limit=\"held\"} 5");
	assert_line("dockpass_connections_slow_total{in=\"first_byte\"} 6");
	assert_line("dockpass_connections_slow_total{in=\"next_request\"} 9");
	for (enum reason reason = REASON_GRANTED; reason < REASON_COUNT;
	     reason++) {
		char part[100];

		snprintf(part, sizeof(part), ",reason=\"" STR_FMT "\"} ",
			 STR_ARG(reason_code(reason)));
		assert_non_null(strstr(body.at, part));
		assert_null(strstr(strstr(body.at, part) + 1, part));
	}
	assert_line("dockpass_token_requests_total{outcome=\"failed\",reason="
		    "\"too_busy\"} 1");
	assert_line("dockpass_token_requests_total{outcome=\"refused\",reason="
		    "\"no_registry_scope\"} 1");
	/* It comes with a token, of nothing. */
	assert_line("dockpass_token_requests_total{outcome=\"issued\",reason="
		    "\"token_repository\"} 0");
}

static void gauges(void **state)
{
	struct db_usage usage;
	char line[200];

	(void)state;
	ask(true, "/metrics", NULL);
	snprintf(line, sizeof(line), "process_start_time_seconds %d", NOW);
	assert_line(line);
	assert_line("dockpass_workers 2");
	assert_line("dockpass_store_entries{table=\"user\"} 1");
	assert_line("dockpass_store_last_commit_id 2");
	assert_line("dockpass_store_map_bytes 68719476736");
	assert_line("dockpass_store_readers 1");
	db_usage(&txn, &usage);
	snprintf(line, sizeof(line), "dockpass_store_size_bytes %llu",
		 (unsigned long long)usage.file);
	assert_line(line);
	assert_null(strstr(body.at, "\ndockpass_tokens_expiring_soon"));
	atomic_store(&monitor->expiring, 3);
	atomic_store(&monitor->oldest_notice, NOW - 60);
	monitor_reload(monitor, false, NOW + 5);
	ask(true, "/metrics", NULL);
	assert_line("dockpass_tokens_expiring_soon 3");
	assert_line("dockpass_notices_oldest_age_seconds 0"); /* none waits */
	assert_line("dockpass_reload_successful 0");
	monitor_reload(monitor, true, 1800000000);
	ask(true, "/metrics", NULL);
	assert_line("dockpass_reload_successful 1");
	assert_line("dockpass_reload_success_timestamp_seconds 1800000000");
}

static void begin(struct txn *write)
{
	txn_cleanup(&txn);
	txn_write(fixture.db, write);
}

static void commit(struct txn *write)
{
	assert_int_equal(txn_commit(write), E_OK);
	txn_read(fixture.db, &txn);
}

/* How many were given up is of all jobs. */
static void notices(void **state)
{
	const struct notice notice = { .next_at = NOW,
				       .queued_at = NOW - 60,
				       .job = JOB_EXPIRING,
				       .way = WAY_MAIL,
				       .user = 1,
				       .total = 1,
				       .len = 1,
				       .tokens = { 1 } };
	struct notice queued = notice;
	struct txn write;
	char made[128];

	(void)state;
	ask(true, "/metrics", NULL);
	snprintf(made, sizeof(made),
		 "dockpass_check_last_run_timestamp_seconds"
		 "{check=\"expired\"} %lld",
		 (long long)txn_created_at(&txn));
	assert_line(made);
	assert_line("dockpass_check_last_run_timestamp_seconds"
		    "{check=\"lifetime\"} 0");
	begin(&write);
	mailbox_add(&write, &queued);
	for (unsigned job = JOB_FIRST; job <= JOB_LAST; job++)
		job_put(&write, (enum job)job,
			&(struct job_state) { .ran_at = 100 * job,
					      .marker = 7,
					      .given_up = job });
	commit(&write);
	atomic_store(&monitor->oldest_notice, NOW - 60);
	ask(true, "/metrics", NULL);
	assert_line("dockpass_notices_queued 1");
	assert_line("dockpass_notices_oldest_age_seconds 60");
	assert_null(strstr(body.at, "\ndockpass_notices_given_up "));
	assert_line("dockpass_check_last_run_timestamp_seconds"
		    "{check=\"expired\"} 200");
	/* One that was given up waits no more. */
	begin(&write);
	queued = notice;
	mailbox_add(&write, &queued);
	mailbox_give_up(&write, &queued, NOW);
	commit(&write);
	atomic_store(&monitor->given_up, 1);
	ask(true, "/metrics", NULL);
	assert_line("dockpass_notices_queued 1");
	assert_line("dockpass_notices_given_up 1");
	/* By a clock that was set back since. */
	atomic_store(&monitor->oldest_notice, NOW + 60);
	ask(true, "/metrics", NULL);
	assert_line("dockpass_notices_oldest_age_seconds 0");
}

static sem_t reached, released;

static void hold(struct password_job *job)
{
	(void)job;
	sem_post(&reached);
	sem_wait(&released);
}

static void go_on(struct password_job *job)
{
	(void)job;
}

/* One is being checked, two wait. */
static void passwords_that_wait(void **state)
{
	static struct password_job jobs[3];

	(void)state;
	sem_init(&reached, 0, 0);
	sem_init(&released, 0, 0);
	for (size_t i = 0; i < COUNT(jobs); i++) {
		jobs[i] = (struct password_job) { .password = "x",
						  .hash = "*",
						  .done = i ? go_on : hold };
		assert_int_equal(password_submit(shared.pool, &jobs[i]), E_OK);
		if (!i)
			sem_wait(&reached);
	}
	ask(true, "/metrics", NULL);
	sem_post(&released);
	assert_line("dockpass_password_queue_length 2");
	while (password_waiting(shared.pool))
		sched_yield();
	ask(true, "/metrics", NULL);
	assert_line("dockpass_password_queue_length 0");
}

static void on_written(struct change *change, void *arg)
{
	(void)change, (void)arg;
}

/* Somebody else has the store's lock. */
static void changes_that_wait(void **state)
{
	static struct change changes[2];
	struct txn write;

	(void)state;
	begin(&write);
	for (size_t i = 0; i < COUNT(changes); i++) {
		changes[i] = (struct change) { .type = CHANGE_USER_FLAG,
					       .now = NOW,
					       .user = STR("alice"),
					       .flags = USER_BLOCKED,
					       .on = i };
		assert_int_equal(writer_submit(shared.writer, &changes[i],
					       on_written, NULL),
				 E_OK);
	}
	txn_read(fixture.db, &txn);
	ask(true, "/metrics", NULL);
	txn_cleanup(&write);
	assert_line("dockpass_writer_queue_length 2");
	while (writer_waiting(shared.writer))
		sched_yield();
	ask(true, "/metrics", NULL);
	assert_line("dockpass_writer_queue_length 0");
}

/* What cannot be read is left out, not told as nothing. */
static void a_store_that_fails(void **state)
{
	(void)state;
	txn.err = E_CORRUPT;
	assert_int_equal(ask(true, "/metrics", NULL), STATUS_OK);
	assert_null(strstr(body.at, "dockpass_store_used"));
	assert_null(strstr(body.at, "dockpass_store_readers"));
	assert_null(strstr(body.at, "dockpass_notices_"));
	assert_line("dockpass_http_responses_total{code=\"503\"} 1");
	assert_line("dockpass_store_commits_failed_total 0");
	txn.err = E_OK;
}

#define READY(status, store, key, draining)                                    \
	"{\"status\":\"" status "\",\"checks\":{\"store\":\"" store            \
	"\",\"key\":\"" key "\",\"draining\":\"" draining "\"}}"

static const struct {
	const char *rule;
	enum err store;
	bool key, draining;
	enum status status;
	const char *body;
} ready[] = {
	{ "all is well", E_OK, true, false, STATUS_OK,
	  READY("ready", "ok", "ok", "ok") },
	{ "the store", E_CORRUPT, true, false, STATUS_UNAVAILABLE,
	  READY("not ready", "the store is damaged; " STORE_MEND, "ok", "ok") },
	{ "the key", E_OK, false, false, STATUS_UNAVAILABLE,
	  READY("not ready", "ok", "no key signs", "ok") },
	{ "the end", E_OK, true, true, STATUS_UNAVAILABLE,
	  READY("not ready", "ok", "ok", "the server has been told to end") },
};

/* Nobody has read it before, so nobody knows. */
static void damage_meta(void)
{
	struct txn write;

	begin(&write);
	txn_remove(&write, TABLE_META, STR("created"));
	commit(&write);
	atomic_store(&monitor->draining, false);
}

static void readiness(void **state)
{
	struct signer *signer;

	(void)state;
	assert_int_equal(signer_new(live.key, &signer), E_OK);
	for (size_t i = 0; i < COUNT(ready); i++) {
		print_message("%s\n", ready[i].rule);
		txn.err = ready[i].store;
		atomic_store(&monitor->draining, ready[i].draining);
		assert_int_equal(
			ask(true, "/readyz", ready[i].key ? signer : NULL),
			ready[i].status);
		assert_string_equal(body.at, ready[i].body);
		txn.err = E_OK;
	}
	damage_meta();
	assert_int_equal(ask(true, "/readyz", signer), STATUS_UNAVAILABLE);
	assert_string_equal(body.at, ready[1].body);
	txn.err = E_OK;
	signer_free(signer);
}

static const struct {
	const char *path;
	bool admin, public;
} paths[] = {
	{ "/metrics", true, false },	{ "/readyz", true, false },
	{ "/readyz/", true, false },	{ "/healthz", true, true },
	{ "/metrics/x", false, false }, { ".gate/408", false, false },
};

static void which_listener_has_what(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		const char *path = paths[i].path;

		print_message("%s\n", path);
		assert_int_equal(ask(true, path, NULL) != STATUS_NOT_FOUND,
				 paths[i].admin || *path == '.');
		assert_int_equal(ask(false, path, NULL) != STATUS_NOT_FOUND,
				 paths[i].public || *path == '.');
	}
	assert_int_equal(ask(true, "/token", NULL), STATUS_NOT_FOUND);
	assert_int_equal(ask(true, "/.well-known/jwks.json", NULL),
			 STATUS_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sum_of_two_workers),
		cmocka_unit_test(ends_of_buckets),
		cmocka_unit_test(every_status_and_reason),
		cmocka_unit_test(gauges),
		cmocka_unit_test(notices),
		cmocka_unit_test(passwords_that_wait),
		cmocka_unit_test(changes_that_wait),
		cmocka_unit_test(a_store_that_fails),
		cmocka_unit_test(readiness),
		cmocka_unit_test(which_listener_has_what),
	};

	return cmocka_run_group_tests_name("metrics", tests, up, down);
}
