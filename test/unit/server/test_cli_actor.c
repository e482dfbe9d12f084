/* test/unit/server/test_cli_actor.c - server/cli/actor: who acted. */
#include "test/unit/check.h"

#include <string.h>

#include "server/cli/actor.h"

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10

static const struct {
	const char *rule, *login;
	bool root;
	const char *by, *want;
} prints[] = {
	{ "a person", "alice", false, NULL, "cli:alice" },
	{ "root", "root", true, NULL, "cli:root" },
	{ "root by sudo", "root", true, "mallory", "cli:mallory(root)" },
	{ "who is not root may say anything", "alice", false, "bob",
	  "cli:alice" },
	{ "root who is root by sudo", "root", true, "root", "cli:root" },
	{ "root of another name", "toor", true, "bob", "cli:bob(toor)" },
	{ "a name of a domain", "root", true, "CORP\\eve@x-y.z",
	  "cli:CORP\\eve@x-y.z(root)" },
	{ "no name", "root", true, "", "cli:root" },
	{ "an option", "root", true, "-eve", "cli:root" },
	{ "a mark of its own", "root", true, "eve(root)", "cli:root" },
	{ "another kind", "root", true, "job:x", "cli:root" },
	{ "lines", "root", true, "eve\n", "cli:root" },
	{ "64 bytes", "root", true, X60 "1234", "cli:" X60 "1234(root)" },
	{ "65 bytes", "root", true, X60 "12345", "cli:root" },
};

static void names(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(prints); i++) {
		struct arena arena;

		print_message("%s\n", prints[i].rule);
		arena_init(&arena);
		assert_str(actor_print(&arena, prints[i].login, prints[i].root,
				       prints[i].by),
			   prints[i].want);
		arena_done(&arena);
	}
}

static const struct {
	const char *actor, *wanted;
	bool is;
} rows[] = {
	{ "cli:mallory(root)", "cli:mallory(root)", true },
	{ "cli:mallory(root)", "mallory", true },
	{ "cli:mallory(root)", "root", true },
	{ "cli:mallory(root)", "cli:mallory", true },
	{ "cli:mallory(root)", "cli:root", true },
	{ "cli:mallory(root)", "cli", true },
	{ "cli:mallory(root)", "job:root", false },
	{ "cli:mallory(root)", "mal", false },
	{ "cli:mallory(root)", "cli:mal", false },
	{ "cli:mallory(root)", "cli:", false },
	{ "cli:mallory(root)", "", false },
	{ "cli:mallory(root)", "eve(root)", false },
	{ "cli:mallory(root)", "mallory(root", false },
	{ "cli:root", "root", true },
	{ "cli:root", "cli:root", true },
	{ "cli:root", "cli:root(root)", false },
	{ "cli:root", "mallory", false },
	{ "job:lifetime", "job", true },
	{ "job:lifetime", "lifetime", true },
	{ "job:lifetime", "cli", false },
	{ "alice", "alice", true },
	{ "alice", "cli:alice", false },
};

static void who_is_meant(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (actor_is(str_of(rows[i].actor), str_of(rows[i].wanted)) !=
		    rows[i].is)
			fail_msg("%s by %s", rows[i].actor, rows[i].wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(who_is_meant),
	};

	return cmocka_run_group_tests_name("cli_actor", tests, NULL, NULL);
}
