/*
 * server/cli/explain.c - dockpass explain: what a request would get, and each
 * step to it, decided by the code that the server runs.
 */
#include <string.h>

#include "server/cli/command.h"
#include "store/access.h"
#include "token/limits.h"

struct question {
	struct call *call;
	struct txn txn;
	struct trace *trace;
	struct scope_list *want, *may, *spare;
	struct identity who;
	enum reason why;
	unsigned scopes; /* with USER */
	uint64_t id;	 /* with --token-id */
};

/* A network is none, though it reads alike. */
static int read_address(struct question *q)
{
	struct call *call = q->call;
	struct str address = call_opt(call, OPT_ADDRESS);

	if (!address.len)
		return EXIT_DONE;
	if (!call->opts[OPT_TOKEN_ID])
		return call_usage(call, "--address is for --token-id: nobody "
					"else is limited to networks");
	if (str_has(address, '/') || str_has(address, ',') ||
	    limit_check(LIMIT_NETWORK, address, NULL))
		return call_usage(call, "--address '%.60s' is no IP address",
				  address.at);
	return EXIT_DONE;
}

static int read_identity(struct question *q)
{
	struct call *call = q->call;
	int n = call->argc + !!call->opts[OPT_TOKEN_ID] +
		!!call->opts[OPT_ANONYMOUS];
	struct str unknown = { 0 };

	if (n != 1)
		return call_usage(call, "explain: say one of USER, --token-id "
					"and --anonymous");
	if (!call->argc != !call->opts[OPT_SCOPES])
		return call_usage(call, "explain: USER and --scopes go "
					"together");
	if (call->argc &&
	    pat_scopes_parse(call_opt(call, OPT_SCOPES), &q->scopes, &unknown))
		return call_usage(call,
				  "scope '%.*s' is not one of api, "
				  "read_user, read_api, read_repository, "
				  "write_repository, read_registry, "
				  "write_registry, sudo",
				  (int)(unknown.len < 40 ? unknown.len : 40),
				  unknown.at ? unknown.at : "");
	if (call->opts[OPT_TOKEN_ID] &&
	    (str_to_u64(call_opt(call, OPT_TOKEN_ID), INT64_MAX, &q->id) ||
	     !q->id))
		return call_usage(call, "'%.40s' is no token id",
				  call->opts[OPT_TOKEN_ID]);
	return read_address(q);
}

static int read_question(struct question *q)
{
	struct call *call = q->call;
	int status = read_identity(q);

	if (status)
		return status;
	if (!call->opts[OPT_ACCESS])
		return call_usage(call, "explain: --access is missing");
	if (scope_parse(call_opt(call, OPT_ACCESS), &call->arena, q->want,
			&call->cause))
		return call_usage(call, "--access: %s", call->cause.text);
	scope_merge(q->want);
	if (!q->want->len)
		return call_usage(call,
				  "--access '%.100s' asks for nothing; "
				  "write repository:group/app:pull,push",
				  call->opts[OPT_ACCESS]);
	return EXIT_DONE;
}

/* Of several services that are not told apart none forbids it. */
static enum err be_anonymous(struct question *q)
{
	const struct config_service *service =
		config_service(q->call->config, call_opt(q->call, OPT_SERVICE));

	trace_add(q->trace, "credential: none, anonymous");
	if (service && !service->anonymous) {
		trace_add(q->trace, "service %s: anonymous is false",
			  service->name);
		q->why = REASON_NO_CREDENTIALS;
		return E_REFUSED;
	}
	login_anonymous(&q->who);
	return E_OK;
}

static enum err identify(struct question *q)
{
	struct call *call = q->call;
	const struct config_service *service =
		config_service(call->config, call_opt(call, OPT_SERVICE));
	struct str registry = str_of(service ? service->name : "");
	struct str address = call_opt(call, OPT_ADDRESS);
	const struct login login = {
		.txn = &q->txn,
		.arena = &call->arena,
		.trace = q->trace,
		.policy = { call->config->username_must_match,
			    call->config->write_implies_pull },
		.now = call->now,
		.asked = {
			[LIMIT_SERVICE] = service ? &registry : NULL,
			[LIMIT_NETWORK] = address.len ? &address : NULL,
		},
	};

	if (call->opts[OPT_TOKEN_ID])
		return login_pat_id(&login, q->id, &q->who, &q->why);
	if (call->argc)
		return login_as(&login, call->args[0], q->scopes, &q->who,
				&q->why);
	return be_anonymous(q);
}

static enum err decide(struct question *q)
{
	enum err err = identify(q);

	if (!err)
		err = access_decide(&q->txn, &q->who, q->want, q->trace, q->may,
				    &q->why);
	return err == E_REFUSED ? E_OK : err;
}

static bool understood(struct question *q, struct str scope)
{
	q->spare->len = q->spare->seen = 0;
	return !scope_parse(scope, &q->call->arena, q->spare, NULL) &&
	       q->spare->len;
}

/* The server passes over them too, and its log does not show them. */
static void trace_ignored(struct question *q)
{
	struct str rest = call_opt(q->call, OPT_ACCESS), scope, action;

	while (str_cut(&rest, ' ', &scope)) {
		size_t head = scope.len;
		struct str actions;

		while (head && scope.at[head - 1] != ':')
			head--;
		actions = str_skip(scope, head);
		if (scope.len && !understood(q, scope)) {
			trace_add(q->trace,
				  "ignored: " STR_FMT ", it cannot be read",
				  STR_ARG(scope));
			continue;
		}
		while (str_cut(&actions, ',', &action)) {
			struct str alone = arena_printf(
				&q->call->arena, STR_FMT STR_FMT, (int)head,
				scope.at, STR_ARG(action));

			if (action.len && !understood(q, alone))
				trace_add(q->trace,
					  "ignored: " STR_FMT
					  ", it cannot be read",
					  STR_ARG(alone));
		}
	}
}

static void print_answer(struct question *q)
{
	struct buf *out = &q->call->out;
	struct str code = reason_code(q->why), text = reason_text(q->why);

	if (!q->call->json) {
		for (size_t i = 0; i < q->trace->len; i++)
			buf_printf(out, STR_FMT "\n", STR_ARG(q->trace->at[i]));
		buf_add(out, STR("granted: "));
		scope_print(q->may, out);
		buf_printf(out, "%s\nreason: " STR_FMT ", " STR_FMT "\n",
			   q->may->len ? "" : "nothing", STR_ARG(code),
			   STR_ARG(text));
		return;
	}
	json_open(out, '{');
	json_key(out, "granted");
	scope_print_json(q->may, out);
	json_put_str(out, "reason", code);
	json_key(out, "steps");
	json_open(out, '[');
	for (size_t i = 0; i < q->trace->len; i++)
		json_str(out, q->trace->at[i]);
	json_close(out, ']');
	json_close(out, '}');
	buf_add_char(out, '\n');
}

static int answer(struct question *q)
{
	struct call *call = q->call;
	enum err err;

	if (!call_store(call))
		return EXIT_REFUSED;
	if (call->opts[OPT_SERVICE] &&
	    !config_service(call->config, call_opt(call, OPT_SERVICE)))
		return call_no_service(call, call_opt(call, OPT_SERVICE));
	txn_read(call->db, &q->txn);
	err = decide(q);
	if (!err)
		err = q->txn.err;
	txn_cleanup(&q->txn);
	if (err == E_NOT_FOUND && call->argc)
		return call_refuse(call,
				   "no user '%.255s'; dockpass user list "
				   "shows all",
				   call->args[0].at);
	if (err == E_NOT_FOUND)
		return call_refuse(call,
				   "no token has the id %llu; dockpass "
				   "token list shows all",
				   (unsigned long long)q->id);
	if (err)
		return call_failed(call, err);
	trace_ignored(q);
	print_answer(q);
	return EXIT_DONE;
}

static int explain_run(struct call *call)
{
	struct arena *arena = &call->arena;
	struct question q = {
		.call = call,
		.trace = arena_alloc(arena, sizeof(*q.trace)),
		.want = arena_alloc(arena, sizeof(*q.want)),
		.may = arena_alloc(arena, sizeof(*q.may)),
		.spare = arena_alloc(arena, sizeof(*q.spare)),
	};
	int status;

	q.trace->arena = arena;
	status = read_question(&q);
	return status ? status : answer(&q);
}

/* clang-format off */
static const struct command rows[] = {
	{ "explain", "(USER --scopes A,B | --token-id ID [--address IP] | --anonymous) --access 'SCOPE [SCOPE ...]' [--service S]",
	  "what a request would be granted, and why", 0, 1,
	  O(JSON) | O(SERVICE) | O(SCOPES) | O(TOKEN_ID) | O(ANONYMOUS) | O(ACCESS) |
	  O(ADDRESS), explain_run },
};
/* clang-format on */

const struct command_group explain_commands = { rows, COUNT(rows) };
