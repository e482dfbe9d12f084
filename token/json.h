/*
 * token/json.h - writes JSON (RFC 8259) into a struct buf, front to back.
 *
 * The one way in which dockpass writes JSON: replies, log lines, command
 * output. Only a writer, as a log line is written for every token: nothing is
 * allocated and no tree is built. Commas are placed by the writer. Bytes that
 * are not UTF-8 become U+FFFD, and what a terminal or a reader of lines might
 * obey is escaped, so that a line is always valid, and one.
 *
 *   json_open(&b, '{');
 *   json_key(&b, "name");
 *   json_str(&b, name);
 *   json_close(&b, '}');
 */
#pragma once

#include "token/buf.h"

void json_open(struct buf *buf, char bracket);	/* '{' or '[' */
void json_close(struct buf *buf, char bracket); /* '}' or ']' */
void json_key(struct buf *buf, const char *key);
void json_str(struct buf *buf, struct str s);
void json_int(struct buf *buf, int64_t n);
void json_bool(struct buf *buf, bool b);
void json_null(struct buf *buf);

/* A key and its value. */
void json_put_str(struct buf *buf, const char *key, struct str s);
void json_put_int(struct buf *buf, const char *key, int64_t n);
void json_put_bool(struct buf *buf, const char *key, bool b);
void json_put_null(struct buf *buf, const char *key);
/* ["a","b"] of "a,b". */
void json_put_list(struct buf *buf, const char *key, struct str list);
