/*
 * store/mailbox.h - what people are to be told and have not been: the queue of
 * mail and of webhook calls. It survives a crash.
 *
 * A notice holds whom and what it is about; its text is made when it is sent.
 * Whoever sends one claims it first, for longer than a delivery may take. If it
 * was delivered it is removed; if not, it is due after the next step of the
 * back-off, from the claim on. So two never send the same, and what a crash cut
 * short is tried again once the claim has ended. The one
 * thing that nobody can know is whether a server that has said "250" to a
 * process that was killed then has kept the mail: it gets it once more.
 */
#pragma once

#include "store/job.h"

enum notice_way { WAY_MAIL = 1 << 0, WAY_HOOK = 1 << 1 };

enum {
	NOTICE_TOKENS_MAX = 100,
	NOTICE_TEXT_MAX = 200,
	NOTICE_CLAIM = 12 * 60,		/* seconds */
	NOTICE_FIRST_DELAY = 60,	/* seconds; ever longer, up to */
	NOTICE_LAST_DELAY = 60 * 60,	/* this */
	NOTICE_LIFE = 3 * 24 * 60 * 60, /* then it is given up */
	NOTICE_KEPT = 7 * 24 * 60 * 60	/* so that people can look who it was */
};

struct notice {
	uint64_t id;
	int64_t next_at;     /* when it is to be tried, or forgotten */
	int64_t given_up_at; /* 0: it waits */
	int64_t queued_at;   /* seconds UTC */
	unsigned tries;
	enum job job;
	enum notice_way way;
	int64_t date;	/* the day that the check believed in */
	uint64_t days;	/* JOB_LIFETIME: the limit */
	uint64_t user;	/* who is told; 0: a webhook, of a space's tokens */
	uint64_t space; /* whose tokens they are; 0: the user's own */
	uint64_t total; /* tokens in all */
	size_t len;
	uint64_t tokens[NOTICE_TOKENS_MAX]; /* the first ones */
	struct str failure; /* of the last try; empty: none has failed */
};

/* Queues a new one, due at next_at, and gives it its id. */
void mailbox_add(struct txn *txn, struct notice *notice);
/*
 * The one that is due for longest, by one of `ways`, to be sent or removed;
 * E_NOT_FOUND: none is. A row that is damaged is passed over: it must not hold
 * up the others.
 */
enum err mailbox_due(struct txn *txn, int64_t now, unsigned ways,
		     struct notice *out) MUST_CHECK;
/* One that was seen. E_NOT_FOUND: another has it, or has sent it. */
enum err mailbox_get(struct txn *txn, uint64_t id, int64_t next_at,
		     struct notice *out) MUST_CHECK;
/* Takes it, in the same transaction: next_at, tries are other ones then. */
void mailbox_claim(struct txn *txn, struct notice *notice, int64_t now);
/* It is claimed, and may be on its way. */
bool mailbox_claimed(const struct notice *notice, int64_t now);
/*
 * Of one that was claimed, at `now`: it stays queued; why it could not be sent.
 */
void mailbox_failed(struct txn *txn, const struct notice *notice, int64_t now,
		    struct str why);
void mailbox_remove(struct txn *txn, const struct notice *notice);
/* It is not tried again; it is due to be removed NOTICE_KEPT from `now`. */
void mailbox_give_up(struct txn *txn, const struct notice *notice, int64_t now);

/*
 * The next of a cursor over TABLE_MAILBOX that can be read and waits; false: no
 * more. mailbox_next_any(): or was given up.
 */
bool mailbox_next(struct cursor *cursor, struct notice *out);
bool mailbox_next_any(struct cursor *cursor, struct notice *out);
/* A row of such a cursor. */
enum err mailbox_unpack(struct txn *txn, struct str key, struct str value,
			struct notice *out) MUST_CHECK;
