/*
 * server/jobs/outbox.c - sends what is queued; see desk.h and store/mailbox.h.
 */
#include "server/jobs/desk.h"

#include <stdlib.h>
#include <time.h>

#include "server/jobs/message.h"
#include "server/log.h"
#include "store/told.h"
#include "token/date.h"

enum { LETTER_MAX = 256 * 1024, PAUSE = 60, WHOM_MAX = 140 };

struct delivery {
	uint64_t id;
	int64_t next_at, now;
	struct notice notice; /* once it is claimed */
	struct cause whom;    /* for a line of the log: the beginning */
	bool sent, given_up, forgotten;
	struct cause cause;
};

/* What failed last, for `dockpass job list`. */
static void blame(struct txn *txn, const struct delivery *d)
{
	enum job job = d->notice.job;
	struct job_state state;
	struct cause line;

	if (job_get(txn, job, &state))
		return;
	cause_set(&line, E_OK, "notice %llu to %s: %s",
		  (unsigned long long)d->id, d->whom.text, d->cause.text);
	state.failed_at = d->now;
	state.failure = str_of(line.text);
	state.given_up += d->given_up;
	job_put(txn, job, &state);
}

/* Of a job of which nothing waits any more. */
static void absolve(struct txn *txn, enum job job)
{
	AUTO(cursor) struct cursor cursor = { 0 }; /* not begun perhaps */
	struct job_state state;
	struct notice notice;

	if (job_get(txn, job, &state) || !state.failed_at)
		return;
	cursor_open(txn, TABLE_MAILBOX, STR(""), &cursor);
	while (mailbox_next(&cursor, &notice))
		if (notice.job == job)
			return;
	state.failed_at = 0;
	state.failure = (struct str) { 0 };
	job_put(txn, job, &state);
}

/* Those named in it; of more than a hundred the others count as told. */
static void note_told(struct txn *txn, const struct notice *notice,
		      void (*note)(struct txn *txn, uint64_t pat, int64_t day))
{
	for (size_t i = 0; i < notice->len && notice->job != JOB_LIFETIME; i++)
		note(txn, notice->tokens[i], day_of(notice->queued_at));
}

static void note_whom(struct txn *txn, struct delivery *d)
{
	AUTO(arena) struct arena arena;
	struct str whom;

	arena_init(&arena);
	whom = message_whom(txn, &d->notice, &arena);
	d->whom.text[print_copy(whom, d->whom.text, WHOM_MAX)] = '\0';
}

/* The next check tells of what lives then. */
static enum err give_up(struct txn *txn, struct delivery *d)
{
	d->given_up = true;
	note_whom(txn, d);
	cause_set(&d->cause, E_REFUSED, "given up after three days: " STR_FMT,
		  STR_ARG(d->notice.failure));
	note_told(txn, &d->notice, told_lost);
	blame(txn, d);
	mailbox_give_up(txn, &d->notice, d->now);
	return txn->err;
}

/* Old ones are tried once more if they never were: nothing was sent at all. */
static enum err claim(struct txn *txn, void *arg)
{
	struct delivery *d = arg;
	enum err err = mailbox_get(txn, d->id, d->next_at, &d->notice);

	if (err)
		return err;
	if (d->notice.given_up_at) {
		d->forgotten = true;
		mailbox_remove(txn, &d->notice);
		return txn->err;
	}
	if (d->notice.tries && d->now >= d->notice.queued_at + NOTICE_LIFE)
		return give_up(txn, d);
	mailbox_claim(txn, &d->notice, d->now);
	return txn->err;
}

static enum err settle_done(struct txn *txn, void *arg)
{
	const struct delivery *d = arg;

	mailbox_remove(txn, &d->notice);
	if (d->sent)
		note_told(txn, &d->notice, told_reached);
	absolve(txn, d->notice.job);
	return txn->err;
}

static enum err settle_failed(struct txn *txn, void *arg)
{
	const struct delivery *d = arg;

	mailbox_failed(txn, &d->notice, d->now, str_of(d->cause.text));
	blame(txn, d);
	return txn->err;
}

/*
 * E_NOT_FOUND: it is of no use any more; E_REFUSED: this one cannot be
 * delivered; E_BUSY: none by this way, for now.
 */
static enum err deliver(const struct desk *desk, struct courier *courier,
			struct delivery *d)
{
	const struct config *config = desk->config;
	AUTO(arena) struct arena arena;
	AUTO(buf) struct buf text;
	struct message message;
	enum err err;

	arena_init(&arena);
	buf_init(&text, LETTER_MAX);
	{
		AUTO(txn) struct txn txn;

		txn_read(desk->db, &txn);
		note_whom(&txn, d);
		if (!(d->notice.way & desk_ways(desk)))
			return cause_set(&d->cause, E_BUSY,
					 "dockpass.yaml has no %s any more",
					 d->notice.way == WAY_MAIL ? "mail"
								   : "webhook");
		err = message_read(&txn, &d->notice, d->now, &arena, &message,
				   &d->cause);
	}
	if (err)
		return err;
	if (d->notice.way == WAY_MAIL)
		message_letter(&message, str_of(config->mail.from),
			       str_of(config->url), &text);
	else
		message_json(&message, str_of(config->url), &text);
	if (text.over)
		return cause_set(&d->cause, E_REFUSED, "the text is too long");
	if (d->notice.way == WAY_MAIL)
		return courier_mail(courier, &config->mail, message.email,
				    buf_str(&text), &d->cause);
	return courier_post(courier, &config->hook, d->id, buf_str(&text),
			    &d->cause);
}

static int64_t *pause_of(struct desk *desk, enum notice_way way)
{
	return &desk->pause[way == WAY_HOOK];
}

static bool paused(struct desk *desk, enum notice_way way, int64_t now)
{
	int64_t until = *pause_of(desk, way);

	return now < until && until - now <= PAUSE; /* clocks are set back */
}

/* A command says it itself. */
static void say_given_up(const struct desk *desk, const struct delivery *d)
{
	if (desk->writer)
		log_event(LEVEL_ERROR, "jobs", "%s: notice %llu to %s: %s",
			  job_name(d->notice.job), (unsigned long long)d->id,
			  d->whom.text, d->cause.text);
}

static void count_failed(struct sent *sent, const struct delivery *d)
{
	sent->failed++;
	cause_set(&sent->cause, E_OK, "to %s: %s", d->whom.text, d->cause.text);
}

/* Failures of the store alone are returned. */
static enum err send_one(struct desk *desk, struct courier *courier,
			 struct delivery *d, struct sent *sent)
{
	enum err err = desk_write(desk, claim, d), came;

	if (err || d->forgotten)
		return err == E_NOT_FOUND ? E_OK : err;
	if (d->given_up) {
		say_given_up(desk, d);
		count_failed(sent, d);
		return E_OK;
	}
	came = deliver(desk, courier, d);
	d->sent = !came;
	sent->done += d->sent;
	if (!came || came == E_NOT_FOUND)
		return desk_write(desk, settle_done, d);
	if (came == E_BUSY)
		*pause_of(desk, d->notice.way) = d->now + PAUSE;
	if (!*d->cause.text)
		cause_set(&d->cause, came, "%s", err_text(came));
	count_failed(sent, d);
	return desk_write(desk, settle_failed, d);
}

/* The next one that is due, as far as its way is open. */
static enum err next_due(struct desk *desk, int64_t now, struct delivery *d)
{
	unsigned ways = (paused(desk, WAY_MAIL, now) ? 0 : WAY_MAIL) |
			(paused(desk, WAY_HOOK, now) ? 0 : WAY_HOOK);
	AUTO(txn) struct txn txn;
	enum err err;

	txn_read(desk->db, &txn);
	err = mailbox_due(&txn, now, ways, &d->notice);
	d->id = d->notice.id;
	d->next_at = d->notice.next_at;
	d->now = now;
	return err;
}

static bool more(const struct desk *desk)
{
	return desk->go_on(desk->arg) && (!desk->more || desk->more(desk->arg));
}

enum err desk_send_due(struct desk *desk, int64_t now, struct sent *sent)
{
	AUTO(courier) struct courier *courier = NULL;
	enum err err = E_OK;

	*sent = (struct sent) { 0 };
	while (!err && more(desk)) {
		struct delivery d = { 0 };

		err = next_due(desk, now, &d);
		if (!err && !courier)
			err = courier_new(desk->go_on, desk->arg, &courier);
		if (!err)
			err = send_one(desk, courier, &d, sent);
		now = time(NULL);
	}
	return err == E_NOT_FOUND ? E_OK : err;
}

struct waiting {
	uint64_t id;
	int64_t next_at;
	enum notice_way way;
};

/* What is on its way already is left out. The caller frees *out. */
static size_t list_waiting(struct desk *desk, int64_t now, struct waiting **out)
{
	AUTO(txn) struct txn txn;
	AUTO(cursor) struct cursor cursor;
	struct notice notice;
	size_t n = 0;

	txn_read(desk->db, &txn);
	*out = calloc((size_t)txn_count(&txn, TABLE_MAILBOX) + 1,
		      sizeof(**out));
	assert(*out);
	cursor_open(&txn, TABLE_MAILBOX, STR(""), &cursor);
	while (mailbox_next(&cursor, &notice))
		if (!mailbox_claimed(&notice, now))
			(*out)[n++] =
				(struct waiting) { notice.id, notice.next_at,
						   notice.way };
	return n;
}

enum err desk_send_all(struct desk *desk, int64_t now, struct sent *sent)
{
	AUTO(courier) struct courier *courier = NULL;
	struct waiting *list;
	size_t n = list_waiting(desk, now, &list);
	enum err err = courier_new(desk->go_on, desk->arg, &courier);

	*sent = (struct sent) { 0 };
	for (size_t i = 0; !err && i < n && more(desk); i++) {
		struct delivery d = {
			.id = list[i].id,
			.next_at = list[i].next_at,
			.now = time(NULL),
		};

		if (!paused(desk, list[i].way, d.now))
			err = send_one(desk, courier, &d, sent);
	}
	free(list);
	return err;
}
