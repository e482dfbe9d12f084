/*
 * store/used.h - when, from where and by what a token was last used: written
 * at most once in ten minutes for each token, so that use costs no disk.
 *
 * Observed, not decided: not in the log of changes.
 */
#pragma once

#include "store/db.h"

enum {
	USED_EVERY = 10 * 60, /* seconds */
	USED_ADDRESS_MAX = 46,
	USED_CLIENT_MAX = 64
};

struct used {
	int64_t at; /* 0: never */
	struct str address;
	struct str client; /* as it names itself */
};

/* Never used: E_NOT_FOUND, and *out is all zero. */
enum err used_get(struct txn *txn, uint64_t pat, struct used *out) MUST_CHECK;
/*
 * Writes it, unless a use within USED_EVERY is known. Returns the time that is
 * in the store then. Longer texts are cut, at the end of a character, and what
 * would harm a terminal becomes '?': a client calls itself what it likes.
 */
int64_t used_note(struct txn *txn, uint64_t pat, const struct used *used);
