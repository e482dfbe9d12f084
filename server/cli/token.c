/* server/cli/token.c - dockpass token list, show, revoke. */
#include "server/cli/token.h"

#include <string.h>

#include "server/cli/stdin.h"
#include "store/member.h"
#include "store/record.h"
#include "store/refresh.h"
#include "token/date.h"

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
	struct space space = { 0 }; /* it may be gone */

	if (pat->space && member_get(&p->txn, pat->space, pat->user, &role))
		role = ROLE_NONE;
	if (pat->space && space_get(&p->txn, pat->space, &space))
		space.id = 0;
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
	if (pat->space) {
		json_put_int(out, "access_level", role);
		if (space.id)
			json_put_str(out, kinds[pat->kind], space.path);
		else
			json_put_null(out, kinds[pat->kind]);
	}
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

/* Of a bot its project or group. Who is gone leaves his tokens, revoked. */
static enum err owner_text(struct printer *p, const struct pat *pat,
			   struct str *out)
{
	struct space space;
	struct user owner;
	enum err err;

	if (pat->space) {
		err = space_get(&p->txn, pat->space, &space);
		if (!err)
			*out = arena_printf(&p->call->arena, STR_FMT " (%s)",
					    STR_ARG(space.path),
					    kinds[pat->kind]);
	} else {
		err = user_get(&p->txn, pat->user, &owner);
		*out = owner.name;
	}
	if (err != E_NOT_FOUND)
		return err;
	*out = STR("-");
	return pat->revoked_at ? E_OK : E_CORRUPT;
}

static enum err print_row(struct printer *p, const struct pat *pat)
{
	struct call *call = p->call;
	struct str owner;
	enum err err = owner_text(p, pat, &owner);
	const struct str cells[COUNT(head)] = {
		show_id(call, pat->id),
		owner,
		pat->name,
		scopes_text(call, pat->scopes),
		show_date(call, pat->created_at),
		show_date(call, pat->expires_at),
		state_text(p, pat),
		str_of(pat->kind < COUNT(kinds) ? kinds[pat->kind] : "?"),
	};

	if (!err)
		listing_row(&p->listing, cells);
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
	int status = token_check_owner(call, false);
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

int token_print(struct call *call, uint64_t id, struct str secret)
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

/* Opens the store as well. */
static int read_id(struct call *call, uint64_t *id)
{
	if (call->argc == !!call->opts[OPT_STDIN])
		return call_usage(call, "%s: say one of ID and --stdin",
				  call->command->words);
	if (!call->argc)
		return read_secret(call, id);
	if (str_to_u64(call->args[0], INT64_MAX, id) || !*id)
		return call_usage(call,
				  "'%.40s' is no token id, a number from "
				  "dockpass token list",
				  call->args[0].at);
	return call_store(call) ? EXIT_DONE : EXIT_REFUSED;
}

static int token_show(struct call *call)
{
	uint64_t id = 0;
	int status = read_id(call, &id);

	return status ? status : token_print(call, id, (struct str) { 0 });
}

static int token_revoke(struct call *call)
{
	struct change change = { .type = CHANGE_TOKEN_REVOKE };
	int status = read_id(call, &change.id);

	if (status)
		return status;
	status = call_commit(call, &change);
	if (status || !call->json)
		return status;
	return token_print(call, change.id, (struct str) { 0 });
}

/* clang-format off */
static const struct command rows[] = {
	{ "token create", "(USER [--impersonation] | --project PATH | --group PATH [--role ROLE]) --name N --scopes A,B [--expires YYYY-MM-DD]",
	  "make a token; prints the secret alone, this once", 0, 1,
	  O(JSON) | O(NAME) | O(SCOPES) | O(EXPIRES) | O(IMPERSONATION) | O(PROJECT) | O(GROUP) | O(ROLE), token_create },
	{ "token list", "[USER | --project PATH | --group PATH]", "tokens, dead ones too", 0, 1,
	  O(JSON) | O(PROJECT) | O(GROUP), token_list },
	{ "token show", "(ID | --stdin)", "one token", 0, 1, O(JSON) | O(STDIN), token_show },
	{ "token revoke", "(ID | --stdin)", "refuse a token from the next request on; JWTs live until their exp", 0, 1, O(JSON) | O(STDIN), token_revoke },
};
/* clang-format on */

const struct command_group token_commands = { rows, COUNT(rows) };
