/*
 * server/http/gate.h - follows the bytes of a connection, request by request,
 * before libevent's evhttp sees them: framing and limits are judged here.
 *
 * evhttp 2.1 takes two lengths, reads a body without one until the end of the
 * connection, is of two minds about the body of a GET, answers some errors in
 * HTML and waits for ever for a slow one. Behind a proxy each of these is a way
 * to smuggle. So nothing reaches it that is not one well-formed request (RFC
 * 9112) within the limits. Likewise Host: one, and a host (3.2).
 *
 * Pure: no I/O, no allocation, no clock.
 */
#pragma once

#include "server/http/request.h"

enum {
	GATE_LINE_MAX = 32 * 1024,
	GATE_HEADERS_MAX = 64 * 1024,
	GATE_FIELDS_MAX = 256, /* evhttp takes 112 bytes for each */
	GATE_BODY_MAX = 64 * 1024,
	GATE_CHUNKED_MAX = 128 * 1024, /* with its sizes and line ends */
	GATE_WORD_MAX = 48	       /* an address in Host */
};

/* What may happen to the bytes since the last answer but GATE_MORE. */
enum gate_step {
	GATE_MORE,   /* hold them and feed on */
	GATE_PASS,   /* hand them on */
	GATE_SKIP,   /* forget them: an empty line before a request, the rest */
	GATE_REFUSE, /* answer gate->status and detail instead, then nothing */
	GATE_DROP    /* no HTTP from the start: close */
};

struct gate {
	uint8_t state, header, method, host;
	uint8_t word_len;
	bool old; /* HTTP/1.0 */
	bool length_seen, chunked, expect;
	bool held;	 /* the request is handed on whole, or not at all */
	bool add_length; /* PASS: "Content-Length: 0" is missing */
	uint16_t fields; /* of the header block */
	uint32_t count;	 /* bytes of this line, header block or body */
	uint32_t left;	 /* of the body or the chunk */
	uint32_t total;	 /* of the chunked body */
	uint32_t whole;	 /* requests that have come whole */
	enum status status;
	const char *detail; /* of the status: "/host", or "" */
	char word[GATE_WORD_MAX];
};

void gate_init(struct gate *gate);

/*
 * Looks at `bytes` up to the first answer that is not GATE_MORE; *used: how
 * far. After GATE_REFUSE and GATE_DROP everything is GATE_SKIP.
 */
enum gate_step gate_feed(struct gate *gate, struct str bytes, size_t *used);

/* Nothing more is read. */
void gate_close(struct gate *gate);

/* Has no byte of a next request come? */
bool gate_between(const struct gate *gate);
