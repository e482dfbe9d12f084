/* server/cli/token_rotate.c - dockpass token rotate. */
#include "server/cli/token.h"
#include "token/date.h"

int token_rotate(struct call *call)
{
	struct change change = { .type = CHANGE_TOKEN_ROTATE };
	AUTO(secret) struct secret secret = { 0 };
	struct handover how;
	int64_t grace = 0;
	int status = token_read_id(call, &change.id);
	enum err err;

	if (!status)
		status = token_read_expires(call, &change.expires_at);
	if (!status && call->opts[OPT_GRACE])
		status = call_duration(call, OPT_GRACE, &grace);
	if (!status)
		status = handover_read(call, &how);
	if (status)
		return status;
	change.grace = (uint64_t)grace;
	if (!call_store(call))
		return EXIT_REFUSED;
	err = token_make_secret(call, &secret, &change.digest);
	if (err)
		return call_failed(call, err);
	status = call_commit(call, &change);
	if (status)
		return status;
	status = handover_print(call, &how, change.new_id, secret_str(&secret));
	if (!status)
		call_note(call, "token %llu, which it replaces, %s%s",
			  (unsigned long long)change.id,
			  grace ? "works until " : "is dead",
			  grace ? time_print(call->now + grace).at : "");
	return status;
}
