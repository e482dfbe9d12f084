/* server/cli/stdin.c - see the header. */
#include "server/cli/stdin.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "server/cli/terminal.h"

enum { CHUNK = 256 };

static enum err too_long(const char *what, size_t max, struct cause *cause)
{
	return cause_set(cause, E_LIMIT,
			 "the %s on standard input is longer than %zu bytes; "
			 "give a shorter one",
			 what, max);
}

/* E_LIMIT leaves *cause to the caller. */
static enum err read_all(const char *what, struct buf *text,
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
	} while (n);
	return E_OK;
}

static enum err empty(const char *what, struct cause *cause)
{
	return cause_set(cause, E_SYNTAX,
			 "the %s on standard input is empty; pipe it in", what);
}

static enum err read_whole(const char *what, bool line, size_t max,
			   struct buf *text, struct cause *cause)
{
	enum err err;

	buf_init(text, max + CHUNK);
	err = isatty(STDIN_FILENO) ? terminal_read(what, line, text, cause)
				   : read_all(what, text, cause);
	return err == E_LIMIT ? too_long(what, max - line, cause) : err;
}

enum err stdin_text(const char *what, size_t max, struct buf *text,
		    struct cause *cause)
{
	enum err err = read_whole(what, false, max, text, cause);

	if (!err && text->len > max)
		return too_long(what, max, cause);
	return !err && !text->len ? empty(what, cause) : err;
}

enum err stdin_line(const char *what, size_t max, struct buf *text,
		    struct str *line, struct cause *cause)
{
	enum err err = read_whole(what, true, max + 1, text, cause);

	*line = buf_str(text);
	if (err)
		return err;
	if (line->len && line->at[line->len - 1] == '\n')
		line->len--;
	if (!line->len)
		return empty(what, cause);
	if (str_has(*line, '\0') || str_has(*line, '\n'))
		return cause_set(cause, E_SYNTAX,
				 "the %s on standard input holds a NUL or a "
				 "second line; give one line of text",
				 what);
	return line->len > max ? too_long(what, max, cause) : E_OK;
}
