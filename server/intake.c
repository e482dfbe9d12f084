/* server/intake.c - see the header. */
#include "server/intake.h"

#include <stdio.h>

#include <event2/buffer.h>

enum {
	HOLD_COST = 1024, /* of an evbuffer, its first chunk half empty */
	FIELD_COST = 112  /* of a header, as evhttp has it */
};

static void note_passed(struct intake *in, size_t len)
{
	in->passed = gate_between(&in->gate) ? 0 : in->passed + len;
}

/* RFC 9112 6.3: without a length a request has no body. evhttp would wait. */
static void pass(struct intake *in, struct evbuffer *from, struct evbuffer *to)
{
	size_t end = in->gate.add_length ? 2 : 0;

	note_passed(in, in->seen);
	evbuffer_remove_buffer(from, to, in->seen - end);
	if (end) {
		evbuffer_drain(from, end);
		evbuffer_add_printf(to, "Content-Length: 0\r\n\r\n");
		in->gate.add_length = false;
	}
	in->seen = 0;
}

static void replace(struct evbuffer *from, struct evbuffer *to,
		    const char *reason)
{
	evbuffer_drain(from, evbuffer_get_length(from));
	evbuffer_add_printf(to,
			    "GET .gate/%s HTTP/1.1\r\n"
			    "Connection: close\r\n\r\n",
			    reason);
}

/* The next bytes from `at` on, as far as they lie in one piece. */
static struct str unseen(struct evbuffer *from, size_t at)
{
	struct evbuffer_iovec piece;
	struct evbuffer_ptr ptr;

	if (evbuffer_get_length(from) <= at ||
	    evbuffer_ptr_set(from, &ptr, at, EVBUFFER_PTR_SET) ||
	    evbuffer_peek(from, -1, &ptr, &piece, 1) < 1)
		return (struct str) { 0 };
	return (struct str) { piece.iov_base, piece.iov_len };
}

/* False when nothing more is to be looked at now. */
static bool take_step(struct intake *in, struct evbuffer *from,
		      struct evbuffer *to, enum intake_end *end)
{
	struct str bytes = unseen(from, in->seen);
	char reason[16];
	size_t used;

	if (!bytes.len)
		return false;
	switch (gate_feed(&in->gate, bytes, &used)) {
	case GATE_MORE:
		in->seen += used;
		return true;
	case GATE_PASS:
		in->seen += used;
		pass(in, from, to);
		return true;
	case GATE_SKIP:
		evbuffer_drain(from, in->seen + used);
		in->seen = 0;
		return true;
	case GATE_REFUSE:
		*end = INTAKE_REFUSED;
		snprintf(reason, sizeof(reason), "%d%s", (int)in->gate.status,
			 in->gate.detail);
		replace(from, to, reason);
		in->seen = 0;
		return false;
	case GATE_DROP:
		*end = INTAKE_DROPPED;
		evbuffer_drain(from, evbuffer_get_length(from));
		in->seen = 0;
		return false;
	}
	return false;
}

/*
 * The bytes from `at` on, where they are: true if all of them may stay. That
 * is so for a request that has come in one piece, and costs no copy.
 */
static bool pass_in_place(struct intake *in, struct evbuffer *input, size_t at)
{
	struct gate before = in->gate;
	enum gate_step step = GATE_PASS;
	size_t begin = at, end = evbuffer_get_length(input);

	while (at < end && (step == GATE_PASS || step == GATE_MORE) &&
	       !in->gate.add_length) {
		size_t used;

		step = gate_feed(&in->gate, unseen(input, at), &used);
		at += used;
	}
	if (at == end && step == GATE_PASS && !in->gate.add_length) {
		note_passed(in, end - begin);
		return true;
	}
	in->gate = before;
	return false;
}

/*
 * Moved, a packet of one byte would keep a piece of memory of its own, and a
 * larger one the rest of its piece: held is what is counted (intake_held()).
 */
static void append(struct evbuffer *from, struct evbuffer *to)
{
	int failed = 0;

	while (evbuffer_get_length(from) && !failed) {
		struct str bytes = unseen(from, 0);

		failed = evbuffer_add(to, bytes.at, bytes.len);
		evbuffer_drain(from, bytes.len);
	}
	assert(!failed);
}

/* Takes the bytes from `at` on out of evhttp's sight. */
static void take_out(struct intake *in, struct evbuffer *input, size_t at)
{
	struct evbuffer *old = NULL;

	if (at) {
		old = evbuffer_new();
		assert(old);
		evbuffer_remove_buffer(input, old, at);
	}
	if (!in->hold)
		in->hold = evbuffer_new();
	assert(in->hold);
	append(input, in->hold);
	if (old) {
		evbuffer_add_buffer(input, old);
		evbuffer_free(old);
	}
}

void intake_init(struct intake *in)
{
	*in = (struct intake) { .hold = NULL };
	gate_init(&in->gate);
}

static void let_go(struct intake *in)
{
	if (in->hold)
		evbuffer_free(in->hold);
	in->hold = NULL;
}

void intake_done(struct intake *in)
{
	let_go(in);
}

uint32_t intake_whole(const struct intake *in)
{
	return in->gate.whole;
}

bool intake_between(const struct intake *in)
{
	return gate_between(&in->gate);
}

size_t intake_held(const struct intake *in)
{
	size_t held = in->hold ? evbuffer_get_length(in->hold) + HOLD_COST : 0;

	if (in->passed)
		held += in->passed + in->gate.fields * (size_t)FIELD_COST;
	return held;
}

bool intake_midst(const struct intake *in)
{
	return in->passed > 0;
}

void intake_refuse(struct intake *in, struct evbuffer *input,
		   const char *reason)
{
	gate_close(&in->gate);
	let_go(in);
	in->seen = 0;
	replace(input, input, reason);
}

enum intake_end intake_feed(struct intake *in, struct evbuffer *input,
			    size_t at)
{
	enum intake_end end = INTAKE_OPEN;

	if (!in->hold && pass_in_place(in, input, at))
		return end;
	take_out(in, input, at);
	while (take_step(in, in->hold, input, &end))
		;
	if (!evbuffer_get_length(in->hold))
		let_go(in);
	return end;
}
