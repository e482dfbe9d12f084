/*
 * store/user.h - people and bots.
 *
 * Names are [A-Za-z0-9_][A-Za-z0-9_.-]*, at most 255 bytes, not ending in a
 * dot, unique and found without regard to case. Texts of a struct user point
 * into the store (see store/db.h).
 */
#pragma once

#include "store/db.h"

/* clang-format off */
/* Bits are stored: never reorder. */
#define USER_FLAG_LIST(X)                                                      \
	X(ADMIN, 0, "admin")                                                   \
	X(EXTERNAL, 1, "external")      /* sees internal projects as a member only */ \
	X(BLOCKED, 2, "blocked")                                               \
	X(TWO_FACTOR, 3, "two-factor")  /* no password at the token endpoint */ \
	X(BOT, 4, "bot")                /* of a project or group token */
/* clang-format on */

enum user_flag {
#define X(name, bit, text) USER_##name = 1 << bit,
	USER_FLAG_LIST(X)
#undef X
};
/* The name of the first of them, which is taken out; empty: there are none. */
struct str user_flags_next(unsigned *flags);

struct user {
	uint64_t id; /* 0: nobody */
	unsigned flags;
	int64_t created_at;
	struct str name, email;
	struct str password; /* crypt(5) text; empty: none */
};

bool user_name_valid(struct str name);
/* *out is all zero unless E_OK. */
enum err user_find(struct txn *txn, struct str name,
		   struct user *out) MUST_CHECK;
enum err user_get(struct txn *txn, uint64_t id, struct user *out) MUST_CHECK;
/* One row of a cursor over TABLE_USER. */
enum err user_unpack(struct txn *txn, struct str key, struct str value,
		     struct user *out) MUST_CHECK;
/* Writes both tables. New when user->id is new; renaming is not supported. */
void user_put(struct txn *txn, const struct user *user);
void user_remove(struct txn *txn, const struct user *user);
