/*
 * test/fuzz/fuzz_intake.c - the bytes of a connection, in one piece and in
 * small ones: the reader behind the gate must see the same.
 */
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "server/intake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct side {
	struct evbuffer *input;
	struct intake intake;
	enum intake_end end;
	bool busy;
};

static void on_added(struct evbuffer *input,
		     const struct evbuffer_cb_info *info, void *arg)
{
	struct side *side = arg;

	if (!info->n_added || side->busy || side->end != INTAKE_OPEN)
		return;
	side->busy = true;
	side->end = intake_feed(&side->intake, input, info->orig_size);
	side->busy = false;
}

static void run(struct side *side, struct str text, size_t piece)
{
	*side = (struct side) { .input = evbuffer_new(), .end = INTAKE_OPEN };
	assert(side->input);
	intake_init(&side->intake);
	evbuffer_add_cb(side->input, on_added, side);
	while (text.len && side->end == INTAKE_OPEN) {
		size_t n = piece < text.len ? piece : text.len;

		evbuffer_add(side->input, text.at, n);
		text = str_skip(text, n);
	}
}

static void done(struct side *side)
{
	evbuffer_free(side->input);
	intake_done(&side->intake);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	struct side all, some;
	size_t len;

	if (size < 2)
		return 0;
	run(&all, str_skip(text, 1), size);
	run(&some, str_skip(text, 1), 1 + data[0] % 64);
	len = evbuffer_get_length(all.input);
	assert(all.end == some.end && len == evbuffer_get_length(some.input));
	assert(!len || !memcmp(evbuffer_pullup(all.input, -1),
			       evbuffer_pullup(some.input, -1), len));
	assert(intake_whole(&all.intake) == intake_whole(&some.intake));
	done(&all);
	done(&some);
	return 0;
}
