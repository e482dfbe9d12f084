/*
 * server/jobs/outbox.c - sends what is queued; see desk.h and store/mailbox.h.
 */
#include "server/jobs/desk.h"

#include <time.h>

#include "server/jobs/message.h"

enum { LETTER_MAX = 256 * 1024, PAUSE = 60 };
static_assert((int)NOTICE_EXPIRING == (int)JOB_EXPIRING &&
		      (int)NOTICE_EXPIRED == (int)JOB_EXPIRED &&
		      (int)NOTICE_REVOKED == (int)JOB_LIFETIME,
	      "a notice is of a job");

struct delivery {
	uint64_t id;
	int64_t next_at, now;
	struct notice notice; /* once it is claimed */
	bool given_up;
	struct cause cause;
};

/* What failed last, for `dockpass job list`. */
static void blame(struct txn *txn, const struct delivery *d, struct str what)
{
	enum job job = (enum job)d->notice.kind;
	struct job_state state;

	if (job_get(txn, job, &state))
		return;
	state.failed_at = d->now;
	state.failure = what;
	state.given_up += d->given_up;
	job_put(txn, job, &state);
}

/* Old ones are tried once more if they never were: nothing was sent at all. */
static enum err claim(struct txn *txn, void *arg)
{
	struct delivery *d = arg;
	enum err err =
		mailbox_claim(txn, d->id, d->next_at, d->now, &d->notice);
	struct cause line;

	if (err)
		return err;
	d->given_up = d->notice.tries > 1 &&
		      d->now >= d->notice.queued_at + NOTICE_LIFE;
	if (!d->given_up)
		return E_OK;
	cause_set(&line, E_OK, "notice %llu was given up after three days",
		  (unsigned long long)d->id);
	mailbox_remove(txn, &d->notice);
	blame(txn, d, str_of(line.text));
	return txn->err;
}

static enum err settle_sent(struct txn *txn, void *arg)
{
	const struct delivery *d = arg;

	mailbox_remove(txn, &d->notice);
	return txn->err;
}

static enum err settle_failed(struct txn *txn, void *arg)
{
	const struct delivery *d = arg;

	mailbox_failed(txn, &d->notice, str_of(d->cause.text));
	blame(txn, d, str_of(d->cause.text));
	return txn->err;
}

/* E_REFUSED: this one not; E_BUSY: none by this way, for now. */
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
	if (!(d->notice.way & desk_ways(desk)))
		return cause_set(
			&d->cause, E_BUSY, "dockpass.yaml has no %s any more",
			d->notice.way == WAY_MAIL ? "mail" : "webhook");
	{
		AUTO(txn) struct txn txn;

		txn_read(desk->db, &txn);
		err = message_read(&txn, &d->notice, &arena, &message,
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

/* Failures of the store alone are returned. */
static enum err send_one(struct desk *desk, struct courier *courier,
			 struct delivery *d, struct sent *sent)
{
	enum err err = desk_write(desk, claim, d), came;

	if (err == E_NOT_FOUND)
		return E_OK;
	if (err || d->given_up)
		return err;
	came = deliver(desk, courier, d);
	if (came == E_BUSY)
		*pause_of(desk, d->notice.way) = d->now + PAUSE;
	if (!came) {
		sent->done++;
		return desk_write(desk, settle_sent, d);
	}
	if (!*d->cause.text)
		cause_set(&d->cause, came, "%s", err_text(came));
	sent->failed++;
	sent->cause = d->cause;
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

enum err desk_send_due(struct desk *desk, int64_t now, struct sent *sent)
{
	AUTO(courier) struct courier *courier = NULL;
	enum err err = E_OK;

	*sent = (struct sent) { 0 };
	while (!err && desk->go_on(desk->arg)) {
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

enum err desk_send(struct desk *desk, const struct check_result *result,
		   int64_t next_at, struct sent *sent)
{
	AUTO(courier) struct courier *courier = NULL;
	enum err err = courier_new(desk->go_on, desk->arg, &courier);

	*sent = (struct sent) { 0 };
	/* What is left then is the server's to send. */
	for (size_t i = 0;
	     !err && i < result->queued && !desk->pause[0] && !desk->pause[1];
	     i++) {
		struct delivery d = {
			.id = result->ids[i],
			.next_at = next_at,
			.now = time(NULL),
		};

		err = send_one(desk, courier, &d, sent);
	}
	return err;
}
