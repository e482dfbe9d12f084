/*
 * token/rights.h - what a PAT may do (its scopes) and what its owner may do in
 * a project (his role): the two tables that every grant is cut from.
 *
 * A grant is role-allowed AND PAT-right AND asked: one bit set each, ANDed.
 * Zero grants nothing.
 *
 * Pure: no I/O, no allocation.
 */
#pragma once

#include "token/base.h"

/* Rights, held and asked alike. On registry:catalog:* it is CATALOG alone. */
enum right {
	RIGHT_PULL = 1 << 0,
	RIGHT_PUSH = 1 << 1,
	RIGHT_DELETE = 1 << 2,
	RIGHT_CATALOG = 1 << 3,
	RIGHT_REPOSITORY = RIGHT_PULL | RIGHT_PUSH | RIGHT_DELETE,
};

/*
 * Scopes of a PAT: bits of `enum pat_scope`, named as GitLab names them. Rows
 * of the table in rights.c: name, rights. The bits are stored: never reorder.
 */
enum pat_scope {
	PAT_API = 1 << 0,
	PAT_READ_USER = 1 << 1,
	PAT_READ_API = 1 << 2,
	PAT_READ_REPOSITORY = 1 << 3,
	PAT_WRITE_REPOSITORY = 1 << 4,
	PAT_READ_REGISTRY = 1 << 5,
	PAT_WRITE_REGISTRY = 1 << 6,
	PAT_SUDO = 1 << 7,
	PAT_ALL = (1 << 8) - 1,
};

/*
 * "api,read_registry" (commas, spaces around them allowed, duplicates fine) to
 * bits. An unknown name or an empty list: E_SYNTAX, *out 0, *unknown the word.
 */
enum err pat_scopes_parse(struct str text, unsigned *out,
			  struct str *unknown) MUST_CHECK;
/* Name of the lowest bit of *bits, which is then cleared; empty at the end. */
struct str pat_scopes_next(unsigned *bits);

/*
 * Rights that the scopes add up to. write_registry is read-write unless
 * `write_implies_pull` is false (GitLab's push-only reading).
 */
unsigned pat_rights(unsigned scopes, bool write_implies_pull);

/* Roles by their GitLab numbers, which are stored. */
enum role {
	ROLE_NONE = 0,
	ROLE_GUEST = 10,
	ROLE_PLANNER = 15,
	ROLE_REPORTER = 20,
	ROLE_DEVELOPER = 30,
	ROLE_MAINTAINER = 40,
	ROLE_OWNER = 50,
};

enum err role_parse(struct str name, enum role *out) MUST_CHECK;
struct str role_name(enum role role); /* "no role" for ROLE_NONE */
bool role_known(unsigned number);     /* one of the six */

enum visibility { VISIBILITY_PRIVATE, VISIBILITY_INTERNAL, VISIBILITY_PUBLIC };
enum err visibility_parse(struct str name, enum visibility *out) MUST_CHECK;
struct str visibility_name(enum visibility visibility);

/* A project's registry setting: for all who see it, members alone, nobody. */
enum registry_access { REGISTRY_ENABLED, REGISTRY_PRIVATE, REGISTRY_DISABLED };
enum err registry_access_parse(struct str name,
			       enum registry_access *out) MUST_CHECK;
struct str registry_access_name(enum registry_access access);

/* Who asks, as the table of roles x visibility has its columns. */
struct standing {
	bool signed_in, external, admin;
	enum role role; /* highest in the project and the groups above it */
};

struct project_rules {
	enum visibility visibility;
	enum registry_access registry;
	bool archived;
};

/* Those of a project that nobody may do anything in. */
extern const struct project_rules project_rules_none;

/* RIGHT_PULL, _PUSH, _DELETE that `who` has in such a project. */
unsigned project_rights(const struct project_rules *rules,
			const struct standing *who);
