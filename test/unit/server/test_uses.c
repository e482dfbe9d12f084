/*
 * test/unit/server/test_uses.c - server/uses: a use that is noted is written,
 * whoever else is busy, and by what name ever its client goes.
 */
#include "test/unit/store/fixture.h"

#include "server/uses.h"
#include "store/thread.h"
#include "store/used.h"

enum { BATCH = 2048, IDS = 1 << 16 };

struct noted {
	struct fixture f;
	struct uses *uses;
};

static void begin(struct noted *n)
{
	fixture_open(&n->f);
	n->uses = uses_new();
}

static void end(struct noted *n)
{
	uses_free(n->uses);
	fixture_close(&n->f);
}

static void note(struct noted *n, uint64_t pat, const char *client)
{
	uses_note(n->uses, pat, NOW, STR("::1"), str_of(client));
}

/* What the worker and the jobs thread do in a second. */
static void pass(struct noted *n)
{
	struct use_batch *batch;

	uses_pass_on(n->uses);
	batch = uses_take(n->uses);
	if (!batch)
		return;
	become_writer();
	assert_int_equal(deed_commit(n->f.db, uses_write, batch), E_OK);
	leave_writer();
	uses_give_back(n->uses, batch);
}

static bool is_written(struct noted *n, uint64_t pat, const char *client)
{
	AUTO(txn) struct txn txn;
	struct used used;
	enum err err;

	txn_read(n->f.db, &txn);
	err = used_get(&txn, pat, &used);
	if (err)
		assert_int_equal(err, E_NOT_FOUND);
	else if (client && !str_eq(used.client, str_of(client)))
		fail_msg(STR_FMT, STR_ARG(used.client));
	return !err;
}

/* Far apart by any power of two: they may share a place of a table. */
static void busy_tokens_crowd_nobody_out(void **state)
{
	struct noted n;

	(void)state;
	for (unsigned bit = 0; bit < 40; bit++) {
		begin(&n);
		for (uint64_t i = 0; i < 2 * BATCH; i++)
			note(&n, 1 + ((i % 16) << bit), "busy");
		note(&n, 7777777, "daily");
		pass(&n);
		for (uint64_t i = 0; i < 16; i++)
			assert_true(is_written(&n, 1 + (i << bit), "busy"));
		assert_true(is_written(&n, 7777777, "daily"));
		assert_int_equal(uses_lost(n.uses), 0);
		end(&n);
	}
}

/* As long as there are not more in a second than a batch holds. */
static void many_tokens_are_all_written(void **state)
{
	struct noted n;

	(void)state;
	begin(&n);
	for (uint64_t i = 1; i <= IDS; i++) {
		note(&n, i, "one");
		if (i % BATCH == 0)
			pass(&n);
	}
	assert_int_equal(uses_lost(n.uses), 0);
	for (uint64_t i = 1; i <= IDS; i++)
		assert_true(is_written(&n, i, "one"));
	end(&n);
}

static void those_that_do_not_fit_are_counted_and_come_later(void **state)
{
	struct noted n;

	(void)state;
	begin(&n);
	for (uint64_t i = 1; i <= BATCH + 3; i++)
		note(&n, i, "first");
	assert_int_equal(uses_lost(n.uses), 3);
	assert_int_equal(uses_lost(n.uses), 0);
	pass(&n);
	assert_true(is_written(&n, BATCH, "first"));
	assert_false(is_written(&n, BATCH + 1, NULL));
	for (uint64_t i = 1; i <= BATCH + 3; i++)
		note(&n, i, "second");
	assert_int_equal(uses_lost(n.uses), 0);
	pass(&n);
	assert_true(is_written(&n, BATCH, "first"));
	assert_true(is_written(&n, BATCH + 3, "second"));
	end(&n);
}

/* Also while the one before has not been fetched. */
static void a_batch_that_fills_up_says_so(void **state)
{
	struct noted n;

	(void)state;
	begin(&n);
	note(&n, 1, "few");
	uses_pass_on(n.uses);
	assert_false(uses_hurry(n.uses));
	for (uint64_t i = 2; i < 2 + BATCH / 2 + 1; i++)
		note(&n, i, "many");
	uses_pass_on(n.uses);
	assert_true(uses_hurry(n.uses));
	pass(&n);
	pass(&n);
	assert_true(is_written(&n, 2 + BATCH / 2, "many"));
	end(&n);
}

#define X60 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
static const struct {
	const char *rule, *client, *written;
} rows[] = {
	{ "a client says who it is", "docker/27.0", "docker/27.0" },
	{ "or does not", "", "" },
	{ "in its own letters", "h\xc3\xa9lm", "h\xc3\xa9lm" },
	{ "64 bytes of it", X60 "12345", X60 "1234" },
	{ "and no part of a letter", X60 "123\xc3\xa9", X60 "123" },
	{ "however long that is", X60 "12\xe2\x82\xac", X60 "12" },
	{ "one that fits", X60 "1\xe2\x82\xac", X60 "1\xe2\x82\xac" },
	{ "no secret", "my glpat-abcdefghij0123456789",
	  "my glpat-********************" },
	{ "nor a part of one", X60 "glpat-abcdefghij0123456789", X60 "glpa" },
	{ "with a prefix of one's own",
	  "xxxxxxxxxx xxxxxxxxxx xxxxxxxxxx xxxxxxxx "
	  "acme-AQIDBAAAAAAAAAAAAIUN",
	  "xxxxxxxxxx xxxxxxxxxx xxxxxxxxxx xxxxxxxx acme-*****************" },
	{ "no escape", "\x1b[31mred", "?[31mred" },
	{ "not as one byte",
	  "a\x9b"
	  "b",
	  "a?b" },
	{ "nor as two",
	  "a\xc2\x9b"
	  "b",
	  "a??b" },
	{ "nothing from right to left",
	  "a\xe2\x80\xae"
	  "b",
	  "a???b" },
	{ "no line of its own", "a\r\nrepositories: all",
	  "a??repositories: all" },
};

static void names_of_clients(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct noted n;

		print_message("%s\n", rows[i].rule);
		begin(&n);
		note(&n, 1, rows[i].client);
		pass(&n);
		assert_true(is_written(&n, 1, rows[i].written));
		end(&n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(busy_tokens_crowd_nobody_out),
		cmocka_unit_test(many_tokens_are_all_written),
		cmocka_unit_test(
			those_that_do_not_fit_are_counted_and_come_later),
		cmocka_unit_test(a_batch_that_fills_up_says_so),
		cmocka_unit_test(names_of_clients),
	};

	return cmocka_run_group_tests_name("uses", tests, NULL, NULL);
}
