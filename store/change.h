/*
 * store/change.h - every change of the store is a struct change; change_apply()
 * is the only code that writes, for CLI, server and jobs alike.
 *
 * A change carries all that is not in the store (time, actor, digests, random
 * names), so that applying the same changes in the same order to equal stores
 * gives equal stores. The packed change is appended to the log (see
 * store/changelog.h) in the transaction that applies it.
 *
 * Which fields a change has is a row of the table in change.c; the others stay
 * zero. Texts are the caller's and must live until the change is done.
 */
#pragma once

#include "store/db.h"
#include "store/pat.h"
#include "store/space.h"
#include "store/user.h"
#include "token/secret.h"

/* clang-format off */
/*
 * Numbers are stored: never reorder, never reuse: number, name; TOKEN: its `id`
 * is that of a token which is there already; which command does it, or what
 * else.
 */
#define CHANGE_LIST(X)                                                         \
	X(CHANGE_USER_ADD, 1, "user_add", OTHER, "user add") \
	X(CHANGE_USER_REMOVE, 2, "user_remove", OTHER, "user remove") \
	X(CHANGE_USER_FLAG, 3, "user_flag", OTHER, "user block, unblock, admin, external, two-factor") \
	X(CHANGE_USER_PASSWORD, 4, "user_password", OTHER, "user password") \
	X(CHANGE_GROUP_ADD, 5, "group_add", OTHER, "group add") \
	X(CHANGE_PROJECT_ADD, 6, "project_add", OTHER, "project add") \
	X(CHANGE_PROJECT_SET, 7, "project_set", OTHER, "project set") \
	X(CHANGE_SPACE_REMOVE, 8, "space_remove", OTHER, "group remove, project remove") \
	X(CHANGE_MEMBER_PUT, 9, "member_put", OTHER, "member add") \
	X(CHANGE_MEMBER_REMOVE, 10, "member_remove", OTHER, "member remove") \
	X(CHANGE_TOKEN_ADD, 11, "token_add", OTHER, "token create") \
	X(CHANGE_TOKEN_REVOKE, 12, "token_revoke", TOKEN, "token revoke, or max_token_lifetime") \
	X(CHANGE_REFRESH_ADD, 13, "refresh_add", TOKEN, "a client was given a refresh token") \
	X(CHANGE_SETTING_PUT, 14, "setting_put", OTHER, "settings set") \
	X(CHANGE_TOKEN_ROTATE, 15, "token_rotate", TOKEN, "token rotate") \
	X(CHANGE_COUNTER_PUT, 16, "counter_put", OTHER, "restore: ids go on where they were") \
	X(CHANGE_USER_EMAIL, 17, "user_email", OTHER, "user set") \
	X(CHANGE_TOKEN_END, 18, "token_end", TOKEN, "restore: a grace ends when it was to") \
	X(CHANGE_RESTORE, 19, "restore", OTHER, "restore: a backup took the store's place") \
	X(CHANGE_AUDIT_PRUNE, 20, "audit_prune", OTHER, "audit prune") \
	X(CHANGE_KEY_NEW, 21, "key_new", OTHER, "key new") \
	X(CHANGE_KEY_ACTIVATE, 22, "key_activate", OTHER, "key activate") \
	X(CHANGE_KEY_REMOVE, 23, "key_remove", OTHER, "key remove") \
	X(CHANGE_REFRESH_REMOVE, 24, "refresh_remove", TOKEN, "restore: a refresh token that gave way to newer ones")
/* clang-format on */

enum change_type {
#define X(name, number, text, of, help) name = number,
	CHANGE_LIST(X)
#undef X
};

/* Sets of them: the bit of a type is its number. */
#define CHANGE_BIT(type) (UINT64_C(1) << (type))
#define CHANGE_OF_TOKEN_(name, number, text, of, help)                         \
	| (CHANGE_IS_##of * CHANGE_BIT(number))
enum { CHANGE_IS_OTHER, CHANGE_IS_TOKEN };
#define CHANGES_OF_TOKEN (UINT64_C(0) CHANGE_LIST(CHANGE_OF_TOKEN_))

/* Not even by default_token_days; 0 leaves it to the settings. */
#define EXPIRES_NEVER INT64_MAX

enum {
	IDLE_LEAST = 3600, /* use is noted every ten minutes */
	GRACE_MOST = 30 * 24 * 3600
};

/* What would have it done that was refused (E_NOT_EMPTY). */
enum change_need { NEED_NOTHING, NEED_YES, NEED_RECURSIVE };

struct change {
	enum change_type type;
	int64_t now;	  /* seconds UTC */
	struct str actor; /* "cli:root", "alice", "job:lifetime" */

	struct str user;  /* a user's name */
	struct str path;  /* of a group or project */
	struct str text;  /* e-mail, name of a token, service, setting, counter,
			     key */
	struct str value; /* crypt(5) text, setting's value, key's algorithm */
	struct digest digest;
	struct str bot; /* TOKEN_ADD of a space: random hex of the name */
	/* Of a token; a counter's last; RESTORE, AUDIT_PRUNE: of an entry. */
	uint64_t id;
	uint64_t flags;	     /* USER_*: of ADD; which one FLAG sets */
	uint64_t on;	     /* FLAG: 1 sets, 0 clears */
	uint64_t kind;	     /* enum pat_kind; enum space_kind of a REMOVE */
	uint64_t scopes;     /* enum pat_scope */
	uint64_t role;	     /* enum role */
	uint64_t visibility; /* 1 + enum visibility; 0: as it is, or private */
	uint64_t registry;   /* 1 + enum registry_access; 0: likewise */
	uint64_t archived;   /* 1 false, 2 true; 0: likewise */
	uint64_t yes;	     /* REMOVE: with what it owns */
	uint64_t recursive;  /* SPACE_REMOVE: what lies below; REVOKE: family */
	int64_t expires_at;  /* 0: none was said; or EXPIRES_NEVER; of an END,
				the second from which it is dead at the latest */

	/* Of a token: see token/limits.h. */
	struct str limits[LIMIT_COUNT];
	uint64_t idle;	/* seconds; 0: no such limit */
	uint64_t grace; /* ROTATE: seconds that the old one lives on */

	/*
	 * It comes from the log, and was found good by what was observed then.
	 * A new one is refused by that too: who rotates a token that is idle
	 * would give it another life.
	 */
	bool replayed;

	/* What came of it. */
	enum err result;
	uint64_t new_id;    /* of the user, space or token that it made */
	struct cause cause; /* why it was refused, for a person */
	enum change_need need;
};

/*
 * Who may write: the server's writer thread (store/writer.h) and a command,
 * which is a process of its own. A worker that tried would wait for the disk;
 * clang refuses it.
 */
struct ROLE thread_role {
	char unused;
};
extern struct thread_role writer_thread;
void become_writer(void) BECOMES(writer_thread);
void leave_writer(void) LEAVES(writer_thread);

/*
 * Applies one change inside a write transaction and appends it to the log. A
 * refusal (E_EXISTS, E_NOT_FOUND, E_NOT_EMPTY, E_REFUSED...) has written
 * nothing and leaves txn->err alone; a failure of the store sticks to txn.
 */
enum err change_apply(struct txn *txn, struct change *change)
	ON(writer_thread) MUST_CHECK;

/*
 * Applies a queue of changes with one fsync. Each has its .result; a refused
 * one is refused alone; a store failure fails them all, and nobody is told
 * "done" before the commit is on disk. Returns that failure or E_OK.
 */
enum err change_commit(struct db *db, struct change *const *list, size_t n)
	ON(writer_thread) MUST_CHECK;
/* The same in a write transaction that has begun; commits it. */
enum err change_commit_in(struct txn *txn, struct change *const *list, size_t n)
	ON(writer_thread) MUST_CHECK;

/*
 * What is observed rather than decided (last use, the mailbox, when a check
 * ran) is no change and not in the log, though it may apply some. A deed writes
 * all of what it does in one transaction, or nothing; its failure is its
 * result.
 */
typedef enum err deed(struct txn *txn, void *arg);
enum err deed_commit(struct db *db, deed *run, void *arg)
	ON(writer_thread) MUST_CHECK;

const char *change_name(enum change_type type);
/* E_NOT_FOUND: no change has that name; *out is 0 then, which is no type. */
enum err change_by_name(struct str name, enum change_type *out) MUST_CHECK;
/* The record of the log; unpack: E_VERSION, E_CORRUPT. */
struct pack;
void change_pack(const struct change *change, struct pack *out);
enum err change_unpack(struct str bytes, struct change *out) MUST_CHECK;
