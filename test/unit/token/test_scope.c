/* test/unit/token/test_scope.c - token/scope: one row per rule. */
#include "test/unit/check.h"

#include <string.h>

#include "token/scope.h"

/* clang-format off */
static const struct {
	const char *rule, *text, *want; /* as scope_print() writes it */
} rows[] = {
	{ "no scope is no scope", "", "" },
	{ "spaces alone", "   ", "" },
	{ "one", "repository:group/app:pull", "repository:group/app:pull" },
	{ "actions are sorted", "repository:a:push,pull,delete", "repository:a:delete,pull,push" },
	{ "a repeated action", "repository:a:pull,pull", "repository:a:pull" },
	{ "several, extra spaces", "  repository:a:pull   repository:b:push ", "repository:a:pull repository:b:push" },
	{ "equal names are merged", "repository:a:pull repository:b:pull repository:a:pull,push", "repository:a:pull,push repository:b:pull" },
	{ "names are sorted by bytes", "repository:b:pull repository:a/b:pull repository:a-b:pull repository:a:pull", "repository:a:pull repository:a-b:pull repository:a/b:pull repository:b:pull" },
	{ "types are sorted by name", "repository:a:pull registry:catalog:*", "registry:catalog:* repository:a:pull" },

	{ "any action: spelled out", "repository:a:*", "repository:a:delete,pull,push" },
	{ "any action beside others", "repository:a:pull,*", "repository:a:delete,pull,push" },
	{ "an unknown action is dropped", "repository:a:pull,fly", "repository:a:pull" },
	{ "nothing but unknown actions", "repository:a:fly", "" },
	{ "no action", "repository:a:", "" },
	{ "empty actions between", "repository:a:,pull,", "repository:a:pull" },
	{ "case of actions matters", "repository:a:PULL", "" },
	{ "a right of the catalog is none of a repository", "repository:a:catalog", "" },

	{ "the catalog", "registry:catalog:*", "registry:catalog:*" },
	{ "the catalog, any other action", "registry:catalog:pull", "" },
	{ "the catalog, a star among others", "registry:catalog:pull,*", "registry:catalog:*" },
	{ "another name than the catalog", "registry:catalogue:*", "" },
	{ "the catalog in capitals", "registry:CATALOG:*", "" },
	{ "a repository named catalog", "repository:catalog:*", "repository:catalog:delete,pull,push" },

	{ "a class is dropped", "repository(plugin):a/b:pull", "repository:a/b:pull" },
	{ "with and without a class: merged", "repository(plugin):a:pull repository:a:push", "repository:a:pull,push" },
	{ "an empty class", "repository():a:pull", "" },
	{ "an open class", "repository(plugin:a:pull", "" },
	{ "only an opening bracket", "repository(:a:pull", "" },
	{ "a class in capitals", "repository(Plugin):a:pull", "" },
	{ "text behind the class", "repository(plugin)x:a:pull", "" },
	{ "two classes", "repository(a)(b):a:pull", "" },
	{ "an unknown type", "artifact:a:pull", "" },
	{ "a type that begins like one", "repositoryx:a:pull", "" },
	{ "a type cut short", "repo:a:pull", "" },
	{ "a type in capitals", "Repository:a:pull", "" },
	{ "no type", ":a:pull", "" },
	{ "no name (zot's catalog)", "repository::pull", "" },
	{ "no action part", "repository:a", "" },
	{ "one word", "repository", "" },
	{ "a star (Forgejo)", "*", "" },
	{ "only colons", ":::", "" },
	{ "a bad one does not harm a good one", "* repository:a repository:a:pull :", "repository:a:pull" },
	{ "a tab does not part", "repository:a:pull\trepository:b:pull", "" },

	{ "names are lower-cased", "repository:Group/APP:pull", "repository:group/app:pull" },
	{ "cases of one name are merged", "repository:A:pull repository:a:push", "repository:a:pull,push" },
	{ "a host and port", "repository:host:5000/app:pull", "repository:host:5000/app:pull" },
	{ "a host in capitals", "repository:Host.Example.COM:5000/app:pull", "repository:host.example.com:5000/app:pull" },
	{ "a host with dashes", "repository:a--b.c-d/app:pull", "repository:a--b.c-d/app:pull" },
	{ "a host and port alone", "repository:host:5000:pull", "" },
	{ "a port is digits", "repository:host:50x0/app:pull", "" },
	{ "an empty port", "repository:host:/app:pull", "" },
	{ "two ports", "repository:host:1:2/app:pull", "" },
	{ "a port in the middle", "repository:a/host:5000/app:pull", "" },
	{ "a host beginning with a dash", "repository:-host:5000/app:pull", "" },
	{ "a host's label ending in a dash", "repository:a-.b:5000/app:pull", "" },
	{ "a host with an empty label", "repository:a..b:5000/app:pull", "" },
	{ "a host with an underscore and a port", "repository:a_b:5000/app:pull", "" },
	{ "separators inside", "repository:a.b_c__d-e---f/g:pull", "repository:a.b_c__d-e---f/g:pull" },
	{ "digits alone", "repository:1/2/3:pull", "repository:1/2/3:pull" },
	{ "two dots", "repository:a..b:pull", "" },
	{ "three underscores", "repository:a___b:pull", "" },
	{ "different separators together", "repository:a_.b:pull", "" },
	{ "a dash and a dot", "repository:x/a-.b:pull", "" },
	{ "a separator in front", "repository:.a:pull", "" },
	{ "a separator at the end", "repository:a-:pull", "" },
	{ "a slash in front", "repository:/a:pull", "" },
	{ "a slash at the end", "repository:a/:pull", "" },
	{ "two slashes", "repository:a//b:pull", "" },
	{ "a way up", "repository:a/../b:pull", "" },
	{ "a star for a name", "repository:*:pull", "" },
	{ "a percent sign", "repository:a%2fb:pull", "" },
	{ "a quote", "repository:a\"b:pull", "" },
	{ "bytes above ASCII", "repository:\xc3\xa4:pull", "" },
	{ "a digest is no name", "repository:a@sha256:b:pull", "" },
};
/* clang-format on */

static void grammar(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		static struct scope_list list;
		struct cause cause = { "" };
		AUTO(arena) struct arena arena;
		AUTO(buf) struct buf got;

		print_message("%s\n", rows[i].rule);
		arena_init(&arena);
		buf_init(&got, 1024);
		list.len = list.seen = 0;
		assert_int_equal(scope_parse(str_of(rows[i].text), &arena,
					     &list, &cause),
				 E_OK);
		scope_merge(&list);
		scope_print(&list, &got);
		assert_str(buf_str(&got), rows[i].want);
		assert_string_equal(cause.text, "");
	}
}

/* A NUL is a byte like others, and no end. */
static void nul_in_a_name(void **state)
{
	static struct scope_list list;
	AUTO(arena) struct arena arena;

	(void)state;
	arena_init(&arena);
	list.len = list.seen = 0;
	assert_int_equal(
		scope_parse(STR("repository:a\0b:pull"), &arena, &list, NULL),
		E_OK);
	assert_int_equal(list.len, 0);
}

enum { LONG = 4096 };

/* "repository:" + `name` letters + ":" + `action` letters, `times` over. */
static struct str long_text(struct arena *arena, size_t name, size_t action,
			    size_t times)
{
	AUTO(buf) struct buf text;

	buf_init(&text, 1 << 20);
	for (size_t t = 0; t < times; t++) {
		buf_add(&text, STR("repository:"));
		for (size_t i = 0; i < name; i++)
			buf_add_char(&text, 'a');
		buf_add(&text, STR(":pull,"));
		for (size_t i = 0; i < action; i++)
			buf_add_char(&text, 'x');
		buf_add_char(&text, ' ');
	}
	assert_false(text.over);
	return arena_copy(arena, buf_str(&text));
}

static const struct {
	const char *rule;
	size_t name, action, times;
	enum err err;
	const char *says;
} limits[] = {
	{ "a name at the limit", SCOPE_NAME_MAX, 1, 1, E_OK, "" },
	{ "a name over it", SCOPE_NAME_MAX + 1, 1, 1, E_LIMIT,
	  "longer than 255 bytes" },
	{ "an action at the limit", 1, SCOPE_ACTION_MAX, 1, E_OK, "" },
	{ "an action over it", 1, SCOPE_ACTION_MAX + 1, 1, E_LIMIT,
	  "longer than 32 bytes" },
	{ "scopes at the limit", 1, 1, SCOPE_MAX, E_OK, "" },
	{ "scopes over it, repeats counted", 1, 1, SCOPE_MAX + 1, E_LIMIT,
	  "more than 256 scopes" },
};

static void limits_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(limits); i++) {
		static struct scope_list list;
		struct cause cause = { "" };
		AUTO(arena) struct arena arena;

		print_message("%s\n", limits[i].rule);
		arena_init(&arena);
		list.len = list.seen = 0;
		assert_int_equal(scope_parse(long_text(&arena, limits[i].name,
						       limits[i].action,
						       limits[i].times),
					     &arena, &list, &cause),
				 limits[i].err);
		assert_non_null(strstr(cause.text, limits[i].says));
		assert_int_equal(list.len, limits[i].err ? 0 : limits[i].times);
	}
}

static void limit_spans_parameters_and_ignored_words(void **state)
{
	static struct scope_list list;
	AUTO(arena) struct arena arena;
	struct cause cause = { "" };

	(void)state;
	arena_init(&arena);
	list.len = list.seen = 0;
	for (size_t i = 0; i < SCOPE_MAX; i++)
		assert_int_equal(scope_parse(i % 2 ? STR("what")
						   : STR("repository:a:pull"),
					     &arena, &list, &cause),
				 E_OK);
	assert_int_equal(list.len, SCOPE_MAX / 2);
	assert_int_equal(scope_parse(STR("what"), &arena, &list, &cause),
			 E_LIMIT);
	assert_int_equal(list.len, 0);
}

static void refused_stays_refused(void **state)
{
	static struct scope_list list;
	AUTO(arena) struct arena arena;

	(void)state;
	arena_init(&arena);
	list.len = list.seen = 0;
	assert_int_equal(
		scope_parse(long_text(&arena, LONG, 1, 1), &arena, &list, NULL),
		E_LIMIT);
	assert_int_equal(
		scope_parse(STR("repository:a:pull"), &arena, &list, NULL),
		E_LIMIT);
	assert_int_equal(list.len, 0);
}

static void merge_drops_what_has_no_right(void **state)
{
	static struct scope_list
		list = { .len = 3,
			 .at = {
				 { SCOPE_CATALOG, { "catalog", 7 }, 0 },
				 { SCOPE_REPOSITORY, { "b", 1 }, RIGHT_PULL },
				 { SCOPE_REPOSITORY, { "a", 1 }, 0 },
			 } };

	(void)state;
	scope_merge(&list);
	assert_int_equal(list.len, 1);
	assert_str(list.at[0].name, "b");
}

static void as_json(void **state)
{
	static struct scope_list list = { .len = 2,
					  .at = {
						  { SCOPE_REPOSITORY,
						    { "a/b", 3 },
						    RIGHT_PULL | RIGHT_PUSH },
						  { SCOPE_CATALOG,
						    { "catalog", 7 },
						    RIGHT_CATALOG },
					  } };
	static const struct scope_list empty;
	AUTO(buf) struct buf got;

	(void)state;
	buf_init(&got, 1024);
	scope_print_json(&list, &got);
	assert_str(buf_str(&got), "[{\"type\":\"repository\",\"name\":\"a/b\","
				  "\"actions\":[\"pull\",\"push\"]},"
				  "{\"type\":\"registry\",\"name\":\"catalog\","
				  "\"actions\":[\"*\"]}]");
	buf_clear(&got);
	scope_print_json(&empty, &got);
	assert_str(buf_str(&got), "[]");
}

static void rights_as_text(void **state)
{
	AUTO(buf) struct buf got;

	(void)state;
	buf_init(&got, 64);
	scope_print_rights(RIGHT_REPOSITORY, &got);
	buf_add_char(&got, ';');
	scope_print_rights(0, &got);
	buf_add_char(&got, ';');
	scope_print_rights(RIGHT_CATALOG, &got);
	assert_str(buf_str(&got), "delete,pull,push;;*");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grammar),
		cmocka_unit_test(nul_in_a_name),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(limit_spans_parameters_and_ignored_words),
		cmocka_unit_test(refused_stays_refused),
		cmocka_unit_test(merge_drops_what_has_no_right),
		cmocka_unit_test(as_json),
		cmocka_unit_test(rights_as_text),
	};

	return cmocka_run_group_tests_name("scope", tests, NULL, NULL);
}
