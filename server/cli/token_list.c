/* server/cli/token_list.c - dockpass token list: whose, and which of them. */
#include "server/cli/token.h"
#include "store/record.h"
#include "token/date.h"

/* What --expiring and --unused say, in seconds. */
struct filter {
	int64_t expiring, unused;
};

static int read_filter(struct call *call, struct filter *out)
{
	int status = token_read_span(call, &out->unused);

	if (!status && call->opts[OPT_EXPIRING])
		status = call_duration(call, OPT_EXPIRING, &out->expiring);
	return status;
}

/* Those that all of the options mean. */
static bool is_listed(struct printer *p, const struct filter *filter,
		      const struct pat *pat)
{
	const struct call *call = p->call;
	int64_t now = call->now, date = pat->revoked_at ? 0 : pat->expires_at;

	if (call->opts[OPT_REVOKED] && !pat->revoked_at)
		return false;
	if (call->opts[OPT_EXPIRED] && (!date || date > now))
		return false;
	if (call->opts[OPT_EXPIRING] &&
	    (pat->next || date <= now || date > now + filter->expiring))
		return false;
	return !call->opts[OPT_UNUSED] ||
	       token_unused(&p->txn, pat, &p->settings, now, filter->unused);
}

/* Whose tokens: of a user, of a group or project, of all. */
struct whose {
	uint64_t user, space;
};

static enum err list_user(struct printer *p, const struct filter *filter,
			  uint64_t user)
{
	enum err err = E_OK;
	uint64_t id = 0;
	struct pat pat;

	while (!err && (id = pat_next_of(&p->txn, user, id))) {
		err = pat_get(&p->txn, id, &pat);
		if (!err && is_listed(p, filter, &pat))
			err = printer_add(p, &pat);
	}
	return err;
}

/* By id, not by digest. */
static enum err list_all(struct printer *p, const struct filter *filter,
			 uint64_t space)
{
	AUTO(cursor) struct cursor c = { 0 };
	enum err err = E_OK;

	for (cursor_open(&p->txn, TABLE_PAT_ID, STR(""), &c);
	     !err && cursor_next(&c);) {
		struct unpack key = { .rest = c.key };
		struct pat pat;

		err = pat_get(&p->txn, unpack_u64(&key), &pat);
		if (!err && (!space || pat.space == space) &&
		    is_listed(p, filter, &pat))
			err = printer_add(p, &pat);
	}
	return err;
}

static enum err find_space(struct printer *p, struct whose *whose)
{
	struct call *call = p->call;
	bool project = call->opts[OPT_PROJECT];
	struct str path = call_opt(call, project ? OPT_PROJECT : OPT_GROUP);
	enum space_kind kind = project ? SPACE_PROJECT : SPACE_GROUP;
	struct space space;
	enum err err =
		space_find(&p->txn, arena_lower(&call->arena, path), &space);

	if (err == E_NOT_FOUND || (!err && space.kind != kind))
		return cause_set(&call->cause, E_NOT_FOUND,
				 "no %s '%.255s'; dockpass %s list shows all",
				 project ? "project" : "group", path.at,
				 project ? "project" : "group");
	whose->space = space.id;
	return err;
}

static enum err find_whose(struct printer *p, struct whose *whose)
{
	struct call *call = p->call;
	struct user user;
	enum err err;

	if (call->opts[OPT_PROJECT] || call->opts[OPT_GROUP])
		return find_space(p, whose);
	if (!call->argc)
		return E_OK;
	err = user_find(&p->txn, call->args[0], &user);
	if (err == E_NOT_FOUND)
		return cause_set(&call->cause, err,
				 "no user '%.255s'; dockpass user list shows "
				 "all",
				 call->args[0].at);
	whose->user = user.id;
	return err;
}

int token_list(struct call *call)
{
	int status = token_check_owner(call, false);
	AUTO(printer) struct printer p = { 0 };
	struct filter filter = { 0 };
	struct whose whose = { 0 };
	enum err err;

	if (!status)
		status = read_filter(call, &filter);
	if (status)
		return status;
	if (!call_store(call))
		return EXIT_REFUSED;
	err = printer_init(&p, call);
	if (!err)
		err = find_whose(&p, &whose);
	if (call->json)
		json_open(&call->out, '[');
	if (!err)
		err = whose.user ? list_user(&p, &filter, whose.user)
				 : list_all(&p, &filter, whose.space);
	return printer_end(&p, err);
}
