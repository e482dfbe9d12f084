/*
 * test/unit/server/test_password.c - server/password: hashes and the pool that
 * compares with them.
 */
#include "test/unit/check.h"

#include <crypt.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#include "server/password.h"

#define X8(c)  c c c c c c c c
#define X72(c) X8(c) X8(c) X8(c) X8(c) X8(c) X8(c) X8(c) X8(c) X8(c)

static struct password_pool *pool;
static sem_t finished;
static _Atomic unsigned done_count;

static void on_done(struct password_job *job)
{
	(void)job;
	atomic_fetch_add(&done_count, 1);
	sem_post(&finished);
}

static bool right(const char *password, const char *hash)
{
	struct password_job job = { .password = password,
				    .hash = hash,
				    .right = true,
				    .done = on_done };

	assert_int_equal(password_submit(pool, &job), E_OK);
	sem_wait(&finished);
	return job.right;
}

/* "htpasswd -nbB": what is in the files that people bring along. */
#define BADMIN "$2y$05$LO.vzwpWC5LZGqThvEfznu8qhb5SGqvBSWY1J3yZ4AxtMRZ3kN5jC"

static const struct {
	const char *rule, *password, *of; /* the hash is that of `of` */
	const char *salt;		  /* NULL: `of` is the hash */
	bool right;
} rows[] = {
	{ "yescrypt", "secret", "secret", "$y$", true },
	{ "wrong", "Secret", "secret", "$y$", false },
	{ "one byte more", "secretx", "secret", "$y$", false },
	{ "one byte less", "secre", "secret", "$y$", false },
	{ "none", "", "secret", "$y$", false },
	{ "73 bytes", X72("a") "b", X72("a") "b", "$y$", true },
	{ "the 73rd counts", X72("a") "c", X72("a") "b", "$y$", false },
	{ "bytes above 127", "p&\xc3\xa4:+ %", "p&\xc3\xa4:+ %", "$y$", true },
	{ "bcrypt", "badmin", BADMIN, NULL, true },
	{ "bcrypt, wrong", "Badmin", BADMIN, NULL, false },
	{ "bcrypt, one more", "badmin1", BADMIN, NULL, false },
	{ "bcrypt, 72 bytes", X72("a"), X72("a"), "$2b$", true },
	{ "bcrypt, 71 bytes", X72("a"), X72("a") + 1, "$2b$", false },
	{ "CVE-2024-9683 bcrypt sees no 73rd byte", X72("a") "x", X72("a"),
	  "$2b$", false },
	{ "nor is what it does not see right", X72("a") "x", X72("a") "x",
	  "$2b$", false },
	{ "no hash, no password is right", "", "", NULL, false },
	{ "nobody's", "nobody", "", NULL, false },
	{ "locked", "x", "!", NULL, false },
	{ "what crypt(3) says of a bad hash", "x", "*0", NULL, false },
	{ "and of that one", "x", "*1", NULL, false },
	{ "the hash itself", BADMIN, BADMIN, NULL, false },
	{ "half a hash", "badmin", "$2y$05$LO.vzwpWC5LZGqThvEfznu8", NULL,
	  false },
	{ "no method", "badmin", "badmin", NULL, false },
};

static void comparing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		static const char random[16] = "0123456789abcdef";
		struct crypt_data data = { 0 };
		char salt[CRYPT_GENSALT_OUTPUT_SIZE];
		const char *hash = rows[i].of;

		print_message("%s\n", rows[i].rule);
		if (rows[i].salt) {
			assert_non_null(crypt_gensalt_rn(rows[i].salt, 0,
							 random, sizeof(random),
							 salt, sizeof(salt)));
			hash = crypt_r(rows[i].of, salt, &data);
			assert_memory_equal(hash, rows[i].salt, 3);
		}
		assert_int_equal(right(rows[i].password, hash), rows[i].right);
	}
}

static void hashing(void **state)
{
	static char text[PASSWORD_LEN_MAX + 2];
	const struct str random = STR("0123456789abcdef"),
			 other = STR("0123456789abcdeg");
	char hash[PASSWORD_TEXT], again[PASSWORD_TEXT];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(password_hash(STR("secret"), random, hash), E_OK);
	assert_memory_equal(hash, "$y$", 3);
	assert_true(right("secret", hash));
	assert_int_equal(password_hash(STR("secret"), other, again), E_OK);
	assert_string_not_equal(hash, again);
	assert_int_equal(password_hash(STR(""), random, hash), E_SYNTAX);
	assert_string_equal(hash, "");
	assert_int_equal(password_hash(STR("a\0b"), random, hash), E_SYNTAX);
	assert_string_equal(hash, "");
	assert_int_equal(password_hash((struct str) { text, PASSWORD_LEN_MAX },
				       random, hash),
			 E_OK);
	assert_false(right(text, hash)); /* a byte longer */
	text[PASSWORD_LEN_MAX] = '\0';
	assert_true(right(text, hash));
	text[PASSWORD_LEN_MAX] = 'x';
	assert_int_equal(password_hash(str_of(text), random, hash), E_LIMIT);
	assert_string_equal(hash, "");
}

/* Of too many some are refused; each of the others is done once. */
static void a_full_queue(void **state)
{
	static struct password_job jobs[4 * PASSWORD_QUEUE];
	unsigned before = atomic_load(&done_count), taken = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(jobs); i++) {
		enum err err;

		jobs[i] = (struct password_job) { .password = "x",
						  .hash = BADMIN,
						  .right = true,
						  .done = on_done };
		err = password_submit(pool, &jobs[i]);
		assert_true(err == E_OK || err == E_BUSY);
		taken += !err;
		if (err)
			jobs[i].password = NULL;
	}
	assert_in_range(taken, PASSWORD_QUEUE, COUNT(jobs) - 1);
	for (unsigned i = 0; i < taken; i++)
		sem_wait(&finished);
	assert_int_equal(atomic_load(&done_count) - before, taken);
	for (size_t i = 0; i < COUNT(jobs); i++)
		assert_int_equal(jobs[i].right, !jobs[i].password);
	assert_true(right("badmin", BADMIN));
}

static int start(void **state)
{
	(void)state;
	sem_init(&finished, 0, 0);
	return password_pool_start(2, &pool);
}

static int stop(void **state)
{
	(void)state;
	password_pool_stop(pool);
	password_pool_stop(NULL);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comparing),
		cmocka_unit_test(hashing),
		cmocka_unit_test(a_full_queue),
	};

	return cmocka_run_group_tests_name("password", tests, start, stop);
}
