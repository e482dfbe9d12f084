/*
 * server/cli/wait.c - a command that waits for another process says so, after a
 * second, and for which one.
 */
#include "server/cli/command.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE = 1 /* second */ };

static const struct db *waited_for;

static void say(const char *text, size_t len)
{
	(void)!write(STDERR_FILENO, text, len);
}

/* A signal's handler may not print. */
static void say_number(long number)
{
	char text[24];
	size_t at = sizeof(text);

	do
		text[--at] = (char)('0' + number % 10);
	while (number /= 10);
	say(text + at, sizeof(text) - at);
}

static void on_alarm(int number)
{
	static const char begin[] = "dockpass: waiting for ",
			  any[] = "another process", one[] = "process ",
			  end[] = ", which holds the store's lock\n";
	long pid = db_holder(waited_for);

	(void)number;
	say(begin, sizeof(begin) - 1);
	if (pid) {
		say(one, sizeof(one) - 1);
		say_number(pid);
	} else {
		say(any, sizeof(any) - 1);
	}
	say(end, sizeof(end) - 1);
}

static void on_wait(const struct db *db, bool on)
{
	waited_for = db;
	alarm(on ? PATIENCE : 0);
}

void call_say_waits(struct db *db)
{
	const struct sigaction action = { .sa_handler = on_alarm,
					  .sa_flags = SA_RESTART };

	sigaction(SIGALRM, &action, NULL);
	db_on_wait(db, on_wait);
}
