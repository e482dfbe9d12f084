/*
 * test/unit/server/test_cli.c - server/cli: each row is a command as a person
 * types it, run in a process of its own; rows build on those before.
 */
#include "test/unit/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/cli/cli.h"
#include "test/unit/server/cli_rows.h"

enum { ARGS = 32, OUTPUT = 65536 };

static char folder[] = "/tmp/test_cli.XXXXXX";

static int split(char *line, char **argv)
{
	int argc = 1;

	argv[0] = (char *)(uintptr_t) "dockpass";
	for (char *word = strtok_r(line, " ", &line); word;
	     word = strtok_r(NULL, " ", &line)) {
		assert_true(argc < ARGS - 1);
		if (!strcmp(word, "''"))
			*word = '\0';
		argv[argc++] = word;
	}
	argv[argc] = NULL;
	return argc;
}

static void redirect(const char *name, int flags, int fd)
{
	int file = open(name, flags, 0600);

	if (file < 0 || dup2(file, fd) < 0)
		_exit(99);
	close(file);
}

static int run(const char *text, const char *in)
{
	char line[512], *argv[ARGS];
	int argc, status;
	FILE *f = fopen("in", "w");
	pid_t child;

	assert_non_null(f);
	assert_true(fputs(in, f) >= 0);
	assert_int_equal(fclose(f), 0);
	snprintf(line, sizeof(line), "%s", text);
	argc = split(line, argv);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		redirect("in", O_RDONLY, STDIN_FILENO);
		redirect("out", O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
		redirect("err", O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
		status = cli_main(argc, argv);
		fflush(NULL);
		_exit(status);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static const char *output(const char *name, char *text)
{
	FILE *f = fopen(name, "r");
	size_t len;

	assert_non_null(f);
	len = fread(text, 1, OUTPUT - 1, f);
	text[len] = '\0';
	fclose(f);
	return text;
}

static bool holds(const char *text, const char *want)
{
	struct str rest = str_of(want), part;
	char one[256];

	if (!want)
		return !*text;
	while (str_cut(&rest, '|', &part)) {
		snprintf(one, sizeof(one), STR_FMT, STR_ARG(part));
		if (!strstr(text, one))
			return false;
	}
	return true;
}

/* One line is all that a failure says. */
static bool is_line(const char *text)
{
	return *text && strchr(text, '\n') == text + strlen(text) - 1;
}

static bool row_holds(size_t i)
{
	static char out[OUTPUT], err[OUTPUT];
	int status = run(rows[i].line, rows[i].in);

	output("out", out);
	output("err", err);
	if (status == rows[i].status && holds(out, rows[i].out) &&
	    holds(err, rows[i].err) && (!status || is_line(err)))
		return true;
	print_message("%s: status %d\nout: %s\nerr: %s\n", rows[i].rule, status,
		      out, err);
	return false;
}

static void table(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		wrong += !row_holds(i);
	assert_int_equal(wrong, 0);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 0777;
}

static void init_modes(void **state)
{
	(void)state;
	assert_int_equal(mode_of("d/dockpass.yaml"), 0644);
	assert_int_equal(mode_of("d/keys"), 0700);
	assert_int_equal(mode_of("d/store"), 0700);
	assert_int_equal(mode_of("d/public"), 0755);
	assert_int_equal(mode_of("d/public/bundle.pem"), 0644);
	assert_int_equal(mode_of("d/public/jwks.json"), 0644);
}

/* A folder that is in the way: what was made before it goes again. */
static void init_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(mkdir("half", 0755), 0);
	assert_int_equal(mkdir("half/store", 0700), 0);
	assert_int_equal(mkdir("half/store/taken", 0700), 0);
	assert_int_equal(run("init half", ""), 1);
	assert_int_equal(access("half/keys", F_OK), -1);
	assert_int_equal(access("half/public", F_OK), -1);
	assert_int_equal(access("half/dockpass.yaml", F_OK), -1);
	assert_int_equal(rmdir("half/store/taken"), 0);
	assert_int_equal(rmdir("half/store"), 0);
	assert_int_equal(rmdir("half"), 0);
}

/* An empty one may have something mounted on it. */
static void init_takes_empty_folders(void **state)
{
	(void)state;
	assert_int_equal(mkdir("empty", 0755), 0);
	assert_int_equal(mkdir("empty/public", 0755), 0);
	assert_int_equal(mkdir("empty/keys", 0700), 0);
	assert_int_equal(mkdir("empty/store", 0700), 0);
	assert_int_equal(run("init empty", ""), 0);
	assert_int_equal(mode_of("empty/public/bundle.pem"), 0644);
}

/* How a JWT names its key decides which registry can find it. */
static const struct {
	const char *rule, *x5c, *kid, *line;
	int status;
	const char *out, *not_out;
} registries[] = {
	{ "no x5c: not one for both", "false", "libtrust", "registry-config", 1,
	  NULL, "auth" },
	{ "no x5c, 2: bundle", "false", "libtrust",
	  "registry-config --registry 2", 0, "rootcertbundle", "jwks" },
	{ "no x5c, 3: jwks", "false", "libtrust",
	  "registry-config --registry 3", 0, "jwks.json", "rootcertbundle" },
	{ "rfc7638 alone is nothing for 2", "false", "rfc7638",
	  "registry-config --registry 2", 1, NULL, "auth" },
	{ "rfc7638 with x5c is", "true", "rfc7638",
	  "registry-config --registry 2", 0, "rootcertbundle", "jwks" },
	{ "x5c, 3: both", "true", "libtrust", "registry-config --registry 3", 0,
	  "rootcertbundle|jwks.json|signingalgorithms", "auth:\n\n" },
};

static void registry_table(void **state)
{
	static char out[OUTPUT];

	(void)state;
	assert_int_equal(run("init r", ""), 0);
	assert_int_equal(setenv("DOCKPASS_CONFIG", "r/dockpass.yaml", 1), 0);
	for (size_t i = 0; i < COUNT(registries); i++) {
		print_message("%s\n", registries[i].rule);
		assert_int_equal(
			setenv("DOCKPASS_SERVICES_0_X5C", registries[i].x5c, 1),
			0);
		assert_int_equal(
			setenv("DOCKPASS_SERVICES_0_KID", registries[i].kid, 1),
			0);
		assert_int_equal(run(registries[i].line, ""),
				 registries[i].status);
		output("out", out);
		assert_true(holds(out, registries[i].out));
		assert_null(strstr(out, registries[i].not_out));
	}
}

static int enter(void **state)
{
	(void)state;
	umask(022);
	clearenv();
	if (!mkdtemp(folder) || chdir(folder))
		return -1;
	return setenv("DOCKPASS_CONFIG", "d/dockpass.yaml", 1);
}

static int leave(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "/bin/rm -r %s", folder);
	return chdir("/") || system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(init_modes),
		cmocka_unit_test(init_leaves_nothing),
		cmocka_unit_test(init_takes_empty_folders),
		cmocka_unit_test(registry_table),
	};

	return cmocka_run_group_tests_name("cli", tests, enter, leave);
}
