/*
 * server/password.c - see the header. The queue is a ring without locks
 * (D. Vyukov's bounded queue): a slot's turn says whose it is; the semaphore
 * counts what is in it.
 */
#include "server/password.h"

#include <crypt.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

static_assert(PASSWORD_TEXT == CRYPT_OUTPUT_SIZE, "as crypt.h says");
static_assert(PASSWORD_LEN_MAX == CRYPT_MAX_PASSPHRASE_SIZE - 1,
	      "as crypt.h says");

enum {
	THREADS_MAX = 2,
	BCRYPT_SEES = 72 /* bytes of a password */
};

struct slot {
	_Atomic unsigned turn;
	struct password_job *job;
};

struct password_pool {
	_Atomic unsigned head, tail;
	_Atomic bool ends;
	sem_t filled;
	unsigned threads;
	pthread_t thread[THREADS_MAX];
	char nobody[PASSWORD_TEXT]; /* the hash of no user */
	struct slot slots[PASSWORD_QUEUE];
};

enum err password_hash(struct str password, struct str random,
		       char out[PASSWORD_TEXT])
{
	struct crypt_data *data;
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];
	char text[PASSWORD_LEN_MAX + 1] = { 0 };
	const char *got = NULL;

	out[0] = '\0';
	if (!password.len || memchr(password.at, '\0', password.len))
		return E_SYNTAX;
	if (password.len > PASSWORD_LEN_MAX)
		return E_LIMIT;
	assert(random.len >= PASSWORD_RANDOM);
	data = calloc(1, sizeof(*data));
	if (!data)
		return E_MEMORY;
	memcpy(text, password.at, password.len);
	if (crypt_gensalt_rn("$y$", 0, random.at, (int)random.len, salt,
			     sizeof(salt)))
		got = crypt_r(text, salt, data);
	if (got && got[0] == '$')
		memcpy(out, got, strnlen(got, PASSWORD_TEXT - 1) + 1);
	OPENSSL_cleanse(text, sizeof(text));
	OPENSSL_cleanse(data, sizeof(*data));
	free(data);
	return out[0] ? E_OK : E_CRYPTO;
}

/* What bcrypt does not see must not be right, whatever stands there. */
static bool seen_whole(const char *password, const char *hash)
{
	return strncmp(hash, "$2", 2) || strlen(password) <= BCRYPT_SEES;
}

static bool matches(const char *password, const char *hash,
		    struct crypt_data *data)
{
	const char *got = crypt_r(password, hash, data);
	size_t len = strlen(hash);

	return got && got[0] != '*' && strlen(got) == len &&
	       CRYPTO_memcmp(got, hash, len) == 0 && seen_whole(password, hash);
}

/* A hash is worked out even where there is none to compare with. */
static void check(const struct password_pool *pool, struct password_job *job,
		  struct crypt_data *data)
{
	bool known = job->hash[0] != '\0';
	bool same =
		matches(job->password, known ? job->hash : pool->nobody, data);

	job->right = known && same;
	OPENSSL_cleanse(data, sizeof(*data));
	job->done(job);
}

static struct password_job *queue_take(struct password_pool *pool)
{
	unsigned at = atomic_load(&pool->tail);
	struct slot *slot;
	struct password_job *job;

	for (;;) {
		slot = &pool->slots[at % PASSWORD_QUEUE];
		if (atomic_load(&slot->turn) != at + 1)
			at = atomic_load(&pool->tail);
		else if (atomic_compare_exchange_weak(&pool->tail, &at, at + 1))
			break;
	}
	job = slot->job;
	atomic_store(&slot->turn, at + PASSWORD_QUEUE);
	return job;
}

static void *on_thread(void *arg)
{
	struct password_pool *pool = arg;
	struct crypt_data *data = calloc(1, sizeof(*data));

	assert(data);
	for (;;) {
		while (sem_wait(&pool->filled))
			;
		if (atomic_load(&pool->ends))
			break;
		check(pool, queue_take(pool), data);
	}
	free(data);
	return NULL;
}

enum err password_submit(struct password_pool *pool, struct password_job *job)
{
	unsigned at = atomic_load(&pool->head);
	struct slot *slot;

	for (;;) {
		unsigned turn;

		slot = &pool->slots[at % PASSWORD_QUEUE];
		turn = atomic_load(&slot->turn);
		if ((int)(turn - at) < 0)
			return E_BUSY;
		if (turn != at)
			at = atomic_load(&pool->head);
		else if (atomic_compare_exchange_weak(&pool->head, &at, at + 1))
			break;
	}
	slot->job = job;
	atomic_store(&slot->turn, at + 1);
	sem_post(&pool->filled);
	return E_OK;
}

enum err password_pool_start(unsigned threads, struct password_pool **out)
{
	struct password_pool *pool = calloc(1, sizeof(*pool));
	unsigned char random[2 * PASSWORD_RANDOM];
	enum err err;

	*out = NULL;
	assert(threads >= 1 && threads <= THREADS_MAX);
	if (!pool)
		return E_MEMORY;
	for (unsigned i = 0; i < PASSWORD_QUEUE; i++)
		atomic_init(&pool->slots[i].turn, i);
	sem_init(&pool->filled, 0, 0);
	err = RAND_bytes(random, sizeof(random)) == 1 ? E_OK : E_CRYPTO;
	if (!err)
		err = password_hash(STR("nobody"), STR_OF(random),
				    pool->nobody);
	while (!err && pool->threads < threads) {
		if (pthread_create(&pool->thread[pool->threads], NULL,
				   on_thread, pool))
			err = E_MEMORY;
		else
			pool->threads++;
	}
	if (err) {
		password_pool_stop(pool);
		return err;
	}
	*out = pool;
	return E_OK;
}

void password_pool_stop(struct password_pool *pool)
{
	if (!pool)
		return;
	atomic_store(&pool->ends, true);
	for (unsigned i = 0; i < pool->threads; i++)
		sem_post(&pool->filled);
	for (unsigned i = 0; i < pool->threads; i++)
		pthread_join(pool->thread[i], NULL);
	sem_destroy(&pool->filled);
	free(pool);
}

/* The ends are read one after the other: at worst one is left out. */
unsigned password_waiting(const struct password_pool *pool)
{
	unsigned tail = atomic_load(&pool->tail);

	return atomic_load(&pool->head) - tail;
}
