/* server/cli/token_warn.c - see the header. */
#include "server/cli/token_warn.h"

#include "store/space.h"

/* Can a repository of `path` fit? `below`: it must lie further down. */
static bool reaches(struct str pattern, struct str path, bool below)
{
	while (path.len) {
		struct str want, have;

		if (!str_cut(&pattern, '/', &want))
			return false;
		str_cut(&path, '/', &have);
		if (str_eq(want, STR("**")))
			return true;
		if (!str_eq(want, STR("*")) && !str_eq(want, have))
			return false;
	}
	return pattern.len || !below;
}

static void warn_patterns(struct call *call, const struct change *change)
{
	struct str list =
		arena_lower(&call->arena, call_opt(call, OPT_REPOSITORY));
	bool group = call->opts[OPT_GROUP];
	struct str pattern;

	while (list.len && str_cut(&list, ',', &pattern))
		if (!reaches(pattern, change->path, group))
			call_warn(call,
				  "dockpass: warning: --repository " STR_FMT
				  " fits nothing in %s " STR_FMT,
				  STR_ARG(pattern), group ? "group" : "project",
				  STR_ARG(change->path));
}

/* A group may hold projects of any kind, later if not now. */
static void warn_rights(struct call *call, const struct change *change)
{
	AUTO(txn) struct txn txn = { 0 };
	struct standing bot = { .signed_in = true,
				.role = (enum role)change->role };
	struct space project;
	unsigned rights = pat_rights((unsigned)change->scopes,
				     call->config->write_implies_pull);

	txn_read(call->db, &txn);
	if (space_find(&txn, change->path, &project) ||
	    project.kind != SPACE_PROJECT ||
	    project_rights(&project.rules, &bot) & rights)
		return;
	call_warn(call,
		  "dockpass: warning: with role " STR_FMT " and scopes %s it "
		  "may do nothing in " STR_FMT " (" STR_FMT
		  "); dockpass explain --token-id %llu --access "
		  "repository:" STR_FMT ":pull says why",
		  STR_ARG(role_name(bot.role)), call->opts[OPT_SCOPES],
		  STR_ARG(change->path),
		  STR_ARG(visibility_name(project.rules.visibility)),
		  (unsigned long long)change->new_id, STR_ARG(change->path));
}

void token_warn(struct call *call, const struct change *change)
{
	if (!change->path.len)
		return;
	warn_patterns(call, change);
	warn_rights(call, change);
}
