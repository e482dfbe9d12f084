/*
 * store/pat.h - access tokens, found by the digest of their secret. The secret
 * is never in the store: a copy of it holds no usable token.
 */
#pragma once

#include "store/db.h"
#include "store/setting.h"
#include "token/limits.h"
#include "token/secret.h"

/* Numbers are stored: never reorder. */
#define PAT_KIND_LIST(X)                                                       \
	X(PERSONAL, "personal")                                                \
	X(IMPERSONATION, "impersonation")                                      \
	X(PROJECT, "project")                                                  \
	X(GROUP, "group")

enum pat_kind {
	PAT_OF_NO_KIND,
#define X(name, text) PAT_##name,
	PAT_KIND_LIST(X)
#undef X
		PAT_KINDS
};
const char *pat_kind_name(uint64_t kind); /* "?": there is none of it */

struct pat {
	uint64_t id; /* 0: none */
	uint64_t user;
	uint64_t space; /* of PAT_PROJECT and PAT_GROUP */
	enum pat_kind kind;
	unsigned scopes; /* of enum pat_scope */
	int64_t created_at;
	int64_t expires_at; /* 00:00 UTC of its date; 0: never */
	int64_t revoked_at; /* 0: not */
	/*
	 * A rotation makes another token with the same terms. Those that follow
	 * each other are a family, named by its first.
	 */
	uint64_t family;
	uint64_t previous, next; /* 0: none */
	int64_t grace_ends;	 /* dead from then on, as another took its
				    place; 0: not in a grace */
	struct str limits[LIMIT_COUNT]; /* token/limits.h; empty: none */
	int64_t idle; /* seconds without use after which it is dead; 0: none */
	struct str name;
	struct digest digest;
};

/* *out is all zero unless E_OK. Expired and revoked ones are found too. */
enum err pat_find(struct txn *txn, const struct digest *digest,
		  struct pat *out) MUST_CHECK;
enum err pat_get(struct txn *txn, uint64_t id, struct pat *out) MUST_CHECK;
/* One row of a cursor over TABLE_PAT. */
enum err pat_unpack(struct txn *txn, struct str key, struct str value,
		    struct pat *out) MUST_CHECK;
/*
 * The token of a user with the least id above `after`; 0: no more, or a
 * failure, which sticks. For all of his: from 0 on.
 */
uint64_t pat_next_of(struct txn *txn, uint64_t user, uint64_t after);
void pat_put(struct txn *txn, const struct pat *pat);

/*
 * Dead from 00:00:00 UTC of its date, or at the end of its grace, everywhere:
 * the one predicate. When expiry is not enforced a date kills nothing; the end
 * of a grace and a revocation always do.
 */
bool pat_active(const struct pat *pat, const struct settings *settings,
		int64_t now);
/* When it will die: its date while that is enforced, its grace; 0 for never. */
int64_t pat_dies_at(const struct pat *pat, const struct settings *settings);

/*
 * Since when it has not been used: its creation, or the end of the ten minutes
 * that a last use that is known stands for (store/used.h).
 */
int64_t pat_used_at(struct txn *txn, const struct pat *pat);
/*
 * Dead as it was not used for so long. Use is observed, not decided: no change
 * that is replayed may depend on it, or equal changes would not make equal
 * stores.
 */
bool pat_idle(const struct pat *pat, int64_t used_at, int64_t now);
