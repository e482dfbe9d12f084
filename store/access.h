/*
 * store/access.h - what an identity gets of what it asks: role and visibility
 * of the project, ANDed with the token's rights and with what was asked.
 */
#pragma once

#include "store/login.h"
#include "token/scope.h"

/*
 * *may is empty unless E_OK, and holds no scope without a right. To get less
 * than asked is no error. *why: GRANTED, PARTIAL, NOTHING or LOGIN. `want` is
 * merged (scope_merge). *may's names are those of `want`.
 */
enum err access_decide(struct txn *txn, const struct identity *who,
		       const struct scope_list *want, struct trace *trace,
		       struct scope_list *may, enum reason *why) MUST_CHECK;
