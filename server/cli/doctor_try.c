/*
 * server/cli/doctor_try.c - tokens of our own making, shown to a registry.
 *
 * They are for nothing, in its service's name, by its own clock as its Date has
 * it, signed by each key and named in each way; and they begin a day back. So
 * neither service nor clock can be the reason of a no. What a registry says
 * makes none live longer than a minute, nor one for whom we do not know: see
 * doctor_untried().
 *
 * Registry 2 says no in one way. Registry 3 looks for the key first, and to a
 * signature that is wrong under a key that it knows it answers without
 * error="invalid_token": so a token with a spoilt signature tells whether it is
 * the key that it does not know, or the issuer that it does not like.
 */
#include "server/cli/doctor.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/rand.h>

#include "token/claims.h"

enum {
	TRY_SECONDS = 60,
	TRY_BACK = 24 * 60 * 60,
};

enum err doctor_make_head(const struct key *key, int form, struct buf *out)
{
	buf_init(out, DOCTOR_TOKEN_MAX);
	return claims_header(key,
			     form == FORM_RFC7638 ? KID_RFC7638 : KID_LIBTRUST,
			     form == FORM_X5C, out);
}

/* What the registry believes the time to be, as far as it says. */
static int64_t its_time(const struct doctor *d)
{
	int64_t now = (int64_t)time(NULL);

	return d->ahead > DOCTOR_SKEW || d->ahead < -DOCTOR_SKEW
		       ? now + d->ahead
		       : now;
}

/*
 * None is good for long, whatever a Date says: a registry, or who is between,
 * could keep it until then.
 */
static int64_t end_of(int64_t its)
{
	int64_t now = (int64_t)time(NULL);

	return (its < now ? its : now) + TRY_SECONDS;
}

const char *doctor_untried(struct doctor *d)
{
	if (!d->service.len || !config_service(d->call->config, d->service))
		return "no token is shown to it: the service that it names is "
		       "not configured here";
	if (doctor_is_other(d))
		return "no token is shown to it: it names a service that "
		       "--service says it is not";
	if (d->ahead > TRY_SECONDS)
		return doctor_text(d,
				   "no token is shown to it: by its Date it is "
				   "%lld s ahead of this machine, where one "
				   "that lives a minute is dead",
				   (long long)d->ahead);
	return NULL;
}

static void spoil_signature(struct buf *token)
{
	size_t dot = token->len;

	while (dot && token->at[dot - 1] != '.')
		dot--;
	dot += (token->len - dot) / 2;
	token->at[dot] = token->at[dot] == 'A' ? 'B' : 'A';
}

/* Ends with a NUL. */
enum err doctor_make_token(struct doctor *d, const struct key *key, int form,
			   int64_t now, int64_t back, bool spoilt,
			   struct buf *out)
{
	AUTO(signer) struct signer *signer = NULL;
	AUTO(buf) struct buf head;
	struct scope_list nothing = { .len = 0 };
	struct claims claims = {
		.issuer = str_of(d->call->config->issuer),
		.audience = d->service,
		.now = now - back,
		.expires_at = end_of(now),
		.access = &nothing,
	};
	enum err err = doctor_make_head(key, form, &head);

	buf_init(out, DOCTOR_TOKEN_MAX);
	if (!err && RAND_bytes(claims.jti, sizeof(claims.jti)) != 1)
		err = E_CRYPTO;
	if (!err)
		err = signer_new(key, &signer);
	if (!err)
		err = claims_sign(&claims, buf_str(&head), signer, out);
	if (!err && spoilt)
		spoil_signature(out);
	if (!err)
		buf_add_char(out, '\0');
	return err ? err : out->over ? E_LIMIT : E_OK;
}

/* Of a 401: does its challenge say that the token is invalid? */
static bool says_invalid(struct doctor *d, struct str lines)
{
	struct challenge c;
	struct str line, error;

	while (doctor_head(&lines, STR("WWW-Authenticate"), &line))
		while (!challenge_next(&line, &d->call->arena, &c))
			if (str_eq_nocase(c.scheme, STR("Bearer")))
				return challenge_get(&c, STR("error"), &error);
	return true; /* zot's has none */
}

enum taken doctor_show(struct doctor *d, const char *token,
		       struct transfer_reply *reply)
{
	const char *url = doctor_text(d, "%s/v2/", d->url);
	AUTO(buf) struct buf head, body;

	doctor_get(d, url, token, false, &head, &body, reply);
	if (reply->end != TRANSFER_DONE)
		return TAKEN_UNASKED;
	if (reply->status == 200)
		return TAKEN_YES;
	if (reply->status == 401 && !says_invalid(d, buf_str(&head)))
		return TAKEN_KNOWN;
	return TAKEN_NO;
}

static enum taken try(struct doctor *d, size_t i, int form, bool spoilt,
		      struct transfer_reply *reply)
{
	AUTO(buf) struct buf token;

	*reply = (struct transfer_reply) { .end = TRANSFER_DONE };
	if (doctor_make_token(d, keyring_at(d->keyring, i), form, its_time(d),
			      TRY_BACK, spoilt, &token))
		return TAKEN_NO;
	return doctor_show(d, token.at, reply);
}

/* TAKEN_UNASKED: it has stopped answering. */
enum taken doctor_try_all(struct doctor *d, bool spoilt,
			  struct transfer_reply *reply)
{
	enum taken best = TAKEN_NO;

	for (size_t i = 0; i < keyring_len(d->keyring); i++) {
		for (int form = 0; form < FORMS; form++) {
			enum taken taken = try(d, i, form, spoilt, reply);

			if (taken == TAKEN_UNASKED)
				return taken;
			/* Without `spoilt`, "known" is a registry that never
			   says why. */
			if (!spoilt && taken == TAKEN_KNOWN)
				taken = TAKEN_NO;
			d->taken[i][form] = taken;
			best = taken > best ? taken : best;
		}
	}
	return best;
}
