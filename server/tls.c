/*
 * server/tls.c - a listener's context: a SSL_CTX for each set of certificates
 * that some name is answered with, and what is common to them.
 *
 * The first SSL_CTX stands for all; the others, and the table of names, hang on
 * it as its "extra data", and go when its last connection has gone.
 */
#include "server/tls.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "server/tls_own.h"
#include "server/tls_pair.h"

enum { DOUBTS_MAX = 16 };

/* What hangs on the first context. */
struct info {
	struct tls_names *names;
	struct choice {
		struct tls_set set;
		SSL_CTX *context; /* of the first: NULL, it does not own itself
				   */
	} * choices;
	size_t choices_count;
	struct tls_file *files;
	size_t files_count;
	char *doubts[DOUBTS_MAX];
	size_t doubts_count;
};

/* While it is made. */
struct maker {
	const struct config_tls *config;
	struct info *info;
	struct tls_pair *pairs;
	unsigned pairs_count, at; /* at: whose names are read */
	bool named;
	STACK_OF(X509) * authorities;
	X509_STORE *store;
	struct cause *cause;
	enum err err;
};

static int info_index = -1;

static void info_free(struct info *info)
{
	if (!info)
		return;
	for (size_t i = 0; i < info->choices_count; i++)
		SSL_CTX_free(info->choices[i].context);
	for (size_t i = 0; i < info->doubts_count; i++)
		free(info->doubts[i]);
	tls_names_free(info->names);
	free(info->choices);
	free(info->files);
	free(info);
}

static void on_free(void *parent, void *info, CRYPTO_EX_DATA *data, int index,
		    long argl, void *argp)
{
	(void)parent, (void)data, (void)index, (void)argl, (void)argp;
	info_free(info);
}

void tls_free(struct ssl_ctx_st *tls)
{
	SSL_CTX_free(tls);
}

/* Whoever asks for another name, or none, stays where he is. */
static int on_name(SSL *ssl, int *alert, void *arg)
{
	const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct info *info = arg;
	const struct tls_set *set =
		asked ? tls_names_find(info->names, str_of(asked)) : NULL;

	(void)alert;
	if (!set)
		return SSL_TLSEXT_ERR_NOACK;
	for (size_t i = 1; i < info->choices_count; i++)
		if (!memcmp(&info->choices[i].set, set, sizeof(*set)) &&
		    !SSL_set_SSL_CTX(ssl, info->choices[i].context))
			return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

static enum err context_make(struct maker *m, const struct tls_set *set,
			     SSL_CTX **out)
{
	SSL_CTX *tls = tls_context_new(m->config, m->store, m->authorities);

	*out = NULL;
	if (!tls)
		return cause_set(m->cause, E_CRYPTO,
				 "OpenSSL, as this machine configures it, has "
				 "no TLS 1.2 or 1.3 with a modern cipher");
	for (size_t kind = 0; kind < TLS_KINDS; kind++) {
		const struct config_certificate *from;
		const struct tls_pair *pair;

		if (set->at[kind] == TLS_NONE)
			continue;
		pair = &m->pairs[set->at[kind]];
		if (SSL_CTX_use_cert_and_key(tls, pair->own, pair->key,
					     pair->chain, 1) == 1)
			continue;
		SSL_CTX_free(tls);
		from = config_certificate(m->config, set->at[kind]);
		cause_set(m->cause, E_CRYPTO,
			  "%s: OpenSSL, as this machine configures it, does "
			  "not take it or its chain: %s",
			  from->certificate,
			  ERR_reason_error_string(ERR_peek_last_error()));
		return config_blame(from->certificate_place, E_CRYPTO,
				    m->cause);
	}
	*out = tls;
	return E_OK;
}

static void doubt(struct info *info, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void doubt(struct info *info, const char *fmt, ...)
{
	va_list args;

	if (info->doubts_count == DOUBTS_MAX)
		return;
	va_start(args, fmt);
	if (vasprintf(&info->doubts[info->doubts_count], fmt, args) >= 0)
		info->doubts_count++;
	va_end(args);
}

static void on_own_name(void *arg, struct str name)
{
	struct maker *m = arg;
	const char *path = config_certificate(m->config, m->at)->certificate;
	uint8_t other;
	enum err err = tls_names_add(m->info->names, name, m->pairs[m->at].kind,
				     (uint8_t)m->at, &other);

	if (err == E_LIMIT)
		m->err = cause_set(m->cause, err,
				   "%s: too many names in the certificates of "
				   "one listener: take out some",
				   path);
	if (err == E_EXISTS)
		doubt(m->info,
		      "%.200s: " STR_FMT " is a name of %.200s, too, which is "
		      "named before and shown for it: take out one of them",
		      path, STR_ARG(name),
		      config_certificate(m->config, other)->certificate);
	m->named |= !err || err == E_EXISTS;
}

static void read_names(struct maker *m)
{
	for (m->at = 0; m->at < m->pairs_count && !m->err; m->at++) {
		m->named = false;
		tls_pair_names(&m->pairs[m->at], on_own_name, m);
		if (!m->named)
			doubt(m->info,
			      "%.300s: holds no name (subjectAltName), so "
			      "clients refuse it: get another",
			      config_certificate(m->config, m->at)
				      ->certificate);
	}
	tls_names_sort(m->info->names);
}

/* The first certificate, and those of other kinds for a name of its. */
static struct tls_set first_set(const struct maker *m)
{
	enum tls_kind kind = m->pairs[0].kind;
	const struct tls_set *set;
	struct tls_set first;
	struct str name;

	memset(&first, TLS_NONE, sizeof(first));
	first.at[kind] = 0;
	for (size_t i = 0; tls_names_at(m->info->names, i, &name, &set); i++)
		for (size_t k = 0; !set->at[kind] && k < TLS_KINDS; k++)
			if (set->at[k] < first.at[k])
				first.at[k] = set->at[k];
	return first;
}

static bool is_chosen(const struct info *info, const struct tls_set *set)
{
	for (size_t i = 0; i < info->choices_count; i++)
		if (!memcmp(&info->choices[i].set, set, sizeof(*set)))
			return true;
	return false;
}

static enum err add_choice(struct maker *m, const struct tls_set *set,
			   SSL_CTX **out)
{
	struct info *info = m->info;
	size_t n = info->choices_count;
	struct choice *more =
		realloc(info->choices, (n + 1) * sizeof(*info->choices));

	assert(more);
	info->choices = more;
	more[n] = (struct choice) { .set = *set };
	info->choices_count++;
	return context_make(m, set, out);
}

static enum err make_choices(struct maker *m, SSL_CTX **first)
{
	const struct tls_set start = first_set(m);
	const struct tls_set *set;
	struct str name;
	enum err err = add_choice(m, &start, first);

	for (size_t i = 0; !err && tls_names_at(m->info->names, i, &name, &set);
	     i++) {
		SSL_CTX *context;

		if (is_chosen(m->info, set))
			continue;
		err = add_choice(m, set, &context);
		m->info->choices[m->info->choices_count - 1].context = context;
	}
	return err;
}

static enum err read_authorities(struct maker *m)
{
	const struct config_tls *config = m->config;
	enum err err;

	if (!config->client_ca)
		return E_OK;
	err = tls_authorities_read(config->client_ca, &m->authorities,
				   m->cause);
	if (err)
		return config_blame(config->client_ca_place, err, m->cause);
	m->store = X509_STORE_new();
	assert(m->store);
	for (int i = 0; i < sk_X509_num(m->authorities); i++)
		if (X509_STORE_add_cert(m->store,
					sk_X509_value(m->authorities, i)) != 1)
			return cause_set(m->cause, E_MEMORY, "out of memory");
	return E_OK;
}

static enum err note_file(struct maker *m, const struct tls_file *file,
			  X509 *own, STACK_OF(X509) * list)
{
	struct tls_file *out = &m->info->files[m->info->files_count++];

	*out = *file;
	if (tls_digest(own, list, &out->digest))
		return cause_set(m->cause, E_MEMORY, "out of memory");
	return E_OK;
}

static enum err read_files(struct maker *m)
{
	enum err err = E_OK;

	for (unsigned i = 0; !err && i < m->pairs_count; i++) {
		const struct config_certificate *from =
			config_certificate(m->config, i);
		const struct tls_pair *pair = &m->pairs[i];
		struct tls_file file = { .path = from->certificate };

		err = tls_pair_read(from, &m->pairs[i], m->cause);
		file.begins = pair->begins;
		file.ends = pair->ends;
		if (!err)
			err = note_file(m, &file, pair->own, pair->chain);
	}
	if (!err)
		err = read_authorities(m);
	if (!err && m->authorities)
		err = note_file(
			m,
			&(struct tls_file) {
				.path = m->config->client_ca,
				.clients = true,
				.ends = tls_authorities_end(m->authorities),
			},
			NULL, m->authorities);
	return err;
}

static enum err make(struct maker *m, SSL_CTX **out)
{
	struct info *info = m->info;
	SSL_CTX *first = NULL;
	enum err err = read_files(m);

	if (!err) {
		read_names(m);
		err = m->err;
	}
	if (!err)
		err = make_choices(m, &first);
	if (!err && (info_index < 0 ||
		     SSL_CTX_set_ex_data(first, info_index, info) != 1))
		err = cause_set(m->cause, E_MEMORY, "out of memory");
	if (err) {
		SSL_CTX_free(first);
		info_free(info);
		return err;
	}
	if (info->choices_count > 1) {
		SSL_CTX_set_tlsext_servername_callback(first, on_name);
		SSL_CTX_set_tlsext_servername_arg(first, info);
	}
	*out = first;
	return E_OK;
}

enum err tls_new(const struct config_tls *config, struct ssl_ctx_st **out,
		 struct cause *cause)
{
	unsigned n = config_certificates(config);
	struct maker m = { .config = config, .pairs_count = n, .cause = cause };
	enum err err;

	*out = NULL;
	if (info_index < 0)
		info_index =
			SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_free);
	m.info = calloc(1, sizeof(*m.info));
	m.pairs = calloc(n, sizeof(*m.pairs));
	assert(m.info && m.pairs);
	m.info->files = calloc(n + 1, sizeof(*m.info->files));
	assert(m.info->files);
	m.info->names = tls_names_new();
	err = make(&m, out);
	for (unsigned i = 0; i < n; i++)
		tls_pair_done(&m.pairs[i]);
	free(m.pairs);
	X509_STORE_free(m.store);
	tls_authorities_free(m.authorities);
	ERR_clear_error();
	return err;
}

const struct tls_file *tls_files(const struct ssl_ctx_st *tls, size_t *n)
{
	const struct info *info = SSL_CTX_get_ex_data(tls, info_index);

	*n = info->files_count;
	return info->files;
}

const char *tls_doubt(const struct ssl_ctx_st *tls, size_t i)
{
	const struct info *info = SSL_CTX_get_ex_data(tls, info_index);

	return i < info->doubts_count ? info->doubts[i] : NULL;
}
