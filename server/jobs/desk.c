/* server/jobs/desk.c - makes the checks; see the header. */
#include "server/jobs/desk.h"

#include "server/log.h"
#include "token/date.h"

enum { GROUPS_MAX = 64 /* owners in one transaction */ };

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
	struct check_result *result;
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
				    batch->result);
		at += n;
	}
	return err;
}

/* *result: of what is on disk, also when the rest fails. */
static enum err settle_all(const struct desk *desk, const struct check *check,
			   const struct affected_list *list,
			   struct check_result *result)
{
	enum err err = E_OK;

	for (size_t at = 0; !err && at < list->len;) {
		struct check_result before = *result;
		struct batch batch = { check, list, at, at, result };

		for (int i = 0; i < GROUPS_MAX && batch.to < list->len; i++)
			batch.to += affected_group(list, batch.to);
		err = desk->go_on(desk->arg)
			      ? desk_write(desk, settle_batch, &batch)
			      : E_BUSY;
		if (err)
			*result = before;
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
	struct job_state state;
	enum err err = job_get(txn, ending->check->job, &state);

	if (err)
		return err;
	if (ending->marker)
		state.marker = ending->marker;
	state.ran_at = ending->check->now;
	state.found = ending->result->found;
	state.queued = ending->result->queued;
	state.untold = ending->result->untold;
	job_put(txn, ending->check->job, &state);
	return txn->err;
}

/* Is it due, and of what is it? *marker 0: it is not. */
static enum err look(struct txn *txn, struct check *check, int64_t *marker)
{
	struct job_state state;
	int64_t next;
	enum err err = job_get(txn, check->job, &state);

	*marker = 0;
	if (!err)
		err = settings_read(txn, &check->settings);
	if (err)
		return err;
	next = job_next(check->job, &state, &check->settings, check->now,
			marker);
	/* One that is late tells of the days before; today has its hour. */
	if (!check->by_hand)
		check->day = check->job == JOB_EXPIRED ? *marker
						       : day_of(check->now);
	check->since = state.marker < check->day - DAY ? state.marker
						       : check->day - DAY;
	if (check->by_hand || !next || next > check->now)
		*marker = 0;
	return E_OK;
}

/* One reading: what is due by the settings is found by the same ones. */
static enum err find(const struct desk *desk, struct check *check,
		     int64_t *marker, struct affected_list *list)
{
	AUTO(txn) struct txn txn;
	enum err err;

	txn_read(desk->db, &txn);
	err = look(&txn, check, marker);
	if (err || (!*marker && !check->by_hand))
		return err;
	return expiry_scan(&txn, check, desk->go_on, desk->arg, list);
}

/* What came of it is in the table "job" as well. */
static enum err make(const struct desk *desk, struct check *check,
		     struct check_result *result)
{
	AUTO(affected) struct affected_list list = { 0 };
	struct ending ending = { check, 0, result };
	enum err err = find(desk, check, &ending.marker, &list);

	*result = (struct check_result) { 0 };
	check->ways = desk_ways(desk);
	if (err || (!ending.marker && !check->by_hand))
		return err;
	if (check->day > day_of(check->now)) {
		result->found = list.len;
		return E_OK;
	}
	err = settle_all(desk, check, &list, result);
	return err ? err : desk_write(desk, write_ending, &ending);
}

static void say(enum job job, const struct check_result *result)
{
	if (result->found)
		log_event(job == JOB_LIFETIME ? LEVEL_WARNING : LEVEL_INFO,
			  "jobs",
			  "%s: tokens %s: %llu, notices queued: %llu, tokens "
			  "of which nobody can be told: %llu",
			  job_name(job),
			  job == JOB_LIFETIME
				  ? "revoked, as they break max_token_lifetime"
				  : "found",
			  (unsigned long long)result->found,
			  (unsigned long long)result->queued,
			  (unsigned long long)result->untold);
}

enum err desk_run_due(const struct desk *desk, int64_t now, struct cause *cause)
{
	for (unsigned job = JOB_FIRST; job <= JOB_LAST; job++) {
		struct check_result result;
		struct check check = {
			.job = (enum job)job,
			.now = now,
			.next_at = now,
		};
		enum err err = make(desk, &check, &result);

		say(check.job, &result);
		if (err && err != E_REFUSED)
			return cause_set(cause, err, "%s: the store %.300s: %s",
					 job_name(check.job),
					 db_folder(desk->db), err_text(err));
	}
	return E_OK;
}

enum err desk_run(const struct desk *desk, enum job job, int64_t day,
		  int64_t now, struct check_result *result)
{
	struct check check = {
		.job = job,
		.by_hand = true,
		.day = day,
		.now = now,
		.next_at = now + DESK_HOLD,
	};

	return make(desk, &check, result);
}
