/*
 * server/config_print.c - the table of options for people: the effective
 * configuration, and README's table.
 */
#include "server/config_table.h"

#include <string.h>

#include "token/buf.h"
#include "token/json.h"

enum { ALL_MAX = 16 * 1024 * 1024 };

/* JSON's strings are YAML's double-quoted ones. */
void yaml_quote(struct str text, struct buf *buf)
{
	struct buf quoted;

	buf_init(&quoted, 8 * OPTION_TEXT_MAX);
	json_str(&quoted, text);
	buf_add(buf, buf_str(&quoted));
	buf_done(&quoted);
}

/* Words that YAML takes for something else than text. */
static bool is_keyword(struct str text)
{
	static const char *const words[] = { "true", "false", "yes", "no", "on",
					     "off",  "null",  "y",   "n" };

	for (size_t i = 0; i < COUNT(words); i++)
		if (str_eq_nocase(text, str_of(words[i])))
			return true;
	return false;
}

static void print_text(const char *text, struct buf *buf)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ/";
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._/:-";
	bool address = strspn(text, "0123456789.:") == strlen(text) &&
		       strchr(text, '.');

	if ((address || strchr(letters, text[0])) &&
	    strspn(text, plain) == strlen(text) && !is_keyword(str_of(text)) &&
	    text[strlen(text) - 1] != ':')
		buf_add(buf, str_of(text));
	else
		yaml_quote(str_of(text), buf);
}

static void print_value(const struct option *option,
			const struct config *config, unsigned index,
			struct buf *buf)
{
	const void *at = option_at(option, config, index);

	switch (option->type) {
	case OPTION_TEXT:
		if (*(char *const *)at)
			print_text(*(char *const *)at, buf);
		break;
	case OPTION_NUMBER:
		buf_add_u64(buf, *(const unsigned *)at);
		break;
	case OPTION_FLAG:
		buf_add(buf, *(const bool *)at ? STR("true") : STR("false"));
		break;
	case OPTION_STYLE:
		buf_add(buf, *(const enum kid_style *)at == KID_RFC7638
				     ? STR("rfc7638")
				     : STR("libtrust"));
	}
}

static bool is_set(const struct option *option, const struct config *config,
		   unsigned index)
{
	return option->type != OPTION_TEXT ||
	       *(char *const *)option_at(option, config, index);
}

/* Beside the option, which is `width` wide; what is too long goes on below. */
static void print_help(const struct option *option, size_t width,
		       struct buf *buf)
{
	enum { COLUMN = 40, END = 100 };
	struct str rest = str_of(option->help), word;
	size_t at = width;

	for (bool first = true; str_cut(&rest, ' ', &word); first = false) {
		if (!first && at + 1 + word.len > END) {
			buf_add_char(buf, '\n');
			first = true;
			at = 0;
		}
		if (first) {
			buf_printf(buf, "%*s#",
				   at < COLUMN ? (int)(COLUMN - at) : 1, "");
			at = (at < COLUMN ? COLUMN : at + 1) + 1;
		}
		buf_printf(buf, " " STR_FMT, STR_ARG(word));
		at += 1 + word.len;
	}
	buf_add_char(buf, '\n');
}

/* `lead` is "- " on the first of a list's entry. */
static void print_option(const struct option *option,
			 const struct config *config, unsigned index,
			 const char *lead, struct buf *buf)
{
	size_t begin = buf->len;

	buf_printf(buf, "%s%s: ", lead, option->key);
	print_value(option, config, index, buf);
	print_help(option, buf->len - begin, buf);
}

static void print_section(enum section section, const struct config *config,
			  unsigned index, const char *first, const char *lead,
			  struct buf *buf)
{
	for (size_t i = 0; i < options_count; i++) {
		if (options[i].section != section ||
		    !is_set(&options[i], config, index))
			continue;
		print_option(&options[i], config, index, first, buf);
		first = lead;
	}
}

/* `section`: TLS, the list of certificates being the next one. */
static void print_tls(const struct config_tls *tls, enum section section,
		      const struct config *config, unsigned index,
		      const char *lead, struct buf *buf)
{
	unsigned step = section == SECTION_TLS ? LIST_MAX : 1;
	char deeper[16], first[24], next[24];

	if (!config_certificates(tls))
		return;
	snprintf(deeper, sizeof(deeper), "%s  ", lead);
	snprintf(first, sizeof(first), "%s  - ", deeper);
	snprintf(next, sizeof(next), "%s    ", deeper);
	buf_printf(buf, "%stls:\n", lead);
	print_section(section, config, index, deeper, deeper, buf);
	if (tls->more_count)
		buf_printf(buf, "%scertificates:\n", deeper);
	for (unsigned i = 0; i < tls->more_count; i++)
		print_section(section + 1, config, index + i * step, first,
			      next, buf);
}

/* With what lies in it; one of which nothing is set is left out. */
static void print_flat(enum section section, const struct config *config,
		       struct buf *buf)
{
	bool some = false;

	if (strchr(sections[section].path, '.'))
		return;
	for (size_t i = 0; i < options_count; i++)
		some |= options[i].section == section &&
			is_set(&options[i], config, 0);
	if (some)
		buf_printf(buf, "%s:\n", sections[section].path);
	print_section(section, config, 0, "  ", "  ", buf);
	if (section == SECTION_ADMIN)
		print_tls(&config->admin.tls, SECTION_ADMIN_TLS, config, 0,
			  "  ", buf);
}

void config_print(const struct config *config, struct buf *buf)
{
	buf_printf(buf, "# %s and DOCKPASS_* variables\n", config->path);
	print_section(SECTION_ROOT, config, 0, "", "", buf);
	buf_add(buf, STR("listeners:\n"));
	for (unsigned i = 0; i < config->listeners_count; i++) {
		print_section(SECTION_LISTENERS, config, i, "  - ", "    ",
			      buf);
		print_tls(&config->listeners[i].tls, SECTION_TLS, config, i,
			  "    ", buf);
	}
	buf_add(buf, STR("services:\n"));
	for (unsigned i = 0; i < config->services_count; i++)
		print_section(SECTION_SERVICES, config, i, "  - ", "    ", buf);
	for (enum section flat = SECTION_PAT; flat < SECTION_COUNT; flat++)
		print_flat(flat, config, buf);
}

/* What a new file says of it; NULL: nothing. */
static const char *new_value(const struct option *option,
			     const struct config_new *chosen, size_t n,
			     bool *is_default)
{
	char path[OPTION_NAME_MAX];

	option_path(option, LIST_ANY, path);
	*is_default = false;
	for (size_t i = 0; i < n; i++)
		if (chosen[i].value && !strcmp(chosen[i].path, path))
			return chosen[i].value;
	*is_default = option->fallback;
	return option->fallback;
}

/* What says nothing is a comment: it counts without the "# ". */
static void new_key(bool says, unsigned indent, const char *lead,
		    struct str key, struct buf *buf)
{
	buf_printf(buf, "%s%*s%s" STR_FMT ":", says ? "" : "# ", (int)indent,
		   "", lead, STR_ARG(key));
}

static void new_option(const struct option *option, unsigned indent,
		       const char *lead, const struct config_new *chosen,
		       size_t n, struct buf *buf)
{
	size_t begin = buf->len;
	bool is_default;
	const char *value = new_value(option, chosen, n, &is_default);

	new_key(value, indent, lead, str_of(option->key), buf);
	if (value)
		buf_add_char(buf, ' ');
	if (is_default)
		buf_add(buf, str_of(value)); /* as YAML has it */
	else if (value)
		print_text(value, buf);
	print_help(option, buf->len - begin, buf);
}

/* The last word of its path; of a list, an entry follows. */
static void new_head(const char *path, unsigned indent, bool says,
		     struct buf *buf)
{
	const char *dot = strrchr(path, '.');
	struct str rest = str_of(dot ? dot + 1 : path), word;

	str_cut(&rest, '[', &word);
	if (!indent)
		buf_add_char(buf, '\n');
	new_key(says, indent, "", word, buf);
	buf_add_char(buf, '\n');
}

static void new_section(enum section section, const struct config_new *chosen,
			size_t n, struct buf *buf)
{
	const char *path = sections[section].path, *lead = "";
	unsigned indent = 0;
	bool says = false, is;

	for (const char *at = path; *at; at++)
		indent += *at == '.' || *at == '[' ? 2 : 0;
	for (size_t i = 0; i < options_count; i++)
		says |= options[i].section == section &&
			new_value(&options[i], chosen, n, &is);
	if (*path && path[strlen(path) - 1] == ']') {
		new_head(path, indent - 2, says, buf);
		lead = "- ";
	} else if (*path) {
		new_head(path, indent, says, buf);
		indent += 2;
	}
	for (size_t i = 0; i < options_count; i++) {
		if (options[i].section != section)
			continue;
		new_option(&options[i], indent, lead, chosen, n, buf);
		indent += (unsigned)strlen(lead);
		lead = "";
	}
}

void config_print_new(const struct config_new *chosen, size_t n,
		      struct buf *buf)
{
	buf_add(buf, STR("# dockpass.yaml: how dockpass is deployed. "
			 "`dockpass check` shows what is in effect.\n"
			 "# Each option may be overridden by a variable: "
			 "DOCKPASS_URL, DOCKPASS_SERVICES_0_TTL ...\n"));
	for (enum section section = 0; section < SECTION_COUNT; section++)
		new_section(section, chosen, n, buf);
}

static void put_value(const struct option *option, const struct config *config,
		      unsigned index, struct buf *buf)
{
	struct buf text;

	if (option->type == OPTION_TEXT) {
		json_str(buf,
			 str_of(*(char **)option_at(option, config, index)));
		return;
	}
	buf_init(&text, OPTION_NAME_MAX);
	print_value(option, config, index, &text);
	if (option->type == OPTION_STYLE)
		json_str(buf, buf_str(&text));
	else
		buf_add(buf, buf_str(&text)); /* a number, true, false */
	buf_done(&text);
}

/* {"issuer":"dockpass","services[0].ttl":300}; null: not set. */
void config_print_json(const struct config *config, struct buf *buf)
{
	json_open(buf, '{');
	for (size_t i = 0; i < options_count; i++) {
		unsigned n = option_instances(&options[i], config);
		char path[OPTION_NAME_MAX];

		for (unsigned j = 0; j < n; j++) {
			unsigned index = option_index(&options[i], config, j);

			option_path(&options[i], index, path);
			json_key(buf, path);
			if (!is_set(&options[i], config, index))
				json_null(buf);
			else
				put_value(&options[i], config, index, buf);
		}
	}
	json_close(buf, '}');
}

enum err config_digest(const struct config *config, struct digest *out)
{
	AUTO(buf) struct buf text;

	*out = (struct digest) { 0 };
	buf_init(&text, ALL_MAX);
	config_print_json(config, &text);
	return text.over ? E_LIMIT : secret_digest(buf_str(&text), out);
}

void config_print_table(struct buf *buf)
{
	buf_add(buf, STR("| option | environment | default | meaning |\n"
			 "|---|---|---|---|\n"));
	for (size_t i = 0; i < options_count; i++) {
		const struct option *option = &options[i];
		char path[OPTION_NAME_MAX], variable[OPTION_NAME_MAX];

		option_path(option, LIST_ANY, path);
		option_variable(option, LIST_ANY, variable);
		buf_printf(buf, "| `%s` | `%s` | %s%s%s | %s |\n", path,
			   variable, option->fallback ? "`" : "",
			   option->fallback ? option->fallback : "",
			   option->fallback ? "`" : "", option->help);
	}
}
