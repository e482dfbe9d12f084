/* token/word.c - see the header. */
#include "token/word.h"

#include <string.h>

/* What a shell takes as it is, wherever it stands. */
static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ/._-+:@%,=";

struct word word_of(const char *text)
{
	static const struct word too_long = { "(a name that is too long)" };
	bool quoted = !*text || text[strspn(text, plain)];
	struct word word = { "" };
	size_t len = 0;

	if (quoted)
		word.at[len++] = '\'';
	for (; *text; text++) {
		const char *as =
			*text == '\'' ? "'\\''" : (char[]) { *text, 0 };
		size_t n = strlen(as);

		if (len + n + 2 > sizeof(word.at))
			return too_long;
		memcpy(word.at + len, as, n);
		len += n;
	}
	if (quoted)
		word.at[len] = '\'';
	return word;
}
