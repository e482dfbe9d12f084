/*
 * server/password.h - crypt(5) hashes: made for the CLI, checked by one or two
 * threads of their own, as a hash takes longer than a thousand tokens.
 */
#pragma once

#include "token/base.h"

enum {
	PASSWORD_QUEUE = 64,   /* waiting; then E_BUSY */
	PASSWORD_TEXT = 384,   /* of a hash, crypt(5)'s CRYPT_OUTPUT_SIZE */
	PASSWORD_RANDOM = 16,  /* bytes of salt */
	PASSWORD_LEN_MAX = 511 /* libcrypt takes no more */
};

/*
 * The yescrypt text ("$y$...") of a password, NUL-terminated, with `random` as
 * its salt (PASSWORD_RANDOM bytes or more). E_LIMIT: longer than
 * PASSWORD_LEN_MAX; E_SYNTAX: empty or with a NUL. *out is "" unless E_OK.
 */
enum err password_hash(struct str password, struct str random,
		       char out[PASSWORD_TEXT]) MUST_CHECK;

struct password_pool;

/* Its own until done() has been called. */
struct password_job {
	const char *password; /* NUL-terminated */
	const char *hash;     /* "": nobody's; the same work is done */
	bool right;	      /* what came of it */
	void (*done)(struct password_job *job); /* on the pool's thread */
	void *arg;
};

enum err password_pool_start(unsigned threads,
			     struct password_pool **out) MUST_CHECK;
/* How many wait for a thread. From any thread. */
unsigned password_waiting(const struct password_pool *pool);
/* What is queued is forgotten: done() is not called. NULL is fine. */
void password_pool_stop(struct password_pool *pool);
/* From any thread; never blocks. E_BUSY: done() will not be called. */
enum err password_submit(struct password_pool *pool,
			 struct password_job *job) MUST_CHECK;
