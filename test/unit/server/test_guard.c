/*
 * test/unit/server/test_guard.c - server/guard: what is counted, for how long,
 * and what comes of it. The clock is a number.
 */
#include "test/unit/check.h"

#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/guard.h"

/* It holds a lock of its own over each atomic write. */
#if defined(__SANITIZE_THREAD__)
#define THREADS_ARE_CHECKED true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREADS_ARE_CHECKED true
#endif
#endif
#ifndef THREADS_ARE_CHECKED
#define THREADS_ARE_CHECKED false
#endif

enum { FEW = 5, MORE = 12, SECONDS = 100, STEP = SECONDS * 1000 / FEW };

static struct guard *guard;
static struct guard_rules rules;
static int64_t now;
static unsigned secrets; /* that have been tried: each is another one */

static int up(void **state)
{
	(void)state;
	assert_int_equal(guard_new(&guard), E_OK);
	rules = (struct guard_rules) { .failures = FEW,
				       .failures_per_user = MORE,
				       .seconds = SECONDS };
	now = 1000 * 1000;
	return 0;
}

static int down(void **state)
{
	(void)state;
	guard_free(guard);
	return 0;
}

static struct guard_try from(const char *address)
{
	static _Thread_local char secret[32];

	snprintf(secret, sizeof(secret), "wrong-%u", secrets++);
	return (struct guard_try) {
		.rules = &rules,
		.now = now,
		.address = str_of(address),
		.direct = true,
		.user = STR("alice"),
		.secret = str_of(secret),
	};
}

static unsigned token(const char *address)
{
	const struct guard_try try = from(address);

	return guard_token(guard, &try);
}

/* A wrong password; the seconds to wait if it is not looked at. */
static unsigned password(const char *address, const char *user)
{
	struct guard_try try = from(address);
	unsigned wait;

	try.user = str_of(user);
	wait = guard_password(guard, &try);
	if (!wait)
		guard_wrong(guard, &try);
	return wait;
}

static void fill(const char *address)
{
	for (int i = 0; i < FEW; i++)
		assert_int_equal(token(address), 0);
}

static void late_and_later_but_never_over_5_s(void **state)
{
	(void)state;
	fill("192.0.2.1");
	for (unsigned i = 1; i < 100; i++)
		assert_int_equal(token("192.0.2.1"),
				 i * GUARD_STEP_MS < GUARD_LATE_MS
					 ? i * GUARD_STEP_MS
					 : GUARD_LATE_MS);
	assert_int_equal(token("192.0.2.2"), 0);
}

static void it_is_forgotten_evenly(void **state)
{
	(void)state;
	fill("192.0.2.1");
	assert_int_equal(password("192.0.2.1", "x"), SECONDS / FEW);
	now += STEP - 1;
	assert_int_equal(password("192.0.2.1", "x"), 1);
	now += 1;
	assert_int_equal(password("192.0.2.1", "x"), 0);
	assert_int_equal(password("192.0.2.1", "x"), SECONDS / FEW);
	now += SECONDS * 1000;
	fill("192.0.2.1");
	assert_int_equal(token("192.0.2.1"), GUARD_STEP_MS);
}

/* However long it goes on, it ends soon after the last try. */
static void a_year_of_failures_is_no_year_of_waiting(void **state)
{
	(void)state;
	for (int i = 0; i < 100000; i++)
		token("192.0.2.1");
	assert_true(password("192.0.2.1", "x") <= 3 * SECONDS);
	now += 3 * SECONDS * 1000;
	assert_int_equal(password("192.0.2.1", "x"), 0);
}

/* What is refused unseen is not counted: who waits as told gets in. */
static void refusals_are_not_counted(void **state)
{
	unsigned wait = 0;

	(void)state;
	fill("192.0.2.1");
	for (int i = 0; i < 1000; i++)
		wait = password("192.0.2.1", "x");
	now += (int64_t)wait * 1000;
	assert_int_equal(password("192.0.2.1", "x"), 0);
}

/* address, another one; do they share a count? */
static const struct {
	const char *one, *two;
	bool same;
} networks[] = {
	{ "192.0.2.1", "192.0.2.1", true },
	{ "192.0.2.1", "192.0.2.2", false },
	{ "192.0.2.1", "::ffff:192.0.2.1", true },
	{ "2001:db8::1", "2001:db8::ffff:2", true },
	{ "2001:db8::1", "2001:db8:0:1::1", false },
	{ "fe80::1%eth0", "fe80::2%eth1", true },
	{ "fe80::1%eth0", "fe80:0:0:1::1%eth0", false },
	{ "", "nonsense", true },
	{ "", "192.0.2.1", false },
};

static void networks_are_told_apart(void **state)
{
	for (size_t i = 0; i < COUNT(networks); i++) {
		print_message("%s and %s\n", networks[i].one, networks[i].two);
		down(state);
		up(state);
		fill(networks[i].one);
		assert_int_equal(token(networks[i].two) > 0, networks[i].same);
	}
}

static void some_are_not_counted(void **state)
{
	static const char *const free[] = { "127.0.0.1", "::1",
					    "::ffff:127.0.0.1", "10.9.9.9",
					    "2001:db8::1" };

	(void)state;
	assert_int_equal(networks_read(STR("10.0.0.0/8,2001:db8::/32"),
				       &rules.exempt, NULL),
			 E_OK);
	for (size_t i = 0; i < 100; i++) {
		const char *address = free[i % COUNT(free)];

		assert_int_equal(token(address), 0);
		assert_int_equal(password(address, "alice"), 0);
	}
	/* Nor is the name: others may still try it. */
	assert_int_equal(password("192.0.2.1", "alice"), 0);
}

static void a_full_name_does_not_bind_the_exempt(void **state)
{
	(void)state;
	rules.failures = 1000;
	while (!password("192.0.2.1", "alice"))
		;
	assert_true(password("192.0.2.2", "alice") > 0);
	assert_int_equal(password("127.0.0.1", "alice"), 0);
}

static void no_other_is_exempt(void **state)
{
	(void)state;
	fill("127.0.0.2");
	assert_true(token("127.0.0.2") > 0);
	fill("::2");
	assert_true(token("::2") > 0);
}

static void what_cannot_be_read_is_in_no_network(void **state)
{
	(void)state;
	assert_int_equal(networks_read(STR("::/0"), &rules.exempt, NULL), E_OK);
	fill("nonsense");
	assert_int_equal(token("nonsense"), GUARD_STEP_MS);
}

/* A proxy's own address stands for whomever it hides. */
static void nobody_hides_behind_an_exempt_proxy(void **state)
{
	unsigned late = 0;

	(void)state;
	for (int i = 0; i <= FEW; i++) {
		struct guard_try try = from("127.0.0.1");

		try.unsure = true;
		late = guard_token(guard, &try);
	}
	assert_int_equal(late, GUARD_STEP_MS);
}

/* Nor is he here of whom a proxy says so; what is named stays exempt. */
static void nobody_is_here_by_a_proxy(void **state)
{
	static const struct {
		const char *address;
		unsigned late;
	} cases[] = { { "127.0.0.1", GUARD_STEP_MS },
		      { "::1", GUARD_STEP_MS },
		      { "10.0.0.1", 0 } };

	(void)state;
	assert_int_equal(networks_read(STR("10.0.0.0/8"), &rules.exempt, NULL),
			 E_OK);
	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned late = 0;

		for (int n = 0; n <= FEW; n++) {
			struct guard_try try = from(cases[i].address);

			try.direct = false;
			late = guard_token(guard, &try);
		}
		assert_int_equal(late, cases[i].late);
	}
}

static void a_name_is_counted_from_anywhere(void **state)
{
	char address[32];
	unsigned wait = 0;
	int n = 0;

	(void)state;
	for (; !wait && n < 1000; n++) {
		snprintf(address, sizeof(address), "192.0.2.%d", n);
		wait = password(address, n % 2 ? "alice" : "ALICE");
	}
	assert_int_equal(n - 1, MORE);
	assert_int_equal(wait, (SECONDS + MORE - 1) / MORE);
	/* Another name, and tokens, are as before. */
	assert_int_equal(password("198.51.100.1", "bob"), 0);
	assert_int_equal(token("198.51.100.1"), 0);
}

static void one_network_alone_fills_no_name(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++)
		password("192.0.2.1", "alice");
	assert_int_equal(password("198.51.100.1", "alice"), 0);
}

static void right_passwords_are_not_counted(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct guard_try try = from("192.0.2.1");

		assert_int_equal(guard_password(guard, &try), 0);
		guard_right(guard, &try);
	}
	/* Nor do they take away what is: an account of one's own is no key. */
	for (int i = 0; i < FEW; i++) {
		struct guard_try try = from("192.0.2.1");

		assert_int_equal(password("192.0.2.1", "bob"), 0);
		if (guard_password(guard, &try) == 0)
			guard_right(guard, &try);
	}
	assert_true(password("192.0.2.1", "bob") > 0);
}

/* How many of FEW are left after a try. */
static int left(void)
{
	int n = 0;

	while (!token("192.0.2.1"))
		n++;
	return n;
}

/* A reload while it is looked at: what was counted goes, no more, no less. */
static void by_what_it_was_counted_it_is_taken_back(void **state)
{
	for (unsigned then = 1; then <= 4 * FEW; then += FEW) {
		struct guard_try try;

		down(state);
		up(state);
		assert_int_equal(password("192.0.2.1", "bob"), 0);
		try = from("192.0.2.1");
		assert_int_equal(guard_password(guard, &try), 0);
		rules.failures = rules.failures_per_user = then;
		guard_right(guard, &try);
		rules.failures = FEW;
		assert_int_equal(left(), FEW - 1);
	}
}

/* A reload: who was shut out for a day is so no longer than a minute's rules
 * would have had it, whether or not anybody looks meanwhile. */
static void a_shorter_time_frees_whom_a_longer_one_shut_out(void **state)
{
	for (int64_t later = 0; later < 50 * 1000; later += 24 * 1000) {
		unsigned wait;

		down(state);
		up(state);
		rules.seconds = 86400;
		for (int i = 0; i < 100; i++)
			token("192.0.2.1");
		while (!password("192.0.2.2", "alice"))
			;
		rules.seconds = 60;
		rules.failures = rules.failures_per_user = 20;
		now += later;
		assert_int_equal(token("192.0.2.1"), GUARD_LATE_MS);
		wait = password("192.0.2.1", "alice");
		assert_in_range(wait, 30, 60 / 2 + 3);
		now += (int64_t)wait * 1000;
		assert_int_equal(password("192.0.2.1", "alice"), 0);
	}
}

static void those_looked_at_now_are_counted(void **state)
{
	struct guard_try tries[FEW], more;

	(void)state;
	for (int i = 0; i < FEW; i++) {
		tries[i] = from("192.0.2.1");
		assert_int_equal(guard_password(guard, &tries[i]), 0);
	}
	more = from("192.0.2.1");
	assert_true(guard_password(guard, &more) > 0);
	guard_right(guard, &tries[0]);
	assert_int_equal(guard_password(guard, &more), 0);
}

static struct {
	char *at; /* the pages that the guard alone has */
	size_t len;
	struct guard_try other;
	unsigned met, wait;
} meeting;

static void allow_writing(bool yes)
{
	assert_int_equal(mprotect(meeting.at, meeting.len,
				  yes ? PROT_READ | PROT_WRITE : PROT_READ),
			 0);
}

static void on_write(int number)
{
	(void)number;
	allow_writing(true);
	meeting.met++;
	meeting.wait = guard_password(guard, &meeting.other);
}

/* guard_password(), and another's as it has seen room and goes to count. */
static unsigned overtaken(struct guard_try *try)
{
	const struct sigaction action = { .sa_handler = on_write };
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = ((uintptr_t)guard + page - 1) & ~(page - 1);
	uintptr_t to =
		((uintptr_t)guard + malloc_usable_size(guard)) & ~(page - 1);
	struct sigaction before;
	unsigned wait;

	meeting.at = (char *)guard + (from - (uintptr_t)guard);
	meeting.len = to - from;
	meeting.met = 0;
	assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
	allow_writing(false);
	wait = guard_password(guard, try);
	allow_writing(true);
	assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
	assert_int_equal(meeting.met, 1);
	return wait;
}

/* Of two that have seen the last place one gets it, and takes no other. */
static void two_for_the_last_place(void **state)
{
	struct guard_try try;

	(void)state;
	if (THREADS_ARE_CHECKED) {
		print_message("a write that is cut in two is none for it\n");
		skip();
	}
	for (int i = 0; i < FEW - 1; i++)
		assert_int_equal(password("192.0.2.1", "alice"), 0);
	meeting.other = from("192.0.2.1");
	try = from("192.0.2.1");
	assert_true(overtaken(&try) > 0);
	assert_int_equal(meeting.wait, 0);
	assert_int_equal(try.counted.steps[0], 0);
	assert_int_not_equal(meeting.other.counted.steps[0], 0);
	now += STEP;
	assert_int_equal(left(), 1);
}

/* The methods of two tries with one secret, ms between; is it one failure? */
static const struct {
	const char *rule;
	bool first_post, second_post;
	int64_t ms;
	bool one;
} pairs[] = {
	{ "containerd: POST, then GET", true, false, 5000, true },
	{ "BuildKit's daemon: GET, then POST", false, true, 5000, true },
	{ "POST twice", true, true, 5000, false },
	{ "GET twice", false, false, 5000, false },
	{ "just in time", true, false, GUARD_TWICE_MS, true },
	{ "too late", true, false, GUARD_TWICE_MS + 1000, false },
	{ "nine hours later", true, false, 32768 * 1000, false },
};

static void try_pair(bool tokens, bool one_post, bool two_post, int64_t ms,
		     const char *other_secret, const char *other_user)
{
	struct guard_try try = from("192.0.2.1");

	for (int i = 0; i < 2; i++) {
		try.post = i ? two_post : one_post;
		if (i && other_secret)
			try.secret = str_of(other_secret);
		if (i && other_user)
			try.user = str_of(other_user);
		if (tokens) {
			assert_int_equal(guard_token(guard, &try), 0);
		} else {
			assert_int_equal(guard_password(guard, &try), 0);
			guard_wrong(guard, &try);
		}
		now = try.now += i ? 0 : ms;
	}
}

static void a_pair_is_one_failure(void **state)
{
	for (int tokens = 0; tokens < 2; tokens++) {
		for (size_t i = 0; i < COUNT(pairs); i++) {
			print_message("%s\n", pairs[i].rule);
			down(state);
			up(state);
			/* Nothing is forgotten meanwhile. */
			rules.seconds = 1000 * 1000;
			try_pair(tokens, pairs[i].first_post,
				 pairs[i].second_post, pairs[i].ms, NULL, NULL);
			assert_int_equal(left(), FEW - (pairs[i].one ? 1 : 2));
		}
	}
}

static void another_secret_or_name_is_no_pair(void **state)
{
	(void)state;
	try_pair(false, true, false, 0, "another", NULL);
	try_pair(false, true, false, 0, NULL, "clara");
	assert_int_equal(left(), FEW - 4);
}

/* Elsewhere it is another's failure. */
static void a_pair_is_of_one_address(void **state)
{
	struct guard_try try = from("192.0.2.2");

	(void)state;
	try.post = true;
	assert_int_equal(guard_token(guard, &try), 0);
	try.post = false;
	try.address = STR("192.0.2.1");
	assert_int_equal(guard_token(guard, &try), 0);
	assert_int_equal(left(), FEW - 1);
}

/* What was not counted is not taken back. */
static void the_second_of_a_pair_that_nobody_could_look_at(void **state)
{
	struct guard_try try = from("192.0.2.1");

	(void)state;
	try.post = true;
	assert_int_equal(guard_password(guard, &try), 0);
	assert_int_equal(guard_wrong(guard, &try), 0);
	try.post = false;
	assert_int_equal(guard_password(guard, &try), 0);
	assert_int_equal(try.counted.steps[0], 0);
	guard_right(guard, &try);
	assert_int_equal(left(), FEW - 1);
}

/* Of passwords, too: the third is not half of another pair. */
static void a_pair_of_passwords_has_two(void **state)
{
	struct guard_try try = from("192.0.2.1");

	(void)state;
	for (int i = 0; i < 2 * FEW; i++) {
		try.post = i % 2 == 0;
		assert_int_equal(guard_password(guard, &try), 0);
		assert_int_equal(guard_wrong(guard, &try), 0);
	}
	try.post = true;
	assert_int_equal(guard_password(guard, &try), SECONDS / FEW);
}

/* Nor can a name be made of a part of the secret. */
static void name_and_secret_are_two(void **state)
{
	struct guard_try try = from("192.0.2.1");

	(void)state;
	try.user = STR("alice");
	try.secret = STR("wrong");
	try.post = true;
	assert_int_equal(guard_token(guard, &try), 0);
	try.user = STR("alicew");
	try.secret = STR("rong");
	try.post = false;
	assert_int_equal(guard_token(guard, &try), 0);
	assert_int_equal(left(), FEW - 2);
}

/* However many there are, each is itself: none is half of a pair. */
static void no_secret_is_taken_for_another(void **state)
{
	enum { MANY = 20000 };

	(void)state;
	rules.failures = MANY;
	rules.seconds = 10 * MANY;
	for (int i = 0; i <= MANY; i++) {
		struct guard_try try = from("192.0.2.1");

		try.post = i % 2;
		assert_int_equal(guard_token(guard, &try),
				 i < MANY ? 0 : GUARD_STEP_MS);
	}
}

/* The second of a pair frees nothing for a third. */
static void a_pair_has_two(void **state)
{
	struct guard_try try = from("192.0.2.1");

	(void)state;
	for (int i = 0; i < 2 * FEW; i++) {
		try.post = i % 2 == 0;
		assert_int_equal(guard_token(guard, &try), 0);
	}
	assert_int_equal(token("192.0.2.1"), GUARD_STEP_MS);
}

/* The last that is looked at may be a pair, too. */
static void the_second_is_looked_at_when_the_first_was(void **state)
{
	struct guard_try try;

	(void)state;
	for (int i = 1; i < FEW; i++)
		assert_int_equal(token("192.0.2.1"), 0);
	try = from("192.0.2.1");
	try.post = true;
	assert_int_equal(guard_password(guard, &try), 0);
	assert_int_equal(guard_wrong(guard, &try), 0);
	try.post = false;
	assert_int_equal(guard_password(guard, &try), 0);
	assert_int_equal(guard_wrong(guard, &try), 0);
	assert_true(guard_password(guard, &try) > 0);
}

static void six(char out[64], unsigned long n)
{
	/* Scattered over 2001:db8::/32. */
	snprintf(out, 64, "2001:db8:%lx:%lx::1", n * 40503 % 65536,
		 n / 65536 + n % 7);
}

/*
 * Who owns a /32 tries from everywhere in it: he is slowed down as one, his
 * first network is not forgotten, and others are where they were.
 */
static void an_owner_of_many_networks(void **state)
{
	char address[64];
	int at_once = 0;

	(void)state;
	fill("2001:db8:1:1::1");
	for (unsigned long i = 0; i < 300000; i++) {
		six(address, i);
		at_once += token(address) == 0;
	}
	assert_in_range(at_once, FEW, 64 * FEW);
	assert_true(token("2001:db8:1:1::1") > 0);
	for (int i = 0; i < 1000; i++) {
		snprintf(address, sizeof(address), "198.51.%d.%d", i / 250,
			 i % 250);
		assert_int_equal(password(address, "bob") > 0, i >= MORE);
	}
	snprintf(address, sizeof(address), "2001:db9::1");
	assert_int_equal(token(address), 0);
}

/* One customer has a /48: he fills his, not the /32 that he shares. */
static void a_48_is_not_the_32(void **state)
{
	char address[64];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		snprintf(address, sizeof(address), "2001:db8:1:%x::1", i);
		token(address);
	}
	assert_true(token("2001:db8:1:ffff::1") > 0);
	assert_int_equal(token("2001:db8:2:1::1"), 0);
}

/* To the last failure: the last of each counts for all of them. */
static void eight_full_networks_fill_the_48_they_share(void **state)
{
	char address[64];

	(void)state;
	for (int i = 0; i < 8; i++) {
		snprintf(address, sizeof(address), "2001:db8:1:%d::1", i);
		fill(address);
	}
	assert_int_equal(token("2001:db8:1:8::1"), GUARD_STEP_MS);
	assert_int_equal(token("2001:db8:2:8::1"), 0);
}

/* More than one a millisecond is one a millisecond. */
static void no_limit_is_too_high_to_count(void **state)
{
	unsigned late = 0;

	(void)state;
	rules.failures = 1000 * 1000;
	rules.seconds = 1;
	for (int i = 0; i <= 1000; i++)
		late += token("192.0.2.1");
	assert_int_equal(late, GUARD_STEP_MS);
}

enum { CROWD = 8000, GUESTS = 1000 };

/* Which of the guests, who never came before, share all cells with others? */
static void see_guests(bool refused[GUESTS])
{
	char address[32];

	for (int i = 0; i < CROWD * FEW; i++) {
		snprintf(address, sizeof(address), "10.%d.%d.1",
			 i % CROWD / 250, i % 250);
		token(address);
	}
	for (int i = 0; i < GUESTS; i++) {
		snprintf(address, sizeof(address), "192.0.%d.%d", i / 250,
			 i % 250);
		refused[i] = token(address) > 0;
	}
}

/* Who learns whose cells are his own learns it of one process alone. */
static void nobody_knows_whose_cells_he_shares(void **state)
{
	bool here[GUESTS], there[GUESTS];
	int one = 0, both = 0;

	see_guests(here);
	down(state);
	up(state);
	see_guests(there);
	for (int i = 0; i < GUESTS; i++) {
		one += here[i];
		both += here[i] && there[i];
	}
	assert_in_range(one, 4, 200);
	assert_true(2 * both < one);
}

/* In a quarter of the cells: who comes then is still let in. */
static void many_networks_and_one_more(void **state)
{
	char address[64];
	int refused = 0;

	(void)state;
	for (int i = 0; i < 4000 * FEW; i++) {
		snprintf(address, sizeof(address), "10.%d.%d.%d",
			 i % 4000 / 250, i % 250, 1);
		token(address);
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(address, sizeof(address), "192.0.%d.%d", i / 250,
			 i % 250);
		refused += token(address) > 0;
	}
	assert_in_range(refused, 0, 30);
}

enum { THREADS = 4, TRIES = 2000 };

static void *hammer(void *arg)
{
	int *looked_at = arg;

	for (int i = 0; i < TRIES; i++) {
		char secret[32];
		struct guard_try try = {
			.rules = &rules,
			.now = now,
			.address = STR("192.0.2.1"),
			.user = STR("alice"),
		};

		snprintf(secret, sizeof(secret), "%p-%d", arg, i);
		try.secret = str_of(secret);
		if (guard_password(guard, &try))
			continue;
		++*looked_at;
		if (i % 2)
			guard_wrong(guard, &try);
		else
			guard_right(guard, &try);
	}
	return NULL;
}

/* At no moment have more than FEW wrong ones been looked at. */
static void threads_together_get_no_more(void **state)
{
	pthread_t threads[THREADS];
	int looked_at[THREADS] = { 0 };

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer,
						&looked_at[i]),
				 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_true(looked_at[0] + looked_at[1] + looked_at[2] + looked_at[3] >=
		    FEW);
	assert_int_equal(left(), 0);
	assert_int_equal(token("192.0.2.1"), 2 * GUARD_STEP_MS);
}

enum { ROUNDS = 5000 };

static _Atomic unsigned arrived;
static _Atomic int inside, most_inside;

/* Both go on at the same moment, as near as can be. */
static void meet(unsigned *meetings)
{
	unsigned all = 2 * ++*meetings;

	arrived++;
	for (unsigned spins = 0; arrived < all; spins++)
		if (spins > 10000)
			sched_yield();
}

static void *look(void *arg)
{
	unsigned meetings = 0;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct guard_try try = {
			.rules = &rules,
			.now = now,
			.address = STR("192.0.2.1"),
			.user = STR("alice"),
			.secret = STR("right"),
		};
		bool in;

		meet(&meetings);
		in = !guard_password(guard, &try);
		inside += in;
		meet(&meetings);
		if (inside > most_inside)
			most_inside = inside;
		meet(&meetings);
		inside -= in;
		guard_right(guard, &try);
	}
	return NULL;
}

/* There is room for one: never are two looked at, whoever saw the room. */
static void two_at_once_have_room_for_one(void **state)
{
	pthread_t threads[2];

	(void)state;
	arrived = 0;
	inside = most_inside = 0;
	for (int i = 0; i < FEW - 1; i++)
		assert_int_equal(token("192.0.2.1"), 0);
	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look, NULL),
				 0);
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(most_inside, 1);
	assert_int_equal(left(), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(late_and_later_but_never_over_5_s),
		TEST(it_is_forgotten_evenly),
		TEST(a_year_of_failures_is_no_year_of_waiting),
		TEST(refusals_are_not_counted),
		TEST(networks_are_told_apart),
		TEST(some_are_not_counted),
		TEST(a_full_name_does_not_bind_the_exempt),
		TEST(no_other_is_exempt),
		TEST(what_cannot_be_read_is_in_no_network),
		TEST(nobody_hides_behind_an_exempt_proxy),
		TEST(nobody_is_here_by_a_proxy),
		TEST(a_name_is_counted_from_anywhere),
		TEST(one_network_alone_fills_no_name),
		TEST(right_passwords_are_not_counted),
		TEST(those_looked_at_now_are_counted),
		TEST(two_for_the_last_place),
		TEST(by_what_it_was_counted_it_is_taken_back),
		TEST(a_shorter_time_frees_whom_a_longer_one_shut_out),
		TEST(a_pair_is_one_failure),
		TEST(another_secret_or_name_is_no_pair),
		TEST(a_pair_is_of_one_address),
		TEST(the_second_of_a_pair_that_nobody_could_look_at),
		TEST(no_secret_is_taken_for_another),
		TEST(a_pair_has_two),
		TEST(a_pair_of_passwords_has_two),
		TEST(name_and_secret_are_two),
		TEST(the_second_is_looked_at_when_the_first_was),
		TEST(an_owner_of_many_networks),
		TEST(a_48_is_not_the_32),
		TEST(eight_full_networks_fill_the_48_they_share),
		TEST(no_limit_is_too_high_to_count),
		TEST(many_networks_and_one_more),
		TEST(nobody_knows_whose_cells_he_shares),
		TEST(threads_together_get_no_more),
		TEST(two_at_once_have_room_for_one),
	};

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
