/* server/cli/token_print.c - how a token is shown: a row, JSON, all of it. */
#include "server/cli/token.h"
#include "store/member.h"
#include "store/used.h"
#include "token/date.h"

static const struct str head[] = {
	{ "ID", 2 },	 { "OWNER", 5 },   { "NAME", 4 },
	{ "SCOPES", 6 }, { "CREATED", 7 }, { "EXPIRES", 7 },
	{ "STATE", 5 },	 { "KIND", 4 },	   { "USED", 4 },
};

enum err printer_init(struct printer *p, struct call *call)
{
	*p = (struct printer) {
		.call = call,
		.listing = { .arena = &call->arena, .columns = COUNT(head) },
	};
	txn_read(call->db, &p->txn);
	listing_row(&p->listing, head);
	return settings_read(&p->txn, &p->settings);
}

int printer_end(struct printer *p, enum err err)
{
	if (err || p->txn.err)
		return call_failed(p->call, err ? err : p->txn.err);
	return listing_end(&p->listing, p->call);
}

void printer_cleanup(struct printer *p)
{
	txn_cleanup(&p->txn);
}

static void put_scopes(struct buf *out, unsigned scopes)
{
	json_key(out, "scopes");
	json_open(out, '[');
	while (scopes)
		json_str(out, pat_scopes_next(&scopes));
	json_close(out, ']');
}

enum state {
	STATE_ACTIVE,
	STATE_REVOKED,
	STATE_ROTATED,
	STATE_EXPIRED,
	STATE_IDLE
};

static const char *const states[] = {
	[STATE_ACTIVE] = "active",   [STATE_REVOKED] = "revoked",
	[STATE_ROTATED] = "rotated", [STATE_EXPIRED] = "expired",
	[STATE_IDLE] = "idle",
};

static enum state state_of(struct printer *p, const struct pat *pat)
{
	int64_t now = p->call->now;

	if (!pat_active(pat, &p->settings, now))
		return pat->next	 ? STATE_ROTATED
		       : pat->revoked_at ? STATE_REVOKED
					 : STATE_EXPIRED;
	if (pat->idle && pat_idle(pat, pat_used_at(&p->txn, pat), now))
		return STATE_IDLE;
	return STATE_ACTIVE;
}

static struct str state_text(struct printer *p, const struct pat *pat)
{
	enum state state = state_of(p, pat);

	if (state == STATE_ACTIVE && pat->grace_ends)
		return STR("grace");
	return str_of(states[state]);
}

static bool has_limits(const struct pat *pat)
{
	for (enum limit limit = 0; limit < LIMIT_COUNT; limit++)
		if (pat->limits[limit].len)
			return true;
	return pat->idle;
}

static void put_limits(struct buf *out, const struct pat *pat)
{
	if (!has_limits(pat))
		return;
	json_key(out, "limits");
	json_open(out, '{');
	for (enum limit limit = 0; limit < LIMIT_COUNT; limit++)
		json_put_list(out, limit_list(limit), pat->limits[limit]);
	if (pat->idle)
		json_put_str(out, "idle", str_of(duration_print(pat->idle).at));
	else
		json_put_null(out, "idle");
	json_close(out, '}');
}

/* Of one that works in its grace; its date may come before that ends. */
static int64_t works_until(struct printer *p, const struct pat *pat)
{
	if (!pat->grace_ends || state_of(p, pat) != STATE_ACTIVE)
		return 0;
	return pat_dies_at(pat, &p->settings);
}

static void put_family(struct printer *p, const struct pat *pat)
{
	struct buf *out = &p->call->out;
	int64_t until = works_until(p, pat);

	if (pat->previous)
		json_put_int(out, "previous_id", (int64_t)pat->previous);
	if (pat->next)
		json_put_int(out, "next_id", (int64_t)pat->next);
	if (until)
		put_time(out, "grace_ends", until);
}

/* Nothing, when it never was. */
static void put_used(struct buf *out, const struct used *used)
{
	if (!used->at)
		return;
	json_key(out, "last_used_ips");
	json_open(out, '[');
	json_str(out, used->address);
	json_close(out, ']');
	json_put_str(out, "last_used_client", used->client);
}

static struct used read_used(struct printer *p, const struct pat *pat)
{
	struct used used;

	if (used_get(&p->txn, pat->id, &used))
		used.at = 0; /* a failure sticks */
	return used;
}

/* His name, a bot's too; null: he is gone. */
static void put_owner(struct printer *p, const struct pat *pat)
{
	struct user owner;

	if (user_get(&p->txn, pat->user, &owner))
		json_put_null(&p->call->out, "username");
	else
		json_put_str(&p->call->out, "username", owner.name);
}

/* `secret` is empty but for the one time that it is shown. */
static enum err print_json(struct printer *p, const struct pat *pat,
			   struct str secret)
{
	struct buf *out = &p->call->out;
	enum role role = ROLE_NONE;
	struct space space = { 0 }; /* it may be gone */
	struct used used = read_used(p, pat);

	if (pat->space && member_get(&p->txn, pat->space, pat->user, &role))
		role = ROLE_NONE;
	if (pat->space && space_get(&p->txn, pat->space, &space))
		space.id = 0;
	json_open(out, '{');
	json_put_int(out, "id", (int64_t)pat->id);
	json_put_str(out, "name", pat->name);
	put_scopes(out, pat->scopes);
	json_put_int(out, "user_id", (int64_t)pat->user);
	put_owner(p, pat);
	put_time(out, "created_at", pat->created_at);
	if (pat->expires_at)
		json_put_str(out, "expires_at",
			     str_of(date_print(pat->expires_at).at));
	else
		json_put_null(out, "expires_at");
	put_time(out, "last_used_at", used.at);
	json_put_bool(out, "revoked", pat->revoked_at);
	json_put_bool(out, "active", state_of(p, pat) == STATE_ACTIVE);
	if (pat->kind == PAT_IMPERSONATION)
		json_put_bool(out, "impersonation", true);
	if (pat->space) {
		json_put_int(out, "access_level", role);
		if (space.id)
			json_put_str(out, pat_kind_name(pat->kind), space.path);
		else
			json_put_null(out, pat_kind_name(pat->kind));
	}
	put_family(p, pat);
	put_limits(out, pat);
	put_used(out, &used);
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
					    pat_kind_name(pat->kind));
	} else {
		err = user_get(&p->txn, pat->user, &owner);
		*out = owner.name;
	}
	if (err != E_NOT_FOUND)
		return err;
	*out = STR("-");
	return pat->revoked_at ? E_OK : E_CORRUPT;
}

struct str token_whose(struct call *call, uint64_t id)
{
	AUTO(printer) struct printer p = { 0 };
	struct str owner;
	struct pat pat;

	if (printer_init(&p, call) || pat_get(&p.txn, id, &pat) ||
	    owner_text(&p, &pat, &owner))
		return arena_printf(&call->arena, "token %llu",
				    (unsigned long long)id);
	return arena_printf(
		&call->arena, "token %llu, " STR_FMT ", of " STR_FMT,
		(unsigned long long)id, STR_ARG(pat.name), STR_ARG(owner));
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
		str_of(pat_kind_name(pat->kind)),
		show_date(call, read_used(p, pat).at),
	};

	if (!err)
		listing_row(&p->listing, cells);
	return err;
}

enum err printer_add(struct printer *p, const struct pat *pat)
{
	return p->call->json ? print_json(p, pat, (struct str) { 0 })
			     : print_row(p, pat);
}

int token_print_all(struct call *call, const uint64_t *ids, size_t n)
{
	AUTO(printer) struct printer p = { 0 };
	enum err err = printer_init(&p, call);

	if (call->json)
		json_open(&call->out, '[');
	for (size_t i = 0; !err && i < n; i++) {
		struct pat pat;

		err = pat_get(&p.txn, ids[i], &pat);
		if (!err)
			err = printer_add(&p, &pat);
	}
	return printer_end(&p, err);
}

static void line_about(struct call *call, const char *what, struct str text)
{
	buf_printf(&call->out, "%s " STR_FMT "\n", what, STR_ARG(text));
}

/* Below the row of a single token, for people. */
static void print_more(struct printer *p, const struct pat *pat)
{
	struct used used = read_used(p, pat);
	int64_t until = works_until(p, pat);
	struct call *call = p->call;

	token_print_revoked(call, &p->txn, pat);
	if (has_limits(pat) || pat->previous || pat->next || used.at || until)
		buf_add_char(&call->out, '\n');
	if (used.at)
		buf_printf(&call->out,
			   "last used %s from " STR_FMT " by " STR_FMT "\n",
			   time_print(used.at).at, STR_ARG(used.address),
			   STR_ARG(used.client));
	for (enum limit limit = 0; limit < LIMIT_COUNT; limit++)
		if (pat->limits[limit].len)
			buf_printf(&call->out, "%s: " STR_FMT "\n",
				   limit_list(limit),
				   STR_ARG(pat->limits[limit]));
	if (pat->idle)
		line_about(call, "dead when unused for",
			   str_of(duration_print(pat->idle).at));
	if (pat->previous)
		line_about(call, "made by rotation of token",
			   show_id(call, pat->previous));
	if (pat->next)
		line_about(call, "became by rotation token",
			   show_id(call, pat->next));
	if (until)
		line_about(call, "works until", str_of(time_print(until).at));
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
	if (call->json) {
		buf_add_char(&call->out, '\n');
		return EXIT_DONE;
	}
	listing_print(&p.listing, &call->out);
	print_more(&p, &pat);
	return EXIT_DONE;
}
