/*
 * server/cli/doctor_key.c - which of our keys does a registry trust, how must
 * they be named, and does it take what the realm gives?
 */
#include "server/cli/doctor.h"

#include <string.h>
#include <time.h>

#include "token/claims.h"

static const char *const form_names[FORMS] = {
	[FORM_X5C] = "x5c",
	[FORM_LIBTRUST] = "kid: libtrust",
	[FORM_RFC7638] = "kid: rfc7638",
};

static bool is_taken(const struct doctor *d, size_t i, enum taken least)
{
	for (int form = 0; form < FORMS; form++)
		if (d->taken[i][form] >= least)
			return true;
	return false;
}

/* "x5c, kid: libtrust" */
static const char *print_forms(struct doctor *d, size_t i, enum taken least)
{
	const char *list = "";

	for (int form = 0; form < FORMS; form++)
		if (d->taken[i][form] >= least)
			list = doctor_text(d, "%s%s%s", list, *list ? ", " : "",
					   form_names[form]);
	return list;
}

/* Those of one state that are taken; NULL: none. */
static const struct key *find_taken(struct doctor *d, enum key_state state,
				    enum taken least, size_t *at)
{
	for (size_t i = 0; i < keyring_len(d->keyring); i++) {
		const struct key *key = keyring_at(d->keyring, i);

		*at = i;
		if (key->state == state && is_taken(d, i, least))
			return key;
	}
	return NULL;
}

const char *doctor_bring(struct doctor *d)
{
	return doctor_text(d,
			   "bring %s/bundle.pem (or jwks.json; dockpass key "
			   "export prints both) to the registry's "
			   "auth.token.rootcertbundle (or jwks), and restart "
			   "it",
			   d->call->config->public);
}

static enum health found_key(struct doctor *d, size_t at, enum taken least)
{
	const struct key *key = keyring_at(d->keyring, at);
	const char *also = "";

	d->known |= KNOWN_KEY;
	for (size_t i = 0; i < keyring_len(d->keyring); i++) {
		const struct key *other = keyring_at(d->keyring, i);

		if (i != at && is_taken(d, i, least))
			also = doctor_text(
				d, "%s; and %s, " STR_FMT, also,
				other->libtrust,
				STR_ARG(key_state_name(other->state)));
	}
	return doctor_found(d, HEALTH_OK, NULL, "%s %s, which signs (%s)%s",
			    least == TAKEN_YES ? "takes" : "knows",
			    key->libtrust, print_forms(d, at, least), also);
}

static enum health found_another(struct doctor *d, enum taken least)
{
	size_t at;
	const struct key *key = find_taken(d, KEY_RETIRED, least, &at);

	if (key)
		return doctor_found(
			d, HEALTH_FAIL, doctor_bring(d),
			"the registry knows only %s, which is retired: its "
			"bundle is older than the key that signs",
			key->libtrust);
	key = find_taken(d, KEY_NEXT, least, &at);
	return doctor_found(
		d, HEALTH_FAIL,
		doctor_text(d, "dockpass key activate %s and reload; or %s",
			    key->libtrust, doctor_bring(d)),
		"the registry knows only %s, which does not sign yet",
		key->libtrust);
}

static enum health found_none(struct doctor *d, bool tells)
{
	const struct key *key = keyring_current(d->keyring);
	const char *issuer = d->call->config->issuer;
	struct transfer_reply reply;

	if (d->given && doctor_show(d, d->given, &reply) == TAKEN_YES)
		return doctor_found(
			d, HEALTH_FAIL,
			doctor_text(d,
				    "compare %s and %s with what they were "
				    "when it started, before a reload",
				    d->call->config->issuer_place,
				    d->call->config->keys_place),
			"the registry takes what the realm gives, and nothing "
			"that this configuration would give (issuer '%s')",
			issuer);
	if (d->registry2 && key->alg == ALG_EDDSA)
		return doctor_found(d, HEALTH_FAIL,
				    "change to another key: dockpass key new "
				    "--alg ES256",
				    "registry 2 verifies no Ed25519 key");
	if (tells && !d->registry2)
		return doctor_found(
			d, HEALTH_FAIL, doctor_bring(d),
			"the registry trusts another certificate: it knows "
			"none of our keys (or its signingalgorithms "
			"lack " STR_FMT ")",
			STR_ARG(key_alg_name(key->alg)));
	return doctor_found(
		d, HEALTH_FAIL,
		doctor_text(d,
			    "%s; there also look at auth.token.issuer, it "
			    "must be %s. Its log says which: 'certificate "
			    "signed by unknown authority', 'untrusted key' "
			    "or 'untrusted issuer'",
			    doctor_bring(d), issuer),
		"the registry trusts another certificate, or another issuer "
		"than %s: it takes no token of any of our keys",
		issuer);
}

enum health check_key(struct doctor *d)
{
	const char *untried = doctor_untried(d);
	struct transfer_reply reply;
	enum taken best, garbage;
	bool tells = false;
	size_t at;

	if (untried)
		return doctor_found(d, HEALTH_SKIPPED, NULL, "%s", untried);
	best = doctor_try_all(d, false, &reply);
	if (best == TAKEN_NO) {
		garbage = doctor_show(d, "a.b.c", &reply);
		tells = garbage == TAKEN_NO && reply.status == 401;
		if (garbage == TAKEN_UNASKED)
			best = garbage;
		else if (tells)
			best = doctor_try_all(d, true, &reply);
	}
	if (best == TAKEN_UNASKED)
		return doctor_no_answer(d, "the registry", d->url, "", &reply);
	if (best == TAKEN_NO)
		return found_none(d, tells);
	if (find_taken(d, KEY_CURRENT, best, &at))
		return found_key(d, at, best);
	return found_another(d, best);
}

static const struct config_service *service_of(const struct doctor *d)
{
	const struct config *config = d->call->config;
	const struct config_service *service =
		config_service(config, d->service);

	return service ? service : &config->services[0];
}

static size_t current_at(const struct doctor *d)
{
	for (size_t i = 0; i < keyring_len(d->keyring); i++)
		if (keyring_at(d->keyring, i)->state == KEY_CURRENT)
			return i;
	return 0;
}

/* As live_header() has it. */
static int form_of(const struct doctor *d, const struct config_service *service)
{
	const struct key *key = keyring_current(d->keyring);

	if (service->x5c && key->not_after > d->call->now)
		return FORM_X5C;
	return service->kid == KID_RFC7638 ? FORM_RFC7638 : FORM_LIBTRUST;
}

/* Do the tokens name their key in a way by which it finds it? */
enum health check_form(struct doctor *d)
{
	static const char *const write[FORMS] = {
		[FORM_X5C] = "x5c: true",
		[FORM_LIBTRUST] = "x5c: false and kid: libtrust",
		[FORM_RFC7638] = "x5c: false and kid: rfc7638",
	};
	const struct config_service *service = service_of(d);
	int form = form_of(d, service), good = 0;
	size_t at = current_at(d);

	if (d->taken[at][form] >= TAKEN_KNOWN)
		return doctor_found(d, HEALTH_OK, NULL,
				    "service %s names its key by %s, as the "
				    "registry finds it",
				    service->name, form_names[form]);
	while (good < FORMS - 1 && d->taken[at][good] < TAKEN_KNOWN)
		good++;
	return doctor_found(
		d, HEALTH_FAIL,
		doctor_text(d, "beside %s write %s, and reload%s",
			    service->place, write[good],
			    form == FORM_X5C
				    ? "; or give the registry "
				      "auth.token.rootcertbundle as well"
				    : ""),
		"service %s names its key by %s, the registry finds it only by "
		"%s",
		service->name, form_names[form],
		print_forms(d, at, TAKEN_KNOWN));
}

enum health check_issuer(struct doctor *d)
{
	const struct config *config = d->call->config;

	if (is_taken(d, current_at(d), TAKEN_YES))
		return doctor_found(d, HEALTH_OK, NULL, "takes '%s'",
				    config->issuer);
	return doctor_found(
		d, HEALTH_FAIL,
		doctor_text(d,
			    "write auth.token.issuer: %s in the registry's "
			    "config.yml and restart it, or change %s and "
			    "reload",
			    config->issuer, config->issuer_place),
		"the registry knows the key, its service and clock are right, "
		"and it takes no token: it expects another issuer than '%s'",
		config->issuer);
}

/* Which key has signed it? A JWT begins as its key's header does. */
static const struct key *signer_of(struct doctor *d, struct str token)
{
	for (size_t i = 0; i < keyring_len(d->keyring); i++) {
		const struct key *key = keyring_at(d->keyring, i);

		for (int form = 0; form <= FORMS; form++) {
			AUTO(buf) struct buf head;
			enum err err;

			/* x5c beside the other id. */
			buf_init(&head, DOCTOR_TOKEN_MAX);
			err = form < FORMS ? doctor_make_head(key, form, &head)
					   : claims_header(key, KID_RFC7638,
							   true, &head);
			buf_add_char(&head, '.');
			if (!err && head.len && !head.over &&
			    str_starts(token, buf_str(&head)))
				return key;
		}
	}
	return NULL;
}

enum health check_signer(struct doctor *d)
{
	enum told told = doctor_told(d);
	const struct key *key;

	/* As after a leak: it comes before what the registry has to be told. */
	if (told == TOLD_GONE)
		return doctor_untold(d, told, doctor_bring(d));
	if (!d->given && told == TOLD_NOT)
		return doctor_untold(d, told, NULL);
	if (!d->given)
		return doctor_found(d, HEALTH_SKIPPED, NULL,
				    "the realm gives nothing to the anonymous");
	key = signer_of(d, str_of(d->given));
	if (!key)
		return doctor_found(
			d, HEALTH_FAIL,
			doctor_text(d,
				    "if it is this dockpass, %s; else make the "
				    "realm lead to this one",
				    doctor_tell(d)),
			"what %.200s gives is signed by no key of %s", d->realm,
			d->call->config->keys);
	if (key->state != KEY_CURRENT)
		return doctor_found(
			d, HEALTH_FAIL, doctor_tell(d),
			"the running server signs with %s, which is not the "
			"current key: it was not told of the change",
			key->libtrust);
	return doctor_found(d, HEALTH_OK, NULL,
			    "the realm's tokens are signed by %s",
			    key->libtrust);
}

/* It takes such tokens, those that were tried; and the clocks agree. */
static bool is_as_tried(const struct doctor *d, int form)
{
	return d->taken[current_at(d)][form] == TAKEN_YES && d->dated &&
	       d->ahead <= DOCTOR_SKEW && d->ahead >= -DOCTOR_SKEW;
}

/* At last, what a client would do. */
enum health check_token(struct doctor *d)
{
	const struct config_service *service =
		config_service(d->call->config, d->service);
	AUTO(buf) struct buf own;
	struct transfer_reply reply;
	const char *token = d->given;
	enum taken taken;

	buf_init(&own, 0);
	if (!token && doctor_untried(d))
		return doctor_found(d, HEALTH_SKIPPED, NULL,
				    "none is given for that service, and %s",
				    doctor_untried(d));
	if (!token) {
		if (doctor_make_token(d, keyring_current(d->keyring),
				      form_of(d, service), (int64_t)time(NULL),
				      0, false, &own))
			return doctor_found(d, HEALTH_FAIL, NULL,
					    "no token can be made");
		token = own.at;
	}
	taken = doctor_show(d, token, &reply);
	if (taken == TAKEN_UNASKED)
		return doctor_no_answer(d, "the registry", d->url, "", &reply);
	if (taken == TAKEN_YES)
		return doctor_found(d, HEALTH_OK, NULL, "the registry takes %s",
				    d->given ? "what the realm gives"
					     : "a token as the realm gives it");
	if (reply.status != 401)
		return doctor_found(
			d, HEALTH_FAIL,
			"look at the limits of a proxy in front: x5c makes "
			"tokens longer",
			"the registry answers a token of %zu bytes with %ld",
			strlen(token), reply.status);
	if (service && d->known & KNOWN_CLOCK &&
	    is_as_tried(d, form_of(d, service)))
		return doctor_found(
			d, HEALTH_FAIL, "switch on NTP on its machine",
			"the registry refuses a token that begins now, and "
			"takes one that begins a day back: its clock is not "
			"what its Date says");
	return doctor_found(d, HEALTH_FAIL,
			    d->known & KNOWN_KEY
				    ? "the registry's own log says why"
				    : "mend what failed above",
			    "the registry refuses %s",
			    d->given ? "what the realm gives"
				     : "a token as the realm gives it");
}
