/* store/trace.c - one line a step; past TRACE_MAX they are dropped. */
#include "store/trace.h"

#include <stdarg.h>
#include <stdio.h>

enum { STEP_MAX = 1024 };

void trace_step(struct trace *trace, const char *fmt, ...)
{
	char line[STEP_MAX];
	va_list args;
	int len;

	if (trace->len == TRACE_MAX)
		return;
	va_start(args, fmt);
	len = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	assert(len >= 0);
	if ((size_t)len >= sizeof(line))
		len = sizeof(line) - 1;
	make_printable(line);
	trace->at[trace->len++] =
		arena_copy(trace->arena, (struct str) { line, (size_t)len });
}
