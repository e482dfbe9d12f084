/*
 * store/space.h - namespaces: groups and projects, named by their path.
 *
 * A path (token/path.h) of 1 to 20 components, without "--", as GitLab has it:
 * "group/sub/app". It is a group or a project, never both; nothing lies under a
 * project but its repositories. So the project of a repository is the one
 * project among its path's prefixes, and finding it walks down from the top.
 */
#pragma once

#include "store/db.h"
#include "token/path.h"
#include "token/rights.h"

enum { SPACE_DEPTH = 20 };

enum space_kind { SPACE_GROUP = 1, SPACE_PROJECT = 2 };

struct space {
	uint64_t id; /* 0: none */
	enum space_kind kind;
	struct project_rules rules; /* of a project */
	int64_t created_at;
	struct str path;
};

bool space_path_valid(struct str path); /* lower case already */
/* *out is all zero unless E_OK. */
enum err space_find(struct txn *txn, struct str path,
		    struct space *out) MUST_CHECK;
enum err space_get(struct txn *txn, uint64_t id, struct space *out) MUST_CHECK;
enum err space_unpack(struct txn *txn, struct str key, struct str value,
		      struct space *out) MUST_CHECK;
/* The rows below `path`, at any depth; of one that is too long, none. */
void space_below(struct txn *txn, struct str path, struct cursor *out);
void space_put(struct txn *txn, const struct space *space);
void space_remove(struct txn *txn, const struct space *space);

/*
 * Walks down the prefixes of `path` that exist: at[0] is the top. Ends at the
 * first that is missing or at a project. Used for repositories (is the last a
 * project?) and for roles (membership in any of them counts).
 */
struct space_chain {
	size_t len;
	struct space at[SPACE_DEPTH];
};
enum err space_walk(struct txn *txn, struct str path,
		    struct space_chain *out) MUST_CHECK;
