/* token/base.c - slices, error texts, causes. */
#include "token/base.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *err_text(enum err err)
{
	static const char *const texts[] = {
#define X(name, text) text,
		ERR_LIST(X)
#undef X
	};

	return (size_t)err < COUNT(texts) ? texts[err] : "unknown failure";
}

enum err errno_err(int number)
{
	switch (number) {
	case ENOENT:
		return E_NOT_FOUND;
	case EEXIST:
		return E_EXISTS;
	case ENOMEM:
		return E_MEMORY;
	case EAGAIN:
		return E_BUSY;
	case ENOSPC:
	case EDQUOT:
		return E_SPACE;
	case EROFS:
		return E_READONLY;
	default:
		return E_IO;
	}
}

/* The unit's ProtectSystem=strict looks like such a disk. */
#define BY_UNIT " (under systemd: ReadWritePaths=, by systemctl edit dockpass)"

static struct {
	int number;
	const char *remedy, *advice;
} errnos[] = {
	{ EACCES, "; run as root or as its owner",
	  "; run as root or as its owner" },
	{ ENOSPC, "; free some space", "; free some space, then repeat" },
	{ EDQUOT, "; free some space", "; free some space, then repeat" },
	{ EROFS, "; make it writable" BY_UNIT,
	  "; make it writable" BY_UNIT ", then repeat" },
};

void errno_advise_denied(const char *advice)
{
	errnos[0].remedy = errnos[0].advice = advice;
}

const char *errno_advice(int number)
{
	for (size_t i = 0; i < COUNT(errnos); i++)
		if (errnos[i].number == number)
			return errnos[i].advice;
	return "";
}

const char *errno_remedy(int number)
{
	for (size_t i = 0; i < COUNT(errnos); i++)
		if (errnos[i].number == number)
			return errnos[i].remedy;
	return "";
}

enum err cause_set(struct cause *cause, enum err err, const char *fmt, ...)
{
	va_list args;

	if (!cause)
		return err;
	va_start(args, fmt);
	vsnprintf(cause->text, sizeof(cause->text), fmt, args);
	va_end(args);
	return err;
}

enum err cause_errno(struct cause *cause, const char *what, const char *path)
{
	int number = errno;

	return cause_set(cause, errno_err(number), "%s: %s: %s%s", path, what,
			 strerror(number), errno_advice(number));
}

void fd_cleanup(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

struct str str_of(const char *cstr)
{
	return (struct str) { cstr, cstr ? strlen(cstr) : 0 };
}

bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (!a.len || !memcmp(a.at, b.at, a.len));
}

char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.at[i]) != ascii_lower(b.at[i]))
			return false;
	return true;
}

int str_cmp(struct str a, struct str b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len ? memcmp(a.at, b.at, len) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool str_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_eq(str_head(s, prefix.len), prefix);
}

bool str_has(struct str s, char c)
{
	return s.len && memchr(s.at, c, s.len);
}

struct str str_skip(struct str s, size_t n)
{
	assert(n <= s.len);
	return n ? (struct str) { s.at + n, s.len - n } : s;
}

size_t str_span(struct str s, bool (*is)(char c))
{
	size_t n = 0;

	while (n < s.len && is(s.at[n]))
		n++;
	return n;
}

struct str str_head(struct str s, size_t n)
{
	assert(n <= s.len);
	return (struct str) { s.at, n };
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
	while (s.len && is_blank(s.at[0]))
		s = str_skip(s, 1);
	while (s.len && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

bool str_cut(struct str *rest, char sep, struct str *head)
{
	const char *end;

	*head = (struct str) { 0 };
	if (!rest->len) {
		*rest = (struct str) { 0 };
		return false;
	}
	end = memchr(rest->at, sep, rest->len);
	if (!end) {
		*head = *rest;
		*rest = (struct str) { 0 };
		return true;
	}
	*head = str_head(*rest, (size_t)(end - rest->at));
	*rest = str_skip(*rest, head->len + 1);
	return true;
}

enum err str_to_u64(struct str s, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	*out = 0;
	if (!s.len)
		return E_SYNTAX;
	for (size_t i = 0; i < s.len; i++) {
		uint64_t digit = (uint64_t)(s.at[i] - '0');

		if (s.at[i] < '0' || s.at[i] > '9')
			return E_SYNTAX;
		if (value > (max - digit) / 10 || digit > max)
			return E_LIMIT;
		value = value * 10 + digit;
	}
	*out = value;
	return E_OK;
}

size_t utf8_len(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.at;
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	n = p[0] >= 0xc2 && p[0] <= 0xdf   ? 2
	    : p[0] >= 0xe0 && p[0] <= 0xef ? 3
	    : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
					   : 0;
	if (!n || s.len < n)
		return 0;
	low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : low;
	high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : high;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return n;
}

uint32_t utf8_point(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.at;
	size_t n = utf8_len(s);
	uint32_t point = n > 1 ? p[0] & (0x7fu >> n) : p[0];

	for (size_t i = 1; i < n; i++)
		point = point << 6 | (p[i] & 0x3fu);
	return point;
}

/*
 * Controls (to a terminal, U+009B is ESC [), what is invisible, what ends a
 * line or turns its direction: categories Cc, Cf, Zl and Zp of Unicode 15.
 * U+2065 and U+E0000 on are kept for more of that kind.
 */
static const struct {
	uint32_t first, last;
} unseen[] = {
	{ 0x00, 0x1f },	      { 0x7f, 0x9f },	    { 0xad, 0xad },
	{ 0x600, 0x605 },     { 0x61c, 0x61c },	    { 0x6dd, 0x6dd },
	{ 0x70f, 0x70f },     { 0x890, 0x891 },	    { 0x8e2, 0x8e2 },
	{ 0x180e, 0x180e },   { 0x200b, 0x200f },   { 0x2028, 0x202e },
	{ 0x2060, 0x206f },   { 0xfeff, 0xfeff },   { 0xfff9, 0xfffb },
	{ 0x110bd, 0x110bd }, { 0x110cd, 0x110cd }, { 0x13430, 0x1343f },
	{ 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, { 0xe0000, 0xe007f },
};

size_t print_len(struct str s)
{
	size_t n = utf8_len(s);
	uint32_t point = n ? utf8_point(s) : 0;

	for (size_t i = 0; i < COUNT(unseen) && unseen[i].first <= point; i++)
		if (point <= unseen[i].last)
			return 0;
	return n;
}

bool str_printable(struct str s)
{
	while (s.len) {
		size_t n = print_len(s);

		if (!n)
			return false;
		s = str_skip(s, n);
	}
	return true;
}

void make_printable(char *text)
{
	while (*text) {
		size_t n = print_len(str_of(text));

		if (!n)
			*text = '?';
		text += n ? n : 1;
	}
}

size_t print_copy(struct str s, char *to, size_t max)
{
	size_t len = 0;

	while (s.len) {
		size_t n = print_len(s), step = n ? n : 1;

		if (step > max - len)
			break;
		memcpy(to + len, n ? s.at : "?", step);
		len += step;
		s = str_skip(s, step);
	}
	return len;
}
