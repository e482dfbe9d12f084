/*
 * server/cli/token_found.c - dockpass token show --stdin, revoke --stdin: the
 * tokens of which a secret is in what somebody pastes.
 */
#include "server/cli/stdin.h"
#include "server/cli/token.h"
#include "store/refresh.h"
#include "token/claims.h"

enum { LEAKED_MAX = 64 * 1024, EACH_MAX = 6 /* tokens with a note each */ };

struct search {
	struct call *call;
	struct txn txn;
	uint64_t *ids; /* each once */
	size_t len, size;
	bool unknown; /* something is like a secret, but is none of these */
	bool jwt;
	struct claims_seen seen; /* of the first JWT */
	enum err err;
};

/* The id of the token that has a secret, or whose refresh token has it. */
static enum err find_secret(struct search *search, struct str secret,
			    uint64_t *id)
{
	struct refresh refresh;
	struct digest digest;
	struct pat pat;
	enum err err = secret_digest(secret, &digest);

	if (err)
		return err;
	err = pat_find(&search->txn, &digest, &pat);
	*id = pat.id;
	if (err != E_NOT_FOUND)
		return err;
	err = refresh_find(&search->txn, &digest, &refresh);
	*id = refresh.pat;
	return err;
}

static void add(struct search *search, uint64_t id)
{
	for (size_t i = 0; i < search->len; i++)
		if (search->ids[i] == id)
			return;
	if (search->len == search->size) {
		size_t size = 2 * search->size + 8;
		uint64_t *ids =
			arena_alloc(&search->call->arena, size * sizeof(*ids));

		for (size_t i = 0; i < search->len; i++)
			ids[i] = search->ids[i];
		search->ids = ids;
		search->size = size;
	}
	search->ids[search->len++] = id;
}

static void on_found(void *arg, enum found what, struct str text)
{
	struct search *search = arg;
	uint64_t id;
	enum err err;

	if (search->err)
		return;
	if (what == FOUND_JWT) {
		if (!search->jwt)
			search->jwt = !claims_look(text, &search->seen);
		return;
	}
	err = find_secret(search, text, &id);
	if (!err)
		add(search, id);
	else if (err == E_NOT_FOUND)
		search->unknown |= what == FOUND_KNOWN;
	else
		search->err = err;
}

/* What it says goes into a command only if it can do nothing else there. */
static struct str about_subject(struct arena *arena, const char *subject)
{
	if (!*subject)
		return STR("of nobody (anonymous)");
	if (!user_name_valid(str_of(subject)))
		return STR("of a name that no user can have");
	return arena_printf(arena,
			    "of '%.200s'; dockpass token list %.200s has what "
			    "it may come from",
			    subject, subject);
}

/* Nobody has looked whether it is one of ours: it says so itself. */
static struct str about_jwt(const struct search *search)
{
	const struct claims_seen *seen = &search->seen;
	struct arena *arena = &search->call->arena;
	long long left = seen->expires_at - search->call->now;
	struct str end = STR("has ended by itself"), whose;

	if (left > 0)
		end = arena_printf(arena, "ends by itself within %lld s", left);
	whose = about_subject(arena, seen->subject);
	return arena_printf(
		arena,
		"a JWT, as registries get it, cannot be revoked and " STR_FMT
		": by its own word one " STR_FMT,
		STR_ARG(end), STR_ARG(whose));
}

static int nothing_found(const struct search *search)
{
	if (search->jwt && !search->unknown)
		return call_refuse(search->call, STR_FMT,
				   STR_ARG(about_jwt(search)));
	return call_refuse(
		search->call, "%s",
		search->unknown
			? "no token has this secret: mistyped, of "
			  "another server, or a refresh token that "
			  "is gone"
			: "found no secret of a token in it: looked for "
			  "access and refresh tokens of any prefix, as they "
			  "are, in base64 and percent-encoded; give one that "
			  "is written otherwise as it was made; a password "
			  "is changed by dockpass user password");
}

static void note_rest(const struct search *search)
{
	if (search->unknown)
		call_note(search->call,
			  "something else in it is like a secret, but no "
			  "token has it");
	if (search->jwt)
		call_note(search->call, STR_FMT, STR_ARG(about_jwt(search)));
}

/* Of what is on standard input; a status. If all is well, one is found. */
static int find(struct search *search)
{
	struct call *call = search->call;
	AUTO(buf) struct buf text;
	enum err err = stdin_text("text", LEAKED_MAX, &text, &call->cause);

	if (err)
		return call_failed(call, err);
	if (!call_store(call))
		return EXIT_REFUSED;
	txn_read(call->db, &search->txn);
	secret_each_within(buf_str(&text), on_found, search);
	if (!search->err)
		search->err = search->txn.err;
	txn_cleanup(&search->txn);
	search->txn = (struct txn) { 0 };
	if (search->err)
		return call_failed(call, search->err);
	return search->len ? EXIT_DONE : nothing_found(search);
}

static int print(const struct search *search)
{
	return search->len == 1 ? token_print(search->call, search->ids[0],
					      (struct str) { 0 })
				: token_print_all(search->call, search->ids,
						  search->len);
}

int token_show_found(struct call *call)
{
	struct search search = { .call = call };
	int status = find(&search);

	if (status)
		return status;
	note_rest(&search);
	return print(&search);
}

/* A deed: all of them, or none. */
static enum err revoke_all(struct txn *txn, void *arg) ON(writer_thread);
static enum err revoke_all(struct txn *txn, void *arg)
{
	const struct search *search = arg;
	struct call *call = search->call;
	enum err err = E_OK;

	for (size_t i = 0; !err && i < search->len; i++) {
		struct change change = {
			.type = CHANGE_TOKEN_REVOKE,
			.now = call->now,
			.actor = call->actor,
			.id = search->ids[i],
			.recursive = call->opts[OPT_FAMILY] != NULL,
		};

		err = change_apply(txn, &change);
		if (err)
			call->cause = change.cause;
	}
	return err;
}

int token_revoke_found(struct call *call)
{
	struct search search = { .call = call };
	int status = find(&search);
	enum err err;

	if (status)
		return status;
	become_writer();
	err = deed_commit(call->db, revoke_all, &search);
	leave_writer();
	if (err)
		return call_failed(call, err);
	call->lost = "what was asked is done all the same";
	/* Who named it by its secret has not seen whose it is. */
	if (search.len == 1)
		call_note(call, "revoked: " STR_FMT,
			  STR_ARG(token_whose(call, search.ids[0])));
	note_rest(&search);
	for (size_t i = 0; i < search.len && i < EACH_MAX; i++)
		token_note_family(call, search.ids[i]);
	return call->json || search.len > 1 ? print(&search) : EXIT_DONE;
}
