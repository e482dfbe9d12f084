/*
 * store/trace.h - the steps of a decision, for `dockpass explain`. The server
 * passes NULL, and nothing is formatted: the code that decides is the same.
 */
#pragma once

#include "token/arena.h"

enum { TRACE_MAX = 2048 };

struct trace {
	struct arena *arena;
	size_t len;
	struct str at[TRACE_MAX];
};

#define trace_add(trace, ...)                                                  \
	do {                                                                   \
		if (trace)                                                     \
			trace_step(trace, __VA_ARGS__);                        \
	} while (0)
void trace_step(struct trace *trace, const char *fmt, ...) PRINTF_LIKE(2, 3);
