/*
 * test/fuzz/fuzz_scope.c - scopes from a parameter's bytes: what is printed
 * reads back as the same list, and nothing is signed that nobody asked for.
 */
#include <string.h>

#include "token/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct scope *scope)
{
	if (scope->type == SCOPE_CATALOG) {
		assert(scope->rights == RIGHT_CATALOG);
		assert(str_eq(scope->name, STR("catalog")));
		return;
	}
	assert(scope->rights && !(scope->rights & ~(unsigned)RIGHT_REPOSITORY));
	assert(scope->name.len && scope->name.len <= SCOPE_NAME_MAX);
	for (size_t i = 0; i < scope->name.len; i++) {
		char c = scope->name.at[i];

		assert(c == ascii_lower(c) && c > ' ' && c < 0x7f);
		assert(!strchr("\"\\*,()@%", c));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct scope_list list, again;
	AUTO(arena) struct arena arena;
	AUTO(buf) struct buf text, second;
	struct cause cause = { "" };

	arena_init(&arena);
	buf_init(&text, 1 << 20);
	buf_init(&second, 1 << 20);
	list.len = list.seen = again.len = again.seen = 0;
	if (scope_parse((struct str) { (const char *)data, size }, &arena,
			&list, &cause)) {
		assert(!list.len && cause.text[0]);
		return 0;
	}
	scope_merge(&list);
	for (size_t i = 0; i < list.len; i++)
		check(&list.at[i]);
	scope_print(&list, &text);
	assert(!scope_parse(buf_str(&text), &arena, &again, &cause));
	scope_merge(&again);
	scope_print(&again, &second);
	assert(str_eq(buf_str(&text), buf_str(&second)));
	buf_clear(&second);
	scope_print_json(&list, &second);
	assert(!second.over);
	return 0;
}
