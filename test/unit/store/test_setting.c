/*
 * test/unit/store/test_setting.c - store/setting: what each setting may be, and
 * what holds when nothing, or something damaged, is stored.
 */
#include "test/unit/store/fixture.h"

#include "store/setting.h"

/* What setting `name` is after `text` was put. NULL: it was refused. */
static const struct {
	const char *rule, *name, *text, *want, *json, *cause;
} rows[] = {
	{ "a number of days", "max_token_lifetime", "90", "90", "90", "" },
	{ "one day", "max_token_lifetime", "1", "1", "1", "" },
	{ "a century", "max_token_lifetime", "36500", "36500", "36500", "" },
	{ "no more", "max_token_lifetime", "36501", NULL, NULL,
	  "max_token_lifetime: '36501' is no number of days from 1 to 36500" },
	{ "not none of them", "max_token_lifetime", "0", NULL, NULL,
	  "'0' is no number" },
	{ "no unit", "max_token_lifetime", "30d", NULL, NULL, "'30d'" },
	{ "no sign", "default_token_days", "-1", NULL, NULL, "'-1'" },
	{ "nothing", "default_token_days", "", NULL, NULL, "''" },
	{ "none is no limit", "max_token_lifetime", "none", "none", "null",
	  "" },
	{ "none is the default", "enforce_token_expiry", "none", "true", "true",
	  "" },
	{ "true or false", "enforce_token_expiry", "false", "false", "false",
	  "" },
	{ "in no other words", "require_token_expiry", "yes", NULL, NULL,
	  "require_token_expiry: 'yes' is not true or false" },
	{ "nor other letters", "require_token_expiry", "True", NULL, NULL,
	  "'True'" },
	{ "days, the highest first", "expiry_notice_days", "1,60, 7,30",
	  "60,30,7,1", "[60,30,7,1]", "" },
	{ "each once", "expiry_notice_days", "7,1,7", "7,1", "[7,1]", "" },
	{ "at most a year before", "expiry_notice_days", "366", NULL, NULL,
	  "'366' is no number of days from 1 to 365" },
	{ "eight of them", "expiry_notice_days", "1,2,3,4,5,6,7,8",
	  "8,7,6,5,4,3,2,1", "[8,7,6,5,4,3,2,1]", "" },
	{ "no more", "expiry_notice_days", "1,2,3,4,5,6,7,8,9", NULL, NULL,
	  "at most 8 numbers" },
	{ "none of them empty", "expiry_notice_days", "7,,1", NULL, NULL,
	  "''" },
	{ "nor the last", "expiry_notice_days", "7,", NULL, NULL, "''" },
	{ "none is 7", "expiry_notice_days", "none", "7", "[7]", "" },
	{ "a prefix", "token_prefix", "acme-", "acme-", "\"acme-\"", "" },
	{ "of 20 letters", "token_prefix", "abcdefghijklmnopqrst",
	  "abcdefghijklmnopqrst", "\"abcdefghijklmnopqrst\"", "" },
	{ "no more", "token_prefix", "abcdefghijklmnopqrstu", NULL, NULL,
	  "is no prefix" },
	{ "what is long is shown short", "token_prefix",
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", NULL, NULL,
	  "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' is no prefix" },
};

static enum err put(struct db *db, const char *name, const char *text,
		    int64_t now, struct cause *cause)
{
	struct change change = { .type = CHANGE_SETTING_PUT,
				 .text = str_of(name),
				 .value = str_of(text),
				 .now = now };
	enum err err = do_change(db, &change);

	*cause = change.cause;
	return err;
}

static enum setting which(const char *name)
{
	enum setting setting;

	assert_int_equal(setting_find(str_of(name), &setting, NULL), E_OK);
	return setting;
}

static void prints_as(const struct settings *settings, enum setting setting,
		      const char *text, const char *json)
{
	AUTO(buf) struct buf out;

	buf_init(&out, 256);
	setting_print(setting, settings, &out);
	assert_str(buf_str(&out), text);
	buf_clear(&out);
	setting_print_json(setting, settings, &out);
	assert_str(buf_str(&out), json);
}

static void values(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum setting setting = which(rows[i].name);
		struct settings settings;
		struct cause cause;
		struct fixture f;
		enum err err;

		print_message("%s\n", rows[i].rule);
		fixture_open(&f);
		err = put(f.db, rows[i].name, rows[i].text, NOW, &cause);
		assert_int_equal(err, rows[i].want ? E_OK : E_SYNTAX);
		if (!strstr(cause.text, rows[i].cause))
			fail_msg("cause: %s", cause.text);
		settings = settings_of(f.db);
		if (rows[i].want)
			prints_as(&settings, setting, rows[i].want,
				  rows[i].json);
		else
			assert_int_equal(settings.set_at[setting], 0);
		fixture_close(&f);
	}
}

static void defaults(void **state)
{
	static const struct {
		const char *name, *text, *json;
	} want[SETTING_COUNT] = {
		{ "default_token_days", "none", "null" },
		{ "enforce_token_expiry", "true", "true" },
		{ "expiry_notice_days", "7", "[7]" },
		{ "max_token_lifetime", "none", "null" },
		{ "require_token_expiry", "false", "false" },
		{ "token_prefix", "glpat-", "\"glpat-\"" },
	};
	struct settings settings;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	settings = settings_of(f.db);
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		assert_str(setting_rows[i].name, want[i].name);
		prints_as(&settings, (enum setting)i, want[i].text,
			  want[i].json);
		assert_int_equal(settings.set_at[i], 0);
	}
	fixture_close(&f);
}

/* What counts from then on: the three hours before a sweep. */
static void when_it_was_set(void **state)
{
	enum setting max = SETTING_max_token_lifetime;
	struct settings settings;
	struct cause cause;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	assert_int_equal(put(f.db, "max_token_lifetime", "30", NOW, &cause),
			 E_OK);
	assert_int_equal(settings_of(f.db).set_at[max], NOW);
	assert_int_equal(put(f.db, "token_prefix", "x", NOW + 1, &cause), E_OK);
	settings = settings_of(f.db);
	assert_int_equal(settings.set_at[max], NOW);
	assert_int_equal(settings.set_at[SETTING_token_prefix], NOW + 1);
	assert_int_equal(put(f.db, "max_token_lifetime", "40", NOW + 2, &cause),
			 E_OK);
	assert_int_equal(settings_of(f.db).set_at[max], NOW + 2);
	assert_int_equal(put(f.db, "max_token_lifetime", "x", NOW + 3, &cause),
			 E_SYNTAX);
	/* To say it again is no change. */
	assert_int_equal(
		put(f.db, "max_token_lifetime", "040", NOW + 3, &cause), E_OK);
	settings = settings_of(f.db);
	assert_int_equal(settings.set_at[max], NOW + 2);
	assert_int_equal(settings.max_token_lifetime, 40);
	assert_int_equal(
		put(f.db, "max_token_lifetime", "none", NOW + 4, &cause), E_OK);
	settings = settings_of(f.db);
	assert_int_equal(settings.set_at[max], 0);
	assert_int_equal(settings.max_token_lifetime, 0);
	fixture_close(&f);
}

static void damaged(void **state)
{
	static const struct {
		const char *rule, *value;
		enum err err;
	} wrong[] = {
		{ "no value of its kind", "01 0000000067f00000 0003 79 65 73",
		  E_CORRUPT },
		{ "no time", "01 0000000000000000 0005 66616c7365", E_CORRUPT },
		{ "too short", "01 0000000067f00000 0005 66616c73", E_CORRUPT },
		{ "too long", "01 0000000067f00000 0004 66616c7365",
		  E_CORRUPT },
		{ "of another version", "02 0000000067f00000 0005 66616c7365",
		  E_VERSION },
		{ "empty", "", E_CORRUPT },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		AUTO(txn) struct txn txn;
		struct settings settings;
		struct fixture f;
		char bytes[64];

		print_message("%s\n", wrong[i].rule);
		fixture_open(&f);
		txn_write(f.db, &txn);
		txn_put(&txn, TABLE_SETTING, STR("enforce_token_expiry"),
			from_hex(wrong[i].value, bytes, sizeof(bytes)));
		assert_int_equal(settings_read(&txn, &settings), wrong[i].err);
		assert_true(settings.enforce_token_expiry);
		txn_cleanup(&txn);
		fixture_close(&f);
	}
}

/* One that can be read says nothing when another cannot. */
static void all_or_none(void **state)
{
	AUTO(txn) struct txn txn;
	struct settings settings;
	char bytes[64];
	struct fixture f;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	txn_put(&txn, TABLE_SETTING, STR("enforce_token_expiry"),
		from_hex("01 0000000067f00000 0005 66616c7365", bytes,
			 sizeof(bytes)));
	assert_int_equal(settings_read(&txn, &settings), E_OK);
	assert_false(settings.enforce_token_expiry);
	txn_put(&txn, TABLE_SETTING, STR("max_token_lifetime"),
		from_hex("01 0000000067f00000 0001 78", bytes, sizeof(bytes)));
	assert_int_equal(settings_read(&txn, &settings), E_CORRUPT);
	assert_true(settings.enforce_token_expiry);
	assert_int_equal(settings.set_at[SETTING_enforce_token_expiry], 0);
	txn_cleanup(&txn);
	fixture_close(&f);
}

static void as_documented(void **state)
{
	AUTO(txn) struct txn txn;
	struct settings settings = { .max_token_lifetime = 90 };
	char bytes[64];
	struct fixture f;
	struct str value;
	struct str want =
		from_hex("01 0000000067f00000 0002 3930", bytes, sizeof(bytes));

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	setting_put(&txn, SETTING_max_token_lifetime, &settings, NOW);
	assert_true(txn_get(&txn, TABLE_SETTING, STR("max_token_lifetime"),
			    &value));
	assert_true(str_eq(value, want));
	txn_cleanup(&txn);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(defaults),
		cmocka_unit_test(when_it_was_set),
		cmocka_unit_test(damaged),
		cmocka_unit_test(all_or_none),
		cmocka_unit_test(as_documented),
	};

	return cmocka_run_group_tests_name("setting", tests, NULL, NULL);
}
