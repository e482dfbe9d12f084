/* test/unit/server/test_challenge.c - one row per rule of the grammar. */
#include <stdio.h>
#include <string.h>

#include "test/unit/check.h"

#include "server/http/challenge.h"

/* `want`: SCHEME[ token68|name<value>...], parted by "; "; "!": an error. */
static const struct {
	const char *rule, *line, *want;
} rows[] = {
	{ "none", "", "" },
	{ "blanks and commas are none", " , ,\t", "" },
	{ "as registries write it", "Bearer realm=\"http://a/t\",service=\"r\"",
	  "Bearer realm<http://a/t> service<r>; " },
	{ "with an error",
	  "Bearer realm=\"a\",service=\"r\",scope=\"repository:a/b:pull,push "
	  "c\",error=\"invalid_token\"",
	  "Bearer realm<a> service<r> scope<repository:a/b:pull,push c> "
	  "error<invalid_token>; " },
	{ "a value without quotes", "Bearer realm=a,service=b",
	  "Bearer realm<a> service<b>; " },
	{ "blanks around = and ,", "Bearer  realm = \"a\" , service\t=\t\"b\"",
	  "Bearer realm<a> service<b>; " },
	{ "a comma and an escaped quote in quotes",
	  "Basic realm=\"a, \\\"b\\\" \\\\c\"", "Basic realm<a, \"b\" \\c>; " },
	{ "an empty text", "Bearer realm=\"\",scope=\"\"",
	  "Bearer realm<> scope<>; " },
	{ "several in a line", "Basic realm=\"x\", Bearer realm=\"y\"",
	  "Basic realm<x>; Bearer realm<y>; " },
	{ "a scheme alone", "Negotiate, Basic realm=\"x\"",
	  "Negotiate; Basic realm<x>; " },
	{ "a token68", "Negotiate YWJj==, Basic realm=\"x\"",
	  "Negotiate YWJj==; Basic realm<x>; " },
	{ "a token68 without padding", "Negotiate a/b+c", "Negotiate a/b+c; " },
	{ "empty elements", ",Bearer realm=a,,service=b,,Basic realm=c,",
	  "Bearer realm<a> service<b>; Basic realm<c>; " },
	{ "names are of any case for challenge_get", "bearer Realm=\"a\"",
	  "bearer Realm<a>; " },
	{ "a quote that is not closed", "Bearer realm=\"a", "!" },
	{ "a backslash at the end", "Bearer realm=\"a\\", "!" },
	{ "a backslash before the last quote", "Bearer realm=\"a\\\"", "!" },
	{ "no value: a token68, and then no scheme", "Bearer realm=,service=b",
	  "Bearer realm=; !" },
	{ "twice", "Bearer realm=a,REALM=b", "!" },
	{ "no comma between", "Bearer realm=\"a\" service=\"b\"", "!" },
	{ "no scheme", "realm=\"a\"", "!" },
	{ "the first is good, the second is not", "Basic realm=x, \"y\"",
	  "Basic realm<x>; !" },
	{ "no blank behind the scheme", "Bearer\"a\"", "!" },
};

static size_t print(struct str line, char *out, size_t size)
{
	AUTO(arena) struct arena arena;
	struct challenge c;
	size_t len = 0;
	enum err err;

	arena_init(&arena);
	out[0] = '\0';
	while (!(err = challenge_next(&line, &arena, &c))) {
		len += (size_t)snprintf(out + len, size - len, STR_FMT,
					STR_ARG(c.scheme));
		if (c.token68.len)
			len += (size_t)snprintf(out + len, size - len,
						" " STR_FMT,
						STR_ARG(c.token68));
		for (size_t i = 0; i < c.len; i++)
			len += (size_t)snprintf(out + len, size - len,
						" " STR_FMT "<" STR_FMT ">",
						STR_ARG(c.at[i].name),
						STR_ARG(c.at[i].value));
		len += (size_t)snprintf(out + len, size - len, "; ");
	}
	if (err != E_NOT_FOUND)
		len += (size_t)snprintf(out + len, size - len, "!");
	assert_int_equal(c.scheme.len + c.len, 0);
	return len;
}

static void grammar(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char got[512];

		print_message("%s\n", rows[i].rule);
		print(str_of(rows[i].line), got, sizeof(got));
		assert_string_equal(got, rows[i].want);
	}
}

static void finds(void **state)
{
	AUTO(arena) struct arena arena;
	struct str line = STR("Bearer Realm=a, service=b"), value;
	struct challenge c;

	(void)state;
	arena_init(&arena);
	assert_int_equal(challenge_next(&line, &arena, &c), E_OK);
	assert_true(challenge_get(&c, STR("realm"), &value));
	assert_str(value, "a");
	assert_true(challenge_get(&c, STR("SERVICE"), &value));
	assert_str(value, "b");
	assert_false(challenge_get(&c, STR("scope"), &value));
	assert_int_equal(value.len, 0);
}

static void too_many(void **state)
{
	AUTO(arena) struct arena arena;
	char text[512] = "Bearer ";
	size_t len = strlen(text);
	struct challenge c;
	struct str line;

	(void)state;
	arena_init(&arena);
	for (int i = 0; i <= CHALLENGE_PARAMS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"p%d=x,", i);
	line = str_of(text);
	assert_int_equal(challenge_next(&line, &arena, &c), E_LIMIT);
}

/* Whoever sends them decides how many there are: what they take is theirs. */
static void of_what_size(void **state)
{
	static const char one[] = "a b=\"c\",";
	/* 16 letters in 32 bytes */
	static const char escaped[] = "a b=\"\\0\\1\\2\\3\\4\\5\\6\\7"
				      "\\8\\9\\a\\b\\c\\d\\e\\f\",";
	AUTO(arena) struct arena arena;
	char text[COUNT(escaped)];
	struct challenge c;
	struct str line, value;

	(void)state;
	arena_init(&arena);
	for (size_t i = 0; i < 1000; i++) {
		line = str_of(one);
		assert_int_equal(challenge_next(&line, &arena, &c), E_OK);
		assert_int_equal(arena.used, 0);
	}
	memcpy(text, escaped, sizeof(text));
	line = str_of(text);
	assert_int_equal(challenge_next(&line, &arena, &c), E_OK);
	assert_true(challenge_get(&c, STR("b"), &value));
	assert_str(value, "0123456789abcdef");
	assert_int_equal(arena.used, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grammar),
		cmocka_unit_test(finds),
		cmocka_unit_test(too_many),
		cmocka_unit_test(of_what_size),
	};

	return cmocka_run_group_tests_name("challenge", tests, NULL, NULL);
}
