/* server/jobs/desk.c - makes the checks; see the header. */
#include "server/jobs/desk.h"

#include <stdlib.h>
#include <string.h>

#include "token/date.h"

enum {
	GROUPS_MAX = 64,     /* owners in one transaction */
	GRACE = 3 * 60 * 60, /* to change one's mind about a limit */
};

enum err desk_write(const struct desk *desk, deed *what, void *arg)
{
	enum err err;

	if (desk->writer)
		return writer_do(desk->writer, what, arg);
	become_writer();
	err = deed_commit(desk->db, what, arg);
	leave_writer();
	return err;
}

unsigned desk_ways(const struct desk *desk)
{
	return (desk->config->mail.url ? (unsigned)WAY_MAIL : 0) |
	       (desk->config->hook.url ? (unsigned)WAY_HOOK : 0);
}

struct batch {
	const struct check *check;
	const struct affected_list *list;
	size_t from, to;
	struct check_result result;
};

/* A limit that was changed since is another one. */
static bool limit_holds(struct txn *txn, const struct check *check)
{
	enum setting limit = SETTING_max_token_lifetime;
	struct settings now;

	return check->job != JOB_LIFETIME ||
	       (!settings_read(txn, &now) &&
		now.max_token_lifetime == check->settings.max_token_lifetime &&
		now.set_at[limit] == check->settings.set_at[limit]);
}

static enum err settle_batch(struct txn *txn, void *arg) ON(writer_thread);
static enum err settle_batch(struct txn *txn, void *arg)
{
	struct batch *batch = arg;
	enum err err = E_OK;

	if (!limit_holds(txn, batch->check))
		return txn->err ? txn->err : E_REFUSED;
	for (size_t at = batch->from; !err && at < batch->to;) {
		size_t n = affected_group(batch->list, at);

		err = expiry_settle(txn, batch->check, batch->list->at + at, n,
				    &batch->result);
		at += n;
	}
	return err;
}

static void merge(struct check_result *into, struct check_result *from)
{
	size_t n = into->queued + from->queued;

	into->found += from->found;
	into->untold += from->untold;
	if (from->queued) {
		into->ids = realloc(into->ids, n * sizeof(*into->ids));
		assert(into->ids);
		memcpy(into->ids + into->queued, from->ids,
		       from->queued * sizeof(*from->ids));
	}
	into->queued = n;
}

static enum err settle_all(const struct desk *desk, const struct check *check,
			   const struct affected_list *list,
			   struct check_result *result)
{
	enum err err = E_OK;

	for (size_t at = 0; !err && at < list->len;) {
		struct batch batch = { check, list, at, at, { 0 } };

		for (int i = 0; i < GROUPS_MAX && batch.to < list->len; i++)
			batch.to += affected_group(list, batch.to);
		err = desk->go_on(desk->arg)
			      ? desk_write(desk, settle_batch, &batch)
			      : E_BUSY;
		if (!err)
			merge(result, &batch.result);
		check_result_cleanup(&batch.result);
		at = batch.to;
	}
	return err;
}

struct ending {
	const struct check *check;
	int64_t marker;
	const struct check_result *result;
};

static enum err write_ending(struct txn *txn, void *arg)
{
	const struct ending *ending = arg;
	const struct check_result *result = ending->result;
	struct job_state state;
	struct cause line;
	enum err err = job_get(txn, ending->check->job, &state);

	if (err)
		return err;
	if (ending->marker)
		state.marker = ending->marker;
	state.ran_at = ending->check->now;
	state.found = result->found;
	state.queued = result->queued;
	if (result->untold) {
		cause_set(&line, E_OK, "of %llu tokens nobody was told: %s",
			  (unsigned long long)result->untold,
			  ending->check->ways
				  ? "who should be is blocked, gone or has no "
				    "e-mail address"
				  : "dockpass.yaml has neither mail nor "
				    "webhook");
		state.failed_at = ending->check->now;
		state.failure = str_of(line.text);
	}
	job_put(txn, ending->check->job, &state);
	return txn->err;
}

enum err desk_check(const struct desk *desk, struct check *check,
		    int64_t marker, struct check_result *result)
{
	AUTO(affected) struct affected_list list = { 0 };
	struct ending ending = { check, marker, result };
	enum err err;

	*result = (struct check_result) { 0 };
	check->ways = desk_ways(desk);
	{
		AUTO(txn) struct txn txn;

		txn_read(desk->db, &txn);
		err = settings_read(&txn, &check->settings);
		if (!err)
			err = expiry_scan(&txn, check, desk->go_on, desk->arg,
					  &list);
	}
	if (!err)
		err = settle_all(desk, check, &list, result);
	if (err)
		return err;
	return desk_write(desk, write_ending, &ending);
}

static int64_t day_of(int64_t when)
{
	return when / DAY * DAY;
}

/* Fills in what it is about. *marker 0: it is not due. */
static enum err look(const struct desk *desk, enum job job, struct check *check,
		     int64_t *marker)
{
	AUTO(txn) struct txn txn;
	struct job_state state;
	enum err err;
	int64_t set_at;
	bool due;

	*marker = 0;
	txn_read(desk->db, &txn);
	err = job_get(&txn, job, &state);
	if (!err)
		err = settings_read(&txn, &check->settings);
	if (err)
		return err;
	set_at = check->settings.set_at[SETTING_max_token_lifetime];
	if (job == JOB_LIFETIME) {
		check->day = day_of(check->now);
		due = check->settings.max_token_lifetime &&
		      check->now >= set_at + GRACE && state.marker != set_at;
		*marker = due ? set_at : 0;
		return E_OK;
	}
	due = job_due(job, &state, check->now, marker);
	/* One that is late tells of the days before; today has its hour. */
	if (!check->day)
		check->day = job == JOB_EXPIRED ? *marker : day_of(check->now);
	*marker = due ? *marker : 0;
	check->since = state.marker < check->day - DAY ? state.marker
						       : check->day - DAY;
	return E_OK;
}

enum err desk_run_due(const struct desk *desk, int64_t now)
{
	for (unsigned job = JOB_FIRST; job <= JOB_LAST; job++) {
		AUTO(check_result) struct check_result result = { 0 };
		struct check check = {
			.job = (enum job)job,
			.now = now,
			.next_at = now,
		};
		int64_t marker;
		enum err err = look(desk, check.job, &check, &marker);

		if (!err && marker)
			err = desk_check(desk, &check, marker, &result);
		if (err && err != E_REFUSED)
			return err;
	}
	return E_OK;
}

enum err desk_run(const struct desk *desk, enum job job, int64_t day,
		  int64_t now, struct check_result *result)
{
	struct check check = {
		.job = job,
		.day = day,
		.now = now,
		.next_at = now + DESK_HOLD,
	};
	int64_t marker;
	enum err err = look(desk, job, &check, &marker);

	*result = (struct check_result) { 0 };
	return err ? err : desk_check(desk, &check, 0, result);
}
