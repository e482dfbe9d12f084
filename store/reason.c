/* store/reason.c - the codes and their texts. */
#include "store/reason.h"

static const struct {
	struct str code, text;
	enum outcome outcome;
} reasons[] = {
#define X(name, outcome, code, text)                                           \
	{ { code, sizeof(code) - 1 },                                          \
	  { text, sizeof(text) - 1 },                                          \
	  OUTCOME_##outcome },
	REASON_LIST(X)
#undef X
};

struct str reason_code(enum reason reason)
{
	assert((size_t)reason < COUNT(reasons));
	return reasons[reason].code;
}

struct str reason_text(enum reason reason)
{
	assert((size_t)reason < COUNT(reasons));
	return reasons[reason].text;
}

enum outcome reason_outcome(enum reason reason)
{
	assert((size_t)reason < COUNT(reasons));
	return reasons[reason].outcome;
}
