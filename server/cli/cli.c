/* server/cli/cli.c - finds the command, reads its options, runs it. */
#include "server/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/cli/actor.h"
#include "server/cli/help.h"
#include "server/cli/line.h"
#include "server/version.h"
#include "store/db.h"

enum { OUTPUT_MAX = 1 << 30, NOTES_MAX = 4096 };

static const struct command_group *const groups[] = {
	&server_commands, &user_commands,  &space_commands,
	&member_commands, &token_commands, &settings_commands,
	&job_commands,	  &key_commands,   &explain_commands,
	&store_commands,  &audit_commands, &doctor_commands,
};

struct str call_opt(const struct call *call, enum opt opt)
{
	return str_of(call->opts[opt]);
}

/* Words of the command line may hold anything: still one line, no secret. */
static void complain(const char *what, const struct command *command)
{
	struct cause line;
	const char *hint = "";

	cause_set(&line, E_OK, "%s", what);
	make_printable(line.text);
	if (secret_hide(line.text))
		hint = "; a secret is no argument: dockpass token show --stdin "
		       "finds its token";
	if (command)
		fprintf(stderr, "dockpass: %s%s; usage: dockpass %s%s%s\n",
			line.text, hint, command->words,
			*command->usage ? " " : "", command->usage);
	else
		fprintf(stderr, "dockpass: %s%s\n", line.text, hint);
}

int call_usage(struct call *call, const char *fmt, ...)
{
	struct cause what;
	va_list args;

	va_start(args, fmt);
	vsnprintf(what.text, sizeof(what.text), fmt, args);
	va_end(args);
	complain(what.text, call->command);
	return EXIT_USAGE;
}

int call_refuse(struct call *call, const char *fmt, ...)
{
	struct cause what;
	va_list args;

	(void)call;
	va_start(args, fmt);
	vsnprintf(what.text, sizeof(what.text), fmt, args);
	va_end(args);
	complain(what.text, NULL);
	return EXIT_REFUSED;
}

int call_failed(struct call *call, enum err err)
{
	complain(*call->cause.text ? call->cause.text : err_text(err), NULL);
	return EXIT_REFUSED;
}

int call_unwritten(struct call *call, const char *path, enum err err)
{
	if (err != E_EXISTS)
		return call_failed(call, err);
	return call_refuse(call,
			   "%.400s: is there already; name another file, or "
			   "say --yes to replace it",
			   path);
}

static void add_note(struct call *call, const char *fmt, va_list args)
{
	struct cause line;

	vsnprintf(line.text, sizeof(line.text), fmt, args);
	make_printable(line.text);
	buf_printf(&call->notes, "%s\n", line.text);
}

void call_note(struct call *call, const char *fmt, ...)
{
	va_list args;

	if (call->json)
		return;
	va_start(args, fmt);
	add_note(call, fmt, args);
	va_end(args);
}

void call_warn(struct call *call, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_note(call, fmt, args);
	va_end(args);
}

static const struct command *row_at(size_t *group, size_t *i)
{
	while (*group < COUNT(groups) && *i == groups[*group]->count) {
		++*group;
		*i = 0;
	}
	return *group < COUNT(groups) ? &groups[*group]->rows[(*i)++] : NULL;
}

#define EACH_COMMAND(command)                                                  \
	size_t group_ = 0, i_ = 0;                                             \
	for (const struct command *command; (command = row_at(&group_, &i_));)

/* `first` empty: all of them. */
static int print_help(struct str first)
{
	printf("usage: dockpass COMMAND [ARGUMENTS] [--config FILE] "
	       "[--json]\n\n");
	EACH_COMMAND(command)
	if (!first.len || str_starts(str_of(command->words), first))
		printf("  %-18s %s\n", command->words, command->help);
	if (!first.len)
		printf("\n%s", help_first);
	printf("\ndockpass COMMAND --help tells more; --version says which "
	       "dockpass it is.\nExit status: 0 done, 1 refused or failed, 2 "
	       "the command line cannot be understood.\n");
	return EXIT_DONE;
}

static size_t word_count(const char *words)
{
	return strchr(words, ' ') ? 2 : 1;
}

/* Do the words begin with `first` (and `second`)? */
static bool words_fit(const char *words, struct str first, struct str second)
{
	struct str rest = str_of(words), word;

	str_cut(&rest, ' ', &word);
	return str_eq(word, first) && str_eq(rest, second);
}

static const struct command *find(struct str first, struct str second)
{
	EACH_COMMAND(command)
	{
		if (word_count(command->words) == 1)
			if (str_eq(str_of(command->words), first))
				return command;
		if (words_fit(command->words, first, second))
			return command;
	}
	return NULL;
}

/* The commands of a group: "user: add, list, ..." */
static bool list_group(struct str first, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	EACH_COMMAND(command)
	{
		struct str rest = str_of(command->words), word;
		int n;

		str_cut(&rest, ' ', &word);
		if (!str_eq(word, first) || !rest.len || len >= size)
			continue;
		n = snprintf(out + len, size - len, "%s" STR_FMT,
			     len ? "|" : "", STR_ARG(rest));
		len += n > 0 ? (size_t)n : 0;
	}
	return len;
}

static bool is_group(struct str first)
{
	char words[256];

	return list_group(first, words, sizeof(words));
}

static int unknown_command(struct str first, struct str second)
{
	const struct command *nearest = NULL;
	size_t best = SIZE_MAX;
	char typed[80], words[256];
	struct cause what;

	snprintf(typed, sizeof(typed), "%.*s%s%.*s",
		 (int)(first.len < 38 ? first.len : 38), first.at,
		 second.len ? " " : "",
		 (int)(second.len < 38 ? second.len : 38), second.at);
	EACH_COMMAND(command)
	{
		size_t d = line_distance(str_of(typed), str_of(command->words));

		if (d < best) {
			best = d;
			nearest = command;
		}
	}
	if (best <= LINE_NEAR &&
	    (second.len || !list_group(first, words, sizeof(words))))
		cause_set(&what, E_OK,
			  "no command '%s'; nearest usage: dockpass %s%s%s",
			  typed, nearest->words, *nearest->usage ? " " : "",
			  nearest->usage);
	else if (list_group(first, words, sizeof(words)))
		cause_set(&what, E_OK,
			  "no command '%s'; usage: dockpass " STR_FMT " %s",
			  typed, STR_ARG(first), words);
	else
		cause_set(&what, E_OK,
			  "no command '%s'; dockpass --help lists them", typed);
	complain(what.text, NULL);
	return EXIT_USAGE;
}

/* `command`: NULL if it is not known. */
static int bad_line(const struct line *line, const struct command *command)
{
	uint64_t opts = command ? command->opts | OPT_ALWAYS : UINT64_MAX;
	const char *near = line_near_option(line->unknown, opts);
	struct cause what;

	cause_set(&what, E_OK, "%s%s%s", line->bad.text, near ? ", but --" : "",
		  near ? near : "");
	complain(what.text, command);
	return EXIT_USAGE;
}

static int check_line(struct call *call, const struct line *line)
{
	const struct command *command = call->command;
	bool limits = (command->opts & OPT_LIMITS) == OPT_LIMITS;
	uint64_t again = line->again & ~(limits ? OPT_LIMITS : 0);

	if (*line->bad.text)
		return bad_line(line, command);
	for (int i = 0; i < OPT_COUNT; i++)
		if (line->opts[i] && !((command->opts | OPT_ALWAYS) >> i & 1))
			return call_usage(call, "%s has no option --%s",
					  command->words, opt_rows[i].name);
	for (int i = 0; i < OPT_COUNT; i++)
		if (again >> i & 1)
			return call_usage(call, "--%s is given twice",
					  opt_rows[i].name);
	if (call->argc < command->min)
		return call_usage(call, "%s: too few arguments",
				  command->words);
	if (call->argc > command->max)
		return call_usage(call, "%s: one argument too many: '%.80s'",
				  command->words, call->args[command->max].at);
	for (int i = 0; i < call->argc; i++)
		if (!call->args[i].len)
			return call_usage(call, "%s: an argument is empty",
					  command->words);
	return EXIT_DONE;
}

static bool flushed(void)
{
	return !fflush(stdout) && !ferror(stdout);
}

/* Output that cannot be written is no success: a full disk, a closed pipe. */
static int flush(struct call *call, int status)
{
	struct str out = buf_str(&call->out);

	if (call->out.over)
		return call_refuse(call,
				   "the output is too long; ask for less");
	if ((status == EXIT_DONE || call->report) && out.len)
		fwrite(out.at, 1, out.len, stdout);
	if (!flushed())
		return call_refuse(
			call, "standard output cannot be written%s%s",
			call->lost ? ": " : "", call->lost ? call->lost : "");
	if (status && call->report)
		return call_refuse(call, "%s", call->cause.text);
	if (status == EXIT_DONE)
		fprintf(stderr, STR_FMT, STR_ARG(buf_str(&call->notes)));
	return status;
}

static int run(const struct command *command, const struct line *line)
{
	struct call call = { .command = command, .now = time(NULL) };
	size_t skip = word_count(command->words);
	int status;

	for (size_t i = skip; i < line->words_count; i++)
		if (call.argc < ARGS_MAX)
			call.args[call.argc++] = line->words[i];
	memcpy(call.opts, line->opts, sizeof(call.opts));
	if (call.opts[OPT_HELP]) {
		help_print(command);
		return EXIT_DONE;
	}
	status = check_line(&call, line);
	if (status)
		return status;
	call.json = call.opts[OPT_JSON];
	arena_init(&call.arena);
	buf_init(&call.out, OUTPUT_MAX);
	buf_init(&call.notes, NOTES_MAX);
	call.actor = actor_name(&call.arena);
	status = flush(&call, command->run(&call));
	db_close(call.db);
	config_free(call.config);
	buf_done(&call.out);
	buf_done(&call.notes);
	arena_done(&call.arena);
	return status;
}

/* Those of a closed one would be the numbers of the store's files. */
static void open_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/", O_PATH) != fd) /* neither read nor written */
			_exit(EXIT_REFUSED);
}

static int understand(int argc, char **argv)
{
	struct line line = { 0 };
	const struct command *command;

	line_read(argc, argv, &line);
	if (line.version) {
		printf("dockpass %s (store format %d)\n", DOCKPASS_VERSION,
		       STORE_FORMAT);
		return EXIT_DONE;
	}
	if (!line.words_count && line.opts[OPT_HELP])
		return print_help((struct str) { 0 });
	command = find(line.words[0], line.words[1]);
	if (!command && line.opts[OPT_HELP] && is_group(line.words[0]))
		return print_help(line.words[0]);
	if (!command && *line.bad.text)
		return bad_line(&line, NULL);
	if (!line.words_count) {
		complain("no command; dockpass --help lists them", NULL);
		return EXIT_USAGE;
	}
	if (!command)
		return unknown_command(line.words[0], line.words[1]);
	return run(command, &line);
}

int cli_main(int argc, char **argv)
{
	int status;

	open_standard();
	signal(SIGPIPE, SIG_IGN); /* the write says it */
	status = understand(argc, argv);
	if (status != EXIT_DONE || flushed())
		return status;
	complain("standard output cannot be written", NULL);
	return EXIT_REFUSED;
}
