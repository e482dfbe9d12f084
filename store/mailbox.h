/*
 * store/mailbox.h - what people are to be told and have not been: the queue of
 * mail and of webhook calls. It survives a crash.
 *
 * A notice holds whom and what it is about; its text is made when it is sent.
 * Whoever sends one claims it first: it is then due again after the next step
 * of the back-off, as if it had failed. If it was delivered it is removed. So
 * two never send the same, and what a crash cut short is tried again. The one
 * thing that nobody can know is whether a server that has said "250" to a
 * process that was killed then has kept the mail: it gets it once more.
 */
#pragma once

#include "store/db.h"

enum notice_kind {
	NOTICE_EXPIRING = 1,
	NOTICE_EXPIRED,
	NOTICE_REVOKED /* by max_token_lifetime */
};
enum notice_way { WAY_MAIL = 1 << 0, WAY_HOOK = 1 << 1 };

enum {
	NOTICE_TOKENS_MAX = 100,
	NOTICE_TEXT_MAX = 200,
	NOTICE_FIRST_DELAY = 60,       /* seconds; ever longer, up to */
	NOTICE_LAST_DELAY = 60 * 60,   /* this */
	NOTICE_LIFE = 3 * 24 * 60 * 60 /* then it is given up */
};

struct notice {
	uint64_t id;
	int64_t next_at;   /* when it is to be tried */
	int64_t queued_at; /* seconds UTC */
	unsigned tries;
	enum notice_kind kind;
	enum notice_way way;
	int64_t date;	/* the day that the check believed in */
	uint64_t days;	/* NOTICE_REVOKED: the limit */
	uint64_t user;	/* who is told; 0: a webhook, of a space's tokens */
	uint64_t space; /* whose tokens they are; 0: the user's own */
	uint64_t total; /* tokens in all */
	size_t len;
	uint64_t tokens[NOTICE_TOKENS_MAX]; /* the first ones */
	struct str failure;		    /* of the last try; or empty */
};

/* Queues a new one, due at next_at, and gives it its id. */
void mailbox_add(struct txn *txn, struct notice *notice);
/* The one that is due for longest, by one of `ways`; E_NOT_FOUND: none is. */
enum err mailbox_due(struct txn *txn, int64_t now, unsigned ways,
		     struct notice *out) MUST_CHECK;
/*
 * Takes one that was read before. E_NOT_FOUND: another has it, or has sent it.
 * It is read again, with its count of tries.
 */
enum err mailbox_claim(struct txn *txn, uint64_t id, int64_t next_at,
		       int64_t now, struct notice *out) MUST_CHECK;
/* Of one that was claimed: it stays queued; why it could not be sent. */
void mailbox_failed(struct txn *txn, const struct notice *notice,
		    struct str why);
void mailbox_remove(struct txn *txn, const struct notice *notice);

/* A row of a cursor over TABLE_MAILBOX. */
enum err mailbox_unpack(struct txn *txn, struct str key, struct str value,
			struct notice *out) MUST_CHECK;
