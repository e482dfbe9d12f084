/*
 * test/unit/store/test_check.c - store/expiry: who is told of which tokens, on
 * which day; once.
 */
#include "test/unit/store/fixture.h"

#include "store/expiry.h"
#include "store/told.h"
#include "token/date.h"

/* Midnight; the fixture's store was made on the day before. */
enum { TODAY = NOW / DAY * DAY + DAY, EVERY = WAY_MAIL | WAY_HOOK };

static uint64_t tokens;

static uint64_t add(struct db *db, const char *owner, enum pat_kind kind,
		    int64_t expires_at)
{
	bool space = kind == PAT_PROJECT || kind == PAT_GROUP;
	char hex[20];
	struct change change = {
		.type = CHANGE_TOKEN_ADD,
		.now = NOW - 999 * (int64_t)DAY,
		.kind = kind,
		.text = STR("ci"),
		.scopes = PAT_API,
		.role = space ? ROLE_MAINTAINER : ROLE_NONE,
		.bot = { hex, 4 },
		.expires_at = expires_at,
	};

	snprintf(hex, sizeof(hex), "%04llx", (unsigned long long)++tokens);
	memcpy(change.digest.at, &tokens, sizeof(tokens));
	if (space)
		change.path = str_of(owner);
	else
		change.user = str_of(owner);
	if (!space)
		change.bot = (struct str) { 0 };
	return done(db, change);
}

/* The whole check; what it did is committed. */
static struct check_result check_ways(struct db *db, enum job job, int64_t day,
				      int64_t since, unsigned ways)
{
	struct check check = { .job = job,
			       .day = day,
			       .since = since,
			       .ways = ways,
			       .now = day + 3600,
			       .next_at = day + 3600 };
	struct check_result result = { 0 };
	struct affected_list list;
	struct txn txn;

	txn_write(db, &txn);
	assert_int_equal(settings_read(&txn, &check.settings), E_OK);
	assert_int_equal(expiry_scan(&txn, &check, NULL, NULL, &list), E_OK);
	for (size_t at = 0; at < list.len;) {
		size_t n = affected_group(&list, at);

		assert_int_equal(
			expiry_settle(&txn, &check, list.at + at, n, &result),
			E_OK);
		at += n;
	}
	affected_cleanup(&list);
	assert_int_equal(txn_commit(&txn), E_OK);
	return result;
}

static struct check_result check(struct db *db, enum job job, int64_t day,
				 int64_t since)
{
	return check_ways(db, job, day, since, WAY_MAIL);
}

static void set(struct db *db, const char *name, const char *value, int64_t now)
{
	done(db, (struct change) { .type = CHANGE_SETTING_PUT,
				   .now = now,
				   .text = str_of(name),
				   .value = str_of(value) });
}

/* Days after the day of the check; `since`: days before it. */
static const struct {
	const char *rule, *days;
	enum job job;
	int dies, since;
	uint64_t found;
} windows[] = {
	{ "died yesterday", NULL, JOB_EXPIRING, -1, 0, 0 },
	{ "dies today: told at 02:00", NULL, JOB_EXPIRING, 0, 0, 0 },
	{ "dies tomorrow", NULL, JOB_EXPIRING, 1, 0, 1 },
	{ "dies in a week", NULL, JOB_EXPIRING, 7, 0, 1 },
	{ "G134 in eight days", NULL, JOB_EXPIRING, 8, 0, 0 },
	{ "in 60 days", "60,30,7,1", JOB_EXPIRING, 60, 0, 1 },
	{ "in 61 days", "60,30,7,1", JOB_EXPIRING, 61, 0, 0 },
	{ "one day alone: in two", "1", JOB_EXPIRING, 2, 0, 0 },
	{ "one day alone: tomorrow", "1", JOB_EXPIRING, 1, 0, 1 },
	{ "dead today", NULL, JOB_EXPIRED, 0, 1, 1 },
	{ "dead tomorrow", NULL, JOB_EXPIRED, 1, 1, 0 },
	{ "dead yesterday, told then", NULL, JOB_EXPIRED, -1, 1, 0 },
	{ "dead yesterday, no check was made", NULL, JOB_EXPIRED, -1, 2, 1 },
	{ "dead for a week, no check was made", NULL, JOB_EXPIRED, -7, 8, 1 },
	{ "dead before the last check", NULL, JOB_EXPIRED, -8, 8, 0 },
};

static void by_the_day(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(windows); i++) {
		struct fixture f;

		print_message("%s\n", windows[i].rule);
		fixture_open(&f);
		add_user(f.db, "alice", 0);
		if (windows[i].days)
			set(f.db, "expiry_notice_days", windows[i].days, NOW);
		add(f.db, "alice", PAT_PERSONAL,
		    TODAY + windows[i].dies * (int64_t)DAY);
		for (int again = 0; again < 2; again++)
			assert_int_equal(
				check(f.db, windows[i].job, TODAY,
				      TODAY - windows[i].since * (int64_t)DAY)
					.found,
				again ? 0 : windows[i].found);
		fixture_close(&f);
	}
}

/* Every day of a token's last 70, and after; each warning once. */
static void one_warning_a_threshold(void **state)
{
	const int64_t dies = TODAY + 70 * (int64_t)DAY;
	int told[71] = { 0 }, dead = 0;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	add_user(f.db, "alice", 0);
	set(f.db, "expiry_notice_days", "60,30,7,1", NOW);
	add(f.db, "alice", PAT_PERSONAL, dies);
	for (int left = 70; left >= -3; left--) {
		int64_t day = dies - left * (int64_t)DAY;

		if (check(f.db, JOB_EXPIRING, day, 0).found)
			told[left]++;
		dead += (int)check(f.db, JOB_EXPIRED, day, day - DAY).found;
	}
	for (int left = 0; left <= 70; left++)
		assert_int_equal(told[left], left == 60 || left == 30 ||
						     left == 7 || left == 1);
	assert_int_equal(dead, 1);
	fixture_close(&f);
}

/* `kind`, of whom; how many hear of it by mail, by the webhook. */
static const struct {
	const char *rule, *owner;
	enum pat_kind kind;
	uint64_t mails, hooks;
} people[] = {
	{ "its owner", "alice", PAT_PERSONAL, 1, 1 },
	{ "nobody: impersonation", "alice", PAT_IMPERSONATION, 0, 0 },
	{ "nobody: blocked", "blk", PAT_PERSONAL, 0, 0 },
	{ "no address: the webhook alone", "bad", PAT_PERSONAL, 0, 1 },
	{ "maintainers and owners, also from above", "g/p", PAT_PROJECT, 2, 1 },
	{ "those of the group", "g", PAT_GROUP, 1, 1 },
	{ "nobody keeps it: the webhook alone", "lone", PAT_PROJECT, 0, 1 },
};

static void who_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(people); i++) {
		struct check_result result;
		struct fixture f;
		struct txn txn;
		uint64_t id, want = people[i].mails + people[i].hooks;
		bool told;

		print_message("%s\n", people[i].rule);
		fixture_open(&f);
		add_user(f.db, "alice", 0);
		add_user(f.db, "bob", 0);
		add_user(f.db, "dev", 0);
		add_user(f.db, "blk", USER_BLOCKED);
		done(f.db, (struct change) { .type = CHANGE_USER_ADD,
					     .user = STR("bad"),
					     .text = STR("no address") });
		add_project(f.db, "g/p", VISIBILITY_PRIVATE);
		add_project(f.db, "lone", VISIBILITY_PRIVATE);
		put_member(f.db, "g", "alice", ROLE_OWNER);
		put_member(f.db, "g/p", "bob", ROLE_MAINTAINER);
		put_member(f.db, "g/p", "alice", ROLE_MAINTAINER);
		put_member(f.db, "g/p", "dev", ROLE_DEVELOPER);
		put_member(f.db, "g/p", "blk", ROLE_OWNER);
		put_member(f.db, "lone", "dev", ROLE_DEVELOPER);
		id = add(f.db, people[i].owner, people[i].kind,
			 TODAY + 5 * DAY);
		assert_int_equal(
			check_ways(f.db, JOB_EXPIRING, TODAY, 0, 0).queued, 0);
		result = check_ways(f.db, JOB_EXPIRING, TODAY, 0, EVERY);
		assert_int_equal(result.queued, want);
		txn_read(f.db, &txn);
		told = told_get(&txn, id, TODAY) != TOLD_NOTHING;
		assert_int_equal(told, want > 0);
		assert_int_equal(txn_count(&txn, TABLE_MAILBOX), want);
		txn_cleanup(&txn);
		fixture_close(&f);
	}
}

/* Days after today, 0: never; does it break a limit of 30 days? */
static const struct {
	const char *rule;
	int dies;
	enum pat_kind kind;
	bool revoked;
} limits[] = {
	{ "no date", 0, PAT_PERSONAL, true },
	{ "one day too many", 31, PAT_PERSONAL, true },
	{ "as long as it may", 30, PAT_PERSONAL, false },
	{ "tomorrow", 1, PAT_PERSONAL, false },
	{ "dead already", -1, PAT_PERSONAL, false },
	{ "impersonation, too", 0, PAT_IMPERSONATION, true },
	{ "a bot's, too", 0, PAT_PROJECT, true },
};

static void what_breaks_the_limit(void **state)
{
	struct check_result result;
	uint64_t ids[COUNT(limits)], queued;
	struct fixture f;
	struct txn txn;
	struct pat pat;

	(void)state;
	fixture_open(&f);
	add_user(f.db, "alice", 0);
	add_project(f.db, "p", VISIBILITY_PRIVATE);
	put_member(f.db, "p", "alice", ROLE_OWNER);
	for (size_t i = 0; i < COUNT(limits); i++)
		ids[i] = add(
			f.db, limits[i].kind == PAT_PROJECT ? "p" : "alice",
			limits[i].kind,
			limits[i].dies ? TODAY + limits[i].dies * (int64_t)DAY
				       : 0);
	set(f.db, "max_token_lifetime", "30", NOW);
	result = check(f.db, JOB_LIFETIME, TODAY, 0);
	queued = result.queued;
	assert_int_equal(result.found, 4);
	assert_int_equal(queued, 2); /* his own, and the project's */
	txn_read(f.db, &txn);
	for (size_t i = 0; i < COUNT(limits); i++) {
		print_message("%s\n", limits[i].rule);
		assert_int_equal(pat_get(&txn, ids[i], &pat), E_OK);
		assert_int_equal(!!pat.revoked_at, limits[i].revoked);
	}
	txn_cleanup(&txn);
	assert_int_equal(check(f.db, JOB_LIFETIME, TODAY, 0).found, 0);
	fixture_close(&f);
}

static uint64_t rotate(struct db *db, uint64_t id, uint64_t grace)
{
	unsigned char n = (unsigned char)(100 + id);

	return done(db, (struct change) { .type = CHANGE_TOKEN_ROTATE,
					  .id = id,
					  .grace = grace,
					  .digest = { { 0, n } } });
}

/* It ends when its grace does, whatever its date. */
static void in_its_grace_it_keeps_the_limit(void **state)
{
	struct fixture f;
	uint64_t old, new;

	(void)state;
	fixture_open(&f);
	add_user(f.db, "alice", 0);
	old = add(f.db, "alice", PAT_PERSONAL, 0);
	new = rotate(f.db, old, 7 * DAY);
	set(f.db, "max_token_lifetime", "30", NOW);
	assert_int_equal(check(f.db, JOB_LIFETIME, TODAY, 0).found, 1);
	assert_false(is_revoked(f.db, old));
	assert_true(is_revoked(f.db, new));
	set(f.db, "max_token_lifetime", "5", NOW);
	assert_int_equal(check(f.db, JOB_LIFETIME, TODAY, 0).found, 1);
	assert_true(is_revoked(f.db, old));
	fixture_close(&f);
}

/* One each, however their tokens lie between each other. */
static void owners_by_turns(void **state)
{
	const char *const owners[] = { "alice", "bob", "g/p" };
	struct check_result result;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	add_user(f.db, "alice", 0);
	add_user(f.db, "bob", 0);
	add_project(f.db, "g/p", VISIBILITY_PRIVATE);
	put_member(f.db, "g/p", "bob", ROLE_OWNER);
	for (size_t i = 0; i < 4 * COUNT(owners); i++) {
		size_t owner = i % COUNT(owners);

		add(f.db, owners[owner], owner < 2 ? PAT_PERSONAL : PAT_PROJECT,
		    TODAY + 5 * DAY);
	}
	result = check_ways(f.db, JOB_EXPIRING, TODAY, 0, EVERY);
	assert_int_equal(result.found, 4 * COUNT(owners));
	assert_int_equal(result.queued, 2 * COUNT(owners));
	fixture_close(&f);
}

/* There is another already, whose date counts. */
static void what_was_rotated_is_not_told(void **state)
{
	struct fixture f;
	uint64_t id;

	(void)state;
	fixture_open(&f);
	add_user(f.db, "alice", 0);
	id = add(f.db, "alice", PAT_PERSONAL, TODAY + 5 * DAY);
	rotate(f.db, id, 9 * DAY);
	assert_int_equal(check(f.db, JOB_EXPIRING, TODAY, 0).found, 0);
	assert_int_equal(check(f.db, JOB_EXPIRED, TODAY + 5 * DAY, TODAY).found,
			 0);
	fixture_close(&f);
}

/* Whom a shorter warning has reached a longer one does not reach any more. */
static void a_longer_warning_comes_too_late(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	add_user(f.db, "alice", 0);
	add(f.db, "alice", PAT_PERSONAL, TODAY + 6 * DAY);
	assert_int_equal(check(f.db, JOB_EXPIRING, TODAY, 0).found, 1);
	set(f.db, "expiry_notice_days", "30", NOW);
	assert_int_equal(check(f.db, JOB_EXPIRING, TODAY + DAY, 0).found, 0);
	set(f.db, "expiry_notice_days", "30,5", NOW);
	assert_int_equal(check(f.db, JOB_EXPIRING, TODAY + DAY, 0).found, 1);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_the_day),
		cmocka_unit_test(one_warning_a_threshold),
		cmocka_unit_test(who_is_told),
		cmocka_unit_test(what_breaks_the_limit),
		cmocka_unit_test(in_its_grace_it_keeps_the_limit),
		cmocka_unit_test(owners_by_turns),
		cmocka_unit_test(what_was_rotated_is_not_told),
		cmocka_unit_test(a_longer_warning_comes_too_late),
	};

	return cmocka_run_group_tests_name("expiry", tests, NULL, NULL);
}
