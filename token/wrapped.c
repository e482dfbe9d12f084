/*
 * token/wrapped.c - secrets as they are written for HTTP: "user:secret" in
 * base64 (RFC 7617), or before the "@" of an address (RFC 3986 3.2.1). And
 * those in what has leaked.
 */
#include "token/secret.h"

#include <string.h>

#include "token/buf.h"
#include "token/encode.h"

enum { WRAPPED_MIN = 12 }; /* shorter words are anything */
/*
 * A Kubernetes secret is the base64 of a config.json, and that has "auth": one
 * more is for whoever wraps that again.
 */
enum { DEPTH = 3, HOLDS_MIN = 28 /* letters that a secret needs */ };

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

/* Of either alphabet (RFC 4648 4, 5). */
static int letter_value(char c)
{
	return c == '-' ? 62 : c == '_' ? 63 : base64_value(c);
}

/* A line's end and what the next begins with. */
static size_t break_len(struct str text)
{
	size_t len = 0;

	while (len < text.len && memchr("\r\n\t ", text.at[len], 4))
		len++;
	return len && memchr(text.at, '\n', len) ? len : 0;
}

/*
 * Appends the bytes of the word that `text` begins with, and of its next lines,
 * as base64(1) cuts them after whole fours. Returns its length.
 */
static size_t unwrap_word(struct str text, struct buf *bytes)
{
	unsigned bits = 0, count = 0;
	size_t at = 0;

	for (;;) {
		int value = at < text.len ? letter_value(text.at[at]) : -1;
		size_t skipped = 0;

		if (value < 0 && !count)
			skipped = break_len(str_skip(text, at));
		if (value < 0 && !skipped)
			return at;
		at += skipped ? skipped : 1;
		if (skipped)
			continue;
		bits = bits << 6 | (unsigned)value;
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		buf_add_char(bytes, (char)(bits >> count & 0xff));
	}
}

static bool is_letter(char c)
{
	return letter_value(c) >= 0;
}

/* RFC 7519: three parts; the first two are JSON, "{" and a quote. */
static size_t jwt_len(struct str text)
{
	size_t len = 0;

	for (int part = 0; part < 3; part++) {
		struct str rest = str_skip(text, len);
		size_t n = str_span(rest, is_base64url);

		if (!n || (part < 2 && !str_starts(rest, STR("eyJ"))))
			return 0;
		len += n;
		if (part == 2)
			return len;
		if (len == text.len || text.at[len] != '.')
			return 0;
		len++;
	}
	return 0;
}

static void each_jwt(struct str text, secret_found *found, void *arg)
{
	size_t len;

	for (; text.len; text = str_skip(text, len ? len : 1)) {
		len = jwt_len(text);
		if (len)
			found(arg, FOUND_JWT, str_head(text, len));
		else
			len = str_span(text, is_base64url);
	}
}

static void each_to(unsigned depth, struct str text, secret_found *found,
		    void *arg)
{
	AUTO(buf) struct buf bytes;
	size_t len;

	secret_each(text, found, arg);
	each_jwt(text, found, arg);
	buf_init(&bytes, text.len);
	for (; depth && text.len; text = str_skip(text, len ? len : 1)) {
		len = str_span(text, is_letter);
		if (len < HOLDS_MIN)
			continue;
		buf_clear(&bytes);
		len = unwrap_word(text, &bytes);
		each_to(depth - 1, buf_str(&bytes), found, arg);
	}
}

void secret_each_within(struct str text, secret_found *found, void *arg)
{
	each_to(DEPTH, text, found, arg);
}
