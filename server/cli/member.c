/* server/cli/member.c - dockpass member ... */
#include <string.h>

#include "server/cli/command.h"
#include "store/bot.h"
#include "store/member.h"
#include "store/record.h"

static const struct str head[] = { { "ID", 2 }, { "NAME", 4 }, { "ROLE", 4 } };

static int member_add(struct call *call)
{
	struct change change = { .type = CHANGE_MEMBER_PUT,
				 .user = call->args[1] };
	enum role role;

	if (role_parse(call->args[2], &role))
		return call_usage(call,
				  "role '%.40s' is not guest, planner, "
				  "reporter, developer, maintainer or "
				  "owner",
				  call->args[2].at);
	if (!call_store(call))
		return EXIT_REFUSED;
	change.path = arena_lower(&call->arena, call->args[0]);
	change.role = role;
	return call_commit(call, &change);
}

static int member_remove_command(struct call *call)
{
	struct change change = { .type = CHANGE_MEMBER_REMOVE,
				 .user = call->args[1] };

	if (!call_store(call))
		return EXIT_REFUSED;
	change.path = arena_lower(&call->arena, call->args[0]);
	return call_commit(call, &change);
}

static void print_member(struct call *call, struct listing *listing,
			 const struct user *user, enum role role)
{
	const struct str cells[COUNT(head)] = { show_id(call, user->id),
						user->name, role_name(role) };

	if (!call->json) {
		listing_row(listing, cells);
		return;
	}
	json_open(&call->out, '{');
	json_put_int(&call->out, "id", (int64_t)user->id);
	json_put_str(&call->out, "username", user->name);
	json_put_str(&call->out, "name", user->name);
	json_put_str(&call->out, "state",
		     user->flags & USER_BLOCKED ? STR("blocked")
						: STR("active"));
	json_put_int(&call->out, "access_level", role);
	json_close(&call->out, '}');
}

static enum err each_member(struct call *call, struct txn *txn, uint64_t space,
			    struct listing *listing)
{
	struct key8 key = key_u64(space);
	AUTO(cursor) struct cursor c = { 0 };
	struct user user;
	enum role role;
	uint64_t id;

	for (cursor_open(txn, TABLE_MEMBER, STR_OF(key.at), &c);
	     cursor_next(&c);) {
		if (member_unpack(txn, c.key, c.value, &id, &role) ||
		    user_get(txn, id, &user))
			return txn->err ? txn->err : E_CORRUPT;
		if (!bot_ended(txn, &user, call->now))
			print_member(call, listing, &user, role);
	}
	return txn->err;
}

static int member_list(struct call *call)
{
	struct listing listing = { &call->arena, COUNT(head), 0, 0, NULL };
	AUTO(txn) struct txn txn = { 0 };
	struct space space;
	enum err err;

	if (!call_store(call))
		return EXIT_REFUSED;
	txn_read(call->db, &txn);
	err = space_find(&txn, arena_lower(&call->arena, call->args[0]),
			 &space);
	if (err == E_NOT_FOUND)
		return call_refuse(call,
				   "no group or project '%.255s'; dockpass "
				   "group list and project list show all",
				   call->args[0].at);
	listing_row(&listing, head);
	if (call->json)
		json_open(&call->out, '[');
	if (!err)
		err = each_member(call, &txn, space.id, &listing);
	if (err)
		return call_failed(call, err);
	return listing_end(&listing, call);
}

/* clang-format off */
static const struct command rows[] = {
	{ "member add", "PATH USER ROLE", "give a user a role in a group or project, or change it", 3, 3, 0, member_add },
	{ "member list", "PATH", "members of a group or project, without those of the groups above", 1, 1, O(JSON), member_list },
	{ "member remove", "PATH USER", "end a membership", 2, 2, 0, member_remove_command },
};
/* clang-format on */

const struct command_group member_commands = { rows, COUNT(rows) };
