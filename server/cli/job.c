/* server/cli/job.c - dockpass job list, run. */
#include "server/cli/command.h"
#include "server/jobs/desk.h"
#include "token/date.h"
#include "token/json.h"

static const struct str head[] = {
	{ "JOB", 3 },	  { "RAN", 3 },	 { "FOUND", 5 },   { "QUEUED", 6 },
	{ "WAITING", 7 }, { "LOST", 4 }, { "FAILURE", 7 },
};

struct row {
	struct job_state state;
	uint64_t waiting; /* notices in the mailbox */
};

static enum err read_rows(struct txn *txn, struct row rows[JOB_LAST + 1])
{
	AUTO(cursor) struct cursor cursor;
	enum err err = E_OK;

	for (unsigned job = JOB_FIRST; !err && job <= JOB_LAST; job++)
		err = job_get(txn, (enum job)job, &rows[job].state);
	cursor_open(txn, TABLE_MAILBOX, STR(""), &cursor);
	while (!err && cursor_next(&cursor)) {
		struct notice notice;

		err = mailbox_unpack(txn, cursor.key, cursor.value, &notice);
		if (!err)
			rows[notice.kind].waiting++;
	}
	return err ? err : txn->err;
}

static void put_row(struct buf *out, enum job job, const struct row *row)
{
	const struct job_state *state = &row->state;

	json_open(out, '{');
	json_put_str(out, "name", str_of(job_name(job)));
	put_time(out, "last_run_at", state->ran_at);
	json_put_int(out, "found", (int64_t)state->found);
	json_put_int(out, "queued", (int64_t)state->queued);
	json_put_int(out, "waiting", (int64_t)row->waiting);
	json_put_int(out, "given_up", (int64_t)state->given_up);
	put_time(out, "failed_at", state->failed_at);
	if (state->failed_at)
		json_put_str(out, "failure", state->failure);
	else
		json_put_null(out, "failure");
	json_close(out, '}');
}

static struct str show_time(struct call *call, int64_t when)
{
	if (!when)
		return STR("-");
	return arena_printf(&call->arena, "%s", time_print(when).at);
}

static void list_row(struct call *call, struct listing *listing, enum job job,
		     const struct row *row)
{
	const struct job_state *state = &row->state;
	struct str failure = STR("-");

	if (state->failed_at)
		failure = arena_printf(&call->arena, "%s: " STR_FMT,
				       time_print(state->failed_at).at,
				       STR_ARG(state->failure));
	listing_row(listing, (const struct str[COUNT(head)]) {
				     str_of(job_name(job)),
				     show_time(call, state->ran_at),
				     show_id(call, state->found),
				     show_id(call, state->queued),
				     show_id(call, row->waiting),
				     show_id(call, state->given_up),
				     failure,
			     });
}

static int job_list(struct call *call)
{
	struct listing listing = { .arena = &call->arena,
				   .columns = COUNT(head) };
	struct row rows[JOB_LAST + 1] = { 0 };
	AUTO(txn) struct txn txn = { 0 };
	enum err err;

	if (!call_store(call))
		return EXIT_REFUSED;
	txn_read(call->db, &txn);
	err = read_rows(&txn, rows);
	if (err)
		return call_failed(call, err);
	listing_row(&listing, head);
	if (call->json)
		json_open(&call->out, '[');
	for (unsigned job = JOB_FIRST; job <= JOB_LAST; job++)
		if (call->json)
			put_row(&call->out, (enum job)job, &rows[job]);
		else
			list_row(call, &listing, (enum job)job, &rows[job]);
	if (call->json)
		buf_add(&call->out, STR("]\n"));
	else
		listing_print(&listing, &call->out);
	return EXIT_DONE;
}

static bool always(void *arg)
{
	(void)arg;
	return true;
}

static void put_done(struct call *call, enum job job, int64_t day,
		     const struct check_result *result, const struct sent *sent)
{
	struct buf *out = &call->out;

	if (!call->json) {
		buf_printf(out,
			   "%s, %s: tokens found: %llu; notices queued: %llu, "
			   "sent: %u\n",
			   job_name(job), date_print(day).at,
			   (unsigned long long)result->found,
			   (unsigned long long)result->queued, sent->done);
		return;
	}
	json_open(out, '{');
	json_put_str(out, "name", str_of(job_name(job)));
	json_put_str(out, "date", str_of(date_print(day).at));
	json_put_int(out, "found", (int64_t)result->found);
	json_put_int(out, "queued", (int64_t)result->queued);
	json_put_int(out, "sent", (int64_t)sent->done);
	json_close(out, '}');
	buf_add_char(out, '\n');
}

/* What people should have been told and were not is a failure. */
static int judge(struct call *call, enum job job, int64_t day,
		 const struct check_result *result, const struct sent *sent,
		 unsigned ways)
{
	if (sent->failed)
		return call_refuse(call,
				   "notices queued: %llu, sent: %u; the server "
				   "tries the others again: %s",
				   (unsigned long long)result->queued,
				   sent->done, sent->cause.text);
	if (result->untold && !ways)
		return call_refuse(call,
				   "tokens found: %llu; nobody was told, as "
				   "%.200s has neither mail nor webhook: add "
				   "one, then again",
				   (unsigned long long)result->found,
				   call->config->path);
	if (result->untold)
		call_warn(call,
			  "dockpass: warning: of %llu tokens nobody was told: "
			  "who should be is blocked, gone or has no e-mail "
			  "address",
			  (unsigned long long)result->untold);
	put_done(call, job, day, result, sent);
	return EXIT_DONE;
}

static int run(struct call *call, enum job job, int64_t day)
{
	AUTO(check_result) struct check_result result = { 0 };
	struct desk desk = { .go_on = always };
	struct sent sent = { 0 };
	enum err err;

	if (!call_store(call))
		return EXIT_REFUSED;
	desk.db = call->db;
	desk.config = call->config;
	err = courier_check(call->config, &call->cause);
	if (!err)
		err = desk_run(&desk, job, day, call->now, &result);
	if (!err && result.queued)
		err = desk_send(&desk, &result, call->now + DESK_HOLD, &sent);
	if (err)
		return call_failed(call, err);
	return judge(call, job, day, &result, &sent, desk_ways(&desk));
}

static int job_run(struct call *call)
{
	struct str date = call_opt(call, OPT_DATE), name = call->args[0];
	int64_t day = call->now / DAY * DAY;
	enum job job = 0;

	for (enum job each = JOB_EXPIRING; each <= JOB_EXPIRED; each++)
		if (str_eq(name, str_of(job_name(each))))
			job = each;
	if (!job)
		return call_usage(call,
				  "'%.40s' is neither expiring nor "
				  "expired",
				  name.at);
	if (date.len && date_parse(date, &day))
		return call_usage(call,
				  "'%.40s' is no date; write it as 2027-01-31",
				  date.at);
	return run(call, job, day);
}

/* clang-format off */
static const struct command rows[] = {
	{ "job list", "", "when each last ran, what it found, what failed", 0, 0, O(JSON), job_list },
	{ "job run", "expiring|expired [--date YYYY-MM-DD]", "make a daily check now, and send what it queues", 1, 1,
	  O(JSON) | O(DATE), job_run },
};
/* clang-format on */

const struct command_group job_commands = { rows, COUNT(rows) };
