/*
 * test/unit/server/test_trail.c - server/jobs/trail: each change is a line of
 * the log, once, however many there are at a time.
 */
#include "test/unit/store/fixture.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>

#include "server/jobs/trail.h"
#include "server/log.h"
#include "store/trail.h"
#include "store/verify.h"

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

struct bench {
	struct fixture f;
	struct writer *writer;
	struct trail trail;
	char file[96];
	struct buf text; /* of the file */
};

/* Another life of the server. */
static void open_again(struct bench *bench)
{
	struct cause cause;

	snprintf(bench->file, sizeof(bench->file), "%s/own.log",
		 bench->f.folder);
	assert_int_equal(log_route(bench->file, NULL, &cause), E_OK);
	assert_int_equal(log_start(FORMAT_JSON), E_OK);
	assert_int_equal(writer_start(bench->f.db, &bench->writer), E_OK);
	bench->trail =
		(struct trail) { .db = bench->f.db, .writer = bench->writer };
}

static void bench_open(struct bench *bench)
{
	fixture_open(&bench->f);
	buf_init(&bench->text, 64 << 20);
	open_again(bench);
}

/* As a machine may be slow, not before all lines are out. */
static void end(struct bench *bench)
{
	do {
		trail_turn(&bench->trail);
		poll(NULL, 0, 1);
	} while (bench->trail.len);
	trail_end(&bench->trail);
	assert_true(writer_stop(bench->writer, 10000));
	log_stop();
}

static void bench_close(struct bench *bench)
{
	end(bench);
	buf_done(&bench->text);
	fixture_close(&bench->f);
}

static void read_file(struct bench *bench)
{
	FILE *in = fopen(bench->file, "r");
	char some[4096];
	size_t n;

	assert_non_null(in);
	buf_clear(&bench->text);
	while ((n = fread(some, 1, sizeof(some), in)))
		buf_add(&bench->text, (struct str) { some, n });
	fclose(in);
}

/* Numbers of the lines of changes, which must rise by one from `first` on. */
static uint64_t lines(struct bench *bench, uint64_t first)
{
	struct str rest, line;
	uint64_t next = first;
	char want[64];

	read_file(bench);
	rest = buf_str(&bench->text);
	while (str_cut(&rest, '\n', &line)) {
		if (!memmem(line.at, line.len, "\"event\":\"change\"", 16))
			continue;
		snprintf(want, sizeof(want), "\"number\":%llu,",
			 (unsigned long long)next++);
		if (!memmem(line.at, line.len, want, strlen(want)))
			fail_msg("%s: " STR_FMT, want, STR_ARG(line));
	}
	return next - first;
}

/* Lines of some 600 bytes. */
static void add_users(struct db *db, unsigned n)
{
	static const struct str wide = { X50 X50 X50 X50 "x@x", 203 };
	static char names[4096][16];
	static struct change changes[COUNT(names)], *list[COUNT(names)];
	static unsigned made;

	for (unsigned i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "u%u", made++);
		changes[i] = (struct change) { .type = CHANGE_USER_ADD,
					       .now = NOW,
					       .actor = STR("job"),
					       .user = str_of(names[i]),
					       .text = wide };
		list[i] = &changes[i];
	}
	become_writer();
	assert_int_equal(change_commit(db, list, n), E_OK);
	leave_writer();
}

/* Far more than a ring holds: they wait in the store. */
static void many_at_once(void **state)
{
	enum { MANY = 4000 };
	struct bench bench;

	(void)state;
	bench_open(&bench);
	add_users(bench.f.db, MANY);
	while (bench.trail.out < MANY)
		trail_turn(&bench.trail);
	assert_int_equal(lines(&bench, 1), MANY);
	bench_close(&bench);
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* What cannot be written yet is not put where it would be lost. */
static void no_room(void **state)
{
	enum { MANY = 2000 };
	struct bench bench;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	bench_open(&bench);
	add_users(bench.f.db, MANY);
	limit_files(1);
	for (int i = 0; i < 20; i++)
		trail_turn(&bench.trail);
	limit_files(RLIM_INFINITY);
	assert_true(bench.trail.told > 0 && bench.trail.told < 300);
	assert_int_equal(bench.trail.out, 0);
	while (bench.trail.out < MANY)
		trail_turn(&bench.trail);
	assert_int_equal(lines(&bench, 1), MANY);
	bench_close(&bench);
}

static uint64_t stored(struct db *db)
{
	AUTO(txn) struct txn txn;
	uint64_t number;

	txn_read(db, &txn);
	assert_int_equal(trail_get(&txn, &number), E_OK);
	return number;
}

static void another_life(void **state)
{
	struct bench bench;

	(void)state;
	bench_open(&bench);
	assert_int_equal(stored(bench.f.db), 0);
	add_users(bench.f.db, 3);
	end(&bench);
	assert_int_equal(stored(bench.f.db), 3);
	add_users(bench.f.db, 2);
	open_again(&bench);
	end(&bench);
	assert_int_equal(lines(&bench, 1), 5);
	open_again(&bench);
	bench_close(&bench);
}

/* Whoever can write the store may not hide changes from the log by it. */
static void a_mark_that_is_wrong(void **state)
{
	static const struct str marks[] = {
		{ "x", 1 }, { "\1\0\0\0\0\0\0\0\x63", 9 }, /* 99 */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(marks); i++) {
		struct bench bench;

		bench_open(&bench);
		add_users(bench.f.db, 3);
		{
			AUTO(txn) struct txn txn;

			txn_write(bench.f.db, &txn);
			txn_put(&txn, TABLE_JOB, (struct str) { "\0", 1 },
				marks[i]);
			assert_int_equal(
				observed_sound(&txn, TABLE_JOB,
					       (struct str) { "\0", 1 },
					       marks[i]),
				i == 1);
			assert_int_equal(txn_commit(&txn), E_OK);
		}
		end(&bench);
		assert_int_equal(lines(&bench, 1), 3);
		open_again(&bench);
		bench_close(&bench);
	}
}

/* It is an error of the log, and those after it come all the same. */
static void an_entry_that_cannot_be_read(void **state)
{
	struct bench bench;

	(void)state;
	bench_open(&bench);
	add_users(bench.f.db, 3);
	{
		AUTO(txn) struct txn txn;
		struct key8 key = key_u64(1);

		txn_write(bench.f.db, &txn);
		txn_put(&txn, TABLE_LOG, STR_OF(key.at), STR("x"));
		assert_int_equal(txn_commit(&txn), E_OK);
	}
	end(&bench);
	assert_int_equal(lines(&bench, 2), 2);
	assert_non_null(memmem(bench.text.at, bench.text.len,
			       STR("log entry 1 cannot be read").at, 26));
	open_again(&bench);
	bench_close(&bench);
}

static void refresh_tokens_in_a_row(void **state)
{
	struct bench bench;

	(void)state;
	bench_open(&bench);
	add_users(bench.f.db, 1);
	done(bench.f.db,
	     (struct change) { .type = CHANGE_USER_ADD, .user = STR("alice") });
	add_token(bench.f.db, "alice", "secret", PAT_API, 0);
	for (unsigned char i = 0; i < 5; i++)
		done(bench.f.db, (struct change) { .type = CHANGE_REFRESH_ADD,
						   .id = 1,
						   .text = STR("reg"),
						   .digest = { { i } } });
	end(&bench);
	assert_int_equal(bench.trail.out, 8);
	read_file(&bench);
	assert_non_null(memmem(bench.text.at, bench.text.len,
			       "\"number\":8,\"actor\"", 18));
	assert_non_null(
		memmem(bench.text.at, bench.text.len, "\"count\":5}", 10));
	assert_null(memmem(bench.text.at, bench.text.len, "\"number\":7,", 11));
	open_again(&bench);
	bench_close(&bench);
}

/* As many as are read without a pause, and more: none is read for ever. */
static void very_many_refresh_tokens(void **state)
{
	enum { MANY = 10500, GROUP = 500 };
	static struct change changes[GROUP], *list[GROUP];
	struct bench bench;
	uint64_t number = 0, count = 0;
	struct str rest, line;

	(void)state;
	bench_open(&bench);
	done(bench.f.db,
	     (struct change) { .type = CHANGE_USER_ADD, .user = STR("alice") });
	add_token(bench.f.db, "alice", "secret", PAT_API, 0);
	become_writer();
	for (unsigned i = 0; i < MANY; i++) {
		unsigned at = i % GROUP;

		changes[at] = (struct change) {
			.type = CHANGE_REFRESH_ADD,
			.now = NOW,
			.actor = STR("job"),
			.id = 1,
			.text = STR("reg"),
			.digest = { { (unsigned char)i,
				      (unsigned char)(i >> 8) } },
		};
		list[at] = &changes[at];
		if (at == GROUP - 1)
			assert_int_equal(change_commit(bench.f.db, list, GROUP),
					 E_OK);
	}
	leave_writer();
	/* The log's thread takes them when it is its turn. */
	for (int i = 0; i < 10000 && bench.trail.out < MANY + 2; i++) {
		trail_turn(&bench.trail);
		poll(NULL, 0, 2);
	}
	assert_int_equal(bench.trail.out, MANY + 2);
	read_file(&bench);
	rest = buf_str(&bench.text);
	while (str_cut(&rest, '\n', &line)) {
		const char *at = memmem(line.at, line.len, "\"count\":", 8);

		if (at)
			count += strtoull(at + 8, NULL, 10);
		number += !!at;
	}
	assert_int_equal(count, MANY);
	assert_int_equal(number, 2);
	bench_close(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(no_room),
		cmocka_unit_test(another_life),
		cmocka_unit_test(a_mark_that_is_wrong),
		cmocka_unit_test(an_entry_that_cannot_be_read),
		cmocka_unit_test(refresh_tokens_in_a_row),
		cmocka_unit_test(very_many_refresh_tokens),
	};

	return cmocka_run_group_tests_name("trail", tests, NULL, NULL);
}
