/*
 * token/wrapped.c - secrets as they are written for HTTP: "user:secret" in
 * base64 (RFC 7617), or before the "@" of an address (RFC 3986 3.2.1). And
 * those in what has leaked.
 */
#include "token/secret.h"

#include <string.h>

#include "token/buf.h"
#include "token/encode.h"

/* Letters, and bytes behind others: what is shorter may be anything. */
enum { WRAPPED_MIN = 12, BEHIND_MIN = 15 };
/*
 * A Kubernetes secret is the base64 of a config.json, and that has "auth": one
 * more is for whoever wraps that again.
 */
enum { DEPTH = 3, HOLDS_MIN = 28 /* letters that a secret needs */ };

/* The i-th byte of a word. */
static char byte_at(const char *word, size_t i)
{
	size_t at = i * 8 / 6, skip = i * 8 % 6;
	unsigned bits = (unsigned)base64_value(word[at]) << 6 |
			(unsigned)base64_value(word[at + 1]);

	return (char)(bits >> (4 - skip));
}

/*
 * How many bytes at the end of a word can be printed, if a colon is among them:
 * no word of another kind is so. Else 0. From behind: most are known by one.
 */
static size_t pair_len(const char *word, size_t len)
{
	size_t all = len * 3 / 4, n = 0;
	bool colon = false;

	while (n < all) {
		char byte = byte_at(word, all - n - 1);

		if (byte < ' ' || byte > '~')
			break;
		colon |= byte == ':';
		n++;
	}
	return colon ? n : 0;
}

/* Letters before it may be another's ("Basic+", "/"): of four beginnings. */
static bool holds_pair(const char *word, size_t len)
{
	for (size_t i = 0; i < 4; i++) {
		size_t n = pair_len(word + i, len - i);

		if (n >= BEHIND_MIN || (!i && n == len * 3 / 4))
			return true;
	}
	return false;
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
		if (holds_pair(text + at, end - at))
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

static bool is_letter(char c)
{
	return letter_value(c) >= 0;
}

/*
 * A line's end and what the next begins with; also as JSON writes them, and
 * JSON in that, and behind a "\\" of a shell.
 */
static size_t break_len(struct str text)
{
	size_t len = 0;
	bool ends = false;

	for (size_t at = 0; at < text.len; at++) {
		char c = text.at[at];

		if (c == '\\')
			continue;
		if (!memchr("\r\n\t ", c, 4) &&
		    (at == len || !memchr("rnt", c, 3)))
			break;
		ends |= c == '\n' || c == 'n';
		len = at + 1;
	}
	return ends ? len : 0;
}

/*
 * Appends the letters of the word that `text` begins with, and of its next
 * lines, wherever these were cut. Returns its length.
 */
static size_t gather(struct str text, struct buf *letters)
{
	size_t at = 0, len, skipped;

	do {
		len = str_span(str_skip(text, at), is_letter);
		buf_add(letters, str_head(str_skip(text, at), len));
		at += len;
		skipped = len ? break_len(str_skip(text, at)) : 0;
		at += skipped;
	} while (skipped);
	return at;
}

static void unwrap(struct str letters, struct buf *bytes)
{
	unsigned bits = 0, count = 0;

	buf_clear(bytes);
	for (size_t at = 0; at < letters.len; at++) {
		bits = bits << 6 | (unsigned)letter_value(letters.at[at]);
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		buf_add_char(bytes, (char)(bits >> count & 0xff));
	}
}

/* What it was before it was percent-encoded (RFC 3986 2.1), or UTF-16. */
static void undress(struct str text, struct buf *bytes)
{
	for (; text.len; text = str_skip(text, 1)) {
		int high = -1, low = -1;

		if (text.at[0] == '%' && text.len > 2) {
			high = hex_value(text.at[1]);
			low = hex_value(text.at[2]);
		}
		if (high >= 0 && low >= 0) {
			buf_add_char(bytes, (char)(high << 4 | low));
			text = str_skip(text, 2);
		} else if (text.at[0]) {
			buf_add_char(bytes, text.at[0]);
		}
	}
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
		    void *arg);

/*
 * Letters before a word of base64 may be another's ("Basic+", "\n", "/"): it
 * begins at one of four.
 */
static void each_wrapped(unsigned depth, struct str text, secret_found *found,
			 void *arg)
{
	AUTO(buf) struct buf letters, bytes;
	size_t len;

	buf_init(&letters, text.len);
	buf_init(&bytes, text.len);
	for (; text.len; text = str_skip(text, len ? len : 1)) {
		buf_clear(&letters);
		len = gather(text, &letters);
		for (size_t i = 0; letters.len >= HOLDS_MIN + i && i < 4; i++) {
			unwrap(str_skip(buf_str(&letters), i), &bytes);
			each_to(depth, buf_str(&bytes), found, arg);
		}
	}
}

static void each_as_it_is(unsigned depth, struct str text, secret_found *found,
			  void *arg)
{
	secret_each(text, found, arg);
	each_jwt(text, found, arg);
	if (depth)
		each_wrapped(depth - 1, text, found, arg);
}

static void each_to(unsigned depth, struct str text, secret_found *found,
		    void *arg)
{
	AUTO(buf) struct buf bare;

	each_as_it_is(depth, text, found, arg);
	buf_init(&bare, text.len);
	if (!str_has(text, '%') && !str_has(text, '\0'))
		return;
	undress(text, &bare);
	if (bare.len < text.len)
		each_as_it_is(depth, buf_str(&bare), found, arg);
}

void secret_each_within(struct str text, secret_found *found, void *arg)
{
	each_to(DEPTH, text, found, arg);
}
