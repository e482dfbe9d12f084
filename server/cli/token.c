/* server/cli/token.c - dockpass token show, revoke; table of its commands. */
#include "server/cli/token.h"

#include "store/changelog.h"
#include "token/date.h"

int token_check_owner(struct call *call, bool needed)
{
	int n = call->argc + !!call->opts[OPT_PROJECT] +
		!!call->opts[OPT_GROUP];

	if (n > 1 || (needed && !n))
		return call_usage(call,
				  "%s: say %sone of USER, --project and "
				  "--group",
				  call->command->words,
				  needed ? "" : "at most ");
	return EXIT_DONE;
}

int token_read_id(struct call *call, uint64_t *id)
{
	if (!str_to_u64(call->args[0], INT64_MAX, id) && *id)
		return EXIT_DONE;
	return call_usage(call,
			  "'%.40s' is no token id, a number from dockpass "
			  "token list",
			  call->args[0].at);
}

static int check_which(struct call *call)
{
	return call->argc == !!call->opts[OPT_STDIN]
		       ? call_usage(call, "%s: say one of ID and --stdin",
				    call->command->words)
		       : EXIT_DONE;
}

/* Opens the store as well. */
static int read_id(struct call *call, uint64_t *id)
{
	int status = token_read_id(call, id);

	if (status)
		return status;
	return call_store(call) ? EXIT_DONE : EXIT_REFUSED;
}

static int token_show(struct call *call)
{
	uint64_t id = 0;
	int status = check_which(call);

	if (!status && !call->argc)
		return token_show_found(call);
	if (!status)
		status = read_id(call, &id);
	return status ? status : token_print(call, id, (struct str) { 0 });
}

void token_print_revoked(struct call *call, struct txn *txn,
			 const struct pat *pat)
{
	struct buf *out = &call->out;
	struct change by;

	if (!pat->revoked_at)
		return;
	buf_printf(out, "\nrevoked %s", time_print(pat->revoked_at).at);
	if (!changelog_revoked(txn, pat, &by))
		buf_printf(out, " by " STR_FMT " (%s)", STR_ARG(by.actor),
			   change_name(by.type));
	buf_add_char(out, '\n');
}

static int check_revoke(struct call *call)
{
	if (!call->opts[OPT_UNUSED])
		return call->opts[OPT_YES]
			       ? call_usage(call, "--yes is of --unused")
			       : EXIT_DONE;
	return call->argc || call->opts[OPT_STDIN] || call->opts[OPT_FAMILY]
		       ? call_usage(call, "token revoke: --unused stands alone")
		       : EXIT_DONE;
}

void token_note_family(struct call *call, uint64_t id)
{
	struct str others;

	if (!call->opts[OPT_FAMILY] && !token_family(call, id, &others) &&
	    others.len)
		call_note(call,
			  "of its family these work on: " STR_FMT "; dockpass "
			  "token revoke %llu --family ends them all",
			  STR_ARG(others), (unsigned long long)id);
}

static int token_revoke(struct call *call)
{
	struct change change = {
		.type = CHANGE_TOKEN_REVOKE,
		.recursive = call->opts[OPT_FAMILY] != NULL,
	};
	int status = check_revoke(call);

	if (status || call->opts[OPT_UNUSED])
		return status ? status : token_revoke_unused(call);
	status = check_which(call);
	if (!status && !call->argc)
		return token_revoke_found(call);
	if (!status)
		status = read_id(call, &change.id);
	if (!status)
		status = call_commit(call, &change);
	if (status)
		return status;
	token_note_family(call, change.id);
	return call->json ? token_print(call, change.id, (struct str) { 0 })
			  : EXIT_DONE;
}

/* clang-format off */
#define HANDOVER "[--format F [--registry HOST] [--secret-name N]]"
static const struct command rows[] = {
	{ "token create", "(USER [--impersonation] | --project PATH | --group PATH [--role ROLE]) --name N --scopes A,B [--expires YYYY-MM-DD|30d|never] [--repository PATTERN] [--network CIDR] [--service NAME] [--idle DURATION] " HANDOVER,
	  "make a token; prints the secret alone, this once", 0, 1,
	  O(JSON) | O(NAME) | O(SCOPES) | O(EXPIRES) | O(IMPERSONATION) | O(PROJECT) | O(GROUP) | O(ROLE) |
	  O(REPOSITORY) | O(NETWORK) | O(SERVICE) | O(IDLE) | O(FORMAT) | O(REGISTRY) | O(SECRET_NAME), token_create },
	{ "token list", "[USER | --project PATH | --group PATH] [--expiring DURATION] [--expired] [--revoked] [--unused DURATION]", "tokens, dead ones too; those that all of the options mean", 0, 1,
	  O(JSON) | O(PROJECT) | O(GROUP) | O(EXPIRING) | O(EXPIRED) | O(REVOKED) | O(UNUSED), token_list },
	{ "token show", "(ID | --stdin)", "one token", 0, 1, O(JSON) | O(STDIN), token_show },
	{ "token revoke", "(ID | --stdin) [--family] | --unused DURATION [--yes]", "refuse a token from the next request on; JWTs live until their exp", 0, 1,
	  O(JSON) | O(STDIN) | O(FAMILY) | O(UNUSED) | O(YES), token_revoke },
	{ "token rotate", "ID [--expires YYYY-MM-DD|30d|never] [--grace DURATION] " HANDOVER,
	  "give a token another secret; prints it, this once, and the old one dies", 1, 1,
	  O(JSON) | O(EXPIRES) | O(GRACE) | O(FORMAT) | O(REGISTRY) | O(SECRET_NAME), token_rotate },
};
/* clang-format on */

const struct command_group token_commands = { rows, COUNT(rows) };
