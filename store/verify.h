/*
 * store/verify.h - is every record sound, and does every index agree with what
 * it points to? Reads all of the store: a second for each few hundred thousand
 * tokens.
 */
#pragma once

#include "store/db.h"

struct store_facts {
	uint64_t users, spaces, tokens;
	uint64_t changes;   /* entries of the log */
	int64_t changed_at; /* time of the newest, seconds UTC; 0: none */
};

/*
 * Can a row of what was observed be read, and is it of something that there is
 * or was? False: only what it says is lost without it.
 */
bool observed_sound(struct txn *txn, enum table table, struct str key,
		    struct str value);

/*
 * E_CORRUPT: *cause names the first record that is damaged, missing or at odds
 * with another. Includes changelog_verify(). *facts is zero unless E_OK.
 */
enum err store_verify(struct txn *txn, struct store_facts *facts,
		      struct cause *cause) MUST_CHECK;
