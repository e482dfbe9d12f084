/* server/cli/token_rotate.c - dockpass token rotate; a token's family. */
#include "server/cli/token.h"
#include "token/date.h"

enum err token_family(struct call *call, uint64_t id, struct str *out)
{
	AUTO(txn) struct txn txn = { 0 };
	struct settings settings;
	struct str text = { 0 };
	struct pat pat;
	uint64_t at = id;
	enum err err;

	*out = (struct str) { 0 };
	txn_read(call->db, &txn);
	err = settings_read(&txn, &settings);
	/* To its first, then to its last. */
	while (!err && !pat_get(&txn, at, &pat) && pat.previous &&
	       pat.previous < at)
		at = pat.previous;
	for (; !err && at && !pat_get(&txn, at, &pat);
	     at = pat.next > at ? pat.next : 0)
		if (at != id && pat_active(&pat, &settings, call->now))
			text = arena_printf(&call->arena, STR_FMT "%s%llu",
					    STR_ARG(text), text.len ? ", " : "",
					    (unsigned long long)at);
	*out = text;
	return err ? err : txn.err;
}

/* What became of the one that it replaces, and of those before that. */
static void tell_old(struct call *call, uint64_t id, struct str before)
{
	AUTO(txn) struct txn txn = { 0 };
	struct settings settings;
	struct pat pat;

	txn_read(call->db, &txn);
	if (settings_read(&txn, &settings) || pat_get(&txn, id, &pat))
		return; /* it is done all the same */
	if (pat_active(&pat, &settings, call->now))
		call_note(call, "token %llu, which it replaces, works until %s",
			  (unsigned long long)id,
			  time_print(pat_dies_at(&pat, &settings)).at);
	else
		call_note(call,
			  "token %llu, which it replaces, is dead%s" STR_FMT,
			  (unsigned long long)id,
			  before.len ? ", and so are those that were in their "
				       "grace: "
				     : "",
			  STR_ARG(before));
}

static int read_rotate(struct call *call, struct change *change,
		       struct handover *how)
{
	int status = token_read_id(call, &change->id);
	int64_t grace = 0;

	if (!status)
		status = token_read_expires(call, &change->expires_at);
	if (!status && call->opts[OPT_GRACE])
		status = call_duration(call, OPT_GRACE, &grace);
	change->grace = (uint64_t)grace;
	return status ? status : handover_read(call, how);
}

int token_rotate(struct call *call)
{
	struct change change = { .type = CHANGE_TOKEN_ROTATE };
	AUTO(secret) struct secret secret = { 0 };
	struct handover how;
	struct str before;
	int status = read_rotate(call, &change, &how);
	enum err err;

	if (status)
		return status;
	if (!call_store(call))
		return EXIT_REFUSED;
	err = token_make_secret(call, &secret, &change.digest);
	if (!err)
		err = token_family(call, change.id, &before);
	if (err)
		return call_failed(call, err);
	status = call_commit(call, &change);
	if (status)
		return status;
	status = handover_print(call, &how, change.new_id, secret_str(&secret));
	if (!status)
		tell_old(call, change.id, before);
	return status;
}
