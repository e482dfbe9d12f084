/*
 * token/mail.h - the text of an Internet message (RFC 5322), plain text alone.
 *
 * Whatever is put in, no header ends early and none is added: header values
 * that are not short ASCII are written as encoded words (RFC 2047), a body that
 * is not short lines of ASCII as base64. Controls, ends of lines and what is no
 * UTF-8 are dropped.
 *
 * Pure: no I/O, no clock.
 */
#pragma once

#include "token/buf.h"

enum { MAIL_ADDRESS_MAX = 254 };

/*
 * local@domain of printable ASCII, without quotes, comments, brackets and
 * lists: may stand in a header and in an SMTP command as it is.
 */
bool mail_address_valid(struct str text);

/* "Name: value" CRLF. */
void mail_header(struct buf *out, const char *name, struct str value);
/* "Date: Sun, 31 Jan 2027 08:15:00 +0000" CRLF. */
void mail_date(struct buf *out, int64_t when);
/*
 * MIME headers, an empty line, the body. In `text` lines end in a line feed
 * alone, and nothing else of it is a control (see mail_clean()).
 */
void mail_body(struct buf *out, struct str text);

/* Appends `text` without what must not stand in a line. */
void mail_clean(struct buf *out, struct str text);
