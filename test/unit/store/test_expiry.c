/*
 * test/unit/store/test_expiry.c - how long a token lives: as the settings have
 * it when it is made or rotated, to the second, over leap days and the ends of
 * months; and who of a family is dead.
 */
#include "test/unit/store/fixture.h"

#include "store/setting.h"
#include "token/date.h"

/* clang-format off */
/*
 * `now`, `wanted`: times; "never", or "" for none said. `want`: the date, or
 * NULL when it is refused.
 */
static const struct {
	const char *rule, *max, *days, *require, *now, *wanted, *want, *cause;
} rows[] = {
	{ "no date: for ever", "none", "none", "false", "2027-03-01T12:00:00", "", "never", "" },
	{ "a date", "none", "none", "false", "2027-03-01T12:00:00", "2027-03-02", "2027-03-02", "" },
	{ "not today", "none", "none", "false", "2027-03-01T00:00:00", "2027-03-01", NULL, "in the future" },
	{ "tomorrow, a second before it", "none", "none", "false", "2027-03-01T23:59:59", "2027-03-02", "2027-03-02", "" },
	{ "no longer at midnight", "none", "none", "false", "2027-03-02T00:00:00", "2027-03-02", NULL, "in the future" },
	{ "the maximum", "30", "none", "false", "2027-01-31T12:00:00", "2027-03-02", "2027-03-02", "" },
	{ "a day more", "30", "none", "false", "2027-01-31T12:00:00", "2027-03-03", NULL, "the date must be 2027-03-02 or before: setting max_token_lifetime is 30 days" },
	{ "none", "30", "none", "false", "2027-01-31T12:00:00", "", NULL, "the token must have a date, at the latest 2027-03-02: setting max_token_lifetime" },
	{ "never", "30", "none", "false", "2027-01-31T12:00:00", "never", NULL, "the token must have a date" },
	{ "at the first second of a day", "1", "none", "false", "2027-01-31T00:00:00", "2027-02-01", "2027-02-01", "" },
	{ "at its last", "1", "none", "false", "2027-01-31T23:59:59", "2027-02-01", "2027-02-01", "" },
	{ "and no day later", "1", "none", "false", "2027-01-31T23:59:59", "2027-02-02", NULL, "2027-02-01 or before" },
	{ "over a leap day", "1", "none", "false", "2028-02-28T12:00:00", "2028-02-29", "2028-02-29", "" },
	{ "and not beyond", "1", "none", "false", "2028-02-28T12:00:00", "2028-03-01", NULL, "2028-02-29 or before" },
	{ "in a year without one", "1", "none", "false", "2027-02-28T12:00:00", "2027-03-01", "2027-03-01", "" },
	{ "over the end of a year", "1", "none", "false", "2027-12-31T12:00:00", "2028-01-01", "2028-01-01", "" },
	{ "in 2100, which has none", "1", "none", "false", "2100-02-28T12:00:00", "2100-03-01", "2100-03-01", "" },
	{ "by default", "none", "90", "false", "2027-01-31T12:00:00", "", "2027-05-01", "" },
	{ "by default, not if it is said", "none", "90", "false", "2027-01-31T12:00:00", "2027-02-01", "2027-02-01", "" },
	{ "nor if never is said", "none", "90", "false", "2027-01-31T12:00:00", "never", "never", "" },
	{ "a default within the maximum", "30", "10", "false", "2027-01-31T12:00:00", "", "2027-02-10", "" },
	{ "a default beyond it", "30", "90", "false", "2027-01-31T12:00:00", "", "2027-03-02", "" },
	{ "a date is required", "none", "none", "true", "2027-01-31T12:00:00", "", NULL, "the token must have a date: setting require_token_expiry" },
	{ "even if never is said", "none", "90", "true", "2027-01-31T12:00:00", "never", NULL, "the token must have a date" },
	{ "required, and by default", "none", "90", "true", "2027-01-31T12:00:00", "", "2027-05-01", "" },
	{ "required, and said", "none", "none", "true", "2027-01-31T12:00:00", "9999-12-31", "9999-12-31", "" },
};

/* A token made at `made` until `until`, rotated at `now`. */
static const struct {
	const char *rule, *max, *require, *made, *until, *now, *want, *cause;
} rotations[] = {
	{ "as many days", "none", "false", "2027-01-01T12:00:00", "2027-01-08", "2027-01-05T00:00:00", "2027-01-12", "" },
	{ "whatever the hour", "none", "false", "2027-01-01T23:59:59", "2027-01-08", "2027-01-05T23:59:59", "2027-01-12", "" },
	{ "over a leap day", "none", "false", "2027-02-01T12:00:00", "2027-03-01", "2028-02-01T12:00:00", NULL, "expired" },
	{ "28 days in a leap year", "none", "false", "2028-01-20T12:00:00", "2028-02-17", "2028-02-10T12:00:00", "2028-03-09", "" },
	{ "for ever", "none", "false", "2027-01-01T12:00:00", "", "2030-01-05T00:00:00", "never", "" },
	{ "for ever is not, with a maximum", "30", "false", "2027-01-01T12:00:00", "", "2027-02-01T00:00:00", "2027-03-03", "" },
	{ "nor is longer than it", "30", "false", "2027-01-01T12:00:00", "2028-01-01", "2027-02-01T00:00:00", "2027-03-03", "" },
	{ "shorter stays", "30", "false", "2027-01-01T12:00:00", "2027-01-11", "2027-01-02T00:00:00", "2027-01-12", "" },
	{ "for ever is not where a date is required", "none", "true", "2027-01-01T12:00:00", "", "2027-02-01T00:00:00", NULL, "the token must have a date" },
};
/* clang-format on */

/* "" is 0, "never" is never, else a date, or a date and a time of day. */
static int64_t when(const char *text)
{
	struct str s = str_of(text);
	uint64_t part[3];
	int64_t day;

	if (!s.len)
		return 0;
	if (str_eq(s, STR("never")))
		return EXPIRES_NEVER;
	assert_int_equal(date_parse(str_head(s, 10), &day), E_OK);
	if (s.len == 10)
		return day;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
			str_to_u64((struct str) { text + 11 + 3 * i, 2 }, 59,
				   &part[i]),
			E_OK);
	return day + (int64_t)(part[0] * 3600 + part[1] * 60 + part[2]);
}

static void set(struct db *db, const char *name, const char *value)
{
	done(db, (struct change) { .type = CHANGE_SETTING_PUT,
				   .text = str_of(name),
				   .value = str_of(value) });
}

static void came_of_it(struct db *db, const struct change *change,
		       const char *want, const char *cause)
{
	int64_t date;

	if (!strstr(change->cause.text, cause))
		fail_msg("cause: %s", change->cause.text);
	assert_int_equal(!change->result, want != NULL);
	if (!want)
		return;
	date = token(db, change->new_id).expires_at;
	assert_true(date ==
		    (str_eq(str_of(want), STR("never")) ? 0 : when(want)));
}

static struct change new_token(const char *now, const char *until)
{
	return (struct change) { .type = CHANGE_TOKEN_ADD,
				 .now = when(now),
				 .user = STR("alice"),
				 .kind = PAT_PERSONAL,
				 .text = STR("ci"),
				 .scopes = PAT_API,
				 .digest = digest_of(now),
				 .expires_at = when(until) };
}

static void dates(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct change change = new_token(rows[i].now, rows[i].wanted);
		struct fixture f;

		print_message("%s\n", rows[i].rule);
		fixture_open(&f);
		add_user(f.db, "alice", 0);
		set(f.db, "max_token_lifetime", rows[i].max);
		set(f.db, "default_token_days", rows[i].days);
		set(f.db, "require_token_expiry", rows[i].require);
		do_change(f.db, &change);
		came_of_it(f.db, &change, rows[i].want, rows[i].cause);
		fixture_close(&f);
	}
}

static void rotated_dates(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rotations); i++) {
		struct change change = { .type = CHANGE_TOKEN_ROTATE,
					 .id = 1,
					 .now = when(rotations[i].now),
					 .digest = digest_of("new") };
		struct fixture f;

		print_message("%s\n", rotations[i].rule);
		fixture_open(&f);
		add_user(f.db, "alice", 0);
		done(f.db, new_token(rotations[i].made, rotations[i].until));
		set(f.db, "max_token_lifetime", rotations[i].max);
		set(f.db, "require_token_expiry", rotations[i].require);
		do_change(f.db, &change);
		came_of_it(f.db, &change, rotations[i].want,
			   rotations[i].cause);
		fixture_close(&f);
	}
}

/* What is said is refused where it cannot be; what is not said gives in. */
static void a_date_that_is_asked_for(void **state)
{
	static const struct {
		const char *until;
		enum err want;
		const char *cause;
	} asked[] = {
		{ "2027-02-01", E_OK, "" },
		{ "2027-02-02", E_REFUSED, "the date must be 2027-02-01 or" },
		{ "never", E_REFUSED, "the token must have a date" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(asked); i++) {
		struct change change = { .type = CHANGE_TOKEN_ROTATE,
					 .id = 1,
					 .now = when("2027-01-02T12:00:00"),
					 .expires_at = when(asked[i].until),
					 .digest = digest_of("new") };
		struct fixture f;

		print_message("%s\n", asked[i].until);
		fixture_open(&f);
		add_user(f.db, "alice", 0);
		done(f.db, new_token("2027-01-01T12:00:00", "2027-01-08"));
		set(f.db, "max_token_lifetime", "30");
		do_change(f.db, &change);
		assert_int_equal(change.result, asked[i].want);
		came_of_it(f.db, &change, asked[i].want ? NULL : asked[i].until,
			   asked[i].cause);
		fixture_close(&f);
	}
}

static uint64_t rotate(struct db *db, uint64_t id, int64_t now, uint64_t grace)
{
	unsigned char n = (unsigned char)(100 + id);

	return done(db, (struct change) { .type = CHANGE_TOKEN_ROTATE,
					  .id = id,
					  .now = now,
					  .grace = grace,
					  .digest = { { n } } });
}

/* Token 1, with all that a token can have, and a refresh token. */
static void make_first(struct db *db)
{
	add_user(db, "alice", 0);
	done(db, (struct change) { .type = CHANGE_TOKEN_ADD,
				   .user = STR("alice"),
				   .kind = PAT_IMPERSONATION,
				   .text = STR("ci"),
				   .scopes = PAT_API | PAT_READ_USER,
				   .limits = { STR("a/**"), STR("10.0.0.0/8"),
					       STR("reg") },
				   .idle = 30 * DAY,
				   .digest = { { 1 } } });
	done(db, (struct change) { .type = CHANGE_REFRESH_ADD,
				   .id = 1,
				   .digest = { { 2 } } });
}

static void a_successor_is_the_same_but_for_its_secret(void **state)
{
	struct pat old, new;
	struct fixture f;
	AUTO(txn) struct txn txn;

	(void)state;
	fixture_open(&f);
	make_first(f.db);
	assert_int_equal(rotate(f.db, 1, NOW + 5, 0), 2);
	txn_read(f.db, &txn);
	assert_int_equal(pat_get(&txn, 1, &old), E_OK);
	assert_int_equal(pat_get(&txn, 2, &new), E_OK);
	assert_int_equal(old.revoked_at, NOW + 5);
	assert_int_equal(old.next, 2);
	assert_int_equal(new.previous, 1);
	assert_int_equal(new.family, 1);
	assert_int_equal(new.next, 0);
	assert_int_equal(new.revoked_at, 0);
	assert_int_equal(new.created_at, NOW + 5);
	assert_int_equal(new.user, old.user);
	assert_int_equal(new.kind, PAT_IMPERSONATION);
	assert_int_equal(new.scopes, old.scopes);
	assert_str(new.name, "ci");
	for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
		assert_true(old.limits[limit].len);
		assert_true(str_eq(new.limits[limit], old.limits[limit]));
	}
	assert_int_equal(new.idle, 30 * DAY);
	assert_false(digest_eq(&old.digest, &new.digest));
	assert_int_equal(txn_count(&txn, TABLE_REFRESH), 0);
	txn_cleanup(&txn);
	fixture_close(&f);
}

static bool lives(struct db *db, uint64_t id, int64_t now)
{
	const struct settings settings = { .enforce_token_expiry = false };
	struct pat pat = token(db, id);

	return pat_active(&pat, &settings, now);
}

/* Its end holds though dates are not enforced. */
static void grace(void **state)
{
	const int64_t end = NOW + 3600;
	const struct settings enforced = { .enforce_token_expiry = true };
	struct fixture f;
	struct pat pat;

	(void)state;
	fixture_open(&f);
	make_first(f.db);
	rotate(f.db, 1, NOW, 3600);
	assert_true(lives(f.db, 1, end - 1));
	assert_false(lives(f.db, 1, end));
	assert_true(lives(f.db, 2, end));
	pat = token(f.db, 1);
	assert_int_equal(pat_dies_at(&pat, &enforced), end);
	pat.expires_at = end - 1;
	assert_int_equal(pat_dies_at(&pat, &enforced), end - 1);
	pat.expires_at = end + 1;
	assert_int_equal(pat_dies_at(&pat, &enforced), end);
	/* One without a grace ends those of before. */
	rotate(f.db, 2, NOW + 1, 0);
	for (uint64_t id = 1; id <= 2; id++)
		assert_int_equal(token(f.db, id).revoked_at, NOW + 1);
	fixture_close(&f);
}

static void a_family_ends_from_any_of_it(void **state)
{
	(void)state;
	for (uint64_t from = 1; from <= 4; from++) {
		struct fixture f;

		fixture_open(&f);
		make_first(f.db);
		add_token(f.db, "alice", "another", PAT_API, 0); /* 2 */
		rotate(f.db, 1, NOW, 3600);			 /* 3 */
		rotate(f.db, 3, NOW, 7200);			 /* 4 */
		done(f.db, (struct change) { .type = CHANGE_TOKEN_REVOKE,
					     .id = from == 2 ? 3 : from,
					     .recursive = 1 });
		assert_false(lives(f.db, 1, NOW));
		assert_false(lives(f.db, 3, NOW));
		assert_false(lives(f.db, 4, NOW));
		assert_true(lives(f.db, 2, NOW));
		fixture_close(&f);
	}
}

static void damage_family(uint64_t next)
{
	struct change change = { .type = CHANGE_TOKEN_REVOKE,
				 .id = 1,
				 .recursive = 1,
				 .now = NOW,
				 .actor = STR("cli:root") };
	struct change *list[] = { &change };
	struct fixture f;
	struct pat pat;
	struct txn txn;

	fixture_open(&f);
	make_first(f.db);
	rotate(f.db, 1, NOW, 3600);
	txn_write(f.db, &txn);
	assert_int_equal(pat_get(&txn, 2, &pat), E_OK);
	pat.next = next;
	pat_put(&txn, &pat);
	assert_int_equal(txn_commit(&txn), E_OK);
	assert_int_equal(change_commit(f.db, list, 1), E_CORRUPT);
	assert_true(lives(f.db, 1, NOW));
	fixture_close(&f);
}

static void a_family_that_is_damaged_ends_nothing(void **state)
{
	/* It would go round and round; it would end nowhere. */
	static const uint64_t nexts[] = { 1, 99 };

	(void)state;
	for (size_t i = 0; i < COUNT(nexts); i++)
		damage_family(nexts[i]);
}

static void sudo_is_not_handed_on(void **state)
{
	struct change change = { .type = CHANGE_TOKEN_ROTATE,
				 .id = 1,
				 .digest = { { 2 } } };
	struct fixture f;

	(void)state;
	fixture_open(&f);
	add_user(f.db, "root", USER_ADMIN);
	add_token(f.db, "root", "s", PAT_SUDO | PAT_API, 0);
	done(f.db, (struct change) { .type = CHANGE_USER_FLAG,
				     .user = STR("root"),
				     .flags = USER_ADMIN });
	assert_int_equal(do_change(f.db, &change), E_REFUSED);
	assert_non_null(strstr(change.cause.text, "has scope sudo"));
	fixture_close(&f);
}

/* As long as its creator may, and a role no higher than his. */
static void tokens_of_a_maintainer(void **state)
{
	static const struct {
		enum role his, role;
		enum err want;
		enum pat_kind kind;
	} grants[] = {
		{ ROLE_DEVELOPER, ROLE_GUEST, E_REFUSED, PAT_PROJECT },
		{ ROLE_MAINTAINER, ROLE_GUEST, E_OK, PAT_PROJECT },
		{ ROLE_MAINTAINER, ROLE_MAINTAINER, E_OK, PAT_PROJECT },
		{ ROLE_MAINTAINER, ROLE_OWNER, E_REFUSED, PAT_PROJECT },
		{ ROLE_OWNER, ROLE_OWNER, E_OK, PAT_PROJECT },
		{ ROLE_MAINTAINER, ROLE_GUEST, E_REFUSED, PAT_GROUP },
		{ ROLE_OWNER, ROLE_OWNER, E_OK, PAT_GROUP },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(grants); i++) {
		struct change change = { .type = CHANGE_TOKEN_ADD,
					 .actor = STR("alice"),
					 .path = grants[i].kind == PAT_GROUP
							 ? STR("g")
							 : STR("g/p"),
					 .kind = grants[i].kind,
					 .text = STR("ci"),
					 .scopes = PAT_API,
					 .role = grants[i].role,
					 .bot = STR("0a"),
					 .digest = { { 1 } } };
		struct fixture f;

		fixture_open(&f);
		add_user(f.db, "alice", 0);
		add_project(f.db, "g/p", VISIBILITY_PRIVATE);
		put_member(f.db, "g", "alice", grants[i].his); /* above it */
		assert_int_equal(do_change(f.db, &change), grants[i].want);
		change.digest.at[0]++;
		done(f.db, (struct change) { .type = CHANGE_USER_FLAG,
					     .user = STR("alice"),
					     .flags = USER_BLOCKED,
					     .on = 1 });
		assert_int_equal(do_change(f.db, &change), E_REFUSED);
		assert_non_null(strstr(change.cause.text, "he is blocked"));
		fixture_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates),
		cmocka_unit_test(rotated_dates),
		cmocka_unit_test(a_date_that_is_asked_for),
		cmocka_unit_test(a_successor_is_the_same_but_for_its_secret),
		cmocka_unit_test(grace),
		cmocka_unit_test(a_family_ends_from_any_of_it),
		cmocka_unit_test(a_family_that_is_damaged_ends_nothing),
		cmocka_unit_test(sudo_is_not_handed_on),
		cmocka_unit_test(tokens_of_a_maintainer),
	};

	return cmocka_run_group_tests_name("expiry", tests, NULL, NULL);
}
