/*
 * token/scope.h - what a client asks to do, as the registry writes it
 * (distribution spec/auth/scope.md).
 *
 *   scopes = scope *( SP scope )
 *   scope  = type [ "(" class ")" ] ":" name ":" action *( "," action )
 *   e.g.     repository:group/app:pull,push     registry:catalog:*
 *
 * The type ends at the first colon, the actions begin after the last one: a
 * name may hold a colon ("host:5000/app"). The class is dropped. Names are
 * lower-cased. "*" on a repository asks for all three rights, spelled out: a
 * literal "*" is only ever signed for registry:catalog.
 *
 * Ignored, as a 400 would break logins through odd challenges: scopes that are
 * malformed, of an unknown type, or left without a known action.
 *
 * Pure: no I/O. Names point into the caller's text or into the arena.
 */
#pragma once

#include "token/arena.h"
#include "token/buf.h"
#include "token/path.h"
#include "token/rights.h"

enum {
	SCOPE_MAX = 256, /* scopes in one request, repeats counted */
	SCOPE_NAME_MAX = PATH_LEN_MAX,
	SCOPE_ACTION_MAX = 32 /* bytes of an action's name */
};

/* In the order of their names ("registry", "repository"): see scope_merge(). */
enum scope_type { SCOPE_CATALOG, SCOPE_REPOSITORY };

struct scope {
	enum scope_type type;
	struct str name; /* "catalog" for SCOPE_CATALOG */
	unsigned rights; /* of enum right; 0 grants nothing */
};

struct scope_list {
	size_t len;
	size_t seen; /* words read so far, ignored ones too: the limit */
	struct scope at[SCOPE_MAX];
};

/*
 * Adds the scopes in `text` (one value of a `scope` parameter) to *list.
 * E_LIMIT with *cause when one of the three limits is passed; *list is then
 * empty: a caller that forgets to look grants nothing.
 */
enum err scope_parse(struct str text, struct arena *arena,
		     struct scope_list *list, struct cause *cause) MUST_CHECK;

/* Merges equal names, drops what has no right, sorts by type and name. */
void scope_merge(struct scope_list *list);

/* As long as it is, not as long as it may be. */
const struct scope_list *scope_copy(const struct scope_list *list,
				    struct arena *arena);

/* "delete,pull,push": sorted; "*" for the catalog. */
void scope_print_rights(unsigned rights, struct buf *buf);
/* "registry:catalog:* repository:a/b:pull,push", as RFC 6749 5.1 wants it. */
void scope_print(const struct scope_list *list, struct buf *buf);
/* [{"type":"repository","name":"a/b","actions":["pull","push"]}] */
void scope_print_json(const struct scope_list *list, struct buf *buf);
