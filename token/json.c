/*
 * token/json.c - see the header.
 *
 * A comma is due before a value or a key unless the last byte opens a list or
 * an object, ends a key (':'), or there is none: the state is in the text.
 */
#include "token/json.h"

static void comma(struct buf *buf)
{
	char last = buf->len ? buf->at[buf->len - 1] : '[';

	if (last != '[' && last != '{' && last != ':' && last != '\n')
		buf_add_char(buf, ',');
}

void json_open(struct buf *buf, char bracket)
{
	comma(buf);
	buf_add_char(buf, bracket);
}

void json_close(struct buf *buf, char bracket)
{
	buf_add_char(buf, bracket);
}

/* Beyond 16 bits: by a pair of surrogates (RFC 8259 7). */
static void escape_point(struct buf *buf, uint32_t point)
{
	if (point >= 0x10000) {
		point -= 0x10000;
		buf_printf(buf, "\\u%04x", 0xd800 + (point >> 10));
		point = 0xdc00 + (point & 0x3ff);
	}
	buf_printf(buf, "\\u%04x", point);
}

static void escape(struct buf *buf, struct str rest, size_t *used)
{
	size_t n = utf8_len(rest);

	*used = n ? n : 1;
	if (!n) {
		buf_add(buf, STR("\xef\xbf\xbd"));
	} else if (!print_len(rest)) {
		escape_point(buf, utf8_point(rest));
	} else {
		if (n == 1) /* a quote or a backslash */
			buf_add_char(buf, '\\');
		buf_add(buf, str_head(rest, n));
	}
}

static bool is_plain(char c)
{
	unsigned char u = (unsigned char)c;

	return u >= 0x20 && u < 0x7f && u != '"' && u != '\\';
}

void json_str(struct buf *buf, struct str s)
{
	comma(buf);
	buf_add_char(buf, '"');
	while (s.len) {
		size_t n = 0;

		while (n < s.len && is_plain(s.at[n]))
			n++;
		buf_add(buf, str_head(s, n));
		s = str_skip(s, n);
		if (s.len) {
			escape(buf, s, &n);
			s = str_skip(s, n);
		}
	}
	buf_add_char(buf, '"');
}

void json_key(struct buf *buf, const char *key)
{
	comma(buf);
	buf_add_char(buf, '"');
	buf_add(buf, str_of(key));
	buf_add(buf, STR("\":"));
}

void json_int(struct buf *buf, int64_t n)
{
	comma(buf);
	buf_add_i64(buf, n);
}

void json_bool(struct buf *buf, bool b)
{
	comma(buf);
	buf_add(buf, b ? STR("true") : STR("false"));
}

void json_null(struct buf *buf)
{
	comma(buf);
	buf_add(buf, STR("null"));
}

void json_put_str(struct buf *buf, const char *key, struct str s)
{
	json_key(buf, key);
	json_str(buf, s);
}

void json_put_int(struct buf *buf, const char *key, int64_t n)
{
	json_key(buf, key);
	json_int(buf, n);
}

void json_put_bool(struct buf *buf, const char *key, bool b)
{
	json_key(buf, key);
	json_bool(buf, b);
}

void json_put_null(struct buf *buf, const char *key)
{
	json_key(buf, key);
	json_null(buf);
}

void json_put_list(struct buf *buf, const char *key, struct str list)
{
	struct str entry;

	json_key(buf, key);
	json_open(buf, '[');
	while (str_cut(&list, ',', &entry))
		json_str(buf, entry);
	json_close(buf, ']');
}
