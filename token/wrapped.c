/*
 * token/wrapped.c - secrets as they are written for HTTP: "user:secret" in
 * base64 (RFC 7617), or before the "@" of an address (RFC 3986 3.2.1).
 */
#include "token/secret.h"

#include <string.h>

enum { WRAPPED_MIN = 12 }; /* shorter words are anything */

/* The six bits of a letter, and one; 0: it is none. */
static const unsigned char letters[256] = {
#define L(c, n) [c] = (n) + 1
#define L4(c, n)                                                               \
	L(c, n), L((c) + 1, (n) + 1), L((c) + 2, (n) + 2), L((c) + 3, (n) + 3)
#define L24(c, n)                                                              \
	L4(c, n), L4((c) + 4, (n) + 4), L4((c) + 8, (n) + 8),                  \
		L4((c) + 12, (n) + 12), L4((c) + 16, (n) + 16),                \
		L4((c) + 20, (n) + 20)
	L24('A', 0), L('Y', 24), L('Z', 25),  L24('a', 26),
	L('y', 50),  L('z', 51), L4('0', 52), L4('4', 56),
	L('8', 60),  L('9', 61), L('+', 62),  L('/', 63),
#undef L24
#undef L4
#undef L
};

static bool is_letter(char c)
{
	return letters[(unsigned char)c];
}

/* What can be printed and has a colon: no word of another kind is so. */
static bool is_pair(const char *word, size_t len)
{
	unsigned bits = 0, count = 0;
	bool colon = false;

	for (size_t i = 0; i < len; i++) {
		unsigned char byte;

		bits = bits << 6 | (letters[(unsigned char)word[i]] - 1u);
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		byte = (unsigned char)(bits >> count);
		if (byte < ' ' || byte > '~')
			return false;
		colon |= byte == ':';
	}
	return colon;
}

/* Looks at one letter in twelve where no such word can be. */
static void hide_pairs(char *text, size_t len)
{
	size_t at = 0;

	while (at + WRAPPED_MIN <= len) {
		size_t back = WRAPPED_MIN, end = at + WRAPPED_MIN;

		while (back && is_letter(text[at + back - 1]))
			back--;
		if (back) {
			at += back;
			continue;
		}
		while (is_letter(text[end]))
			end++;
		if (is_pair(text + at, end - at))
			memset(text + at, '*', end - at);
		at = end;
	}
}

/* https://user:secret@host */
static void hide_userinfo(char *text)
{
	while ((text = strstr(text, "://"))) {
		size_t len;
		char *colon, *end;

		text += 3;
		len = strcspn(text, "/?# \t\"");
		end = memrchr(text, '@', len);
		colon = end ? memchr(text, ':', (size_t)(end - text)) : NULL;
		if (colon)
			memset(colon + 1, '*', (size_t)(end - colon - 1));
		text += len;
	}
}

void secret_hide_wrapped(char *text)
{
	hide_pairs(text, strlen(text));
	hide_userinfo(text);
}
