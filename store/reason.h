/*
 * store/reason.h - why a request was granted or refused: one code, the same in
 * the log line, in `explain` and in README.
 */
#pragma once

#include "token/base.h"

enum outcome {
	OUTCOME_ISSUED,	 /* a token, perhaps of less than was asked */
	OUTCOME_REFUSED, /* 4xx: the client's fault */
	OUTCOME_FAILED,	 /* 5xx: ours */
	OUTCOME_COUNT
};

/* clang-format off */
/* what it comes with, code, what it means and what to do */
#define REASON_LIST(X)                                                         \
	X(NONE, REFUSED, "none", "not decided")                                \
	X(GRANTED, ISSUED, "granted", "all that was asked and could be read")  \
	X(PARTIAL, ISSUED, "partial", "less than was asked; dockpass explain names the cause of each refusal") \
	X(NOTHING, ISSUED, "nothing", "nothing of what was asked; dockpass explain names the cause of each refusal") \
	X(LOGIN, ISSUED, "login", "nothing was asked; the credentials, if there were any, are right") \
	X(BAD_REQUEST, REFUSED, "bad_request", "the request cannot be read; the message says what is wrong") \
	X(UNKNOWN_SERVICE, REFUSED, "unknown_service", "no service of that name is configured") \
	X(NO_SERVICE, REFUSED, "no_service", "the request names no service, and several are configured") \
	X(NO_CREDENTIALS, REFUSED, "no_credentials", "the service takes no anonymous requests") \
	X(BAD_CREDENTIALS, REFUSED, "bad_credentials", "the Authorization header cannot be read, or has no user name") \
	X(UNKNOWN_TOKEN, REFUSED, "unknown_token", "no token has this secret: mistyped, or of another server") \
	X(TOKEN_REVOKED, REFUSED, "token_revoked", "the token was revoked")    \
	X(TOKEN_EXPIRED, REFUSED, "token_expired", "the token's date has come; it died at 00:00 UTC") \
	X(TOKEN_ROTATED, REFUSED, "token_rotated", "the token was replaced by a rotation and is dead: whoever still shows it has not got the new one, or has stolen it") \
	X(TOKEN_IDLE, REFUSED, "token_idle", "the token was not used for as long as it may be idle") \
	X(TOKEN_NETWORK, REFUSED, "token_network", "the token is limited to other networks than the client's") \
	X(TOKEN_SERVICE, REFUSED, "token_service", "the token is limited to other services") \
	X(TOKEN_REPOSITORY, ISSUED, "token_repository", "nothing of what was asked; the token is limited to other repositories") \
	X(NOT_SAID, REFUSED, "not_said", "the token is limited to networks or services, and it was not said which: explain with --address IP, --service NAME") \
	X(OWNER_BLOCKED, REFUSED, "owner_blocked", "the token's owner is blocked") \
	X(WRONG_USERNAME, REFUSED, "wrong_username", "pat.username_must_match is set and the user name is not the owner's") \
	X(NO_REGISTRY_SCOPE, REFUSED, "no_registry_scope", "the token is right, but none of its scopes reaches a registry") \
	X(WRONG_PASSWORD, REFUSED, "wrong_password", "unknown user or wrong password") \
	X(TWO_FACTOR, REFUSED, "two_factor", "the password is right, but two-factor is on: a token is needed") \
	X(UNKNOWN_REFRESH, REFUSED, "unknown_refresh", "no refresh token has this secret: its token was revoked, it is another service's, or the service takes none") \
	X(REFRESH_EXPIRED, REFUSED, "refresh_expired", "the refresh token has expired: docker login again") \
	X(TOO_MANY_FAILURES, REFUSED, "too_many_failures", "too many wrong secrets came from that network: passwords are not looked at for a while, right tokens pass") \
	X(TOO_MANY_FOR_USER, REFUSED, "too_many_for_user", "too many wrong passwords for that user name came, from any network: none is looked at for a while, right tokens pass") \
	X(TOO_BUSY, FAILED, "too_busy", "a queue was full; try again")         \
	X(FAILURE, FAILED, "failure", "the store or the key failed; see the line before")
/* clang-format on */

enum reason {
#define X(name, outcome, code, text) REASON_##name,
	REASON_LIST(X)
#undef X
		REASON_COUNT
};

struct str reason_code(enum reason reason);
struct str reason_text(enum reason reason);
enum outcome reason_outcome(enum reason reason);
