/*
 * test/unit/server/cli_rows.h - commands as a person types them, in order, and
 * what comes of each.
 */
#pragma once

#include <stddef.h>

/*
 * `line`: words parted by one space; '_' in a word is a space, "''" an empty
 * word. `out`, `err`: what they hold; NULL: they are empty; '|' parts several.
 */
static const struct {
	const char *rule, *line;
	int status;
	const char *out, *err, *in;
} rows[] = {
	/* the command line */
	{ "no command", "", 2, NULL, "no command; dockpass --help", "" },
	{ "help", "--help", 0, "user add|token create|registry-config", NULL,
	  "" },
	{ "help of a command", "token create --help", 0,
	  "usage: dockpass token create|--scopes A,B|--config FILE", NULL, "" },
	{ "help of a group", "user --help", 0, "user add|user two-factor", NULL,
	  "" },
	{ "help as a word", "help", 0, "registry-config", NULL, "" },
	{ "version", "--version", 0, "dockpass ", NULL, "" },
	{ "unknown command", "frobnicate", 2, NULL,
	  "no command 'frobnicate'; dockpass --help lists them", "" },
	{ "mistyped command", "tokne list", 2, NULL,
	  "no command 'tokne list'; nearest usage: dockpass token list", "" },
	{ "half a command", "user", 2, NULL,
	  "no command 'user'; usage: dockpass user add|list|show|block|", "" },
	{ "a later issue's command is not there", "token rotate 1", 2, NULL,
	  "no command 'token rotate'", "" },
	{ "unknown option", "user list --colour", 2, NULL,
	  "no option --colour; usage: dockpass user list", "" },
	{ "another command's option", "user list --email x", 2, NULL,
	  "user list has no option --email; usage:", "" },
	{ "option without its value", "user add x --email", 2, NULL,
	  "--email needs a value; usage:", "" },
	{ "option with an empty value", "user add x --email=", 2, NULL,
	  "--email needs a value", "" },
	{ "flag with a value", "user add x --email e --admin=1", 2, NULL,
	  "--admin takes no value", "" },
	{ "option twice", "user add x --email a --email b", 2, NULL,
	  "--email is given twice", "" },
	{ "short option", "user list -x", 2, NULL, "no option -x", "" },
	{ "too few arguments", "member add a", 2, NULL,
	  "member add: too few arguments; usage: dockpass member add PATH USER "
	  "ROLE",
	  "" },
	{ "too many arguments", "user show a b", 2, NULL,
	  "user show: one argument too many: 'b'", "" },
	{ "an empty argument", "user show ''", 2, NULL, "argument is empty",
	  "" },

	/* init */
	{ "no configuration", "user list --config d/dockpass.yaml", 1, NULL,
	  "d/dockpass.yaml: not found; name the file with --config", "" },
	{ "init: bad address", "init d --listen here", 2, NULL,
	  "--listen: 'here' has no port", "" },
	{ "init: bad url", "init d --url here", 2, NULL,
	  "--url: here: must begin with", "" },
	{ "init", "init d --service s --url http://localhost:5001/", 0,
	  "made d/dockpass.yaml|bundle.pem|next: dockpass user add", NULL, "" },
	{ "init: not again", "init d", 1, NULL,
	  "d/dockpass.yaml: is there "
	  "already",
	  "" },
	{ "init: --config is not for it", "init e --config f", 2, NULL,
	  "--config is not for init", "" },
	{ "check", "check", 0, "  - name: s |url: http://localhost:5001 |ok\n",
	  NULL, "" },
	{ "check as JSON", "check --json", 0,
	  "{\"ok\":true,\"config\":\"d/"
	  "|\"services[0].ttl\":300|\"services[0].kid\":\"libtrust\"",
	  NULL, "" },
	{ "serve: closed list", "serve --log-format xml", 2, NULL,
	  "log format 'xml' is not json or text", "" },

	/* users */
	{ "user add", "user add alice --email a@x", 0, NULL, NULL, "" },
	{ "user add: option first, =",
	  "user --email=b@x add bob --admin "
	  "--json",
	  0,
	  "\"username\":\"bob\"|\"is_admin\":true|\"state\":\"active\"|"
	  "\"email\":\"b@x\"",
	  NULL, "" },
	{ "user add: twice", "user add ALICE --email a@x", 1, NULL,
	  "alice|"
	  "exists",
	  "" },
	{ "user add: e-mail is needed", "user add carl", 2, NULL,
	  "--email is missing", "" },
	{ "user add: with a password",
	  "user add carl --email c@x --password-stdin", 0, NULL, NULL,
	  "pass word\n" },
	{ "user password", "user password carl --password-stdin", 0, NULL, NULL,
	  "another" },
	{ "password: empty", "user password carl --password-stdin", 1, NULL,
	  "is empty", "\n" },
	{ "password: two lines", "user password carl --password-stdin", 1, NULL,
	  "a second line", "a\nb\n" },
	{ "password: never an argument", "user password carl", 2, NULL,
	  "say --password-stdin", "" },
	{ "password: of nobody", "user password nobody --password-stdin", 1,
	  NULL, "nobody", "x" },
	{ "user show", "user show Bob", 0, "ID  NAME  STATE |bob   active",
	  NULL, "" },
	{ "user show: nobody", "user show eve", 1, NULL, "no user 'eve'", "" },
	{ "two-factor", "user two-factor alice on", 0, NULL, NULL, "" },
	{ "two-factor is there", "user show alice --json", 0,
	  "\"two_factor_enabled\":true", NULL, "" },
	{ "two-factor: closed list", "user two-factor alice yes", 2, NULL,
	  "'yes' is not on or off", "" },
	{ "block", "user block carl", 0, NULL, NULL, "" },
	{ "blocked is shown", "user list", 0, "carl   blocked", NULL, "" },
	{ "unblock", "user unblock carl", 0, NULL, NULL, "" },
	{ "user list as JSON", "user list --json", 0,
	  "[{\"id\":|},{\"id\":|}]\n", NULL, "" },
	{ "user remove", "user remove carl", 0, NULL, NULL, "" },
	{ "user remove: twice", "user remove carl", 1, NULL, "carl", "" },

	/* groups, projects, members */
	{ "project add makes groups",
	  "project add G/sub/app --visibility internal", 0, NULL, NULL, "" },
	{ "group list", "group list", 0, "  g      |  g/sub  ", NULL, "" },
	{ "project list as JSON", "project list --json", 0,
	  "\"path_with_namespace\":\"g/sub/app\"|\"path\":\"app\"|"
	  "\"visibility\":\"internal\"|"
	  "\"container_registry_access_level\":\"enabled\"|"
	  "\"archived\":false",
	  NULL, "" },
	{ "visibility: closed list", "project add x --visibility secret", 2,
	  NULL, "visibility 'secret' is not private, internal or public", "" },
	{ "registry: closed list", "project add x --registry on", 2, NULL,
	  "registry 'on' is not enabled, private or disabled", "" },
	{ "archived: closed list", "project set g/sub/app --archived 1", 2,
	  NULL, "archived '1' is not true or false", "" },
	{ "project set: nothing", "project set g/sub/app", 2, NULL,
	  "nothing to set", "" },
	{ "project set", "project set g/sub/app --archived true --json", 0,
	  "\"archived\":true|\"visibility\":\"internal\"", NULL, "" },
	{ "project set keeps the rest",
	  "project set g/sub/app --archived false --visibility private --json",
	  0, "\"archived\":false|\"visibility\":\"private\"", NULL, "" },
	{ "project show: a group", "project show g", 1, NULL, "no project 'g'",
	  "" },
	{ "group show", "group show g/sub --json", 0,
	  "\"full_path\":\"g/sub\"|\"path\":\"sub\"", NULL, "" },
	{ "member add", "member add g alice developer", 0, NULL, NULL, "" },
	{ "member list", "member list g", 0, "alice  developer", NULL, "" },
	{ "member list as JSON", "member list g --json", 0,
	  "\"username\":\"alice\"|\"access_level\":30", NULL, "" },
	{ "role: closed list", "member add g alice boss", 2, NULL,
	  "role 'boss' is not guest, planner, reporter, developer, maintainer "
	  "or owner",
	  "" },
	{ "member of nothing", "member add nix alice guest", 1, NULL, "nix",
	  "" },
	{ "member remove: none", "member remove g bob", 1, NULL, "bob", "" },
	{ "group remove: not empty", "group remove g", 1, NULL, "--recursive",
	  "" },

	/* tokens */
	{ "token create",
	  "token create alice --name ci --scopes "
	  "read_registry,api --expires 2999-01-31",
	  0, "glpat-", "token 1 made, dies on 2999-01-31", "" },
	{ "token show as JSON", "token show 1 --json", 0,
	  "{\"id\":1,\"name\":\"ci\",\"scopes\":[\"api\",\"read_registry\"],"
	  "\"user_id\":1,\"created_at\":\"2|\"expires_at\":\"2999-01-31\","
	  "\"last_used_at\":null,\"revoked\":false,\"active\":true}",
	  NULL, "" },
	{ "token create as JSON",
	  "token create --json alice --name x --scopes api", 0,
	  "\"expires_at\":null|\"token\":\"glpat-", NULL, "" },
	{ "impersonation",
	  "token create alice --name i --scopes api --impersonation", 0,
	  "glpat-", "token 3 made, never expires", "" },
	{ "impersonation is marked", "token show 3 --json", 0,
	  "\"impersonation\":true", NULL, "" },
	{ "of a project",
	  "token create --project g/sub/app --name p --scopes "
	  "read_registry --role reporter --json",
	  0, "\"access_level\":20|\"token\":\"glpat-", NULL, "" },
	{ "of a group: maintainer unless said",
	  "token create --group g --name p --scopes api --json", 0,
	  "\"access_level\":40", NULL, "" },
	{ "two owners",
	  "token create alice --project g/sub/app --name p "
	  "--scopes api",
	  2, NULL, "say one of USER, --project and --group", "" },
	{ "no owner", "token create --name p --scopes api", 2, NULL,
	  "say one of USER", "" },
	{ "no name", "token create alice --scopes api", 2, NULL,
	  "--name is missing", "" },
	{ "no scopes", "token create alice --name x", 2, NULL,
	  "--scopes is missing", "" },
	{ "scope: closed list",
	  "token create alice --name x --scopes "
	  "api,fly",
	  2, NULL, "scope 'fly' is not one of api, read_user", "" },
	{ "a role is not for users",
	  "token create alice --name x --scopes api "
	  "--role owner",
	  2, NULL, "--role is for --project and --group", "" },
	{ "a date that is none",
	  "token create alice --name x --scopes api "
	  "--expires 2999-02-30",
	  2, NULL, "'2999-02-30' is no date", "" },
	{ "a date that has been",
	  "token create alice --name x --scopes api "
	  "--expires 2001-01-01",
	  1, NULL, "must be in the future", "" },
	{ "token of nobody", "token create eve --name x --scopes api", 1, NULL,
	  "eve", "" },
	{ "token list", "token list", 0,
	  "ID  OWNER|alice|impersonation|project|group", NULL, "" },
	{ "token list of a user", "token list alice --json", 0,
	  "[{\"id\":1,|},{\"id\":2,|},{\"id\":3,", NULL, "" },
	{ "token list of a project", "token list --project g/sub/app --json", 0,
	  "[{\"id\":4,", NULL, "" },
	{ "token revoke", "token revoke 1", 0, NULL, NULL, "" },
	{ "token revoke: again is done", "token revoke 1", 0, NULL, NULL, "" },
	{ "revoked is shown", "token show 1 --json", 0,
	  "\"revoked\":true,\"active\":false", NULL, "" },
	{ "token revoke: unknown", "token revoke 99", 1, NULL, "99", "" },
	{ "an id that is none", "token revoke 1x", 2, NULL,
	  "'1x' is no token id", "" },

	/* explain */
	{ "explain a user",
	  "explain alice --scopes read_registry --access "
	  "repository:g/sub/app:pull,push --json",
	  0,
	  "{\"granted\":[{\"type\":\"repository\",\"name\":\"g/sub/app\","
	  "\"actions\":[\"pull\"]}],\"reason\":\"partial\",\"steps\":[\"",
	  NULL, "" },
	{ "explain for people",
	  "explain alice --scopes api --access "
	  "repository:g/sub/app:pull",
	  0, "granted: repository:g/sub/app:pull\nreason: granted, ", NULL,
	  "" },
	{ "explain a dead token",
	  "explain --token-id 1 --access "
	  "repository:g/sub/app:pull",
	  0, "granted: nothing\nreason: token_revoked, ", NULL, "" },
	{ "explain nobody's pull",
	  "explain --anonymous --access "
	  "repository:g/sub/app:pull --json",
	  0, "{\"granted\":[],\"reason\":\"nothing\"", NULL, "" },
	{ "explain: two identities",
	  "explain alice --anonymous --scopes api "
	  "--access x:y:z",
	  2, NULL,
	  "say one of USER, --token-id and "
	  "--anonymous",
	  "" },
	{ "explain: scopes want a user",
	  "explain --anonymous --scopes api "
	  "--access x:y:z",
	  2, NULL, "USER and --scopes go together", "" },
	{ "explain: access is needed", "explain --anonymous", 2, NULL,
	  "--access is missing", "" },
	{ "explain: unknown user",
	  "explain eve --scopes api --access "
	  "repository:a:pull",
	  1, NULL, "no user 'eve'", "" },
	{ "explain: unknown token",
	  "explain --token-id 99 --access "
	  "repository:a:pull",
	  1, NULL, "no token has the id 99", "" },

	/* keys and registries */
	{ "key list as JSON", "key list --json", 0,
	  "[{\"kid\":\"|\"alg\":\"ES256\",\"state\":\"current\",\"rfc7638\":\"|"
	  "\"not_after\":\"2",
	  NULL, "" },
	{ "yaml for 2 and 3", "registry-config", 0,
	  "auth:\n  token:\n    realm: \"http://localhost:5001/token\"\n"
	  "    service: \"s\"\n    issuer: \"dockpass\"\n    rootcertbundle: "
	  "\"/|/d/public/bundle.pem\"",
	  NULL, "" },
	{ "for 3: algorithms pinned", "registry-config --registry 3", 0,
	  "/jwks.json\"\n    signingalgorithms: [ES256]\n", NULL, "" },
	{ "elsewhere", "registry-config --registry 3 --bundle /c/b.pem", 0,
	  "rootcertbundle: \"/c/b.pem\"\n    jwks: \"/c/jwks.json\"", NULL,
	  "" },
	{ "as variables", "registry-config --format env", 0,
	  "REGISTRY_AUTH=token\nREGISTRY_AUTH_TOKEN_REALM=http://localhost:5001"
	  "/token\nREGISTRY_AUTH_TOKEN_SERVICE=s\n",
	  NULL, "" },
	{ "registry: closed list", "registry-config --registry 4", 2, NULL,
	  "registry '4' is not 2 or 3", "" },
	{ "unknown service", "registry-config --service x", 1, NULL,
	  "no service 'x'", "" },
	{ "key new", "key new", 0, ":", "published, not signing yet|SIGHUP",
	  "" },
	{ "key new: closed list", "key new --alg HS256", 2, NULL,
	  "algorithm 'HS256' is not", "" },
	{ "key new: EdDSA warns", "key new --alg EdDSA", 0, ":",
	  "registry 2.8 does not start", "" },
	{ "EdDSA is nothing for 2", "registry-config --registry 2", 1, NULL,
	  "registry 2 does not start with an Ed25519 key", "" },
	{ "nor for both", "registry-config", 1, NULL, "say --registry 3", "" },
	{ "but for 3", "registry-config --registry 3", 0,
	  "signingalgorithms: [ES256, EdDSA]", NULL, "" },
	{ "unknown key", "key activate AAAA", 1, NULL, "no key 'AAAA'", "" },
	{ "export", "key export --format pem", 0, "-----BEGIN CERTIFICATE",
	  NULL, "" },
	{ "export as JWKS", "key export --format jwks --current", 0,
	  "{\"keys\":[{", NULL, "" },
	{ "export: format is needed", "key export", 2, NULL,
	  "--format is missing", "" },

	/* removal */
	{ "owns tokens", "user remove alice", 1, NULL, "--yes", "" },
	{ "owns tokens: yes", "user remove alice --yes", 0, NULL, NULL, "" },
	{ "all below", "group remove g --recursive --yes", 0, NULL, NULL, "" },
	{ "nothing is left", "project list --json", 0, "[]\n", NULL, "" },
};
