/* token/arena.c - see the header. Blocks are chained, the newest last. */
#include "token/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

enum { BLOCK_SIZE = 16 * 1024 };

struct arena_block {
	struct arena_block *next;
	size_t size;
	_Alignas(16) char at[];
};

static struct arena_block *block_new(size_t size)
{
	struct arena_block *block = malloc(sizeof(*block) + size);

	if (!block) {
		fputs("dockpass: out of memory\n", stderr);
		abort();
	}
	block->next = NULL;
	block->size = size;
	return block;
}

void arena_init(struct arena *arena)
{
	arena->first = arena->last = block_new(BLOCK_SIZE);
	arena->used = 0;
}

static void blocks_free(struct arena_block *block)
{
	while (block) {
		struct arena_block *next = block->next;

		OPENSSL_cleanse(block->at, block->size);
		free(block);
		block = next;
	}
}

/* A block before the last may be used to its end. */
void arena_reset(struct arena *arena)
{
	size_t dirty =
		arena->last == arena->first ? arena->used : arena->first->size;

	OPENSSL_cleanse(arena->first->at, dirty);
	blocks_free(arena->first->next);
	arena->first->next = NULL;
	arena->last = arena->first;
	arena->used = 0;
}

void arena_done(struct arena *arena)
{
	blocks_free(arena->first);
	*arena = (struct arena) { 0 };
}

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t need = (size + 15) & ~(size_t)15;
	char *at;

	assert(need >= size);
	if (arena->last->size - arena->used < need) {
		size_t fresh = need > BLOCK_SIZE ? need : BLOCK_SIZE;

		arena->last->next = block_new(fresh);
		arena->last = arena->last->next;
		arena->used = 0;
	}
	at = arena->last->at + arena->used;
	arena->used += need;
	return memset(at, 0, need);
}

struct str arena_copy(struct arena *arena, struct str s)
{
	char *at = arena_alloc(arena, s.len);

	if (s.len)
		memcpy(at, s.at, s.len);
	return (struct str) { at, s.len };
}

struct str arena_lower(struct arena *arena, struct str s)
{
	char *at;
	size_t i = 0;

	while (i < s.len && s.at[i] == ascii_lower(s.at[i]))
		i++;
	if (i == s.len)
		return s;
	at = arena_alloc(arena, s.len);
	for (i = 0; i < s.len; i++)
		at[i] = ascii_lower(s.at[i]);
	return (struct str) { at, s.len };
}

const char *arena_cstr(struct arena *arena, struct str s)
{
	char *at = arena_alloc(arena, s.len + 1);

	if (s.len)
		memcpy(at, s.at, s.len);
	return at;
}

struct str arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list args, again;
	char *at;
	int len;

	va_start(args, fmt);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	assert(len >= 0);
	at = arena_alloc(arena, (size_t)len + 1);
	vsnprintf(at, (size_t)len + 1, fmt, again);
	va_end(again);
	return (struct str) { at, (size_t)len };
}
