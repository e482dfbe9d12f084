/*
 * store/refresh.h - refresh tokens (OAuth 2, RFC 6749 6): opaque, stored by
 * digest, bound to one PAT and one service, reusable, expiring. They die with
 * their PAT, in the same transaction.
 */
#pragma once

#include "store/db.h"
#include "token/secret.h"

enum {
	REFRESH_DAYS = 90,   /* life of one */
	REFRESH_PER_PAT = 32 /* more for one PAT: the oldest goes */
};

struct refresh {
	uint64_t pat;	    /* id; 0: none */
	int64_t created_at; /* what orders them: no time to be shown */
	int64_t expires_at;
	struct str service;
};

/* *out is all zero unless E_OK. Dead ones are found too. */
enum err refresh_find(struct txn *txn, const struct digest *digest,
		      struct refresh *out) MUST_CHECK;
void refresh_add(struct txn *txn, const struct digest *digest,
		 const struct refresh *refresh);
void refresh_remove(struct txn *txn, uint64_t pat, const struct digest *digest);
void refresh_remove_pat(struct txn *txn, uint64_t pat);
