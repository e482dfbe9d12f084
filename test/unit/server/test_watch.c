/* test/unit/server/test_watch.c - server/watch: what is stuck, and since when.
 */
#include "test/unit/check.h"

#include <string.h>

#include "server/watch.h"

enum { LIMIT = 30 * 1000, START = 1000 * 1000 };

/*
 * Looks, one after the other. `at`: seconds after the start; `turned`: when the
 * slowest worker did; then what the writer has before it, and has done.
 */
static const struct {
	const char *rule;
	int at, turned;
	unsigned waiting;
	uint64_t turns;
	bool fine;
	const char *stuck; /* NULL: as at the look before */
} looks[] = {
	{ "all is new", 0, 0, 0, 0, true, NULL },
	{ "a worker may be late", 10, 0, 0, 0, true, NULL },
	{ "but not for a third of the time", 11, 0, 0, 0, false, "a worker" },
	{ "it is said once", 12, 0, 0, 0, false, NULL },
	{ "it turns again", 13, 13, 0, 0, true, "" },
	{ "a writer that has nothing to do", 3000, 3000, 0, 0, true, NULL },
	{ "it gets something", 3010, 3010, 3, 0, true, NULL },
	{ "it waits for a restore", 3299, 3299, 9, 0, true, NULL },
	{ "five minutes", 3301, 3301, 9, 0, false, "the writer" },
	{ "a worker, too", 3320, 3301, 9, 0, false, NULL },
	{ "a group is done", 3330, 3330, 8, 1, true, "" },
	{ "always another", 3629, 3629, 8, 1, true, NULL },
	{ "as long as they get done", 3631, 3631, 8, 2, true, NULL },
	{ "it may have all done between", 9000, 9000, 1, 3, true, NULL },
};

static void looks_at_it(void **state)
{
	struct watch watch = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(looks); i++) {
		const struct watched is = {
			.oldest = START + looks[i].turned * 1000,
			.waiting = looks[i].waiting,
			.turns = looks[i].turns,
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
