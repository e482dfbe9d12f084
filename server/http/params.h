/*
 * server/http/params.h - the parameters of a query or of a form
 * (application/x-www-form-urlencoded): names and values, decoded, in order.
 *
 *   params = [ param *( "&" param ) ]      param = name [ "=" value ]
 *
 * "+" is a space, %XX a byte. Pure; slices live in the text or the arena.
 */
#pragma once

#include "token/arena.h"

enum { PARAMS_MAX = 1024 };

struct param {
	struct str name, value;
};

struct params {
	size_t len;
	const struct param *at;
};

/*
 * E_SYNTAX: an escape that is none, or a NUL; E_LIMIT: more than PARAMS_MAX.
 * *out is then empty.
 */
enum err params_parse(struct str text, struct arena *arena, struct params *out,
		      struct cause *cause) MUST_CHECK;

/*
 * The value of `name`; the empty slice with .at NULL if there is none.
 * E_REFUSED: it came with two different values.
 */
enum err params_one(const struct params *params, struct str name,
		    struct str *out, struct cause *cause) MUST_CHECK;
/* The first one, whatever follows. */
struct str params_first(const struct params *params, struct str name);

/* "%41+" to "A "; without `plus` a "+" stays. Errors as above. */
enum err percent_decode(struct str text, bool plus, struct arena *arena,
			struct str *out) MUST_CHECK;
