/*
 * server/cli/help.c - see the header. What an option means is in the table of
 * options; here is what a command has beside or against it.
 */
#include "server/cli/help.h"

#include <stdio.h>
#include <string.h>

#include "server/cli/line.h"
#include "store/change.h"
#include "store/reason.h"
#include "store/setting.h"

#define LEAKED                                                                 \
	"--stdin takes what leaked as it is, up to 64 KiB: a secret, a line "  \
	"of a shell or a log,\na header (Authorization: Basic ...), an "       \
	"address with a password, Docker's config.json,\na Kubernetes "        \
	"secret. Each token of which a secret is in it counts.\n"
#define ROLES                                                                  \
	"Roles, in a private project and what lies below a group:\n"           \
	"  guest, planner           nothing; pull where it is not private\n"   \
	"  reporter                 pull\n"                                    \
	"  developer                pull, push\n"                              \
	"  maintainer, owner        pull, push, delete\n"
#define SCOPES                                                                 \
	"Scopes, several with commas; the role must allow it, too:\n"          \
	"  api                      pull, push, delete; admins: the catalog\n" \
	"  read_api                 pull; admins: the catalog\n"               \
	"  read_registry            pull\n"                                    \
	"  write_registry           pull, push\n"                              \
	"  read_user, read_repository, write_repository, sudo\n"               \
	"                           nothing in a registry\n"
#define FOLLOW                                                                 \
	"The server follows at " RELOAD ", or SIGHUP, a registry once it "     \
	"has\npublic/bundle.pem and is restarted.\n"
#define ORDER                                                                  \
	"Another key: key new; reload; bring public/bundle.pem to the "        \
	"registries and restart\nthem; key activate KID; reload. When the "    \
	"last JWT of the old one has died\n(services[].ttl): key remove "      \
	"OLDKID; reload.\nAt once, as it has leaked: key new; key activate "   \
	"KID; key remove OLDKID; reload;\nthen the registries, which refuse "  \
	"all until they are restarted.\n"
#define FORMATS                                                                \
	"dockerconfigjson, kubernetes-secret or env (default: the secret "     \
	"alone)"
#define HOST "the registry, as images are named: HOST or HOST:PORT"
#define SETTINGS                                                               \
	"Settings, with numbers, true or false, or days as 60,30,7,1; none "   \
	"is "                                                                  \
	"the default:\n" SETTING_LIST(SETTING_LINES)
#define SETTING_LINES(name, kind, init, least, most, takes, help)              \
	"  " #name "\n      " help "\n"
#define ACTORS                                                                 \
	"Actors: cli:alice is alice at the command line, cli:alice(root) she " \
	"as root by sudo,\njob:lifetime a check of the server; a name alone "  \
	"finds these, too.\n"
#define ACTIONS                                                                \
	"Actions, with the command that does it, or what else:\n" CHANGE_LIST( \
		ACTION_LINE)
#define ACTION_LINE(name, number, text, of, help) "  " text ": " help "\n"
#define REASONS					  "Reasons, also of the server's log:\n" REASON_LIST(REASON_LINES)
#define REASON_LINES(name, outcome, code, text)	  "  " code "\n      " text "\n"
#define KID					  "KID: either id of the key, or its first 4 characters or more.\n"

/* Where an option means something else, or has a default. NULL: it has none. */
static const struct {
	const char *words;
	enum opt opt;
	const char *help;
} meanings[] = {
	{ "init", OPT_CONFIG, NULL },
	{ "init", OPT_SERVICE,
	  "the registry's name, the JWT's aud (default: registry)" },
	{ "project add", OPT_VISIBILITY,
	  "private, internal or public (default: private)" },
	{ "project add", OPT_REGISTRY,
	  "enabled, private (members alone) or disabled (default: enabled)" },
	{ "registry-config", OPT_REGISTRY, "2 or 3 (default: what both take)" },
	{ "registry-config", OPT_FORMAT, "yaml or env (default: yaml)" },
	{ "token create", OPT_SERVICE, "for that registry alone; repeatable" },
	{ "token create", OPT_FORMAT, FORMATS },
	{ "token rotate", OPT_FORMAT, FORMATS },
	{ "token create", OPT_REGISTRY, HOST },
	{ "token rotate", OPT_REGISTRY, HOST },
	{ "token rotate", OPT_EXPIRES,
	  "of the new one (default: as many days as the old one was given)" },
	{ "token revoke", OPT_YES, "without asking" },
	{ "job run", OPT_DATE,
	  "as if it were that day; if that has not come, nobody is told" },
	{ "explain", OPT_SCOPES, "as a token of USER with these scopes" },
	{ "doctor", OPT_SERVICE,
	  "which of our services that registry ought to be" },
	{ "explain", OPT_SERVICE, "the registry that is asked for" },
	{ "backup", OPT_YES, "in the place of a FILE that is there" },
	{ "restore", OPT_YES, "in the place of a store that is there" },
	{ "audit export", OPT_YES, "in the place of a FILE that is there" },
	{ "audit prune", OPT_YES, "do it" },
};

static const struct {
	const char *words, *text;
} notes[] = {
	{ "serve",
	  RELOAD ", or SIGHUP, has it read configuration, keys and "
		 "certificates\nagain, without dropping a connection. SIGTERM "
		 "finishes what is under way, 10 s\nat most.\n" },
	{ "member add", ROLES },
	{ "token create", SCOPES },
	{ "token create", ROLES },
	{ "token show", LEAKED },
	{ "token revoke", LEAKED },
	{ "explain", SCOPES },
	{ "job run",
	  "expiring: tokens that die within expiry_notice_days; expired: those "
	  "that have. The\nserver makes these checks every day, at 01:00 and "
	  "02:00 UTC. People are told, by\nmail and webhook, and are not told "
	  "again by the server; what waits is sent, too.\nThe job lifetime "
	  "runs by itself, three hours after max_token_lifetime is set.\n" },
	{ "job waiting",
	  "The server tries these again ever later, up to an hour; a reload "
	  "and dockpass job\nrun try all of them at once. After three days one "
	  "is given up, which is an error in\nthe server's log.\n" },
	{ "settings get", SETTINGS },
	{ "settings set", SETTINGS },
	{ "explain",
	  "A token may be limited to networks or services: --address and "
	  "--service say what to\nhold against that, else it is refused "
	  "(not_said).\n\n" REASONS },
	{ "backup",
	  "FILE is whole or not there, of mode 0600, and read once before it "
	  "has its name.\nIt holds no usable secret. The keys and "
	  "dockpass.yaml are not in it.\n" },
	{ "restore",
	  "A running server follows at once. What was taken away since the "
	  "backup stays so:\nrevoked tokens, graces that ended, blocked and "
	  "removed users, passwords that were\nreplaced, lowered roles, "
	  "projects that were closed, settings that were made stricter;\nand "
	  "of what was removed and made again, no more comes back than there "
	  "is now.\nThat takes the store that is replaced. Where it was lost, "
	  "what was revoked since\nworks again: look through dockpass token "
	  "list, and revoke it.\n" },
	{ "token list",
	  "STATE: active; grace: replaced, and works for a while; rotated: "
	  "replaced; revoked;\nexpired: its date has come; idle: unused for "
	  "too "
	  "long. Whoever may read the store sees\nall tokens, impersonation "
	  "tokens too.\n" },
	{ "token rotate",
	  "The old secret dies at once, and with it those before that were in "
	  "their grace;\na grace ends with the token's date. Of a secret that "
	  "has leaked, dockpass token\nrevoke ID --family ends all that came "
	  "of it.\n" },
	{ "doctor",
	  "REGISTRY-URL as https://registry.example.com: what is wrong with "
	  "its logins, told by\nwhat it says and which of our tokens it "
	  "takes (for nothing, for a minute). Without:\nconfiguration, keys, "
	  "store, certificates, server, mail, clock. Status 1 if something\n"
	  "is wrong; the last line says what to mend first: the gravest, or "
	  "what causes the\nothers. No secret is sent.\n" },
	{ "audit list", ACTORS ACTIONS },
	{ "audit export", ACTORS ACTIONS },
	{ "audit prune",
	  "Keep them before with dockpass audit export FILE. What was revoked "
	  "since a backup\nthat is older than the oldest entry nobody knows "
	  "then. Without --yes it says what\nwould go.\n" },
	{ "key new", ORDER FOLLOW },
	{ "key activate", KID ORDER FOLLOW },
	{ "key remove", KID ORDER FOLLOW },
	{ "user block",
	  "His tokens are refused from the next request on, and work again "
	  "once he is\nunblocked. user show lists where he is a member, token "
	  "list NAME his tokens; those\nof projects and groups that he knows "
	  "are not his: look at token list --project.\n" },
	{ "store check", "Of one that is damaged:\n" STORE_MEND_READ
			 "\n" STORE_MEND_LOST ".\n" },
};

const char help_first[] =
	"- a user is denied: dockpass explain, or the reason in the log\n"
	"- a registry refuses: dockpass doctor REGISTRY-URL\n"
	"- something is wrong on this side: dockpass doctor\n"
	"- somebody has left: dockpass user block NAME\n"
	"- a token has leaked: dockpass token revoke --family --stdin\n"
	"- another signing key: dockpass key new --help\n"
	"- the store is damaged: dockpass store check --help\n";

static const char *meaning(const struct command *command, enum opt opt)
{
	for (size_t i = 0; i < COUNT(meanings); i++)
		if (meanings[i].opt == opt &&
		    !strcmp(meanings[i].words, command->words))
			return meanings[i].help;
	return opt_rows[opt].help;
}

static bool takes(const struct command *command, enum opt opt)
{
	return (command->opts | OPT_ALWAYS) >> opt & 1 && meaning(command, opt);
}

static void name_of(enum opt opt, struct cause *out)
{
	snprintf(out->text, sizeof(out->text), "--%s %s", opt_rows[opt].name,
		 opt_rows[opt].takes ? opt_rows[opt].takes : "");
}

/* Of the column of options: that of the longest, at least 24. */
static int width(const struct command *command)
{
	struct cause name;
	size_t widest = 24;

	for (enum opt opt = 0; opt < OPT_COUNT; opt++) {
		if (!takes(command, opt))
			continue;
		name_of(opt, &name);
		if (strlen(name.text) > widest)
			widest = strlen(name.text);
	}
	return (int)widest;
}

void help_print(const struct command *command)
{
	printf("usage: dockpass %s%s%s%s%s\n\n%s\n\n", command->words,
	       *command->usage ? " " : "", command->usage,
	       takes(command, OPT_JSON) ? " [--json]" : "",
	       takes(command, OPT_CONFIG) ? " [--config FILE]" : "",
	       command->help);
	for (enum opt opt = 0; opt < OPT_COUNT; opt++) {
		struct cause name;

		if (!takes(command, opt))
			continue;
		name_of(opt, &name);
		printf("  %-*s %s\n", width(command), name.text,
		       meaning(command, opt));
	}
	for (size_t i = 0; i < COUNT(notes); i++)
		if (!strcmp(notes[i].words, command->words))
			printf("\n%s", notes[i].text);
}
