/* server/cli/token.h - what the commands of tokens share. */
#pragma once

#include "server/cli/command.h"
#include "store/pat.h"

int token_create(struct call *call);
int token_list(struct call *call);
int token_rotate(struct call *call);
int token_revoke_unused(struct call *call);
/* --stdin: each token of which a secret is in what leaked. */
int token_show_found(struct call *call);
int token_revoke_found(struct call *call);

/* Of the three ways to name an owner, at most one. Returns an exit status. */
int token_check_owner(struct call *call, bool needed);
/* Of the argument ID. */
int token_read_id(struct call *call, uint64_t *id);
/* --expires; 0 when it is not given. */
int token_read_expires(struct call *call, int64_t *out);
/* `secret` is empty but for the one time that it is shown. */
int token_print(struct call *call, uint64_t id, struct str secret);
/* "token 7, laptop, of alice", for a person; "token 7" where it is gone. */
struct str token_whose(struct call *call, uint64_t id);
/* Rows, or a JSON array, of these tokens. */
int token_print_all(struct call *call, const uint64_t *ids, size_t n);
/* The same one by one; printer_end() returns the exit status. */
struct printer {
	struct call *call;
	struct txn txn;
	struct settings settings;
	struct listing listing;
};
enum err printer_init(struct printer *p, struct call *call) MUST_CHECK;
enum err printer_add(struct printer *p, const struct pat *pat) MUST_CHECK;
int printer_end(struct printer *p, enum err err);
void printer_cleanup(struct printer *p);

/*
 * The others of its family that work, "3, 7"; empty: none do. It may be that
 * the token itself is not there.
 */
enum err token_family(struct call *call, uint64_t id,
		      struct str *out) MUST_CHECK;

/* Says which of them work on, if it was revoked without them. */
void token_note_family(struct call *call, uint64_t id);

/* When a token was revoked, and by whom; nothing if it was not. */
void token_print_revoked(struct call *call, struct txn *txn,
			 const struct pat *pat);

/* Active, and nobody has used it for `span` seconds. */
bool token_unused(struct txn *txn, const struct pat *pat,
		  const struct settings *settings, int64_t now, int64_t span);
/* --unused, in seconds; 0 when it is not given. */
int token_read_span(struct call *call, int64_t *out);

/* Random, with the store's prefix. */
enum err token_make_secret(struct call *call, struct secret *secret,
			   struct digest *digest) MUST_CHECK;

/*
 * How a new secret is handed over: alone, or as what its holder's program
 * reads. `handover_read` is for before the token is made, as it may refuse.
 */
enum handover_format {
	HANDOVER_SECRET,
	HANDOVER_DOCKER,     /* ~/.docker/config.json */
	HANDOVER_KUBERNETES, /* a Secret of kubernetes.io/dockerconfigjson */
	HANDOVER_ENV	     /* two variables, as CI systems read them */
};
struct handover {
	enum handover_format format;
	struct str registry, name;
};
int handover_read(struct call *call, struct handover *out);
/* Also of --json, and what a person should know beside. */
int handover_print(struct call *call, const struct handover *how, uint64_t id,
		   struct str secret);
