/* server/cli/token.c - dockpass token ... */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "server/cli/command.h"
#include "store/member.h"
#include "store/record.h"
#include "token/date.h"
#include "token/encode.h"

enum { BOT_RANDOM = 16 };

static const struct str head[] = {
	{ "ID", 2 },	  { "OWNER", 5 },   { "NAME", 4 },  { "SCOPES", 6 },
	{ "CREATED", 7 }, { "EXPIRES", 7 }, { "STATE", 5 }, { "KIND", 4 },
};

static const char *const kinds[] = {
	[PAT_PERSONAL] = "personal",
	[PAT_IMPERSONATION] = "impersonation",
	[PAT_PROJECT] = "project",
	[PAT_GROUP] = "group",
};

/* What a list or a single token is printed with. */
struct printer {
	struct call *call;
	struct txn txn;
	struct settings settings;
	struct listing listing;
};

static enum err printer_init(struct printer *p, struct call *call)
{
	*p = (struct printer) {
		.call = call,
		.listing = { .arena = &call->arena, .columns = COUNT(head) },
	};
	txn_read(call->db, &p->txn);
	listing_row(&p->listing, head);
	return settings_read(&p->txn, &p->settings);
}

static void printer_done(struct printer *p)
{
	txn_cleanup(&p->txn);
}
#define printer_cleanup printer_done

static void put_scopes(struct buf *out, unsigned scopes)
{
	json_key(out, "scopes");
	json_open(out, '[');
	while (scopes)
		json_str(out, pat_scopes_next(&scopes));
	json_close(out, ']');
}

/* `secret` is empty but for the one time that it is shown. */
static enum err print_json(struct printer *p, const struct pat *pat,
			   struct str secret)
{
	struct buf *out = &p->call->out;
	enum role role = ROLE_NONE;

	if (pat->space && member_get(&p->txn, pat->space, pat->user, &role))
		role = ROLE_NONE;
	json_open(out, '{');
	json_put_int(out, "id", (int64_t)pat->id);
	json_put_str(out, "name", pat->name);
	put_scopes(out, pat->scopes);
	json_put_int(out, "user_id", (int64_t)pat->user);
	put_time(out, "created_at", pat->created_at);
	if (pat->expires_at)
		json_put_str(out, "expires_at",
			     str_of(date_print(pat->expires_at).at));
	else
		json_put_null(out, "expires_at");
	json_put_null(out, "last_used_at");
	json_put_bool(out, "revoked", pat->revoked_at);
	json_put_bool(out, "active",
		      pat_active(pat, &p->settings, p->call->now));
	if (pat->kind == PAT_IMPERSONATION)
		json_put_bool(out, "impersonation", true);
	if (pat->space)
		json_put_int(out, "access_level", role);
	if (secret.len)
		json_put_str(out, "token", secret);
	json_close(out, '}');
	return p->txn.err;
}

static struct str scopes_text(struct call *call, unsigned scopes)
{
	struct str text = { 0 };

	while (scopes) {
		struct str name = pat_scopes_next(&scopes);

		text = arena_printf(&call->arena, STR_FMT "%s" STR_FMT,
				    STR_ARG(text), text.len ? "," : "",
				    STR_ARG(name));
	}
	return text;
}

static struct str state_text(const struct printer *p, const struct pat *pat)
{
	if (pat->revoked_at)
		return STR("revoked");
	return pat_expired(pat, &p->settings, p->call->now) ? STR("expired")
							    : STR("active");
}

static enum err print_row(struct printer *p, const struct pat *pat)
{
	struct call *call = p->call;
	struct user owner;
	enum err err = user_get(&p->txn, pat->user, &owner);
	bool gone = err == E_NOT_FOUND; /* his tokens stay, revoked */
	const struct str cells[COUNT(head)] = {
		show_id(call, pat->id),
		err ? STR("-") : owner.name,
		pat->name,
		scopes_text(call, pat->scopes),
		show_date(call, pat->created_at),
		show_date(call, pat->expires_at),
		state_text(p, pat),
		str_of(pat->kind < COUNT(kinds) ? kinds[pat->kind] : "?"),
	};

	listing_row(&p->listing, cells);
	if (gone)
		return pat->revoked_at ? E_OK : E_CORRUPT;
	return err;
}

static enum err print_pat(struct printer *p, const struct pat *pat)
{
	return p->call->json ? print_json(p, pat, (struct str) { 0 })
			     : print_row(p, pat);
}

/* Whose tokens: of a user, of a group or project, of all. */
struct whose {
	uint64_t user, space;
};

static enum err list_user(struct printer *p, uint64_t user)
{
	struct key8 prefix = key_u64(user);
	AUTO(cursor) struct cursor c = { 0 };
	enum err err = E_OK;

	for (cursor_open(&p->txn, TABLE_USER_PAT, STR_OF(prefix.at), &c);
	     !err && cursor_next(&c);) {
		struct unpack key = { .rest = c.key };
		struct pat pat;

		unpack_u64(&key);
		err = pat_get(&p->txn, unpack_u64(&key), &pat);
		if (!err)
			err = print_pat(p, &pat);
	}
	return err ? err : p->txn.err;
}

static enum err list_all(struct printer *p, uint64_t space)
{
	AUTO(cursor) struct cursor c = { 0 };
	enum err err = E_OK;

	for (cursor_open(&p->txn, TABLE_PAT_ID, STR(""), &c);
	     !err && cursor_next(&c);) {
		struct unpack key = { .rest = c.key };
		struct pat pat;

		err = pat_get(&p->txn, unpack_u64(&key), &pat);
		if (!err && (!space || pat.space == space))
			err = print_pat(p, &pat);
	}
	return err ? err : p->txn.err;
}

/* Of the three ways to name an owner, at most one. */
static int check_owner(struct call *call, bool needed)
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

	*whose = (struct whose) { 0 };
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

static int token_list(struct call *call)
{
	int status = check_owner(call, false);
	AUTO(printer) struct printer p = { 0 };
	struct whose whose;
	enum err err;

	if (status)
		return status;
	if (!call_store(call))
		return EXIT_REFUSED;
	err = printer_init(&p, call);
	if (!err)
		err = find_whose(&p, &whose);
	if (!err && call->json)
		json_open(&call->out, '[');
	if (!err)
		err = whose.user ? list_user(&p, whose.user)
				 : list_all(&p, whose.space);
	if (err)
		return call_failed(call, err);
	if (call->json)
		buf_add(&call->out, STR("]\n"));
	else
		listing_print(&p.listing, &call->out);
	return EXIT_DONE;
}

static int print_one(struct call *call, uint64_t id, struct str secret)
{
	AUTO(printer) struct printer p = { 0 };
	struct pat pat;
	enum err err = printer_init(&p, call);

	if (!err)
		err = pat_get(&p.txn, id, &pat);
	if (err == E_NOT_FOUND)
		return call_refuse(call,
				   "no token has the id %llu; dockpass "
				   "token list shows all",
				   (unsigned long long)id);
	if (!err)
		err = call->json ? print_json(&p, &pat, secret)
				 : print_row(&p, &pat);
	if (err)
		return call_failed(call, err);
	if (call->json)
		buf_add_char(&call->out, '\n');
	else
		listing_print(&p.listing, &call->out);
	return EXIT_DONE;
}

static int read_id(struct call *call, uint64_t *id)
{
	if (!str_to_u64(call->args[0], INT64_MAX, id) && *id)
		return EXIT_DONE;
	return call_usage(call,
			  "'%.40s' is no token id, a number from "
			  "dockpass token list",
			  call->args[0].at);
}

static int token_show(struct call *call)
{
	uint64_t id;
	int status = read_id(call, &id);

	if (status)
		return status;
	return call_store(call) ? print_one(call, id, (struct str) { 0 })
				: EXIT_REFUSED;
}

static int token_revoke(struct call *call)
{
	struct change change = { .type = CHANGE_TOKEN_REVOKE };
	int status = read_id(call, &change.id);

	if (status)
		return status;
	if (!call_store(call))
		return EXIT_REFUSED;
	status = call_commit(call, &change);
	if (status || !call->json)
		return status;
	return print_one(call, change.id, (struct str) { 0 });
}

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

static enum err make_secret(struct call *call, struct change *change,
			    struct secret *secret)
{
	unsigned char random[PAT_RANDOM], bot[BOT_RANDOM];
	AUTO(buf) struct buf hex;
	enum err err;

	buf_init(&hex, 2 * BOT_RANDOM);
	if (RAND_priv_bytes(random, sizeof(random)) != 1 ||
	    RAND_bytes(bot, sizeof(bot)) != 1)
		return cause_set(&call->cause, E_CRYPTO, "no random bytes");
	*secret = secret_pat(random);
	OPENSSL_cleanse(random, sizeof(random));
	err = secret_digest(secret_str(secret), &change->digest);
	hex_add(&hex, STR_OF(bot));
	if (!change->user.len)
		change->bot = arena_copy(&call->arena, buf_str(&hex));
	return err;
}

static int token_create(struct call *call)
{
	struct change change = { .type = CHANGE_TOKEN_ADD };
	AUTO(secret) struct secret secret = { 0 };
	int status = check_owner(call, true);
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
		return print_one(call, change.new_id, secret_str(&secret));
	buf_add(&call->out, secret_str(&secret));
	buf_add_char(&call->out, '\n');
	call_note(call, "token %llu made, %s%s; its secret is not shown again",
		  (unsigned long long)change.new_id,
		  change.expires_at ? "dies on " : "never expires",
		  change.expires_at ? date_print(change.expires_at).at : "");
	return EXIT_DONE;
}

/* clang-format off */
static const struct command rows[] = {
	{ "token create", "(USER [--impersonation] | --project PATH | --group PATH [--role ROLE]) --name N --scopes A,B [--expires YYYY-MM-DD]",
	  "make a token; prints the secret alone, this once", 0, 1,
	  O(JSON) | O(NAME) | O(SCOPES) | O(EXPIRES) | O(IMPERSONATION) | O(PROJECT) | O(GROUP) | O(ROLE), token_create },
	{ "token list", "[USER | --project PATH | --group PATH]", "tokens, dead ones too", 0, 1,
	  O(JSON) | O(PROJECT) | O(GROUP), token_list },
	{ "token show", "ID", "one token", 1, 1, O(JSON), token_show },
	{ "token revoke", "ID", "refuse a token from the next request on", 1, 1, O(JSON), token_revoke },
};
/* clang-format on */

const struct command_group token_commands = { rows, COUNT(rows) };
