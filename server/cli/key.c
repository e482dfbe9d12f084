/*
 * server/cli/key.c - dockpass key ...: each change of the keyring is published
 * at once; the server follows at a reload, registries at their restart.
 */
#include <stdio.h>
#include <string.h>

#include "server/cli/command.h"
#include "server/cli/registry.h"
#include "server/keys.h"
#include "token/date.h"

enum { EXPORT_MAX = 1 << 20, KID_LEAST = 4 /* letters of an id */ };

static const char follow[] = "run " RELOAD;
static const char bring[] =
	"bring public/bundle.pem to the registries, restart them";

bool call_keys(struct call *call, struct keyring **keyring)
{
	enum err err;

	*keyring = NULL;
	if (!call_store_owner(call, false))
		return false;
	err = keys_load(call->config->keys, keyring, &call->cause);
	if (err == E_NOT_FOUND)
		config_blame(call->config->keys_place, err, &call->cause);
	if (err)
		call_failed(call, err);
	return !err;
}

/*
 * The keys are changed, so this can no longer be refused: a key that leaked is
 * replaced whatever the store is like. One that signs already was not changed.
 */
static void put_in_log(struct call *call, const struct keyring *keyring,
		       enum change_type type, struct str kid, bool signs)
{
	struct change change = { .type = type, .text = kid };
	const struct key *key = keyring ? keyring_find(keyring, kid) : NULL;

	if (type == CHANGE_KEY_ACTIVATE && signs)
		return;
	if (type == CHANGE_KEY_NEW && key)
		change.value = key_alg_name(key->alg);
	call_log(call, &change);
}

/* *keyring: as it was before, or NULL; as it is now. */
static bool changed(struct call *call, struct keyring **keyring,
		    enum change_type type, struct str kid)
{
	const struct key *key = *keyring ? keyring_find(*keyring, kid) : NULL;
	bool signs = key && key->state == KEY_CURRENT;
	enum err err;

	keyring_free(*keyring);
	*keyring = NULL;
	err = keys_load(call->config->keys, keyring, &call->cause);
	if (err)
		call_failed(call, err);
	put_in_log(call, *keyring, type, kid, signs);
	call->lost = "the keys are changed all the same; see dockpass key list";
	return !err;
}

static bool is_made(struct call *call, const struct keyring *before,
		    struct str kid)
{
	AUTO(keyring) struct keyring *now = NULL;
	const struct key *was = before ? keyring_find(before, kid) : NULL, *is;
	struct cause what;

	if (keys_load(call->config->keys, &now, &what))
		return false;
	is = keyring_find(now, kid);
	return is && was ? is->state != was->state : !is != !was;
}

/* It may have failed once it was made: at the disk, or at the key's file. */
static int failed(struct call *call, struct keyring **keyring,
		  enum change_type type, struct str kid, enum err err)
{
	struct cause what = call->cause;

	if (!is_made(call, *keyring, kid))
		return call_failed(call, err);
	if (!changed(call, keyring, type, kid))
		return EXIT_REFUSED;
	err = cause_set(&call->cause, err, "%.800s; %s", what.text, call->lost);
	return call_failed(call, err);
}

static void print_json(struct buf *out, const struct key *key)
{
	json_open(out, '{');
	json_put_str(out, "kid", str_of(key->libtrust));
	json_put_str(out, "alg", key_alg_name(key->alg));
	json_put_str(out, "state", key_state_name(key->state));
	json_put_str(out, "rfc7638", str_of(key->rfc7638));
	put_time(out, "not_after", key->not_after);
	json_close(out, '}');
}

static int key_list(struct call *call)
{
	static const struct str head[] = {
		{ "KID", 3 },	  { "ALG", 3 },	    { "STATE", 5 },
		{ "RFC7638", 7 }, { "EXPIRES", 7 },
	};
	struct listing listing = { &call->arena, COUNT(head), 0, 0, NULL };
	AUTO(keyring) struct keyring *keyring = NULL;

	if (!call_keys(call, &keyring))
		return EXIT_REFUSED;
	listing_row(&listing, head);
	if (call->json)
		json_open(&call->out, '[');
	for (size_t i = 0; i < keyring_len(keyring); i++) {
		const struct key *key = keyring_at(keyring, i);
		const struct str cells[COUNT(head)] = {
			str_of(key->libtrust),		 key_alg_name(key->alg),
			key_state_name(key->state),	 str_of(key->rfc7638),
			show_date(call, key->not_after),
		};

		if (call->json)
			print_json(&call->out, key);
		else
			listing_row(&listing, cells);
	}
	return listing_end(&listing, call);
}

static void print_key(struct call *call, const struct keyring *keyring,
		      struct str kid)
{
	const struct key *key = keyring_find(keyring, kid);

	if (!key)
		return;
	if (call->json)
		print_json(&call->out, key);
	else
		buf_add(&call->out, str_of(key->libtrust));
	buf_add_char(&call->out, '\n');
}

static int key_new_command(struct call *call)
{
	AUTO(keyring) struct keyring *keyring = NULL;
	enum key_alg alg = ALG_ES256;
	char kid[60];
	enum err err;

	if (call->opts[OPT_ALG] && key_alg_parse(call_opt(call, OPT_ALG), &alg))
		return call_usage(call,
				  "algorithm '%.40s' is not ES256, "
				  "RS256, ES384 or EdDSA",
				  call->opts[OPT_ALG]);
	if (!call_store_owner(call, false))
		return EXIT_REFUSED;
	err = keys_new(call->config->keys, call->config->public, alg,
		       str_of(call->config->issuer), call->now, kid,
		       &call->cause);
	if (err)
		return failed(call, &keyring, CHANGE_KEY_NEW, str_of(kid), err);
	if (!changed(call, &keyring, CHANGE_KEY_NEW, str_of(kid)))
		return EXIT_REFUSED;
	print_key(call, keyring, str_of(kid));
	if (alg == ALG_EDDSA)
		call_warn(call,
			  "dockpass: warning: registry 2.8 does not start "
			  "with an Ed25519 key in its bundle; use it with "
			  "registry 3 alone");
	if (keyring_find(keyring, str_of(kid))->state == KEY_CURRENT)
		call_note(call, "the first key, so it signs: %s, %s", follow,
			  bring);
	else
		call_note(call,
			  "published, not signing yet: %s, %s, then dockpass "
			  "key activate %s",
			  follow, bring, kid);
	return EXIT_DONE;
}

static bool begins(const struct key *key, struct str text)
{
	return text.len >= KID_LEAST &&
	       (str_starts(str_of(key->libtrust), text) ||
		str_starts(str_of(key->rfc7638), text));
}

/* By either id or its beginning; what a wrong one gets is printed. */
static bool find_key(struct call *call, const struct keyring *keyring,
		     struct str *kid)
{
	struct str text = call->args[0];
	const struct key *whole = keyring_find(keyring, text), *found = whole;

	for (size_t i = 0; !whole && i < keyring_len(keyring); i++) {
		if (!begins(keyring_at(keyring, i), text))
			continue;
		if (found) {
			call_refuse(call,
				    "several keys begin with '%.80s'; "
				    "dockpass key list shows all",
				    text.at);
			return false;
		}
		found = keyring_at(keyring, i);
	}
	if (!found) {
		call_refuse(call, "no key '%.80s'; dockpass key list shows all",
			    text.at);
		return false;
	}
	*kid = arena_copy(&call->arena, str_of(found->libtrust));
	return true;
}

static int key_change(struct call *call,
		      enum err (*change)(const char *folder, const char *public,
					 struct str kid, struct cause *cause),
		      enum change_type type, const char *then,
		      const char *after)
{
	AUTO(keyring) struct keyring *keyring = NULL;
	struct str kid;
	enum err err;

	if (!call_keys(call, &keyring) || !find_key(call, keyring, &kid))
		return EXIT_REFUSED;
	err = change(call->config->keys, call->config->public, kid,
		     &call->cause);
	if (err)
		return failed(call, &keyring, type, kid, err);
	if (!changed(call, &keyring, type, kid))
		return EXIT_REFUSED;
	if (call->json)
		print_key(call, keyring, kid);
	call_note(call, "%s: %s%s%s", then, follow, *after ? ", " : "", after);
	return EXIT_DONE;
}

static int key_activate(struct call *call)
{
	return key_change(call, keys_activate, CHANGE_KEY_ACTIVATE,
			  "it signs once the server knows", "");
}

/* Whoever forgets the reload has a server whose tokens nobody takes. */
static int key_remove(struct call *call)
{
	return key_change(call, keys_remove, CHANGE_KEY_REMOVE,
			  "removed; the server may still sign with it", bring);
}

static int key_export(struct call *call)
{
	struct str format = call_opt(call, OPT_FORMAT);
	bool jwks = str_eq(format, STR("jwks"));
	bool current = call->opts[OPT_CURRENT];
	AUTO(keyring) struct keyring *keyring = NULL;
	AUTO(buf) struct buf text;
	enum err err;

	buf_init(&text, EXPORT_MAX);

	if (!format.len)
		return call_usage(call, "key export: --format is missing");
	if (!jwks && !str_eq(format, STR("pem")))
		return call_usage(call, "format '%.40s' is not pem or jwks",
				  format.at);
	if (!call_keys(call, &keyring))
		return EXIT_REFUSED;
	err = jwks ? keyring_print_jwks(keyring, current, &text)
		   : keyring_print_bundle(keyring, current, &text);
	if (err)
		return call_failed(call, err);
	if (call->json && !jwks) {
		json_open(&call->out, '{');
		json_put_str(&call->out, "pem", buf_str(&text));
		json_close(&call->out, '}');
	} else {
		buf_add(&call->out, buf_str(&text));
	}
	if (call->json || jwks)
		buf_add_char(&call->out, '\n');
	return EXIT_DONE;
}

/* clang-format off */
static const struct command rows[] = {
	{ "key list", "", "the keys that sign, will sign, or have signed", 0, 0, O(JSON), key_list },
	{ "key new", "[--alg ES256|RS256|ES384|EdDSA]", "make the next key and publish it; it does not sign yet", 0, 0, O(JSON) | O(ALG), key_new_command },
	{ "key activate", "KID", "let the next key sign; the one before is retired", 1, 1, O(JSON), key_activate },
	{ "key remove", "KID", "forget a key that does not sign", 1, 1, 0, key_remove },
	{ "key export", "[--current] --format pem|jwks", "certificates or public keys, for registries", 0, 0, O(CURRENT) | O(FORMAT) | O(JSON), key_export },
	{ "registry-config", "[--service S] [--format yaml|env] [--registry 2|3] [--bundle PATH]",
	  "the auth section of a registry's configuration", 0, 0,
	  O(SERVICE) | O(FORMAT) | O(REGISTRY) | O(BUNDLE) | O(JSON), registry_run },
};
/* clang-format on */

const struct command_group key_commands = { rows, COUNT(rows) };
