/*
 * store/expiry.h - the checks: which tokens their owners are to be told of, who
 * that is, and what is queued for them.
 *
 * A check reads all tokens once (expiry_scan) and then goes through those that
 * it found owner by owner (expiry_settle). What an owner is told of, the flags
 * that say so and the notices for it are in one transaction: a check that was
 * cut short is made again, and tells nobody twice.
 *
 *  - JOB_EXPIRING: dies within (day, day + N], not told yet for that N; N is
 *    each of the days of the setting expiry_notice_days
 *  - JOB_EXPIRED: died within (since, day], not told yet
 *  - JOB_LIFETIME: breaks max_token_lifetime: revoked, and told
 *
 * Impersonation tokens are told to nobody, nor those that were rotated. A
 * project's or group's token is told to the maintainers and owners there, its
 * bot has no mailbox. Who is blocked, or has no usable address, is not told; if
 * nobody is left, the token stays untold, so that a later check may tell of it.
 */
#pragma once

#include "store/change.h"
#include "store/job.h"
#include "store/mailbox.h"
#include "store/setting.h"

struct check {
	enum job job;
	bool by_hand;
	int64_t day;   /* 00:00 UTC of the date that it believes in */
	int64_t since; /* JOB_EXPIRED */
	struct settings settings;
	unsigned ways; /* of enum notice_way; 0: nobody can be told */
	int64_t now;
	int64_t next_at; /* when its notices are due */
};

/* Those of one owner, or of one namespace, stand together. */
struct affected {
	uint64_t space, user, pat;
};

struct affected_list {
	struct affected *at;
	size_t len, size;
};
void affected_cleanup(struct affected_list *list);

/*
 * Is a notice of that check still true of the token, and of use to its owner?
 * Not of one that was revoked or rotated since, or whose date has come.
 */
bool expiry_concerns(enum job job, const struct pat *pat, int64_t day);

/* `go_on` (may be NULL) is asked now and then; false: E_BUSY. */
enum err expiry_scan(struct txn *txn, const struct check *check,
		     bool (*go_on)(void *arg), void *arg,
		     struct affected_list *out) MUST_CHECK;
/* How many of them, from `from` on, belong to one owner or namespace. */
size_t affected_group(const struct affected_list *list, size_t from);

struct check_result {
	uint64_t found;	 /* tokens */
	uint64_t untold; /* of them: nobody could be told */
	uint64_t queued; /* notices */
};

/* Looks at each of a group once more, then queues, flags, revokes. */
enum err expiry_settle(struct txn *txn, const struct check *check,
		       const struct affected *at, size_t n,
		       struct check_result *result)
	ON(writer_thread) MUST_CHECK;
