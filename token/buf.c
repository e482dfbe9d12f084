/* token/buf.c - see the header. */
#include "token/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

void buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf) { .max = max };
}

void buf_done(struct buf *buf)
{
	OPENSSL_clear_free(buf->at, buf->size);
	*buf = (struct buf) { 0 };
}

void buf_clear(struct buf *buf)
{
	if (buf->at)
		OPENSSL_cleanse(buf->at, buf->len);
	buf->len = 0;
	buf->over = false;
}

/* Grows by copy, not by realloc: what is left behind must be wiped. */
static void grow(struct buf *buf, size_t need)
{
	size_t size = buf->size ? buf->size : 256;
	char *at;

	while (size < need)
		size *= 2;
	at = OPENSSL_malloc(size);
	if (!at) {
		fputs("dockpass: out of memory\n", stderr);
		abort();
	}
	if (buf->len)
		memcpy(at, buf->at, buf->len);
	OPENSSL_clear_free(buf->at, buf->size);
	buf->at = at;
	buf->size = size;
}

char *buf_room(struct buf *buf, size_t n)
{
	if (buf->over || n > buf->max - buf->len) {
		buf->over = true;
		return NULL;
	}
	if (!buf->size || n > buf->size - buf->len)
		grow(buf, buf->len + n);
	return buf->at + buf->len;
}

void buf_grew(struct buf *buf, size_t n)
{
	assert(n <= buf->size - buf->len);
	buf->len += n;
}

void buf_add(struct buf *buf, struct str s)
{
	char *at = s.len ? buf_room(buf, s.len) : NULL;

	if (!at)
		return;
	memcpy(at, s.at, s.len);
	buf_grew(buf, s.len);
}

void buf_add_char(struct buf *buf, char c)
{
	buf_add(buf, (struct str) { &c, 1 });
}

void buf_add_u64(struct buf *buf, uint64_t n)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	buf_add(buf, (struct str) { digits + i, sizeof(digits) - i });
}

void buf_add_i64(struct buf *buf, int64_t n)
{
	if (n < 0)
		buf_add_char(buf, '-');
	buf_add_u64(buf, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list args, again;
	char *at;
	int len;

	va_start(args, fmt);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	assert(len >= 0);
	at = buf_room(buf, (size_t)len + 1);
	if (at) {
		vsnprintf(at, (size_t)len + 1, fmt, again);
		buf_grew(buf, (size_t)len);
	}
	va_end(again);
}

struct str buf_str(const struct buf *buf)
{
	return buf->over ? (struct str) { 0 }
			 : (struct str) { buf->at, buf->len };
}
