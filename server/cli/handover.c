/*
 * server/cli/handover.c - a new secret in the form that its holder's program
 * reads: --format of token create and token rotate.
 */
#include "server/cli/token.h"

#include <string.h>

#include "server/config_check.h"
#include "token/date.h"
#include "token/encode.h"

enum { NAME_MAX_LEN = 253, TEXT_SIZE = 4096 };

static const char *const formats[] = {
	[HANDOVER_DOCKER] = "dockerconfigjson",
	[HANDOVER_KUBERNETES] = "kubernetes-secret",
	[HANDOVER_ENV] = "env",
};

/* HOST, HOST:PORT, [::1]:PORT; no "https://", no path. */
static bool is_host(struct str host)
{
	return !host_port_check(host, NULL);
}

/* A DNS subdomain (RFC 1123 2.1), as Kubernetes wants it. */
static bool is_secret_name(struct str name)
{
	bool edge = true; /* a label begins, or has just ended */

	for (size_t i = 0; i < name.len; i++) {
		char c = name.at[i];

		if (!ascii_is_low(c) && (edge || (c != '-' && c != '.')))
			return false;
		if (c == '.' && name.at[i - 1] == '-')
			return false;
		edge = c == '.';
	}
	return name.len && name.len <= NAME_MAX_LEN &&
	       ascii_is_low(name.at[name.len - 1]);
}

static int read_format(struct call *call, enum handover_format *out)
{
	struct str word = call_opt(call, OPT_FORMAT);

	*out = HANDOVER_SECRET;
	if (!word.len)
		return EXIT_DONE;
	if (call->json)
		return call_usage(call, "--format and --json exclude each "
					"other");
	for (size_t i = HANDOVER_DOCKER; i < COUNT(formats); i++)
		if (str_eq(word, str_of(formats[i]))) {
			*out = (enum handover_format)i;
			return EXIT_DONE;
		}
	return call_usage(call,
			  "format '%.40s' is not dockerconfigjson, "
			  "kubernetes-secret or env",
			  word.at);
}

/* An option that some formats need and the others have no use for. */
static int read_part(struct call *call, bool needed, enum opt opt,
		     bool (*valid)(struct str text), const char *what,
		     struct str *out)
{
	const char *name = opt == OPT_REGISTRY ? "registry" : "secret-name";

	*out = call_opt(call, opt);
	if (needed && !out->len)
		return call_usage(call, "--format %s needs --%s %s",
				  call->opts[OPT_FORMAT], name, what);
	if (!needed && out->len)
		return call_usage(call, "--%s is for --format %s", name,
				  opt == OPT_REGISTRY ? "dockerconfigjson and "
							"kubernetes-secret"
						      : "kubernetes-secret");
	if (needed && !valid(*out))
		return call_usage(call, "--%s '%.80s' is no %s", name, out->at,
				  what);
	return EXIT_DONE;
}

int handover_read(struct call *call, struct handover *out)
{
	int status;
	bool secret, docker;

	*out = (struct handover) { 0 };
	status = read_format(call, &out->format);
	if (status)
		return status;
	secret = out->format == HANDOVER_KUBERNETES;
	docker = secret || out->format == HANDOVER_DOCKER;
	status = read_part(call, docker, OPT_REGISTRY, is_host,
			   "HOST or HOST:PORT", &out->registry);
	if (status)
		return status;
	return read_part(call, secret, OPT_SECRET_NAME, is_secret_name,
			 "name of a Kubernetes object: lower-case letters, "
			 "digits, \"-\" and \".\"",
			 &out->name);
}

/* {"auths":{HOST:{"auth":base64(user:secret)}}}, as docker login writes it. */
static void put_docker_config(struct buf *out, struct str host, struct str user,
			      struct str secret)
{
	AUTO(buf) struct buf pair, auth;

	buf_init(&pair, TEXT_SIZE);
	buf_init(&auth, TEXT_SIZE);
	buf_printf(&pair, STR_FMT ":" STR_FMT, STR_ARG(user), STR_ARG(secret));
	base64_add(&auth, buf_str(&pair));
	json_open(out, '{');
	json_key(out, "auths");
	json_open(out, '{');
	json_str(out, host);
	buf_add_char(out, ':');
	json_open(out, '{');
	json_put_str(out, "auth", buf_str(&auth));
	json_close(out, '}');
	json_close(out, '}');
	json_close(out, '}');
}

static void put_kubernetes(struct buf *out, const struct handover *how,
			   struct str user, struct str secret)
{
	AUTO(buf) struct buf config;

	buf_init(&config, TEXT_SIZE);
	put_docker_config(&config, how->registry, user, secret);
	buf_printf(out,
		   "apiVersion: v1\nkind: Secret\nmetadata:\n  name: \"" STR_FMT
		   "\"\ntype: kubernetes.io/dockerconfigjson\ndata:\n"
		   "  .dockerconfigjson: ",
		   STR_ARG(how->name));
	base64_add(out, buf_str(&config));
}

static void put(struct buf *out, const struct handover *how, struct str user,
		struct str secret)
{
	switch (how->format) {
	case HANDOVER_SECRET:
		buf_add(out, secret);
		break;
	case HANDOVER_DOCKER:
		put_docker_config(out, how->registry, user, secret);
		break;
	case HANDOVER_KUBERNETES:
		put_kubernetes(out, how, user, secret);
		break;
	case HANDOVER_ENV:
		buf_printf(out,
			   "CI_REGISTRY_USER=" STR_FMT
			   "\nCI_REGISTRY_PASSWORD=" STR_FMT,
			   STR_ARG(user), STR_ARG(secret));
		break;
	}
	buf_add_char(out, '\n');
}

int handover_print(struct call *call, const struct handover *how, uint64_t id,
		   struct str secret)
{
	AUTO(txn) struct txn txn = { 0 };
	struct pat pat;
	struct user owner;
	enum err err;

	call->lost = arena_cstr(
		&call->arena,
		arena_printf(&call->arena,
			     "the secret of token %llu is lost; revoke it and "
			     "create another",
			     (unsigned long long)id));
	if (call->json)
		return token_print(call, id, secret);
	txn_read(call->db, &txn);
	err = pat_get(&txn, id, &pat);
	if (!err)
		err = user_get(&txn, pat.user, &owner);
	if (err)
		return call_failed(call, err);
	put(&call->out, how, owner.name, secret);
	call_note(call, "token %llu made, %s%s; its secret is not shown again",
		  (unsigned long long)id,
		  pat.expires_at ? "dies on " : "never expires",
		  pat.expires_at ? date_print(pat.expires_at).at : "");
	return EXIT_DONE;
}
