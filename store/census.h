/*
 * store/census.h - what can only be counted by reading all of a table: for
 * who watches the server, not for who asks it.
 *
 * It is read in steps, each in a transaction of its own, so that neither the
 * processor nor old pages are held for long. What changes meanwhile is in the
 * count or not.
 */
#pragma once

#include "store/db.h"
#include "token/secret.h"

enum { CENSUS_DAYS = 7 };

struct census {
	/*
	 * Tokens that live, and die within CENSUS_DAYS. Not those that were
	 * rotated: there is another already.
	 */
	uint64_t expiring;
	int64_t oldest; /* since when the oldest notice waits; 0: none does */
	uint64_t given_up; /* notices, within NOTICE_KEPT */

	struct digest at; /* the last token that was read */
	bool begun, whole;
};

/*
 * Reads up to `most` tokens more; begins with a census that is all zero. It
 * counts once it is `whole`.
 */
enum err census_step(struct txn *txn, int64_t now, unsigned most,
		     struct census *census) MUST_CHECK;
