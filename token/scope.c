/* token/scope.c - see the header. */
#include "token/scope.h"

#include <stdlib.h>
#include <string.h>

#include "token/json.h"

struct action {
	struct str name;
	unsigned rights;
};

/* Sorted: what is signed is in this order. */
static const struct action repository_actions[] = {
	{ { "delete", 6 }, RIGHT_DELETE },
	{ { "pull", 4 }, RIGHT_PULL },
	{ { "push", 4 }, RIGHT_PUSH },
};

static const struct action catalog_actions[] = {
	{ { "*", 1 }, RIGHT_CATALOG },
};

static const struct type {
	struct str name;
	const struct action *actions;
	size_t count;
	unsigned any; /* what "*" asks for */
} types[] = {
	[SCOPE_CATALOG] = { { "registry", 8 },
			    catalog_actions,
			    COUNT(catalog_actions),
			    RIGHT_CATALOG },
	[SCOPE_REPOSITORY] = { { "repository", 10 },
			       repository_actions,
			       COUNT(repository_actions),
			       RIGHT_REPOSITORY },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_host_char(char c)
{
	return ascii_is_low(c) || c == '-';
}

static bool all(struct str s, bool (*is)(char))
{
	return s.len && str_span(s, is) == s.len;
}

/* label *( "." label ) [ ":" port ], a label not beginning or ending in "-" */
static bool is_host(struct str s)
{
	bool has_port = str_has(s, ':'), more;
	struct str host, label;

	str_cut(&s, ':', &host);
	if (has_port && !all(s, is_digit))
		return false;
	do {
		more = str_has(host, '.');
		str_cut(&host, '.', &label);
		if (!all(label, is_host_char) || label.at[0] == '-' ||
		    label.at[label.len - 1] == '-')
			return false;
	} while (more);
	return true;
}

/* Lower case already. A host can only stand before something. */
static bool is_repository(struct str name)
{
	struct str rest = name, host;

	if (path_valid(name))
		return true;
	str_cut(&rest, '/', &host);
	return is_host(host) && path_valid(rest);
}

/* Without its class; COUNT(types) if there is no such type. */
static size_t type_find(struct str text)
{
	bool classed = str_has(text, '(');
	struct str name;
	size_t i = 0;

	str_cut(&text, '(', &name);
	if (classed && (text.len < 2 || text.at[text.len - 1] != ')' ||
			!all(str_head(text, text.len - 1), ascii_is_low)))
		return COUNT(types);
	while (i < COUNT(types) && !str_eq(types[i].name, name))
		i++;
	return i;
}

static enum err read_actions(const struct type *type, struct str text,
			     unsigned *rights, struct cause *cause)
{
	struct str word;

	*rights = 0;
	while (str_cut(&text, ',', &word)) {
		if (word.len > SCOPE_ACTION_MAX)
			return cause_set(cause, E_LIMIT,
					 "an action in a scope is longer than "
					 "%d bytes: pull, push and delete are "
					 "known",
					 SCOPE_ACTION_MAX);
		if (str_eq(word, STR("*")))
			*rights |= type->any;
		for (size_t i = 0; i < type->count; i++)
			if (str_eq(word, type->actions[i].name))
				*rights |= type->actions[i].rights;
	}
	return E_OK;
}

/* E_NOT_FOUND: nothing is asked that we know. */
static enum err read_scope(struct str text, struct arena *arena,
			   struct scope *out, struct cause *cause)
{
	struct str type, name;
	size_t i, end = text.len;
	enum err err;

	while (end && text.at[end - 1] != ':')
		end--;
	if (!end)
		return E_NOT_FOUND;
	name = str_head(text, end - 1);
	if (!str_has(name, ':'))
		return E_NOT_FOUND;
	str_cut(&name, ':', &type);
	i = type_find(type);
	if (i == COUNT(types))
		return E_NOT_FOUND;
	if (name.len > SCOPE_NAME_MAX)
		return cause_set(cause, E_LIMIT,
				 "the repository name '%.40s...' is longer "
				 "than %d bytes: use a shorter one",
				 name.at, SCOPE_NAME_MAX);
	err = read_actions(&types[i], str_skip(text, end), &out->rights, cause);
	if (err)
		return err;
	out->type = (enum scope_type)i;
	out->name =
		out->type == SCOPE_REPOSITORY ? arena_lower(arena, name) : name;
	if (!out->rights ||
	    (out->type == SCOPE_REPOSITORY ? !is_repository(out->name)
					   : !str_eq(name, STR("catalog"))))
		return E_NOT_FOUND;
	return E_OK;
}

/* What follows in the same request is refused as well. */
static enum err refuse(struct scope_list *list, enum err err)
{
	list->len = 0;
	list->seen = SCOPE_MAX;
	return err;
}

enum err scope_parse(struct str text, struct arena *arena,
		     struct scope_list *list, struct cause *cause)
{
	struct str word;

	while (str_cut(&text, ' ', &word)) {
		struct scope scope;
		enum err err;

		if (!word.len)
			continue;
		if (list->seen >= SCOPE_MAX)
			return refuse(list,
				      cause_set(cause, E_LIMIT,
						"more than %d scopes in one "
						"request: ask for fewer "
						"repositories at once",
						SCOPE_MAX));
		list->seen++;
		err = read_scope(word, arena, &scope, cause);
		if (!err)
			list->at[list->len++] = scope;
		else if (err != E_NOT_FOUND)
			return refuse(list, err);
	}
	return E_OK;
}

static int compare(const void *a, const void *b)
{
	const struct scope *x = a, *y = b;

	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	return str_cmp(x->name, y->name);
}

void scope_merge(struct scope_list *list)
{
	size_t len = 0;

	qsort(list->at, list->len, sizeof(list->at[0]), compare);
	for (size_t i = 0; i < list->len; i++) {
		const struct scope scope = list->at[i];

		if (!scope.rights)
			continue;
		if (len && !compare(&list->at[len - 1], &scope))
			list->at[len - 1].rights |= scope.rights;
		else
			list->at[len++] = scope;
	}
	list->len = len;
}

const struct scope_list *scope_copy(const struct scope_list *list,
				    struct arena *arena)
{
	size_t size = offsetof(struct scope_list, at) +
		      list->len * sizeof(list->at[0]);

	return memcpy(arena_alloc(arena, size), list, size);
}

/* The next action of `rights`, which loses it; NULL at the end. */
static const struct str *next_action(unsigned *rights)
{
	for (size_t t = 0; t < COUNT(types); t++)
		for (size_t i = 0; i < types[t].count; i++) {
			const struct action *action = &types[t].actions[i];

			if (!(*rights & action->rights))
				continue;
			*rights &= ~action->rights;
			return &action->name;
		}
	return NULL;
}

void scope_print_rights(unsigned rights, struct buf *buf)
{
	const struct str *name;

	for (bool first = true; (name = next_action(&rights)); first = false) {
		if (!first)
			buf_add_char(buf, ',');
		buf_add(buf, *name);
	}
}

void scope_print(const struct scope_list *list, struct buf *buf)
{
	for (size_t i = 0; i < list->len; i++) {
		const struct scope *scope = &list->at[i];

		if (i)
			buf_add_char(buf, ' ');
		buf_add(buf, types[scope->type].name);
		buf_add_char(buf, ':');
		buf_add(buf, scope->name);
		buf_add_char(buf, ':');
		scope_print_rights(scope->rights, buf);
	}
}

void scope_print_json(const struct scope_list *list, struct buf *buf)
{
	json_open(buf, '[');
	for (size_t i = 0; i < list->len; i++) {
		const struct scope *scope = &list->at[i];
		unsigned rights = scope->rights;
		const struct str *name;

		json_open(buf, '{');
		json_put_str(buf, "type", types[scope->type].name);
		json_put_str(buf, "name", scope->name);
		json_key(buf, "actions");
		json_open(buf, '[');
		while ((name = next_action(&rights)))
			json_str(buf, *name);
		json_close(buf, ']');
		json_close(buf, '}');
	}
	json_close(buf, ']');
}
