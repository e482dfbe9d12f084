/*
 * server/auth/asking.h - a token request as it was read: what is asked, by
 * whom, how to answer. Lives in the request's arena, so that an answer that
 * must wait (password, refresh token) finds it again.
 */
#pragma once

#include "server/auth/credentials.h"
#include "server/guard.h"
#include "server/password.h"
#include "store/change.h"
#include "store/login.h"
#include "token/scope.h"

/* What is done once it is known who asks. */
struct asking;
typedef enum status token_step(struct request *req, struct reply *reply,
			       struct asking *ask);

struct asking {
	bool post;
	bool offline;	      /* a refresh token is wanted */
	struct params params; /* of the query or the form */
	struct str service;   /* its name; empty: the only one */
	struct str client;
	enum grant grant;
	struct credential credential;
	const struct scope_list *want; /* the scopes asked for, merged */

	/* Kept while it waits. */
	token_step *next;
	struct identity who;
	struct login_token token;
	struct str registry; /* the service, by its full name */
	struct str refresh;  /* the token to answer with */
	struct str hash;
	struct password_job job;
	struct guard_count counted; /* the password, as a wrong one */
	struct change change;
};

/*
 * Reads the request into *out. A status other than STATUS_OK is the reply,
 * already written.
 */
enum status asking_read(struct request *req, struct reply *reply, bool post,
			struct asking *out);
struct str asking_print(const struct scope_list *list, struct arena *arena);

/* The reply of a refusal, in the form of GET or POST, and its reason. */
enum status asking_refuse(struct reply *reply, bool post, enum status status,
			  enum reason reason, struct str message);
/* A failure of ours, which is never a 401: 500, or 503 when E_BUSY. */
enum status asking_fail(struct reply *reply, bool post, enum err err);
/* The same; the log has `why`. */
enum status asking_fail_as(struct reply *reply, bool post, enum err err,
			   const char *why);

/*
 * Who asks, into ask->who. STATUS_PENDING: req->resume will go on with `next`
 * once it is known.
 */
enum status sign_in(struct request *req, struct reply *reply,
		    struct asking *ask, token_step *next);
