/*
 * test/unit/store/test_record.c - the stored formats: the worked example of
 * each file head, byte for byte, both ways; and what must not be read.
 */
#include "test/unit/store/fixture.h"

#include "store/job.h"
#include "store/mailbox.h"
#include "store/member.h"
#include "store/refresh.h"
#include "store/told.h"
#include "store/trail.h"
#include "store/used.h"
#include "token/date.h"

static const struct digest some = { { 1, 2, 3 } };

static void put_user(struct txn *txn)
{
	user_put(txn, &(struct user) { .id = 7,
				       .flags = USER_ADMIN,
				       .created_at = NOW,
				       .name = STR("Alice"),
				       .email = STR("a@x") });
}

static enum err get_user(struct txn *txn)
{
	struct user user, byname;
	enum err err = user_get(txn, 7, &user);

	if (err) {
		assert_int_equal(user.id, 0);
		return err;
	}
	assert_int_equal(user.id, 7);
	assert_int_equal(user.flags, USER_ADMIN);
	assert_int_equal(user.created_at, NOW);
	assert_str(user.name, "Alice");
	assert_str(user.email, "a@x");
	assert_int_equal(user.password.len, 0);
	assert_int_equal(user_find(txn, STR("aLICE"), &byname), E_OK);
	assert_int_equal(byname.id, 7);
	return E_OK;
}

static void put_space(struct txn *txn)
{
	space_put(txn, &(struct space) { .id = 3,
					 .kind = SPACE_PROJECT,
					 .rules = { VISIBILITY_PUBLIC,
						    REGISTRY_PRIVATE, false },
					 .created_at = NOW,
					 .path = STR("g/app") });
}

static enum err get_space(struct txn *txn)
{
	struct space space;
	enum err err = space_get(txn, 3, &space);

	if (err) {
		assert_int_equal(space.id, 0);
		return err;
	}
	assert_int_equal(space.kind, SPACE_PROJECT);
	assert_int_equal(space.rules.visibility, VISIBILITY_PUBLIC);
	assert_int_equal(space.rules.registry, REGISTRY_PRIVATE);
	assert_false(space.rules.archived);
	assert_int_equal(space.created_at, NOW);
	assert_str(space.path, "g/app");
	return E_OK;
}

static void put_membership(struct txn *txn)
{
	member_put(txn, 3, 7, ROLE_DEVELOPER);
}

static enum err get_membership(struct txn *txn)
{
	enum role role;
	enum err err = member_get(txn, 3, 7, &role);

	assert_int_equal(role, err ? ROLE_NONE : ROLE_DEVELOPER);
	return err;
}

static void put_pat(struct txn *txn)
{
	pat_put(txn, &(struct pat) { .id = 9,
				     .user = 7,
				     .kind = PAT_PERSONAL,
				     .scopes = PAT_READ_REGISTRY,
				     .created_at = NOW,
				     .family = 9,
				     .limits[LIMIT_REPOSITORY] = STR("a"),
				     .name = STR("ci"),
				     .digest = some });
}

static enum err get_pat(struct txn *txn)
{
	struct pat pat;
	enum err err = pat_get(txn, 9, &pat);

	if (err) {
		assert_int_equal(pat.id, 0);
		return err;
	}
	assert_int_equal(pat.id, 9);
	assert_int_equal(pat.user, 7);
	assert_int_equal(pat.space, 0);
	assert_int_equal(pat.kind, PAT_PERSONAL);
	assert_int_equal(pat.scopes, PAT_READ_REGISTRY);
	assert_int_equal(pat.created_at, NOW);
	assert_int_equal(pat.expires_at, 0);
	assert_int_equal(pat.revoked_at, 0);
	assert_int_equal(pat.family, 9);
	assert_int_equal(pat.previous | pat.next, 0);
	assert_int_equal(pat.grace_ends, 0);
	assert_str(pat.limits[LIMIT_REPOSITORY], "a");
	assert_str(pat.limits[LIMIT_NETWORK], "");
	assert_str(pat.limits[LIMIT_SERVICE], "");
	assert_int_equal(pat.idle, 0);
	assert_str(pat.name, "ci");
	assert_true(digest_eq(&pat.digest, &some));
	return E_OK;
}

static void put_refresh(struct txn *txn)
{
	refresh_add(txn, &some,
		    &(struct refresh) { .pat = 9,
					.created_at = NOW,
					.expires_at = 0x686fa600,
					.service = STR("reg") });
}

static enum err get_refresh(struct txn *txn)
{
	struct refresh refresh;
	enum err err = refresh_find(txn, &some, &refresh);

	if (err) {
		assert_int_equal(refresh.pat, 0);
		return err;
	}
	assert_int_equal(refresh.pat, 9);
	assert_int_equal(refresh.created_at, NOW);
	assert_int_equal(refresh.expires_at, 0x686fa600);
	assert_str(refresh.service, "reg");
	return E_OK;
}

static void put_used(struct txn *txn)
{
	const struct used used = { NOW, STR("127.0.0.1"), STR("docker") };

	assert_int_equal(used_note(txn, 9, &used), NOW);
}

static enum err get_used(struct txn *txn)
{
	struct used used;
	enum err err = used_get(txn, 9, &used);

	assert_true(err ? !used.at : used.at == NOW);
	return err;
}

enum { DAY_OF_NOW = NOW / DAY * DAY };

static void put_job(struct txn *txn)
{
	const struct job_state job = { .marker = DAY_OF_NOW,
				       .ran_at = DAY_OF_NOW + 3600,
				       .found = 2,
				       .queued = 1 };

	job_put(txn, JOB_EXPIRING, &job);
}

static void put_trail(struct txn *txn)
{
	trail_put(txn, 12);
}

static enum err get_trail(struct txn *txn)
{
	uint64_t number;

	return trail_get(txn, &number);
}

static enum err get_job(struct txn *txn)
{
	struct job_state job;
	enum err err = job_get(txn, JOB_EXPIRING, &job);

	assert_true(err ? !job.found : job.found == 2);
	return err;
}

static void put_told(struct txn *txn)
{
	told_put(txn, 9, 7, DAY_OF_NOW);
	told_reached(txn, 9, DAY_OF_NOW);
}

static enum err get_told(struct txn *txn)
{
	unsigned days = told_get(txn, 9, DAY_OF_NOW);

	assert_int_equal(days, txn->err ? TOLD_NOTHING : 7);
	return txn->err;
}

static void put_notice(struct txn *txn)
{
	struct notice notice = { .next_at = NOW,
				 .queued_at = NOW,
				 .job = JOB_EXPIRING,
				 .way = WAY_MAIL,
				 .date = DAY_OF_NOW,
				 .user = 7,
				 .total = 1,
				 .len = 1,
				 .tokens = { 9 } };

	mailbox_add(txn, &notice);
}

static enum err get_notice(struct txn *txn)
{
	struct notice notice;
	enum err err = mailbox_get(txn, 1, NOW, &notice);

	assert_true(err ? !notice.id : notice.tokens[0] == 9);
	return err;
}

static void put_lost_notice(struct txn *txn)
{
	struct notice notice;

	put_notice(txn);
	assert_int_equal(mailbox_get(txn, 1, NOW, &notice), E_OK);
	mailbox_give_up(txn, &notice, NOW);
}

static enum err get_lost_notice(struct txn *txn)
{
	struct notice notice;
	enum err err = mailbox_get(txn, 1, NOW + NOTICE_KEPT, &notice);

	assert_true(err ? !notice.id : notice.given_up_at == NOW);
	return err;
}

#define DIGEST_HEX                                                             \
	"0102030000000000000000000000000000000000000000000000000000000000"

/* Tables with a version first are also read damaged. */
static const struct {
	const char *table;
	enum table number;
	const char *key, *value;
	void (*put)(struct txn *txn);
	enum err (*get)(struct txn *txn);
} rows[] = {
	{ "user", TABLE_USER, "0000000000000007",
	  "01 00000001 0000000067f00000 0005 416c696365 0003 614078 0000",
	  put_user, get_user },
	{ "user_name", TABLE_USER_NAME, "616c696365", "0000000000000007",
	  put_user, NULL },
	{ "space", TABLE_SPACE, "672f617070",
	  "01 0000000000000003 02 02 01 00 0000000067f00000", put_space,
	  get_space },
	{ "space_id", TABLE_SPACE_ID, "0000000000000003", "672f617070",
	  put_space, NULL },
	{ "member", TABLE_MEMBER, "0000000000000003 0000000000000007", "01 1e",
	  put_membership, get_membership },
	{ "user_member", TABLE_USER_MEMBER, "0000000000000007 0000000000000003",
	  "", put_membership, NULL },
	{ "pat", TABLE_PAT, DIGEST_HEX,
	  "02 0000000000000009 0000000000000007 0000000000000000 01 00000020 "
	  "0000000067f00000 0000000000000000 0000000000000000 "
	  "0000000000000009 0000000000000000 0000000000000000 "
	  "0000000000000000 0001 61 0000 0000 0000000000000000 0002 6369",
	  put_pat, get_pat },
	{ "pat_id", TABLE_PAT_ID, "0000000000000009", DIGEST_HEX, put_pat,
	  NULL },
	{ "user_pat", TABLE_USER_PAT, "0000000000000007 0000000000000009", "",
	  put_pat, NULL },
	{ "refresh", TABLE_REFRESH, DIGEST_HEX,
	  "01 0000000000000009 0000000067f00000 00000000686fa600 0003 726567",
	  put_refresh, get_refresh },
	{ "pat_refresh", TABLE_PAT_REFRESH, "0000000000000009" DIGEST_HEX, "",
	  put_refresh, NULL },
	{ "used", TABLE_USED, "0000000000000009",
	  "01 0000000067f00000 0009 3132372e302e302e31 0006 646f636b6572",
	  put_used, get_used },
	{ "job", TABLE_JOB, "01",
	  "02 0000000067ef2100 0000000067ef2f10 0000000000000002 "
	  "0000000000000001 0000000000000000 0000000000000000 0000 "
	  "0000000000000000",
	  put_job, get_job },
	{ "trail", TABLE_JOB, "00", "01 000000000000000c", put_trail,
	  get_trail },
	{ "told", TABLE_TOLD, "0000000000000009",
	  "02 00000007 0000000067ef2100 01", put_told, get_told },
	{ "mailbox", TABLE_MAILBOX, "0000000067f00000 0000000000000001",
	  "01 0000000067f00000 00000000 01 01 0000000067ef2100 "
	  "0000000000000000 0000000000000007 0000000000000000 "
	  "0000000000000001 0000 0000000000000009",
	  put_notice, get_notice },
	{ "mailbox, given up", TABLE_MAILBOX,
	  "0000000067f93a80 0000000000000001",
	  "02 0000000067f00000 0000000067f00000 00000000 01 01 "
	  "0000000067ef2100 0000000000000000 0000000000000007 "
	  "0000000000000000 0000000000000001 0000 0000000000000009",
	  put_lost_notice, get_lost_notice },
};

/* Reads `value` in the row's place. */
static enum err reads_as(struct txn *parent, size_t row, struct str key,
			 struct str value)
{
	AUTO(txn) struct txn txn;

	txn_nested(parent, &txn);
	txn_put(&txn, rows[row].number, key, value);
	assert_int_equal(txn.err, E_OK);
	return rows[row].get(&txn);
}

static void damage(struct txn *txn, size_t row, struct str key,
		   struct str value)
{
	char bytes[256], version = value.at[0];

	memcpy(bytes, value.at, value.len);
	for (size_t len = 1; len < value.len; len++)
		assert_int_equal(
			reads_as(txn, row, key, (struct str) { bytes, len }),
			E_CORRUPT);
	assert_int_equal(reads_as(txn, row, key, STR("")), E_CORRUPT);
	bytes[value.len] = 0;
	assert_int_equal(
		reads_as(txn, row, key, (struct str) { bytes, value.len + 1 }),
		E_CORRUPT);
	bytes[0] = 0x7f;
	assert_int_equal(
		reads_as(txn, row, key, (struct str) { bytes, value.len }),
		E_VERSION);
	bytes[0] = version;
	assert_int_equal(
		reads_as(txn, row, key, (struct str) { bytes, value.len }),
		E_OK);
}

static void examples(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO(txn) struct txn txn;
		char keys[64], values[256];
		struct str key = from_hex(rows[i].key, keys, sizeof(keys));
		struct str want =
			from_hex(rows[i].value, values, sizeof(values));
		struct str value;

		print_message("%s\n", rows[i].table);
		txn_write(f.db, &txn);
		rows[i].put(&txn);
		assert_int_equal(txn.err, E_OK);
		assert_true(txn_get(&txn, rows[i].number, key, &value));
		assert_int_equal(value.len, want.len);
		assert_memory_equal(value.at, want.at, want.len);
		if (!rows[i].get)
			continue;
		assert_int_equal(rows[i].get(&txn), E_OK);
		damage(&txn, i, key, want);
	}
	fixture_close(&f);
}

static const struct {
	const char *rule;
	enum table table;
	const char *key, *value;
	void (*put)(struct txn *txn);
	enum err (*get)(struct txn *txn);
} wrong[] = {
	{ "no such kind of space", TABLE_SPACE, "672f617070",
	  "01 0000000000000003 03 02 01 00 0000000067f00000", put_space,
	  get_space },
	{ "no such visibility", TABLE_SPACE, "672f617070",
	  "01 0000000000000003 02 03 01 00 0000000067f00000", put_space,
	  get_space },
	{ "no such registry setting", TABLE_SPACE, "672f617070",
	  "01 0000000000000003 02 02 03 00 0000000067f00000", put_space,
	  get_space },
	{ "archived is 0 or 1", TABLE_SPACE, "672f617070",
	  "01 0000000000000003 02 02 01 02 0000000067f00000", put_space,
	  get_space },
	{ "the id is another", TABLE_SPACE, "672f617070",
	  "01 0000000000000004 02 02 01 00 0000000067f00000", put_space,
	  get_space },
	{ "no such role", TABLE_MEMBER, "0000000000000003 0000000000000007",
	  "01 1f", put_membership, get_membership },
	{ "role 0 is no membership", TABLE_MEMBER,
	  "0000000000000003 0000000000000007", "01 00", put_membership,
	  get_membership },
	{ "no such kind of token", TABLE_PAT, DIGEST_HEX,
	  "02 0000000000000009 0000000000000007 0000000000000000 05 00000020 "
	  "0000000067f00000 0000000000000000 0000000000000000 "
	  "0000000000000009 0000000000000000 0000000000000000 "
	  "0000000000000000 0001 61 0000 0000 0000000000000000 0002 6369",
	  put_pat, get_pat },
	{ "a token's id is another", TABLE_PAT, DIGEST_HEX,
	  "02 0000000000000008 0000000000000007 0000000000000000 01 00000020 "
	  "0000000067f00000 0000000000000000 0000000000000000 "
	  "0000000000000009 0000000000000000 0000000000000000 "
	  "0000000000000000 0001 61 0000 0000 0000000000000000 0002 6369",
	  put_pat, get_pat },
	{ "a token's digest is short", TABLE_PAT_ID, "0000000000000009", "0102",
	  put_pat, get_pat },
	{ "a name of nobody", TABLE_USER_NAME, "616c696365", "0000000000000008",
	  put_user, NULL },
};

static void senseless_values(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	for (size_t i = 0; i < COUNT(wrong); i++) {
		AUTO(txn) struct txn txn;
		char keys[64], values[256];
		struct user user;

		print_message("%s\n", wrong[i].rule);
		txn_write(f.db, &txn);
		wrong[i].put(&txn);
		txn_put(&txn, wrong[i].table,
			from_hex(wrong[i].key, keys, sizeof(keys)),
			from_hex(wrong[i].value, values, sizeof(values)));
		assert_int_equal(txn.err, E_OK);
		assert_int_equal(wrong[i].get
					 ? wrong[i].get(&txn)
					 : user_find(&txn, STR("alice"), &user),
				 E_CORRUPT);
		assert_int_equal(txn.err, E_CORRUPT);
	}
	fixture_close(&f);
}

static void numbers(void **state)
{
	static const char want[] = "\x01\0\0\0\x02\0\0\0\0\0\0\0\x03\0\x02"
				   "abz";
	struct pack pack = { 0 };
	struct unpack u;

	(void)state;
	pack_u8(&pack, 1);
	pack_u32(&pack, 2);
	pack_u64(&pack, 3);
	pack_text(&pack, STR("ab"));
	pack_bytes(&pack, STR("z"));
	assert_int_equal(pack_str(&pack).len, sizeof(want) - 1);
	assert_memory_equal(pack_str(&pack).at, want, sizeof(want) - 1);
	u = (struct unpack) { .rest = pack_str(&pack) };
	assert_int_equal(unpack_u8(&u), 1);
	assert_int_equal(unpack_u32(&u), 2);
	assert_int_equal(unpack_u64(&u), 3);
	assert_str(unpack_text(&u), "ab");
	assert_false(unpack_done(&u));
	assert_str(unpack_bytes(&u, 1), "z");
	assert_true(unpack_done(&u));
	assert_int_equal(unpack_u8(&u), 0);
	assert_false(unpack_done(&u));
}

static void too_much_is_no_record(void **state)
{
	struct pack pack = { 0 };
	char big[RECORD_MAX] = { 0 };

	(void)state;
	pack_bytes(&pack, STR_OF(big));
	assert_int_equal(pack_str(&pack).len, RECORD_MAX);
	pack_u8(&pack, 0);
	assert_true(pack.over);
	assert_null(pack_str(&pack).at);
}

static void keys_sort_as_numbers(void **state)
{
	struct key8 a = key_u64(255), b = key_u64(256);
	struct key16 pair = key_pair(1, 2);

	(void)state;
	assert_true(memcmp(a.at, b.at, sizeof(a.at)) < 0);
	assert_memory_equal(pair.at, "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2", 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(too_much_is_no_record),
		cmocka_unit_test(keys_sort_as_numbers),
		cmocka_unit_test(examples),
		cmocka_unit_test(senseless_values),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
