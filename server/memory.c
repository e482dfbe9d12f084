/* server/memory.c - see the header. */
#include "server/memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

static void wiping_free(void *at)
{
	if (at)
		explicit_bzero(at, malloc_usable_size(at));
	free(at);
}

/* What is left behind is wiped, too; so it never grows in place. */
static void *wiping_realloc(void *at, size_t size)
{
	size_t old = at ? malloc_usable_size(at) : 0;
	void *new = size ? malloc(size) : NULL;

	if (size && !new)
		return NULL;
	if (at && new)
		memcpy(new, at, old < size ? old : size);
	wiping_free(at);
	return new;
}

void memory_wipe_freed(void)
{
	event_set_mem_functions(malloc, wiping_realloc, wiping_free);
}
