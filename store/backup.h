/*
 * store/backup.h - a copy of the live store in one file, and the way back.
 *
 * The file is LMDB's (mdb_stat -n reads it) with a seal behind it: a name and
 * the SHA-256 of all before, so that a copy which was cut short or has rotted
 * is found before anything is done with it.
 */
#pragma once

#include "store/change.h"
#include "store/verify.h"

/* Writes copy and seal to an empty file, open for reading and writing. */
enum err backup_write(struct db *db, int fd, struct cause *cause) MUST_CHECK;
/*
 * Checks the seal, store_verify()s the copy (store/look.h) and opens it for
 * reading: all three the one file that had this name. It must not change while
 * it is open, and `path` live as long. E_CORRUPT: *cause names it. E_MODE:
 * somebody else than we and root can write it.
 */
enum err backup_open(const char *path, struct db **out,
		     struct store_facts *facts, struct cause *cause) MUST_CHECK;

struct restore {
	int64_t now;
	struct str actor;
	int64_t newer_than; /* tokens made since then are revoked; 0: none */
};
/*
 * What a store is to a copy that is to take its place, by both their logs. From
 * KIN_LATER on it has seen changes that the copy has not.
 */
enum kin {
	KIN_NONE,    /* they have no change in common */
	KIN_NEW,     /* it has not seen any change */
	KIN_EARLIER, /* an earlier state of the copy */
	KIN_LATER,
	KIN_UNTOLD, /* made as one, and their logs have nothing in common: one
		     * was pruned or is damaged; most likely a later state */
	KIN_PARTED  /* both went on from an earlier one, after a restore */
};
struct restored {
	enum kin kin;
	uint64_t lost;	     /* its changes since */
	uint64_t taken_away; /* changes that were made again, see below */
	uint64_t newer;	     /* tokens that newer_than alone has revoked */
};

/*
 * Puts the copy's rows in the place of the store's, in one transaction: readers
 * and a running server see the one or the other.
 *
 * What was taken away from somebody since the copy was made stays so: a token
 * that the store has as revoked, or whose grace is over, is revoked in the
 * copy, one whose grace runs ends with it, who was blocked or removed is
 * blocked, a password that was replaced stays so, as do two-factor and the
 * other flags that take rights away, a membership that has ended or was lowered
 * ends or is lowered, a project that was closed further is closed, a refresh
 * token that gave way is removed, a setting that was tightened
 * (store/setting.h) is as tight, and ids go on where they were. Users, groups
 * and projects are the same by their names: of one that was removed and made
 * again the copy's gets no more than that one has, and of one that is gone no
 * more than it had when it was removed, by the log. These are changes by
 * `actor` in the log.
 *
 * What was only observed (last uses, runs of jobs, mail) stays as the store has
 * it, but for what of it cannot be read. A limit of tokens' life counts from
 * then on, as if it had been set anew: nothing is revoked within its three
 * hours.
 *
 * A store that parted from the copy (another one was restored, or worked with)
 * says by its log what was taken away since both parted, and no more: what it
 * has not may not have been there yet. KIN_UNTOLD says what is tighter in it,
 * too. One that is new, or an earlier state of the copy, says nothing.
 * E_REFUSED: KIN_NONE, whose users are others of the same names; nothing has
 * changed then.
 */
enum err backup_restore(struct db *db, struct db *copy,
			const struct restore *how, struct restored *out,
			struct cause *cause) ON(writer_thread) MUST_CHECK;
