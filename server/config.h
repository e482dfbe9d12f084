/*
 * server/config.h - dockpass.yaml and DOCKPASS_* into one struct, through one
 * table of options (config_table.c): parser, defaults, `dockpass check` and
 * README's table all walk it.
 *
 * libcyaml reads the file by schema. Refused with file, line, key and what to
 * do: an unknown or repeated key, a wrong type, a value out of range, a file
 * that is missing or that others can read though it holds a private key.
 *
 * Environment: DOCKPASS_ and the option's path in capitals, "." and list
 * indexes as "_": DOCKPASS_URL, DOCKPASS_PAT_USERNAME_MUST_MATCH,
 * DOCKPASS_LISTENERS_0_ADDRESS. It overrides the file. An unknown DOCKPASS_
 * variable is refused (DOCKPASS_CONFIG names the file).
 *
 * Built whole, then read-only. Relative paths have been made absolute, from
 * the folder of the file.
 */
#pragma once

#include "token/base.h"
#include "token/keyring.h"
#include "token/secret.h"

/* PEM files: a certificate, its chain behind it; its key, mode 0600. */
struct config_certificate {
	const char *certificate, *key;
	const char *certificate_place, *key_place; /* see config_place() */
};

/* Whoever asks for no name of them all gets the first: `own`, if it is set. */
struct config_tls {
	struct config_certificate own, *more;
	unsigned more_count;
	const char *client_ca;		 /* PEM file; NULL: none is asked for */
	const char *client_certificates; /* "required" (NULL), "optional" */
	const char *client_ca_place;
};

struct config_listener {
	const char *address; /* "127.0.0.1:5001", "[::1]:5001" */
	struct config_tls tls;
	bool proxy_protocol; /* a PROXY header comes first */
};

struct config_service {
	const char *name;  /* the JWT's aud */
	const char *place; /* its config_place() */
	unsigned ttl;	   /* seconds, at least 60 */
	enum kid_style kid;
	bool x5c, anonymous, refresh_tokens;
};

/* Of the notices of the daily checks. */
struct config_mail {
	const char *url;      /* smtp:// or smtps://, host, port; NULL: none */
	const char *from;     /* an address */
	const char *starttls; /* NULL: see config_tls_required() */
	const char *user;     /* NULL: without a login */
	const char *password_file, *ca;
};

struct config_hook {
	const char *url; /* NULL: none */
	const char *secret_file, *ca;
};

struct config_guard {
	unsigned failures, failures_per_user, seconds;
	const char *exempt; /* networks; NULL: none */
};

/* Of those who watch the server. */
struct config_admin {
	const char *address; /* as of a listener; "": none */
	unsigned drain;	     /* seconds */
	struct config_tls tls;
};

/* Beside standard error, and instead of it for token requests. */
struct config_log {
	const char *file;   /* NULL: none */
	const char *syslog; /* a facility; NULL: none */
};

struct config {
	const char *path; /* of the file */
	const char *issuer;
	bool url_derived; /* from the first listener: nobody says another */
	const char *url; /* without a slash at the end; the realm is + /token */
	const char *store, *keys, *public; /* folders */
	/* The config_place() of each. */
	const char *store_place, *keys_place, *url_place, *issuer_place;
	unsigned store_size; /* MiB */
	unsigned workers;    /* 0: as many as there are cores */
	struct config_listener *listeners;
	unsigned listeners_count; /* at least 1 */
	struct config_service *services;
	unsigned services_count; /* at least 1 */
	bool username_must_match, write_implies_pull;
	unsigned connections, connections_per_address;
	unsigned held;		     /* MiB */
	const char *trusted_proxies; /* networks; NULL: none */
	bool sandbox;
	struct config_guard guard;
	struct config_admin admin;
	struct config_mail mail;
	struct config_hook hook;
	struct config_log log;
	char **places; /* see config_place(); NULL: not known */
};

/* `path` NULL: DOCKPASS_CONFIG, else /etc/dockpass/dockpass.yaml. */
enum err config_load(const char *path, struct config **out,
		     struct cause *cause) MUST_CHECK;
/*
 * For a command: whether the files are there that the server opens (those of
 * TLS, mail, webhook and log) is not its business.
 */
enum err config_load_bare(const char *path, struct config **out,
			  struct cause *cause) MUST_CHECK;
void config_free(struct config *config); /* NULL is fine */
void config_cleanup(struct config **config);

/*
 * Of an error in what an option names: puts before the cause where that is set
 * (its place). Returns `err`.
 */
enum err config_blame(const char *place, enum err err, struct cause *cause);

/* How many certificates there are, `own` first; 0: plain HTTP. */
unsigned config_certificates(const struct config_tls *tls);
const struct config_certificate *config_certificate(
	const struct config_tls *tls, unsigned i);

/* Nothing goes out but by a TLS that is verified. */
bool config_tls_required(const struct config_mail *mail);

/*
 * The i-th path that the file may name, NULL where it names none; NULL: there
 * are no more. All but those of `store`, `keys` and `public` are files.
 */
const char *const *config_path_at(const struct config *config, size_t i);
/* `store`, `keys` and `public`; NULL: that was all. */
const char *config_folder_at(const struct config *config, size_t i);
const char *config_path_place(const struct config *config, size_t i);
/*
 * Where an option is set, by its path ("mail.url"), for messages:
 * "dockpass.yaml:7: mail.url"; "": not known. Lives as long as *config.
 */
const char *config_place(const struct config *config, const char *path);

/* The service of that name; the only one if `name` is empty; else NULL. */
const struct config_service *config_service(const struct config *config,
					    struct str name);

/* The effective configuration as YAML with a comment on each option. */
void config_print(const struct config *config, struct buf *buf);
/* SHA-256 of all options: E_LIMIT, E_CRYPTO. */
enum err config_digest(const struct config *config,
		       struct digest *out) MUST_CHECK;
/* README's table: option, environment, default, meaning. */
void config_print_table(struct buf *buf);
