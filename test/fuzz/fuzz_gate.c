/*
 * test/fuzz/fuzz_gate.c - the bytes of a connection, in one piece and byte by
 * byte: both must be judged alike, and nothing is handed on after a refusal.
 */
#include <stdlib.h>
#include <string.h>

#include "server/http/gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct verdict {
	size_t passed, skipped; /* bytes */
	enum gate_step end;
	enum status status;
	uint32_t whole;
	bool between;
};

static struct verdict run(struct str text, size_t piece)
{
	struct verdict out = { .end = GATE_MORE };
	struct gate gate;
	size_t held = 0;

	gate_init(&gate);
	while (text.len) {
		struct str part =
			str_head(text, piece < text.len ? piece : text.len);
		size_t used = 0;
		enum gate_step step = gate_feed(&gate, part, &used);

		assert(used && used <= part.len);
		text = str_skip(text, used);
		held += used;
		if (step == GATE_PASS)
			out.passed += held;
		else if (step == GATE_SKIP)
			out.skipped += held;
		else if (step != GATE_MORE) {
			assert(out.end == GATE_MORE);
			out.end = step;
			out.status = gate.status;
			break;
		}
		if (step != GATE_MORE)
			held = 0;
		assert(held <= GATE_LINE_MAX + GATE_HEADERS_MAX +
				       GATE_CHUNKED_MAX + 64);
	}
	out.whole = gate.whole;
	out.between = gate_between(&gate);
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	struct verdict all = run(text, size ? size : 1), one = run(text, 1);

	assert(all.passed == one.passed && all.skipped == one.skipped);
	assert(all.end == one.end && all.status == one.status);
	assert(all.whole == one.whole && all.between == one.between);
	return 0;
}
