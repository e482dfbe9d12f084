/*
 * test/unit/server/test_token_api.c - server/auth: the token endpoint, called
 * without a socket on a real store.
 */
#include "test/unit/store/fixture.h"

#include <sched.h>
#include <semaphore.h>

#include "server/http/params.h"
#include "server/http/request.h"
#include "server/log.h"
#include "server/services.h"
#include "store/refresh.h"
#include "token/claims.h"
#include "token/date.h"
#include "token/encode.h"
#include "token/json.h"

#define SECRET(name) "glpat-" name "-aaaaaaaaaaaaaaaaaaaa"

static struct config_service services[] = {
	{ .name = "re", .ttl = 300, .anonymous = true, .refresh_tokens = true },
	{ .name = "other", .ttl = 300, .refresh_tokens = true },
	{ .name = "plain", .ttl = 600, .anonymous = true },
};

static struct config config = {
	.issuer = "auth",
	.url = "http://localhost:5001",
	.services = services,
	.services_count = COUNT(services),
	.write_implies_pull = true,
};

static struct live_service live_services[COUNT(services)];
static struct live live = { .config = &config, .services = live_services };
static struct fixture fixture;
static struct services shared;
static struct signer *signer;
static struct keyring *keyring;
static struct txn txn;
static struct buf headers[COUNT(services)];
static struct buf pem;
static sem_t woken;
static char refresh_token[128];

static void make_key(void)
{
	struct cause cause = { "" };

	keyring = keyring_new();
	buf_init(&pem, 65536);
	assert_int_equal(key_generate(ALG_ES256, STR("test"), NOW, &pem), E_OK);
	if (keyring_add(keyring, buf_str(&pem), KEY_CURRENT, &cause))
		fail_msg("%s", cause.text);
	live.keyring = keyring;
	live.key = keyring_current(keyring);
	live.challenge = STR("Basic realm=\"http://localhost:5001/token\", "
			     "charset=\"UTF-8\"");
	for (size_t i = 0; i < COUNT(services); i++) {
		buf_init(&headers[i], 65536);
		assert_int_equal(claims_header(live.key, KID_LIBTRUST, false,
					       &headers[i]),
				 E_OK);
		live_services[i].config = &services[i];
		live_services[i].header = buf_str(&headers[i]);
		live_services[i].bare = buf_str(&headers[i]);
	}
	assert_int_equal(signer_new(live.key, &signer), E_OK);
}

static void set_password(struct db *db, const char *user, const char *password)
{
	char hash[PASSWORD_TEXT];

	assert_int_equal(
		password_hash(str_of(password), STR("0123456789abcdef"), hash),
		E_OK);
	done(db, (struct change) { .type = CHANGE_USER_PASSWORD,
				   .user = str_of(user),
				   .value = str_of(hash) });
}

static void fill(struct db *db)
{
	uint64_t dead;

	add_user(db, "alice", 0);
	add_user(db, "tess", USER_TWO_FACTOR);
	add_user(db, "bert", USER_BLOCKED);
	add_user(db, "root", USER_ADMIN);
	set_password(db, "alice", "p&\xc3\xa4:+ %");
	set_password(db, "tess", "right");
	add_project(db, "team/app", VISIBILITY_PRIVATE);
	add_project(db, "base/img", VISIBILITY_INTERNAL);
	add_project(db, "public/alpine", VISIBILITY_PUBLIC);
	put_member(db, "team/app", "alice", ROLE_DEVELOPER);
	add_token(db, "alice", SECRET("api"), PAT_API, 0);
	add_token(db, "alice", SECRET("read"), PAT_READ_REGISTRY, 0);
	add_token(db, "alice", SECRET("user"), PAT_READ_USER, 0);
	add_token(db, "alice", SECRET("soon"), PAT_API, NOW + 100);
	add_token(db, "alice", SECRET("now"), PAT_API, NOW + 10);
	add_token(db, "bert", SECRET("bert"), PAT_API, 0);
	add_token(db, "root", SECRET("root"), PAT_API, 0);
	dead = add_token(db, "alice", SECRET("gone"), PAT_API, 0);
	done(db, (struct change) { .type = CHANGE_TOKEN_REVOKE, .id = dead });
}

static int setup(void **state)
{
	(void)state;
	sem_init(&woken, 0, 0);
	fixture_open(&fixture);
	fill(fixture.db);
	make_key();
	shared.db = fixture.db;
	assert_int_equal(writer_start(fixture.db, &shared.writer), E_OK);
	assert_int_equal(password_pool_start(1, &shared.pool), E_OK);
	assert_int_equal(guard_new(&shared.guard), E_OK);
	txn_read(fixture.db, &txn);
	txn_rest(&txn);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	txn_cleanup(&txn);
	password_pool_stop(shared.pool);
	guard_free(shared.guard);
	assert_true(writer_stop(shared.writer, 10000));
	signer_free(signer);
	keyring_free(keyring);
	for (size_t i = 0; i < COUNT(services); i++)
		buf_done(&headers[i]);
	buf_done(&pem);
	fixture_close(&fixture);
	return 0;
}

static void wake(struct request *req)
{
	(void)req;
	sem_post(&woken);
}

/* One request; the arena and the body live until call_end(). */
struct call {
	struct arena arena;
	struct buf body;
	struct request req;
	struct reply reply;
};

static void call_begin(struct call *call)
{
	arena_init(&call->arena);
	buf_init(&call->body, 1 << 20);
	call->req = (struct request) {
		.arena = &call->arena,
		.live = &live,
		.signer = signer,
		.txn = &txn,
		.services = &shared,
		.wake = wake,
		.now = NOW,
		.path = STR("/token"),
		.user_agent = STR("test/1"),
		.address = STR("127.0.0.1"),
		.direct = true,
	};
	call->reply = (struct reply) { .body = &call->body };
}

static void call_end(struct call *call)
{
	buf_done(&call->body);
	arena_done(&call->arena);
}

/* A worker's part, in short. */
static enum status call_step(struct call *call, handler *step)
{
	enum status status;

	txn_renew(&txn);
	status = step(&call->req, &call->reply);
	txn_rest(&txn);
	return status;
}

static enum status call_run(struct call *call)
{
	enum status status = call_step(call, route_request);

	while (status == STATUS_PENDING) {
		sem_wait(&woken);
		status = call_step(call, call->req.resume);
	}
	return status;
}

/* "Basic alice:x" is encoded; anything else goes as it is. */
static void authorize(struct call *call, const char *text)
{
	struct str rest = str_of(text);
	struct buf buf;

	if (!text)
		return;
	buf_init(&buf, 16384);
	call->req.authorization_count = 1;
	if (str_starts(rest, STR("Basic "))) {
		buf_add(&buf, STR("Basic "));
		base64_add(&buf, str_skip(rest, 6));
		rest = buf_str(&buf);
	}
	call->req.authorization = arena_copy(&call->arena, rest);
	buf_done(&buf);
}

static int sextet(char c)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkl"
				       "mnopqrstuvwxyz0123456789-_";
	const char *at = strchr(alphabet, c);

	assert_non_null(at);
	return (int)(at - alphabet);
}

/* The claims of the JWT in the reply, as text. */
static const char *claims_of(struct call *call)
{
	static const char mark[] = "\"token\":\"";
	const char *body = arena_cstr(&call->arena, buf_str(&call->body));
	const char *jwt = strstr(body, mark), *from, *to;
	char *out;
	size_t len = 0;
	unsigned bits = 0, have = 0;

	if (!jwt)
		return "";
	from = strchr(jwt + strlen(mark), '.') + 1;
	to = strchr(from, '.');
	out = arena_alloc(&call->arena, (size_t)(to - from) + 1);
	for (; from < to; from++) {
		bits = bits << 6 | (unsigned)sextet(*from);
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[len++] = (char)(bits >> have);
		}
	}
	return out;
}

static void assert_has(const char *text, const char *want)
{
	if (!strstr(text, want))
		fail_msg("%s\nis not in\n%s", want, text);
}

#define S	  "service=re"
#define APP	  "&scope=repository:team/app:"
#define A	  "Basic alice:" SECRET("api")
#define PW	  "grant_type=password&client_id=c&" S
#define RT	  "grant_type=refresh_token&client_id=c&" S
#define ACCESS(x) "\"access\":[" x "]"
#define REPO(n, a)                                                             \
	"{\"type\":\"repository\",\"name\":\"" n "\",\"actions\":[" a "]}"
#define LOGIN "wrong user name or password, or two-factor is on"
#define TOKEN "the token is wrong, expired or revoked, or its owner is"

/*
 * `has` is in the claims of a 200, in the body of the rest. A body makes it a
 * POST.
 */
static const struct row {
	const char *rule, *query, *body, *authorization;
	enum status status;
	enum reason reason;
	const char *has;
} rows[] = {
	/* Vectors of clients: docker, containerd, containers/image. */
	{ "V01 login", "account=alice&client_id=docker&offline_token=true&" S,
	  NULL, A, STATUS_OK, REASON_LOGIN, ACCESS("") },
	{ "V03 wrong token", S, NULL, "Basic alice:glpat-wrong",
	  STATUS_UNAUTHORIZED, REASON_UNKNOWN_TOKEN, TOKEN },
	{ "V04 pull",
	  "account=alice&" S "&scope=repository%3Ateam%2Fapp%3Apull", NULL, A,
	  STATUS_OK, REASON_GRANTED, ACCESS(REPO("team/app", "\"pull\"")) },
	{ "V05 push, in any order", S APP "push,pull", NULL, A, STATUS_OK,
	  REASON_GRANTED, ACCESS(REPO("team/app", "\"pull\",\"push\"")) },
	{ "V06 mount", S APP "push,pull&scope=repository:base/img:pull", NULL,
	  A, STATUS_OK, REASON_GRANTED,
	  ACCESS(REPO("base/img", "\"pull\"") "," REPO("team/app",
						       "\"pull\",\"push\"")) },
	{ "V07 less than asked", S APP "pull&scope=repository:secret/x:pull",
	  NULL, A, STATUS_OK, REASON_PARTIAL,
	  ACCESS(REPO("team/app", "\"pull\"")) },
	{ "V08 anonymous, public", S "&scope=repository:public/alpine:pull",
	  NULL, NULL, STATUS_OK, REASON_GRANTED,
	  ACCESS(REPO("public/alpine", "\"pull\"")) },
	{ "V09 anonymous, private", S APP "pull", NULL, NULL, STATUS_OK,
	  REASON_NOTHING, ACCESS("") },
	{ "V15 plugin", S "&scope=repository%28plugin%29%3Ateam%2Fapp%3Apull",
	  NULL, A, STATUS_OK, REASON_GRANTED,
	  ACCESS(REPO("team/app", "\"pull\"")) },
	{ "V16 POST", NULL,
	  PW APP "pull&username=alice&password=" SECRET("api"), NULL, STATUS_OK,
	  REASON_GRANTED, ACCESS(REPO("team/app", "\"pull\"")) },
	{ "V17 several in one value, merged", NULL,
	  PW "&username=alice&password=" SECRET(
		  "api") "&scope=repository:base/img:pull+repository:team/"
			 "app:pull+"
			 "repository:team/app:pull,push",
	  NULL, STATUS_OK, REASON_GRANTED,
	  ACCESS(REPO("base/img", "\"pull\"") "," REPO("team/app",
						       "\"pull\",\"push\"")) },
	{ "V18 POST, wrong", NULL, PW "&username=alice&password=glpat-wrong",
	  NULL, STATUS_UNAUTHORIZED, REASON_UNKNOWN_TOKEN,
	  "\"error\":\"invalid_grant\"" },
	{ "V19 a password of odd bytes", NULL,
	  PW "&username=ALICE&password=p%26%C3%A4%3A%2B+%25", NULL, STATUS_OK,
	  REASON_LOGIN, "\"sub\":\"alice\"" },
	{ "V20 the same by Basic", S APP "pull,push", NULL,
	  "Basic alice:p&\xc3\xa4:+ %", STATUS_OK, REASON_GRANTED,
	  ACCESS(REPO("team/app", "\"pull\",\"push\"")) },
	{ "V23 an empty scope", S "&scope=", NULL, A, STATUS_OK, REASON_LOGIN,
	  ACCESS("") },
	{ "V24 no user name", S, NULL, "Basic :" SECRET("api"),
	  STATUS_UNAUTHORIZED, REASON_BAD_CREDENTIALS, "UNAUTHORIZED" },
	{ "V24 <token> is no user", S, NULL, "Basic <token>:dprt-x",
	  STATUS_UNAUTHORIZED, REASON_UNKNOWN_TOKEN, "UNAUTHORIZED" },
	{ "V28 account decides nothing",
	  "account=alice&" S "&scope=repository:public/alpine:pull", NULL, NULL,
	  STATUS_OK, REASON_GRANTED, "\"sub\":\"\"" },
	{ "special: the catalog for an admin", S "&scope=registry:catalog:*",
	  NULL, "Basic root:" SECRET("root"), STATUS_OK, REASON_GRANTED,
	  "{\"type\":\"registry\",\"name\":\"catalog\",\"actions\":[\"*\"]}" },
	{ "not for anybody else", S "&scope=registry:catalog:*", NULL, A,
	  STATUS_OK, REASON_NOTHING, ACCESS("") },
	{ "a star is spelled out", S APP "*", NULL, A, STATUS_OK,
	  REASON_PARTIAL, ACCESS(REPO("team/app", "\"pull\",\"push\"")) },
	{ "the scopes of a token bind", S APP "pull,push", NULL,
	  "Basic alice:" SECRET("read"), STATUS_OK, REASON_PARTIAL,
	  ACCESS(REPO("team/app", "\"pull\"")) },

	/* Credentials. */
	{ "the user name beside a token is ignored", S, NULL,
	  "Basic whoever:" SECRET("api"), STATUS_OK, REASON_LOGIN,
	  "\"sub\":\"alice\"" },
	{ "Bearer", S APP "pull", NULL, "Bearer " SECRET("api"), STATUS_OK,
	  REASON_GRANTED, "\"sub\":\"alice\"" },
	{ "Bearer, wrong", S, NULL, "Bearer abc", STATUS_UNAUTHORIZED,
	  REASON_UNKNOWN_TOKEN, TOKEN },
	{ "a scheme in any case", S, NULL, "bEARER " SECRET("api"), STATUS_OK,
	  REASON_LOGIN, "\"sub\":\"alice\"" },
	{ "another scheme", S, NULL, "Digest x", STATUS_UNAUTHORIZED,
	  REASON_BAD_CREDENTIALS, "UNAUTHORIZED" },
	{ "Basic that is no base64", S, NULL, "basic !!", STATUS_UNAUTHORIZED,
	  REASON_BAD_CREDENTIALS, "UNAUTHORIZED" },
	{ "Basic without a colon", S, NULL, "basic YWxpY2U=",
	  STATUS_UNAUTHORIZED, REASON_BAD_CREDENTIALS, "UNAUTHORIZED" },
	{ "an empty password", S, NULL, "Basic alice:", STATUS_UNAUTHORIZED,
	  REASON_BAD_CREDENTIALS, "UNAUTHORIZED" },
	{ "empty and empty (Og==)", S, NULL, "Basic :", STATUS_UNAUTHORIZED,
	  REASON_BAD_CREDENTIALS, "UNAUTHORIZED" },
	{ "wrong password", S, NULL, "Basic alice:wrong", STATUS_UNAUTHORIZED,
	  REASON_WRONG_PASSWORD, LOGIN },
	{ "unknown user", S, NULL, "Basic nobody:wrong", STATUS_UNAUTHORIZED,
	  REASON_WRONG_PASSWORD, LOGIN },
	{ "two-factor", S, NULL, "Basic tess:right", STATUS_UNAUTHORIZED,
	  REASON_TWO_FACTOR, LOGIN },
	{ "revoked", S, NULL, "Basic alice:" SECRET("gone"),
	  STATUS_UNAUTHORIZED, REASON_TOKEN_REVOKED, TOKEN },
	{ "blocked", S, NULL, "Basic bert:" SECRET("bert"), STATUS_UNAUTHORIZED,
	  REASON_OWNER_BLOCKED, TOKEN },
	{ "no scope for a registry", S, NULL, "Basic alice:" SECRET("user"),
	  STATUS_FORBIDDEN, REASON_NO_REGISTRY_SCOPE,
	  "token has scopes read_user; a registry needs read_registry, "
	  "write_registry, read_api or api" },
	{ "no anonymous there", "service=other", NULL, NULL,
	  STATUS_UNAUTHORIZED, REASON_NO_CREDENTIALS, "UNAUTHORIZED" },
	{ "wrong is never anonymous", S "&scope=repository:public/alpine:pull",
	  NULL, "Basic alice:glpat-wrong", STATUS_UNAUTHORIZED,
	  REASON_UNKNOWN_TOKEN, TOKEN },

	/* Form, and the order of refusal. */
	{ "service is missing", "", NULL, A, STATUS_BAD_REQUEST,
	  REASON_NO_SERVICE, "several registries" },
	{ "service is unknown", "service=x", NULL, A, STATUS_BAD_REQUEST,
	  REASON_UNKNOWN_SERVICE, "no registry of that name" },
	{ "the service before the credentials", "service=x", NULL,
	  "Basic alice:glpat-wrong", STATUS_BAD_REQUEST, REASON_UNKNOWN_SERVICE,
	  "no registry" },
	{ "the form before the service", "service=x&a=%00", NULL, A,
	  STATUS_BAD_REQUEST, REASON_BAD_REQUEST, "zero byte" },
	{ "two services", S "&service=other", NULL, A, STATUS_BAD_REQUEST,
	  REASON_BAD_REQUEST, "two different values of service" },
	{ "the same twice", S "&" S, NULL, A, STATUS_OK, REASON_LOGIN, "" },
	{ "a bad escape", S "&x=%zz", NULL, A, STATUS_BAD_REQUEST,
	  REASON_BAD_REQUEST, "escape" },
	{ "a bad scope grants nothing", S "&scope=*&scope=a" APP "pull", NULL,
	  A, STATUS_OK, REASON_GRANTED, ACCESS(REPO("team/app", "\"pull\"")) },
	{ "no grant_type", NULL, S, A, STATUS_BAD_REQUEST, REASON_BAD_REQUEST,
	  "grant_type is missing" },
	{ "an unknown grant_type", NULL, "grant_type=x&" S, A,
	  STATUS_BAD_REQUEST, REASON_BAD_REQUEST, "unsupported_grant_type" },
	{ "no user name in the form", NULL, PW "&password=x", NULL,
	  STATUS_BAD_REQUEST, REASON_BAD_REQUEST, "needs username" },
	{ "nobody in the form", NULL, PW, NULL, STATUS_BAD_REQUEST,
	  REASON_BAD_REQUEST, "needs username" },
	{ "an empty password in the form", NULL, PW "&username=a&password=",
	  NULL, STATUS_UNAUTHORIZED, REASON_BAD_CREDENTIALS, "UNAUTHORIZED" },
	{ "Basic stands for the form", NULL, PW, A, STATUS_OK, REASON_LOGIN,
	  "\"sub\":\"alice\"" },
	{ "the same twice is one", NULL,
	  PW "&username=alice&password=" SECRET("api"), A, STATUS_OK,
	  REASON_LOGIN, "\"sub\":\"alice\"" },
	{ "two identities", NULL, PW "&username=alice&password=" SECRET("read"),
	  A, STATUS_BAD_REQUEST, REASON_BAD_REQUEST,
	  "two different identities" },
	{ "a refresh token beside Basic", NULL, RT "&refresh_token=x", A,
	  STATUS_BAD_REQUEST, REASON_BAD_REQUEST, "two different identities" },
	{ "no refresh token", NULL, RT, NULL, STATUS_BAD_REQUEST,
	  REASON_BAD_REQUEST, "needs refresh_token" },
	{ "V13 an unknown refresh token", NULL, RT "&refresh_token=nope", NULL,
	  STATUS_UNAUTHORIZED, REASON_UNKNOWN_REFRESH, "invalid_grant" },
	{ "the service of a POST may be in the query", S,
	  "grant_type=password&username=a&password=" SECRET("api"), NULL,
	  STATUS_OK, REASON_LOGIN, "\"aud\":\"re\"" },
	{ "but not another one", S,
	  "grant_type=password&service=other&username=a&password=" SECRET(
		  "api"),
	  NULL, STATUS_BAD_REQUEST, REASON_BAD_REQUEST,
	  "two different values of service" },
	{ "scopes of the query are not a POST's",
	  "scope=repository:team/app:"
	  "pull",
	  PW "&username=a&password=" SECRET("api"), NULL, STATUS_OK,
	  REASON_LOGIN, ACCESS("") },
};

static void run_row(const struct row *row, struct call *call)
{
	enum status status;

	call->req.method = row->body ? METHOD_POST : METHOD_GET;
	call->req.query = str_of(row->query);
	call->req.body = str_of(row->body);
	authorize(call, row->authorization);
	status = call_run(call);
	if (status != row->status)
		fail_msg("%s: %d " STR_FMT, row->rule, (int)status,
			 STR_ARG(call->body));
}

static void check_row(const struct row *row, struct call *call)
{
	const char *body = arena_cstr(&call->arena, buf_str(&call->body));

	assert_str(reason_code(call->reply.log.reason),
		   reason_code(row->reason).at);
	assert_has(row->status == STATUS_OK ? claims_of(call) : body, row->has);
	assert_true(call->reply.no_store);
	assert_true(call->reply.log.wanted);
	assert_int_equal(call->reply.challenge,
			 row->status == STATUS_UNAUTHORIZED);
	if (row->status != STATUS_OK) {
		assert_has(body, "{\"errors\":[{\"code\":\"");
		assert_null(strstr(body, "\"token\""));
	} else {
		assert_has(body, "\"access_token\":\"");
		assert_has(body, "\"expires_in\":300");
		assert_int_equal(!!strstr(body, "\"scope\":"), !!row->body);
	}
}

static void answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct call call;

		print_message("%s\n", rows[i].rule);
		call_begin(&call);
		run_row(&rows[i], &call);
		check_row(&rows[i], &call);
		call_end(&call);
	}
}

static enum status ask(struct call *call, const char *query, const char *body,
		       const char *authorization)
{
	call_begin(call);
	call->req.method = body ? METHOD_POST : METHOD_GET;
	call->req.query = str_of(query);
	call->req.body = str_of(body);
	authorize(call, authorization);
	return call_run(call);
}

/* The refresh token of the reply; "" if there is none. */
static const char *refresh_of(struct call *call)
{
	static const char mark[] = "\"refresh_token\":\"";
	const char *body = arena_cstr(&call->arena, buf_str(&call->body));
	const char *at = strstr(body, mark);

	refresh_token[0] = '\0';
	if (at)
		snprintf(refresh_token, sizeof(refresh_token), "%.*s",
			 (int)strcspn(at + strlen(mark), "\""),
			 at + strlen(mark));
	return refresh_token;
}

static const struct {
	const char *rule, *query, *body, *authorization;
	bool given;
} refreshing[] = {
	{ "V01 asked", S "&offline_token=true", NULL, A, true },
	{ "as Go parses it", S "&offline_token=T", NULL, A, true },
	{ "not so", S "&offline_token=yes", NULL, A, false },
	{ "V04 not asked", S, NULL, A, false },
	{ "V02 not enabled there", "service=plain&offline_token=true", NULL, A,
	  false },
	{ "not for a password", S "&offline_token=true", NULL,
	  "Basic alice:p&\xc3\xa4:+ %", false },
	{ "not for the anonymous", S "&offline_token=true", NULL, NULL, false },
	{ "V21 offline", NULL,
	  PW "&access_type=offline&username=a&password=" SECRET("api"), NULL,
	  true },
	{ "V22 online", NULL,
	  PW "&access_type=online&username=a&password=" SECRET("api"), NULL,
	  false },
};

static void refresh_when(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refreshing); i++) {
		struct call call;

		print_message("%s\n", refreshing[i].rule);
		assert_int_equal(ask(&call, refreshing[i].query,
				     refreshing[i].body,
				     refreshing[i].authorization),
				 STATUS_OK);
		assert_int_equal(strlen(refresh_of(&call)) > 0,
				 refreshing[i].given);
		call_end(&call);
	}
}

static void refresh_use(void **state)
{
	char body[512], first[128];
	struct call call;

	(void)state;
	ask(&call, S "&offline_token=1", NULL, A);
	snprintf(first, sizeof(first), "%s", refresh_of(&call));
	assert_int_equal(strlen(first), 45);
	call_end(&call);
	snprintf(body, sizeof(body),
		 RT "&refresh_token=%s" APP "pull&access_type=offline", first);
	for (int i = 0; i < 3; i++) { /* V10, V11: reusable, never rotated */
		assert_int_equal(ask(&call, NULL, body, NULL), STATUS_OK);
		assert_has(claims_of(&call), "\"sub\":\"alice\"");
		assert_string_equal(refresh_of(&call), first);
		call_end(&call);
	}
	snprintf(body, sizeof(body),
		 "grant_type=refresh_token&service=other&refresh_token=%s",
		 first);
	assert_int_equal(ask(&call, NULL, body, NULL), STATUS_UNAUTHORIZED);
	call_end(&call);
}

static void revoked_means_refused(void **state)
{
	char body[256];
	struct call call;
	uint64_t id =
		add_token(fixture.db, "alice", SECRET("temp"), PAT_API, 0);

	(void)state;
	assert_int_equal(ask(&call, S "&offline_token=1", NULL,
			     "Basic a:" SECRET("temp")),
			 STATUS_OK);
	snprintf(body, sizeof(body), RT "&refresh_token=%s", refresh_of(&call));
	call_end(&call);
	done(fixture.db,
	     (struct change) { .type = CHANGE_TOKEN_REVOKE, .id = id });
	assert_int_equal(ask(&call, S, NULL, "Basic a:" SECRET("temp")),
			 STATUS_UNAUTHORIZED);
	call_end(&call);
	assert_int_equal(ask(&call, NULL, body, NULL), STATUS_UNAUTHORIZED);
	call_end(&call);
}

/* What becomes of the asker while the store's writers are held up. */
enum meanwhile { LOSE_SERVICE, REVOKE, BLOCK, FORGET };

static void apply(struct txn *held, struct change change)
{
	change.now = NOW;
	change.actor = STR("cli:test");
	if (change_apply(held, &change))
		fail_msg("%s", change.cause.text);
}

static void happen(enum meanwhile what, struct request *req, struct txn *held,
		   struct str user, uint64_t token)
{
	static struct config less;
	static struct live after;

	switch (what) {
	case LOSE_SERVICE:
		less = config;
		less.services = &services[1];
		less.services_count = 2;
		after = live;
		after.config = &less;
		after.services = &live_services[1];
		req->live = &after;
		break;
	case REVOKE:
		apply(held, (struct change) { .type = CHANGE_TOKEN_REVOKE,
					      .id = token });
		break;
	case BLOCK:
		apply(held, (struct change) { .type = CHANGE_USER_FLAG,
					      .user = user,
					      .flags = USER_BLOCKED,
					      .on = 1 });
		break;
	case FORGET:
		txn_remove(held, TABLE_PAT_ID, STR_OF(key_u64(token).at));
		break;
	}
}

static const struct {
	const char *rule, *user, *shown;
	enum meanwhile what;
	enum status status;
	enum reason reason;
} late[] = {
	{ "the service goes while a password is hashed", "late0", "password",
	  LOSE_SERVICE, STATUS_BAD_REQUEST, REASON_UNKNOWN_SERVICE },
	{ "and while a refresh token is written", "late1", SECRET("late1"),
	  LOSE_SERVICE, STATUS_BAD_REQUEST, REASON_UNKNOWN_SERVICE },
	{ "the token is revoked: it gets nothing", "late2", SECRET("late2"),
	  REVOKE, STATUS_UNAUTHORIZED, REASON_TOKEN_REVOKED },
	{ "its owner is blocked", "late3", SECRET("late3"), BLOCK,
	  STATUS_UNAUTHORIZED, REASON_OWNER_BLOCKED },
	{ "its id is not there any more: no refresh token", "late4",
	  SECRET("late4"), FORGET, STATUS_OK, REASON_LOGIN },
};

/* A user with a password and a token, whose id is returned. */
static uint64_t add_late(const char *name)
{
	char secret[64];

	snprintf(secret, sizeof(secret), SECRET("%s"), name);
	add_user(fixture.db, name, 0);
	set_password(fixture.db, name, "password");
	return add_token(fixture.db, name, secret, PAT_API, 0);
}

/* Asks for a refresh token, and waits while it happens. */
static enum status ask_late(struct call *call, size_t row)
{
	const char *user = late[row].user;
	uint64_t token = add_late(user);
	AUTO(txn) struct txn held;
	char header[128];
	enum status status;

	snprintf(header, sizeof(header), "Basic %s:%s", user, late[row].shown);
	call_begin(call);
	call->req.query = STR(S "&offline_token=true");
	authorize(call, header);
	txn_write(fixture.db, &held);
	assert_int_equal(call_step(call, route_request), STATUS_PENDING);
	happen(late[row].what, &call->req, &held, str_of(user), token);
	assert_int_equal(txn_commit(&held), E_OK);
	sem_wait(&woken);
	status = call_step(call, call->req.resume);
	assert_int_not_equal(status, STATUS_PENDING);
	return status;
}

static void what_happens_while_it_waits(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(late); i++) {
		struct call call;

		print_message("%s\n", late[i].rule);
		assert_int_equal(ask_late(&call, i), late[i].status);
		assert_str(reason_code(call.reply.log.reason),
			   reason_code(late[i].reason).at);
		assert_string_equal(refresh_of(&call), "");
		assert_int_equal(strlen(claims_of(&call)) > 0,
				 late[i].status == STATUS_OK);
		call_end(&call);
	}
}

static sem_t reached, released;

static void hold(struct password_job *job)
{
	(void)job;
	sem_post(&reached);
	sem_wait(&released);
}

static void go_on(struct password_job *job)
{
	(void)job;
}

/* From where failures are counted. */
static enum status ask_from_afar(const char *authorization)
{
	enum status status;
	struct call call;

	call_begin(&call);
	call.req.address = STR("192.0.2.1");
	call.req.query = STR(S);
	authorize(&call, authorization);
	status = call_run(&call);
	call_end(&call);
	return status;
}

/* At what nobody could look is no failure. */
static void a_full_queue_counts_nothing(void **state)
{
	enum { FEW = 3 };
	static struct password_job jobs[1 + PASSWORD_QUEUE];
	int busy = 0;

	(void)state;
	sem_init(&reached, 0, 0);
	sem_init(&released, 0, 0);
	live.guard = (struct guard_rules) { .failures = FEW,
					    .failures_per_user = FEW,
					    .seconds = 600 };
	for (size_t i = 0; i < COUNT(jobs); i++) {
		jobs[i] = (struct password_job) { .password = "x",
						  .hash = "*",
						  .done = i ? go_on : hold };
		assert_int_equal(password_submit(shared.pool, &jobs[i]), E_OK);
		if (!i)
			sem_wait(&reached);
	}
	for (int i = 0; i < 2 * FEW; i++)
		busy += ask_from_afar("Basic alice:wrong") ==
			STATUS_UNAVAILABLE;
	sem_post(&released);
	while (password_waiting(shared.pool))
		sched_yield();
	assert_int_equal(busy, 2 * FEW);
	for (int i = 0; i < FEW; i++)
		assert_int_equal(ask_from_afar("Basic alice:wrong"),
				 STATUS_UNAUTHORIZED);
	assert_int_equal(ask_from_afar("Basic alice:wrong"), STATUS_TOO_MANY);
	live.guard = (struct guard_rules) { .failures = 0 };
}

/* The audit trail names the token's owner. */
static void a_refresh_token_is_logged(void **state)
{
	AUTO(cursor) struct cursor cursor;
	AUTO(txn) struct txn read;
	struct change change = { 0 };
	struct call call;

	(void)state;
	ask(&call, S "&offline_token=1", NULL, "Basic whoever:" SECRET("api"));
	assert_true(strlen(refresh_of(&call)) > 0);
	txn_read(fixture.db, &read);
	cursor_open(&read, TABLE_LOG, STR(""), &cursor);
	while (cursor_next(&cursor))
		assert_int_equal(
			change_unpack(str_skip(cursor.value, 1 + DIGEST_LEN),
				      &change),
			E_OK);
	assert_int_equal(change.type, CHANGE_REFRESH_ADD);
	assert_str(change.actor, "alice");
	assert_str(change.text, "re");
	assert_int_equal(change.id, call.reply.log.token_id);
	assert_int_equal(change.now, NOW);
	assert_memory_equal(change.digest.at, digest_of(refresh_token).at,
			    DIGEST_LEN);
	call_end(&call);
}

/* exp: not past the PAT's death, not under 60 s. */
static void life(void **state)
{
	static const struct {
		const char *authorization, *service;
		int seconds;
	} lives[] = {
		{ A, "service=re", 300 },
		{ A, "service=plain", 600 },
		{ "Basic a:" SECRET("soon"), "service=re", 100 },
		{ "Basic a:" SECRET("now"), "service=re", 60 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lives); i++) {
		struct call call;
		char want[64];

		assert_int_equal(ask(&call, lives[i].service, NULL,
				     lives[i].authorization),
				 STATUS_OK);
		snprintf(want, sizeof(want), "\"expires_in\":%d}",
			 lives[i].seconds);
		assert_has(arena_cstr(&call.arena, buf_str(&call.body)), want);
		snprintf(want, sizeof(want), "\"exp\":%d",
			 NOW + lives[i].seconds);
		assert_has(claims_of(&call), want);
		snprintf(want, sizeof(want), "\"nbf\":%d", NOW - BACKDATE);
		assert_has(claims_of(&call), want);
		call_end(&call);
	}
}

static void limits(void **state)
{
	AUTO(buf) struct buf text;
	struct call call;

	(void)state;
	buf_init(&text, 1 << 20);
	buf_add(&text, STR(S));
	for (int i = 0; i < SCOPE_MAX + 1; i++)
		buf_printf(&text, "&scope=repository:a/b%d:pull", i);
	buf_add_char(&text, '\0');
	assert_int_equal(ask(&call, text.at, NULL, "Basic alice:wrong"),
			 STATUS_BAD_REQUEST);
	call_end(&call);
	buf_clear(&text);
	buf_add(&text, STR("Basic "));
	for (int i = 0; i < 256; i++)
		buf_add_char(&text, 'a');
	buf_add(&text, STR(":b"));
	buf_add_char(&text, '\0');
	assert_int_equal(ask(&call, S, NULL, text.at), STATUS_BAD_REQUEST);
	call_end(&call);
	buf_clear(&text);
	buf_add(&text, STR("Basic a:"));
	for (int i = 0; i < 4097; i++)
		buf_add_char(&text, 'a');
	buf_add_char(&text, '\0');
	assert_int_equal(ask(&call, S, NULL, text.at), STATUS_BAD_REQUEST);
	call_end(&call);
}

static void two_headers(void **state)
{
	struct call call;

	(void)state;
	call_begin(&call);
	call.req.query = STR(S);
	authorize(&call, A);
	call.req.authorization_count = 2;
	assert_int_equal(call_run(&call), STATUS_BAD_REQUEST);
	call_end(&call);
}

static void other_body(void **state)
{
	struct call call;

	(void)state;
	call_begin(&call);
	call.req.method = METHOD_POST;
	call.req.content_type = STR("application/json");
	call.req.body = STR("{}");
	assert_int_equal(call_run(&call), STATUS_BAD_REQUEST);
	call_end(&call);
}

static const struct {
	const char *path;
	enum method method;
	enum status status;
	const char *allow;
} paths[] = {
	{ "/token", METHOD_GET, STATUS_OK, NULL },
	{ "/token/", METHOD_GET, STATUS_OK, NULL },
	{ "/auth", METHOD_GET, STATUS_OK, NULL },
	{ "/auth/token", METHOD_GET, STATUS_OK, NULL },
	{ "/jwt/auth", METHOD_HEAD, STATUS_OK, NULL },
	{ "/service/token", METHOD_GET, STATUS_OK, NULL },
	{ "/healthz", METHOD_GET, STATUS_OK, NULL },
	{ "/.well-known/jwks.json", METHOD_GET, STATUS_OK, NULL },
	{ "/", METHOD_GET, STATUS_NOT_FOUND, NULL },
	{ "/tokens", METHOD_GET, STATUS_NOT_FOUND, NULL },
	{ "/token//", METHOD_GET, STATUS_NOT_FOUND, NULL },
	{ "/token", METHOD_OTHER, STATUS_METHOD, "GET, POST" },
	{ "/healthz", METHOD_POST, STATUS_METHOD, "GET" },
	{ ".gate/431", METHOD_GET, STATUS_HEADERS_TOO_LARGE, NULL },
	{ ".gate/408", METHOD_GET, STATUS_TIMEOUT, NULL },
	{ ".gate/503/total", METHOD_GET, STATUS_UNAVAILABLE, NULL },
	{ ".gate/503/address", METHOD_GET, STATUS_UNAVAILABLE, NULL },
	{ ".gate/503/held", METHOD_GET, STATUS_UNAVAILABLE, NULL },
	{ ".gate/405", METHOD_GET, STATUS_METHOD, "GET, POST" },
	{ "/.gate/503/held", METHOD_GET, STATUS_NOT_FOUND, NULL },
};

static void routes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		struct call call;

		call_begin(&call);
		call.req.path = str_of(paths[i].path);
		call.req.query = STR(S);
		call.req.method = paths[i].method;
		print_message("%s\n", paths[i].path);
		assert_int_equal(call_run(&call), paths[i].status);
		if (paths[i].allow)
			assert_string_equal(call.reply.allow, paths[i].allow);
		call_end(&call);
	}
}

/* A token mistaken for a name is not logged. */
static void no_secret_in_the_log(void **state)
{
	struct call call;
	const struct log_token line = { .log = &call.reply.log };
	AUTO(buf) struct buf text;

	(void)state;
	ask(&call, S "&client_id=" SECRET("api"), NULL,
	    "Basic " SECRET("api") ":wrong");
	buf_init(&text, 8192);
	log_print_token(&line, FORMAT_JSON, &text);
	buf_add_char(&text, '\0');
	assert_null(strstr(text.at, SECRET("api")));
	assert_non_null(strstr(text.at, "glpat-****"));
	call_end(&call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(refresh_when),
		cmocka_unit_test(refresh_use),
		cmocka_unit_test(revoked_means_refused),
		cmocka_unit_test(what_happens_while_it_waits),
		cmocka_unit_test(a_full_queue_counts_nothing),
		cmocka_unit_test(a_refresh_token_is_logged),
		cmocka_unit_test(life),
		cmocka_unit_test(limits),
		cmocka_unit_test(two_headers),
		cmocka_unit_test(other_body),
		cmocka_unit_test(routes),
		cmocka_unit_test(no_secret_in_the_log),
	};

	return cmocka_run_group_tests_name("token endpoint", tests, setup,
					   teardown);
}
