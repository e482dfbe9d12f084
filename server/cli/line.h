/*
 * server/cli/line.h - what argv says, before it is known whose command it is:
 * words, options, the first mistake.
 *
 * The first word "help" is --help. Options stand anywhere, as "--name value" or
 * "--name=value"; behind "--" all are words. A value that begins with "--"
 * needs the second form, so that a forgotten one does not swallow the next
 * option. What is given again is joined with a comma: the command says whether
 * it may be.
 */
#pragma once

#include "server/cli/command.h"

enum { LINE_NEAR = 2 }; /* edits that a typing error has */

struct line {
	struct str words[2 + ARGS_MAX]; /* of the command, and behind it */
	size_t words_count;
	const char *opts[OPT_COUNT]; /* as in struct call */
	uint64_t again;		     /* given more than once */
	char joined[4096];	     /* what these were */
	size_t joined_len;
	struct cause bad;   /* the first mistake */
	struct str unknown; /* if that is an option of no command */
	bool version;
};

struct opt_row {
	const char *name, *takes, *help;
};
extern const struct opt_row opt_rows[OPT_COUNT];

void line_read(int argc, char **argv, struct line *line);

/* How many letters make the one of the other. */
size_t line_distance(struct str a, struct str b);
/* The option that may have been meant, of the set `opts`; or NULL. */
const char *line_near_option(struct str name, uint64_t opts);
