/*
 * token/buf.h - a text that grows up to a limit given at its birth.
 *
 * The error is sticky: past the limit nothing more is added, buf->over is set,
 * and buf_str() is empty. A worker keeps one and clears it for each request, so
 * it allocates only until it has seen its longest. The memory is wiped when it
 * is freed, and when it is cleared: a reply holds a token.
 */
#pragma once

#include "token/base.h"

struct buf {
	char *at;
	size_t len, size, max;
	bool over;
};

void buf_init(struct buf *buf, size_t max);
void buf_done(struct buf *buf);
void buf_clear(struct buf *buf);
#define buf_cleanup buf_done

void buf_add(struct buf *buf, struct str s);
void buf_add_char(struct buf *buf, char c);
void buf_add_u64(struct buf *buf, uint64_t n);
void buf_add_i64(struct buf *buf, int64_t n);
void buf_printf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Room for `n` more bytes at the end, to be written by the caller, who then
 * says buf_grew(). NULL past the limit.
 */
char *buf_room(struct buf *buf, size_t n);
void buf_grew(struct buf *buf, size_t n);

/* What was written; the empty slice when it did not fit (buf->over). */
struct str buf_str(const struct buf *buf);
