/* server/cli/token.c - dockpass token show, revoke; table of its commands. */
#include "server/cli/token.h"

#include "server/cli/stdin.h"
#include "store/changelog.h"
#include "store/refresh.h"
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

/* The id of the token that has a secret, or whose refresh token has it. */
static enum err find_secret(struct call *call, struct str secret, uint64_t *id)
{
	AUTO(txn) struct txn txn = { 0 };
	struct refresh refresh;
	struct digest digest;
	struct pat pat;
	enum err err = secret_digest(secret, &digest);

	if (err)
		return err;
	txn_read(call->db, &txn);
	err = pat_find(&txn, &digest, &pat);
	*id = pat.id;
	if (err != E_NOT_FOUND)
		return err;
	err = refresh_find(&txn, &digest, &refresh);
	*id = refresh.pat;
	return err == E_NOT_FOUND
		       ? cause_set(&call->cause, err,
				   "no token has this secret: mistyped, of "
				   "another server, or a refresh token that is "
				   "gone")
		       : err;
}

static int read_secret(struct call *call, uint64_t *id)
{
	AUTO(buf) struct buf text;
	struct str secret;
	enum err err =
		stdin_line("secret", SECRET_MAX, &text, &secret, &call->cause);

	if (!err && !call_store(call))
		return EXIT_REFUSED;
	if (!err)
		err = find_secret(call, str_trim(secret), id);
	return err ? call_failed(call, err) : EXIT_DONE;
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

/* Opens the store as well. */
static int read_id(struct call *call, uint64_t *id)
{
	int status;

	if (call->argc == !!call->opts[OPT_STDIN])
		return call_usage(call, "%s: say one of ID and --stdin",
				  call->command->words);
	if (!call->argc)
		return read_secret(call, id);
	status = token_read_id(call, id);
	if (status)
		return status;
	return call_store(call) ? EXIT_DONE : EXIT_REFUSED;
}

static int token_show(struct call *call)
{
	uint64_t id = 0;
	int status = read_id(call, &id);

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

static int token_revoke(struct call *call)
{
	struct change change = { .type = CHANGE_TOKEN_REVOKE };
	struct str others;
	int status = check_revoke(call);

	if (status || call->opts[OPT_UNUSED])
		return status ? status : token_revoke_unused(call);
	status = read_id(call, &change.id);

	if (status)
		return status;
	change.recursive = call->opts[OPT_FAMILY] != NULL;
	status = call_commit(call, &change);
	if (status)
		return status;
	/* Who named it by its secret has not seen whose it is. */
	if (call->opts[OPT_STDIN])
		call_note(call, "revoked: " STR_FMT,
			  STR_ARG(token_whose(call, change.id)));
	if (!change.recursive && !token_family(call, change.id, &others) &&
	    others.len)
		call_note(call,
			  "of its family these work on: " STR_FMT "; dockpass "
			  "token revoke %llu --family ends them all",
			  STR_ARG(others), (unsigned long long)change.id);
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
