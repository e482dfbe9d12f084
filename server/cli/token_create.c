/* server/cli/token_create.c - dockpass token create. */
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "server/cli/token.h"
#include "server/cli/token_warn.h"
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

int token_read_expires(struct call *call, int64_t *out)
{
	struct str text = call_opt(call, OPT_EXPIRES);

	*out = 0;
	if (!text.len)
		return EXIT_DONE;
	if (str_eq(text, STR("never"))) {
		*out = EXPIRES_NEVER;
		return EXIT_DONE;
	}
	if (expiry_parse(text, call->now, out))
		return call_usage(call,
				  "'%.40s' is no date, write YYYY-MM-DD, or "
				  "30d for as many days from today, or never",
				  text.at);
	if (!*out)
		*out = 1; /* 0 would be none, not 1970-01-01 */
	return EXIT_DONE;
}

/* A service that no registry has would be a token that opens nothing. */
static int check_services(struct call *call, struct str list)
{
	struct str name;

	if (!list.len)
		return EXIT_DONE;
	if (!call_config(call))
		return EXIT_REFUSED;
	while (str_cut(&list, ',', &name))
		if (!name.len || !config_service(call->config, name))
			return call_no_service(call, name);
	return EXIT_DONE;
}

static int read_limits(struct call *call, struct change *change)
{
	static const enum opt opts[] = {
#define X(name, one, several) [LIMIT_##name] = OPT_##name,
		LIMIT_LIST(X)
#undef X
	};
	int64_t idle = 0;

	for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
		struct str list = call_opt(call, opts[limit]);

		if (limit == LIMIT_REPOSITORY)
			list = arena_lower(&call->arena, list);
		if (limit_check(limit, list, &call->cause))
			return call_usage(call, "--%s %s", limit_name(limit),
					  call->cause.text);
		change->limits[limit] = list;
	}
	if (call->opts[OPT_IDLE] && call_duration(call, OPT_IDLE, &idle))
		return EXIT_USAGE;
	change->idle = (uint64_t)idle;
	return check_services(call, change->limits[LIMIT_SERVICE]);
}

static int read_terms(struct call *call, struct change *change)
{
	int status = read_scopes(call, change);
	enum role role;

	if (!status)
		status = token_read_expires(call, &change->expires_at);
	if (!status)
		status = read_limits(call, change);
	if (status)
		return status;
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

enum err token_make_secret(struct call *call, struct secret *secret,
			   struct digest *digest)
{
	unsigned char random[PAT_RANDOM];
	struct prefix prefix;
	enum err err = read_prefix(call, &prefix);

	if (err)
		return err;
	if (RAND_priv_bytes(random, sizeof(random)) != 1)
		return cause_set(&call->cause, E_CRYPTO, "no random bytes");
	*secret = secret_pat(&prefix, random);
	OPENSSL_cleanse(random, sizeof(random));
	return secret_digest(secret_str(secret), digest);
}

static enum err make_bot(struct call *call, struct change *change)
{
	unsigned char random[BOT_RANDOM];
	AUTO(buf) struct buf hex;

	buf_init(&hex, 2 * BOT_RANDOM);
	if (change->user.len)
		return E_OK;
	if (RAND_bytes(random, sizeof(random)) != 1)
		return cause_set(&call->cause, E_CRYPTO, "no random bytes");
	hex_add(&hex, STR_OF(random));
	change->bot = arena_copy(&call->arena, buf_str(&hex));
	return E_OK;
}

int token_create(struct call *call)
{
	struct change change = { .type = CHANGE_TOKEN_ADD };
	AUTO(secret) struct secret secret = { 0 };
	int status = token_check_owner(call, true);
	struct handover how;
	enum err err;

	if (status)
		return status;
	read_owner(call, &change);
	status = read_terms(call, &change);
	if (!status)
		status = handover_read(call, &how);
	if (status)
		return status;
	if (!call_store(call))
		return EXIT_REFUSED;
	err = token_make_secret(call, &secret, &change.digest);
	if (!err)
		err = make_bot(call, &change);
	if (err)
		return call_failed(call, err);
	status = call_commit(call, &change);
	if (status)
		return status;
	token_warn(call, &change);
	return handover_print(call, &how, change.new_id, secret_str(&secret));
}
