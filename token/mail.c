/* token/mail.c - see the header. */
#include "token/mail.h"

#include <string.h>

#include "token/date.h"
#include "token/encode.h"

enum {
	LINE_MAX_LEN = 76, /* RFC 2047 2, RFC 2045 6.8 */
	WORD_BYTES = 39,   /* of a text in one encoded word: 52 in base64 */
	LONG_LINE = 900,   /* RFC 5322 2.1.1 allows 998 */
	VALUE_MAX = 16 * 1024
};

static bool address_char(char c)
{
	return c > ' ' && c < 0x7f && !strchr("<>()[],;:\\\"@", c);
}

bool mail_address_valid(struct str text)
{
	struct str rest = text, local;

	if (text.len > MAIL_ADDRESS_MAX || !str_cut(&rest, '@', &local) ||
	    !local.len || local.len > 64 || !rest.len)
		return false;
	for (size_t i = 0; i < local.len; i++)
		if (!address_char(local.at[i]))
			return false;
	for (size_t i = 0; i < rest.len; i++)
		if (!address_char(rest.at[i]))
			return false;
	return rest.at[0] != '.' && rest.at[rest.len - 1] != '.';
}

void mail_clean(struct buf *out, struct str text)
{
	while (text.len) {
		size_t n = print_len(text);

		if (n)
			buf_add(out, str_head(text, n));
		text = str_skip(text, n ? n : 1);
	}
}

static bool is_ascii(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] >= 0x80)
			return false;
	return true;
}

/* "=?" would be read as the begin of an encoded word. */
static bool is_plain(const char *name, struct str value)
{
	if (strlen(name) + 2 + value.len > LINE_MAX_LEN || !is_ascii(value))
		return false;
	for (size_t i = 0; i + 1 < value.len; i++)
		if (value.at[i] == '=' && value.at[i + 1] == '?')
			return false;
	return true;
}

/* Whole characters, as many as one word takes. */
static struct str take_word(struct str *rest)
{
	struct str word = { rest->at, 0 };

	while (rest->len) {
		size_t n = print_len(*rest);

		if (word.len + n > WORD_BYTES)
			break;
		word.len += n;
		*rest = str_skip(*rest, n);
	}
	return word;
}

void mail_header(struct buf *out, const char *name, struct str value)
{
	AUTO(buf) struct buf clean;
	struct str rest;

	buf_init(&clean, VALUE_MAX);
	mail_clean(&clean, value);
	rest = buf_str(&clean);
	out->over |= clean.over;
	buf_printf(out, "%s: ", name);
	if (is_plain(name, rest)) {
		buf_add(out, rest);
		rest.len = 0;
	}
	for (bool first = true; rest.len; first = false) {
		if (!first)
			buf_add(out, STR("\r\n "));
		buf_add(out, STR("=?UTF-8?B?"));
		base64_add(out, take_word(&rest));
		buf_add(out, STR("?="));
	}
	buf_add(out, STR("\r\n"));
}

void mail_date(struct buf *out, int64_t when)
{
	static const char days[][4] = { "Thu", "Fri", "Sat", "Sun",
					"Mon", "Tue", "Wed" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr",
					  "May", "Jun", "Jul", "Aug",
					  "Sep", "Oct", "Nov", "Dec" };
	struct date_text date = date_print(when);
	unsigned month = (unsigned)(date.at[5] - '0') * 10 +
			 (unsigned)(date.at[6] - '0');
	int s = (int)(when % DAY);

	assert(month >= 1 && month <= 12);
	buf_printf(out, "Date: %s, %.2s %s %.4s %02d:%02d:%02d +0000\r\n",
		   days[when / DAY % 7], date.at + 8, months[month - 1],
		   date.at, s / 3600, s / 60 % 60, s % 60);
}

static bool short_lines(struct str text)
{
	struct str line;

	while (str_cut(&text, '\n', &line))
		if (line.len > LONG_LINE)
			return false;
	return true;
}

static void add_lines(struct buf *out, struct str text)
{
	struct str line;

	while (str_cut(&text, '\n', &line)) {
		buf_add(out, line);
		buf_add(out, STR("\r\n"));
	}
}

static void add_base64(struct buf *out, struct str text)
{
	AUTO(buf) struct buf lines;
	struct str rest;

	/* base64 is of the text as it is sent, so CRLF inside, too. */
	buf_init(&lines, 2 * text.len + 2);
	add_lines(&lines, text);
	rest = buf_str(&lines);
	while (rest.len) {
		size_t n = rest.len < 57 ? rest.len : 57; /* 76 in base64 */

		base64_add(out, str_head(rest, n));
		buf_add(out, STR("\r\n"));
		rest = str_skip(rest, n);
	}
}

void mail_body(struct buf *out, struct str text)
{
	bool plain = is_ascii(text) && short_lines(text);

	buf_printf(out,
		   "MIME-Version: 1.0\r\n"
		   "Content-Type: text/plain; charset=%s\r\n"
		   "Content-Transfer-Encoding: %s\r\n\r\n",
		   plain ? "us-ascii" : "utf-8", plain ? "7bit" : "base64");
	if (plain)
		add_lines(out, text);
	else
		add_base64(out, text);
}
