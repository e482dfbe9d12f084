/*
 * store/bot.h - the bot of a project or group token ends with it: it is no
 * member any more, nobody acts as it, though its rows stay, as those of dead
 * tokens do. Nothing is written for it, so a date ends it as a revocation does;
 * a rotation leaves it to the successor.
 */
#pragma once

#include "store/user.h"

/*
 * None of its tokens lives, by pat_active() and pat_idle(). False for a person,
 * and after a failure, which sticks to txn.
 */
bool bot_ended(struct txn *txn, const struct user *user, int64_t now);
