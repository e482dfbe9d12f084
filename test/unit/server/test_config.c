/*
 * test/unit/server/test_config.c - server/config: what a file and the
 * environment give, or the line that refuses them.
 */
#include "test/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/config.h"
#include "server/config_check.h"
#include "token/buf.h"

#define SERVICE	  "services: [{name: r}]\n"
#define FILE_NAME "dockpass.yaml"

enum { TEXT_MAX = 65536 };

/* `want`: what the effective configuration says, or the refusal in whole but
 * for the folder. `env`: NAME=VALUE, two at most, parted by '|'. */
static const struct {
	const char *rule, *text, *env, *want;
	enum err err;
} rows[] = {
	/* values */
	{ "a service is enough", SERVICE, "", "name: r ", E_OK },
	{ "issuer by default", SERVICE, "", "issuer: dockpass ", E_OK },
	{ "ttl by default", SERVICE, "", "ttl: 300 ", E_OK },
	{ "kid by default", SERVICE, "", "kid: libtrust ", E_OK },
	{ "x5c by default", SERVICE, "", "x5c: true ", E_OK },
	{ "anonymous by default", SERVICE, "", "anonymous: true ", E_OK },
	{ "no refresh tokens by default", SERVICE, "", "refresh_tokens: false ",
	  E_OK },
	{ "listener by default", SERVICE, "", "address: 127.0.0.1:5001 ",
	  E_OK },
	{ "limits by default", SERVICE, "", "connections: 20000 ", E_OK },
	{ "limits an address by default", SERVICE, "",
	  "connections_per_address: 4000 ", E_OK },
	{ "any user name by default", SERVICE, "",
	  "username_must_match: false ", E_OK },
	{ "write implies pull by default", SERVICE, "",
	  "write_registry_implies_pull: true ", E_OK },
	{ "a flag off", "services: [{name: r, anonymous: false}]", "",
	  "anonymous: false ", E_OK },
	{ "a flag on", "services: [{name: r, refresh_tokens: true}]", "",
	  "refresh_tokens: true ", E_OK },
	{ "rfc7638", "services: [{name: r, kid: rfc7638}]", "", "kid: rfc7638 ",
	  E_OK },
	{ "a map of its own", SERVICE "limits: {connections: 7}\n", "",
	  "connections: 7 ", E_OK },
	{ "pat", SERVICE "pat: {write_registry_implies_pull: false}\n", "",
	  "write_registry_implies_pull: false ", E_OK },
	{ "no leading zeros", "services: [{name: r, ttl: 0100}]", "",
	  ":1: services[0].ttl: '0100' is no number", E_SYNTAX },
	{ "zero is a number", SERVICE, "DOCKPASS_WORKERS=0",
	  "workers: ", E_OK },
	{ "ttl at its least", "services: [{name: r, ttl: 60}]", "", "ttl: 60 ",
	  E_OK },
	{ "two services", "services: [{name: a}, {name: b, ttl: 61}]", "",
	  "  - name: b ", E_OK },
	{ "a name with a space", "services: [{name: Docker registry}]", "",
	  "name: \"Docker registry\" ", E_OK },
	{ "a name that YAML takes for a flag", "services: [{name: yes}]", "",
	  "name: \"yes\" ", E_OK },
	{ "an absolute path stays", SERVICE "store: /var/lib/x\n", "",
	  "store: /var/lib/x ", E_OK },
	{ "workers", SERVICE "workers: 3\n", "", "workers: 3 ", E_OK },

	/* the URL */
	{ "the first listener, as localhost", SERVICE, "",
	  "url: http://localhost:5001 ", E_OK },
	{ "IPv6 loopback too", SERVICE "listeners: [{address: '[::1]:7'}]\n",
	  "", "url: http://localhost:7 ", E_OK },
	{ "any address too", SERVICE "listeners: [{address: '0.0.0.0:7'}]\n",
	  "", "url: http://localhost:7 ", E_OK },
	{ "another address as it is",
	  SERVICE "listeners: [{address: '10.1.2.3:7'}]\n", "",
	  "url: http://10.1.2.3:7 ", E_OK },
	{ "a slash at the end goes", SERVICE "url: https://a.example/\n", "",
	  "url: https://a.example ", E_OK },
	{ "IPv6 in the URL", SERVICE "url: 'https://[::1]:5001'\n", "",
	  "url: \"https://[::1]:5001\" ", E_OK },
	{ "no path", SERVICE "url: https://a/b\n", "",
	  ":2: url: must end with the host or port; the realm adds /token by "
	  "itself",
	  E_SYNTAX },
	{ "no query", SERVICE "url: https://a?b\n", "",
	  ":2: url: must end with the host or port", E_SYNTAX },
	{ "no other scheme", SERVICE "url: ftp://a\n", "",
	  ":2: url: must begin with https:// or http://", E_SYNTAX },
	{ "no user", SERVICE "url: https://u@a\n", "",
	  ":2: url: has no valid host", E_SYNTAX },
	{ "no empty host", SERVICE "url: https:///\n", "",
	  ":2: url: has no valid host", E_SYNTAX },
	{ "no wild port", SERVICE "url: https://a:99999\n", "",
	  ":2: url: has no port from 1 to 65535", E_SYNTAX },

	/* the environment */
	{ "a variable alone", SERVICE, "DOCKPASS_ISSUER=me", "issuer: me ",
	  E_OK },
	{ "a variable wins", SERVICE "issuer: file\n", "DOCKPASS_ISSUER=me",
	  "issuer: me ", E_OK },
	{ "of a list's entry", SERVICE, "DOCKPASS_SERVICES_0_TTL=77",
	  "ttl: 77 ", E_OK },
	{ "of a map", SERVICE, "DOCKPASS_PAT_USERNAME_MUST_MATCH=true",
	  "username_must_match: true ", E_OK },
	{ "adds an entry", SERVICE, "DOCKPASS_SERVICES_1_NAME=two",
	  "  - name: two ", E_OK },
	{ "a whole service", "", "DOCKPASS_SERVICES_0_NAME=only",
	  "  - name: only ", E_OK },
	{ "its range too", SERVICE, "DOCKPASS_SERVICES_0_TTL=59",
	  "DOCKPASS_SERVICES_0_TTL: 59 is under 60", E_LIMIT },
	{ "its type too", SERVICE, "DOCKPASS_SERVICES_0_X5C=yes",
	  "DOCKPASS_SERVICES_0_X5C: 'yes' is no flag", E_SYNTAX },
	{ "what no option can know, too", SERVICE, "DOCKPASS_URL=x",
	  "DOCKPASS_URL: must begin with", E_SYNTAX },
	{ "empty is no value", SERVICE,
	  "DOCKPASS_ISSUER=", "DOCKPASS_ISSUER: is empty", E_SYNTAX },
	{ "unknown", SERVICE, "DOCKPASS_ISSUERS=x",
	  "DOCKPASS_ISSUERS: is no option", E_SYNTAX },
	{ "an entry that is not there", SERVICE, "DOCKPASS_SERVICES_2_TTL=99",
	  "DOCKPASS_SERVICES_2_TTL: is no option", E_SYNTAX },
	{ "DOCKPASS_CONFIG is known", SERVICE, "DOCKPASS_CONFIG=/nowhere",
	  "name: r ", E_OK },

	/* the form of the file */
	{ "unknown key", SERVICE "mial: {}\n", "", ":2: mial: is no option",
	  E_SYNTAX },
	{ "unknown key deep", "services:\n  - name: r\n    tll: 70\n", "",
	  ":3: services[0].tll: is no option", E_SYNTAX },
	{ "a key with a line feed is one line", "\"a\\nb\": c\n", "",
	  ":1: a?b: is no option", E_SYNTAX },
	{ "a known key in a wrong place", SERVICE "ttl: 70\n", "",
	  ":2: ttl: is no option", E_SYNTAX },
	{ "repeated key", SERVICE "issuer: a\nissuer: b\n", "",
	  ":3: issuer: is set a second time; the first is in line 2",
	  E_SYNTAX },
	{ "repeated key deep", "services: [{name: r, ttl: 70, ttl: 80}]", "",
	  ":1: services[0].ttl: is set a second time", E_SYNTAX },
	{ "an anchor", "services: [{name: &a r}]", "", ":1: anchors (&)",
	  E_SYNTAX },
	{ "an alias", SERVICE "issuer: *a\n", "", ":2: anchors (&)", E_SYNTAX },
	{ "two documents", SERVICE "---\nissuer: x\n", "",
	  ":2: a second document begins", E_SYNTAX },
	{ "a key that is a list", "[a]: b\n", "", ":1: a key must be plain",
	  E_SYNTAX },
	{ "no YAML", "issuer: \"a\n", "", ": no YAML: ", E_SYNTAX },
	{ "no UTF-8, in its line", SERVICE "\n# M\xe4rz\n", "",
	  ":3: no text: invalid trailing UTF-8 octet; write it as UTF-8",
	  E_SYNTAX },
	{ "tabs", SERVICE "pat:\n\tusername_must_match: true\n", "",
	  ":3: no YAML: ", E_SYNTAX },
	{ "a list", "- a\n", "", ":1: the file must hold options", E_SYNTAX },
	{ "a word", "a\n", "", ":1: the file must hold options", E_SYNTAX },
	{ "a list where a value belongs", SERVICE "issuer: [a]\n", "",
	  ":2: issuer: must hold a single value", E_SYNTAX },
	{ "a value where a list belongs", "services: r\n", "",
	  ":1: services: must hold a list", E_SYNTAX },
	{ "a value where a map belongs", SERVICE "limits: 5\n", "",
	  ":2: limits: must hold options", E_SYNTAX },
	{ "a word in the list", "services: [r]\n", "",
	  ":1: services[0]: must hold options", E_SYNTAX },
	{ "too deep", "a: {b: {c: {d: {e: {f: {g: {h: {i: 1}}}}}}}}\n", "",
	  ":1: nested too deep", E_LIMIT },

	/* types and ranges */
	{ "ttl under a minute", "services:\n  - name: r\n    ttl: 30\n", "",
	  ":3: services[0].ttl: 30 is under 60; write 60 to 86400", E_LIMIT },
	{ "ttl over a day", "services: [{name: r, ttl: 86401}]", "",
	  ":1: services[0].ttl: 86401 is over 86400", E_LIMIT },
	{ "no number", "services: [{name: r, ttl: 5m}]", "",
	  ":1: services[0].ttl: '5m' is no number; write 60 to 86400",
	  E_SYNTAX },
	{ "no sign", "services: [{name: r, ttl: -300}]", "",
	  ":1: services[0].ttl: '-300' is no number", E_SYNTAX },
	{ "past every integer",
	  "services: [{name: r, ttl: 18446744073709551916}]", "",
	  ":1: services[0].ttl: 18446744073709551916 is over", E_LIMIT },
	{ "a flag misspelt is no yes",
	  "services: [{name: r, anonymous: flase}]", "",
	  ":1: services[0].anonymous: 'flase' is no flag", E_SYNTAX },
	{ "a flag empty", "services: [{name: r, anonymous: }]", "",
	  ":1: services[0].anonymous: '' is no flag", E_SYNTAX },
	{ "kid of a closed list", "services: [{name: r, kid: x}]", "",
	  ":1: services[0].kid: 'x' is no kind of key id", E_SYNTAX },
	{ "an empty text", SERVICE "issuer:\n", "", ":2: issuer: is empty",
	  E_SYNTAX },
	{ "null", SERVICE "issuer: ~\n", "", ":2: issuer: is null", E_SYNTAX },
	{ "a text of these letters", SERVICE "issuer: '~'\n", "",
	  "issuer: \"~\" ", E_OK },
	{ "null in a list", "services: [null]\n", "",
	  ":1: services[0]: is null", E_SYNTAX },
	{ "a control character", SERVICE "issuer: \"a\\nb\"\n", "",
	  ":2: issuer: holds a control character", E_SYNTAX },
	{ "a NUL", SERVICE "issuer: \"a\\0b\"\n", "", ":2: a NUL byte",
	  E_SYNTAX },
	{ "no failure at all", SERVICE "guard: {failures: 0}\n", "",
	  ":2: guard.failures: 0 is under 1", E_LIMIT },
	{ "trusted proxies", SERVICE "trusted_proxies: '10.0.0.0/8, ::1'\n", "",
	  "trusted_proxies: \"10.0.0.0/8, ::1\" ", E_OK },
	{ "a proxy that is none", SERVICE "trusted_proxies: nginx\n", "",
	  ":2: trusted_proxies: 'nginx' is no network: write an address",
	  E_SYNTAX },
	{ "a proxy with bits behind", SERVICE "trusted_proxies: 10.0.0.1/8\n",
	  "", ":2: trusted_proxies: '10.0.0.1/8' is no network: its address",
	  E_SYNTAX },
	{ "a list of proxies is one text", SERVICE "trusted_proxies: ['::1']\n",
	  "", ":2: trusted_proxies: must hold a single value", E_SYNTAX },
	{ "exempt networks", SERVICE, "DOCKPASS_GUARD_EXEMPT=10.0.0.0/8",
	  "exempt: \"10.0.0.0/8\" ", E_OK },
	{ "exempt what is none", SERVICE, "DOCKPASS_GUARD_EXEMPT=10/8",
	  "DOCKPASS_GUARD_EXEMPT: '10/8' is no network", E_SYNTAX },
	{ "proxy protocol", SERVICE "listeners: [{proxy_protocol: true}]\n", "",
	  "proxy_protocol: true ", E_OK },
	{ "no connection at all", SERVICE "limits: {connections: 0}\n", "",
	  ":2: limits.connections: 0 is under 1", E_LIMIT },

	/* what no single option can know */
	{ "no service", "issuer: a\n", "", ": services: no service", E_SYNTAX },
	{ "an empty file", "", "", ": services: no service", E_SYNTAX },
	{ "an empty list", "services: []\n", "", ": services: no service",
	  E_SYNTAX },
	{ "a service without a name", "services: [{ttl: 70}]", "",
	  ":1: services[0]: has no name", E_SYNTAX },
	{ "two of one name", "services:\n  - name: r\n  - name: r\n", "",
	  ":3: services[1].name: another service has this name", E_SYNTAX },
	{ "an address without a port",
	  SERVICE "listeners: [{address: 127.0.0.1}]\n", "",
	  ":2: listeners[0].address: '127.0.0.1' has no port", E_SYNTAX },
	{ "an address with port 0",
	  SERVICE "listeners: [{address: '127.0.0.1:0'}]\n", "",
	  ":2: listeners[0].address: '127.0.0.1:0' has no port", E_SYNTAX },
	{ "an address with port 65536",
	  SERVICE "listeners: [{address: '127.0.0.1:65536'}]\n", "",
	  "has no port from 1 to 65535", E_SYNTAX },
	{ "a name is no address", SERVICE "listeners: [{address: 'here:1'}]\n",
	  "", ":2: listeners[0].address: 'here:1' is no IP address", E_SYNTAX },
	{ "IPv6 wants brackets", SERVICE "listeners: [{address: '::1:5001'}]\n",
	  "", "is no IP address", E_SYNTAX },
	{ "one address twice",
	  SERVICE "listeners: [{address: '[::1]:1'}, {address: '[::1]:1'}]\n",
	  "", ":2: listeners[1].address: another listener has this address",
	  E_SYNTAX },
	{ "a certificate alone",
	  SERVICE "listeners: [{tls: {certificate: a}}]\n", "",
	  ":2: listeners[0].tls.certificate: one of the two files alone",
	  E_SYNTAX },
	{ "a key alone", SERVICE "listeners: [{tls: {key: a}}]\n", "",
	  ":2: listeners[0].tls.key: one of the two files alone", E_SYNTAX },
	{ "files that are not there",
	  SERVICE "listeners: [{tls: {certificate: c, key: a}}]\n", "",
	  ":2: listeners[0].tls.certificate: ", E_SYNTAX },
	{ "a key that others can read",
	  SERVICE "listeners: [{tls: {certificate: open.pem, key: "
		  "open.pem}}]\n",
	  "", "open.pem: group or others can read or write it; run: chmod 600",
	  E_SYNTAX },
	{ "a key that the group can read",
	  SERVICE "listeners: [{tls: {certificate: open.pem, key: "
		  "group.pem}}]\n",
	  "", "group.pem: group or others can read or write it; run: chmod 600",
	  E_SYNTAX },
	{ "a certificate that others can read",
	  SERVICE "listeners: [{tls: {certificate: open.pem, key: "
		  "shut.pem}}]\n",
	  "", "url: https://localhost:5001 ", E_OK },
};

static char folder[] = "/tmp/test_config.XXXXXX";

static void write_file(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(name, mode), 0);
}

static void set_environment(const char *env)
{
	struct str rest = str_of(env), pair, name;
	char text[256];

	assert_int_equal(clearenv(), 0);
	while (str_cut(&rest, '|', &pair)) {
		snprintf(text, sizeof(text), STR_FMT, STR_ARG(pair));
		str_cut(&pair, '=', &name);
		text[name.len] = '\0';
		assert_int_equal(setenv(text, text + name.len + 1, 1), 0);
	}
}

static enum err load(struct buf *got)
{
	AUTO(config) struct config *config = NULL;
	struct cause cause = { 0 };
	enum err err = config_load(FILE_NAME, &config, &cause);

	if (err) {
		assert_null(config);
		buf_add(got, str_of(cause.text));
	} else {
		config_print(config, got);
	}
	buf_add_char(got, '\0');
	return err;
}

static void table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf got;
		enum err err;

		print_message("%s\n", rows[i].rule);
		buf_init(&got, TEXT_MAX);
		write_file(FILE_NAME, rows[i].text, 0644);
		set_environment(rows[i].env);
		err = load(&got);
		if (err != rows[i].err || !strstr(got.at, rows[i].want))
			print_message("got: %s\n", got.at);
		assert_int_equal(err, rows[i].err);
		assert_non_null(strstr(got.at, rows[i].want));
		assert_true(!err || !strchr(got.at, '\n'));
		buf_done(&got);
	}
	assert_int_equal(clearenv(), 0);
}

static void printed_is_readable(void **state)
{
	struct buf first, second;

	(void)state;
	buf_init(&first, TEXT_MAX);
	buf_init(&second, TEXT_MAX);
	write_file(FILE_NAME,
		   "issuer: 'a \"b\" #c'\nservices: [{name: 'true', ttl: 61}]\n"
		   "listeners: [{address: '[::1]:9', tls: {certificate: "
		   "open.pem, key: shut.pem}}]\n",
		   0644);
	assert_int_equal(load(&first), E_OK);
	write_file(FILE_NAME, first.at, 0644);
	assert_int_equal(load(&second), E_OK);
	assert_string_equal(first.at, second.at);
	buf_done(&first);
	buf_done(&second);
}

static void missing_file(void **state)
{
	struct config *config = NULL;
	struct cause cause = { 0 };

	(void)state;
	assert_int_equal(config_load("nowhere.yaml", &config, &cause),
			 E_NOT_FOUND);
	assert_null(config);
	assert_non_null(strstr(cause.text, "nowhere.yaml: not found; name"));
	assert_int_equal(setenv("DOCKPASS_CONFIG", "elsewhere.yaml", 1), 0);
	assert_int_equal(config_load(NULL, &config, &cause), E_NOT_FOUND);
	assert_non_null(strstr(cause.text, "elsewhere.yaml: not found"));
	assert_int_equal(unsetenv("DOCKPASS_CONFIG"), 0);
	assert_int_equal(config_load(NULL, &config, &cause), E_NOT_FOUND);
	assert_non_null(strstr(cause.text, "/etc/dockpass/dockpass.yaml"));
}

static void relative_paths(void **state)
{
	AUTO(config) struct config *config = NULL;
	struct cause cause = { 0 };
	char path[256], want[256];

	(void)state;
	write_file(FILE_NAME, SERVICE "store: s\n", 0644);
	snprintf(path, sizeof(path), "%s/%s", folder, FILE_NAME);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(config_load(path, &config, &cause), E_OK);
	assert_int_equal(chdir(folder), 0);
	snprintf(want, sizeof(want), "%s/s", folder);
	assert_string_equal(config->store, want);
	snprintf(want, sizeof(want), "%s/keys", folder);
	assert_string_equal(config->keys, want);
	assert_int_equal(config->workers, 0);
}

static void services(void **state)
{
	AUTO(config) struct config *one = NULL;
	AUTO(config) struct config *two = NULL;
	struct cause cause = { 0 };

	(void)state;
	write_file(FILE_NAME, SERVICE, 0644);
	assert_int_equal(config_load(FILE_NAME, &one, &cause), E_OK);
	assert_ptr_equal(config_service(one, STR("")), one->services);
	assert_ptr_equal(config_service(one, STR("r")), one->services);
	assert_null(config_service(one, STR("R")));
	write_file(FILE_NAME, "services: [{name: a}, {name: b}]", 0644);
	assert_int_equal(config_load(FILE_NAME, &two, &cause), E_OK);
	assert_null(config_service(two, STR("")));
	assert_ptr_equal(config_service(two, STR("b")), &two->services[1]);
}

static const struct {
	const char *option, *place;
} places[] = {
	{ "services[1].name", FILE_NAME ":3: services[1].name" },
	{ "services[0].ttl", FILE_NAME ": services[0].ttl" },
	{ "mail.url", FILE_NAME ":4: mail.url" },
	{ "mail.from", "DOCKPASS_MAIL_FROM" },
	{ "store", FILE_NAME ": store" },
	{ "services[2].name", "" },
	{ "mail", "" },
	{ "mail.urls", "" },
	{ "", "" },
};

/* Those of paths are found by their number as well, in the same order. */
static void where_options_are_set(void **state)
{
	AUTO(config) struct config *config = NULL;
	struct config bare = { 0 };
	struct cause cause;
	size_t keys = 0;

	(void)state;
	write_file(FILE_NAME,
		   "services:\n- name: a\n- name: b\n"
		   "mail: {url: 'smtp://localhost:25'}\nkeys: k\n",
		   0644);
	assert_int_equal(setenv("DOCKPASS_MAIL_FROM", "a@example.com", 1), 0);
	assert_int_equal(config_load_bare(FILE_NAME, &config, &cause), E_OK);
	assert_int_equal(unsetenv("DOCKPASS_MAIL_FROM"), 0);
	for (size_t i = 0; i < COUNT(places); i++) {
		print_message("%s\n", places[i].option);
		assert_string_equal(config_place(config, places[i].option),
				    places[i].place);
	}
	while (config_path_at(config, keys) != &config->keys)
		keys++;
	assert_string_equal(config_path_place(config, keys),
			    FILE_NAME ":5: keys");
	assert_string_equal(config->keys_place, FILE_NAME ":5: keys");
	assert_string_equal(config->services[1].place, places[0].place);
	assert_string_equal(config_place(&bare, "mail.url"), "");
	assert_string_equal(config_path_place(&bare, 0), "");
}

static void readme_table(void **state)
{
	struct buf got;

	(void)state;
	buf_init(&got, TEXT_MAX);
	config_print_table(&got);
	buf_add_char(&got, '\0');
	assert_non_null(strstr(got.at, "| `services[].ttl` | "
				       "`DOCKPASS_SERVICES_N_TTL` | `300` | "));
	assert_non_null(strstr(got.at, "`DOCKPASS_LISTENERS_N_TLS_KEY`"));
	buf_done(&got);
}

static void size_limit(void **state)
{
	enum { MANY = 1024 * 1024 + 1 };
	char *text = malloc(MANY + 1);
	struct buf got;

	(void)state;
	assert_non_null(text);
	memset(text, '#', MANY);
	text[MANY] = '\0';
	buf_init(&got, TEXT_MAX);
	write_file(FILE_NAME, text, 0644);
	assert_int_equal(load(&got), E_LIMIT);
	free(text);
	buf_done(&got);
}

static int enter(void **state)
{
	(void)state;
	umask(022);
	if (!mkdtemp(folder) || chdir(folder))
		return -1;
	write_file("open.pem", "x", 0644);
	write_file("group.pem", "x", 0640);
	write_file("shut.pem", "x", 0600);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	remove(FILE_NAME);
	remove("open.pem");
	remove("group.pem");
	remove("shut.pem");
	return chdir("/") || rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(printed_is_readable),
		cmocka_unit_test(missing_file),
		cmocka_unit_test(relative_paths),
		cmocka_unit_test(services),
		cmocka_unit_test(where_options_are_set),
		cmocka_unit_test(readme_table),
		cmocka_unit_test(size_limit),
	};

	return cmocka_run_group_tests_name("config", tests, enter, leave);
}
