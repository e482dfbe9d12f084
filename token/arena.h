/*
 * token/arena.h - memory that lives as long as one request or one command.
 *
 * Nothing is freed alone: arena_reset() forgets all of it and keeps the first
 * block, so a worker that has seen one request allocates nothing for the next
 * of its size. One thread at a time. Running out of memory ends the process
 * (there is nothing sensible left to answer), so no caller checks for NULL.
 */
#pragma once

#include "token/base.h"

struct arena {
	struct arena_block *first, *last;
	size_t used; /* of *last */
};

void arena_init(struct arena *arena);
void arena_done(struct arena *arena);  /* wipes, then frees */
void arena_reset(struct arena *arena); /* wipes what was used */
#define arena_cleanup arena_done

void *arena_alloc(struct arena *arena, size_t size); /* zeroed, 16-aligned */
struct str arena_copy(struct arena *arena, struct str s);
struct str arena_lower(struct arena *arena, struct str s); /* s if lower */
const char *arena_cstr(struct arena *arena, struct str s);
struct str arena_printf(struct arena *arena, const char *fmt, ...)
	PRINTF_LIKE(2, 3);
