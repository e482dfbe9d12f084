/*
 * test/unit/store/test_observed.c - what is observed: last uses, what was told,
 * when checks ran, the queue of notices.
 */
#include "test/unit/store/fixture.h"

#include "store/job.h"
#include "store/mailbox.h"
#include "store/record.h"
#include "store/told.h"
#include "store/used.h"
#include "token/date.h"

enum { MINUTE = 60, HOUR = 60 * MINUTE, TODAY = NOW / DAY * DAY };

/* G132: calls at t, t+9min, t+11min store t, t, t+11min. */
static const struct {
	const char *rule;
	int64_t at, stored;
} uses[] = {
	{ "the first use is written", NOW, NOW },
	{ "G132 nine minutes later it is not", NOW + 9 * MINUTE, NOW },
	{ "nor a second before ten", NOW + 10 * MINUTE - 1, NOW },
	{ "G132 after eleven it is", NOW + 11 * MINUTE, NOW + 11 * MINUTE },
	{ "one that came late is not", NOW + 10 * MINUTE, NOW + 11 * MINUTE },
	{ "ten minutes are enough", NOW + 21 * MINUTE, NOW + 21 * MINUTE },
	{ "a clock that was set back counts", NOW, NOW },
};

static void used_at_most_once_in_ten_minutes(void **state)
{
	char name[USED_CLIENT_MAX + 9];
	struct used used;
	struct fixture f;
	struct txn txn;

	(void)state;
	memset(name, 'x', sizeof(name));
	fixture_open(&f);
	txn_write(f.db, &txn);
	assert_int_equal(used_get(&txn, 9, &used), E_NOT_FOUND);
	for (size_t i = 0; i < COUNT(uses); i++) {
		const struct used use = { uses[i].at, STR("::1"),
					  STR_OF(name) };

		print_message("%s\n", uses[i].rule);
		assert_int_equal(used_note(&txn, 9, &use), uses[i].stored);
		assert_int_equal(used_get(&txn, 9, &used), E_OK);
		assert_int_equal(used.at, uses[i].stored);
	}
	assert_str(used.address, "::1");
	assert_int_equal(used.client.len, USED_CLIENT_MAX);
	txn_cleanup(&txn);
	fixture_close(&f);
}

static void told_falls(void **state)
{
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	assert_int_equal(told_get(&txn, 1, TODAY), TOLD_NOTHING);
	told_put(&txn, 1, 7, TODAY);
	assert_int_equal(told_get(&txn, 1, TODAY), 7);
	told_put(&txn, 1, TOLD_DEATH, TODAY);
	assert_int_equal(told_get(&txn, 1, TODAY + DAY), TOLD_DEATH);
	assert_int_equal(told_get(&txn, 2, TODAY), TOLD_NOTHING);
	txn_cleanup(&txn);
	fixture_close(&f);
}

/* By a clock that was wrong. */
static void told_of_a_day_to_come_is_nothing_told(void **state)
{
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	told_put(&txn, 1, TOLD_DEATH, TODAY + DAY);
	assert_int_equal(told_get(&txn, 1, TODAY), TOLD_NOTHING);
	assert_int_equal(told_get(&txn, 1, TODAY + DAY), TOLD_DEATH);
	txn_cleanup(&txn);
	fixture_close(&f);
}

/* `then`: what becomes of what was queued; is it told in the end? */
static const struct {
	const char *rule, *then;
	bool told;
} ends[] = {
	{ "one has got it", "r", true },
	{ "nobody has", "l", false },
	{ "one has, another has not", "rl", true },
	{ "of another day", "L", true },
	{ "one got that of another day", "Rl", false },
};

static void told_and_lost(void **state)
{
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	for (size_t i = 0; i < COUNT(ends); i++) {
		print_message("%s\n", ends[i].rule);
		told_put(&txn, 1, 7, TODAY);
		for (const char *at = ends[i].then; *at; at++)
			(strchr("rR", *at) ? told_reached : told_lost)(
				&txn, 1, strchr("rl", *at) ? TODAY : 0);
		assert_int_equal(told_get(&txn, 1, TODAY),
				 ends[i].told ? 7u : (unsigned)TOLD_NOTHING);
	}
	txn_cleanup(&txn);
	fixture_close(&f);
}

/* Records of stores that were made before. */
static void older_records_are_read(void **state)
{
	const struct key8 nine = key_u64(9);
	struct pack told = { 0 }, job = { 0 };
	const unsigned char key[] = { JOB_EXPIRED };
	struct job_state was;
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	pack_u8(&told, 1);
	pack_u32(&told, 7);
	txn_put(&txn, TABLE_TOLD, STR_OF(nine.at), pack_str(&told));
	assert_int_equal(told_get(&txn, 9, TODAY), 7);
	pack_u8(&job, 1);
	for (uint64_t n = 1; n <= 6; n++)
		pack_u64(&job, n);
	pack_text(&job, STR("x"));
	txn_put(&txn, TABLE_JOB, STR_OF(key), pack_str(&job));
	assert_int_equal(job_get(&txn, JOB_EXPIRED, &was), E_OK);
	assert_int_equal(was.marker, 1);
	assert_int_equal(was.failed_at, 6);
	assert_int_equal(was.untold, 0);
	txn_cleanup(&txn);
	fixture_close(&f);
}

static const struct {
	const char *rule;
	enum job job;
	int64_t marker, now;
	bool due;
	int64_t done; /* the marker, once it has run next */
} hours[] = {
	{ "before 01:00", JOB_EXPIRING, TODAY - DAY, TODAY + HOUR - 1, false,
	  TODAY },
	{ "at 01:00", JOB_EXPIRING, TODAY - DAY, TODAY + HOUR, true, TODAY },
	{ "G140 not again at 01:00:30", JOB_EXPIRING, TODAY, TODAY + HOUR + 30,
	  false, TODAY + DAY },
	{ "before 02:00", JOB_EXPIRED, TODAY - DAY, TODAY + 2 * HOUR - 1, false,
	  TODAY },
	{ "at 02:00", JOB_EXPIRED, TODAY - DAY, TODAY + 2 * HOUR, true, TODAY },
	{ "at 23:59:59", JOB_EXPIRED, TODAY - DAY, TODAY + DAY - 1, true,
	  TODAY },
	{ "a week was missed", JOB_EXPIRED, TODAY - 7 * DAY, TODAY + 5 * HOUR,
	  true, TODAY },
	{ "yesterday's is caught up after midnight", JOB_EXPIRED,
	  TODAY - 2 * DAY, TODAY, true, TODAY - DAY },
	{ "a clock that went back over 01:00", JOB_EXPIRING, TODAY,
	  TODAY + HOUR - 5, false, TODAY + DAY },
	{ "a marker of another year", JOB_EXPIRING, TODAY + 400 * DAY,
	  TODAY + HOUR, true, TODAY },
};

static bool due(enum job job, const struct job_state *state,
		const struct settings *settings, int64_t now, int64_t *marker)
{
	int64_t next = job_next(job, state, settings, now, marker);

	return next && next <= now;
}

static void once_a_date(void **state)
{
	const struct settings settings = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(hours); i++) {
		const struct job_state job = { .marker = hours[i].marker };
		int64_t marker;

		print_message("%s\n", hours[i].rule);
		assert_int_equal(due(hours[i].job, &job, &settings,
				     hours[i].now, &marker),
				 hours[i].due);
		assert_int_equal(marker, hours[i].done);
	}
}

/* A limit that was set at NOW. */
static const struct {
	const char *rule;
	uint64_t limit;
	int64_t marker, now;
	bool due;
} sweeps[] = {
	{ "a second before three hours", 30, 0, NOW + 3 * HOUR - 1, false },
	{ "three hours", 30, 0, NOW + 3 * HOUR, true },
	{ "the server was down", 30, 0, NOW + 9 * DAY, true },
	{ "it is done", 30, NOW, NOW + 9 * DAY, false },
	{ "another was", 30, NOW - 1, NOW + 3 * HOUR, true },
	{ "no limit", 0, 0, NOW + 3 * HOUR, false },
};

static void three_hours_after_a_limit_is_set(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(sweeps); i++) {
		const struct job_state job = { .marker = sweeps[i].marker };
		struct settings settings = { .max_token_lifetime =
						     sweeps[i].limit };
		int64_t marker;

		settings.set_at[SETTING_max_token_lifetime] = NOW;
		print_message("%s\n", sweeps[i].rule);
		assert_int_equal(due(JOB_LIFETIME, &job, &settings,
				     sweeps[i].now, &marker),
				 sweeps[i].due);
		assert_int_equal(marker, NOW);
	}
}

static void first_day_is_done(void **state)
{
	const struct settings settings = { 0 };
	struct job_state job;
	struct fixture f;
	struct txn txn;
	int64_t marker;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	assert_int_equal(job_get(&txn, JOB_EXPIRED, &job), E_OK);
	assert_int_equal(job.marker, TODAY);
	assert_int_equal(job.ran_at, 0);
	assert_false(due(JOB_EXPIRED, &job, &settings, NOW, &marker));
	assert_true(due(JOB_EXPIRED, &job, &settings, TODAY + DAY + 2 * HOUR,
			&marker));
	job.ran_at = NOW;
	job.failure = STR("x");
	job.untold = 5;
	job_put(&txn, JOB_EXPIRED, &job);
	assert_int_equal(job_get(&txn, JOB_EXPIRED, &job), E_OK);
	assert_int_equal(job.ran_at, NOW);
	assert_str(job.failure, "x");
	assert_int_equal(job.untold, 5);
	assert_int_equal(job_get(&txn, JOB_LIFETIME, &job), E_OK);
	assert_int_equal(job.marker, 0);
	txn_cleanup(&txn);
	fixture_close(&f);
}

static const int64_t delays[] = { 60, 120, 240, 480, 960, 1920, 3600, 3600 };

static void add(struct txn *txn, enum notice_way way, int64_t next_at)
{
	struct notice notice = {
		.next_at = next_at,
		.queued_at = NOW,
		.job = JOB_EXPIRING,
		.way = way,
		.date = TODAY,
		.user = 7,
		.total = 120,
		.len = NOTICE_TOKENS_MAX,
	};

	for (size_t i = 0; i < notice.len; i++)
		notice.tokens[i] = i + 1;
	mailbox_add(txn, &notice);
}

static void claimed_is_tried_later(void **state)
{
	int64_t now = NOW;
	struct notice seen, mine;
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	assert_int_equal(mailbox_due(&txn, NOW, WAY_MAIL, &seen), E_NOT_FOUND);
	add(&txn, WAY_MAIL, NOW);
	assert_int_equal(mailbox_due(&txn, NOW - 1, WAY_MAIL, &seen),
			 E_NOT_FOUND);
	for (size_t i = 0; i < COUNT(delays); i++) {
		assert_int_equal(mailbox_due(&txn, now, WAY_MAIL, &seen), E_OK);
		assert_int_equal(seen.tokens[99], 100);
		assert_false(mailbox_claimed(&seen, seen.next_at));
		assert_int_equal(
			mailbox_get(&txn, seen.id, seen.next_at, &mine), E_OK);
		mailbox_claim(&txn, &mine, now);
		assert_int_equal(mine.tries, i + 1);
		/* Longer than a delivery may take, whatever the delay. */
		assert_true(mine.next_at >= now + delays[i] &&
			    mine.next_at >= now + 12 * 60);
		/* It is another's now. */
		assert_int_equal(
			mailbox_get(&txn, seen.id, seen.next_at, &seen),
			E_NOT_FOUND);
		assert_int_equal(
			mailbox_get(&txn, mine.id, mine.next_at, &seen), E_OK);
		assert_true(mailbox_claimed(&seen, now));
		assert_false(mailbox_claimed(&seen, mine.next_at));
		mailbox_failed(&txn, &mine, now, STR("no route"));
		now += delays[i];
		assert_int_equal(mailbox_due(&txn, now - 1, WAY_MAIL, &seen),
				 E_NOT_FOUND);
		assert_int_equal(mailbox_due(&txn, now, WAY_MAIL, &seen), E_OK);
		assert_str(seen.failure, "no route");
		assert_false(mailbox_claimed(&seen, now - 1));
	}
	mailbox_remove(&txn, &seen);
	assert_int_equal(txn_count(&txn, TABLE_MAILBOX), 0);
	txn_cleanup(&txn);
	fixture_close(&f);
}

static void a_damaged_row_holds_up_nothing(void **state)
{
	const struct key16 first = key_pair(1, 1);
	struct notice seen;
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	txn_put(&txn, TABLE_MAILBOX, STR("\1"), STR("\1x"));
	txn_put(&txn, TABLE_MAILBOX, STR_OF(first.at), STR("\1x"));
	assert_int_equal(mailbox_due(&txn, NOW, WAY_MAIL, &seen), E_NOT_FOUND);
	add(&txn, WAY_MAIL, NOW);
	assert_int_equal(mailbox_due(&txn, NOW, WAY_MAIL, &seen), E_OK);
	assert_int_equal(seen.user, 7);
	txn_cleanup(&txn);
	fixture_close(&f);
}

static void longest_due_first(void **state)
{
	struct notice seen;
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	add(&txn, WAY_MAIL, NOW);
	add(&txn, WAY_HOOK, NOW - 5);
	add(&txn, WAY_MAIL, NOW - 9);
	assert_int_equal(mailbox_due(&txn, NOW, WAY_MAIL | WAY_HOOK, &seen),
			 E_OK);
	assert_int_equal(seen.id, 3);
	assert_int_equal(mailbox_due(&txn, NOW, WAY_HOOK, &seen), E_OK);
	assert_int_equal(seen.id, 2);
	txn_cleanup(&txn);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(used_at_most_once_in_ten_minutes),
		cmocka_unit_test(told_falls),
		cmocka_unit_test(told_of_a_day_to_come_is_nothing_told),
		cmocka_unit_test(told_and_lost),
		cmocka_unit_test(older_records_are_read),
		cmocka_unit_test(three_hours_after_a_limit_is_set),
		cmocka_unit_test(a_damaged_row_holds_up_nothing),
		cmocka_unit_test(once_a_date),
		cmocka_unit_test(first_day_is_done),
		cmocka_unit_test(claimed_is_tried_later),
		cmocka_unit_test(longest_due_first),
	};

	return cmocka_run_group_tests_name("observed", tests, NULL, NULL);
}
