/* test/unit/server/test_log.c - server/log: lines, rings, lost ones. */
#include "test/unit/check.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/log.h"
#include "token/secret.h"

enum { WHEN = 1800000000 }; /* 2027-01-15T08:00:00Z */

static const struct request_log one = {
	.wanted = true,
	.reason = REASON_GRANTED,
	.user = { "alice", 5 },
	.client = { "docker", 6 },
	.service = { "registry", 8 },
	.asked = { "repository:a:pull,push", 22 },
	.granted = { "repository:a:pull", 17 },
	.token_id = 7,
};

static const struct request_log odd = {
	.wanted = true,
	.reason = REASON_WRONG_PASSWORD,
	.user = { "a\"b\n\x1b[31m\xff", 10 },
};

static const struct {
	const char *rule;
	enum log_format format;
	const struct request_log *log;
	enum status status;
	const char *want;
} rows[] = {
	{ "a token as JSON", FORMAT_JSON, &one, STATUS_OK,
	  "{\"time\":\"2027-01-15T08:00:00.042Z\",\"level\":\"info\","
	  "\"event\":\"token\",\"addr\":\"::1\",\"user\":\"alice\","
	  "\"token_id\":7,\"client\":\"docker\",\"service\":\"registry\","
	  "\"asked\":\"repository:a:pull,push\","
	  "\"granted\":\"repository:a:pull\",\"reason\":\"granted\","
	  "\"status\":200,\"us\":33}\n" },
	{ "control characters never reach a terminal", FORMAT_JSON, &odd,
	  STATUS_UNAUTHORIZED,
	  "{\"time\":\"2027-01-15T08:00:00.042Z\",\"level\":\"info\","
	  "\"event\":\"token\",\"addr\":\"::1\","
	  "\"user\":\"a\\\"b\\u000a\\u001b[31m\xef\xbf\xbd\","
	  "\"token_id\":null,\"client\":\"\",\"service\":\"\",\"asked\":\"\","
	  "\"granted\":\"\",\"reason\":\"wrong_password\",\"status\":401,"
	  "\"us\":33}\n" },
	{ "the same for people", FORMAT_TEXT, &one, STATUS_OK,
	  "2027-01-15T08:00:00.042Z info token 200 granted addr:\"::1\" "
	  "user:\"alice\" token_id:7 client:\"docker\" service:\"registry\" "
	  "asked:\"repository:a:pull,push\" granted:\"repository:a:pull\" "
	  "33us\n" },
	{ "what is not known is left out there", FORMAT_TEXT, &odd,
	  STATUS_INTERNAL,
	  "2027-01-15T08:00:00.042Z error token 500 wrong_password "
	  "addr:\"::1\" user:\"a\\\"b\\u000a\\u001b[31m\xef\xbf\xbd\" 33us\n" },
};

static void token_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct log_token line = {
			.when = WHEN * INT64_C(1000) + 42,
			.address = STR("::1"),
			.status = rows[i].status,
			.us = 33,
			.log = rows[i].log,
		};
		AUTO(buf) struct buf got;

		print_message("%s\n", rows[i].rule);
		buf_init(&got, 8192);
		log_print_token(&line, rows[i].format, &got);
		assert_str(buf_str(&got), rows[i].want);
	}
}

static void event_lines(void **state)
{
	const struct log_about about = { STR("::1"), 9 };
	AUTO(buf) struct buf got;

	(void)state;
	buf_init(&got, 8192);
	log_print_event(WHEN * INT64_C(1000), LEVEL_WARNING, "reload", NULL,
			STR("a\nb"), FORMAT_JSON, &got);
	log_print_event(WHEN * INT64_C(1000), LEVEL_ERROR, "reload", NULL,
			STR("a\nb"), FORMAT_TEXT, &got);
	for (int i = 0; i < 2; i++)
		log_print_event(WHEN * INT64_C(1000), LEVEL_INFO, "x", &about,
				STR("m"), i ? FORMAT_TEXT : FORMAT_JSON, &got);
	assert_str(
		buf_str(&got),
		"{\"time\":\"2027-01-15T08:00:00.000Z\","
		"\"level\":\"warning\",\"event\":\"reload\","
		"\"message\":\"a\\u000ab\"}\n"
		"2027-01-15T08:00:00.000Z error reload message:\"a\\u000ab\"\n"
		"{\"time\":\"2027-01-15T08:00:00.000Z\","
		"\"level\":\"info\",\"event\":\"x\",\"addr\":\"::1\","
		"\"token_id\":9,\"message\":\"m\"}\n"
		"2027-01-15T08:00:00.000Z info x addr:\"::1\" token_id:9 "
		"message:\"m\"\n");
}

static void level_of_a_line(void **state)
{
	static const enum log_level levels[] = { LEVEL_INFO, LEVEL_WARNING,
						 LEVEL_ERROR };
	static const enum log_format formats[] = { FORMAT_JSON, FORMAT_TEXT };

	(void)state;
	for (size_t i = 0; i < COUNT(levels) * COUNT(formats); i++) {
		AUTO(buf) struct buf got;

		buf_init(&got, 8192);
		log_print_event(WHEN * INT64_C(1000), levels[i / 2], "error",
				NULL, STR("warning"), formats[i % 2], &got);
		assert_int_equal(log_line_level(buf_str(&got)), levels[i / 2]);
	}
	assert_int_equal(log_line_level(STR("")), LEVEL_INFO);
	assert_int_equal(log_line_level(STR("{\"e")), LEVEL_INFO);
}

/* A long text of a client is cut, the line stays whole. */
static void long_texts(void **state)
{
	static char many[5000];
	const struct request_log log = { .asked = STR_OF(many) };
	const struct log_token line = { .log = &log };
	AUTO(buf) struct buf got;

	(void)state;
	memset(many, 'a', sizeof(many));
	buf_init(&got, 8192);
	log_print_token(&line, FORMAT_JSON, &got);
	assert_in_range(got.len, 4096, 4500);
	assert_non_null(strstr(got.at, " ... 904 bytes more"));
	assert_int_equal(got.at[got.len - 1], '\n');
}

/* Wherever it is cut, none of its last letters is left. */
static void a_secret_that_is_cut(void **state)
{
	const unsigned char random[PAT_RANDOM] = { 1, 2, 3, 4 };
	const struct prefix prefix = { "acme-" };
	AUTO(secret) struct secret secret = secret_pat(&prefix, random);

	(void)state;
	for (size_t before = 200; before < 260; before++) {
		char text[512];
		const struct request_log log = {
			.client = { text, before + 1 + secret.len }
		};
		const struct log_token line = { .log = &log };
		AUTO(buf) struct buf got;
		char part[12];

		memset(text, 'c', before);
		snprintf(text + before, sizeof(text) - before, " %.*s",
			 (int)secret.len, secret.text);
		snprintf(part, sizeof(part), "%.8s", secret.text + 5);
		buf_init(&got, 8192);
		log_print_token(&line, FORMAT_JSON, &got);
		buf_add_char(&got, '\0');
		assert_null(strstr(got.at, part));
		assert_non_null(strstr(got.at, "\"client\":\"ccc"));
	}
}

enum { THREADS = 4, LINES = 500 };

static void *chatter(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_event(LEVEL_INFO, "test", "thread %s line %d",
			  (const char *)arg, i);
	return NULL;
}

/* Standard error goes to a pipe that somebody reads afterwards. */
static size_t count_lines(int fd, const char *what)
{
	static char text[1 << 20];
	size_t len = 0, n = 0;
	ssize_t got;

	while (len < sizeof(text) - 1 &&
	       (got = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)got;
	text[len] = '\0';
	for (const char *at = text; (at = strstr(at, what)); at++)
		n++;
	return n;
}

static void from_many_threads(void **state)
{
	static const char *const names[THREADS] = { "a", "b", "c", "d" };
	pthread_t threads[THREADS];
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t lines, lost;

	(void)state;
	assert_non_null(file);
	dup2(fileno(file), STDERR_FILENO);
	assert_int_equal(log_start(FORMAT_JSON), E_OK);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, chatter, (void *)names[i]);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	log_stop();
	dup2(saved, STDERR_FILENO);
	close(saved);
	lseek(fileno(file), 0, SEEK_SET);
	lines = count_lines(fileno(file), "\"event\":\"test\"");
	lseek(fileno(file), 0, SEEK_SET);
	lost = count_lines(fileno(file), "lines were lost");
	fclose(file);
	/* None is torn; those that did not fit are told. */
	if (lines < THREADS * LINES)
		assert_true(lost > 0);
	else
		assert_int_equal(lines, THREADS * LINES);
}

static void *reader(void *arg)
{
	static char text[8 << 20];
	size_t len = 0;
	ssize_t got;

	while ((got = read(*(int *)arg, text + len, sizeof(text) - 1 - len)) >
	       0)
		len += (size_t)got;
	return text;
}

/*
 * Nobody reads while 1 MB comes: the ring has 256 KB. Each line is a byte
 * shorter than the one before: among them is one that would fit but for one.
 */
static void a_full_ring_tears_nothing(void **state)
{
	int ends[2], saved = dup(STDERR_FILENO);
	char filler[900], *text, *line, *rest;
	size_t whole = 0, lost = 0;
	pthread_t thread;

	(void)state;
	memset(filler, 'x', sizeof(filler));
	filler[sizeof(filler) - 1] = 0;
	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	assert_int_equal(log_start(FORMAT_JSON), E_OK);
	for (int i = 0; i < 2000; i++)
		log_event(LEVEL_INFO, "test", "%s",
			  filler + (size_t)i % sizeof(filler));
	pthread_create(&thread, NULL, reader, &ends[0]);
	log_stop();
	dup2(saved, STDERR_FILENO);
	close(ends[1]);
	pthread_join(thread, (void **)&text);
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		size_t len = strlen(line);

		assert_memory_equal(line, "{\"time\":\"", 9);
		assert_string_equal(line + len - 2, "\"}");
		if (strstr(line, "lines were lost"))
			lost += strtoul(strstr(line, "message") + 10, NULL, 10);
		else if (strstr(line, "\"test\""))
			whole++;
	}
	assert_true(lost > 0);
	assert_int_equal(whole + lost, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(token_lines),
		cmocka_unit_test(event_lines),
		cmocka_unit_test(level_of_a_line),
		cmocka_unit_test(long_texts),
		cmocka_unit_test(a_secret_that_is_cut),
		cmocka_unit_test(from_many_threads),
		cmocka_unit_test(a_full_ring_tears_nothing),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
