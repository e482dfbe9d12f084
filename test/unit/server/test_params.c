/* test/unit/server/test_params.c - server/http/params: a row per rule. */
#include "test/unit/check.h"

#include <stdlib.h>
#include <string.h>

#include "server/http/params.h"
#include "token/buf.h"

/* `want`: name=value, one a line. */
static const struct {
	const char *rule, *text;
	enum err err;
	const char *want;
} rows[] = {
	{ "nothing", "", E_OK, "" },
	{ "one", "a=b", E_OK, "a=b\n" },
	{ "in order, repeats kept", "b=1&a=2&b=3", E_OK, "b=1\na=2\nb=3\n" },
	{ "no value", "a", E_OK, "a=\n" },
	{ "an empty value", "a=&b=", E_OK, "a=\nb=\n" },
	{ "empty pairs are none", "&&a=b&", E_OK, "a=b\n" },
	{ "the first = parts", "a=b=c", E_OK, "a=b=c\n" },
	{ "a plus is a space", "a=b+c", E_OK, "a=b c\n" },
	{ "an escaped plus is a plus", "a=b%2Bc%2bd", E_OK, "a=b+c+d\n" },
	{ "an escaped & and = are text", "a%3D=%26", E_OK, "a==&\n" },
	{ "bytes over 127", "a=%C3%A4", E_OK, "a=\xc3\xa4\n" },
	{ "an escape that is cut", "a=%4", E_SYNTAX, "" },
	{ "an escape that is none", "a=%zz", E_SYNTAX, "" },
	{ "in the name, too", "%=a", E_SYNTAX, "" },
	{ "an escaped zero byte", "a=b&c=%00", E_SYNTAX, "" },
};

static void grammar(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO(arena) struct arena arena;
		AUTO(buf) struct buf got;
		struct params params;
		struct cause cause;

		arena_init(&arena);
		buf_init(&got, 4096);
		print_message("%s\n", rows[i].rule);
		assert_int_equal(params_parse(str_of(rows[i].text), &arena,
					      &params, &cause),
				 rows[i].err);
		for (size_t k = 0; k < params.len; k++)
			buf_printf(&got, STR_FMT "=" STR_FMT "\n",
				   STR_ARG(params.at[k].name),
				   STR_ARG(params.at[k].value));
		assert_str(buf_str(&got), rows[i].want);
	}
}

static void zero_byte(void **state)
{
	AUTO(arena) struct arena arena;
	struct params params;
	struct cause cause;

	(void)state;
	arena_init(&arena);
	assert_int_equal(params_parse((struct str) { "a=\0", 3 }, &arena,
				      &params, &cause),
			 E_SYNTAX);
	assert_int_equal(params.len, 0);
}

static void too_many(void **state)
{
	AUTO(arena) struct arena arena;
	AUTO(buf) struct buf text;
	struct params params;
	struct cause cause;

	(void)state;
	arena_init(&arena);
	buf_init(&text, 1 << 20);
	buf_add(&text, STR("a=b"));
	for (size_t i = 1; i < PARAMS_MAX; i++)
		buf_add(&text, STR("&a=b"));
	assert_int_equal(params_parse(buf_str(&text), &arena, &params, &cause),
			 E_OK);
	assert_int_equal(params.len, PARAMS_MAX);
	buf_add(&text, STR("&a=b"));
	assert_int_equal(params_parse(buf_str(&text), &arena, &params, &cause),
			 E_LIMIT);
	assert_int_equal(params.len, 0);
}

static void one_of_a_name(void **state)
{
	AUTO(arena) struct arena arena;
	struct params params;
	struct cause cause;
	struct str value;

	(void)state;
	arena_init(&arena);
	assert_int_equal(params_parse(STR("a=1&b=2&a=1&c=1&c=2&d"), &arena,
				      &params, &cause),
			 E_OK);
	assert_int_equal(params_one(&params, STR("a"), &value, &cause), E_OK);
	assert_str(value, "1");
	assert_int_equal(params_one(&params, STR("c"), &value, &cause),
			 E_REFUSED);
	assert_int_equal(value.len, 0);
	assert_int_equal(params_one(&params, STR("x"), &value, &cause), E_OK);
	assert_null(value.at);
	assert_int_equal(params_one(&params, STR("d"), &value, &cause), E_OK);
	assert_non_null(value.at);
	assert_int_equal(value.len, 0);
	assert_str(params_first(&params, STR("c")), "1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grammar),
		cmocka_unit_test(zero_byte),
		cmocka_unit_test(too_many),
		cmocka_unit_test(one_of_a_name),
	};

	return cmocka_run_group_tests_name("params", tests, NULL, NULL);
}
