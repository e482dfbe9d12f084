/* test/unit/server/test_watch.c - server/watch: what is stuck, since when. */
#include "test/unit/check.h"

#include <string.h>

#include "server/watch.h"

enum { LIMIT = 30 * 1000, START = 1000 * 1000 };

/*
 * Looks, one after the other. `at`: seconds after the start; `turned`: when the
 * slowest worker did; `writer`: for how long it has been at one thing.
 */
static const struct {
	const char *rule;
	int at, turned;
	int writer;
	bool fine;
	const char *stuck; /* NULL: as at the look before */
} looks[] = {
	{ "all is new", 0, 0, 0, true, NULL },
	{ "a worker may be late", 10, 0, 0, true, NULL },
	{ "but not for a third of the time", 11, 0, 0, false, "a worker" },
	{ "it is said once", 12, 0, 0, false, NULL },
	{ "it turns again", 13, 13, 0, true, "" },
	{ "the writer waits for a restore", 3299, 3299, 300, true, NULL },
	{ "five minutes", 3301, 3301, 301, false, "the writer" },
	{ "a worker, too", 3320, 3301, 320, false, NULL },
	{ "a group is done", 3330, 3330, 2, true, "" },
	{ "always another", 9000, 9000, 1, true, NULL },
};

static void looks_at_it(void **state)
{
	struct watch watch = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(looks); i++) {
		const struct watched is = {
			.oldest = START + looks[i].turned * 1000,
			.writer = looks[i].writer * 1000,
		};
		const char *stuck;

		print_message("%s\n", looks[i].rule);
		assert_int_equal(watch_look(&watch, &is,
					    START + looks[i].at * 1000, LIMIT,
					    &stuck),
				 looks[i].fine);
		assert_int_equal(!stuck, !looks[i].stuck);
		if (stuck)
			assert_string_equal(stuck, looks[i].stuck);
	}
}

/* A worker turns once a second, whatever the watchdog would like. */
static void a_hasty_watchdog(void **state)
{
	struct watch watch = { 0 };
	struct watched is = { .oldest = START };
	const char *stuck;

	(void)state;
	assert_true(watch_look(&watch, &is, START + WATCH_LEAST, 100, &stuck));
	assert_false(
		watch_look(&watch, &is, START + WATCH_LEAST + 1, 100, &stuck));
	assert_int_equal(watch_every(0), 0);
	assert_int_equal(watch_every(1), 1);
	assert_int_equal(watch_every(3000), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looks_at_it),
		cmocka_unit_test(a_hasty_watchdog),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
