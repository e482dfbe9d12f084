/*
 * test/bench/writes.c - how many changes a second are on disk:
 *
 *   writes STORE ROUNDS
 *
 * Each round: a second of token_add with 64 under way at a time, as 64 clients
 * would have them, through the server's writer; then a second of fdatasync() of
 * a file beside the store, one page each. Prints a line a round: the two rates,
 * and how many pages the disk was given for one token.
 */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "store/writer.h"
#include "token/rights.h"

enum { AT_ONCE = 64, PAGE = 4096 };

struct client {
	sem_t done;
	struct writer *writer;
	double end;
	unsigned long count;
	pthread_t thread;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "writes: %s\n", what);
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void on_done(struct change *change, void *arg)
{
	struct client *client = arg;

	(void)change;
	sem_post(&client->done);
}

static void *run(void *arg)
{
	struct client *client = arg;

	while (now() < client->end) {
		struct change change = {
			.type = CHANGE_TOKEN_ADD,
			.now = time(NULL),
			.actor = STR("cli:writes"),
			.user = STR("bench"),
			.text = STR("bench"),
			.kind = PAT_PERSONAL,
			.scopes = PAT_API,
		};

		if (RAND_bytes(change.digest.at, DIGEST_LEN) != 1 ||
		    writer_submit(client->writer, &change, on_done, client))
			die("not taken");
		while (sem_wait(&client->done))
			;
		if (change.result)
			die(change.cause.text);
		client->count++;
	}
	return NULL;
}

/* Bytes that this process has had the disk write. */
static double bytes_written(void)
{
	FILE *file = fopen("/proc/self/io", "r");
	char line[128];
	double bytes = -1;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "write_bytes: ", 13))
			bytes = strtod(line + 13, NULL);
	if (file)
		fclose(file);
	if (bytes < 0)
		die("no /proc/self/io");
	return bytes;
}

static double changes_per_second(struct writer *writer, double *pages)
{
	static struct client clients[AT_ONCE];
	double begin = now(), bytes = bytes_written();
	unsigned long count = 0;

	for (size_t i = 0; i < AT_ONCE; i++) {
		clients[i] =
			(struct client) { .writer = writer, .end = begin + 1 };
		sem_init(&clients[i].done, 0, 0);
		if (pthread_create(&clients[i].thread, NULL, run, &clients[i]))
			die("no thread");
	}
	for (size_t i = 0; i < AT_ONCE; i++) {
		pthread_join(clients[i].thread, NULL);
		count += clients[i].count;
	}
	*pages = (bytes_written() - bytes) / PAGE / (double)count;
	return (double)count / (now() - begin);
}

static double syncs_per_second(const char *store)
{
	static char page[PAGE];
	double begin = now();
	unsigned long count = 0;
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/../sync", store);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0)
		die("cannot write beside the store");
	for (; now() < begin + 1; count++) {
		page[0]++;
		if (pwrite(fd, page, PAGE, (off_t)(count % 256) * PAGE) !=
			    PAGE ||
		    fdatasync(fd))
			die("cannot sync");
	}
	close(fd);
	unlink(path);
	return (double)count / (now() - begin);
}

int main(int argc, char **argv)
{
	struct change user = { .type = CHANGE_USER_ADD,
			       .now = time(NULL),
			       .actor = STR("cli:writes"),
			       .user = STR("bench"),
			       .text = STR("bench@example.com") };
	struct writer *writer;
	struct cause cause;
	struct db *db;

	if (argc != 3)
		die("usage: writes STORE ROUNDS");
	if (db_open(argv[1], DB_OPEN, time(NULL), &db, &cause))
		die(cause.text);
	if (change_commit(db, (struct change *const[]) { &user }, 1))
		die("no user");
	if (writer_start(db, &writer))
		die("no writer");
	for (long i = strtol(argv[2], NULL, 10); i > 0; i--) {
		double syncs = syncs_per_second(argv[1]), pages;
		double made = changes_per_second(writer, &pages);

		printf("%.0f %.0f %.2f\n", made, syncs, pages);
	}
	if (!writer_stop(writer, 10000))
		die("it does not end");
	db_close(db);
	return 0;
}
