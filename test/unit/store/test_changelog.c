/*
 * test/unit/store/test_changelog.c - the packed change, the log entry, and
 * that tampering with the log is found.
 */
#include "test/unit/store/changes.h"

#include "store/changelog.h"

static void packed_form(void **state)
{
	static const char example[] =
		"01 09 0000000067f00000 0005 616c696365 0003 626f62 0001 67 "
		"000000000000001e";
	struct change change = { .type = CHANGE_MEMBER_PUT,
				 .now = NOW,
				 .actor = S("alice"),
				 .user = S("bob"),
				 .path = S("g"),
				 .role = ROLE_DEVELOPER };
	struct pack pack = { 0 };
	struct change got;
	char bytes[128];
	struct str want = from_hex(example, bytes, sizeof(bytes));

	(void)state;
	change_pack(&change, &pack);
	assert_int_equal(pack.len, want.len);
	assert_memory_equal(pack.at, want.at, want.len);
	assert_int_equal(change_unpack(want, &got), E_OK);
	assert_int_equal(got.type, CHANGE_MEMBER_PUT);
	assert_int_equal(got.now, NOW);
	assert_str(got.actor, "alice");
	assert_str(got.user, "bob");
	assert_str(got.path, "g");
	assert_int_equal(got.role, ROLE_DEVELOPER);
	for (size_t len = 0; len < want.len; len++)
		assert_int_equal(change_unpack(str_head(want, len), &got),
				 E_CORRUPT);
	want.len++;
	assert_int_equal(change_unpack(want, &got), E_CORRUPT);
	want.len--;
	bytes[0] = 2;
	assert_int_equal(change_unpack(want, &got), E_VERSION);
	bytes[0] = 1;
	bytes[1] = 0;
	assert_int_equal(change_unpack(want, &got), E_CORRUPT);
	bytes[1] = 15;
	assert_int_equal(change_unpack(want, &got), E_CORRUPT);
	assert_int_equal(got.type, 0);
}

static void log_entry_form(void **state)
{
	static const char example[] =
		"01 "
		"00000000000000000000000000000000000000000000000000000000000000"
		"00"
		" 01 0c 0000000067f00000 0003 6a6f62 0000000000000009"
		" 0000000000000000";
	struct change change = { .type = CHANGE_TOKEN_REVOKE,
				 .now = NOW,
				 .actor = S("job"),
				 .id = 9 };
	struct key8 key = key_u64(1);
	char bytes[128];
	struct str want = from_hex(example, bytes, sizeof(bytes)), value;
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	changelog_append(&txn, &change);
	assert_true(txn_get(&txn, TABLE_LOG, STR_OF(key.at), &value));
	assert_int_equal(value.len, want.len);
	assert_memory_equal(value.at, want.at, want.len);
	txn_cleanup(&txn);
	fixture_close(&f);
}

/* What somebody does to entry `at` of a log of COUNT(setup). */
enum tampering { NOTHING, FLIP, LOSE, LOSE_HEAD, ADD };

static void tamper(struct txn *txn, enum tampering how, uint64_t at)
{
	struct key8 key = key_u64(at);
	struct pack pack = { 0 };
	struct str value;

	switch (how) {
	case NOTHING:
		return;
	case LOSE:
		txn_remove(txn, TABLE_LOG, STR_OF(key.at));
		return;
	case LOSE_HEAD:
		txn_remove(txn, TABLE_META, STR("log"));
		return;
	case ADD:
		assert_true(
			txn_get(txn, TABLE_LOG, STR_OF(key_u64(1).at), &value));
		pack_bytes(&pack, value);
		break;
	case FLIP:
		assert_true(txn_get(txn, TABLE_LOG, STR_OF(key.at), &value));
		pack_bytes(&pack, value);
		pack.at[pack.len - 1] ^= 1;
		break;
	}
	txn_put(txn, TABLE_LOG, STR_OF(key.at), pack_str(&pack));
}

static void tampering_is_found(void **state)
{
	enum { LAST = COUNT(setup) };
	static const struct {
		const char *rule;
		enum tampering how;
		uint64_t at;
		const char *cause;
	} cases[] = {
		{ "an honest log", NOTHING, 0, NULL },
		{ "the first was changed", FLIP, 1, "entry 2" },
		{ "one was changed", FLIP, 5, "entry 6" },
		{ "the last was changed", FLIP, LAST, "entry 13" },
		{ "the first is missing", LOSE, 1, "entry 1:" },
		{ "one is missing", LOSE, 5, "entry 5" },
		{ "the last is missing", LOSE, LAST, "entry 12" },
		{ "one was added", ADD, LAST + 1, "entry 14" },
		{ "the head is missing", LOSE_HEAD, 0, "entry 13" },
	};
	struct fixture f;

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	for (size_t i = 0; i < COUNT(cases); i++) {
		AUTO(txn) struct txn txn;
		struct cause cause = { "" };
		uint64_t n;

		print_message("%s\n", cases[i].rule);
		txn_write(f.db, &txn);
		tamper(&txn, cases[i].how, cases[i].at);
		assert_int_equal(txn.err, E_OK);
		assert_int_equal(changelog_verify(&txn, &n, &cause),
				 cases[i].cause ? E_CORRUPT : E_OK);
		assert_int_equal(n, cases[i].cause ? 0 : LAST);
		if (cases[i].cause && !strstr(cause.text, cases[i].cause))
			fail_msg("cause: %s", cause.text);
	}
	fixture_close(&f);
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(change_name(CHANGE_TOKEN_ADD), "token_add");
	assert_string_equal(change_name((enum change_type)99), "unknown");
}

static struct pat token(struct db *db, uint64_t id)
{
	AUTO(txn) struct txn txn;
	struct pat pat;

	txn_read(db, &txn);
	assert_int_equal(pat_get(&txn, id, &pat), E_OK);
	return pat;
}

static enum err revoked_by(struct db *db, uint64_t id, const char *actor,
			   enum change_type type)
{
	struct pat pat = token(db, id);
	AUTO(txn) struct txn txn;
	struct change by;
	enum err err;

	txn_read(db, &txn);
	err = changelog_revoked(&txn, &pat, &by);
	assert_int_equal(by.type, err ? 0 : type);
	if (!err)
		assert_str(by.actor, actor);
	return err;
}

static void who_revoked_a_token(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	done(f.db, (struct change) { .type = CHANGE_USER_ADD,
				     .now = NOW + 5,
				     .user = STR("zoe") });
	done(f.db, (struct change) { .type = CHANGE_TOKEN_REVOKE,
				     .now = NOW + 5,
				     .actor = STR("job:lifetime"),
				     .id = 1 });
	done(f.db, (struct change) { .type = CHANGE_USER_REMOVE,
				     .now = NOW + 9,
				     .actor = STR("root"),
				     .yes = 1,
				     .user = STR("bob") });
	assert_int_equal(
		revoked_by(f.db, 1, "job:lifetime", CHANGE_TOKEN_REVOKE), E_OK);
	assert_int_equal(revoked_by(f.db, 2, "root", CHANGE_USER_REMOVE), E_OK);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_revoked_a_token),
		cmocka_unit_test(names),
		cmocka_unit_test(packed_form),
		cmocka_unit_test(log_entry_form),
		cmocka_unit_test(tampering_is_found),
	};

	return cmocka_run_group_tests_name("changelog", tests, NULL, NULL);
}
