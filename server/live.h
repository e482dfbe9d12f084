/*
 * server/live.h - one immutable snapshot of all that a reload may change:
 * configuration, keyring, TLS contexts, and what is computed from them once.
 *
 * main builds a snapshot and publishes it; a worker takes the newest at its
 * next turn and keeps it for the requests that began with it. The snapshot goes
 * when its last holder drops it (one count a worker and a waiting request, not
 * one a request).
 *
 * Thread: main makes them; any may hold, read and drop one.
 */
#pragma once

#include "server/config.h"
#include "server/guard.h"
#include "token/buf.h"

struct ssl_ctx_st;

struct live_service {
	const struct config_service *config;
	/* First part of the JWT, encoded; `bare`: without x5c. */
	struct str header, bare;
};

struct live {
	_Atomic unsigned holders;
	struct config *config;
	struct keyring *keyring;
	const struct key *key;	 /* the current one */
	struct ssl_ctx_st **tls; /* one a listener, admin's last; NULL: plain */
	struct live_service *services; /* config->services_count */
	struct str challenge;	       /* WWW-Authenticate, NUL-terminated */
	struct str jwks;	       /* body of /.well-known/jwks.json */
	struct networks trusted;       /* proxies */
	struct guard_rules guard;
};

/*
 * Everything is checked here: a snapshot that exists works. The configuration
 * is the snapshot's from then on; unless E_OK it stays the caller's.
 */
enum err live_new(struct config *config, struct live **out,
		  struct cause *cause) MUST_CHECK;
/*
 * The same of a file. `bound`: what the running server was bound by, or NULL: a
 * url that follows from its listeners stays, as they do.
 */
enum err live_load(const char *config_path, const struct config *bound,
		   struct live **out, struct cause *cause) MUST_CHECK;
/*
 * Says what will not work, or not for long: certificates that end within 90
 * days, and what registries read, if it is not of these keys.
 */
typedef void live_say(void *arg, const char *event, const char *text);
void live_warn(const struct live *live, int64_t now, live_say *say, void *arg);
/* Says what a reload cannot change, and has changed. */
void live_warn_fixed(const struct config *old, const struct config *new,
		     live_say *say, void *arg);
struct live *live_hold(struct live *live);
void live_drop(struct live *live); /* NULL is fine */

/* The listener of live->tls[i]; *address is its. NULL: there are no more. */
const struct config_tls *live_listener(const struct config *config, unsigned i,
				       const char **address);

/* By name; the only one if the name is empty; else NULL. */
const struct live_service *live_service(const struct live *live,
					struct str name);
/* A registry refuses an ended certificate, though not the bare key id. */
struct str live_header(const struct live *live,
		       const struct live_service *service, int64_t now);
