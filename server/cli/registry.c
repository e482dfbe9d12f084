/*
 * server/cli/registry.c - dockpass registry-config: a stanza that works when
 * it is pasted.
 *
 *   registry        | finds the key of a JWT by
 *   2.8             | its x5c or libtrust id, in rootcertbundle
 *   3, x5c: true    | its x5c, in rootcertbundle
 *   3, x5c: false   | either id, in jwks
 *
 * Without --registry it is what 2 and 3 both take, if there is such a thing.
 */
#include "server/cli/registry.h"

#include <string.h>

#include "server/config_table.h"
#include "server/keys.h"
#include "token/buf.h"

struct stanza {
	struct str realm, service, issuer, bundle, jwks;
	bool with_bundle, with_jwks, algorithms;
	const struct keyring *keyring;
};

static bool has_alg(const struct keyring *keyring, enum key_alg alg)
{
	for (size_t i = 0; i < keyring_len(keyring); i++)
		if (keyring_at(keyring, i)->alg == alg)
			return true;
	return false;
}

/* What cannot work is refused here, not by the registry at two in the night. */
static int choose(struct call *call, const struct config_service *service,
		  struct stanza *s)
{
	struct str asked = call_opt(call, OPT_REGISTRY);
	bool three = str_eq(asked, STR("3")), both = !asked.len;
	bool eddsa = has_alg(s->keyring, ALG_EDDSA);

	if (!both && !three && !str_eq(asked, STR("2")))
		return call_usage(call, "registry '%.40s' is not 2 or 3",
				  asked.at);
	if (!three && eddsa)
		return call_refuse(call, "registry 2 does not start with an "
					 "Ed25519 key in its bundle; say "
					 "--registry 3, or dockpass key remove "
					 "it");
	if (!three && !service->x5c && service->kid == KID_RFC7638)
		return call_refuse(call,
				   "registry 2 finds no key by kid: "
				   "rfc7638 without x5c; set kid: libtrust "
				   "or x5c: true, or say --registry 3");
	if (both && !service->x5c)
		return call_refuse(call, "x5c: false: registry 2 needs the "
					 "bundle, registry 3 the jwks; say "
					 "--registry 2 or --registry 3");
	s->with_bundle = !three || service->x5c;
	s->with_jwks = three;
	s->algorithms = three;
	return EXIT_DONE;
}

static void find_paths(struct call *call, struct stanza *s)
{
	struct str bundle = call_opt(call, OPT_BUNDLE);
	struct arena *arena = &call->arena;
	size_t folder;

	if (!bundle.len)
		bundle = arena_printf(arena, "%s/bundle.pem",
				      call->config->public);
	folder = bundle.len;
	while (folder && bundle.at[folder - 1] != '/')
		folder--;
	s->bundle = bundle;
	s->jwks = arena_printf(arena, STR_FMT "jwks.json",
			       STR_ARG(str_head(bundle, folder)));
}

/* Each algorithm of the keyring once: no other is worth accepting. */
static void print_algorithms(const struct stanza *s, struct buf *out)
{
	static const enum key_alg all[] = { ALG_ES256, ALG_RS256, ALG_ES384,
					    ALG_EDDSA };
	bool any = false;

	buf_add_char(out, '[');
	for (size_t i = 0; i < COUNT(all); i++) {
		if (!has_alg(s->keyring, all[i]))
			continue;
		buf_printf(out, "%s" STR_FMT, any ? ", " : "",
			   STR_ARG(key_alg_name(all[i])));
		any = true;
	}
	buf_add_char(out, ']');
}

static void yaml_line(struct buf *out, const char *key, struct str value)
{
	buf_printf(out, "    %s: ", key);
	yaml_quote(value, out);
	buf_add_char(out, '\n');
}

static void print_yaml(const struct stanza *s, struct buf *out)
{
	buf_add(out, STR("auth:\n  token:\n"));
	yaml_line(out, "realm", s->realm);
	yaml_line(out, "service", s->service);
	yaml_line(out, "issuer", s->issuer);
	if (s->with_bundle)
		yaml_line(out, "rootcertbundle", s->bundle);
	if (s->with_jwks)
		yaml_line(out, "jwks", s->jwks);
	if (!s->algorithms)
		return;
	buf_add(out, STR("    signingalgorithms: "));
	print_algorithms(s, out);
	buf_add_char(out, '\n');
}

/* For a shell, `docker run --env-file` and systemd alike: no quotes. */
static void env_line(struct buf *out, const char *key, struct str value)
{
	buf_printf(out, "REGISTRY_AUTH_TOKEN_%s=" STR_FMT "\n", key,
		   STR_ARG(value));
}

static void print_env(const struct stanza *s, struct buf *out)
{
	buf_add(out, STR("REGISTRY_AUTH=token\n"));
	env_line(out, "REALM", s->realm);
	env_line(out, "SERVICE", s->service);
	env_line(out, "ISSUER", s->issuer);
	if (s->with_bundle)
		env_line(out, "ROOTCERTBUNDLE", s->bundle);
	if (s->with_jwks)
		env_line(out, "JWKS", s->jwks);
}

static void print_json(const struct stanza *s, struct buf *out)
{
	json_open(out, '{');
	json_put_str(out, "realm", s->realm);
	json_put_str(out, "service", s->service);
	json_put_str(out, "issuer", s->issuer);
	if (s->with_bundle)
		json_put_str(out, "rootcertbundle", s->bundle);
	if (s->with_jwks)
		json_put_str(out, "jwks", s->jwks);
	json_close(out, '}');
	buf_add_char(out, '\n');
}

static int find_service(struct call *call,
			const struct config_service **service)
{
	struct str name = call_opt(call, OPT_SERVICE);

	*service = config_service(call->config, name);
	if (*service)
		return EXIT_DONE;
	if (name.len)
		return call_no_service(call, name);
	return call_refuse(
		call, "several services in %s; say --service, one of " STR_FMT,
		call->config->path, STR_ARG(call_services(call)));
}

int registry_run(struct call *call)
{
	struct str format = call_opt(call, OPT_FORMAT);
	struct str bundle = call_opt(call, OPT_BUNDLE);
	bool env = str_eq(format, STR("env"));
	AUTO(keyring) struct keyring *keyring = NULL;
	const struct config_service *service;
	struct stanza s = { 0 };
	int status;

	if (format.len && !env && !str_eq(format, STR("yaml")))
		return call_usage(call, "format '%.40s' is not yaml or env",
				  format.at);
	if (bundle.len && bundle.at[bundle.len - 1] == '/')
		return call_usage(call,
				  "--bundle %.100s is a folder; name the file "
				  "in it, as %.100sbundle.pem",
				  bundle.at, bundle.at);
	if (!call_keys(call, &keyring))
		return EXIT_REFUSED;
	s.keyring = keyring;
	if (!bundle.len &&
	    keys_check_public(keyring, call->config->public, &call->cause))
		call_warn(call, "dockpass: warning: %s", call->cause.text);
	status = find_service(call, &service);
	if (!status)
		status = choose(call, service, &s);
	if (status)
		return status;
	s.realm = arena_printf(&call->arena, "%s/token", call->config->url);
	s.service = str_of(service->name);
	s.issuer = str_of(call->config->issuer);
	find_paths(call, &s);
	if (call->json)
		print_json(&s, &call->out);
	else if (env)
		print_env(&s, &call->out);
	else
		print_yaml(&s, &call->out);
	return EXIT_DONE;
}
