/*
 * server/cli/command.h - a row of the command table, and what its function
 * gets: arguments and options read, output to fill, the live store on demand.
 *
 * Standard output has what was asked for and nothing else; it is written when
 * the command has succeeded. What a person should know besides goes to
 * standard error. Failures are one line: call_usage(), call_refuse().
 */
#pragma once

#include "server/cli/cli.h"
#include "token/buf.h"

/* What has the server follow, be there systemd or a container or neither. */
#define RELOAD "dockpass reload"

/* name, what it takes (NULL: nothing), meaning */
#define OPT_LIST(X)                                                            \
	X(CONFIG, "config", "FILE",                                            \
	  "the file; or DOCKPASS_CONFIG, else /etc/dockpass/dockpass.yaml")    \
	X(HELP, "help", NULL, "what the command does, and its options")        \
	X(JSON, "json", NULL, "output as JSON")                                \
	X(LOG_FORMAT, "log-format", "json|text",                               \
	  "lines for machines or people (default: json)")                      \
	X(SERVICE, "service", "NAME", "the registry's name, the JWT's aud")    \
	X(ISSUER, "issuer", "NAME", "the JWT's iss (default: dockpass)")       \
	X(LISTEN, "listen", "ADDR:PORT",                                       \
	  "where the server listens (default: 127.0.0.1:5001)")                \
	X(URL, "url", "URL",                                                   \
	  "what the world calls this server (default: its listener)")          \
	X(EMAIL, "email", "E", "e-mail address")                               \
	X(ADMIN, "admin", NULL, "may do everything in every project")          \
	X(EXTERNAL, "external", NULL,                                          \
	  "sees internal projects as a member only")                           \
	X(PASSWORD_STDIN, "password-stdin", NULL,                              \
	  "read a password from standard input")                               \
	X(STDIN, "stdin", NULL,                                                \
	  "by what holds secrets, read from standard input")                   \
	X(UNUSED, "unused", "DURATION",                                        \
	  "those active that nobody has used for so long: 90d")                \
	X(DATE, "date", "YYYY-MM-DD", "the day that it believes in")           \
	X(YES, "yes", NULL, "with live tokens, which are revoked")             \
	X(DAMAGED, "damaged", NULL,                                            \
	  "the store that is there is damaged: set it aside")                  \
	X(REVOKE_NEWER_THAN, "revoke-newer-than", "YYYY-MM-DD",                \
	  "tokens made since then come back revoked")                          \
	X(SINCE, "since", "YYYY-MM-DD", "from that day on, UTC")               \
	X(UNTIL, "until", "YYYY-MM-DD", "up to the end of that day, UTC")      \
	X(BEFORE, "before", "YYYY-MM-DD", "what is older than that day, UTC")  \
	X(ACTOR, "actor", "NAME",                                              \
	  "what that one did: alice, cli:root, job:lifetime")                  \
	X(USER, "user", "NAME", "what was done to that user")                  \
	X(ACTION, "action", "NAME", "those of that kind alone, see below")     \
	X(HEAD, "head", "NUMBER:HASH",                                         \
	  "an entry's, as audit verify once printed it")                       \
	X(RECURSIVE, "recursive", NULL, "also what lies below")                \
	X(VISIBILITY, "visibility", "V", "private, internal or public")        \
	X(REGISTRY, "registry", "R",                                           \
	  "enabled, private (members alone) or disabled")                      \
	X(ARCHIVED, "archived", "true|false", "true: pull only")               \
	X(NAME, "name", "N", "what the token is for")                          \
	X(SCOPES, "scopes", "A,B", "what the token may do, see below")         \
	X(EXPIRES, "expires", "YYYY-MM-DD|30d|never",                          \
	  "dead from that day 00:00 UTC, or so many days from today, or "      \
	  "never")                                                             \
	X(GRACE, "grace", "DURATION",                                          \
	  "the old secret works so long beside the new one: 24h, 7d")          \
	X(REPOSITORY, "repository", "PATTERN",                                 \
	  "for these alone: 'group/app/*', '**' any depth; repeatable")        \
	X(NETWORK, "network", "CIDR",                                          \
	  "from there alone: 10.0.0.0/8, 2001:db8::/32; repeatable")           \
	X(IDLE, "idle", "DURATION", "dead when unused that long: 30d, 12h")    \
	X(FAMILY, "family", NULL, "with all that came of it by rotation")      \
	X(EXPIRING, "expiring", "DURATION", "those that die within: 7d")       \
	X(EXPIRED, "expired", NULL, "those whose date has come")               \
	X(REVOKED, "revoked", NULL, "those that were revoked")                 \
	X(SECRET_NAME, "secret-name", "NAME", "of the Kubernetes secret")      \
	X(ADDRESS, "address", "IP", "as a client there")                       \
	X(IMPERSONATION, "impersonation", NULL,                                \
	  "hidden from its owner, no mail")                                    \
	X(PROJECT, "project", "PATH", "of a project")                          \
	X(GROUP, "group", "PATH", "of a group")                                \
	X(ROLE, "role", "ROLE", "of its bot (default: maintainer)")            \
	X(ALG, "alg", "A", "ES256, RS256, ES384 or EdDSA (default: ES256)")    \
	X(CURRENT, "current", NULL, "the signing key alone")                   \
	X(FORMAT, "format", "F", "pem or jwks")                                \
	X(TABLE, "table", NULL, "all options as README's table")               \
	X(CACERT, "cacert", "FILE",                                            \
	  "PEM file of the authorities to trust (default: the system's)")      \
	X(BUNDLE, "bundle", "PATH",                                            \
	  "where the registry finds bundle.pem; jwks.json lies beside it")     \
	X(TOKEN_ID, "token-id", "ID", "a token, by its id")                    \
	X(ANONYMOUS, "anonymous", NULL, "without any credential")              \
	X(ACCESS, "access", "'SCOPE ...'",                                     \
	  "what a client asks: repository:a/b:pull,push")

enum opt {
#define X(name, text, takes, help) OPT_##name,
	OPT_LIST(X)
#undef X
		OPT_COUNT
};

#define O(name)	   (1ull << OPT_##name)
#define OPT_ALWAYS (O(CONFIG) | O(HELP))
/* A command that has all of them takes each of them several times. */
#define OPT_LIMITS (O(REPOSITORY) | O(NETWORK) | O(SERVICE))

_Static_assert(OPT_COUNT <= 64, "a set of options is 64 bits");

struct call;

struct command {
	const char *words; /* "user add" */
	const char *usage; /* "NAME --email E [--admin]" */
	const char *help;  /* one line */
	int min, max;	   /* arguments */
	uint64_t opts;	   /* beside OPT_ALWAYS */
	int (*run)(struct call *call);
};

enum { ARGS_MAX = 3 + 1 }; /* one too many is an error */

struct call {
	const struct command *command;
	int argc;
	struct str args[ARGS_MAX];
	/* NULL: not given; a flag: ""; given again: "first,second". */
	const char *opts[OPT_COUNT];
	bool json;
	int64_t now;
	struct str actor; /* server/cli/actor.h */
	struct arena arena;
	struct buf out;	  /* standard output */
	struct buf notes; /* standard error, once all is well */
	const char *lost; /* what is true even if `out` cannot be written */
	bool report;	  /* `out` is printed though it is refused, and then
			     `cause` says why */
	struct config *config;
	struct db *db;
	struct cause cause;
};

/* Each group of commands is a file with its rows. */
struct command_group {
	const struct command *rows;
	size_t count;
};
extern const struct command_group space_commands, user_commands,
	member_commands, token_commands, settings_commands, job_commands,
	key_commands, server_commands, explain_commands, store_commands,
	audit_commands, doctor_commands;

struct str call_opt(const struct call *call, enum opt opt); /* or empty */

/* Each prints its line and returns the exit status. */
int call_usage(struct call *call, const char *fmt, ...) PRINTF_LIKE(2, 3);
int call_refuse(struct call *call, const char *fmt, ...) PRINTF_LIKE(2, 3);
int call_failed(struct call *call, enum err err); /* says call->cause */
/* Of file_write_by(): what to do if `path` is there already. */
int call_unwritten(struct call *call, const char *path, enum err err);
/*
 * A line beside the output, on standard error once that is written: notes for
 * a person, not with --json, and warnings.
 */
void call_note(struct call *call, const char *fmt, ...) PRINTF_LIKE(2, 3);
void call_warn(struct call *call, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* On failure they have printed why: return EXIT_REFUSED. */
bool call_config(struct call *call) MUST_CHECK;
bool call_store(struct call *call) MUST_CHECK; /* call_config() and the store */
/*
 * call_config(), as the store's owner; `missing`: where there is no store, as
 * who would make it.
 */
bool call_store_owner(struct call *call, bool missing) MUST_CHECK;
/* Made if missing; `damaged`: what is there is set aside. */
bool call_store_or_new(struct call *call, bool damaged) MUST_CHECK;
/* What `services` has, "registry, other"; and that a name is none of them. */
struct str call_services(struct call *call);
int call_no_service(struct call *call, struct str name);
/* Refuses a FILE that is to be written among the server's; a status. */
int call_elsewhere(struct call *call, const char *path) MUST_CHECK;
/* A write that waits for another process says so on standard error. */
void call_say_waits(struct db *db);
/* Fills in time and actor, waits for the disk. Returns the exit status. */
int call_commit(struct call *call, struct change *change) MUST_CHECK;
/*
 * How many tokens break max_token_lifetime, and when they will be revoked for
 * it, as long as it is so. Both 0: none.
 */
struct limit_sweep {
	uint64_t count;
	int64_t at;
};
enum err call_sweep(struct call *call, struct limit_sweep *out) MUST_CHECK;
void call_warn_sweep(struct call *call, const struct limit_sweep *sweep);
/*
 * Of what is done already, beside the store: an entry of its log, or a warning
 * that there is none. After call_config().
 */
void call_log(struct call *call, struct change *change);

/*
 * A list for people: aligned columns, the first row its head. Cells are
 * copied; control characters in them are shown as '?'.
 */
enum { COLUMNS_MAX = 9 };
struct listing {
	struct arena *arena;
	size_t columns, rows, size;
	struct str *cells;
};
void listing_row(struct listing *listing, const struct str *cells);
void listing_print(const struct listing *listing, struct buf *out);
/* The end of a list: prints it, or closes the array that --json has begun. */
int listing_end(const struct listing *listing, struct call *call);

/* JSON's "2027-01-31T08:15:00.000Z", or null for 0. */
void put_time(struct buf *out, const char *key, int64_t when);
/* For people: "2027-01-31", "-" for 0. */
struct str show_date(struct call *call, int64_t when);
struct str show_time(struct call *call, int64_t when); /* to the second */
struct str show_id(struct call *call, uint64_t id);

/* An option's span of time, "24h"; usage says what is wrong with it. */
int call_duration(struct call *call, enum opt opt, int64_t *out) MUST_CHECK;
