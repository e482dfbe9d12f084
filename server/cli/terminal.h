/* server/cli/terminal.h - what is typed or pasted at a terminal, not shown. */
#pragma once

#include "token/buf.h"

/*
 * Of standard input, which is a terminal: up to the first end of a line, with
 * it, or all up to its end (Ctrl-D). What comes behind that or its limits is
 * read as well, and is not left for a shell. A signal finds the terminal as it
 * was before; whoever stops it (Ctrl-Z) is asked again.
 *
 * E_LIMIT: more than *text has room for; *cause is the caller's. E_SYNTAX: a
 * line as long as a terminal lets through, which may have been longer. E_IO.
 */
enum err terminal_read(const char *what, bool line, struct buf *text,
		       struct cause *cause) MUST_CHECK;
