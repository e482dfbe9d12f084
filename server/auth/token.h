/*
 * server/auth/token.h - the token endpoint (distribution spec/auth/token.md,
 * spec/auth/oauth.md): scopes asked, a signed token answered.
 *
 * Order of refusal: the request's form (400), the service (400), the
 * credentials (401), a right to any registry (403). To be allowed less than
 * asked, even nothing, is a 200: the token says so and the registry refuses.
 * Only wrong credentials are a 401, and they never become anonymous.
 *
 * Thread: worker.
 */
#pragma once

#include "server/http/request.h"

handler token_get, token_post;
