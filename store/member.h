/*
 * store/member.h - who has which role in a group or project.
 */
#pragma once

#include "store/db.h"
#include "store/space.h"
#include "token/rights.h"

/* ROLE_NONE and E_NOT_FOUND when he is no direct member. */
enum err member_get(struct txn *txn, uint64_t space, uint64_t user,
		    enum role *out) MUST_CHECK;
enum err member_unpack(struct txn *txn, struct str key, struct str value,
		       uint64_t *user, enum role *role) MUST_CHECK;
void member_put(struct txn *txn, uint64_t space, uint64_t user, enum role role);
void member_remove(struct txn *txn, uint64_t space, uint64_t user);
void member_remove_user(struct txn *txn, uint64_t user);
void member_remove_space(struct txn *txn, uint64_t space);

/*
 * The highest of his roles in the chain: the project and all groups above.
 * *from is where he has it, NULL if nowhere.
 */
enum err member_role(struct txn *txn, const struct space_chain *chain,
		     uint64_t user, enum role *out,
		     const struct space **from) MUST_CHECK;
