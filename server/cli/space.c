/* server/cli/space.c - dockpass group ..., dockpass project ... */
#include <string.h>

#include "server/cli/command.h"

static struct str last_part(struct str path)
{
	size_t at = path.len;

	while (at && path.at[at - 1] != '/')
		at--;
	return str_skip(path, at);
}

static void print_json(struct buf *out, const struct space *space)
{
	bool project = space->kind == SPACE_PROJECT;

	json_open(out, '{');
	json_put_int(out, "id", (int64_t)space->id);
	json_put_str(out, "name", last_part(space->path));
	json_put_str(out, "path", last_part(space->path));
	json_put_str(out, project ? "path_with_namespace" : "full_path",
		     space->path);
	if (project) {
		json_put_str(out, "visibility",
			     visibility_name(space->rules.visibility));
		json_put_str(out, "container_registry_access_level",
			     registry_access_name(space->rules.registry));
		json_put_bool(out, "archived", space->rules.archived);
	}
	put_time(out, "created_at", space->created_at);
	json_close(out, '}');
}

static const struct str head[] = {
	{ "ID", 2 },	      { "PATH", 4 },	 { "CREATED", 7 },
	{ "VISIBILITY", 10 }, { "REGISTRY", 8 }, { "ARCHIVED", 8 },
};

enum { GROUP_COLUMNS = 3 };

static void add_row(struct call *call, struct listing *listing,
		    const struct space *space)
{
	const struct str cells[COUNT(head)] = {
		show_id(call, space->id),
		space->path,
		show_date(call, space->created_at),
		visibility_name(space->rules.visibility),
		registry_access_name(space->rules.registry),
		space->rules.archived ? STR("true") : STR("false"),
	};

	listing_row(listing, cells);
}

static struct listing new_listing(struct call *call, enum space_kind kind)
{
	struct listing listing = {
		.arena = &call->arena,
		.columns = kind == SPACE_GROUP ? GROUP_COLUMNS : COUNT(head),
	};

	listing_row(&listing, head);
	return listing;
}

static int list(struct call *call, enum space_kind kind)
{
	struct listing listing = new_listing(call, kind);
	AUTO(txn) struct txn txn = { 0 };
	AUTO(cursor) struct cursor c = { 0 };
	struct space space;

	if (!call_store(call))
		return EXIT_REFUSED;
	txn_read(call->db, &txn);
	if (call->json)
		json_open(&call->out, '[');
	for (cursor_open(&txn, TABLE_SPACE, STR(""), &c); cursor_next(&c);) {
		if (space_unpack(&txn, c.key, c.value, &space))
			break;
		if (space.kind != kind)
			continue;
		if (call->json)
			print_json(&call->out, &space);
		else
			add_row(call, &listing, &space);
	}
	if (txn.err)
		return call_failed(call, txn.err);
	return listing_end(&listing, call);
}

/* What a change has left, or what is asked for. */
static int show(struct call *call, enum space_kind kind)
{
	const char *name = kind == SPACE_GROUP ? "group" : "project";
	struct listing listing = new_listing(call, kind);
	AUTO(txn) struct txn txn = { 0 };
	struct space space;
	enum err err;

	txn_read(call->db, &txn);
	err = space_find(&txn, arena_lower(&call->arena, call->args[0]),
			 &space);
	if (err == E_NOT_FOUND || (!err && space.kind != kind))
		return call_refuse(call,
				   "no %s '%.255s'; dockpass %s list "
				   "shows all",
				   name, call->args[0].at, name);
	if (err)
		return call_failed(call, err);
	if (call->json) {
		print_json(&call->out, &space);
		buf_add_char(&call->out, '\n');
		return EXIT_DONE;
	}
	add_row(call, &listing, &space);
	listing_print(&listing, &call->out);
	return EXIT_DONE;
}

static int change_space(struct call *call, struct change *change,
			enum space_kind kind)
{
	int status;

	if (!call_store(call))
		return EXIT_REFUSED;
	change->path = arena_lower(&call->arena, call->args[0]);
	status = call_commit(call, change);
	return status || !call->json ? status : show(call, kind);
}

static int group_list(struct call *call)
{
	return list(call, SPACE_GROUP);
}

static int project_list(struct call *call)
{
	return list(call, SPACE_PROJECT);
}

static int group_show(struct call *call)
{
	return call_store(call) ? show(call, SPACE_GROUP) : EXIT_REFUSED;
}

static int project_show(struct call *call)
{
	return call_store(call) ? show(call, SPACE_PROJECT) : EXIT_REFUSED;
}

static int group_add(struct call *call)
{
	struct change change = { .type = CHANGE_GROUP_ADD };

	return change_space(call, &change, SPACE_GROUP);
}

/* Words of the closed lists, as 1 + enum: 0 leaves it as it is. */
static int read_rules(struct call *call, struct change *change)
{
	struct str visibility_word = call_opt(call, OPT_VISIBILITY);
	struct str registry_word = call_opt(call, OPT_REGISTRY);
	struct str archived = call_opt(call, OPT_ARCHIVED);
	enum registry_access registry;
	enum visibility visibility;

	if (visibility_word.len) {
		if (visibility_parse(visibility_word, &visibility))
			return call_usage(call,
					  "visibility '%.40s' is not "
					  "private, internal or public",
					  visibility_word.at);
		change->visibility = 1 + (uint64_t)visibility;
	}
	if (registry_word.len) {
		if (registry_access_parse(registry_word, &registry))
			return call_usage(call,
					  "registry '%.40s' is not "
					  "enabled, private or disabled",
					  registry_word.at);
		change->registry = 1 + (uint64_t)registry;
	}
	if (archived.len && !str_eq(archived, STR("true")) &&
	    !str_eq(archived, STR("false")))
		return call_usage(call, "archived '%.40s' is not true or false",
				  archived.at);
	if (archived.len)
		change->archived = str_eq(archived, STR("true")) ? 2 : 1;
	return EXIT_DONE;
}

static int project_add(struct call *call)
{
	struct change change = { .type = CHANGE_PROJECT_ADD };
	int status = read_rules(call, &change);

	return status ? status : change_space(call, &change, SPACE_PROJECT);
}

static int project_set(struct call *call)
{
	struct change change = { .type = CHANGE_PROJECT_SET };
	int status = read_rules(call, &change);

	if (status)
		return status;
	if (!change.visibility && !change.registry && !change.archived)
		return call_usage(call, "project set: nothing to set");
	return change_space(call, &change, SPACE_PROJECT);
}

static int remove_space(struct call *call, enum space_kind kind)
{
	struct change change = {
		.type = CHANGE_SPACE_REMOVE,
		.kind = kind,
		.yes = call->opts[OPT_YES] != NULL,
		.recursive = call->opts[OPT_RECURSIVE] != NULL,
	};

	if (!call_store(call))
		return EXIT_REFUSED;
	change.path = arena_lower(&call->arena, call->args[0]);
	return call_commit(call, &change);
}

static int group_remove(struct call *call)
{
	return remove_space(call, SPACE_GROUP);
}

static int project_remove(struct call *call)
{
	return remove_space(call, SPACE_PROJECT);
}

/* clang-format off */
static const struct command rows[] = {
	{ "group add", "PATH", "add a group, and those above it that are missing", 1, 1, O(JSON), group_add },
	{ "group list", "", "all groups", 0, 0, O(JSON), group_list },
	{ "group show", "PATH", "one group", 1, 1, O(JSON), group_show },
	{ "group remove", "PATH [--recursive] [--yes]", "remove a group; --recursive: with what lies below", 1, 1, O(RECURSIVE) | O(YES), group_remove },
	{ "project add", "PATH [--visibility private|internal|public] [--registry enabled|private|disabled]",
	  "add a project, and the groups above it that are missing", 1, 1,
	  O(JSON) | O(VISIBILITY) | O(REGISTRY), project_add },
	{ "project set", "PATH [--visibility private|internal|public] [--registry enabled|private|disabled] [--archived true|false]",
	  "change a project", 1, 1, O(JSON) | O(VISIBILITY) | O(REGISTRY) | O(ARCHIVED), project_set },
	{ "project list", "", "all projects", 0, 0, O(JSON), project_list },
	{ "project show", "PATH", "one project", 1, 1, O(JSON), project_show },
	{ "project remove", "PATH [--yes]", "remove a project; --yes: with its live tokens", 1, 1, O(YES), project_remove },
};
/* clang-format on */

const struct command_group space_commands = { rows, COUNT(rows) };
