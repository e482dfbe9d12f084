/*
 * server/http/gate_own.h - what gate.c (line and headers), gate_host.c (the
 * value of Host) and gate_body.c (what follows them) share. A state is a
 * function of one byte.
 */
#pragma once

#include "server/http/gate.h"

enum state {
	AT_START,
	AT_START_LF,
	AT_METHOD,
	AT_TARGET,
	AT_VERSION,
	AT_LINE_LF,
	AT_HEADER,
	AT_NAME,
	AT_VALUE,
	AT_VALUE_LF,
	AT_END_LF,
	AT_BODY,
	AT_SIZE,
	AT_SIZE_LF,
	AT_DATA,
	AT_DATA_CR,
	AT_DATA_LF,
	AT_LAST_CR,
	AT_LAST_LF,
	AT_DEAD
};

/* What was seen of Host. */
enum gate_host {
	HOST_NONE,
	HOST_START,
	HOST_NAME,
	HOST_HEX,
	HOST_HEX_LOW,
	HOST_LITERAL,
	HOST_LITERAL_END,
	HOST_PORT,
	HOST_END,
	HOST_BAD
};

static inline enum gate_step refuse(struct gate *gate, enum status status)
{
	gate->state = AT_DEAD;
	gate->status = status;
	gate->detail = "";
	return GATE_REFUSE;
}

static inline enum gate_step refuse_host(struct gate *gate)
{
	enum gate_step step = refuse(gate, STATUS_BAD_REQUEST);

	gate->detail = "/host";
	return step;
}

static inline enum gate_step drop(struct gate *gate)
{
	gate_close(gate);
	return GATE_DROP;
}

/* Closing at once would cost an earlier request its answer. */
static inline enum gate_step no_http(struct gate *gate)
{
	return gate->whole ? refuse(gate, STATUS_BAD_REQUEST) : drop(gate);
}

static inline enum gate_step become(struct gate *gate, enum state state)
{
	gate->state = (uint8_t)state;
	return GATE_MORE;
}

/* The request has come whole. */
static inline enum gate_step done(struct gate *gate, enum gate_step step)
{
	gate->state = AT_START;
	gate->whole++;
	return step;
}

/* A byte of Host's value; false: it is none. */
bool gate_on_host(struct gate *gate, unsigned char c);
/* How many bytes of s it would take without a change. */
size_t gate_host_run(const struct gate *gate, struct str s);
bool gate_host_whole(const struct gate *gate); /* may it end here? */

/* The states of a chunked body, but for the bytes in it. */
enum gate_step gate_on_size(struct gate *gate, unsigned char c);
enum gate_step gate_on_size_lf(struct gate *gate, unsigned char c);
enum gate_step gate_on_data_cr(struct gate *gate, unsigned char c);
enum gate_step gate_on_data_lf(struct gate *gate, unsigned char c);
enum gate_step gate_on_last_cr(struct gate *gate, unsigned char c);
enum gate_step gate_on_last_lf(struct gate *gate, unsigned char c);
/* Its sizes are longer than all that it may be. */
enum gate_step gate_on_size_over(struct gate *gate);
/* The body's own bytes, as many of `len` as there are. */
enum gate_step gate_body(struct gate *gate, size_t len, size_t *used);
