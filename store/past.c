/*
 * store/past.c - see the header. Of a name the copy's id is the key: who was
 * removed and made again, and removed once more, was at last the latter.
 */
#include "store/past.h"

#include <search.h>

#include "store/apply.h"
#include "store/changelog.h"
#include "store/member.h"
#include "store/record.h"

/*
 * A user (no space), a project or group (no user) or a membership. When: by the
 * log's numbers; 0: never.
 */
struct was {
	uint64_t space, user;
	uint64_t removed, made; /* made again, that is */
	struct user of_user;
	struct project_rules rules;
	enum role role;
	uint64_t said; /* the role */
};

static int compare(const void *a, const void *b)
{
	const struct was *one = a, *other = b;

	if (one->space != other->space)
		return one->space < other->space ? -1 : 1;
	return (one->user > other->user) - (one->user < other->user);
}

static struct was *find(const struct past *past, uint64_t space, uint64_t user)
{
	const struct was key = { .space = space, .user = user };
	struct was *const *node = tfind(&key, &past->tree, compare);

	return node ? *node : NULL;
}

/* Begins as the copy has it. */
static struct was *note(struct past *past, struct txn *copy,
			const struct was *then)
{
	struct was *was = find(past, then->space, then->user);

	if (was)
		return was;
	was = arena_alloc(past->arena, sizeof(*was));
	*was = *then;
	if (!tsearch(was, &past->tree, compare) && !copy->err)
		copy->err = E_MEMORY;
	return was;
}

static bool person(struct txn *copy, const struct change *change,
		   struct user *out)
{
	return !user_find(copy, change->user, out) && !(out->flags & USER_BOT);
}

static void note_user(struct past *past, struct txn *copy,
		      const struct log_entry *entry)
{
	const struct change *change = &entry->change;
	unsigned flags = (unsigned)change->flags;
	struct was then = { 0 }, *was;
	struct user *user;

	if (!person(copy, change, &then.of_user))
		return;
	then.user = then.of_user.id;
	was = note(past, copy, &then);
	user = &was->of_user;
	if (change->type == CHANGE_USER_ADD) {
		was->made = entry->number;
		user->flags = flags;
	} else if (change->type == CHANGE_USER_FLAG) {
		user->flags =
			change->on ? user->flags | flags : user->flags & ~flags;
	} else if (change->type == CHANGE_USER_REMOVE) {
		user->flags |= USER_BLOCKED;
	}
	if (change->type == CHANGE_USER_ADD ||
	    change->type == CHANGE_USER_PASSWORD)
		user->password = change->value;
}

static struct was *note_space(struct past *past, struct txn *copy,
			      const struct space *space)
{
	return note(past, copy,
		    &(const struct was) { .space = space->id,
					  .rules = space->rules });
}

/* A group where a project was opens what is below: nobody has it. */
static void make_again(struct was *was, const struct space *space, bool group,
		       uint64_t number)
{
	was->made = number;
	was->rules =
		(struct project_rules) { .visibility = VISIBILITY_PRIVATE };
	if (group && space->kind == SPACE_PROJECT)
		was->rules = project_rules_none;
}

/*
 * What is pushed below a project is a repository of its: whoever has the place
 * next is open to no more than that one, and to nobody by what he was before.
 */
static void close_below(struct past *past, struct txn *copy,
			struct log_entry *entry, struct str path)
{
	bool made = entry->change.type == CHANGE_PROJECT_ADD;
	struct project_rules most = { .visibility = VISIBILITY_PUBLIC };
	AUTO(cursor) struct cursor cursor;
	struct space space;

	if (made)
		most.visibility = VISIBILITY_PRIVATE;
	if (project_rules_set(&entry->change, &most))
		return;
	space_below(copy, path, &cursor);
	while (cursor_next(&cursor) &&
	       !space_unpack(copy, cursor.key, cursor.value, &space)) {
		struct was *was = note_space(past, copy, &space);

		if (made)
			was->made = entry->number;
		if (was->rules.visibility > most.visibility)
			was->rules.visibility = most.visibility;
		if (was->rules.registry < most.registry)
			was->rules.registry = most.registry;
		was->rules.archived |= most.archived;
	}
}

/*
 * With what is above it: a project makes the groups that are not there, and
 * where the copy has a project above, there was none.
 */
static void note_space_add(struct past *past, struct txn *copy,
			   const struct log_entry *entry)
{
	struct str path = arena_lower(past->arena, entry->change.path);
	uint64_t removed = 0;
	struct space_chain chain;

	if (space_walk(copy, path, &chain))
		return;
	for (size_t i = 0; i < chain.len; i++) {
		const struct space *space = &chain.at[i];
		struct was *was = note_space(past, copy, space);
		bool group = space->path.len < path.len ||
			     entry->change.type == CHANGE_GROUP_ADD;

		if (was->removed > removed)
			removed = was->removed;
		if (removed > was->made || space->path.len == path.len ||
		    space->kind == SPACE_PROJECT)
			make_again(was, space, group, entry->number);
	}
}

static bool find_space(struct past *past, struct txn *copy,
		       const struct change *change, struct space *out)
{
	return !space_find(copy, arena_lower(past->arena, change->path), out);
}

static void note_space_remove(struct past *past, struct txn *copy,
			      const struct log_entry *entry)
{
	struct space space;

	if (find_space(past, copy, &entry->change, &space))
		note_space(past, copy, &space)->removed = entry->number;
}

static void note_project(struct past *past, struct txn *copy,
			 struct log_entry *entry)
{
	struct space space;

	close_below(past, copy, entry,
		    arena_lower(past->arena, entry->change.path));
	if (!find_space(past, copy, &entry->change, &space) ||
	    space.kind != SPACE_PROJECT)
		return;
	past->torn |= project_rules_set(
			      &entry->change,
			      &note_space(past, copy, &space)->rules) != E_OK;
}

static void note_member(struct past *past, struct txn *copy,
			const struct log_entry *entry)
{
	const struct change *change = &entry->change;
	struct was then = { 0 }, *was;
	struct space space;
	struct user user;

	if (!find_space(past, copy, change, &space) ||
	    !person(copy, change, &user) ||
	    member_get(copy, space.id, user.id, &then.role))
		return;
	then.space = space.id;
	then.user = user.id;
	was = note(past, copy, &then);
	was->said = entry->number;
	was->role = change->type == CHANGE_MEMBER_PUT ? (enum role)change->role
						      : ROLE_NONE;
}

static void note_setting(struct past *past, const struct change *change)
{
	enum setting setting;

	if (!setting_find(change->text, &setting, NULL))
		past->set[setting] = change->value;
}

static void note_change(struct past *past, struct txn *copy,
			struct log_entry *entry)
{
	switch (entry->change.type) {
	case CHANGE_USER_ADD:
	case CHANGE_USER_FLAG:
	case CHANGE_USER_PASSWORD:
	case CHANGE_USER_REMOVE:
		note_user(past, copy, entry);
		break;
	case CHANGE_GROUP_ADD:
		note_space_add(past, copy, entry);
		break;
	case CHANGE_SPACE_REMOVE:
		note_space_remove(past, copy, entry);
		break;
	case CHANGE_PROJECT_ADD:
		note_space_add(past, copy, entry);
		note_project(past, copy, entry);
		break;
	case CHANGE_PROJECT_SET:
		note_project(past, copy, entry);
		break;
	case CHANGE_MEMBER_PUT:
	case CHANGE_MEMBER_REMOVE:
		note_member(past, copy, entry);
		break;
	case CHANGE_SETTING_PUT:
		note_setting(past, &entry->change);
		break;
	default:
		break;
	}
}

void past_read(struct txn *now, struct txn *copy, struct arena *arena,
	       struct past *out)
{
	const struct key8 key = key_u64(changelog_fork(now, copy) + 1);
	AUTO(cursor) struct cursor cursor;

	*out = (struct past) { .arena = arena };
	cursor_open(now, TABLE_LOG, STR(""), &cursor);
	for (cursor_seek(&cursor, STR_OF(key.at)); cursor_next(&cursor);) {
		struct log_entry entry;

		if (changelog_unpack(&cursor, &entry))
			out->torn = true;
		else
			note_change(out, copy, &entry);
	}
}

static void forget(void *was)
{
	(void)was; /* the arena's */
}

void past_cleanup(struct past *past)
{
	tdestroy(past->tree, forget);
	past->tree = NULL;
}

void past_user(const struct past *past, struct user *user)
{
	const struct was *was = find(past, 0, user->id);

	if (!was)
		return;
	user->flags = was->of_user.flags;
	user->password = was->of_user.password;
}

void past_project(const struct past *past, struct space *project)
{
	const struct was *was = find(past, project->id, 0);

	if (was)
		project->rules = was->rules;
	if (past->torn)
		project->rules = project_rules_none;
}

static uint64_t made_again(const struct past *past, uint64_t space,
			   uint64_t user)
{
	const struct was *was = find(past, space, user);

	return was ? was->made : 0;
}

void past_member(const struct past *past, uint64_t space, uint64_t user,
		 enum role *role)
{
	const struct was *was = find(past, space, user);
	uint64_t said = was ? was->said : 0;

	if (was)
		*role = was->role;
	if (made_again(past, space, 0) > said ||
	    made_again(past, 0, user) > said)
		*role = ROLE_NONE;
}

enum err past_settings(const struct past *past, struct settings *settings)
{
	enum err err = E_OK;

	for (enum setting i = 0; i < SETTING_COUNT && !err; i++)
		if (past->set[i].at)
			err = setting_parse(i, past->set[i], settings, NULL);
	return err;
}
