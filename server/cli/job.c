/* server/cli/job.c - dockpass job list, run. */
#include "server/cli/command.h"
#include "server/jobs/desk.h"
#include "server/jobs/message.h"
#include "token/date.h"
#include "token/json.h"

#define NO_WAY "dockpass.yaml has neither mail nor webhook"
#define UNTOLD "who should be is blocked, gone or has no e-mail address"

enum { LATE = 15 * 60 /* seconds */ };

static const struct str head[] = {
	{ "JOB", 3 },	 { "RAN", 3 },	   { "NEXT", 4 }, { "FOUND", 5 },
	{ "QUEUED", 6 }, { "WAITING", 7 }, { "LOST", 4 }, { "FAILURE", 7 },
};

struct row {
	struct job_state state;
	int64_t next;	  /* 0: not at all */
	uint64_t waiting; /* notices in the mailbox */
};

static enum err read_rows(struct call *call, struct txn *txn,
			  struct row rows[JOB_LAST + 1])
{
	AUTO(cursor) struct cursor cursor;
	struct settings settings;
	struct notice notice;
	enum err err = settings_read(txn, &settings);

	for (unsigned job = JOB_FIRST; !err && job <= JOB_LAST; job++) {
		struct row *row = &rows[job];
		int64_t marker;

		err = job_get(txn, (enum job)job, &row->state);
		row->next = job_next((enum job)job, &row->state, &settings,
				     call->now, &marker);
	}
	cursor_open(txn, TABLE_MAILBOX, STR(""), &cursor);
	while (!err && mailbox_next(&cursor, &notice))
		rows[notice.job].waiting++;
	return err ? err : txn->err;
}

static bool told_by_any(const struct call *call)
{
	return call->config->mail.url || call->config->hook.url;
}

/* Or empty. A check that cannot write what it did cannot write that, either. */
static struct str failure_of(struct call *call, const struct row *row)
{
	const struct job_state *state = &row->state;
	struct arena *arena = &call->arena;

	if (state->failed_at)
		return arena_printf(arena, STR_FMT, STR_ARG(state->failure));
	if (row->next && row->next + LATE < call->now)
		return arena_printf(arena,
				    "it is late, and ran last: %s; does the "
				    "server run? Its log says why (jobs)",
				    state->ran_at ? time_print(state->ran_at).at
						  : "never");
	if (state->untold)
		return arena_printf(arena, "of %llu tokens nobody was told: %s",
				    (unsigned long long)state->untold,
				    told_by_any(call) ? UNTOLD : NO_WAY);
	return (struct str) { 0 };
}

static void put_text(struct buf *out, const char *key, struct str text)
{
	if (text.len)
		json_put_str(out, key, text);
	else
		json_put_null(out, key);
}

static void put_row(struct call *call, enum job job, const struct row *row)
{
	const struct job_state *state = &row->state;
	struct buf *out = &call->out;

	json_open(out, '{');
	json_put_str(out, "name", str_of(job_name(job)));
	put_time(out, "last_run_at", state->ran_at);
	put_time(out, "next_run_at", row->next);
	json_put_int(out, "found", (int64_t)state->found);
	json_put_int(out, "queued", (int64_t)state->queued);
	json_put_int(out, "untold", (int64_t)state->untold);
	json_put_int(out, "waiting", (int64_t)row->waiting);
	json_put_int(out, "given_up", (int64_t)state->given_up);
	put_time(out, "failed_at", state->failed_at);
	put_text(out, "failure", failure_of(call, row));
	json_close(out, '}');
}

static void list_row(struct call *call, struct listing *listing, enum job job,
		     const struct row *row)
{
	const struct job_state *state = &row->state;
	struct str failure = failure_of(call, row);

	if (state->failed_at)
		failure = arena_printf(&call->arena, "%s: " STR_FMT,
				       time_print(state->failed_at).at,
				       STR_ARG(failure));
	listing_row(listing, (const struct str[COUNT(head)]) {
				     str_of(job_name(job)),
				     show_time(call, state->ran_at),
				     show_time(call, row->next),
				     show_id(call, state->found),
				     show_id(call, state->queued),
				     show_id(call, row->waiting),
				     show_id(call, state->given_up),
				     failure.len ? failure : STR("-"),
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
	err = read_rows(call, &txn, rows);
	if (err)
		return call_failed(call, err);
	listing_row(&listing, head);
	if (call->json)
		json_open(&call->out, '[');
	for (unsigned job = JOB_FIRST; job <= JOB_LAST; job++)
		if (call->json)
			put_row(call, (enum job)job, &rows[job]);
		else
			list_row(call, &listing, (enum job)job, &rows[job]);
	return listing_end(&listing, call);
}

static const struct str waiting_head[] = {
	{ "ID", 2 },	 { "JOB", 3 },	 { "TO", 2 },	    { "TOKENS", 6 },
	{ "QUEUED", 6 }, { "TRIES", 5 }, { "NEXT TRY", 8 }, { "FAILURE", 7 },
};

static void put_notice(struct call *call, const struct notice *notice,
		       struct str whom)
{
	struct buf *out = &call->out;

	json_open(out, '{');
	json_put_int(out, "id", (int64_t)notice->id);
	json_put_str(out, "job", str_of(job_name(notice->job)));
	json_put_str(out, "to", whom);
	json_key(out, "tokens");
	json_open(out, '[');
	for (size_t i = 0; i < notice->len; i++)
		json_int(out, (int64_t)notice->tokens[i]);
	json_close(out, ']');
	json_put_int(out, "total", (int64_t)notice->total);
	put_time(out, "queued_at", notice->queued_at);
	json_put_int(out, "tries", notice->tries);
	put_time(out, "next_try_at", notice->given_up_at ? 0 : notice->next_at);
	put_time(out, "given_up_at", notice->given_up_at);
	put_text(out, "failure", notice->failure);
	json_close(out, '}');
}

static void list_notice(struct call *call, struct listing *listing,
			const struct notice *notice, struct str whom)
{
	listing_row(listing,
		    (const struct str[COUNT(waiting_head)]) {
			    show_id(call, notice->id),
			    str_of(job_name(notice->job)),
			    whom,
			    show_id(call, notice->total),
			    show_time(call, notice->queued_at),
			    show_id(call, notice->tries),
			    notice->given_up_at
				    ? STR("given up")
				    : show_time(call, notice->next_at),
			    notice->failure.len ? notice->failure : STR("-"),
		    });
}

static int job_waiting(struct call *call)
{
	struct listing listing = { .arena = &call->arena,
				   .columns = COUNT(waiting_head) };
	AUTO(txn) struct txn txn = { 0 };
	AUTO(cursor) struct cursor cursor = { 0 };
	struct notice notice;

	if (!call_store(call))
		return EXIT_REFUSED;
	txn_read(call->db, &txn);
	listing_row(&listing, waiting_head);
	if (call->json)
		json_open(&call->out, '[');
	cursor_open(&txn, TABLE_MAILBOX, STR(""), &cursor);
	while (mailbox_next_any(&cursor, &notice)) {
		struct str whom = message_whom(&txn, &notice, &call->arena);

		if (call->json)
			put_notice(call, &notice, whom);
		else
			list_notice(call, &listing, &notice, whom);
	}
	if (txn.err)
		return call_failed(call, txn.err);
	return listing_end(&listing, call);
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
				   "notices queued: %llu, sent: %u, not sent: "
				   "%u, see dockpass job waiting; the last: "
				   "%.300s",
				   (unsigned long long)result->queued,
				   sent->done, sent->failed, sent->cause.text);
	if (result->untold && !ways)
		return call_refuse(call,
				   "tokens found: %llu; nobody was told, as "
				   "%.200s has neither mail nor webhook: add "
				   "one, then again",
				   (unsigned long long)result->found,
				   call->config->path);
	if (result->untold)
		call_warn(call,
			  "dockpass: warning: of %llu tokens nobody was "
			  "told: " UNTOLD,
			  (unsigned long long)result->untold);
	put_done(call, job, day, result, sent);
	return EXIT_DONE;
}

/* What nobody is told of yet is no failure. */
static int look_ahead(struct call *call, enum job job, int64_t day,
		      const struct check_result *result)
{
	const struct sent none = { 0 };

	call_note(call,
		  "%s has not come: nobody was told, and what waits was "
		  "not sent",
		  date_print(day).at);
	put_done(call, job, day, result, &none);
	return EXIT_DONE;
}

static int run(struct call *call, enum job job, int64_t day)
{
	struct desk desk = { .go_on = always };
	struct check_result result;
	struct sent sent = { 0 };
	enum err err;

	if (!call_store(call))
		return EXIT_REFUSED;
	desk.db = call->db;
	desk.config = call->config;
	err = courier_check(call->config, &call->cause);
	if (!err)
		err = desk_run(&desk, job, day, call->now, &result);
	if (!err && day > call->now)
		return look_ahead(call, job, day, &result);
	if (!err && desk_ways(&desk))
		err = desk_send_all(&desk, call->now, &sent);
	if (err)
		return call_failed(call, err);
	return judge(call, job, day, &result, &sent, desk_ways(&desk));
}

static int job_run(struct call *call)
{
	struct str date = call_opt(call, OPT_DATE), name = call->args[0];
	int64_t day = day_of(call->now);
	enum job job = 0;

	for (enum job each = JOB_EXPIRING; each <= JOB_EXPIRED; each++)
		if (str_eq(name, str_of(job_name(each))))
			job = each;
	if (str_eq(name, str_of(job_name(JOB_LIFETIME))))
		return call_usage(call,
				  "lifetime runs by itself, three hours after "
				  "max_token_lifetime was set; expiring and "
				  "expired can be run by hand");
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
	{ "job list", "", "when each ran and runs next, what it found, what failed", 0, 0, O(JSON), job_list },
	{ "job waiting", "", "notices that could not be sent yet, or were given up: to whom, and why", 0, 0, O(JSON), job_waiting },
	{ "job run", "expiring|expired [--date YYYY-MM-DD]", "make a daily check now: tells people, and sends what waits", 1, 1,
	  O(JSON) | O(DATE), job_run },
};
/* clang-format on */

const struct command_group job_commands = { rows, COUNT(rows) };
