/* server/cli/stdin.c - see the header. */
#include "server/cli/stdin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { CHUNK = 256 };

static enum err too_long(const char *what, size_t max, struct cause *cause)
{
	return cause_set(cause, E_LIMIT,
			 "the %s on standard input is longer than %zu bytes; "
			 "give a shorter one",
			 what, max);
}

/* E_LIMIT leaves *cause to the caller. */
static enum err read_all(const char *what, struct buf *text, bool terminal,
			 struct cause *cause)
{
	ssize_t n;

	do {
		char *at = buf_room(text, CHUNK);

		if (!at)
			return E_LIMIT;
		n = read(STDIN_FILENO, at, CHUNK);
		if (n < 0)
			return cause_set(cause, E_IO,
					 "the %s cannot be read from standard "
					 "input: %s; pipe it in",
					 what, strerror(errno));
		buf_grew(text, (size_t)n);
	} while (n && !(terminal && str_has(buf_str(text), '\n')));
	return E_OK;
}

/* Typed, it is not shown. */
static enum err read_text(const char *what, struct buf *text,
			  struct cause *cause)
{
	struct termios shown, hidden;
	enum err err;

	if (tcgetattr(STDIN_FILENO, &shown))
		return read_all(what, text, false, cause);
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	fprintf(stderr, "%s, then Enter (it is not shown): ", what);
	err = read_all(what, text, true, cause);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	fputc('\n', stderr);
	return err;
}

enum err stdin_line(const char *what, size_t max, struct buf *text,
		    struct str *line, struct cause *cause)
{
	enum err err;

	*line = (struct str) { 0 };
	buf_init(text, max + 1 + CHUNK);
	err = read_text(what, text, cause);
	if (err)
		return err == E_LIMIT ? too_long(what, max, cause) : err;
	*line = buf_str(text);
	if (line->len && line->at[line->len - 1] == '\n')
		line->len--;
	if (!line->len)
		return cause_set(cause, E_SYNTAX,
				 "the %s on standard input is empty; pipe it "
				 "in",
				 what);
	if (str_has(*line, '\0') || str_has(*line, '\n'))
		return cause_set(cause, E_SYNTAX,
				 "the %s on standard input holds a NUL or a "
				 "second line; give one line of text",
				 what);
	return line->len > max ? too_long(what, max, cause) : E_OK;
}
