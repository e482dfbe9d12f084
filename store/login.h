/*
 * store/login.h - who asks: from a credential to an identity.
 *
 * Never anonymous by failure: unless E_OK, *out is all zero (nobody, no
 * rights) and *why says what was wrong. E_REFUSED is the caller's 401 or 403;
 * E_NOT_FOUND comes only where a function says so; anything else is a failure
 * of the store, a 500.
 *
 * Thread: any with a read transaction of its own. Texts live in the arena.
 */
#pragma once

#include "store/pat.h"
#include "store/reason.h"
#include "store/trace.h"
#include "store/user.h"
#include "token/arena.h"

enum identity_kind { IDENTITY_NOBODY, IDENTITY_ANONYMOUS, IDENTITY_USER };

struct identity {
	enum identity_kind kind;
	uint64_t user; /* id; 0 for the anonymous */
	uint64_t pat;  /* id; 0 for a password */
	struct str name;
	bool admin, external;
	unsigned rights;	 /* of enum right: what the scopes add up to */
	int64_t dies_at;	 /* of the PAT, seconds UTC; 0: never */
	struct str repositories; /* it is limited to these; LIMIT_REPOSITORY */
};

struct login_policy {
	bool username_must_match;
	bool write_implies_pull;
};

/* The token that was shown and its owner, refused or not: for the log. */
struct login_token {
	uint64_t id;	  /* 0: none is known */
	struct str owner; /* empty: gone */
	uint64_t next;	  /* what it became by a rotation; 0: nothing yet */
};

struct login {
	struct txn *txn;
	struct arena *arena;
	struct trace *trace;	   /* NULL: nobody wants the steps */
	struct login_token *token; /* filled; NULL: nobody wants it */
	struct login_policy policy;
	int64_t now;
	/*
	 * What a token may be limited to: the registry that is asked for, where
	 * the request comes from. NULL: the question does not say; a token that
	 * is so limited is refused. Repositories are store/access.h's.
	 */
	const struct str *asked[LIMIT_COUNT];
};

void login_anonymous(struct identity *out); /* may pull what is public */

/*
 * A secret as password. E_NOT_FOUND: no token has this secret; the caller may
 * then try it as a password. `username` is checked only if the policy says so.
 */
enum err login_pat(const struct login *login, struct str username,
		   struct str secret, struct identity *out,
		   enum reason *why) MUST_CHECK;
/*
 * The same checks for a token known by its id: `explain --token-id`.
 * E_NOT_FOUND: no token has it.
 */
enum err login_pat_id(const struct login *login, uint64_t id,
		      struct identity *out, enum reason *why) MUST_CHECK;
/*
 * A user with the scopes that a token of his would have: `explain USER`.
 * E_NOT_FOUND: there is no such user.
 */
enum err login_as(const struct login *login, struct str username,
		  unsigned scopes, struct identity *out,
		  enum reason *why) MUST_CHECK;
/* A refresh token: bound to `service`, and as alive as its PAT. */
enum err login_refresh(const struct login *login, struct str secret,
		       struct str service, struct identity *out,
		       enum reason *why) MUST_CHECK;

/*
 * A password, in two steps, as hashing is slow and belongs to another thread:
 * the hash to compare with, empty when there is none (the caller then hashes
 * against one of its own, so that unknown and known take the same time); and
 * what follows once it is known whether the password was right. The user is
 * read again in the second step: he may be gone since.
 */
enum err login_password_hash(const struct login *login, struct str username,
			     struct str *hash) MUST_CHECK;
enum err login_password(const struct login *login, struct str username,
			struct str hash, bool right, struct identity *out,
			enum reason *why) MUST_CHECK;
