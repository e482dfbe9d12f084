/*
 * server/config_table.h - the table of options: what dockpass.yaml may say.
 *
 * One row an option. From it come libcyaml's schema, the reading of values,
 * the DOCKPASS_ variables, the defaults, `dockpass check`, README's table and
 * the file that `dockpass init` makes. A new option is a row here and a member
 * of a struct in config.h.
 */
#pragma once

#include <stdio.h>

#include "server/config.h"

enum option_type { OPTION_TEXT, OPTION_NUMBER, OPTION_FLAG, OPTION_STYLE };

enum section {
	SECTION_ROOT,
	SECTION_LISTENERS,
	SECTION_TLS,
	SECTION_CERTIFICATES,
	SECTION_SERVICES,
	SECTION_PAT,
	SECTION_LIMITS,
	SECTION_GUARD,
	SECTION_ADMIN,
	SECTION_ADMIN_TLS,
	SECTION_ADMIN_CERTIFICATES,
	SECTION_MAIL,
	SECTION_HOOK,
	SECTION_LOG,
	SECTION_COUNT
};

/*
 * An index is of a list's entry; of one of a list in another list's entry it is
 * outer + inner * LIST_MAX. LIST_ANY stands for any.
 */
enum {
	LIST_MAX = 64,
	LIST_ANY = LIST_MAX * LIST_MAX,
	OPTION_NAME_MAX = 80,
	OPTION_TEXT_MAX = 1024
};

struct option {
	enum section section;
	const char *key;
	enum option_type type;
	bool path; /* a text that config_path_at() finds */
	size_t offset;
	uint64_t min, max;    /* of a number; of a text's length */
	const char *fallback; /* NULL: must be set, or `help` says */
	const char *help;
};

extern const struct option options[];
extern const size_t options_count;

struct section_row {
	const char *path; /* "listeners[].tls" */
	bool list;	  /* of a list's entries */
};
extern const struct section_row sections[SECTION_COUNT];

/* "services[0].ttl"; and "[]" when index is LIST_ANY. */
void option_path(const struct option *option, unsigned index,
		 char out[OPTION_NAME_MAX]);
/* DOCKPASS_SERVICES_0_TTL; and N when index is LIST_ANY. */
void option_variable(const struct option *option, unsigned index,
		     char out[OPTION_NAME_MAX]);

/* How many of its section there are: 1 outside of lists. */
unsigned option_instances(const struct option *option,
			  const struct config *config);
/* The index of the n-th of them. */
unsigned option_index(const struct option *option, const struct config *config,
		      unsigned n);
/*
 * May `text` be its value? *cause then is what is wrong and what to do,
 * without saying where.
 */
enum err option_check(const struct option *option, struct str text,
		      struct cause *cause) MUST_CHECK;
/* Takes a text that option_check() has allowed. */
void option_set(const struct option *option, struct config *config,
		unsigned index, struct str text);
/* The member of the struct. `index` is of its list. */
void *option_at(const struct option *option, const struct config *config,
		unsigned index);

/* The effective configuration: {"services[0].ttl":300}; null: not set. */
void config_print_json(const struct config *config, struct buf *buf);

/*
 * A file to begin with: each option with what was chosen ("services[].name"),
 * or its default; what has neither is a comment.
 */
struct config_new {
	const char *path, *value; /* NULL: not chosen */
};
void config_print_new(const struct config_new *chosen, size_t n,
		      struct buf *buf);

/* Text in double quotes, as YAML and JSON both read it. */
void yaml_quote(struct str text, struct buf *buf);

/* libcyaml's side: reads `text` by schema. *cause: what it said. */
enum err config_parse(struct str text, struct config **out,
		      struct cause *cause) MUST_CHECK;
