/* server/jobs/trail.c - see the header. */
#include "server/jobs/trail.h"

#include <poll.h>

#include "server/log.h"
#include "store/changelog.h"
#include "store/record.h"
#include "store/steady.h"
#include "store/trail.h"

enum {
	STORE_EVERY = 10, /* seconds */
	NAP_MS = 10,	  /* in which the log thread makes room */
	NAPS = 20,	  /* in a turn: others wait for the thread */
	LAST_NAPS = 30,	  /* of the 400 ms that the thread has */
	STEP = 10 * 1000  /* entries that are read without a pause */
};

/* Said once, until it can be read again. */
static void say_failed(struct trail *trail, enum err err)
{
	if (err && !trail->failed)
		log_event(LEVEL_ERROR, "audit",
			  "changes cannot be read from the store's log: %s",
			  err_text(err));
	trail->failed = err;
}

/* A number that the log has not reached was not written by us: all again. */
static void begin(struct trail *trail, struct txn *txn)
{
	struct log_end head;
	enum err err;

	changelog_head(txn, &head);
	err = trail_get(txn, &trail->stored);
	if (err == E_CORRUPT || err == E_VERSION)
		txn->err = E_OK;
	if (trail->stored > head.number)
		trail->stored = 0;
	trail->told = trail->out = trail->stored;
	trail->begun = !txn->err;
}

static void put(struct trail *trail, uint64_t number)
{
	size_t at = (trail->first + trail->len++) % TRAIL_WAITING;

	trail->waiting[at].end = log_progress().put;
	trail->waiting[at].number = trail->told = number;
}

/* What has left the ring; false: some has not. */
static bool take_out(struct trail *trail)
{
	size_t written = log_progress().written;

	while (trail->len && trail->waiting[trail->first].end <= written) {
		trail->out = trail->waiting[trail->first].number;
		trail->first = (trail->first + 1) % TRAIL_WAITING;
		trail->len--;
	}
	return !trail->len;
}

/*
 * Logins that ask for refresh tokens are lines of their own already: of those
 * in a row the last is told, with their number.
 */
struct run {
	struct txn *txn;
	struct log_entry held;
	uint64_t count; /* 0: none is held */
};

/* False: there is no room now. */
static bool let_go(struct trail *trail, struct run *run)
{
	if (!run->count)
		return true;
	if (trail->len == TRAIL_WAITING ||
	    !log_change(run->txn, &run->held, run->count))
		return false;
	put(trail, run->held.number);
	run->count = 0;
	return true;
}

static bool tell(struct trail *trail, struct run *run,
		 const struct log_entry *entry)
{
	bool refresh = entry->change.type == CHANGE_REFRESH_ADD;

	if (!refresh && !let_go(trail, run))
		return false;
	run->held = *entry;
	run->count++;
	return refresh || let_go(trail, run);
}

/* It is not passed over in silence. */
static bool tell_unread(struct trail *trail, struct run *run, uint64_t number)
{
	if (!let_go(trail, run) || trail->len == TRAIL_WAITING)
		return false;
	log_event(LEVEL_ERROR, "audit",
		  "log entry %llu cannot be read; dockpass audit verify says "
		  "more",
		  (unsigned long long)number);
	put(trail, number);
	return true;
}

/* True: there is more. */
static bool follow_from(struct trail *trail, struct txn *txn)
{
	AUTO(cursor) struct cursor cursor;
	struct key8 key = key_u64(trail->told + 1);
	struct run run = { .txn = txn };

	cursor_open(txn, TABLE_LOG, STR(""), &cursor);
	cursor_seek(&cursor, STR_OF(key.at));
	for (int i = 0; cursor_next(&cursor); i++) {
		struct log_entry entry;
		bool room;

		if (i == STEP) {
			(void)let_go(trail, &run);
			return true;
		}
		if (changelog_unpack(&cursor, &entry))
			room = tell_unread(trail, &run, entry.number);
		else
			room = tell(trail, &run, &entry);
		if (!room)
			return true;
	}
	return !let_go(trail, &run);
}

static bool follow(struct trail *trail)
{
	AUTO(txn) struct txn txn;
	bool more = false;

	txn_read(trail->db, &txn);
	if (!txn.err && txn_id(&txn) == trail->commit)
		return false;
	if (!txn.err && !trail->begun)
		begin(trail, &txn);
	if (!txn.err)
		more = follow_from(trail, &txn);
	if (!txn.err && !more)
		trail->commit = txn_id(&txn);
	say_failed(trail, txn.err);
	return more;
}

static enum err store(struct txn *txn, void *number)
{
	trail_put(txn, *(uint64_t *)number);
	return txn->err;
}

/* If it fails, lines come twice after the end: that is said elsewhere. */
static void write_down(struct trail *trail, bool now)
{
	int64_t second = steady_seconds();

	take_out(trail);
	if (trail->out == trail->stored ||
	    (!now && second - trail->at < STORE_EVERY))
		return;
	trail->at = second;
	if (!writer_do(trail->writer, store, &trail->out))
		trail->stored = trail->out;
}

void trail_turn(struct trail *trail)
{
	for (int i = 0; i < NAPS && follow(trail); i++) {
		size_t before = trail->len;

		poll(NULL, 0, NAP_MS);
		if (!take_out(trail) && trail->len == before)
			break; /* nobody takes them now */
	}
	write_down(trail, false);
}

void trail_end(struct trail *trail)
{
	trail_turn(trail);
	for (int i = 0; i < LAST_NAPS && !take_out(trail); i++)
		poll(NULL, 0, NAP_MS);
	write_down(trail, true);
}
