/*
 * test/unit/token/test_word.c - token/word: what a shell makes of it is the
 * text again.
 */
#include "test/unit/check.h"

#include <stdio.h>
#include <string.h>

#include "token/word.h"

static const char *const same[] = { "/var/lib/dockpass",
				    "a-b_c.d:e@f%g,h=i+j/K9", "-" };

static const char *const quoted[] = {
	"",	"/tmp/a b",  "$HOME", "`id`",  "a;b",	"a\\b", "it's",
	"'",	"''a''",     "\"a\"", "*",     "~",	"#a",	"a\nb",
	"a\tb", "m\xc3\xbc", "!!",    "{a,b}", "a|b&c", "<a>",	"(a)"
};

static void a_shell_reads(const char *word, const char *want)
{
	char command[2100], got[1100] = { 0 };
	FILE *shell;
	size_t n;

	snprintf(command, sizeof(command), "printf '<%%s>' %s", word);
	shell = popen(command, "r");
	assert_non_null(shell);
	n = fread(got, 1, sizeof(got) - 1, shell);
	assert_int_equal(pclose(shell), 0);
	assert_int_equal(n, strlen(want) + 2);
	assert_memory_equal(got + 1, want, n - 2);
}

static void one_word(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(same); i++)
		assert_string_equal(word_of(same[i]).at, same[i]);
	for (size_t i = 0; i < COUNT(quoted); i++) {
		assert_string_not_equal(word_of(quoted[i]).at, quoted[i]);
		a_shell_reads(word_of(quoted[i]).at, quoted[i]);
	}
}

/* To the last byte that there is room for, and no further. */
static void long_ones(void **state)
{
	struct word word;
	char text[sizeof(word.at) + 1] = { 0 };

	(void)state;
	for (size_t n = 1; n < sizeof(text); n++) {
		memset(text, n % 2 ? 'a' : ' ', n);
		word = word_of(text);
		assert_non_null(memchr(word.at, 0, sizeof(word.at)));
		if (n > sizeof(word.at) / 2 && *word.at == '(')
			assert_true(n + 2 >= sizeof(word.at));
		else
			a_shell_reads(word.at, text);
	}
	memset(text, '\'', sizeof(word.at) / 4 + 1);
	text[sizeof(word.at) / 4 + 1] = '\0';
	assert_int_equal(*word_of(text).at, '(');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_word),
		cmocka_unit_test(long_ones),
	};

	return cmocka_run_group_tests_name("word", tests, NULL, NULL);
}
