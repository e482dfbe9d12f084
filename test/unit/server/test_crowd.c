/* test/unit/server/test_crowd.c - server/crowd: who is let in, and counted. */
#include "test/unit/check.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/crowd.h"

enum { TOTAL = 5, EACH = 3 };

static struct crowd *crowd;
static enum crowd_limit limit; /* that one was over */

static int up(void **state)
{
	unsigned total = TOTAL;

	(void)state;
	assert_int_equal(crowd_new(&crowd), E_OK);
	crowd_limit(crowd, &total, EACH);
	assert_int_equal(total, TOTAL);
	return 0;
}

static int down(void **state)
{
	(void)state;
	crowd_free(crowd);
	return 0;
}

static enum crowd_verdict enter(unsigned host, unsigned *place)
{
	struct sockaddr_in from = { .sin_family = AF_INET };

	from.sin_addr.s_addr = htonl(host);
	return crowd_enter(crowd, (struct sockaddr *)&from, place, &limit);
}

static enum crowd_verdict six(unsigned char subnet, unsigned char host)
{
	struct sockaddr_in6 from = { .sin6_family = AF_INET6 };
	unsigned place;

	from.sin6_addr.s6_addr[7] = subnet;
	from.sin6_addr.s6_addr[15] = host;
	return crowd_enter(crowd, (struct sockaddr *)&from, &place, &limit);
}

static void an_address_has_its_limit(void **state)
{
	unsigned place;

	(void)state;
	for (int i = 0; i < EACH; i++)
		assert_int_equal(enter(1, &place), CROWD_WELCOME);
	assert_int_equal(enter(1, &place), CROWD_FULL);
	assert_int_equal(limit, CROWD_ADDRESS);
	crowd_leave(crowd, CROWD_FULL, place);
	assert_int_equal(enter(1, &place), CROWD_FULL);
	crowd_leave(crowd, CROWD_WELCOME, place);
	assert_int_equal(enter(1, &place), CROWD_WELCOME);
}

static void all_have_theirs(void **state)
{
	unsigned first, place;

	(void)state;
	assert_int_equal(enter(1, &first), CROWD_WELCOME);
	for (unsigned i = 2; i <= TOTAL; i++)
		assert_int_equal(enter(i, &place), CROWD_WELCOME);
	assert_int_equal(enter(9, &place), CROWD_FULL);
	assert_int_equal(limit, CROWD_TOTAL);
	crowd_leave(crowd, CROWD_WELCOME, first);
	assert_int_equal(enter(9, &place), CROWD_WELCOME);
	assert_int_equal(enter(9, &place), CROWD_FULL);
}

/* However many come, they take no place but their own. */
static void a_flood_of_one_address_is_its_own_affair(void **state)
{
	unsigned place;

	(void)state;
	for (int i = 0; i < EACH; i++)
		assert_int_equal(enter(1, &place), CROWD_WELCOME);
	for (int i = 0; i < CROWD_EXTRA; i++)
		assert_int_equal(enter(1, &place), CROWD_FULL);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(enter(1, &place), CROWD_CLOSE);
		crowd_leave(crowd, CROWD_CLOSE, place);
	}
	/* One may share the counter of address 1: three do not. */
	assert_true(enter(2, &place) == CROWD_WELCOME ||
		    enter(3, &place) == CROWD_WELCOME ||
		    enter(4, &place) == CROWD_WELCOME);
}

static void an_ipv6_customer_is_a_64(void **state)
{
	(void)state;
	for (unsigned char i = 0; i < EACH; i++)
		assert_int_equal(six(1, i), CROWD_WELCOME);
	assert_int_equal(six(1, EACH), CROWD_FULL);
	assert_true(six(2, 0) == CROWD_WELCOME || six(3, 0) == CROWD_WELCOME);
}

/* Whom there was no room for in all takes none of his address's. */
static void one_too_many_in_all_is_not_counted(void **state)
{
	unsigned places[TOTAL], place;

	(void)state;
	for (unsigned i = 0; i < TOTAL; i++)
		assert_int_equal(enter(i + 1, &places[i]), CROWD_WELCOME);
	for (int i = 0; i < EACH; i++) {
		assert_int_equal(enter(9, &place), CROWD_FULL);
		assert_int_equal(limit, CROWD_TOTAL);
		crowd_leave(crowd, CROWD_FULL, place);
	}
	for (unsigned i = 0; i < TOTAL; i++)
		crowd_leave(crowd, CROWD_WELCOME, places[i]);
	for (int i = 0; i < EACH; i++)
		assert_int_equal(enter(9, &place), CROWD_WELCOME);
	assert_int_equal(crowd_count(crowd), EACH);
}

/* However many have been told so, others will be. */
static void who_was_told_so_gives_his_place_to_others(void **state)
{
	unsigned place;

	(void)state;
	for (int i = 0; i < EACH; i++)
		assert_int_equal(enter(1, &place), CROWD_WELCOME);
	for (int i = 0; i < 3 * CROWD_EXTRA; i++) {
		assert_int_equal(enter(1, &place), CROWD_FULL);
		crowd_leave(crowd, CROWD_FULL, place);
	}
}

/* What the descriptors are enough for, in a process that has so few of them. */
static unsigned total_with(rlim_t now, rlim_t most, unsigned want)
{
	const struct rlimit files = { now, most };
	unsigned total = want;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		if (setrlimit(RLIMIT_NOFILE, &files))
			_exit(255);
		crowd_limit(crowd, &total, EACH);
		_exit(total == crowd_most(crowd) ? (int)total : 254);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return (unsigned)WEXITSTATUS(status);
}

static void descriptors_are_enough(void **state)
{
	const rlim_t kept = CROWD_EXTRA + CROWD_RESERVE;

	(void)state;
	assert_int_equal(total_with(kept + 100, kept + 100, 99), 99);
	assert_int_equal(total_with(kept + 100, kept + 100, 100), 100);
	assert_int_equal(total_with(kept + 100, kept + 100, 101), 100);
	assert_int_equal(total_with(kept, kept, 100), 1);
	assert_int_equal(total_with(64, 64, 100), 1);
	/* It takes as many as it may have. */
	assert_int_equal(total_with(64, kept + 100, 101), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_address_has_its_limit, up,
						down),
		cmocka_unit_test_setup_teardown(all_have_theirs, up, down),
		cmocka_unit_test_setup_teardown(
			a_flood_of_one_address_is_its_own_affair, up, down),
		cmocka_unit_test_setup_teardown(an_ipv6_customer_is_a_64, up,
						down),
		cmocka_unit_test_setup_teardown(
			one_too_many_in_all_is_not_counted, up, down),
		cmocka_unit_test_setup_teardown(
			who_was_told_so_gives_his_place_to_others, up, down),
		cmocka_unit_test_setup_teardown(descriptors_are_enough, up,
						down),
	};

	return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}
