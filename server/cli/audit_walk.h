/*
 * server/cli/audit_walk.h - the entries of the store's log that an operator
 * asks for.
 */
#pragma once

#include "server/audit.h"
#include "server/cli/command.h"

/* All that --action takes: of CHANGE_LIST. */
#define AUDIT_ACTION(name, number, text, of, help) " " text
#define AUDIT_ACTIONS				   CHANGE_LIST(AUDIT_ACTION)

/* Which entries are asked for; empty, 0: any. */
struct audit_wanted {
	int64_t since, until;
	struct str actor, user;
	uint64_t user_id; /* of `user`, if he is still there */
	enum change_type action;
};

/* A day of an option, or 0; usage says what is wrong. */
int audit_day(struct call *call, enum opt opt, int64_t *out) MUST_CHECK;
/* What the options ask for; and begins to read the store. A status. */
int audit_begin(struct call *call, struct audit_wanted *out,
		struct txn *txn) MUST_CHECK;

struct audit_walk {
	struct txn *txn;
	struct audit_wanted *wanted;
	enum err (*visit)(struct audit_walk *walk,
			  const struct log_entry *entry);
	void *arg;
	/* What came of it. */
	uint64_t count;
	bool user_seen, actor_seen; /* in the log, whatever else was asked */
};

/* Visits each of them, the oldest first. */
enum err audit_walk(struct audit_walk *walk, struct cause *cause) MUST_CHECK;
/* A warning if there was none: a name that was mistyped is no innocence. */
void audit_tell_none(struct call *call, const struct audit_walk *walk);
