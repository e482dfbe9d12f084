/*
 * server/audit.h - what an entry of the store's log looks like to whoever
 * reads it: all that it says but for digests of secrets and passwords.
 */
#pragma once

#include "store/changelog.h"
#include "token/arena.h"
#include "token/buf.h"

/* "57:0a1b...", as --head takes it; of none: "-". */
struct end_text {
	char at[96];
};
struct end_text log_end_print(const struct log_end *end);
/* E_SYNTAX: is no such text. *out is zero unless E_OK. */
enum err log_end_parse(struct str text, struct log_end *out) MUST_CHECK;

/*
 * {"time","number","actor","action", what the change says, "hash","previous"}.
 * `txn` is asked for the ids of tokens that entries made.
 */
void audit_print_json(struct txn *txn, const struct log_entry *entry,
		      struct buf *out);
/* The same without time and braces: for a line of the log. */
void audit_put_json(struct txn *txn, const struct log_entry *entry,
		    struct buf *out);
/*
 * What the change says, for people: "user=alice path=g/app role=developer"; in
 * quotes where a value could pass for several.
 */
void audit_print_text(struct txn *txn, const struct log_entry *entry,
		      struct buf *out);
