/* store/apply_space.c - what changes of groups, projects and members do. */
#include "store/apply.h"

#include <stdio.h>
#include <string.h>

#include "store/member.h"
#include "store/record.h"

static const char *kind_name(enum space_kind kind)
{
	return kind == SPACE_GROUP ? "group" : "project";
}

static struct str path_str(const struct path_text *path)
{
	return (struct str) { path->at, path->len };
}

enum err need_path(struct change *change, struct path_text *out)
{
	struct str path = change->path;

	out->len = path.len <= sizeof(out->at) ? path.len : 0;
	for (size_t i = 0; i < out->len; i++)
		out->at[i] = ascii_lower(path.at[i]);
	if (space_path_valid(path_str(out)))
		return E_OK;
	out->len = 0;
	return cause_set(&change->cause, E_SYNTAX,
			 "not a path: up to %d names of letters and digits, "
			 "with \".\", \"_\", \"__\" or \"-\" inside, parted by "
			 "\"/\", at most %d bytes",
			 SPACE_DEPTH, PATH_LEN_MAX);
}

enum err need_space(struct txn *txn, struct change *change,
		    const struct path_text *path, struct space *out)
{
	enum err err = space_find(txn, path_str(path), out);

	if (err == E_NOT_FOUND)
		return cause_set(&change->cause, err,
				 "no group or project \"" STR_FMT
				 "\"; dockpass "
				 "group list and project list show all",
				 STR_ARG(path_str(path)));
	return err;
}

static enum err need_kind(struct change *change, const struct space *space,
			  enum space_kind kind)
{
	if (space->kind == kind)
		return E_OK;
	return cause_set(&change->cause, E_NOT_FOUND,
			 "\"" STR_FMT "\" is a %s, not a %s; use dockpass %s",
			 STR_ARG(space->path), kind_name(space->kind),
			 kind_name(kind), kind_name(space->kind));
}

static uint64_t make(struct txn *txn, struct str path, enum space_kind kind,
		     const struct project_rules *rules, int64_t now)
{
	struct space space = {
		.id = txn_next_id(txn, COUNTER_SPACE),
		.kind = kind,
		.rules = *rules,
		.created_at = now,
		.path = path,
	};

	if (!txn->err)
		space_put(txn, &space);
	return space.id;
}

/* The groups above that are missing, as mkdir -p does. */
static enum err make_parents(struct txn *txn, struct change *change,
			     struct str path)
{
	static const struct project_rules none;

	for (size_t i = 0; i < path.len; i++) {
		struct str prefix = str_head(path, i);
		struct space space;
		enum err err;

		if (path.at[i] != '/')
			continue;
		err = space_find(txn, prefix, &space);
		if (err == E_NOT_FOUND)
			make(txn, prefix, SPACE_GROUP, &none, change->now);
		else if (err)
			return err;
		else if (space.kind == SPACE_PROJECT)
			return cause_set(&change->cause, E_REFUSED,
					 "\"" STR_FMT "\" is a project, and "
					 "nothing can lie under a project; "
					 "choose another path",
					 STR_ARG(prefix));
	}
	return E_OK;
}

static enum err add(struct txn *txn, struct change *change,
		    enum space_kind kind, const struct project_rules *rules)
{
	struct path_text path;
	struct space space;
	enum err err = need_path(change, &path);

	if (err)
		return err;
	err = space_find(txn, path_str(&path), &space);
	if (!err)
		return cause_set(&change->cause, E_EXISTS,
				 "%s \"" STR_FMT "\" exists already; choose "
				 "another path",
				 kind_name(space.kind),
				 STR_ARG(path_str(&path)));
	if (err == E_NOT_FOUND)
		err = make_parents(txn, change, path_str(&path));
	if (err)
		return err;
	change->new_id = make(txn, path_str(&path), kind, rules, change->now);
	return E_OK;
}

enum err apply_group_add(struct txn *txn, struct change *change)
{
	static const struct project_rules none;

	return add(txn, change, SPACE_GROUP, &none);
}

/* 0 leaves a value as it is. */
enum err project_rules_set(struct change *change, struct project_rules *rules)
{
	if (change->visibility > 1 + VISIBILITY_PUBLIC ||
	    change->registry > 1 + REGISTRY_DISABLED || change->archived > 2)
		return cause_set(&change->cause, E_SYNTAX,
				 "no such visibility, registry setting or "
				 "archived state");
	if (change->visibility)
		rules->visibility = (enum visibility)(change->visibility - 1);
	if (change->registry)
		rules->registry = (enum registry_access)(change->registry - 1);
	if (change->archived)
		rules->archived = change->archived == 2;
	return E_OK;
}

enum err apply_project_add(struct txn *txn, struct change *change)
{
	struct project_rules rules = { .visibility = VISIBILITY_PRIVATE };
	enum err err = project_rules_set(change, &rules);

	return err ? err : add(txn, change, SPACE_PROJECT, &rules);
}

enum err apply_project_set(struct txn *txn, struct change *change)
{
	struct path_text path;
	struct space space;
	enum err err = need_path(change, &path);

	if (!err)
		err = need_space(txn, change, &path, &space);
	if (!err)
		err = need_kind(change, &space, SPACE_PROJECT);
	if (!err)
		err = project_rules_set(change, &space.rules);
	if (!err)
		space_put(txn, &space);
	return err;
}

/* What lies below a group. */
struct content {
	size_t groups, projects;
	char names[160];
};

/* The first row below `path` whose key is not before it; false: none. */
static bool first_below(struct txn *txn, const struct path_text *path,
			struct path_text *out)
{
	AUTO(cursor) struct cursor cursor;

	out->len = 0;
	space_below(txn, (struct str) { path->at, path->len }, &cursor);
	if (!cursor_next(&cursor) || cursor.key.len > sizeof(out->at))
		return false;
	memcpy(out->at, cursor.key.at, cursor.key.len);
	out->len = cursor.key.len;
	return true;
}

static void add_name(struct content *content, struct str name)
{
	size_t n = content->groups + content->projects;
	size_t used = strlen(content->names);

	if (n > 4)
		return;
	if (n == 4 || used + name.len + 8 > sizeof(content->names)) {
		if (used + 6 < sizeof(content->names))
			snprintf(content->names + used,
				 sizeof(content->names) - used, "%s...",
				 used ? ", " : "");
		return;
	}
	snprintf(content->names + used, sizeof(content->names) - used,
		 "%s" STR_FMT, used ? ", " : "", STR_ARG(name));
}

static void count_active(struct txn *txn, struct change *change, uint64_t space,
			 struct token_ids *ids)
{
	AUTO(cursor) struct cursor cursor;
	struct key8 prefix = key_u64(space);

	cursor_open(txn, TABLE_MEMBER, STR_OF(prefix.at), &cursor);
	while (cursor_next(&cursor)) {
		struct token_ids own;
		struct user user;
		enum role role;
		uint64_t id;

		if (member_unpack(txn, cursor.key, cursor.value, &id, &role) ||
		    user_get(txn, id, &user) || !(user.flags & USER_BOT))
			continue;
		tokens_active(txn, change, id, &own);
		for (size_t i = 0; i < own.n && i < COUNT(own.at); i++)
			if (ids->n + i < COUNT(ids->at))
				ids->at[ids->n + i] = own.at[i];
		ids->n += own.n;
	}
}

static void look_below(struct txn *txn, struct change *change,
		       const struct path_text *path, struct content *content,
		       struct token_ids *ids)
{
	AUTO(cursor) struct cursor cursor;

	space_below(txn, (struct str) { path->at, path->len }, &cursor);
	while (cursor_next(&cursor)) {
		struct space space;

		if (space_unpack(txn, cursor.key, cursor.value, &space))
			return;
		if (space.kind == SPACE_GROUP)
			content->groups++;
		else
			content->projects++;
		add_name(content, space.path);
		count_active(txn, change, space.id, ids);
	}
}

static enum err refuse_content(struct change *change, struct str path,
			       const struct content *content)
{
	char projects[64] = "", groups[64] = "";

	if (content->projects)
		snprintf(projects, sizeof(projects), "%zu project%s",
			 content->projects, content->projects == 1 ? "" : "s");
	if (content->groups)
		snprintf(groups, sizeof(groups), "%s%zu group%s",
			 content->projects ? " and " : "", content->groups,
			 content->groups == 1 ? "" : "s");
	change->need = NEED_RECURSIVE;
	return cause_set(&change->cause, E_NOT_EMPTY,
			 "group \"%.*s\" holds %s%s (%s), which would go too",
			 path.len > 200 ? 200 : (int)path.len, path.at,
			 projects, groups, content->names);
}

/* The first bot among the members; 0: none. */
static uint64_t first_bot(struct txn *txn, uint64_t space, struct user *out)
{
	AUTO(cursor) struct cursor cursor;
	struct key8 prefix = key_u64(space);

	cursor_open(txn, TABLE_MEMBER, STR_OF(prefix.at), &cursor);
	while (cursor_next(&cursor)) {
		enum role role;
		uint64_t id;

		if (!member_unpack(txn, cursor.key, cursor.value, &id, &role) &&
		    !user_get(txn, id, out) && out->flags & USER_BOT)
			return id;
	}
	return 0;
}

static void remove_space(struct txn *txn, const struct path_text *path,
			 int64_t now)
{
	struct space space;
	struct user bot;
	uint64_t id;

	if (space_find(txn, path_str(path), &space))
		return;
	while ((id = first_bot(txn, space.id, &bot))) {
		user_remove(txn, &bot);
		tokens_kill(txn, id, now);
		member_remove_user(txn, id);
	}
	member_remove_space(txn, space.id);
	space_remove(txn, &space);
}

enum err apply_space_remove(struct txn *txn, struct change *change)
{
	struct content content = { 0 };
	struct token_ids ids = { 0 };
	struct path_text path, below;
	struct space space;
	enum err err = need_path(change, &path);

	if (!err)
		err = need_space(txn, change, &path, &space);
	if (!err && change->kind)
		err = need_kind(change, &space, (enum space_kind)change->kind);
	if (err)
		return err;
	count_active(txn, change, space.id, &ids);
	look_below(txn, change, &path, &content, &ids);
	if (content.groups + content.projects && !change->recursive)
		return refuse_content(change, path_str(&path), &content);
	if (ids.n && !change->yes)
		return refuse_tokens(change, kind_name(space.kind),
				     path_str(&path), "has", &ids);
	while (!txn->err && first_below(txn, &path, &below))
		remove_space(txn, &below, change->now);
	remove_space(txn, &path, change->now);
	return E_OK;
}

static enum err need_member(struct txn *txn, struct change *change,
			    struct space *space, struct user *user)
{
	struct path_text path;
	enum err err = need_path(change, &path);

	if (!err)
		err = need_space(txn, change, &path, space);
	if (!err)
		err = need_user(txn, change, user);
	space->path = (struct str) { 0 }; /* `path` ends here */
	if (!err && user->flags & USER_BOT)
		return cause_set(&change->cause, E_REFUSED,
				 "user \"" STR_FMT "\" is a bot: its role "
				 "comes and goes with its token",
				 STR_ARG(user->name));
	return err;
}

enum err apply_member_put(struct txn *txn, struct change *change)
{
	struct space space;
	struct user user;
	enum err err;

	if (change->role > ROLE_OWNER || !role_known((unsigned)change->role))
		return cause_set(&change->cause, E_SYNTAX, "no such role");
	err = need_member(txn, change, &space, &user);
	if (!err)
		member_put(txn, space.id, user.id, (enum role)change->role);
	return err;
}

enum err apply_member_remove(struct txn *txn, struct change *change)
{
	struct space space;
	struct user user;
	enum role role;
	enum err err = need_member(txn, change, &space, &user);

	if (err)
		return err;
	err = member_get(txn, space.id, user.id, &role);
	if (err == E_NOT_FOUND)
		return cause_set(&change->cause, err,
				 "user \"%.*s\" is no direct member of it; "
				 "dockpass member list shows who is",
				 user.name.len > 200 ? 200 : (int)user.name.len,
				 user.name.at);
	if (!err)
		member_remove(txn, space.id, user.id);
	return err;
}
