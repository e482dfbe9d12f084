/*
 * store/access.c - asked AND the token's rights AND what role and visibility
 * allow, scope by scope.
 */
#include "store/access.h"

#include "store/member.h"
#include "token/limits.h"

/* `project`: NULL, none. `from`: where the role is given, or NULL. */
static void trace_project(struct trace *trace, struct str name,
			  const struct space *project,
			  const struct standing *standing,
			  const struct space *from)
{
	if (!project) {
		trace_step(trace, "project: none for repository " STR_FMT,
			   STR_ARG(name));
		return;
	}
	trace_step(trace, "project: " STR_FMT, STR_ARG(project->path));
	trace_step(trace, "visibility: " STR_FMT ", registry " STR_FMT "%s",
		   STR_ARG(visibility_name(project->rules.visibility)),
		   STR_ARG(registry_access_name(project->rules.registry)),
		   project->rules.archived ? ", archived" : "");
	if (standing->admin)
		trace_step(trace, "role: administrator");
	else
		trace_step(trace, "role: " STR_FMT "%s" STR_FMT,
			   STR_ARG(role_name(standing->role)),
			   from ? ", from " : "",
			   STR_ARG(from ? from->path : STR("")));
}

/* What would have the right, at the least: "a login", "role developer". */
static struct str needed(struct trace *trace, const struct project_rules *rules,
			 unsigned right, bool signed_in)
{
	static const enum role roles[] = { ROLE_GUEST, ROLE_REPORTER,
					   ROLE_DEVELOPER, ROLE_MAINTAINER };
	struct standing least = { .signed_in = true };
	size_t i = 0;

	if (!signed_in && project_rights(rules, &least) & right)
		return STR("a login");
	do
		least.role = roles[i++];
	while (i < COUNT(roles) && !(project_rights(rules, &least) & right));
	return arena_printf(trace->arena, "role " STR_FMT,
			    STR_ARG(role_name(least.role)));
}

/* A token with limits reaches nothing else, nor the list of all names. */
static bool in_limits(const struct identity *who, const struct scope *scope)
{
	return !who->repositories.len ||
	       (scope->type == SCOPE_REPOSITORY &&
		limit_fits(LIMIT_REPOSITORY, who->repositories, scope->name));
}

/* Why `right` is refused, its one cause. `project`: NULL, none. */
static struct str refusal(struct trace *trace, const struct space *project,
			  bool limited, bool signed_in, unsigned right,
			  unsigned allowed)
{
	if (!project)
		return STR("it is in no project");
	if (limited)
		return STR("the token is limited to other repositories");
	if (allowed & right)
		return STR("the token's scopes do not reach it");
	if (project->rules.registry == REGISTRY_DISABLED)
		return STR("the project's registry is disabled");
	if (project->rules.archived && right != RIGHT_PULL)
		return STR("the project is archived");
	return arena_printf(
		trace->arena, "it needs " STR_FMT,
		STR_ARG(needed(trace, &project->rules, right, signed_in)));
}

static void trace_refused(struct trace *trace, const struct space *project,
			  bool limited, bool signed_in, unsigned refused,
			  unsigned allowed)
{
	for (unsigned right = RIGHT_PULL; right <= RIGHT_DELETE; right <<= 1) {
		AUTO(buf) struct buf name;

		buf_init(&name, SCOPE_ACTION_MAX);
		if (!(refused & right))
			continue;
		scope_print_rights(right, &name);
		trace_step(trace, "refused: " STR_FMT ", " STR_FMT,
			   STR_ARG(buf_str(&name)),
			   STR_ARG(refusal(trace, project, limited, signed_in,
					   right, allowed)));
	}
}

/* What role and visibility allow in the project of a repository. */
static enum err repository_rights(struct txn *txn, const struct identity *who,
				  const struct scope *scope,
				  struct trace *trace, unsigned *out)
{
	struct standing standing = {
		.signed_in = who->kind == IDENTITY_USER,
		.external = who->external,
		.admin = who->admin,
	};
	const struct space *project = NULL, *from = NULL;
	struct space_chain chain;
	unsigned rights = 0;
	enum err err;

	*out = 0;
	chain.len = 0;
	if (path_valid(scope->name)) {
		err = space_walk(txn, scope->name, &chain);
		if (err)
			return err;
	}
	if (chain.len && chain.at[chain.len - 1].kind == SPACE_PROJECT)
		project = &chain.at[chain.len - 1];
	if (project && standing.signed_in) {
		err = member_role(txn, &chain, who->user, &standing.role,
				  &from);
		if (err)
			return err;
	}
	if (project)
		rights = project_rights(&project->rules, &standing);
	if (trace) {
		bool limited = !in_limits(who, scope);
		unsigned held = limited ? 0 : rights & who->rights;

		trace_project(trace, scope->name, project, &standing, from);
		if (who->repositories.len)
			trace_step(trace, "limit: repository " STR_FMT,
				   STR_ARG(who->repositories));
		trace_refused(trace, project, limited, standing.signed_in,
			      scope->rights & ~held, rights);
	}
	*out = rights;
	return E_OK;
}

static enum err allowed(struct txn *txn, const struct identity *who,
			const struct scope *scope, struct trace *trace,
			unsigned *out)
{
	bool admin = who->kind == IDENTITY_USER && who->admin;

	*out = 0;
	if (scope->type == SCOPE_REPOSITORY)
		return repository_rights(txn, who, scope, trace, out);
	if (scope->type == SCOPE_CATALOG && admin)
		*out = RIGHT_CATALOG;
	trace_add(trace, "catalog: %s",
		  admin ? "administrator" : "not an administrator");
	if (!admin)
		trace_add(trace, "refused: *, it needs an administrator");
	else if (!in_limits(who, scope))
		trace_add(trace, "refused: *, the token is limited to some "
				 "repositories");
	else if (!(who->rights & RIGHT_CATALOG))
		trace_add(trace, "refused: *, the token's scopes do not reach "
				 "it");
	return E_OK;
}

static void trace_result(struct trace *trace, const struct scope *scope,
			 unsigned rights)
{
	trace_add(trace, "result: " STR_FMT ":%s%s%s%s%s", STR_ARG(scope->name),
		  rights ? "" : " nothing", rights & RIGHT_PULL ? " pull" : "",
		  rights & RIGHT_PUSH ? " push" : "",
		  rights & RIGHT_DELETE ? " delete" : "",
		  rights & RIGHT_CATALOG ? " *" : "");
}

enum err access_decide(struct txn *txn, const struct identity *who,
		       const struct scope_list *want, struct trace *trace,
		       struct scope_list *may, enum reason *why)
{
	bool partial = false, limited = false;
	size_t len = 0;

	may->len = may->seen = 0;
	*why = REASON_NONE;
	for (size_t i = 0; i < want->len; i++) {
		struct scope scope = want->at[i];
		unsigned rights;
		enum err err = allowed(txn, who, &scope, trace, &rights);

		if (err) {
			*why = REASON_FAILURE;
			return err;
		}
		rights &= who->rights & scope.rights;
		if (rights && !in_limits(who, &scope)) {
			limited = true;
			rights = 0;
		}
		partial |= rights != scope.rights;
		trace_result(trace, &scope, rights);
		scope.rights = rights;
		if (rights)
			may->at[len++] = scope;
	}
	may->len = len;
	if (!want->len)
		*why = REASON_LOGIN;
	else if (!len)
		*why = limited ? REASON_TOKEN_REPOSITORY : REASON_NOTHING;
	else
		*why = partial ? REASON_PARTIAL : REASON_GRANTED;
	return E_OK;
}
