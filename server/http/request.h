/*
 * server/http/request.h - one HTTP request and its reply, free of libevent, so
 * that a test calls a handler without a socket.
 *
 * Thread: worker. Takes no lock: settings and keys come from req->live, facts
 * from req->txn (a read transaction, renewed for this request), memory from
 * req->arena (forgotten when the reply has been sent).
 */
#pragma once

#include "server/live.h"
#include "store/reason.h"
#include "store/db.h"
#include "token/arena.h"
#include "token/claims.h"

enum method { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_OTHER };

struct reply;

struct request {
	enum method method;
	struct str path;  /* decoded, without query */
	struct str query; /* as it came, without '?' */
	struct str body;
	struct str content_type;
	struct str authorization;     /* the header's value */
	unsigned authorization_count; /* how many such headers came */
	struct str user_agent;
	struct str address;	/* of the client, without port */
	struct str certificate; /* whose the client showed; empty: none */
	bool direct;	/* it is the socket's own, and of no trusted proxy */
	bool unsure;	/* of a proxy that hides whose, or is not believed */
	bool late_full; /* no more replies can be held back */
	int64_t now;	/* seconds UTC */
	int64_t steady; /* ms, by a clock that nobody sets */
	bool admin;	/* came to the admin listener */

	const struct live *live;
	struct txn *txn;
	struct arena *arena;
	struct signer *signer;	   /* of live->key, the worker's own */
	struct services *services; /* writer and password pool */

	/*
	 * STATUS_PENDING: the handler has set `resume` and perhaps `state` (in
	 * the arena). wake(req), from any thread, has it called on the worker;
	 * live, txn, signer and now are then of that moment, and what pointed
	 * into the live of before is to be looked up again.
	 */
	enum status (*resume)(struct request *req, struct reply *reply);
	void *state;
	void (*wake)(struct request *req);
};

/* name, number, reason phrase (RFC 9110 15), code in an error's JSON */
#define STATUS_LIST(X)                                                         \
	X(OK, 200, "OK", "")                                                   \
	X(BAD_REQUEST, 400, "Bad Request", "BAD_REQUEST")                      \
	X(UNAUTHORIZED, 401, "Unauthorized", "UNAUTHORIZED")                   \
	X(FORBIDDEN, 403, "Forbidden", "DENIED")                               \
	X(NOT_FOUND, 404, "Not Found", "NOT_FOUND")                            \
	X(METHOD, 405, "Method Not Allowed", "UNSUPPORTED")                    \
	X(TIMEOUT, 408, "Request Timeout", "TIMEOUT")                          \
	X(TOO_LARGE, 413, "Content Too Large", "TOO_LARGE")                    \
	X(URI_TOO_LONG, 414, "URI Too Long", "TOO_LARGE")                      \
	X(TOO_MANY, 429, "Too Many Requests", "TOOMANYREQUESTS")               \
	X(HEADERS_TOO_LARGE, 431, "Request Header Fields Too Large",           \
	  "TOO_LARGE")                                                         \
	X(INTERNAL, 500, "Internal Server Error", "UNKNOWN")                   \
	X(UNAVAILABLE, 503, "Service Unavailable", "UNAVAILABLE")

enum status {
	STATUS_PENDING = 0, /* the reply comes later: see req->resume */
#define X(name, number, phrase, code) STATUS_##name = number,
	STATUS_LIST(X)
#undef X
};

const char *status_phrase(enum status status);

/* What the log line tells; filled as the handler learns it. Never a secret. */
struct request_log {
	bool wanted;	/* a token request */
	bool anonymous; /* without any credential */
	enum reason reason;
	struct str user, client, service, asked, granted;
	uint64_t token_id;
};

struct reply {
	struct buf *body;	 /* the worker's own; cleared before */
	const char *type;	 /* "application/json" unless set */
	const char *allow;	 /* 405: "GET, POST" */
	bool challenge;		 /* 401: WWW-Authenticate: Basic realm=... */
	const char *retry_after; /* seconds; NULL: no such header */
	const char *cache;	 /* Cache-Control, without no_store; likewise */
	bool no_store;	  /* Cache-Control: no-store; POST: Pragma, too */
	bool close;	  /* the connection ends with this reply */
	unsigned late_ms; /* by which it is held back */
	struct request_log log;
};

/*
 * A handler returns the status and fills the reply. STATUS_PENDING: another
 * thread works for it; it will be continued on the same worker.
 */
typedef enum status handler(struct request *req, struct reply *reply);

struct route {
	const char *path;
	handler *get, *post; /* NULL: 405 */
};

/* Finds the route, answers 404 and 405 itself. */
enum status route_request(struct request *req, struct reply *reply);
bool route_is_token(struct str path); /* one of those that give tokens */

/*
 * {"errors":[{"code","message","detail"}]} (distribution's form), `message` as
 * docker shows it to its user. Returns `status`.
 */
enum status reply_error(struct reply *reply, enum status status,
			struct str message);
/* The same for a POST grant: adds error and error_description (RFC 6749 5.2) */
enum status reply_grant_error(struct reply *reply, enum status status,
			      const char *error, struct str message);
