/*
 * test/unit/store/test_writer.c - store/writer: many threads queue, one
 * writes; each hears once, and only of what is on disk.
 */
#include "test/unit/store/fixture.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "store/steady.h"
#include "store/writer.h"

enum { THREADS = 64, EACH = 8, LONG = 10000 /* ms */ };

/* How often this thread has taken a mutex; not under the sanitizers, whose own
 * that function is. */
static _Thread_local int locks;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_LOCKS 0
#else
#define COUNTS_LOCKS 2 /* to withdraw it, and to see that it was the last */

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	static _Atomic(int (*)(pthread_mutex_t *)) real;
	int (*lock)(pthread_mutex_t *) = atomic_load(&real);

	if (!lock) {
		*(void **)&lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
		atomic_store(&real, lock);
	}
	locks++;
	return lock(mutex);
}
#endif

struct client {
	struct fixture *f;
	struct writer *writer;
	int number;
	char names[EACH][32];
	struct change changes[EACH];
	atomic_int heard, unseen;
};

/* On the writer's thread: what it says is done must be there. */
static void on_done(struct change *change, void *arg)
{
	struct client *client = arg;
	AUTO(txn) struct txn txn;
	struct user user;

	txn_read(client->f->db, &txn);
	if (change->result || user_find(&txn, change->user, &user) ||
	    user.id != change->new_id)
		atomic_fetch_add(&client->unseen, 1);
	atomic_fetch_add(&client->heard, 1);
}

static void *submit_all(void *arg)
{
	struct client *client = arg;

	for (int i = 0; i < EACH; i++) {
		int len = snprintf(client->names[i], sizeof(client->names[i]),
				   "user%d-%d", client->number, i);

		client->changes[i] = (struct change) {
			.type = CHANGE_USER_ADD,
			.now = NOW,
			.actor = STR("test"),
			.user = { client->names[i], (size_t)len },
		};
		if (writer_submit(client->writer, &client->changes[i], on_done,
				  client))
			atomic_fetch_add(&client->unseen, 1);
	}
	return NULL;
}

static void many_threads(void **state)
{
	static struct client clients[THREADS];
	pthread_t threads[THREADS];
	struct writer *writer;
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	assert_int_equal(writer_start(f.db, &writer), E_OK);
	for (int i = 0; i < THREADS; i++) {
		clients[i].f = &f;
		clients[i].writer = writer;
		clients[i].number = i;
		assert_int_equal(pthread_create(&threads[i], NULL, submit_all,
						&clients[i]),
				 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_true(writer_stop(writer, LONG)); /* what is queued, too */
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(atomic_load(&clients[i].heard), EACH);
		assert_int_equal(atomic_load(&clients[i].unseen), 0);
	}
	txn_read(f.db, &txn);
	assert_int_equal(txn_count(&txn, TABLE_USER), THREADS * EACH);
	assert_int_equal(txn_count(&txn, TABLE_LOG), THREADS * EACH);
	txn_cleanup(&txn);
	fixture_close(&f);
}

static void count_done(struct change *change, void *arg)
{
	assert_int_equal(change->result, E_OK);
	++*(int *)arg;
}

/* While somebody else writes, the queue fills, and nobody waits. */
static void full_queue_is_busy(void **state)
{
	enum { MORE = 3000 };
	static struct change changes[MORE];
	struct writer *writer;
	struct fixture f;
	struct txn txn;
	int taken = 0, heard = 0;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	assert_int_equal(writer_start(f.db, &writer), E_OK);
	for (int i = 0; i < MORE; i++) {
		changes[i] = (struct change) {
			.type = CHANGE_SETTING_PUT,
			.now = NOW,
			.text = STR("enforce_token_expiry"),
			.value = STR("true"),
		};
		if (writer_submit(writer, &changes[i], count_done, &heard) ==
		    E_OK)
			taken++;
		else
			break;
	}
	/* What is queued, and perhaps what the thread holds. */
	assert_true(taken >= 1024 && taken <= 2048);
	assert_int_equal(writer_submit(writer, &changes[0], count_done, &heard),
			 E_BUSY);
	txn_cleanup(&txn);
	assert_true(writer_stop(writer, LONG));
	assert_int_equal(heard, taken);
	assert_true(writer_stop(NULL, 0));
	fixture_close(&f);
}

/* Stopped, or in a debugger, in the midst of a command: we need not wait. */
static void held_by_another(void **state)
{
	struct change change = { .type = CHANGE_GROUP_ADD,
				 .now = NOW,
				 .path = STR("g") };
	struct change later = change;
	struct writer *writer;
	struct fixture f;
	struct txn txn;
	int heard = 0;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	assert_int_equal(writer_start(f.db, &writer), E_OK);
	assert_int_equal(writer_submit(writer, &change, count_done, &heard),
			 E_OK);
	assert_false(writer_stop(writer, 50));
	assert_int_equal(heard, 0);
	/* It takes no more: who knows whether anybody comes for it. */
	assert_int_equal(writer_submit(writer, &later, count_done, &heard),
			 E_BUSY);
	txn_cleanup(&txn);
	assert_true(writer_stop(writer, LONG));
	assert_int_equal(heard, 1);
	fixture_close(&f);
}

static void count_busy(struct change *change, void *arg)
{
	assert_int_equal(change->result, E_BUSY);
	++*(int *)arg;
}

static void await_writer(struct writer *writer)
{
	while (!writer_wait(writer))
		sched_yield();
}

/* Of what has waited too long; it is not done later. */
static void withdrawn(void **state)
{
	enum { OLD = 150 };
	static struct change old[OLD];
	struct change later = { .type = CHANGE_GROUP_ADD,
				.now = NOW,
				.path = STR("later") };
	struct writer *writer;
	struct fixture f;
	struct txn txn;
	int busy = 0, done = 0;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	assert_int_equal(writer_start(f.db, &writer), E_OK);
	writer_expire(writer, 0); /* nothing is there */
	for (int i = 0; i < OLD; i++) {
		old[i] = later;
		old[i].path = STR("old");
		assert_int_equal(
			writer_submit(writer, &old[i], count_busy, &busy),
			E_OK);
	}
	await_writer(writer);
	writer_expire(writer, LONG);
	assert_int_equal(busy, 0);
	writer_expire(writer, 0);
	assert_int_equal(busy, OLD);
	assert_int_equal(writer_waiting(writer), 0);
	/* And those that come after them. */
	assert_int_equal(writer_submit(writer, &old[0], count_busy, &busy),
			 E_OK);
	writer_expire(writer, LONG);
	assert_int_equal(busy, OLD);
	locks = 0;
	writer_expire(writer, LONG);
	assert_int_equal(locks, 0);
	writer_expire(writer, 0);
	assert_int_equal(busy, OLD + 1);
	assert_int_equal(locks, COUNTS_LOCKS);
	assert_int_equal(writer_submit(writer, &later, count_done, &done),
			 E_OK);
	txn_cleanup(&txn);
	assert_true(writer_stop(writer, LONG));
	assert_int_equal(busy, OLD + 1);
	assert_int_equal(done, 1);
	txn_read(f.db, &txn);
	assert_int_equal(txn_count(&txn, TABLE_SPACE), 1);
	txn_cleanup(&txn);
	fixture_close(&f);
}

/* What was too young the first time is not forgotten, though nobody comes
 * after it. */
static void the_younger_are_withdrawn_later(void **state)
{
	enum { BETWEEN = 300 }; /* ms */
	struct change changes[2] = {
		{ .type = CHANGE_GROUP_ADD, .now = NOW, .path = STR("old") },
		{ .type = CHANGE_GROUP_ADD, .now = NOW, .path = STR("young") }
	};
	struct writer *writer;
	struct fixture f;
	struct txn txn;
	int64_t at = 0;
	int busy = 0;

	(void)state;
	fixture_open(&f);
	txn_write(f.db, &txn);
	assert_int_equal(writer_start(f.db, &writer), E_OK);
	for (size_t i = 0; i < COUNT(changes); i++) {
		while (at && steady_ms() < at + BETWEEN)
			sched_yield();
		assert_int_equal(
			writer_submit(writer, &changes[i], count_busy, &busy),
			E_OK);
		if (!i)
			at = steady_ms();
	}
	await_writer(writer);
	writer_expire(writer, steady_ms() - at);
	assert_int_equal(busy, 1);
	writer_expire(writer, 0);
	assert_int_equal(busy, 2);
	txn_cleanup(&txn);
	assert_true(writer_stop(writer, LONG));
	assert_int_equal(busy, 2);
	fixture_close(&f);
}

struct deeds {
	struct writer *writer;
	int number;
	bool seen;
};

static enum err add_row(struct txn *txn, void *arg)
{
	struct deeds *deeds = arg;
	struct key8 key = key_u64((uint64_t)deeds->number + 1);

	txn_put(txn, TABLE_TOLD, STR_OF(key.at), STR("x"));
	return deeds->number % 2 ? E_REFUSED : txn->err;
}

static void *do_one(void *arg)
{
	struct deeds *deeds = arg;
	enum err want = deeds->number % 2 ? E_REFUSED : E_OK;

	deeds->seen = writer_do(deeds->writer, add_row, deeds) == want;
	return NULL;
}

/* Beside changes; one that fails has written nothing, and none is logged. */
static void deeds_are_done_or_undone(void **state)
{
	static struct deeds deeds[THREADS];
	pthread_t threads[THREADS];
	struct writer *writer;
	struct fixture f;
	struct txn txn;

	(void)state;
	fixture_open(&f);
	assert_int_equal(writer_start(f.db, &writer), E_OK);
	for (int i = 0; i < THREADS; i++) {
		deeds[i] = (struct deeds) { writer, i, false };
		assert_int_equal(
			pthread_create(&threads[i], NULL, do_one, &deeds[i]),
			0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_true(deeds[i].seen);
	}
	assert_true(writer_stop(writer, LONG));
	txn_read(f.db, &txn);
	assert_int_equal(txn_count(&txn, TABLE_TOLD), THREADS / 2);
	assert_int_equal(txn_count(&txn, TABLE_LOG), 0);
	txn_cleanup(&txn);
	fixture_close(&f);
}

static enum err fail_as(struct txn *txn, void *err)
{
	(void)txn;
	return *(enum err *)err;
}

/* What found nothing to do, or may not, has not failed. */
static void failures_are_counted(void **state)
{
	static const struct {
		enum err err;
		uint64_t failed; /* by then */
	} rows[] = {
		{ E_OK, 0 }, { E_NOT_FOUND, 0 }, { E_REFUSED, 0 },
		{ E_IO, 1 }, { E_FULL, 2 },	 { E_OK, 2 },
	};
	struct writer *writer;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	assert_int_equal(writer_start(f.db, &writer), E_OK);
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum err err = rows[i].err;

		assert_int_equal(writer_do(writer, fail_as, &err), err);
		assert_int_equal(writer_failed(writer), rows[i].failed);
	}
	assert_true(writer_stop(writer, LONG));
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deeds_are_done_or_undone),
		cmocka_unit_test(many_threads),
		cmocka_unit_test(full_queue_is_busy),
		cmocka_unit_test(held_by_another),
		cmocka_unit_test(withdrawn),
		cmocka_unit_test(the_younger_are_withdrawn_later),
		cmocka_unit_test(failures_are_counted),
	};

	return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
