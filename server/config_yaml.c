/*
 * server/config_yaml.c - see the header.
 *
 * A stack of the maps and lists that are open; a map waits for a key, or has
 * one and waits for its value.
 */
#include "server/config_yaml.h"

#include <string.h>

#include <yaml.h>

struct level {
	const char *path;
	bool list;
	unsigned index;	 /* of a list's next entry */
	bool has_key;	 /* of a map: the next event is the value */
	const char *key; /* path of that value */
	unsigned key_line;
};

struct walk {
	struct yaml_file *file;
	struct str text;
	struct cause *cause;
	struct level levels[YAML_DEPTH_MAX];
	size_t depth;
	unsigned documents;
	bool done;
};

static void event_cleanup(yaml_event_t *event)
{
	yaml_event_delete(event);
}

static void parser_cleanup(yaml_parser_t *parser)
{
	yaml_parser_delete(parser);
}

static enum err bad(struct walk *w, enum err err, size_t line, const char *what)
{
	return cause_set(w->cause, err, "%s:%zu: %s", w->file->name, line + 1,
			 what);
}

const struct yaml_node *yaml_find(const struct yaml_file *file,
				  const char *path)
{
	for (size_t i = 0; i < file->len; i++)
		if (!strcmp(file->nodes[i].path, path))
			return &file->nodes[i];
	return NULL;
}

/* The path of what begins here; in a map its key has been read before. */
static const char *next_path(struct walk *w, unsigned *line)
{
	struct level *level = w->depth ? &w->levels[w->depth - 1] : NULL;
	struct arena *arena = w->file->arena;
	struct str path;

	if (!level)
		return "";
	if (!level->list) {
		level->has_key = false;
		*line = level->key_line;
		return level->key;
	}
	path = arena_printf(arena, "%s[%u]", level->path, level->index++);
	return arena_cstr(arena, path);
}

static enum err add(struct walk *w, const yaml_event_t *event,
		    enum yaml_kind kind, struct str value)
{
	unsigned line = (unsigned)event->start_mark.line + 1;
	const char *path = next_path(w, &line);

	if (w->file->len == YAML_NODES_MAX)
		return bad(w, E_LIMIT, line - 1, "too many keys");
	if (value.len && memchr(value.at, '\0', value.len))
		return bad(w, E_SYNTAX, line - 1,
			   "a NUL byte; write plain text");
	w->file->nodes[w->file->len++] = (struct yaml_node) {
		.path = path,
		.value = arena_copy(w->file->arena, value),
		.kind = kind,
		.line = line,
	};
	if (kind == YAML_TEXT)
		return E_OK;
	if (w->depth == YAML_DEPTH_MAX)
		return bad(w, E_LIMIT, line - 1,
			   "nested too deep; no option lies there");
	w->levels[w->depth++] =
		(struct level) { .path = path, .list = kind == YAML_LIST };
	return E_OK;
}

static enum err on_key(struct walk *w, const yaml_event_t *event)
{
	struct level *level = &w->levels[w->depth - 1];
	size_t line = event->start_mark.line;
	const struct yaml_node *first;
	struct str path;

	assert(level->path); /* set as the level began */
	if (event->type != YAML_SCALAR_EVENT || !event->data.scalar.length ||
	    memchr(event->data.scalar.value, '\0', event->data.scalar.length))
		return bad(w, E_SYNTAX, line,
			   "a key must be plain text: `key: value`");
	path = arena_printf(w->file->arena, "%s%s%s", level->path,
			    *level->path ? "." : "",
			    (const char *)event->data.scalar.value);
	level->key = arena_cstr(w->file->arena, path);
	level->key_line = (unsigned)line + 1;
	level->has_key = true;
	first = yaml_find(w->file, level->key);
	if (!first)
		return E_OK;
	return cause_set(
		w->cause, E_SYNTAX,
		"%s:%zu: %.200s: is set a second time; the first is in "
		"line %u, keep one of them",
		w->file->name, line + 1, level->key, first->line);
}

/* As YAML reads it, and nobody means it (YAML 1.2 10.3.2). */
static bool is_null(const yaml_event_t *event)
{
	static const char *const words[] = { "~", "null", "Null", "NULL" };

	for (size_t i = 0; i < COUNT(words); i++)
		if (event->data.scalar.plain_implicit &&
		    !strcmp((const char *)event->data.scalar.value, words[i]))
			return true;
	return false;
}

static enum err on_text(struct walk *w, const yaml_event_t *event)
{
	struct str text = { (const char *)event->data.scalar.value,
			    event->data.scalar.length };
	enum err err = add(w, event, YAML_TEXT, text);
	const struct yaml_node *node;

	if (err || !w->depth || !is_null(event))
		return err;
	node = &w->file->nodes[w->file->len - 1];
	return cause_set(w->cause, E_SYNTAX,
			 "%s:%u: %.200s: is null; write a value or remove the "
			 "key; a text is quoted: \"" STR_FMT "\"",
			 w->file->name, node->line, node->path, STR_ARG(text));
}

static bool has_anchor(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return true;
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor;
	default:
		return false;
	}
}

static enum err on_event(struct walk *w, const yaml_event_t *event)
{
	struct level *level = w->depth ? &w->levels[w->depth - 1] : NULL;
	bool value = event->type == YAML_SCALAR_EVENT ||
		     event->type == YAML_MAPPING_START_EVENT ||
		     event->type == YAML_SEQUENCE_START_EVENT;

	if (has_anchor(event))
		return bad(w, E_SYNTAX, event->start_mark.line,
			   "anchors (&) and aliases (*) are not allowed; "
			   "write the value out, quoted if it begins so");
	if (value && level && !level->list && !level->has_key)
		return on_key(w, event);
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return on_text(w, event);
	case YAML_MAPPING_START_EVENT:
		return add(w, event, YAML_MAP, (struct str) { 0 });
	case YAML_SEQUENCE_START_EVENT:
		return add(w, event, YAML_LIST, (struct str) { 0 });
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		w->depth--;
		return E_OK;
	case YAML_DOCUMENT_START_EVENT:
		if (++w->documents > 1)
			return bad(w, E_SYNTAX, event->start_mark.line,
				   "a second document begins; keep one");
		return E_OK;
	default:
		w->done = event->type == YAML_STREAM_END_EVENT;
		return E_OK;
	}
}

/* Bytes that are no text: libyaml says where, but not in which line. */
static enum err reader_failed(struct walk *w, const yaml_parser_t *parser)
{
	size_t line = 0;

	for (size_t i = 0; i < w->text.len && i < parser->problem_offset; i++)
		line += w->text.at[i] == '\n';
	return cause_set(w->cause, E_SYNTAX,
			 "%s:%zu: no text: %s; write it as UTF-8",
			 w->file->name, line + 1, parser->problem);
}

static enum err parser_failed(struct walk *w, const yaml_parser_t *parser)
{
	const char *problem =
		parser->problem ? parser->problem : "cannot be read";
	size_t line = parser->problem_mark.line;

	/* A key without its colon is missed where the next one ends. */
	if (!strcmp(problem, "could not find expected ':'"))
		line = parser->context_mark.line;
	if (parser->error == YAML_READER_ERROR && parser->problem)
		return reader_failed(w, parser);
	return cause_set(w->cause, E_SYNTAX,
			 "%s:%zu: no YAML: %s; look at quotes and indentation "
			 "(spaces, no tabs)",
			 w->file->name, line + 1, problem);
}

enum err yaml_read(struct yaml_file *file, struct str text, struct cause *cause)
{
	struct walk w = { .file = file, .text = text, .cause = cause };
	enum err err = E_OK;
	AUTO(parser) yaml_parser_t parser;

	if (!yaml_parser_initialize(&parser)) {
		parser = (yaml_parser_t) { 0 };
		return cause_set(cause, E_MEMORY, "out of memory");
	}
	file->len = 0;
	file->nodes =
		arena_alloc(file->arena, YAML_NODES_MAX * sizeof(*file->nodes));
	yaml_parser_set_input_string(
		&parser, (const unsigned char *)(text.len ? text.at : ""),
		text.len);
	while (!err && !w.done) {
		AUTO(event) yaml_event_t event = { 0 };

		if (!yaml_parser_parse(&parser, &event))
			err = parser_failed(&w, &parser);
		else
			err = on_event(&w, &event);
	}
	return err;
}
