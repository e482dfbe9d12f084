/*
 * server/auth/credentials.h - what a request shows for its sender, as text:
 * nothing is looked up here.
 *
 * In this order: Authorization: Basic (RFC 7617), the form of a POST,
 * Authorization: Bearer. Two different identities are refused.
 */
#pragma once

#include "server/http/params.h"
#include "server/http/request.h"

enum { USERNAME_MAX = 255, SECRET_TEXT_MAX = 4096, REFRESH_TEXT_MAX = 512 };

enum credential_kind {
	CREDENTIAL_BAD, /* cannot be read, or a part is empty: 401 */
	CREDENTIAL_NONE,
	CREDENTIAL_PASSWORD, /* user name and a PAT or password */
	CREDENTIAL_BEARER,   /* a PAT */
	CREDENTIAL_REFRESH
};

struct credential {
	enum credential_kind kind;
	struct str user, secret;
};

enum grant { GRANT_NONE, GRANT_PASSWORD, GRANT_REFRESH };

/*
 * `form` is NULL on GET. Any error is a 400 with *cause for its sender:
 * E_LIMIT, E_SYNTAX, E_REFUSED (two identities). *out is then BAD.
 */
enum err credential_read(const struct request *req, const struct params *form,
			 enum grant grant, struct credential *out,
			 struct cause *cause) MUST_CHECK;

/* The value of an Authorization header alone. */
enum err credential_parse(struct str header, struct arena *arena,
			  struct credential *out,
			  struct cause *cause) MUST_CHECK;
