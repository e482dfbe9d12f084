/*
 * test/fuzz/fuzz_server.c - the whole server, over a socket: what a connection
 * sends, in pieces, after which it reads to the end. "@PAT@" in an input stands
 * for a living token's secret and "@B64@" for what Basic carries of it, so that
 * inputs get past the door.
 *
 * What comes back must be answers, and each connection must end.
 */
#include <arpa/inet.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/cli/cli.h"
#include "token/encode.h"

enum { TEXT_MAX = 64 * 1024, SAID_MAX = 4 << 20, WAIT_MS = 20000, WORDS = 12 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char top[] = "/tmp/fuzz_server.XXXXXX", config[64], listener[32];
static char pat[128], basic[256];
static struct sockaddr_in place;

static int remove_entry(const char *path, const struct stat *st, int type,
			struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void remove_top(void)
{
	nftw(top, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* What a command of its own process prints; it must succeed. */
static void command(char *line, char *out, size_t len)
{
	char *words[WORDS + 1] = { NULL }, *rest;
	int argc = 0, pipes[2], status;
	size_t got = 0;
	pid_t child;

	for (char *word = strtok_r(line, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest))
		if (argc < WORDS)
			words[argc++] = word;
	assert(!pipe(pipes));
	child = fork();
	if (!child) {
		dup2(pipes[1], STDOUT_FILENO);
		_exit(cli_main(argc, words));
	}
	close(pipes[1]);
	for (ssize_t n; got + 1 < len; got += (size_t)n)
		if ((n = read(pipes[0], out + got, len - 1 - got)) <= 0)
			break;
	out[got] = '\0';
	close(pipes[0]);
	assert(waitpid(child, &status, 0) == child && !status);
}

static void *serve_thread(void *arg)
{
	char name[] = "dockpass", verb[] = "serve";
	char *words[] = { name, verb, NULL };

	exit(arg ? 1 : cli_main(2, words));
}

static void free_port(void)
{
	socklen_t len = sizeof(place);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	place.sin_family = AF_INET;
	place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert(!bind(fd, (struct sockaddr *)&place, len));
	assert(!getsockname(fd, (struct sockaddr *)&place, &len));
	close(fd);
	snprintf(listener, sizeof(listener), "127.0.0.1:%u",
		 ntohs(place.sin_port));
}

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	while (connect(fd, (struct sockaddr *)&place, sizeof(place)))
		poll(NULL, 0, 10);
	return fd;
}

static void make_basic(void)
{
	AUTO(buf) struct buf text;
	char plain[160];

	buf_init(&text, sizeof(basic) - 1);
	snprintf(plain, sizeof(plain), "alice:%s", pat);
	base64_add(&text, str_of(plain));
	snprintf(basic, sizeof(basic), STR_FMT, STR_ARG(buf_str(&text)));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const lines[] = {
		"dockpass user add alice --email a@b.c",
		"dockpass project add g/app",
		"dockpass member add g alice developer",
		"dockpass token create alice --name x --scopes read_registry",
	};
	char line[128];
	pthread_t thread;

	(void)argc, (void)argv;
	assert(mkdtemp(top) && !atexit(remove_top));
	free_port();
	snprintf(line, sizeof(line), "dockpass init %s/d --listen %s", top,
		 listener);
	command(line, pat, sizeof(pat));
	snprintf(config, sizeof(config), "%s/d/dockpass.yaml", top);
	assert(!setenv("DOCKPASS_CONFIG", config, 1));
	assert(!setenv("DOCKPASS_ADMIN_ADDRESS", "", 1));
	/* It would hold for the fuzzer as well. */
	assert(!setenv("DOCKPASS_SANDBOX", "false", 1));
	for (size_t i = 0; i < COUNT(lines); i++) {
		snprintf(line, sizeof(line), "%s", lines[i]);
		command(line, pat, sizeof(pat));
	}
	pat[strcspn(pat, "\n")] = '\0';
	make_basic();
	assert(!pthread_create(&thread, NULL, serve_thread, NULL));
	close(dial());
	return 0;
}

/* The input with the secrets in it. */
static size_t fill_in(struct str in, char *out)
{
	size_t len = 0;

	while (in.len && len + sizeof(basic) < TEXT_MAX) {
		struct str word = { in.at, in.len < 5 ? in.len : 5 };
		const char *with = str_eq(word, STR("@PAT@"))	? pat
				   : str_eq(word, STR("@B64@")) ? basic
								: NULL;

		if (with) {
			memcpy(out + len, with, strlen(with));
			len += strlen(with);
		} else {
			out[len++] = in.at[0];
		}
		in = str_skip(in, with ? 5 : 1);
	}
	return len;
}

/* To the end; a reset is one as well. */
static size_t answer(int fd, char *out)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	size_t len = 0;
	ssize_t n;

	do {
		if (poll(&ready, 1, WAIT_MS) != 1)
			abort(); /* it hangs */
		n = read(fd, out + len, SAID_MAX - len);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0);
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[TEXT_MAX], said[SAID_MAX];
	size_t len, piece;
	int fd;

	if (size < 2)
		return 0;
	len = fill_in((struct str) { (const char *)data + 1, size - 1 }, text);
	piece = data[0] < 128 ? len : 1 + data[0] % 64U;
	fd = dial();
	for (size_t at = 0; at < len; at += piece)
		if (send(fd, text + at, len - at < piece ? len - at : piece,
			 MSG_NOSIGNAL) < 0)
			break;
	shutdown(fd, SHUT_WR);
	len = answer(fd, said);
	assert(!len || !memcmp(said, "HTTP/1.", 7));
	close(fd);
	return 0;
}
