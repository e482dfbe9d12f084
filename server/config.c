/*
 * server/config.c - loads dockpass.yaml: the file, then DOCKPASS_*, then
 * defaults, then what no single option can know.
 *
 * libcyaml takes "070" for 56 and "flase" for true, and gives no lines. So
 * each value is first read strictly by its row (look_over), with its line from
 * config_yaml.c; libcyaml's schema, from the same rows, has the second word.
 */
#include "server/config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/config_check.h"
#include "server/config_table.h"
#include "server/config_yaml.h"
#include "server/file.h"
#include "token/word.h"

enum { CONFIG_SIZE_MAX = 1024 * 1024 };

static const char default_path[] = "/etc/dockpass/dockpass.yaml";

/* Is `path` the pattern, "[]" standing for any index? */
static bool path_fits(const char *path, const char *pattern)
{
	for (; *pattern; pattern++) {
		if (*path++ != *pattern)
			return false;
		while (*pattern == '[' && *path >= '0' && *path <= '9')
			path++;
	}
	return !*path;
}

static const struct option *option_find(const char *path)
{
	char pattern[OPTION_NAME_MAX];

	for (size_t i = 0; i < options_count; i++) {
		option_path(&options[i], LIST_ANY, pattern);
		if (path_fits(path, pattern))
			return &options[i];
	}
	return NULL;
}

/* What a key that is no option must hold; false: there is no such key. */
static bool container_find(const char *path, enum yaml_kind *kind)
{
	char list[OPTION_NAME_MAX];

	for (size_t i = 0; i < SECTION_COUNT; i++) {
		size_t len = strlen(sections[i].path);

		*kind = YAML_MAP;
		if (path_fits(path, sections[i].path))
			return true;
		if (len < 2 || sections[i].path[len - 1] != ']')
			continue;
		*kind = YAML_LIST;
		snprintf(list, sizeof(list), "%.*s", (int)len - 2,
			 sections[i].path);
		if (path_fits(path, list))
			return true;
	}
	return false;
}

static enum err look_at(const struct yaml_node *node, struct cause *cause)
{
	static const char *const texts[] = {
		[YAML_TEXT] = "a single value, as `key: value`",
		[YAML_MAP] = "options of its own, `key: value` below it",
		[YAML_LIST] = "a list, each entry behind a dash",
	};
	const struct option *option = option_find(node->path);
	enum yaml_kind want = YAML_TEXT;

	if (option && node->kind == YAML_TEXT)
		return option_check(option, node->value, cause);
	if (!option && !container_find(node->path, &want))
		return cause_set(
			cause, E_SYNTAX,
			"is no option; `dockpass check --table` "
			"lists them, look at spelling and indentation");
	if (want != node->kind)
		return cause_set(cause, E_SYNTAX, "must hold %s", texts[want]);
	return E_OK;
}

static enum err look_over(const struct yaml_file *file, struct cause *cause)
{
	for (size_t i = 0; i < file->len; i++) {
		const struct yaml_node *node = &file->nodes[i];
		struct cause what = { 0 };
		enum err err = look_at(node, &what);

		if (err)
			return cause_set(cause, err, "%s:%u: %.120s%s%s",
					 file->name, node->line, node->path,
					 *node->path ? ": " : "the file ",
					 what.text);
	}
	return E_OK;
}

static const char *from_environment(const struct option *option, unsigned index)
{
	char variable[OPTION_NAME_MAX];

	option_variable(option, index, variable);
	return getenv(variable);
}

/* Lists may be longer in the environment than in the file. */
static bool names_entry(unsigned some, unsigned index)
{
	for (size_t i = 0; i < options_count; i++)
		if (some & 1u << options[i].section &&
		    from_environment(&options[i], index))
			return true;
	return false;
}

static void grow(void **list, unsigned *count, size_t size)
{
	char *at = realloc(*list, (*count + 1) * size);

	assert(at);
	memset(at + *count * size, 0, size);
	*list = at;
	++*count;
}

static void grow_tls(struct config_tls *tls, enum section section,
		     unsigned outer, unsigned step)
{
	void *list = tls->more;

	while (tls->more_count < LIST_MAX &&
	       names_entry(1u << section, outer + tls->more_count * step))
		grow(&list, &tls->more_count, sizeof(*tls->more));
	tls->more = list;
}

static void grow_lists(struct config *config)
{
	const unsigned of_listeners = 1u << SECTION_LISTENERS |
				      1u << SECTION_TLS |
				      1u << SECTION_CERTIFICATES;
	void *list = config->listeners;

	while (config->listeners_count < LIST_MAX &&
	       (names_entry(of_listeners, config->listeners_count) ||
		!config->listeners_count))
		grow(&list, &config->listeners_count,
		     sizeof(*config->listeners));
	config->listeners = list;
	for (unsigned i = 0; i < config->listeners_count; i++)
		grow_tls(&config->listeners[i].tls, SECTION_CERTIFICATES, i,
			 LIST_MAX);
	grow_tls(&config->admin.tls, SECTION_ADMIN_CERTIFICATES, 0, 1);
	list = config->services;
	while (config->services_count < LIST_MAX &&
	       names_entry(1u << SECTION_SERVICES, config->services_count))
		grow(&list, &config->services_count, sizeof(*config->services));
	config->services = list;
}

/* Environment before file before default. */
static enum err settle(const struct option *option, struct config *config,
		       const struct yaml_file *file, unsigned index,
		       struct cause *cause)
{
	const char *text = from_environment(option, index);
	const struct yaml_node *node;
	char path[OPTION_NAME_MAX];
	struct cause what;
	enum err err;

	if (text) {
		err = option_check(option, str_of(text), &what);
		option_variable(option, index, path);
		if (err)
			return cause_set(cause, err, "%s: %s", path, what.text);
		option_set(option, config, index, str_of(text));
		return E_OK;
	}
	option_path(option, index, path);
	node = yaml_find(file, path);
	if (node)
		option_set(option, config, index, node->value);
	else if (option->fallback)
		option_set(option, config, index, str_of(option->fallback));
	return E_OK;
}

static enum err settle_all(struct config *config, const struct yaml_file *file,
			   struct cause *cause)
{
	enum err err = E_OK;

	grow_lists(config);
	for (size_t i = 0; !err && i < options_count; i++) {
		unsigned n = option_instances(&options[i], config);

		for (unsigned j = 0; !err && j < n; j++)
			err = settle(&options[i], config, file,
				     option_index(&options[i], config, j),
				     cause);
	}
	return err;
}

/* A variable that nothing reads is a typing error. */
static enum err check_environment(const struct config *config,
				  struct cause *cause)
{
	for (char **at = environ; at && *at; at++) {
		struct str rest = str_of(*at), name;
		bool known;

		str_cut(&rest, '=', &name);
		if (!str_starts(name, STR("DOCKPASS_")))
			continue;
		known = str_eq(name, STR("DOCKPASS_CONFIG"));
		for (size_t i = 0; !known && i < options_count; i++) {
			unsigned n = option_instances(&options[i], config);
			char variable[OPTION_NAME_MAX];

			for (unsigned j = 0; !known && j < n; j++) {
				option_variable(
					&options[i],
					option_index(&options[i], config, j),
					variable);
				known = str_eq(name, str_of(variable));
			}
		}
		if (!known)
			return cause_set(cause, E_SYNTAX,
					 "%.*s: is no option; unset it, or see "
					 "README for the names (list entries "
					 "are counted from 0)",
					 (int)(name.len < 100 ? name.len : 100),
					 name.at);
	}
	return E_OK;
}

const char *config_folder_at(const struct config *config, size_t i)
{
	const char *const folders[] = { config->store, config->keys,
					config->public };

	return i < COUNT(folders) ? folders[i] : NULL;
}

const char *const *config_path_at(const struct config *config, size_t i)
{
	for (size_t k = 0; k < options_count; k++) {
		const struct option *option = &options[k];
		unsigned n =
			option->path ? option_instances(option, config) : 0;

		if (i < n)
			return option_at(
				option, config,
				option_index(option, config, (unsigned)i));
		i -= n;
	}
	return NULL;
}

/* The places are in the order of the table, all instances of an option. */
const char *config_path_place(const struct config *config, size_t i)
{
	size_t first = 0;

	for (size_t k = 0; config->places && k < options_count; k++) {
		unsigned n = option_instances(&options[k], config);

		if (options[k].path && i < n)
			return config->places[first + i];
		i -= options[k].path ? n : 0;
		first += n;
	}
	return "";
}

const char *config_place(const struct config *config, const char *path)
{
	char name[OPTION_NAME_MAX];
	size_t at = 0;

	for (size_t k = 0; config->places && k < options_count; k++) {
		unsigned n = option_instances(&options[k], config);

		for (unsigned i = 0; i < n; i++, at++) {
			option_path(&options[k],
				    option_index(&options[k], config, i), name);
			if (!strcmp(name, path))
				return config->places[at];
		}
	}
	return "";
}

/* From the folder of the file, wherever the command runs. */
static enum err make_absolute(struct config *config, struct cause *cause)
{
	const char *slash = strrchr(config->path, '/');
	char folder[PATH_MAX], real[PATH_MAX];
	const char *const *at;

	snprintf(folder, sizeof(folder), "%.*s",
		 slash ? (int)(slash - config->path + 1) : 2,
		 slash ? config->path : "./");
	if (!realpath(folder, real))
		return cause_set(cause, E_IO, "%s: %s", folder,
				 strerror(errno));
	for (size_t i = 0; (at = config_path_at(config, i)); i++) {
		char *whole;

		if (!*at || **at == '/')
			continue;
		if (asprintf(&whole, "%s/%s", strcmp(real, "/") ? real : "",
			     *at) < 0)
			return cause_set(cause, E_MEMORY, "out of memory");
		free((void *)(uintptr_t)*at);
		*(const char **)(uintptr_t)at = whole;
	}
	return E_OK;
}

static enum err build(struct config *config, const struct yaml_file *file,
		      bool bare, struct cause *cause)
{
	enum err err = settle_all(config, file, cause);

	if (!err)
		err = check_environment(config, cause);
	if (!err)
		err = make_absolute(config, cause);
	if (!err)
		err = config_check(config, file, bare, cause);
	return err;
}

static enum err config_read(const char *path, struct buf *text,
			    struct cause *cause)
{
	struct cause what = { 0 };
	enum err err = file_read(path, false, text, &what);
	struct stat st;

	if (err == E_NOT_FOUND)
		return cause_set(cause, err,
				 "%s: not found; name the file with --config "
				 "or DOCKPASS_CONFIG, or make one: "
				 "dockpass init DIR",
				 path);
	if (err)
		return cause_set(cause, err, "%s", what.text);
	if (!stat(path, &st) && st.st_mode & S_IWOTH)
		return cause_set(cause, E_MODE,
				 "%s: others can write it; run: chmod o-w %s",
				 path, word_of(path).at);
	return E_OK;
}

static enum err load(const char *path, bool bare, struct config **out,
		     struct cause *cause)
{
	AUTO(arena) struct arena arena;
	AUTO(buf) struct buf text;
	AUTO(config) struct config *config = NULL;
	struct yaml_file file = { .arena = &arena };
	struct cause said = { 0 };
	enum err err;

	*out = NULL;
	arena_init(&arena);
	buf_init(&text, CONFIG_SIZE_MAX);
	path = path ? path : getenv("DOCKPASS_CONFIG");
	file.name = path = path && *path ? path : default_path;
	err = config_read(path, &text, cause);
	if (!err)
		err = yaml_read(&file, buf_str(&text), cause);
	if (!err)
		err = look_over(&file, cause);
	if (err)
		return err;
	err = config_parse(buf_str(&text), &config, &said);
	if (err)
		return cause_set(cause, err, "%s: %.300s", path, said.text);
	config->path = strdup(path);
	assert(config->path);
	err = build(config, &file, bare, cause);
	if (err)
		return err;
	*out = config;
	config = NULL;
	return E_OK;
}

/* A key may hold anything, a line feed too: still one line. */
static enum err load_said(const char *path, bool bare, struct config **out,
			  struct cause *cause)
{
	enum err err = load(path, bare, out, cause);

	if (err && cause)
		make_printable(cause->text);
	return err;
}

enum err config_load(const char *path, struct config **out, struct cause *cause)
{
	return load_said(path, false, out, cause);
}

enum err config_load_bare(const char *path, struct config **out,
			  struct cause *cause)
{
	return load_said(path, true, out, cause);
}

const struct config_service *config_service(const struct config *config,
					    struct str name)
{
	if (!name.len)
		return config->services_count == 1 ? config->services : NULL;
	for (unsigned i = 0; i < config->services_count; i++)
		if (str_eq(str_of(config->services[i].name), name))
			return &config->services[i];
	return NULL;
}
