/*
 * test/unit/token/test_rights.c - token/rights: every cell of roles x
 * visibility, every set of PAT scopes, and all that comes of both together.
 */
#include "test/unit/check.h"

#include <string.h>

#include "token/rights.h"

/* clang-format off */

/* P pull, U push, D delete, C catalog, - nothing. */
static const char *const cells[] = {
/* visibility registry archived | anonymous signed-in external guest planner reporter developer maintainer owner admin */
"private      enabled  no         -         -         -        -     -       P        PU        PUD        PUD   PUD",
"internal     enabled  no         -         P         -        P     P       P        PU        PUD        PUD   PUD",
"public       enabled  no         P         P         P        P     P       P        PU        PUD        PUD   PUD",
"private      private  no         -         -         -        -     -       P        PU        PUD        PUD   PUD",
"internal     private  no         -         -         -        -     -       P        PU        PUD        PUD   PUD",
"public       private  no         -         -         -        -     -       P        PU        PUD        PUD   PUD",
"private      disabled no         -         -         -        -     -       -        -         -          -     -",
"internal     disabled no         -         -         -        -     -       -        -         -          -     -",
"public       disabled no         -         -         -        -     -       -        -         -          -     -",
"private      enabled  yes        -         -         -        -     -       P        P         P          P     P",
"internal     enabled  yes        -         P         -        P     P       P        P         P          P     P",
"public       enabled  yes        P         P         P        P     P       P        P         P          P     P",
"private      private  yes        -         -         -        -     -       P        P         P          P     P",
"internal     private  yes        -         -         -        -     -       P        P         P          P     P",
"public       private  yes        -         -         -        -     -       P        P         P          P     P",
"private      disabled yes        -         -         -        -     -       -        -         -          -     -",
"internal     disabled yes        -         -         -        -     -       -        -         -          -     -",
"public       disabled yes        -         -         -        -     -       -        -         -          -     -",
};

static const struct standing columns[] = {
	{ .signed_in = false },
	{ .signed_in = true },
	{ .signed_in = true, .external = true },
	{ .signed_in = true, .role = ROLE_GUEST },
	{ .signed_in = true, .role = ROLE_PLANNER },
	{ .signed_in = true, .role = ROLE_REPORTER },
	{ .signed_in = true, .role = ROLE_DEVELOPER },
	{ .signed_in = true, .role = ROLE_MAINTAINER },
	{ .signed_in = true, .role = ROLE_OWNER },
	{ .signed_in = true, .admin = true },
};

/* In the order of the stored bits. */
static const char *const scopes[] = {
/* name            rights  the same when write_registry is push-only */
"api               PUDC    PUDC",
"read_user         -       -",
"read_api          PC      PC",
"read_repository   -       -",
"write_repository  -       -",
"read_registry     P       P",
"write_registry    PU      U",
"sudo              -       -",
};
/* clang-format on */

static struct str next_word(struct str *line)
{
	struct str word = { 0 };

	while (!word.len)
		assert_true(str_cut(line, ' ', &word));
	return word;
}

static unsigned letters(struct str word)
{
	static const char all[] = "PUDC";
	unsigned rights = 0;

	for (size_t i = 0; i < word.len && word.at[i] != '-'; i++) {
		const char *at = strchr(all, word.at[i]);

		assert_non_null(at);
		rights |= 1U << (at - all);
	}
	return rights;
}

/* The numbers are stored and signed for: they are a contract. */
static void bits_are_what_letters_say(void **state)
{
	(void)state;
	assert_int_equal(letters(STR("P")), RIGHT_PULL);
	assert_int_equal(letters(STR("U")), RIGHT_PUSH);
	assert_int_equal(letters(STR("D")), RIGHT_DELETE);
	assert_int_equal(letters(STR("C")), RIGHT_CATALOG);
	assert_int_equal(letters(STR("-")), 0);
}

static unsigned expected_of_scopes(unsigned set, bool write_implies_pull)
{
	unsigned rights = 0;

	for (size_t i = 0; i < COUNT(scopes); i++) {
		struct str line = str_of(scopes[i]);
		unsigned usual, push_only;

		next_word(&line);
		usual = letters(next_word(&line));
		push_only = letters(next_word(&line));
		if (set & 1U << i)
			rights |= write_implies_pull ? usual : push_only;
	}
	return rights;
}

static void every_set_of_scopes(void **state)
{
	(void)state;
	for (unsigned set = 0; set <= PAT_ALL; set++) {
		assert_int_equal(pat_rights(set, true),
				 expected_of_scopes(set, true));
		assert_int_equal(pat_rights(set, false),
				 expected_of_scopes(set, false));
	}
	assert_int_equal(pat_rights(~(unsigned)PAT_ALL, true), 0);
}

static struct project_rules rules_of(struct str *line)
{
	struct project_rules rules = { 0 };

	assert_int_equal(visibility_parse(next_word(line), &rules.visibility),
			 E_OK);
	assert_int_equal(
		registry_access_parse(next_word(line), &rules.registry), E_OK);
	rules.archived = str_eq(next_word(line), STR("yes"));
	return rules;
}

/* A grant: what the role allows, the scopes hold, and the client asks. */
static void check_cell(unsigned cell, const struct project_rules *rules,
		       const struct standing *who)
{
	assert_int_equal(project_rights(rules, who), cell);
	for (unsigned set = 0; set <= PAT_ALL; set++)
		for (unsigned asked = 0; asked <= RIGHT_REPOSITORY; asked++) {
			unsigned got = project_rights(rules, who) &
				       pat_rights(set, true) & asked;

			assert_int_equal(got,
					 cell & expected_of_scopes(set, true) &
						 asked);
		}
}

static void every_cell_with_every_scope(void **state)
{
	(void)state;
	assert_int_equal(COUNT(cells), 3 * 3 * 2);
	for (size_t i = 0; i < COUNT(cells); i++) {
		struct str line = str_of(cells[i]);
		struct project_rules rules = rules_of(&line);

		print_message("%.30s\n", cells[i]);
		for (size_t j = 0; j < COUNT(columns); j++)
			check_cell(letters(next_word(&line)), &rules,
				   &columns[j]);
		assert_int_equal(line.len, 0);
	}
}

static const struct {
	const char *rule;
	struct project_rules rules;
	struct standing who;
	unsigned want;
} special[] = {
	{ "an external member has his role's column",
	  { VISIBILITY_PRIVATE, REGISTRY_ENABLED, false },
	  { .signed_in = true, .external = true, .role = ROLE_DEVELOPER },
	  RIGHT_PULL | RIGHT_PUSH },
	{ "an external guest pulls what is internal",
	  { VISIBILITY_INTERNAL, REGISTRY_ENABLED, false },
	  { .signed_in = true, .external = true, .role = ROLE_GUEST },
	  RIGHT_PULL },
	{ "an administrator who is external is an owner",
	  { VISIBILITY_PRIVATE, REGISTRY_ENABLED, false },
	  { .signed_in = true, .external = true, .admin = true },
	  RIGHT_REPOSITORY },
	{ "an administrator with a low role is an owner",
	  { VISIBILITY_PRIVATE, REGISTRY_PRIVATE, false },
	  { .signed_in = true, .admin = true, .role = ROLE_GUEST },
	  RIGHT_REPOSITORY },
	{ "who is not signed in has no role",
	  { VISIBILITY_PRIVATE, REGISTRY_ENABLED, false },
	  { .admin = true, .role = ROLE_OWNER },
	  0 },
	{ "an unknown role is none",
	  { VISIBILITY_INTERNAL, REGISTRY_ENABLED, false },
	  { .signed_in = true, .external = true, .role = (enum role)35 },
	  0 },
	{ "a role out of range is none",
	  { VISIBILITY_PRIVATE, REGISTRY_ENABLED, false },
	  { .signed_in = true, .role = (enum role)60 },
	  0 },
	{ "an unknown visibility grants nothing",
	  { (enum visibility)3, REGISTRY_ENABLED, false },
	  { .signed_in = true, .role = ROLE_OWNER },
	  0 },
	{ "an unknown registry setting grants nothing",
	  { VISIBILITY_PUBLIC, (enum registry_access)3, false },
	  { .signed_in = true, .role = ROLE_OWNER },
	  0 },
	{ "a standing of zeros is nobody", { 0 }, { 0 }, 0 },
};

static void special_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(special); i++) {
		print_message("%s\n", special[i].rule);
		assert_int_equal(
			project_rights(&special[i].rules, &special[i].who),
			special[i].want);
	}
}

static const struct {
	const char *rule, *text;
	enum err err;
	unsigned want;
	const char *unknown;
} lists[] = {
	{ "one", "api", E_OK, PAT_API, "" },
	{ "several", "read_registry,write_registry", E_OK,
	  PAT_READ_REGISTRY | PAT_WRITE_REGISTRY, "" },
	{ "spaces around commas", " api , sudo ", E_OK, PAT_API | PAT_SUDO,
	  "" },
	{ "duplicates", "api,api", E_OK, PAT_API, "" },
	{ "an unknown name", "api,fly", E_SYNTAX, 0, "fly" },
	{ "case matters", "API", E_SYNTAX, 0, "API" },
	{ "a prefix is no name", "read", E_SYNTAX, 0, "read" },
	{ "spaces do not part", "api sudo", E_SYNTAX, 0, "api sudo" },
	{ "an empty list", "", E_SYNTAX, 0, "" },
	{ "only spaces", "  ", E_SYNTAX, 0, "" },
	{ "an empty name", "api,,sudo", E_SYNTAX, 0, "" },
	{ "a comma at the end", "api,", E_SYNTAX, 0, "" },
	{ "all of them",
	  "sudo,write_registry,read_registry,write_repository,"
	  "read_repository,read_api,read_user,api",
	  E_OK, PAT_ALL, "" },
};

static void lists_of_scopes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct str unknown;
		unsigned got = 77;

		print_message("%s\n", lists[i].rule);
		assert_int_equal(
			pat_scopes_parse(str_of(lists[i].text), &got, &unknown),
			lists[i].err);
		assert_int_equal(got, lists[i].want);
		assert_str(unknown, lists[i].unknown);
	}
}

static void names_of_scopes_by_bit(void **state)
{
	unsigned bits = PAT_ALL | 1U << 20;

	(void)state;
	for (size_t i = 0; i < COUNT(scopes); i++) {
		struct str line = str_of(scopes[i]), name = next_word(&line);
		struct str unknown;
		unsigned bit;

		assert_true(str_eq(pat_scopes_next(&bits), name));
		assert_int_equal(pat_scopes_parse(name, &bit, &unknown), E_OK);
		assert_int_equal(bit, 1U << i);
	}
	assert_int_equal(pat_scopes_next(&bits).len, 0);
}

static void words(void **state)
{
	static const struct {
		const char *name;
		enum role role;
	} roles[] = {
		{ "guest", 10 },     { "planner", 15 },	   { "reporter", 20 },
		{ "developer", 30 }, { "maintainer", 40 }, { "owner", 50 },
	};
	enum visibility visibility = VISIBILITY_PUBLIC;
	enum registry_access access = REGISTRY_ENABLED;
	enum role role;
	unsigned known = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(roles); i++) {
		assert_int_equal(role_parse(str_of(roles[i].name), &role),
				 E_OK);
		assert_int_equal(role, roles[i].role);
		assert_str(role_name(role), roles[i].name);
	}
	for (unsigned n = 0; n < 1000; n++)
		known += role_known(n);
	assert_int_equal(known, COUNT(roles));
	assert_str(role_name(ROLE_NONE), "no role");
	assert_int_equal(role_parse(STR("no role"), &role), E_SYNTAX);
	assert_int_equal(role, ROLE_NONE);
	assert_int_equal(visibility_parse(STR("Public"), &visibility),
			 E_SYNTAX);
	assert_int_equal(visibility, VISIBILITY_PRIVATE);
	assert_int_equal(registry_access_parse(STR(""), &access), E_SYNTAX);
	assert_int_equal(access, REGISTRY_DISABLED);
	assert_str(visibility_name(VISIBILITY_INTERNAL), "internal");
	assert_str(registry_access_name(REGISTRY_PRIVATE), "private");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bits_are_what_letters_say),
		cmocka_unit_test(every_set_of_scopes),
		cmocka_unit_test(every_cell_with_every_scope),
		cmocka_unit_test(special_cases),
		cmocka_unit_test(lists_of_scopes),
		cmocka_unit_test(names_of_scopes_by_bit),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests_name("rights", tests, NULL, NULL);
}
