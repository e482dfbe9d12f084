/*
 * test/unit/server/test_desk.c - server/jobs/desk: what changes between a
 * check's look at the tokens and its telling of them, what one that is cut
 * short leaves, and what of a day is whose.
 */
#include "test/unit/store/fixture.h"

#include "server/jobs/desk.h"
#include "token/date.h"

enum { HOUR = 3600, TODAY = NOW / DAY * DAY + DAY };

struct scene {
	struct fixture f;
	struct config config;
	struct desk desk;
	/* Once, before the first owner is told: */
	void (*meanwhile)(struct db *db);
	bool stop;
};

static bool go_on(void *arg)
{
	struct scene *s = arg;
	void (*meanwhile)(struct db * db) = s->meanwhile;

	s->meanwhile = NULL;
	if (meanwhile)
		meanwhile(s->f.db);
	return !s->stop;
}

static void scene_open(struct scene *s)
{
	*s = (struct scene) { .config.mail.url = "smtp://localhost" };
	fixture_open(&s->f);
	s->desk = (struct desk) {
		.db = s->f.db, .config = &s->config, .go_on = go_on, .arg = s
	};
	add_user(s->f.db, "alice", 0);
}

static uint64_t dying(struct db *db, const char *user, int64_t dies)
{
	static unsigned count;
	char secret[16];

	snprintf(secret, sizeof(secret), "s%u", ++count);
	return add_token(db, user, secret, PAT_API, dies);
}

static struct job_state state_of(struct db *db, enum job job)
{
	AUTO(txn) struct txn txn;
	struct job_state state;

	txn_read(db, &txn);
	assert_int_equal(job_get(&txn, job, &state), E_OK);
	state.failure = (struct str) { 0 };
	return state;
}

static uint64_t queued(struct db *db)
{
	AUTO(txn) struct txn txn;

	txn_read(db, &txn);
	return txn_count(&txn, TABLE_MAILBOX);
}

static void set_limit(struct db *db, const char *days, int64_t now)
{
	done(db, (struct change) { .type = CHANGE_SETTING_PUT,
				   .now = now,
				   .text = STR("max_token_lifetime"),
				   .value = str_of(days) });
}

static void revoke_first(struct db *db)
{
	done(db, (struct change) { .type = CHANGE_TOKEN_REVOKE, .id = 1 });
}

static void revoked_meanwhile_is_not_told(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	dying(s.f.db, "alice", TODAY + 5 * DAY);
	s.meanwhile = revoke_first;
	assert_int_equal(desk_run_due(&s.desk, TODAY + HOUR, NULL), E_OK);
	assert_int_equal(state_of(s.f.db, JOB_EXPIRING).ran_at, TODAY + HOUR);
	assert_int_equal(state_of(s.f.db, JOB_EXPIRING).found, 0);
	assert_int_equal(queued(s.f.db), 0);
	fixture_close(&s.f);
}

static void clear_limit(struct db *db)
{
	set_limit(db, "none", NOW + 3 * HOUR);
}

static void widen_limit(struct db *db)
{
	set_limit(db, "31", NOW + 3 * HOUR);
}

/* Each has three hours of its own. */
static void a_limit_that_changed_meanwhile_revokes_nothing(void **state)
{
	void (*const changes[])(struct db *) = { clear_limit, widen_limit };

	(void)state;
	for (size_t i = 0; i < COUNT(changes); i++) {
		struct scene s;
		uint64_t id;

		scene_open(&s);
		id = dying(s.f.db, "alice", 0);
		set_limit(s.f.db, "30", NOW);
		s.meanwhile = changes[i];
		assert_int_equal(desk_run_due(&s.desk, NOW + 3 * HOUR, NULL),
				 E_OK);
		assert_null(s.meanwhile);
		assert_false(is_revoked(s.f.db, id));
		assert_int_equal(queued(s.f.db), 0);
		assert_int_equal(state_of(s.f.db, JOB_LIFETIME).ran_at, 0);
		fixture_close(&s.f);
	}
}

/* Once for each limit, and what it found stays to be seen. */
static void a_limit_is_enforced_once(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	dying(s.f.db, "alice", 0);
	set_limit(s.f.db, "30", NOW);
	assert_int_equal(desk_run_due(&s.desk, NOW + 3 * HOUR - 1, NULL), E_OK);
	assert_int_equal(state_of(s.f.db, JOB_LIFETIME).ran_at, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			desk_run_due(&s.desk, NOW + 3 * HOUR + i, NULL), E_OK);
		assert_int_equal(state_of(s.f.db, JOB_LIFETIME).ran_at,
				 NOW + 3 * HOUR);
		assert_int_equal(state_of(s.f.db, JOB_LIFETIME).found, 1);
	}
	dying(s.f.db, "alice", NOW + 20 * DAY);
	set_limit(s.f.db, "10", NOW + 4 * HOUR);
	assert_int_equal(desk_run_due(&s.desk, NOW + 7 * HOUR, NULL), E_OK);
	assert_int_equal(state_of(s.f.db, JOB_LIFETIME).ran_at, NOW + 7 * HOUR);
	fixture_close(&s.f);
}

/* It counts as not made, and is made again; nobody is told twice. */
static void cut_short_is_not_done(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	dying(s.f.db, "alice", TODAY + 5 * DAY);
	s.stop = true;
	assert_int_equal(desk_run_due(&s.desk, TODAY + HOUR, NULL), E_BUSY);
	assert_int_equal(state_of(s.f.db, JOB_EXPIRING).ran_at, 0);
	assert_int_equal(queued(s.f.db), 0);
	s.stop = false;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(desk_run_due(&s.desk, TODAY + HOUR + i, NULL),
				 E_OK);
		assert_int_equal(state_of(s.f.db, JOB_EXPIRING).ran_at,
				 TODAY + HOUR);
		assert_int_equal(queued(s.f.db), 1);
	}
	fixture_close(&s.f);
}

/* More owners than one transaction takes. */
static void many_owners(void **state)
{
	enum { OWNERS = 150 };
	struct check_result result;
	struct scene s;

	(void)state;
	scene_open(&s);
	for (int i = 0; i < OWNERS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "user%d", i);
		add_user(s.f.db, name, 0);
		dying(s.f.db, name, TODAY + 5 * DAY);
	}
	assert_int_equal(
		desk_run(&s.desk, JOB_EXPIRING, TODAY, TODAY + HOUR, &result),
		E_OK);
	assert_int_equal(result.found, OWNERS);
	assert_int_equal(result.queued, OWNERS);
	assert_int_equal(queued(s.f.db), OWNERS);
	fixture_close(&s.f);
}

/* What a person asks for is no reason to leave out the day's own. */
static void by_hand_leaves_the_marker(void **state)
{
	struct check_result result;
	struct scene s;
	int64_t marker;

	(void)state;
	scene_open(&s);
	assert_int_equal(desk_run_due(&s.desk, TODAY + 2 * HOUR, NULL), E_OK);
	marker = state_of(s.f.db, JOB_EXPIRING).marker;
	assert_int_equal(marker, TODAY);
	assert_int_equal(desk_run(&s.desk, JOB_EXPIRING, TODAY - 9 * DAY,
				  TODAY + 3 * HOUR, &result),
			 E_OK);
	assert_int_equal(state_of(s.f.db, JOB_EXPIRING).marker, TODAY);
	assert_int_equal(state_of(s.f.db, JOB_EXPIRING).ran_at,
			 TODAY + 3 * HOUR);
	fixture_close(&s.f);
}

/* Three days were missed; at 00:30 the fourth still has its hour. */
static void what_dies_today_is_told_at_its_hour(void **state)
{
	const int64_t day = TODAY + 3 * DAY;
	struct scene s;

	(void)state;
	scene_open(&s);
	dying(s.f.db, "alice", day - DAY);
	dying(s.f.db, "alice", day);
	assert_int_equal(desk_run_due(&s.desk, day + HOUR / 2, NULL), E_OK);
	assert_int_equal(state_of(s.f.db, JOB_EXPIRED).found, 1);
	assert_int_equal(state_of(s.f.db, JOB_EXPIRED).marker, day - DAY);
	assert_int_equal(desk_run_due(&s.desk, day + 2 * HOUR, NULL), E_OK);
	assert_int_equal(state_of(s.f.db, JOB_EXPIRED).found, 1);
	assert_int_equal(queued(s.f.db), 2);
	fixture_close(&s.f);
}

static void block(struct db *db, uint64_t on)
{
	done(db, (struct change) { .type = CHANGE_USER_FLAG,
				   .user = STR("alice"),
				   .flags = USER_BLOCKED,
				   .on = on });
}

/* job run expired --date: of an owner who could not be told then. */
static void a_day_that_has_been_by_hand(void **state)
{
	const int64_t day = TODAY + 3 * DAY;
	struct check_result result;
	struct scene s;

	(void)state;
	scene_open(&s);
	dying(s.f.db, "alice", day);
	dying(s.f.db, "alice", day - DAY);
	block(s.f.db, 1);
	for (int n = 0; n < 3; n++)
		assert_int_equal(
			desk_run_due(&s.desk, day + n * DAY + 2 * HOUR, NULL),
			E_OK);
	block(s.f.db, 0);
	assert_int_equal(desk_run(&s.desk, JOB_EXPIRED, day,
				  day + 2 * DAY + 3 * HOUR, &result),
			 E_OK);
	assert_int_equal(result.found, 1);
	assert_int_equal(result.queued, 1);
	fixture_close(&s.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(revoked_meanwhile_is_not_told),
		cmocka_unit_test(
			a_limit_that_changed_meanwhile_revokes_nothing),
		cmocka_unit_test(a_limit_is_enforced_once),
		cmocka_unit_test(cut_short_is_not_done),
		cmocka_unit_test(many_owners),
		cmocka_unit_test(by_hand_leaves_the_marker),
		cmocka_unit_test(what_dies_today_is_told_at_its_hour),
		cmocka_unit_test(a_day_that_has_been_by_hand),
	};

	return cmocka_run_group_tests_name("desk", tests, NULL, NULL);
}
