/*
 * token/encode.h - RFC 4648: base64, base64url without padding, base32, hex.
 * Encoders append to a struct buf; decoders write into the caller's memory.
 */
#pragma once

#include "token/buf.h"

void base64_add(struct buf *buf, struct str bytes);    /* with padding */
void base64url_add(struct buf *buf, struct str bytes); /* without */
void base32_add(struct buf *buf, struct str bytes);    /* without */
void hex_add(struct buf *buf, struct str bytes);       /* lower case */
int hex_value(char c);	   /* of a digit, in any case; -1: it is none */
int base64_value(char c);  /* the six bits of a letter; -1: it is none */
bool is_base64url(char c); /* a letter of that */

/*
 * Strict standard base64 as in RFC 7617: alphabet, padding to a multiple of 4,
 * unused bits zero. *len is 0 unless E_OK. E_LIMIT: more than `size` bytes.
 */
enum err base64_decode(struct str text, char *out, size_t size,
		       size_t *len) MUST_CHECK;
