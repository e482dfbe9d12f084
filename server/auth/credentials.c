/* server/auth/credentials.c - see the header. */
#include "server/auth/credentials.h"

#include <string.h>

#include "token/encode.h"
#include "token/secret.h"

/* *out becomes BAD, which is no error of form: a 401 follows. */
static enum err bad(struct credential *out)
{
	*out = (struct credential) { .kind = CREDENTIAL_BAD };
	return E_OK;
}

static enum err check_limits(const struct credential *got, size_t secret_max,
			     struct cause *cause)
{
	if (got->user.len > USERNAME_MAX)
		return cause_set(cause, E_LIMIT,
				 "the user name is longer than %d bytes",
				 (int)USERNAME_MAX);
	if (got->secret.len > secret_max)
		return cause_set(cause, E_LIMIT,
				 "the password or token is longer than %zu "
				 "bytes",
				 secret_max);
	return E_OK;
}

/* RFC 7617: what stands before the first colon is the user name. */
static enum err parse_basic(struct str text, struct arena *arena,
			    struct credential *out, struct cause *cause)
{
	struct credential got = { .kind = CREDENTIAL_PASSWORD };
	enum { SIZE = USERNAME_MAX + 1 + SECRET_TEXT_MAX };
	size_t size = text.len / 4 * 3 < SIZE ? text.len / 4 * 3 : SIZE;
	char *at = arena_alloc(arena, size + 1);
	struct str rest = { at, 0 };
	enum err err = base64_decode(text, at, size, &rest.len);

	if (err == E_LIMIT)
		return cause_set(cause, E_LIMIT,
				 "user name and password are longer than %d "
				 "and %d bytes",
				 (int)USERNAME_MAX, (int)SECRET_TEXT_MAX);
	if (err || !str_has(rest, ':') || memchr(at, '\0', rest.len))
		return bad(out);
	str_cut(&rest, ':', &got.user);
	got.secret = rest;
	err = check_limits(&got, SECRET_TEXT_MAX, cause);
	if (err)
		return err;
	if (!got.user.len || !got.secret.len)
		return bad(out);
	*out = got;
	return E_OK;
}

static enum err parse_bearer(struct str text, struct credential *out,
			     struct cause *cause)
{
	struct credential got = { .kind = CREDENTIAL_BEARER, .secret = text };
	enum err err = check_limits(&got, SECRET_TEXT_MAX, cause);

	if (err)
		return err;
	if (!text.len || str_has(text, ' '))
		return bad(out);
	*out = got;
	return E_OK;
}

enum err credential_parse(struct str header, struct arena *arena,
			  struct credential *out, struct cause *cause)
{
	struct str rest = str_trim(header), scheme;

	*out = (struct credential) { .kind = CREDENTIAL_BAD };
	str_cut(&rest, ' ', &scheme);
	rest = str_trim(rest);
	if (str_eq_nocase(scheme, STR("basic")))
		return parse_basic(rest, arena, out, cause);
	if (str_eq_nocase(scheme, STR("bearer")))
		return parse_bearer(rest, out, cause);
	return bad(out);
}

/* What belongs to the other grant would be another identity. */
static enum err check_other(const struct params *form, bool refresh,
			    struct cause *cause)
{
	struct str other = params_first(form, refresh ? STR("password")
						      : STR("refresh_token"));

	if (!other.len)
		return E_OK;
	return cause_set(cause, E_REFUSED,
			 "both a password and a refresh_token: send the one "
			 "that grant_type names");
}

/* A form with a grant: complete, or without any credential of its own. */
static enum err read_form(const struct params *form, enum grant grant,
			  struct credential *out, struct cause *cause)
{
	bool refresh = grant == GRANT_REFRESH;
	struct credential got = { .kind = refresh ? CREDENTIAL_REFRESH
						  : CREDENTIAL_PASSWORD };
	enum err err;

	*out = (struct credential) { .kind = CREDENTIAL_NONE };
	err = check_other(form, refresh, cause);
	if (!err && refresh)
		err = params_one(form, STR("refresh_token"), &got.secret,
				 cause);
	else if (!err)
		err = params_one(form, STR("username"), &got.user, cause);
	if (!err && !refresh)
		err = params_one(form, STR("password"), &got.secret, cause);
	if (!err)
		err = check_limits(&got,
				   refresh ? REFRESH_TEXT_MAX : SECRET_TEXT_MAX,
				   cause);
	if (err || (!got.user.at && !got.secret.at))
		return err;
	if (!got.secret.at || (!refresh && !got.user.at))
		return cause_set(cause, E_SYNTAX,
				 "grant_type=password needs username and "
				 "password");
	if (!got.secret.len || (!refresh && !got.user.len))
		return bad(out);
	*out = got;
	return E_OK;
}

static bool same(const struct credential *a, const struct credential *b)
{
	return a->kind == b->kind && str_eq(a->user, b->user) &&
	       secret_eq(a->secret, b->secret);
}

enum err credential_read(const struct request *req, const struct params *form,
			 enum grant grant, struct credential *out,
			 struct cause *cause)
{
	struct credential header = { .kind = CREDENTIAL_NONE };
	struct credential own = { .kind = CREDENTIAL_NONE };
	enum err err = E_OK;

	*out = (struct credential) { .kind = CREDENTIAL_BAD };
	if (req->authorization_count > 1)
		return cause_set(cause, E_REFUSED,
				 "two Authorization headers: send one");
	if (req->authorization_count)
		err = credential_parse(req->authorization, req->arena, &header,
				       cause);
	if (!err && form)
		err = read_form(form, grant, &own, cause);
	if (err)
		return err;
	if (form && own.kind == CREDENTIAL_NONE &&
	    (grant == GRANT_REFRESH || header.kind == CREDENTIAL_NONE))
		return cause_set(cause, E_SYNTAX,
				 grant == GRANT_REFRESH
					 ? "grant_type=refresh_token needs "
					   "refresh_token"
					 : "grant_type=password needs username "
					   "and password");
	if (header.kind == CREDENTIAL_NONE || own.kind == CREDENTIAL_NONE)
		*out = header.kind == CREDENTIAL_NONE ? own : header;
	else if (header.kind != CREDENTIAL_BAD && own.kind != CREDENTIAL_BAD &&
		 !same(&header, &own))
		return cause_set(cause, E_REFUSED,
				 "two different identities: send the "
				 "Authorization header or the form, not both");
	else if (header.kind != CREDENTIAL_BAD && own.kind != CREDENTIAL_BAD)
		*out = own;
	return E_OK;
}
