/*
 * test/bench/fill.c - a large store in minutes:
 *
 *   fill STORE TOKENS USERS SAMPLE N
 *
 * USERS users with a public project each (user "u7" is a developer of
 * "p7/app"), and TOKENS tokens with api, evenly theirs. STORE is a fresh one of
 * `dockpass init`. Writes N lines to SAMPLE, of tokens taken by chance, for
 * wrk.lua: the Authorization header's value, a tab, what to ask.
 *
 * Tokens are put in the order of their digests, past the change log: pages
 * fill one after the other, so ten millions take a minute or two. They are in
 * the store as any other, found by a random digest.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/change.h"
#include "store/changelog.h"
#include "store/pat.h"
#include "store/trail.h"
#include "token/encode.h"
#include "token/rights.h"

enum { GROUP = 50000 };

struct entry {
	struct digest digest;
	uint32_t number; /* which secret */
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "fill: %s\n", what);
	exit(1);
}

/* The same for the same number: nothing but the digest need be kept. */
static struct secret secret_of(uint32_t number)
{
	static const struct prefix prefix = PREFIX_DEFAULT;
	struct digest digest;
	char text[32];
	int len = snprintf(text, sizeof(text), "bench %u", number);

	if (secret_digest((struct str) { text, (size_t)len }, &digest))
		die("no SHA-256");
	return secret_pat(&prefix, digest.at);
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, DIGEST_LEN);
}

static struct entry *make_entries(uint32_t n)
{
	struct entry *list = malloc(n * sizeof(*list));

	if (!list)
		die("no memory");
	for (uint32_t i = 0; i < n; i++) {
		struct secret secret = secret_of(i);

		list[i].number = i;
		if (secret_digest(secret_str(&secret), &list[i].digest))
			die("no SHA-256");
	}
	qsort(list, n, sizeof(*list), compare);
	return list;
}

static void change(struct txn *txn, struct change change)
{
	change.now = time(NULL);
	change.actor = STR("cli:fill");
	if (change_apply(txn, &change))
		die(change.cause.text);
}

static void put_user(struct txn *txn, uint32_t number)
{
	char name[16], path[16];
	struct str user = { name, 0 }, project = { path, 0 };

	user.len = (size_t)snprintf(name, sizeof(name), "u%u", number);
	project.len = (size_t)snprintf(path, sizeof(path), "p%u/app", number);
	change(txn, (struct change) { .type = CHANGE_USER_ADD,
				      .user = user,
				      .text = STR("u@example.com") });
	change(txn, (struct change) { .type = CHANGE_PROJECT_ADD,
				      .path = project,
				      .visibility = 1 + VISIBILITY_PUBLIC });
	change(txn, (struct change) { .type = CHANGE_MEMBER_PUT,
				      .user = user,
				      .path = project,
				      .role = ROLE_DEVELOPER });
}

static void put_token(struct txn *txn, const struct entry *entry, uint64_t user)
{
	struct pat pat = {
		.id = txn_next_id(txn, COUNTER_PAT),
		.user = user,
		.kind = PAT_PERSONAL,
		.scopes = PAT_API,
		.created_at = time(NULL),
		.name = STR("bench"),
		.digest = entry->digest,
	};

	pat.family = pat.id;
	pat_put(txn, &pat);
}

/* Users have the ids 1 to `users`: the store is fresh. */
static void write_all(struct db *db, const struct entry *list, uint32_t tokens,
		      uint32_t users)
{
	uint32_t done = 0;

	while (done < users + tokens) {
		AUTO(txn) struct txn txn;
		uint32_t most = done < users ? 200 : GROUP;

		txn_write(db, &txn);
		for (uint32_t i = 0; i < most && done < users + tokens; i++) {
			if (done < users)
				put_user(&txn, done + 1);
			else
				put_token(&txn, &list[done - users],
					  1 + (done - users) % users);
			done++;
		}
		if (txn_commit(&txn))
			die(err_text(txn.err));
	}
}

/* Whose secrets anybody can compute are nobody's. */
static void must_be_fresh(struct db *db)
{
	AUTO(txn) struct txn txn;

	txn_read(db, &txn);
	if (txn_count(&txn, TABLE_USER) || txn.err)
		die("the store has users: name a fresh one");
}

/* The server that is measured would write millions of lines at its start. */
static void tell_nobody(struct db *db)
{
	AUTO(txn) struct txn txn;
	struct log_end head;

	txn_write(db, &txn);
	changelog_head(&txn, &head);
	trail_put(&txn, head.number);
	if (txn_commit(&txn))
		die(err_text(txn.err));
}

static void write_sample(const char *path, const struct entry *list,
			 uint32_t tokens, uint32_t users, uint32_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	if (!out)
		die("cannot write the sample");
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = (uint32_t)(random() % tokens);
		uint32_t user = 1 + at % users;
		struct secret secret = secret_of(list[at].number);
		AUTO(buf) struct buf pair;
		AUTO(buf) struct buf text;

		buf_init(&pair, 256);
		buf_init(&text, 256);
		buf_printf(&pair, "u%u:" STR_FMT, user,
			   STR_ARG(secret_str(&secret)));
		base64_add(&text, buf_str(&pair));
		fprintf(out,
			"Basic " STR_FMT "\t/token?service=registry&"
			"scope=repository:p%u/app:pull\n",
			STR_ARG(buf_str(&text)), user);
	}
	if (fclose(out))
		die("cannot write the sample");
}

int main(int argc, char **argv)
{
	uint32_t tokens, users, n;
	struct entry *list;
	struct cause cause;
	struct db *db;

	if (argc != 6)
		die("usage: fill STORE TOKENS USERS SAMPLE N");
	tokens = (uint32_t)strtoul(argv[2], NULL, 10);
	users = (uint32_t)strtoul(argv[3], NULL, 10);
	n = (uint32_t)strtoul(argv[5], NULL, 10);
	if (!tokens || !users || !n || n > tokens)
		die("TOKENS, USERS and N are numbers, N at most TOKENS");
	if (db_open(argv[1], DB_OPEN, time(NULL), &db, &cause))
		die(cause.text);
	must_be_fresh(db);
	list = make_entries(tokens);
	write_all(db, list, tokens, users);
	tell_nobody(db);
	write_sample(argv[4], list, tokens, users, n);
	free(list);
	db_close(db);
	return 0;
}
