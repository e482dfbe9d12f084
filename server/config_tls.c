/* server/config_tls.c - certificates and client_ca of dockpass.yaml. */
#include "server/config_check.h"

#include <stdio.h>
#include <string.h>

#include "server/config_table.h"

unsigned config_certificates(const struct config_tls *tls)
{
	return tls->more_count + (tls->own.certificate || tls->own.key);
}

const struct config_certificate *config_certificate(
	const struct config_tls *tls, unsigned i)
{
	bool own = tls->own.certificate || tls->own.key;

	if (own && !i)
		return &tls->own;
	assert(i - own < tls->more_count);
	return &tls->more[i - own];
}

/* "listeners[0].tls.certificates[1].key" */
static void path_of(const char *tls_path, const struct config_tls *tls,
		    unsigned i, const char *key, char out[OPTION_NAME_MAX])
{
	const struct config_certificate *at = config_certificate(tls, i);

	if (at == &tls->own)
		snprintf(out, OPTION_NAME_MAX, "%s.%s", tls_path, key);
	else
		snprintf(out, OPTION_NAME_MAX, "%s.certificates[%u].%s",
			 tls_path, (unsigned)(at - tls->more), key);
}

static enum err check_pair(const struct checker *c, const char *tls_path,
			   const struct config_tls *tls, unsigned i)
{
	const struct config_certificate *at = config_certificate(tls, i);
	char certificate[OPTION_NAME_MAX], key[OPTION_NAME_MAX];
	enum err err;

	path_of(tls_path, tls, i, "certificate", certificate);
	path_of(tls_path, tls, i, "key", key);
	if (!at->certificate && !at->key)
		return check_bad(c, certificate,
				 "is missing; tls needs certificate and key");
	if (!at->certificate || !at->key)
		return check_bad(c, at->key ? key : certificate,
				 "one of the two files alone; tls needs "
				 "certificate and key");
	err = check_file(c, certificate, at->certificate, false);
	return err ? err : check_file(c, key, at->key, true);
}

static enum err check_clients(const struct checker *c, const char *tls_path,
			      const struct config_tls *tls)
{
	char ca[OPTION_NAME_MAX], how[OPTION_NAME_MAX];

	snprintf(ca, sizeof(ca), "%s.client_ca", tls_path);
	snprintf(how, sizeof(how), "%s.client_certificates", tls_path);
	if (tls->client_certificates &&
	    strcmp(tls->client_certificates, "required") &&
	    strcmp(tls->client_certificates, "optional"))
		return check_bad(c, how, "is neither required nor optional");
	if (tls->client_certificates && !tls->client_ca)
		return check_bad(c, how,
				 "without client_ca; name the file of the "
				 "authorities that make them");
	if (tls->client_ca && !config_certificates(tls))
		return check_bad(c, ca,
				 "tls without a certificate; add certificate "
				 "and key");
	return tls->client_ca ? check_file(c, ca, tls->client_ca, false) : E_OK;
}

enum err check_tls(const struct checker *c, const char *path,
		   const struct config_tls *tls)
{
	enum err err = E_OK;

	for (unsigned i = 0; !err && i < config_certificates(tls); i++)
		err = check_pair(c, path, tls, i);
	return err ? err : check_clients(c, path, tls);
}

void keep_tls_places(const struct config *config, const char *path,
		     struct config_tls *tls)
{
	char at[OPTION_NAME_MAX];

	snprintf(at, sizeof(at), "%s.client_ca", path);
	tls->client_ca_place = config_place(config, at);
	for (unsigned i = 0; i < config_certificates(tls); i++) {
		struct config_certificate *one =
			(struct config_certificate *)(uintptr_t)
				config_certificate(tls, i);

		path_of(path, tls, i, "certificate", at);
		one->certificate_place = config_place(config, at);
		path_of(path, tls, i, "key", at);
		one->key_place = config_place(config, at);
	}
}
