/*
 * store/past.h - inside of plan.c: what users, projects and memberships of a
 * copy were at last, by the log of the store whose place it is to take: before
 * they were removed, or since both parted. What was taken away from them by
 * then is not to come back with them.
 */
#pragma once

#include "store/setting.h"
#include "store/space.h"
#include "store/user.h"
#include "token/arena.h"

struct past {
	void *tree; /* of struct was */
	struct arena *arena;
	struct str set[SETTING_COUNT]; /* what was set at last */
	bool torn; /* an entry cannot be read: nobody knows */
};

/*
 * Reads the log of `now` from where it and the copy's part: that is the copy's
 * head if `now` is a later state of it. Failures stick to the transactions.
 */
void past_read(struct txn *now, struct txn *copy, struct arena *arena,
	       struct past *out);
void past_cleanup(struct past *past);

/*
 * Each brings what the copy has, and the caller has filled in, to what it was
 * at last. Texts point into the log, until the next write.
 */
void past_user(const struct past *past, struct user *user);
void past_project(const struct past *past, struct space *project);
void past_member(const struct past *past, uint64_t space, uint64_t user,
		 enum role *role);
enum err past_settings(const struct past *past,
		       struct settings *settings) MUST_CHECK;
