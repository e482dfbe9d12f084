/*
 * server/config_table.c - see the header.
 */
#include "server/config_table.h"

#include <stdlib.h>
#include <string.h>

#include <cyaml/cyaml.h>

/* clang-format off */
/*
 * type, key, member, min, max, default, meaning. PATH: of a file or folder, and
 * relative to that of dockpass.yaml. ttl: tokens under a minute
 * break docker, and a longer life outlasts a revoked token.
 */
#define ROOT_OPTIONS(X, S)                                                     \
	X(S, TEXT, "issuer", issuer, 1, 255, "dockpass",                       \
	  "the JWT's iss; registries are told the same name")                  \
	X(S, TEXT, "url", url, 1, 1024, NULL,                                  \
	  "what the world calls this server, http(s)://host[:port]; the realm is url + /token (default: the first listener)") \
	X(S, PATH, "store", store, 1, 1024, "store",                           \
	  "folder of the database; relative paths start at this file's folder") \
	X(S, NUMBER, "store_size", store_size, 1, 61440, "61440",              \
	  "MiB that it may hold; from then on nothing is added, though all can be revoked or removed") \
	X(S, PATH, "keys", keys, 1, 1024, "keys",                              \
	  "folder of the private keys, mode 0700")                             \
	X(S, PATH, "public", public, 1, 1024, "public",                        \
	  "folder of bundle.pem and jwks.json, for registries to read")        \
	X(S, NUMBER, "workers", workers, 0, 1024, "0",                         \
	  "event loops; 0: one a core")                                        \
	X(S, TEXT, "trusted_proxies", trusted_proxies, 1, 1024, NULL,          \
	  "networks, parted by commas, whose X-Forwarded-For, Forwarded or PROXY header says who the client is") \
	X(S, FLAG, "sandbox", sandbox, 0, 0, "true",                           \
	  "the server may do no more than it needs, and see no other files (seccomp, Landlock)")
#define LISTENER_OPTIONS(X, S)                                                 \
	X(S, TEXT, "address", address, 1, 255, "127.0.0.1:5001",               \
	  "IP:PORT, IPv6 as [::1]:5001")                                       \
	X(S, FLAG, "proxy_protocol", proxy_protocol, 0, 0, "false",            \
	  "each connection begins with a PROXY header, version 1 or 2")
#define TLS_OPTIONS(X, S)                                                      \
	X(S, PATH, "certificate", own.certificate, 1, 1024, NULL,              \
	  "PEM file, the chain after it; without tls: plain HTTP")             \
	X(S, PATH, "key", own.key, 1, 1024, NULL,                              \
	  "PEM file of its private key, mode 0600")                            \
	X(S, PATH, "client_ca", client_ca, 1, 1024, NULL,                      \
	  "PEM file of the authorities whose certificates clients show (default: none is asked for)") \
	X(S, TEXT, "client_certificates", client_certificates, 1, 16, NULL,    \
	  "with client_ca: required, or optional: whoever shows none may come, too (default: required)")
#define CERTIFICATE_OPTIONS(X, S)                                              \
	X(S, PATH, "certificate", certificate, 1, 1024, NULL,                  \
	  "more of them, for those who ask for a name in it; the first of all is for all others") \
	X(S, PATH, "key", key, 1, 1024, NULL,                                  \
	  "PEM file of its private key, mode 0600")
#define SERVICE_OPTIONS(X, S)                                                  \
	X(S, TEXT, "name", name, 1, 255, NULL,                                 \
	  "the JWT's aud: what the registry calls itself (must be set)") \
	X(S, NUMBER, "ttl", ttl, 60, 86400, "300",                             \
	  "seconds that a JWT lives, at least 60")                             \
	X(S, STYLE, "kid", kid, 0, 0, "libtrust",                              \
	  "the JWT's key id: libtrust (registry 2 and 3) or rfc7638")          \
	X(S, FLAG, "x5c", x5c, 0, 0, "true",                                   \
	  "certificate in the JWT; false for a registry 3 that has only jwks") \
	X(S, FLAG, "anonymous", anonymous, 0, 0, "true",                       \
	  "may pull what is public without a token")                           \
	X(S, FLAG, "refresh_tokens", refresh_tokens, 0, 0, "false",            \
	  "hand out refresh tokens to clients that ask")
#define PAT_OPTIONS(X, S)                                                      \
	X(S, FLAG, "username_must_match", username_must_match, 0, 0, "false",  \
	  "the user name beside a token must be its owner's")                  \
	X(S, FLAG, "write_registry_implies_pull", write_implies_pull, 0, 0, "true", \
	  "write_registry is pull and push; false: push alone")
#define LIMIT_OPTIONS(X, S)                                                    \
	X(S, NUMBER, "connections", connections, 1, 1000000, "20000",          \
	  "open at one time; lowered to what the descriptor limit allows") \
	X(S, NUMBER, "connections_per_address", connections_per_address, 1, 1000000, "4000", \
	  "of one client address; trusted proxies do not count")              \
	X(S, NUMBER, "held", held, 1, 65536, "64",                             \
	  "MiB of requests that are not whole and answers that are not taken; beyond, the oldest of these get 503")

#define GUARD_OPTIONS(X, S)                                                    \
	X(S, NUMBER, "failures", guard.failures, 1, 100000, "20",              \
	  "wrong secrets from one network (IPv4 address, IPv6 /64) in `seconds`; beyond, their answers come late and passwords are refused") \
	X(S, NUMBER, "failures_per_user", guard.failures_per_user, 1, 100000, "60", \
	  "wrong passwords for one user name in `seconds`; beyond, passwords for it are refused") \
	X(S, NUMBER, "seconds", guard.seconds, 1, 86400, "600",                \
	  "in which so many failures are forgotten")                           \
	X(S, TEXT, "exempt", guard.exempt, 1, 1024, NULL,                      \
	  "networks, parted by commas, that are not counted, besides 127.0.0.1 and ::1")

#define ADMIN_OPTIONS(X, S)                                                    \
	X(S, TEXT, "address", admin.address, 0, 255, "127.0.0.1:5002",         \
	  "IP:PORT of /metrics, /healthz and /readyz; \"\": none") \
	X(S, NUMBER, "drain", admin.drain, 0, 300, "0",                        \
	  "seconds from SIGTERM, in which /readyz says no and all else goes on, until listeners close")

#define MAIL_OPTIONS(X, S)                                                     \
	X(S, TEXT, "url", mail.url, 1, 1024, NULL,                             \
	  "smtp://HOST:PORT or smtps://HOST:PORT; without mail: nobody is told by mail") \
	X(S, TEXT, "from", mail.from, 1, 254, NULL,                            \
	  "address that mail comes from (must be set beside url)")             \
	X(S, TEXT, "starttls", mail.starttls, 1, 16, NULL,                     \
	  "with smtp://: required, or opportunistic: as offered, and verified only if ca is set (default: required if ca is set, else opportunistic)") \
	X(S, TEXT, "user", mail.user, 1, 255, NULL,                            \
	  "name to log in with, by PLAIN, LOGIN or CRAM-MD5 (default: no login)")                           \
	X(S, PATH, "password_file", mail.password_file, 1, 1024, NULL,         \
	  "file of the password, one line, mode 0600")                         \
	X(S, PATH, "ca", mail.ca, 1, 1024, NULL,                               \
	  "PEM file of the authorities to trust (default: the system's)")
#define HOOK_OPTIONS(X, S)                                                     \
	X(S, TEXT, "url", hook.url, 1, 1024, NULL,                             \
	  "http(s) address that notices are posted to as JSON; without: none") \
	X(S, PATH, "secret_file", hook.secret_file, 1, 1024, NULL,             \
	  "file of the secret that signs them, one line of at least 16 bytes, mode 0600") \
	X(S, PATH, "ca", hook.ca, 1, 1024, NULL,                               \
	  "PEM file of the authorities to trust (default: the system's)")

#define LOG_OPTIONS(X, S)                                                      \
	X(S, PATH, "file", log.file, 1, 1024, NULL,                            \
	  "file of the log, opened again at SIGHUP, mode 0600 or 0640 (default: standard error)") \
	X(S, TEXT, "syslog", log.syslog, 1, 16, NULL,                          \
	  "facility: daemon, auth, authpriv, user or local0 to local7 (default: no syslog)")

#define STRUCT_ROOT	 struct config
#define STRUCT_LISTENERS struct config_listener
#define STRUCT_TLS	 struct config_tls
#define STRUCT_CERTIFICATES struct config_certificate
#define STRUCT_SERVICES	 struct config_service
#define STRUCT_PAT	 struct config
#define STRUCT_LIMITS	 struct config
#define STRUCT_GUARD	 struct config
#define STRUCT_ADMIN	 struct config
#define STRUCT_ADMIN_TLS struct config_tls
#define STRUCT_ADMIN_CERTIFICATES struct config_certificate
#define STRUCT_MAIL	 struct config
#define STRUCT_HOOK	 struct config
#define STRUCT_LOG	 struct config

#define TYPE_TEXT	 .type = OPTION_TEXT
#define TYPE_PATH	 TYPE_TEXT, .path = true
#define TYPE_NUMBER	 .type = OPTION_NUMBER
#define TYPE_FLAG	 .type = OPTION_FLAG
#define TYPE_STYLE	 .type = OPTION_STYLE
#define ROW(section_, type_, key_, member, min_, max_, fallback_, help_) \
	{ .section = SECTION_##section_, .key = key_,                          \
	  TYPE_##type_,                                                        \
	  .offset = offsetof(STRUCT_##section_, member), .min = min_,          \
	  .max = max_, .fallback = fallback_, .help = help_ },
const struct option options[] = {
	ROOT_OPTIONS(ROW, ROOT)
	LISTENER_OPTIONS(ROW, LISTENERS)
	TLS_OPTIONS(ROW, TLS)
	CERTIFICATE_OPTIONS(ROW, CERTIFICATES)
	SERVICE_OPTIONS(ROW, SERVICES)
	PAT_OPTIONS(ROW, PAT)
	LIMIT_OPTIONS(ROW, LIMITS)
	GUARD_OPTIONS(ROW, GUARD)
	ADMIN_OPTIONS(ROW, ADMIN)
	TLS_OPTIONS(ROW, ADMIN_TLS)
	CERTIFICATE_OPTIONS(ROW, ADMIN_CERTIFICATES)
	MAIL_OPTIONS(ROW, MAIL)
	HOOK_OPTIONS(ROW, HOOK)
	LOG_OPTIONS(ROW, LOG)
};
const size_t options_count = COUNT(options);

const struct section_row sections[SECTION_COUNT] = {
	[SECTION_ROOT] = { "", false },
	[SECTION_LISTENERS] = { "listeners[]", true },
	[SECTION_TLS] = { "listeners[].tls", true },
	[SECTION_CERTIFICATES] = { "listeners[].tls.certificates[]", true },
	[SECTION_SERVICES] = { "services[]", true },
	[SECTION_PAT] = { "pat", false },
	[SECTION_LIMITS] = { "limits", false },
	[SECTION_GUARD] = { "guard", false },
	[SECTION_ADMIN] = { "admin", false },
	[SECTION_ADMIN_TLS] = { "admin.tls", false },
	[SECTION_ADMIN_CERTIFICATES] = { "admin.tls.certificates[]", true },
	[SECTION_MAIL] = { "mail", false },
	[SECTION_HOOK] = { "webhook", false },
	[SECTION_LOG] = { "log", false },
};

static const cyaml_strval_t styles[] = {
	{ "libtrust", KID_LIBTRUST },
	{ "rfc7638", KID_RFC7638 },
};

#define MAYBE CYAML_FLAG_OPTIONAL
#define CYAML_TEXT(type, key_, member)                                          \
	CYAML_FIELD_STRING_PTR(key_, MAYBE | CYAML_FLAG_POINTER, type, member,  \
			       0, OPTION_TEXT_MAX)
#define CYAML_PATH CYAML_TEXT
#define CYAML_NUMBER(type, key_, member)                                        \
	CYAML_FIELD_UINT(key_, MAYBE, type, member)
#define CYAML_FLAG(type, key_, member) CYAML_FIELD_BOOL(key_, MAYBE, type, member)
#define CYAML_STYLE(type, key_, member)                                         \
	CYAML_FIELD_ENUM(key_, MAYBE | CYAML_FLAG_STRICT, type, member, styles, \
			 COUNT(styles))
#define FIELD(section, type, key_, member, ...)                                 \
	CYAML_##type(STRUCT_##section, key_, member),
#define FLAT(key_, struct_, fields_) INSIDE(key_, struct_, 0, fields_)
/* A map whose keys are members of a struct in the struct around it. */
#define INSIDE(key_, struct_, offset_, fields_)                                \
	{ .key = key_, .data_offset = offset_,                                 \
	  .value = { .type = CYAML_MAPPING, .flags = MAYBE,                    \
		     .data_size = sizeof(struct_),                             \
		     .mapping = { .fields = fields_ } } }
#define LIST(key, struct_, member, entry)                                      \
	CYAML_FIELD_SEQUENCE(key, MAYBE | CYAML_FLAG_POINTER, struct_, member, \
			     entry, 0, LIST_MAX)

static const cyaml_schema_field_t certificate_fields[] = {
	CERTIFICATE_OPTIONS(FIELD, CERTIFICATES) CYAML_FIELD_END
};
static const cyaml_schema_value_t certificate_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_certificate,
			    certificate_fields),
};
static const cyaml_schema_field_t tls_fields[] = {
	TLS_OPTIONS(FIELD, TLS)
	LIST("certificates", struct config_tls, more, &certificate_value),
	CYAML_FIELD_END
};
static const cyaml_schema_field_t listener_fields[] = {
	LISTENER_OPTIONS(FIELD, LISTENERS)
	INSIDE("tls", struct config_tls, offsetof(struct config_listener, tls),
	       tls_fields), CYAML_FIELD_END
};
static const cyaml_schema_field_t service_fields[] = {
	SERVICE_OPTIONS(FIELD, SERVICES) CYAML_FIELD_END
};
static const cyaml_schema_field_t pat_fields[] = {
	PAT_OPTIONS(FIELD, PAT) CYAML_FIELD_END
};
static const cyaml_schema_field_t limit_fields[] = {
	LIMIT_OPTIONS(FIELD, LIMITS) CYAML_FIELD_END
};
static const cyaml_schema_field_t guard_fields[] = {
	GUARD_OPTIONS(FIELD, GUARD) CYAML_FIELD_END
};
static const cyaml_schema_field_t admin_fields[] = {
	ADMIN_OPTIONS(FIELD, ADMIN)
	INSIDE("tls", struct config_tls, offsetof(struct config, admin.tls),
	       tls_fields), CYAML_FIELD_END
};
static const cyaml_schema_field_t mail_fields[] = {
	MAIL_OPTIONS(FIELD, MAIL) CYAML_FIELD_END
};
static const cyaml_schema_field_t hook_fields[] = {
	HOOK_OPTIONS(FIELD, HOOK) CYAML_FIELD_END
};
static const cyaml_schema_field_t log_fields[] = {
	LOG_OPTIONS(FIELD, LOG) CYAML_FIELD_END
};
static const cyaml_schema_value_t listener_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_listener,
			    listener_fields),
};
static const cyaml_schema_value_t service_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_service,
			    service_fields),
};
static const cyaml_schema_field_t root_fields[] = {
	ROOT_OPTIONS(FIELD, ROOT)
	LIST("listeners", struct config, listeners, &listener_value),
	LIST("services", struct config, services, &service_value),
	FLAT("pat", struct config, pat_fields),
	FLAT("limits", struct config, limit_fields),
	FLAT("guard", struct config, guard_fields),
	FLAT("admin", struct config, admin_fields),
	FLAT("mail", struct config, mail_fields),
	FLAT("webhook", struct config, hook_fields),
	FLAT("log", struct config, log_fields), CYAML_FIELD_END
};
static const cyaml_schema_value_t root_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config, root_fields),
};
/* clang-format on */

static void on_log(cyaml_log_t level, void *arg, const char *fmt, va_list args)
{
	struct cause *cause = arg;
	size_t len = strlen(cause->text);

	if (level < CYAML_LOG_ERROR || len + 1 >= sizeof(cause->text))
		return;
	vsnprintf(cause->text + len, sizeof(cause->text) - len, fmt, args);
	for (char *c = cause->text; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
}

/* One line of what libcyaml logs: its message and where it stood. */
enum err config_parse(struct str text, struct config **out, struct cause *cause)
{
	struct cause said = { 0 };
	const cyaml_config_t cyaml = {
		.log_fn = on_log,
		.log_ctx = &said,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS,
	};
	cyaml_data_t *data = NULL;
	cyaml_err_t err;

	*out = NULL;
	err = cyaml_load_data((const uint8_t *)(text.len ? text.at : ""),
			      text.len, &cyaml, &root_value, &data, NULL);
	if (err)
		return cause_set(cause, E_SYNTAX, "%s", said.text);
	/* A file without a word is a configuration with all its defaults. */
	*out = data ? data : calloc(1, sizeof(**out));
	return *out ? E_OK : cause_set(cause, E_MEMORY, "out of memory");
}

void config_free(struct config *config)
{
	const cyaml_config_t cyaml = { .mem_fn = cyaml_mem };

	if (!config)
		return;
	free((void *)(uintptr_t)config->path);
	for (size_t i = 0; config->places && config->places[i]; i++)
		free(config->places[i]);
	free(config->places);
	cyaml_free(&cyaml, &root_value, config, 0);
}

void config_cleanup(struct config **config)
{
	config_free(*config);
}

static enum err check_text(const struct option *option, struct str text,
			   struct cause *cause)
{
	if (text.len < option->min)
		return cause_set(cause, E_SYNTAX,
				 option->fallback ? "is empty; write a value "
						    "or remove the key"
						  : "is empty; write a value");
	if (text.len > option->max)
		return cause_set(cause, E_LIMIT, "is longer than %u bytes",
				 (unsigned)option->max);
	if (!str_printable(text))
		return cause_set(cause, E_SYNTAX,
				 "holds a control character, or is not UTF-8; "
				 "write one line of text");
	return E_OK;
}

static enum err check_number(const struct option *option, struct str text,
			     struct cause *cause)
{
	uint64_t n;
	enum err err = str_to_u64(text, UINT64_MAX, &n);
	bool under = !err && n < option->min;

	/* "0300" is 300 to one reader and 192 to another. */
	if (err == E_SYNTAX || (text.len > 1 && text.at[0] == '0'))
		return cause_set(cause, E_SYNTAX,
				 "'%.*s' is no number; write %u to %u",
				 (int)(text.len < 40 ? text.len : 40), text.at,
				 (unsigned)option->min, (unsigned)option->max);
	if (!err && !under && n <= option->max)
		return E_OK;
	return cause_set(cause, E_LIMIT, "%.*s is %s %u; write %u to %u",
			 (int)(text.len < 24 ? text.len : 24), text.at,
			 under ? "under" : "over",
			 (unsigned)(under ? option->min : option->max),
			 (unsigned)option->min, (unsigned)option->max);
}

enum err option_check(const struct option *option, struct str text,
		      struct cause *cause)
{
	int shown = (int)(text.len < 40 ? text.len : 40);

	switch (option->type) {
	case OPTION_TEXT:
		return check_text(option, text, cause);
	case OPTION_NUMBER:
		return check_number(option, text, cause);
	case OPTION_FLAG:
		if (str_eq(text, STR("true")) || str_eq(text, STR("false")))
			return E_OK;
		return cause_set(cause, E_SYNTAX,
				 "'%.*s' is no flag; write true or false",
				 shown, text.at);
	default:
		for (size_t i = 0; i < COUNT(styles); i++)
			if (str_eq(text, str_of(styles[i].str)))
				return E_OK;
		return cause_set(cause, E_SYNTAX,
				 "'%.*s' is no kind of key id; write libtrust "
				 "or rfc7638",
				 shown, text.at);
	}
}

void option_set(const struct option *option, struct config *config,
		unsigned index, struct str text)
{
	void *at = option_at(option, config, index);
	uint64_t n;
	enum err err;

	switch (option->type) {
	case OPTION_TEXT:
		free(*(char **)at);
		*(char **)at = strndup(text.at, text.len);
		assert(*(char **)at);
		break;
	case OPTION_NUMBER:
		err = str_to_u64(text, option->max, &n);
		assert(!err);
		*(unsigned *)at = (unsigned)n;
		break;
	case OPTION_FLAG:
		*(bool *)at = str_eq(text, STR("true"));
		break;
	case OPTION_STYLE:
		*(enum kid_style *)at = str_eq(text, STR("rfc7638"))
						? KID_RFC7638
						: KID_LIBTRUST;
	}
}
