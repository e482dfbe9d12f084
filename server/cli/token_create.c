/* server/cli/token_create.c - dockpass token create. */
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "server/cli/token.h"
#include "token/date.h"
#include "token/encode.h"

enum { BOT_RANDOM = 16 };

/* The kind of owner, and where he is named. */
static void read_owner(struct call *call, struct change *change)
{
	if (call->argc) {
		change->user = call->args[0];
		change->kind = call->opts[OPT_IMPERSONATION] ? PAT_IMPERSONATION
							     : PAT_PERSONAL;
		return;
	}
	change->kind = call->opts[OPT_PROJECT] ? PAT_PROJECT : PAT_GROUP;
	change->role = ROLE_MAINTAINER;
	change->path =
		arena_lower(&call->arena, call_opt(call, call->opts[OPT_PROJECT]
								 ? OPT_PROJECT
								 : OPT_GROUP));
}

static int read_scopes(struct call *call, struct change *change)
{
	static const char list[] = "api, read_user, read_api, "
				   "read_repository, write_repository, "
				   "read_registry, write_registry, sudo";
	struct str unknown = { 0 };
	unsigned scopes;

	if (!call->opts[OPT_NAME] || !call->opts[OPT_SCOPES])
		return call_usage(call, "token create: --%s is missing",
				  call->opts[OPT_NAME] ? "scopes" : "name");
	if (pat_scopes_parse(call_opt(call, OPT_SCOPES), &scopes, &unknown))
		return call_usage(call, "scope '%.*s' is not one of %s",
				  (int)(unknown.len < 40 ? unknown.len : 40),
				  unknown.at ? unknown.at : "", list);
	change->scopes = scopes;
	change->text = call_opt(call, OPT_NAME);
	return EXIT_DONE;
}

static int read_terms(struct call *call, struct change *change)
{
	int status = read_scopes(call, change);
	enum role role;

	if (status)
		return status;
	if (call->opts[OPT_EXPIRES] &&
	    date_parse(call_opt(call, OPT_EXPIRES), &change->expires_at))
		return call_usage(call, "'%.40s' is no date, write YYYY-MM-DD",
				  call->opts[OPT_EXPIRES]);
	if (call->opts[OPT_EXPIRES] && !change->expires_at)
		change->expires_at = 1; /* 0 is never, not 1970-01-01 */
	if (call->opts[OPT_ROLE] && call->argc)
		return call_usage(call, "--role is for --project and --group; "
					"a user has his own roles");
	if (call->opts[OPT_IMPERSONATION] && !call->argc)
		return call_usage(call, "--impersonation is for users");
	if (!call->opts[OPT_ROLE])
		return EXIT_DONE;
	if (role_parse(call_opt(call, OPT_ROLE), &role))
		return call_usage(call,
				  "role '%.40s' is not guest, planner, "
				  "reporter, developer, maintainer or "
				  "owner",
				  call->opts[OPT_ROLE]);
	change->role = role;
	return EXIT_DONE;
}

static enum err read_prefix(struct call *call, struct prefix *out)
{
	AUTO(txn) struct txn txn = { 0 };
	struct settings settings;
	enum err err;

	txn_read(call->db, &txn);
	err = settings_read(&txn, &settings);
	*out = settings.token_prefix;
	return err;
}

static enum err make_secret(struct call *call, struct change *change,
			    struct secret *secret)
{
	unsigned char random[PAT_RANDOM], bot[BOT_RANDOM];
	AUTO(buf) struct buf hex;
	struct prefix prefix;
	enum err err = read_prefix(call, &prefix);

	buf_init(&hex, 2 * BOT_RANDOM);
	if (err)
		return err;
	if (RAND_priv_bytes(random, sizeof(random)) != 1 ||
	    RAND_bytes(bot, sizeof(bot)) != 1)
		return cause_set(&call->cause, E_CRYPTO, "no random bytes");
	*secret = secret_pat(&prefix, random);
	OPENSSL_cleanse(random, sizeof(random));
	err = secret_digest(secret_str(secret), &change->digest);
	hex_add(&hex, STR_OF(bot));
	if (!change->user.len)
		change->bot = arena_copy(&call->arena, buf_str(&hex));
	return err;
}

int token_create(struct call *call)
{
	struct change change = { .type = CHANGE_TOKEN_ADD };
	AUTO(secret) struct secret secret = { 0 };
	int status = token_check_owner(call, true);
	enum err err;

	if (status)
		return status;
	read_owner(call, &change);
	status = read_terms(call, &change);
	if (status)
		return status;
	if (!call_store(call))
		return EXIT_REFUSED;
	err = make_secret(call, &change, &secret);
	if (err)
		return call_failed(call, err);
	status = call_commit(call, &change);
	if (status)
		return status;
	call->lost = arena_cstr(
		&call->arena,
		arena_printf(&call->arena,
			     "the secret of token %llu is lost; revoke it and "
			     "create another",
			     (unsigned long long)change.new_id));
	if (call->json)
		return token_print(call, change.new_id, secret_str(&secret));
	buf_add(&call->out, secret_str(&secret));
	buf_add_char(&call->out, '\n');
	call_note(call, "token %llu made, %s%s; its secret is not shown again",
		  (unsigned long long)change.new_id,
		  change.expires_at ? "dies on " : "never expires",
		  change.expires_at ? date_print(change.expires_at).at : "");
	return EXIT_DONE;
}
