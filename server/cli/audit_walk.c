/* server/cli/audit_walk.c - see the header. */
#include "server/cli/audit_walk.h"

#include <stdio.h>

#include "server/cli/actor.h"
#include "store/user.h"
#include "token/date.h"
#include "token/secret.h"

typedef unsigned long long ull;

int audit_day(struct call *call, enum opt opt, int64_t *out)
{
	struct str text = call_opt(call, opt);

	*out = 0;
	if (!call->opts[opt] || !date_parse(text, out))
		return EXIT_DONE;
	return call_usage(call, "'%.40s' is no date; write it as 2027-01-31",
			  text.at);
}

static int read_action(struct call *call, enum change_type *out)
{
	*out = (enum change_type)0;
	if (!call->opts[OPT_ACTION] ||
	    !change_by_name(call_opt(call, OPT_ACTION), out))
		return EXIT_DONE;
	return call_usage(
		call,
		"--action: '%.40s' is no action; there are:" AUDIT_ACTIONS,
		call->opts[OPT_ACTION]);
}

int audit_begin(struct call *call, struct audit_wanted *out, struct txn *txn)
{
	int status = audit_day(call, OPT_SINCE, &out->since);

	if (!status)
		status = audit_day(call, OPT_UNTIL, &out->until);
	if (!status)
		status = read_action(call, &out->action);
	if (status)
		return status;
	if (out->until && out->until < out->since)
		return call_usage(call, "--until is before --since");
	if (out->until)
		out->until += DAY;
	out->actor = call_opt(call, OPT_ACTOR);
	out->user = call_opt(call, OPT_USER);
	if (!call_store(call))
		return EXIT_REFUSED;
	txn_read(call->db, txn);
	return EXIT_DONE;
}

/* By name, or as the owner of the token that it is about. */
static bool about_user(struct txn *txn, const struct audit_wanted *wanted,
		       const struct change *change)
{
	struct pat pat;

	if (str_eq_nocase(change->user, wanted->user))
		return true;
	if (!wanted->user_id || !(CHANGES_OF_TOKEN & CHANGE_BIT(change->type)))
		return false;
	return !pat_get(txn, change->id, &pat) && pat.user == wanted->user_id;
}

static bool matches(struct audit_walk *walk, const struct change *change)
{
	const struct audit_wanted *wanted = walk->wanted;
	bool by = actor_is(change->actor, wanted->actor);
	bool about = wanted->user.len && about_user(walk->txn, wanted, change);

	walk->actor_seen |= by;
	walk->user_seen |= about;
	if (change->now < wanted->since ||
	    (wanted->until && change->now >= wanted->until))
		return false;
	if (wanted->action && change->type != wanted->action)
		return false;
	return (by || !wanted->actor.len) && (about || !wanted->user.len);
}

static enum err visit(struct audit_walk *walk, const struct log_entry *entry)
{
	if (!matches(walk, &entry->change))
		return E_OK;
	walk->count++;
	return walk->visit(walk, entry);
}

enum err audit_walk(struct audit_walk *walk, struct cause *cause)
{
	AUTO(cursor) struct cursor cursor;
	struct user user;
	enum err err = E_OK;

	if (walk->wanted->user.len &&
	    !user_find(walk->txn, walk->wanted->user, &user))
		walk->wanted->user_id = user.id;
	cursor_open(walk->txn, TABLE_LOG, STR(""), &cursor);
	while (!err && cursor_next(&cursor)) {
		struct log_entry entry;

		err = changelog_unpack(&cursor, &entry);
		if (err)
			return cause_set(cause, err,
					 "log entry %llu cannot be read; "
					 "dockpass audit verify says more",
					 (ull)entry.number);
		err = visit(walk, &entry);
	}
	if (walk->txn->err)
		err = cause_set(cause, walk->txn->err,
				"cannot read the log: %s",
				err_text(walk->txn->err));
	return err;
}

/* As it was typed, but no secret and nothing for the terminal. */
static const char *typed(struct str name, struct cause *out)
{
	snprintf(out->text, sizeof(out->text), "%.*s",
		 name.len > 80 ? 80 : (int)name.len, name.at);
	make_printable(out->text);
	secret_hide(out->text);
	return out->text;
}

static void tell_pruned(struct call *call, struct txn *txn)
{
	struct log_end anchor;

	changelog_anchor(txn, &anchor);
	if (anchor.number)
		call_warn(call, "entries up to number %llu were pruned",
			  (ull)anchor.number);
}

void audit_tell_none(struct call *call, const struct audit_walk *walk)
{
	const struct audit_wanted *wanted = walk->wanted;
	struct cause name = { "" };

	if (walk->count)
		return;
	if (wanted->user.len && !wanted->user_id && !walk->user_seen)
		call_warn(call,
			  "there is no user '%s', and the log knows of none; "
			  "dockpass user list shows all",
			  typed(wanted->user, &name));
	else if (wanted->actor.len && !walk->actor_seen)
		call_warn(call,
			  "nobody called '%s' has changed anything; dockpass "
			  "audit list shows all actors",
			  typed(wanted->actor, &name));
	else
		call_warn(call, "no entry of the log matches");
	tell_pruned(call, walk->txn);
}
