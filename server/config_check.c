/* server/config_check.c - see the header. */
#include "server/config_check.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "server/config_table.h"
#include "server/file.h"
#include "token/network.h"

/* Where `path` stands in the file: "dockpass.yaml:7: services[0].ttl". */
static struct cause place_in_file(const struct checker *c, const char *path)
{
	const struct yaml_node *node = yaml_find(c->file, path);
	struct cause place;

	if (node)
		cause_set(&place, E_OK, "%s:%u: %s", c->file->name, node->line,
			  path);
	else
		cause_set(&place, E_OK, "%s: %s", c->file->name, path);
	return place;
}

/* Where an option was set: there, or by a variable. */
static struct cause place_at(const struct checker *c,
			     const struct option *option, unsigned index)
{
	char name[OPTION_NAME_MAX];
	struct cause place;

	option_variable(option, index, name);
	if (getenv(name)) {
		cause_set(&place, E_OK, "%s", name);
		return place;
	}
	option_path(option, index, name);
	return place_in_file(c, name);
}

static struct cause place_of(const struct checker *c, const char *path)
{
	for (size_t i = 0; i < options_count; i++) {
		unsigned n = option_instances(&options[i], c->config);

		for (unsigned j = 0; j < n; j++) {
			unsigned at = option_index(&options[i], c->config, j);
			char name[OPTION_NAME_MAX];

			option_path(&options[i], at, name);
			if (!strcmp(name, path))
				return place_at(c, &options[i], at);
		}
	}
	return place_in_file(c, path);
}

enum err check_bad(const struct checker *c, const char *path, const char *what)
{
	struct cause place = place_of(c, path);

	return cause_set(c->cause, E_SYNTAX, "%.300s: %s", place.text, what);
}

static enum err bad_at(const struct checker *c, const char *list, unsigned i,
		       const char *key, const char *what)
{
	char path[OPTION_NAME_MAX];

	snprintf(path, sizeof(path), "%s[%u]%s", list, i, key);
	return check_bad(c, path, what);
}

static bool port_valid(struct str text)
{
	uint64_t port;

	return !str_to_u64(text, 65535, &port) && port;
}

/* Parts "host:port" and "[v6]:port"; false: no port. */
static bool split_port(struct str text, struct str *host, struct str *port)
{
	size_t at = text.len;

	while (at && text.at[at - 1] != ':' && text.at[at - 1] != ']')
		at--;
	if (!at || text.at[at - 1] == ']')
		return false;
	*host = str_head(text, at - 1);
	*port = str_skip(text, at);
	return true;
}

static bool ip_valid(struct str host)
{
	bool six = host.len > 2 && host.at[0] == '[' &&
		   host.at[host.len - 1] == ']';
	unsigned char bytes[16];
	char text[64];

	if (six)
		host = str_head(str_skip(host, 1), host.len - 2);
	if (!host.len || host.len >= sizeof(text))
		return false;
	memcpy(text, host.at, host.len);
	text[host.len] = '\0';
	return inet_pton(six ? AF_INET6 : AF_INET, text, bytes) == 1;
}

enum err address_check(struct str text, struct cause *cause)
{
	int shown = (int)(text.len < 80 ? text.len : 80);
	struct str host, port;

	if (!split_port(text, &host, &port) || !port_valid(port))
		return cause_set(cause, E_SYNTAX,
				 "'%.*s' has no port from 1 to 65535; write "
				 "ADDRESS:PORT, as 127.0.0.1:5001",
				 shown, text.at);
	if (!ip_valid(host))
		return cause_set(cause, E_SYNTAX,
				 "'%.*s' is no IP address and port; write "
				 "127.0.0.1:5001, 0.0.0.0:5001 or [::1]:5001",
				 shown, text.at);
	return E_OK;
}

enum { HOST_MAX = 255 };

static bool host_char(char c)
{
	return ascii_is_alnum(c) || c == '.' || c == '-' || c == '_';
}

static bool host_valid(struct str host)
{
	struct str label;

	if (host.len && host.at[0] == '[')
		return ip_valid(host);
	if (!host.len || host.len > HOST_MAX || host.at[host.len - 1] == '.')
		return false;
	while (str_cut(&host, '.', &label)) {
		if (!label.len || label.at[0] == '-' ||
		    label.at[label.len - 1] == '-')
			return false;
		for (size_t i = 0; i < label.len; i++)
			if (!host_char(label.at[i]))
				return false;
	}
	return true;
}

enum err host_port_check(struct str text, struct cause *cause)
{
	struct str host = text, port;

	if (split_port(text, &host, &port) && !port_valid(port))
		return cause_set(cause, E_SYNTAX,
				 "has no port from 1 to 65535 behind the host");
	if (!host_valid(host))
		return cause_set(cause, E_SYNTAX,
				 "has no valid host; write as "
				 "https://auth.example.com");
	return E_OK;
}

enum err url_check(struct str text, struct cause *cause)
{
	struct str rest = text;
	bool secure = str_starts(text, STR("https://"));

	if (!secure && !str_starts(text, STR("http://")))
		return cause_set(cause, E_SYNTAX,
				 "must begin with https:// or http://");
	rest = str_skip(rest, secure ? 8 : 7);
	if (rest.len && rest.at[rest.len - 1] == '/')
		rest.len--;
	if (str_has(rest, '/') || str_has(rest, '?') || str_has(rest, '#'))
		return cause_set(cause, E_SYNTAX,
				 "must end with the host or port; the realm "
				 "adds /token by itself");
	return host_port_check(rest, cause);
}

static enum err check_services(const struct checker *c)
{
	const struct config *config = c->config;

	if (!config->services_count)
		return check_bad(c, "services",
				 "no service; name your registry: `services: "
				 "[{name: registry}]`");
	for (unsigned i = 0; i < config->services_count; i++) {
		if (!config->services[i].name)
			return bad_at(c, "services", i, "",
				      "has no name; add `name:`, the "
				      "registry's auth.token.service");
		for (unsigned j = 0; j < i; j++)
			if (!strcmp(config->services[i].name,
				    config->services[j].name))
				return bad_at(c, "services", i, ".name",
					      "another service has this name; "
					      "names must differ");
	}
	return E_OK;
}

/* One that is missing is for whoever opens it: not each command does. */
static enum err check_folders(const struct checker *c)
{
	const struct config *config = c->config;
	const struct {
		const char *option, *path;
	} folders[] = {
		{ "store", config->store },
		{ "keys", config->keys },
		{ "public", config->public },
	};

	for (size_t i = 0; i < COUNT(folders); i++) {
		struct cause what;
		struct stat st;

		cause_set(&what, E_OK, "%.300s: is no folder; name a folder",
			  folders[i].path);
		if (!stat(folders[i].path, &st) && !S_ISDIR(st.st_mode))
			return check_bad(c, folders[i].option, what.text);
		for (size_t j = 0; j < i; j++) {
			if (!file_same(folders[i].path, folders[j].path))
				continue;
			cause_set(&what, E_OK,
				  "%.300s: is the folder of `%s`; name another",
				  folders[i].path, folders[j].option);
			return check_bad(c, folders[i].option, what.text);
		}
	}
	return E_OK;
}

enum err check_file(const struct checker *c, const char *path, const char *file,
		    bool secret)
{
	struct cause what;

	if (c->bare || !file_look(file, secret, &what))
		return E_OK;
	return check_bad(c, path, what.text);
}

static enum err check_listeners(const struct checker *c)
{
	const struct config *config = c->config;

	for (unsigned i = 0; i < config->listeners_count; i++) {
		const char *address = config->listeners[i].address;
		char path[OPTION_NAME_MAX];
		struct cause what;
		enum err err = address_check(str_of(address), &what);

		if (err)
			return bad_at(c, "listeners", i, ".address", what.text);
		for (unsigned j = 0; j < i; j++)
			if (!strcmp(address, config->listeners[j].address))
				return bad_at(c, "listeners", i, ".address",
					      "another listener has this "
					      "address; remove one");
		snprintf(path, sizeof(path), "listeners[%u].tls", i);
		err = check_tls(c, path, &config->listeners[i].tls);
		if (err)
			return err;
	}
	return E_OK;
}

static enum err check_admin(const struct checker *c)
{
	const struct config *config = c->config;
	const char *address = config->admin.address;
	struct cause what;

	if (!*address)
		return E_OK;
	if (address_check(str_of(address), &what))
		return check_bad(c, "admin.address", what.text);
	for (unsigned i = 0; i < config->listeners_count; i++)
		if (!strcmp(address, config->listeners[i].address))
			return check_bad(c, "admin.address",
					 "a listener has this address; metrics "
					 "need one of their own");
	return check_tls(c, "admin.tls", &config->admin.tls);
}

/* crane refuses a realm whose host is a loopback address literal. */
static char *default_url(const struct config_listener *listener)
{
	struct str name = { 0 }, port = { 0 };
	char *url;

	split_port(str_of(listener->address), &name, &port);
	if (host_is_local(host_near(name)))
		name = STR("localhost");
	if (asprintf(&url, "%s://%.*s:%.*s",
		     config_certificates(&listener->tls) ? "https" : "http",
		     STR_ARG(name), STR_ARG(port)) < 0)
		return NULL;
	return url;
}

static enum err check_url(const struct checker *c, struct config *config)
{
	struct cause what;
	size_t len;

	config->url_derived = !config->url;
	if (!config->url)
		config->url = default_url(&config->listeners[0]);
	if (!config->url)
		return cause_set(c->cause, E_MEMORY, "out of memory");
	if (url_check(str_of(config->url), &what))
		return check_bad(c, "url", what.text);
	len = strlen(config->url);
	if (config->url[len - 1] == '/')
		((char *)(uintptr_t)config->url)[len - 1] = '\0';
	return E_OK;
}

static enum err check_networks(const struct checker *c)
{
	const struct {
		const char *option, *list;
	} rows[] = {
		{ "trusted_proxies", c->config->trusted_proxies },
		{ "guard.exempt", c->config->guard.exempt },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct networks networks;
		struct cause what;

		if (networks_read(str_of(rows[i].list), &networks, &what))
			return check_bad(c, rows[i].option, what.text);
	}
	return E_OK;
}

/* Of each option and instance, in the order of the table. */
static void find_places(const struct checker *c, struct config *config)
{
	size_t count = 0;

	for (size_t k = 0; k < options_count; k++)
		count += option_instances(&options[k], config);
	config->places = calloc(count + 1, sizeof(*config->places));
	assert(config->places);
	count = 0;
	for (size_t k = 0; k < options_count; k++) {
		unsigned n = option_instances(&options[k], config);

		for (unsigned i = 0; i < n; i++) {
			struct cause place =
				place_at(c, &options[k],
					 option_index(&options[k], config, i));

			config->places[count] = strdup(place.text);
			assert(config->places[count]);
			count++;
		}
	}
}

/* Of what is handed on without the configuration around it, too. */
static void keep_places(const struct checker *c, struct config *config)
{
	char path[OPTION_NAME_MAX];

	find_places(c, config);
	config->store_place = config_place(config, "store");
	config->keys_place = config_place(config, "keys");
	config->url_place = config_place(config, "url");
	config->issuer_place = config_place(config, "issuer");
	for (unsigned i = 0; i < config->listeners_count; i++) {
		snprintf(path, sizeof(path), "listeners[%u].tls", i);
		keep_tls_places(config, path, &config->listeners[i].tls);
	}
	for (unsigned i = 0; i < config->services_count; i++) {
		snprintf(path, sizeof(path), "services[%u].name", i);
		config->services[i].place = config_place(config, path);
	}
	keep_tls_places(config, "admin.tls", &config->admin.tls);
}

enum err config_check(struct config *config, const struct yaml_file *file,
		      bool bare, struct cause *cause)
{
	const struct checker c = { config, file, cause, bare };
	enum err err = check_services(&c);

	if (!err)
		err = check_folders(&c);
	if (!err)
		err = check_listeners(&c);
	if (!err)
		err = check_admin(&c);
	if (!err)
		err = check_url(&c, config);
	if (!err)
		err = check_networks(&c);
	if (!err)
		err = check_notices(&c);
	if (!err)
		keep_places(&c, config);
	return err;
}

enum err config_blame(const char *place, enum err err, struct cause *cause)
{
	struct cause what = *cause;

	return cause_set(cause, err, "%.255s: %s", place, what.text);
}
