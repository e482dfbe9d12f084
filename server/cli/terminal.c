/* server/cli/terminal.c - see the header. */
#include "server/cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum {
	CHUNK = 256,
	LINE_MAX_KEPT = 4095 /* bytes; the rest is dropped: termios(3) */
};

/* Those whose end, or stop, would leave the terminal without echo. */
static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };

struct terminal {
	const char *what;
	bool line;
	struct termios shown;
	/* as they were */
	sigset_t mask;
	struct sigaction actions[COUNT(signals)];
};

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

/* From here on a signal comes while input is waited for, and not else. */
static void hide(struct terminal *terminal)
{
	const struct sigaction action = { .sa_handler = on_signal };
	struct termios hidden = terminal->shown;
	sigset_t set;

	caught = 0;
	sigemptyset(&set);
	for (size_t i = 0; i < COUNT(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, &terminal->mask);
	for (size_t i = 0; i < COUNT(signals); i++) {
		sigaction(signals[i], NULL, &terminal->actions[i]);
		if (terminal->actions[i].sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	fprintf(stderr, "%s, then Enter%s (it is not shown): ", terminal->what,
		terminal->line ? "" : " and Ctrl-D");
}

static void show(const struct terminal *terminal)
{
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal->shown);
	fputc('\n', stderr);
	for (size_t i = 0; i < COUNT(signals); i++)
		sigaction(signals[i], &terminal->actions[i], NULL);
	sigprocmask(SIG_SETMASK, &terminal->mask, NULL);
}

/* As read(2); a signal does what it does, and may come back from that. */
static ssize_t read_some(struct terminal *terminal, char *at, size_t size)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

	while (ppoll(&input, 1, NULL, &terminal->mask) < 0) {
		int number = caught;

		if (errno != EINTR)
			return -1;
		if (!number)
			continue;
		show(terminal);
		raise(number);
		hide(terminal);
	}
	return read(STDIN_FILENO, at, size);
}

struct seen {
	size_t len; /* of the last line, as yet */
	bool ended, cut;
};

static void see(struct seen *seen, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		bool ends = text.at[i] == '\n';

		seen->len = ends ? 0 : seen->len + 1;
		seen->cut |= seen->len >= LINE_MAX_KEPT;
		seen->ended |= ends;
	}
}

static enum err read_lines(struct terminal *terminal, struct buf *text,
			   struct seen *seen)
{
	bool over = false;

	while (!terminal->line || !seen->ended) {
		char *at = buf_room(text, CHUNK);
		ssize_t n;

		if (!at) {
			over = true;
			buf_clear(text);
			continue;
		}
		n = read_some(terminal, at, CHUNK);
		if (n < 0)
			return E_IO;
		if (!n)
			break;
		buf_grew(text, (size_t)n);
		see(seen, (struct str) { at, (size_t)n });
	}
	return over ? E_LIMIT : E_OK;
}

/* E_IO has errno. */
static enum err read_hidden(const char *what, bool line, struct buf *text,
			    struct seen *seen)
{
	struct terminal terminal = { .what = what, .line = line };
	enum err err;
	int number;

	if (tcgetattr(STDIN_FILENO, &terminal.shown))
		return E_IO;
	hide(&terminal);
	err = read_lines(&terminal, text, seen);
	number = errno;
	show(&terminal);
	errno = number;
	return err;
}

enum err terminal_read(const char *what, bool line, struct buf *text,
		       struct cause *cause)
{
	struct seen seen = { 0 };
	enum err err = read_hidden(what, line, text, &seen);

	if (err == E_IO)
		return cause_set(cause, E_IO,
				 "the %s cannot be read from the terminal: %s; "
				 "pipe it in",
				 what, strerror(errno));
	if (!err && seen.cut)
		return cause_set(cause, E_SYNTAX,
				 "a terminal cuts lines at %d bytes, and one "
				 "is as long; give the %s by a file: < FILE",
				 (int)LINE_MAX_KEPT, what);
	return err;
}
