/* server/cli/user.c - dockpass user ... */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "server/cli/command.h"
#include "server/cli/stdin.h"
#include "server/password.h"
#include "store/bot.h"
#include "store/member.h"
#include "store/record.h"
#include "token/mail.h"

static const struct {
	enum user_flag flag;
	const char *json;
} flags[] = {
	{ USER_ADMIN, "is_admin" },
	{ USER_EXTERNAL, "external" },
	{ USER_TWO_FACTOR, "two_factor_enabled" },
	{ USER_BOT, "bot" },
};

static struct str state_of(struct call *call, struct txn *txn,
			   const struct user *user)
{
	if (bot_ended(txn, user, call->now))
		return STR("ended");
	return user->flags & USER_BLOCKED ? STR("blocked") : STR("active");
}

static void put_user(struct call *call, struct txn *txn,
		     const struct user *user)
{
	struct buf *out = &call->out;

	json_put_int(out, "id", (int64_t)user->id);
	json_put_str(out, "username", user->name);
	json_put_str(out, "name", user->name);
	json_put_str(out, "state", state_of(call, txn, user));
	json_put_str(out, "email", user->email);
	for (size_t i = 0; i < COUNT(flags); i++)
		json_put_bool(out, flags[i].json, user->flags & flags[i].flag);
	put_time(out, "created_at", user->created_at);
}

static void print_json(struct call *call, struct txn *txn,
		       const struct user *user)
{
	json_open(&call->out, '{');
	put_user(call, txn, user);
	json_close(&call->out, '}');
}

static struct str flags_text(struct call *call, const struct user *user)
{
	unsigned bits = user->flags & ~(unsigned)USER_BLOCKED; /* its state */
	struct str text = { 0 }, name;

	while ((name = user_flags_next(&bits)).len)
		text = arena_printf(&call->arena, STR_FMT "%s" STR_FMT,
				    STR_ARG(text), text.len ? "," : "",
				    STR_ARG(name));
	return text.len ? text : STR("-");
}

static const struct str head[] = {
	{ "ID", 2 },	{ "NAME", 4 },	  { "STATE", 5 },
	{ "FLAGS", 5 }, { "CREATED", 7 }, { "EMAIL", 5 },
};

static void add_row(struct call *call, struct txn *txn, struct listing *listing,
		    const struct user *user)
{
	const struct str cells[COUNT(head)] = {
		show_id(call, user->id),
		user->name,
		state_of(call, txn, user),
		flags_text(call, user),
		show_date(call, user->created_at),
		user->email.len ? user->email : STR("-"),
	};

	listing_row(listing, cells);
}

static int user_list(struct call *call)
{
	struct listing listing = { &call->arena, COUNT(head), 0, 0, NULL };
	AUTO(txn) struct txn txn = { 0 };
	AUTO(cursor) struct cursor c = { 0 };
	struct user user;

	if (!call_store(call))
		return EXIT_REFUSED;
	txn_read(call->db, &txn);
	listing_row(&listing, head);
	if (call->json)
		json_open(&call->out, '[');
	for (cursor_open(&txn, TABLE_USER, STR(""), &c); cursor_next(&c);) {
		if (user_unpack(&txn, c.key, c.value, &user))
			break;
		if (call->json)
			print_json(call, &txn, &user);
		else
			add_row(call, &txn, &listing, &user);
	}
	if (txn.err)
		return call_failed(call, txn.err);
	return listing_end(&listing, call);
}

static const struct str member_head[] = { { "MEMBER OF", 9 }, { "ROLE", 4 } };

/* Into the output as JSON, or into the listing. */
static enum err print_memberships(struct call *call, struct txn *txn,
				  uint64_t user, struct listing *listing)
{
	struct key8 prefix = key_u64(user);
	AUTO(cursor) struct cursor c = { 0 };
	enum err err = E_OK;

	for (cursor_open(txn, TABLE_USER_MEMBER, STR_OF(prefix.at), &c);
	     !err && cursor_next(&c);) {
		struct unpack key = { .rest = c.key };
		struct space space;
		enum role role;

		unpack_u64(&key);
		err = space_get(txn, unpack_u64(&key), &space);
		if (!err)
			err = member_get(txn, space.id, user, &role);
		if (err)
			break;
		if (!call->json) {
			const struct str cells[] = { space.path,
						     role_name(role) };

			listing_row(listing, cells);
			continue;
		}
		json_open(&call->out, '{');
		json_put_str(&call->out, "path", space.path);
		json_put_str(&call->out, "role", role_name(role));
		json_close(&call->out, '}');
	}
	return err ? err : txn->err;
}

static enum err count_tokens(struct call *call, struct txn *txn, uint64_t user,
			     int64_t *active)
{
	struct settings settings;
	enum err err = settings_read(txn, &settings);
	uint64_t id = 0;
	struct pat pat;

	*active = 0;
	while (!err && (id = pat_next_of(txn, user, id))) {
		err = pat_get(txn, id, &pat);
		*active += !err && pat_active(&pat, &settings, call->now);
	}
	return err ? err : txn->err;
}

/* All that tells what becomes of it if he goes. */
static enum err print_one(struct call *call, struct txn *txn,
			  const struct user *user)
{
	struct listing listing = { &call->arena, COUNT(head), 0, 0, NULL };
	struct listing places = { &call->arena, COUNT(member_head), 0, 0,
				  NULL };
	struct buf *out = &call->out;
	int64_t active;
	enum err err = count_tokens(call, txn, user->id, &active);

	if (call->json) {
		json_open(out, '{');
		put_user(call, txn, user);
		json_put_int(out, "active_tokens", active);
		json_key(out, "memberships");
		json_open(out, '[');
	}
	listing_row(&places, member_head);
	if (!err && !bot_ended(txn, user, call->now))
		err = print_memberships(call, txn, user->id, &places);
	if (call->json) {
		json_close(out, ']');
		json_close(out, '}');
		buf_add_char(out, '\n');
		return err;
	}
	listing_row(&listing, head);
	add_row(call, txn, &listing, user);
	listing_print(&listing, out);
	buf_printf(out, "\nactive tokens: %lld\n", (long long)active);
	if (places.rows > 1) {
		buf_add_char(out, '\n');
		listing_print(&places, out);
	}
	return err;
}

static int user_show(struct call *call)
{
	AUTO(txn) struct txn txn = { 0 };
	struct user user;
	enum err err;

	if (!call_store(call))
		return EXIT_REFUSED;
	txn_read(call->db, &txn);
	err = user_find(&txn, call->args[0], &user);
	if (err == E_NOT_FOUND)
		return call_refuse(call,
				   "no user '%s'; dockpass user list shows all",
				   call->args[0].at);
	if (!err)
		err = print_one(call, &txn, &user);
	return err ? call_failed(call, err) : EXIT_DONE;
}

/* One line from standard input, hashed; *cause when it will not do. */
static enum err read_password(char hash[PASSWORD_TEXT], struct cause *cause)
{
	unsigned char salt[PASSWORD_RANDOM];
	AUTO(buf) struct buf text;
	struct str password;
	enum err err = stdin_line("password", PASSWORD_LEN_MAX, &text,
				  &password, cause);

	hash[0] = '\0';
	if (err)
		return err;
	if (secret_looks_like_token(password))
		return cause_set(cause, E_REFUSED,
				 "the password on standard input begins like a "
				 "token, and would be taken for one; choose "
				 "another");
	if (RAND_bytes(salt, sizeof(salt)) != 1)
		return cause_set(cause, E_CRYPTO, "no random bytes");
	err = password_hash(password, STR_OF(salt), hash);
	return err ? cause_set(cause, err, "hashing the password failed: %s",
			       err_text(err))
		   : E_OK;
}

/* Prints the user that a change has left, for --json. */
static int print_changed(struct call *call, struct str name)
{
	AUTO(txn) struct txn txn = { 0 };
	struct user user;
	enum err err;

	if (!call->json)
		return EXIT_DONE;
	txn_read(call->db, &txn);
	err = user_find(&txn, name, &user);
	if (err)
		return call_failed(call, err);
	print_json(call, &txn, &user);
	buf_add_char(&call->out, '\n');
	return txn.err ? call_failed(call, txn.err) : EXIT_DONE;
}

static int change_user(struct call *call, struct change *change)
{
	int status;

	if (!call->db && !call_store(call))
		return EXIT_REFUSED;
	change->user = call->args[0];
	status = call_commit(call, change);
	return status ? status : print_changed(call, call->args[0]);
}

static int with_password(struct call *call, struct change *change)
{
	char hash[PASSWORD_TEXT];
	enum err err = read_password(hash, &call->cause);
	int status;

	if (err)
		return call_failed(call, err);
	change->value = str_of(hash);
	status = change_user(call, change);
	OPENSSL_cleanse(hash, sizeof(hash));
	return status;
}

/* Some have none, but nobody is told of it later. */
static int add_user(struct call *call, struct change *change)
{
	int status = call->opts[OPT_PASSWORD_STDIN]
			     ? with_password(call, change)
			     : change_user(call, change);

	if (!mail_address_valid(change->text))
		call_warn(call,
			  "dockpass: warning: no mail can be sent to '%.255s'; "
			  "if he is to be told of his tokens' ends: dockpass "
			  "user set %.200s --email E",
			  call->opts[OPT_EMAIL], call->args[0].at);
	return status;
}

static int user_add(struct call *call)
{
	struct change change = {
		.type = CHANGE_USER_ADD,
		.text = call_opt(call, OPT_EMAIL),
		.flags = (call->opts[OPT_ADMIN] ? USER_ADMIN : 0u) |
			 (call->opts[OPT_EXTERNAL] ? USER_EXTERNAL : 0u),
	};

	if (!change.text.len)
		return call_usage(call, "user add: --email is missing");
	return add_user(call, &change);
}

static int user_set(struct call *call)
{
	struct change change = { .type = CHANGE_USER_EMAIL,
				 .text = call_opt(call, OPT_EMAIL) };

	if (!change.text.len)
		return call_usage(call, "user set: --email is missing");
	return change_user(call, &change);
}

static int set_flag(struct call *call, enum user_flag flag, bool on)
{
	struct change change = { .type = CHANGE_USER_FLAG,
				 .flags = flag,
				 .on = on };

	return change_user(call, &change);
}

static int user_block(struct call *call)
{
	return set_flag(call, USER_BLOCKED, true);
}

static int user_unblock(struct call *call)
{
	return set_flag(call, USER_BLOCKED, false);
}

/* NAME on|off */
static int turn_flag(struct call *call, enum user_flag flag)
{
	bool on = str_eq(call->args[1], STR("on"));

	if (!on && !str_eq(call->args[1], STR("off")))
		return call_usage(call, "'%.40s' is not on or off",
				  call->args[1].at);
	return set_flag(call, flag, on);
}

static int user_admin(struct call *call)
{
	return turn_flag(call, USER_ADMIN);
}

static int user_external(struct call *call)
{
	return turn_flag(call, USER_EXTERNAL);
}

static int user_two_factor(struct call *call)
{
	return turn_flag(call, USER_TWO_FACTOR);
}

static int user_password(struct call *call)
{
	struct change change = { .type = CHANGE_USER_PASSWORD };

	if (!call->opts[OPT_PASSWORD_STDIN])
		return call_usage(call, "user password: a password is never an "
					"argument, say --password-stdin");
	return with_password(call, &change);
}

static int user_remove_command(struct call *call)
{
	struct change change = { .type = CHANGE_USER_REMOVE,
				 .user = call->args[0],
				 .yes = call->opts[OPT_YES] != NULL };

	return call_store(call) ? call_commit(call, &change) : EXIT_REFUSED;
}

/* clang-format off */
static const struct command rows[] = {
	{ "user add", "NAME --email E [--admin] [--external] [--password-stdin]",
	  "add a user", 1, 1,
	  O(JSON) | O(EMAIL) | O(ADMIN) | O(EXTERNAL) | O(PASSWORD_STDIN), user_add },
	{ "user set", "NAME --email E", "another e-mail address, for what is sent from now on", 1, 1, O(JSON) | O(EMAIL), user_set },
	{ "user list", "", "all users, bots of projects and groups too", 0, 0, O(JSON), user_list },
	{ "user show", "NAME", "one user, where he is a member, and how many tokens he has", 1, 1, O(JSON), user_show },
	{ "user block", "NAME", "refuse a user and his tokens from now on; JWTs live until their exp", 1, 1, O(JSON), user_block },
	{ "user unblock", "NAME", "let a blocked user in again", 1, 1, O(JSON), user_unblock },
	{ "user remove", "NAME [--yes]", "remove a user; --yes: also who owns live tokens", 1, 1, O(YES), user_remove_command },
	{ "user password", "NAME --password-stdin", "set the password", 1, 1, O(JSON) | O(PASSWORD_STDIN), user_password },
	{ "user admin", "NAME on|off", "on: as an owner of every project; JWTs live until their exp", 2, 2, O(JSON), user_admin },
	{ "user external", "NAME on|off", "on: internal projects only where he is a member", 2, 2, O(JSON), user_external },
	{ "user two-factor", "NAME on|off", "on: no password at the token endpoint, tokens alone", 2, 2, O(JSON), user_two_factor },
};
/* clang-format on */

const struct command_group user_commands = { rows, COUNT(rows) };
