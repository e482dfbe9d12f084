/* server/cli/token_unused.c - dockpass token revoke --unused. */
#include "server/cli/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "token/date.h"

int token_read_span(struct call *call, int64_t *out)
{
	struct str text = call_opt(call, OPT_UNUSED);

	*out = 0;
	if (!call->opts[OPT_UNUSED])
		return EXIT_DONE;
	if (!duration_parse(text, out) && *out >= DAY)
		return EXIT_DONE;
	return call_usage(call,
			  "'%.40s' is no time of a day or more; write it as "
			  "90d",
			  text.at);
}

bool token_unused(struct txn *txn, const struct pat *pat,
		  const struct settings *settings, int64_t now, int64_t span)
{
	return pat_active(pat, settings, now) &&
	       pat_used_at(txn, pat) <= now - span;
}

struct sweep {
	struct call *call;
	int64_t span;
	uint64_t *ids;
	size_t len;
};

static enum err find(struct sweep *sweep)
{
	AUTO(txn) struct txn txn = { 0 };
	AUTO(cursor) struct cursor cursor = { 0 };
	struct settings settings;
	enum err err;
	size_t size;

	txn_read(sweep->call->db, &txn);
	err = settings_read(&txn, &settings);
	size = txn_count(&txn, TABLE_PAT);
	sweep->ids = arena_alloc(&sweep->call->arena,
				 (size + 1) * sizeof(*sweep->ids));
	cursor_open(&txn, TABLE_PAT, STR(""), &cursor);
	while (!err && cursor_next(&cursor)) {
		struct pat pat;

		err = pat_unpack(&txn, cursor.key, cursor.value, &pat);
		if (!err && token_unused(&txn, &pat, &settings,
					 sweep->call->now, sweep->span))
			sweep->ids[sweep->len++] = pat.id;
	}
	return err ? err : txn.err;
}

/* A deed. What was used or revoked meanwhile stays as it is. */
static enum err revoke_all(struct txn *txn, void *arg) ON(writer_thread);
static enum err revoke_all(struct txn *txn, void *arg)
{
	struct sweep *sweep = arg;
	struct call *call = sweep->call;
	struct settings settings;
	enum err err = settings_read(txn, &settings);
	size_t done = 0;

	for (size_t i = 0; !err && i < sweep->len; i++) {
		struct change change = {
			.type = CHANGE_TOKEN_REVOKE,
			.now = call->now,
			.actor = call->actor,
			.id = sweep->ids[i],
		};
		struct pat pat;

		err = pat_get(txn, sweep->ids[i], &pat);
		if (err ||
		    !token_unused(txn, &pat, &settings, call->now, sweep->span))
			continue;
		err = change_apply(txn, &change);
		sweep->ids[done++] = change.id;
	}
	sweep->len = done;
	return err;
}

/* On a terminal, which shows what would go. */
static int ask(struct call *call, const struct sweep *sweep)
{
	const char *s = sweep->len == 1 ? "" : "s";
	char line[16] = "";
	bool json = call->json;
	int status;

	if (!isatty(STDIN_FILENO))
		return call_refuse(call,
				   "%zu token%s would be revoked; look at "
				   "%s with dockpass token list "
				   "--unused %s, then add --yes",
				   sweep->len, s, *s ? "them" : "it",
				   call->opts[OPT_UNUSED]);
	call->json = false;
	status = token_print_all(call, sweep->ids, sweep->len);
	call->json = json;
	if (status)
		return status;
	fprintf(stderr, STR_FMT "revoke %s %zu token%s? (yes or no) ",
		STR_ARG(buf_str(&call->out)), *s ? "these" : "this", sweep->len,
		s);
	buf_clear(&call->out);
	if (fgets(line, sizeof(line), stdin) && !strcmp(line, "yes\n"))
		return EXIT_DONE;
	return call_refuse(call, "nothing was revoked");
}

int token_revoke_unused(struct call *call)
{
	struct sweep sweep = { .call = call };
	int status = token_read_span(call, &sweep.span);
	enum err err;

	if (status)
		return status;
	if (!call_store(call))
		return EXIT_REFUSED;
	err = find(&sweep);
	if (!err && sweep.len && !call->opts[OPT_YES])
		status = ask(call, &sweep);
	if (status)
		return status;
	if (!err && !sweep.len && !call->json) {
		buf_printf(&call->out, "no token is unused for %s\n",
			   call->opts[OPT_UNUSED]);
		return EXIT_DONE;
	}
	become_writer();
	if (!err)
		err = deed_commit(call->db, revoke_all, &sweep);
	leave_writer();
	if (err)
		return call_failed(call, err);
	call->lost = "what was asked is done all the same";
	return token_print_all(call, sweep.ids, sweep.len);
}
