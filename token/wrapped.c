/*
 * token/wrapped.c - secrets as they are written for HTTP: "user:secret" in
 * base64 (RFC 7617), or before the "@" of an address (RFC 3986 3.2.1).
 */
#include "token/secret.h"

#include <string.h>

#include "token/encode.h"

enum { WRAPPED_MIN = 12 }; /* shorter words are anything */

/* What can be printed and has a colon: no word of another kind is so. */
static bool is_pair(const char *word, size_t len)
{
	unsigned bits = 0, count = 0;
	bool colon = false;

	for (size_t i = 0; i < len; i++) {
		unsigned char byte;

		bits = bits << 6 | (unsigned)base64_value(word[i]);
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

		while (back && base64_value(text[at + back - 1]) >= 0)
			back--;
		if (back) {
			at += back;
			continue;
		}
		while (base64_value(text[end]) >= 0)
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
