/* server/metrics.c - counts and adds up; see the header. */
#include "server/metrics.h"

#include <stdlib.h>

const unsigned buckets_us[BUCKETS] = {
	25,    50,    100,    250,    500,    1000,    2500,	5000,	  10000,
	25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 10000000,
};

static void add(struct metrics *metrics, unsigned i, uint64_t n)
{
	_Atomic uint64_t *at = &metrics->at[i];

	assert(i < METRICS_LEN);
	n += atomic_load_explicit(at, memory_order_relaxed);
	atomic_store_explicit(at, n, memory_order_relaxed);
}

static const uint16_t numbers[STATUSES] = {
#define X(name, number, phrase, code) number,
	STATUS_LIST(X)
#undef X
};

int status_number(unsigned i)
{
	assert(i < STATUSES);
	return numbers[i];
}

void metrics_count(struct metrics *metrics, enum metric metric)
{
	add(metrics, metric, 1);
}

void metrics_handshake(struct metrics *metrics, enum tls_failure failure)
{
	assert(failure < TLS_FAILURES);
	add(metrics, AT_TLS + failure, 1);
}

void metrics_reply(struct metrics *metrics, enum status status)
{
	unsigned i = 0;

	while (i < STATUSES - 1 && numbers[i] != status)
		i++;
	assert(numbers[i] == status);
	add(metrics, AT_STATUS + i, 1);
}

static enum outcome outcome_of(enum status status)
{
	return status < 400   ? OUTCOME_ISSUED
	       : status < 500 ? OUTCOME_REFUSED
			      : OUTCOME_FAILED;
}

void metrics_token(struct metrics *metrics, enum status status,
		   enum reason reason, uint64_t ns)
{
	enum outcome outcome = outcome_of(status);
	unsigned i = 0;

	while (i < BUCKETS && ns > buckets_us[i] * (uint64_t)1000)
		i++;
	add(metrics, AT_REASON + outcome * REASON_COUNT + reason, 1);
	add(metrics, AT_BUCKET + outcome * (BUCKETS + 1) + i, 1);
	add(metrics, AT_NS + outcome, ns);
}

enum err monitor_new(unsigned workers, int64_t now, struct monitor **out)
{
	struct monitor *monitor = calloc(1, sizeof(*monitor));
	size_t size = workers * sizeof(struct metrics);

	*out = NULL;
	if (monitor)
		monitor->metrics =
			aligned_alloc(_Alignof(struct metrics), size);
	if (!monitor || !monitor->metrics) {
		free(monitor);
		return E_MEMORY;
	}
	for (unsigned i = 0; i < workers; i++) {
		for (unsigned k = 0; k < METRICS_LEN; k++)
			atomic_init(&monitor->metrics[i].at[k], 0);
		atomic_init(&monitor->metrics[i].held, 0);
		atomic_init(&monitor->metrics[i].held_most, 0);
	}
	monitor->workers = workers;
	monitor->started_at = now;
	atomic_init(&monitor->reloaded_at, now);
	atomic_init(&monitor->expiring, -1);
	atomic_init(&monitor->given_up, -1);
	*out = monitor;
	return E_OK;
}

void monitor_free(struct monitor *monitor)
{
	if (!monitor)
		return;
	free(monitor->metrics);
	free(monitor);
}

void monitor_reload(struct monitor *monitor, bool done, int64_t now)
{
	atomic_store(&monitor->reload_failed, !done);
	if (done)
		atomic_store(&monitor->reloaded_at, now);
}

void monitor_sum(const struct monitor *monitor, uint64_t out[METRICS_LEN])
{
	for (unsigned k = 0; k < METRICS_LEN; k++) {
		out[k] = 0;
		for (unsigned i = 0; i < monitor->workers; i++)
			out[k] +=
				atomic_load_explicit(&monitor->metrics[i].at[k],
						     memory_order_relaxed);
	}
}

struct held_sum monitor_held(const struct monitor *monitor)
{
	struct held_sum sum = { 0 };

	for (unsigned i = 0; i < monitor->workers; i++) {
		struct metrics *metrics = &monitor->metrics[i];

		sum.now += atomic_load_explicit(&metrics->held,
						memory_order_relaxed);
		sum.most += atomic_load_explicit(&metrics->held_most,
						 memory_order_relaxed);
	}
	return sum;
}
