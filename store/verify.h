/*
 * store/verify.h - is every record sound, and does every index agree with what
 * it points to? Of what was decided: last uses and mail are not looked at.
 * Reads all of the store: a second for each few hundred thousand tokens.
 */
#pragma once

#include "store/db.h"

struct store_facts {
	uint64_t users, spaces, tokens;
	uint64_t changes;   /* entries of the log */
	int64_t changed_at; /* time of the newest, seconds UTC; 0: none */
};

/*
 * E_CORRUPT: *cause names the first record that is damaged, missing or at odds
 * with another. Includes changelog_verify(). *facts is zero unless E_OK.
 */
enum err store_verify(struct txn *txn, struct store_facts *facts,
		      struct cause *cause) MUST_CHECK;
