/*
 * store/access.c - asked AND the token's rights AND what role and visibility
 * allow, scope by scope.
 */
#include "store/access.h"

#include "store/member.h"

static void trace_project(struct trace *trace, const struct space *project,
			  enum role role)
{
	if (!trace)
		return;
	trace_step(trace, "project: " STR_FMT, STR_ARG(project->path));
	trace_step(trace, "visibility: " STR_FMT ", registry " STR_FMT "%s",
		   STR_ARG(visibility_name(project->rules.visibility)),
		   STR_ARG(registry_access_name(project->rules.registry)),
		   project->rules.archived ? ", archived" : "");
	trace_step(trace, "role: " STR_FMT, STR_ARG(role_name(role)));
}

/* What role and visibility allow in the project of a repository. */
static enum err repository_rights(struct txn *txn, const struct identity *who,
				  struct str name, struct trace *trace,
				  unsigned *out)
{
	struct standing standing = {
		.signed_in = who->kind == IDENTITY_USER,
		.external = who->external,
		.admin = who->admin,
	};
	struct space_chain chain;
	const struct space *last;
	enum err err;

	*out = 0;
	chain.len = 0;
	if (path_valid(name)) {
		err = space_walk(txn, name, &chain);
		if (err)
			return err;
	}
	last = chain.len ? &chain.at[chain.len - 1] : NULL;
	if (!last || last->kind != SPACE_PROJECT) {
		trace_add(trace, "project: none for repository " STR_FMT,
			  STR_ARG(name));
		return E_OK;
	}
	if (standing.signed_in) {
		err = member_role(txn, &chain, who->user, &standing.role);
		if (err)
			return err;
	}
	trace_project(trace, last, standing.role);
	*out = project_rights(&last->rules, &standing);
	return E_OK;
}

static enum err allowed(struct txn *txn, const struct identity *who,
			const struct scope *scope, struct trace *trace,
			unsigned *out)
{
	*out = 0;
	if (scope->type == SCOPE_REPOSITORY)
		return repository_rights(txn, who, scope->name, trace, out);
	if (scope->type == SCOPE_CATALOG && who->kind == IDENTITY_USER &&
	    who->admin)
		*out = RIGHT_CATALOG;
	trace_add(trace, "catalog: %s",
		  *out ? "administrator" : "not an administrator");
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
	bool partial = false;
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
		*why = REASON_NOTHING;
	else
		*why = partial ? REASON_PARTIAL : REASON_GRANTED;
	return E_OK;
}
