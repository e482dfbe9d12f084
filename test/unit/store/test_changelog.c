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
enum tampering {
	NOTHING,
	FLIP,	   /* the last byte: what was decided */
	RELINK,	   /* the hash of the one before */
	CUT,	   /* one byte less */
	LOSE,	   /* the entry */
	SWAP,	   /* with the next one */
	VERSION,   /* one that we do not know */
	LONG_KEY,  /* the same number, and a byte more */
	LOSE_HEAD, /* the store's own */
	ADD,	   /* a copy of the first */
	TAIL	   /* this one and all after it */
};

static struct pack entry_at(struct txn *txn, uint64_t at)
{
	struct pack pack = { 0 };
	struct key8 key = key_u64(at);
	struct str value;

	assert_true(txn_get(txn, TABLE_LOG, STR_OF(key.at), &value));
	pack_bytes(&pack, value);
	return pack;
}

static void put_at(struct txn *txn, uint64_t at, const struct pack *pack)
{
	struct key8 key = key_u64(at);

	txn_put(txn, TABLE_LOG, STR_OF(key.at), pack_str(pack));
}

static void lose(struct txn *txn, uint64_t from, uint64_t to)
{
	for (uint64_t n = from; n <= to; n++) {
		struct key8 key = key_u64(n);

		txn_remove(txn, TABLE_LOG, STR_OF(key.at));
	}
}

static void tamper(struct txn *txn, enum tampering how, uint64_t at,
		   uint64_t last)
{
	struct pack pack, next;
	char key[9] = "";

	switch (how) {
	case NOTHING:
		break;
	case LOSE:
		lose(txn, at, at);
		break;
	case TAIL:
		lose(txn, at, last);
		break;
	case LOSE_HEAD:
		txn_remove(txn, TABLE_META, STR("log"));
		break;
	case ADD:
		pack = entry_at(txn, 1);
		put_at(txn, at, &pack);
		break;
	case FLIP:
		pack = entry_at(txn, at);
		pack.at[pack.len - 1] ^= 1;
		put_at(txn, at, &pack);
		break;
	case RELINK:
		pack = entry_at(txn, at);
		pack.at[1] ^= 1;
		put_at(txn, at, &pack);
		break;
	case CUT:
		pack = entry_at(txn, at);
		pack.len--;
		put_at(txn, at, &pack);
		break;
	case VERSION:
		pack = entry_at(txn, at);
		pack.at[0]++;
		put_at(txn, at, &pack);
		break;
	case LONG_KEY:
		pack = entry_at(txn, at);
		lose(txn, at, at);
		memcpy(key, key_u64(at).at, 8);
		txn_put(txn, TABLE_LOG, STR_OF(key), pack_str(&pack));
		break;
	case SWAP:
		pack = entry_at(txn, at);
		next = entry_at(txn, at + 1);
		put_at(txn, at, &next);
		put_at(txn, at + 1, &pack);
		break;
	}
}

enum { LAST = COUNT(setup) };

static const struct {
	const char *rule;
	enum tampering how;
	uint64_t at;
	const char *cause;
} cases[] = {
	{ "an honest log", NOTHING, 0, NULL },
	{ "the first was changed", FLIP, 1, "entry 1 was changed;" },
	{ "one was changed", FLIP, 5, "entry 5 was changed;" },
	{ "the last was changed", FLIP, LAST, "entry 13 was changed;" },
	{ "the first one's link", RELINK, 1, "entry 1 was changed or is out" },
	{ "one's link", RELINK, 5, "entry 5 was changed or is out of place" },
	{ "the last one's link", RELINK, LAST, "entry 13 was changed or" },
	{ "one was cut", CUT, 5, "entry 5 was changed: it cannot be read" },
	{ "one of another version", VERSION, 5, "entry 5 was changed: it can" },
	{ "a number too long", LONG_KEY, LAST, "entry 13 was changed: it can" },
	{ "the first is missing", LOSE, 1, "entry 1 is missing" },
	{ "one is missing", LOSE, 5, "entry 5 is missing" },
	{ "the last is missing", LOSE, LAST, "entry 13 is missing" },
	{ "the tail is missing", TAIL, 6, "entries 6 to 13 are missing" },
	{ "all are missing", TAIL, 1, "entries 1 to 13 are missing" },
	{ "two are swapped", SWAP, 5, "entry 5 was changed or is out of" },
	{ "the last two are swapped", SWAP, LAST - 1, "entry 12 was changed" },
	{ "one was added", ADD, LAST + 1, "entry 14 was changed or is" },
	{ "one was added before all", ADD, 0, "entry 0 is out of place" },
	{ "the head is missing", LOSE_HEAD, 0, "the head of the log is miss" },
};

static void tampering_is_found(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	for (size_t i = 0; i < COUNT(cases); i++) {
		AUTO(txn) struct txn txn;
		struct cause cause = { "" };
		struct log_facts facts;

		print_message("%s\n", cases[i].rule);
		txn_write(f.db, &txn);
		tamper(&txn, cases[i].how, cases[i].at, LAST);
		assert_int_equal(txn.err, E_OK);
		assert_int_equal(changelog_verify(&txn, &facts, &cause),
				 cases[i].cause ? E_CORRUPT : E_OK);
		assert_int_equal(facts.count, cases[i].cause ? 0 : LAST);
		if (cases[i].cause && !strstr(cause.text, cases[i].cause))
			fail_msg("cause: %s", cause.text);
	}
	fixture_close(&f);
}

static struct log_facts verified(struct txn *txn)
{
	struct log_facts facts;
	struct cause cause;

	if (changelog_verify(txn, &facts, &cause))
		fail_msg("%s", cause.text);
	return facts;
}

/* Up to `at`, as `audit prune` does it. */
static void prune(struct db *db, uint64_t at)
{
	struct change change = { .type = CHANGE_AUDIT_PRUNE,
				 .id = at,
				 .now = NOW + 20 };
	AUTO(txn) struct txn txn;
	AUTO(cursor) struct cursor cursor;
	struct key8 key = key_u64(at);
	struct log_entry entry;

	txn_read(db, &txn);
	cursor_open(&txn, TABLE_LOG, STR_OF(key.at), &cursor);
	assert_true(cursor_next(&cursor));
	assert_int_equal(changelog_unpack(&cursor, &entry), E_OK);
	change.digest = entry.digest;
	cursor_cleanup(&cursor);
	txn_cleanup(&txn);
	done(db, change);
}

static void a_pruned_log_is_verified(void **state)
{
	enum { AT = 5 };
	struct fixture f;
	struct cause cause;
	struct log_facts facts;
	struct log_gap gap = { 0 };

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	prune(f.db, AT);
	{
		AUTO(txn) struct txn txn;

		txn_write(f.db, &txn);
		facts = verified(&txn);
		assert_int_equal(facts.anchor.number, AT);
		assert_int_equal(facts.count, LAST - AT + 1);
		assert_int_equal(facts.head.number, LAST + 1);
		assert_false(changelog_next_gap(&txn, &gap));
		tamper(&txn, FLIP, AT + 1, 0);
		assert_int_equal(changelog_verify(&txn, &facts, &cause),
				 E_CORRUPT);
		assert_non_null(strstr(cause.text, "entry 6 was changed;"));
	}
	{ /* What was pruned does not come back, nor does more of it go. */
		AUTO(txn) struct txn txn;

		txn_write(f.db, &txn);
		tamper(&txn, LOSE, AT + 1, 0);
		assert_int_equal(changelog_verify(&txn, &facts, &cause),
				 E_CORRUPT);
		assert_non_null(strstr(cause.text, "entry 6 is missing"));
	}
	prune(f.db, LAST + 1); /* all: the prune of the prune is left */
	{
		AUTO(txn) struct txn txn;

		txn_write(f.db, &txn);
		facts = verified(&txn);
		assert_int_equal(facts.count, 1);
		assert_int_equal(facts.head.number, LAST + 2);
		txn_remove(&txn, TABLE_META, STR("log_anchor"));
		assert_int_equal(changelog_verify(&txn, &facts, &cause),
				 E_CORRUPT);
		assert_non_null(strstr(cause.text, "1 to 14 are missing"));
	}
	fixture_close(&f);
}

static struct log_end end_at(struct txn *txn, uint64_t number)
{
	struct log_end end = { .number = number };
	struct pack pack = { 0 }, record = entry_at(txn, number);

	pack_u64(&pack, number);
	pack_bytes(&pack, pack_str(&record));
	assert_int_equal(secret_digest(pack_str(&pack), &end.digest), E_OK);
	return end;
}

/* A head or an anchor, with the hash that it must have. */
static void put_end(struct txn *txn, const char *name, uint64_t number)
{
	struct log_end end = end_at(txn, number);
	struct pack value = { 0 };

	pack_u64(&value, end.number);
	pack_bytes(&value, digest_str(&end.digest));
	txn_put(txn, TABLE_META, str_of(name), pack_str(&value));
}

/* Drops entries up to `at` and says that they were pruned. */
static void forge_anchor(struct txn *txn, uint64_t from, uint64_t at)
{
	put_end(txn, "log_anchor", at);
	lose(txn, from, at);
}

/* Where the anchor is put, where a prune before ended. */
static const struct {
	const char *rule;
	uint64_t anchor, pruned;
} anchors[] = {
	{ "nothing was ever pruned", 3, 0 },
	{ "less was pruned", 7, 5 },
	{ "all but the prune", LAST, 5 },
};

static void an_anchor_that_no_prune_has_left(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(anchors); i++) {
		AUTO(txn) struct txn txn = { 0 };
		struct log_facts facts;
		struct cause cause;
		struct fixture f;

		print_message("%s\n", anchors[i].rule);
		fixture_open(&f);
		set_up(f.db);
		if (anchors[i].pruned)
			prune(f.db, anchors[i].pruned);
		txn_write(f.db, &txn);
		verified(&txn);
		forge_anchor(&txn, anchors[i].pruned + 1, anchors[i].anchor);
		assert_int_equal(changelog_verify(&txn, &facts, &cause),
				 E_CORRUPT);
		assert_non_null(strstr(cause.text, "the anchor of the log is"));
		txn_cleanup(&txn);
		fixture_close(&f);
	}
}

static void a_prune_of_what_is_not_there_is_refused(void **state)
{
	struct change change = { .type = CHANGE_AUDIT_PRUNE, .id = 3 };
	struct fixture f;

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	assert_int_equal(do_change(f.db, &change), E_NOT_FOUND);
	change.id = LAST + 1;
	assert_int_equal(do_change(f.db, &change), E_NOT_FOUND);
	fixture_close(&f);
}

/* Of a log that was cut, with a head that fits: only a kept head finds it. */
static void a_kept_head(void **state)
{
	struct log_end old, kept;
	struct log_facts facts;
	struct cause cause;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	{
		AUTO(txn) struct txn txn;

		txn_write(f.db, &txn);
		kept = verified(&txn).head;
		old = end_at(&txn, 3);
		assert_int_equal(changelog_check_head(&txn, &kept, &cause),
				 E_OK);
		assert_int_equal(changelog_check_head(&txn, &old, &cause),
				 E_OK);
		lose(&txn, 11, LAST);
		put_end(&txn, "log", 10);
		assert_int_equal(changelog_verify(&txn, &facts, &cause), E_OK);
		assert_int_equal(changelog_check_head(&txn, &kept, &cause),
				 E_CORRUPT);
		assert_non_null(strstr(cause.text, "ends with entry 10"));
		kept.number = 10;
		assert_int_equal(changelog_check_head(&txn, &kept, &cause),
				 E_CORRUPT);
		assert_non_null(strstr(cause.text, "entry 10 is another one"));
	}
	prune(f.db, 5);
	{
		AUTO(txn) struct txn txn;
		struct log_end anchor;

		txn_read(f.db, &txn);
		changelog_anchor(&txn, &anchor);
		assert_int_equal(changelog_check_head(&txn, &anchor, &cause),
				 E_OK);
		anchor.digest.at[0] ^= 1;
		assert_int_equal(changelog_check_head(&txn, &anchor, &cause),
				 E_CORRUPT);
		assert_int_equal(changelog_check_head(&txn, &old, &cause),
				 E_NOT_FOUND);
		assert_non_null(strstr(cause.text, "was pruned"));
	}
	fixture_close(&f);
}

static void a_head_that_is_set_back(void **state)
{
	struct log_facts facts;
	struct cause cause;
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	txn_write(f.db, &txn);
	put_end(&txn, "log", LAST - 1);
	assert_int_equal(changelog_verify(&txn, &facts, &cause), E_CORRUPT);
	assert_non_null(strstr(cause.text, "entry 13 was added;"));
	txn_cleanup(&txn);
	fixture_close(&f);
}

/* Of no entries it says that there are none, but if nobody can read it. */
static void a_head_that_cannot_be_read(void **state)
{
	struct log_facts facts;
	struct cause cause;
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	verified(&txn);
	txn_put(&txn, TABLE_META, STR("log"), STR("x"));
	assert_int_equal(changelog_verify(&txn, &facts, &cause), E_CORRUPT);
	assert_non_null(strstr(cause.text, "cannot read the log"));
	txn_cleanup(&txn);
	fixture_close(&f);
}

/* As after a restore into a store whose head was number 40. */
static void a_restore_leaves_numbers_out(void **state)
{
	struct log_end lost = { .number = 40, .digest = { { 4 } } };
	struct log_gap gap = { 0 };
	struct log_facts facts;
	struct cause cause;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	done(f.db, (struct change) { .type = CHANGE_RESTORE,
				     .id = lost.number,
				     .digest = lost.digest });
	add_user(f.db, "later", 0);
	AUTO(txn) struct txn txn;
	txn_write(f.db, &txn);
	assert_true(changelog_next_gap(&txn, &gap));
	assert_int_equal(gap.from, LAST + 1);
	assert_int_equal(gap.to, 40);
	assert_int_equal(gap.restore, 41);
	assert_int_equal(gap.at, NOW);
	assert_false(changelog_next_gap(&txn, &gap));
	facts = verified(&txn);
	assert_int_equal(facts.count, LAST + 2);
	assert_int_equal(facts.head.number, 42);
	assert_int_equal(changelog_check_head(&txn, &lost, &cause), E_OK);
	lost.number = 39;
	assert_int_equal(changelog_check_head(&txn, &lost, &cause),
			 E_NOT_FOUND);
	assert_non_null(strstr(cause.text, "39 was lost by the restore of"));
	lose(&txn, LAST, LAST);
	assert_int_equal(changelog_verify(&txn, &facts, &cause), E_CORRUPT);
	txn_cleanup(&txn);
	fixture_close(&f);
}

/* It says that 40 was lost, and is number 14 itself: then it was not. */
static void a_restore_that_leaves_too_few_out(void **state)
{
	struct log_facts facts;
	struct cause cause;
	struct pack entry;
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	done(f.db, (struct change) { .type = CHANGE_RESTORE, .id = 40 });
	txn_write(f.db, &txn);
	entry = entry_at(&txn, 41);
	lose(&txn, 41, 41);
	put_at(&txn, LAST + 1, &entry);
	put_end(&txn, "log", LAST + 1);
	assert_int_equal(changelog_verify(&txn, &facts, &cause), E_CORRUPT);
	txn_cleanup(&txn);
	fixture_close(&f);
}

/* Not cut short and kept so. */
static void what_is_too_large_is_not_kept(void **state)
{
	static char name[RECORD_MAX + 1];
	struct change change = { .type = CHANGE_USER_ADD,
				 .now = NOW,
				 .user = { name, sizeof(name) } };
	struct fixture f;
	struct txn txn;

	(void)state;
	memset(name, 'x', sizeof(name));
	fixture_open(&f);
	txn_write(f.db, &txn);
	changelog_append(&txn, &change);
	assert_int_equal(txn.err, E_LIMIT);
	txn_cleanup(&txn);
	fixture_close(&f);
}

/* The head is of another entry than the newest that there is. */
static void when_the_newest_was_made(void **state)
{
	struct fixture f;
	struct txn txn;
	int64_t when;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	assert_int_equal(changelog_newest(&txn, &when), E_OK);
	assert_int_equal(when, 0);
	txn_cleanup(&txn);
	set_up(f.db);
	txn_write(f.db, &txn);
	assert_int_equal(changelog_newest(&txn, &when), E_OK);
	assert_int_equal(when, NOW);
	tamper(&txn, ADD, LAST + 1, 0);
	lose(&txn, LAST, LAST);
	assert_int_equal(changelog_newest(&txn, &when), E_CORRUPT);
	assert_int_equal(when, 0);
	txn_cleanup(&txn);
	fixture_close(&f);
}

static void names(void **state)
{
	enum change_type type;

	(void)state;
	assert_string_equal(change_name(CHANGE_TOKEN_ADD), "token_add");
	assert_string_equal(change_name((enum change_type)99), "unknown");
	assert_int_equal(change_by_name(STR("token_add"), &type), E_OK);
	assert_int_equal(type, CHANGE_TOKEN_ADD);
	assert_int_equal(change_by_name(STR("unknown"), &type), E_NOT_FOUND);
	assert_int_equal(type, 0);
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

/* Two of one second may have: it is said of none, unless one says so. */
static void who_revoked_one_of_two_that_may_have(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	done(f.db, (struct change) { .type = CHANGE_USER_REMOVE,
				     .now = NOW + 9,
				     .yes = 1,
				     .user = STR("bob") });
	assert_int_equal(revoked_by(f.db, 2, "cli:root", CHANGE_USER_REMOVE),
			 E_OK);
	done(f.db, (struct change) { .type = CHANGE_SPACE_REMOVE,
				     .now = NOW + 9,
				     .path = STR("p"),
				     .kind = SPACE_PROJECT,
				     .yes = 1 });
	assert_int_equal(revoked_by(f.db, 2, "", CHANGE_USER_REMOVE),
			 E_NOT_FOUND);
	done(f.db, (struct change) { .type = CHANGE_TOKEN_REVOKE,
				     .now = NOW + 9,
				     .actor = STR("job:lifetime"),
				     .id = 1 });
	assert_int_equal(
		revoked_by(f.db, 1, "job:lifetime", CHANGE_TOKEN_REVOKE), E_OK);
	fixture_close(&f);
}

/* Where a restore left numbers out, and behind what was pruned. */
static void who_revoked_one_where_entries_are_missing(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	set_up(f.db);
	done(f.db, (struct change) { .type = CHANGE_TOKEN_REVOKE,
				     .now = NOW + 5,
				     .actor = STR("root"),
				     .id = 1 });
	done(f.db, (struct change) { .type = CHANGE_RESTORE,
				     .now = NOW + 6,
				     .id = 1000 });
	done(f.db, (struct change) { .type = CHANGE_USER_REMOVE,
				     .now = NOW + 9,
				     .actor = STR("root"),
				     .yes = 1,
				     .user = STR("bob") });
	assert_int_equal(revoked_by(f.db, 1, "root", CHANGE_TOKEN_REVOKE),
			 E_OK);
	assert_int_equal(revoked_by(f.db, 2, "root", CHANGE_USER_REMOVE), E_OK);
	prune(f.db, LAST);
	assert_int_equal(revoked_by(f.db, 1, "root", CHANGE_TOKEN_REVOKE),
			 E_OK);
	prune(f.db, LAST + 1);
	assert_int_equal(revoked_by(f.db, 1, "", CHANGE_TOKEN_REVOKE),
			 E_NOT_FOUND);
	assert_int_equal(revoked_by(f.db, 2, "root", CHANGE_USER_REMOVE), E_OK);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_revoked_a_token),
		cmocka_unit_test(who_revoked_one_where_entries_are_missing),
		cmocka_unit_test(who_revoked_one_of_two_that_may_have),
		cmocka_unit_test(when_the_newest_was_made),
		cmocka_unit_test(what_is_too_large_is_not_kept),
		cmocka_unit_test(names),
		cmocka_unit_test(packed_form),
		cmocka_unit_test(log_entry_form),
		cmocka_unit_test(tampering_is_found),
		cmocka_unit_test(a_pruned_log_is_verified),
		cmocka_unit_test(an_anchor_that_no_prune_has_left),
		cmocka_unit_test(a_prune_of_what_is_not_there_is_refused),
		cmocka_unit_test(a_kept_head),
		cmocka_unit_test(a_head_that_is_set_back),
		cmocka_unit_test(a_head_that_cannot_be_read),
		cmocka_unit_test(a_restore_leaves_numbers_out),
		cmocka_unit_test(a_restore_that_leaves_too_few_out),
	};

	return cmocka_run_group_tests_name("changelog", tests, NULL, NULL);
}
