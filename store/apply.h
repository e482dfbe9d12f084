/*
 * store/apply.h - inside of change.c: what each change does. Each runs in a
 * transaction of its own that is undone when it refuses, so a refusal may come
 * at any point; it then has filled change->cause.
 */
#pragma once

#include "store/change.h"

enum { TEXT_MAX = 255 };

enum err apply_user_add(struct txn *txn, struct change *change);
enum err apply_user_remove(struct txn *txn, struct change *change);
enum err apply_user_flag(struct txn *txn, struct change *change);
enum err apply_user_password(struct txn *txn, struct change *change);
enum err apply_user_email(struct txn *txn, struct change *change);
enum err apply_group_add(struct txn *txn, struct change *change);
enum err apply_project_add(struct txn *txn, struct change *change);
enum err apply_project_set(struct txn *txn, struct change *change);
enum err apply_space_remove(struct txn *txn, struct change *change);
enum err apply_member_put(struct txn *txn, struct change *change);
enum err apply_member_remove(struct txn *txn, struct change *change);
enum err apply_token_add(struct txn *txn, struct change *change);
enum err apply_token_revoke(struct txn *txn, struct change *change);
enum err apply_token_rotate(struct txn *txn, struct change *change);
enum err apply_token_end(struct txn *txn, struct change *change);
enum err apply_refresh_add(struct txn *txn, struct change *change);
enum err apply_refresh_remove(struct txn *txn, struct change *change);
enum err apply_setting_put(struct txn *txn, struct change *change);
enum err apply_counter_put(struct txn *txn, struct change *change);
enum err apply_restore(struct txn *txn, struct change *change);
enum err apply_audit_prune(struct txn *txn, struct change *change);
enum err apply_key(struct txn *txn, struct change *change);

/* Each fills *cause unless E_OK. */
enum err need_user(struct txn *txn, struct change *change,
		   struct user *out) MUST_CHECK;

/* A path as it was given, lower-cased; E_SYNTAX with a cause. */
struct path_text {
	char at[PATH_LEN_MAX];
	size_t len;
};
enum err need_path(struct change *change, struct path_text *out) MUST_CHECK;
enum err need_space(struct txn *txn, struct change *change,
		    const struct path_text *path, struct space *out) MUST_CHECK;
/* What ADD and SET of a project say, over what was there. */
enum err project_rules_set(struct change *change,
			   struct project_rules *rules) MUST_CHECK;
/* At most `max` bytes, none of them a control character. */
enum err need_text(struct change *change, struct str text, size_t max,
		   const char *what) MUST_CHECK;

enum err need_pat(struct txn *txn, struct change *change,
		  struct pat *out) MUST_CHECK;
/*
 * The date of a new token, as the settings allow it: `wanted` is as in struct
 * change. One that nobody asked for is brought nearer rather than refused.
 */
enum err need_expiry(struct txn *txn, struct change *change, int64_t wanted,
		     bool asked, int64_t *out) MUST_CHECK;
/*
 * May the change's actor make this token, of `space` (or NULL) or of `owner`?
 * Who acts on this machine ("cli:root") may; a user acts by his own rights.
 */
enum err may_create(struct txn *txn, struct change *change,
		    const struct space *space,
		    const struct user *owner) MUST_CHECK;
/*
 * May he rotate or revoke this one? His own, also a bot its own; else as those
 * who may make it, and what is rotated has no role above the actor's own.
 */
enum err may_change(struct txn *txn, struct change *change,
		    const struct pat *pat) MUST_CHECK;
/* Fills in what only now is known: id, time, digest, perhaps family. */
enum err token_put_new(struct txn *txn, struct change *change,
		       struct pat *pat) MUST_CHECK;

/* A user's tokens: those that are active at change->now, by id. */
struct token_ids {
	size_t n; /* all of them, also those that are not in `at` */
	uint64_t at[8];
};
void tokens_active(struct txn *txn, const struct change *change, uint64_t user,
		   struct token_ids *ids);
/* user "alice" owns ... : they would be revoked, unless one says yes. */
enum err refuse_tokens(struct change *change, const char *kind, struct str name,
		       const char *verb,
		       const struct token_ids *ids) MUST_CHECK;
/* Revokes one, all of a user's; the refresh tokens go with them. */
void token_kill(struct txn *txn, struct pat *pat, int64_t now);
void tokens_kill(struct txn *txn, uint64_t user, int64_t now);
/*
 * Ends all tokens that came of each other by rotation: for a secret that leaked
 * and may have been rotated by whoever has it.
 */
void family_kill(struct txn *txn, const struct pat *any, int64_t now);
