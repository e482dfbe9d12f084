/* server/cli/stdin.h - what is secret, from standard input. */
#pragma once

#include "token/buf.h"

/*
 * Reads to the end; of a terminal, a line that is not shown (terminal.h). *line
 * is without its line feed and points into *text, which the caller wipes
 * (buf_done). E_SYNTAX, E_LIMIT, E_IO with *cause: empty, a NUL or a second
 * line in it, more than `max` bytes. `what`: "password".
 */
enum err stdin_line(const char *what, size_t max, struct buf *text,
		    struct str *line, struct cause *cause) MUST_CHECK;
/*
 * All of it, of any bytes, in *text, which the caller wipes; of a terminal up
 * to its end (Ctrl-D), not shown. E_SYNTAX: nothing came.
 */
enum err stdin_text(const char *what, size_t max, struct buf *text,
		    struct cause *cause) MUST_CHECK;
