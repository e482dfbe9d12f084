/* server/cli/actor.c - see the header. */
#include "server/cli/actor.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUDO_USER_MAX = 64 };

/* As systems have them, "CORP\alice" and "alice@corp" too. */
static bool is_login(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789_.-@\\";
	size_t len = strspn(name, letters);

	return len && len <= SUDO_USER_MAX && !name[len] && *name != '-';
}

struct str actor_print(struct arena *arena, const char *login, bool root,
		       const char *by)
{
	if (root && by && is_login(by) && strcmp(by, login) != 0)
		return arena_printf(arena, "cli:%s(%s)", by, login);
	return arena_printf(arena, "cli:%s", login);
}

struct str actor_name(struct arena *arena)
{
	uid_t uid = getuid();
	const struct passwd *user = getpwuid(uid);
	char number[24];

	snprintf(number, sizeof(number), "%lu", (unsigned long)uid);
	return actor_print(arena, user ? user->pw_name : number, !uid,
			   getenv("SUDO_USER"));
}

/* "cli:mallory(root)": "cli:", "mallory", "root". */
struct parts {
	struct str kind, name, as;
};

static struct parts cut(struct str actor)
{
	struct parts parts = { 0 };

	if (str_has(actor, ':'))
		str_cut(&actor, ':', &parts.kind);
	str_cut(&actor, '(', &parts.name);
	str_cut(&actor, ')', &parts.as);
	return parts;
}

bool actor_is(struct str actor, struct str wanted)
{
	struct parts a = cut(actor), w = cut(wanted);

	if (str_eq(actor, wanted))
		return true;
	if (w.as.len || !w.name.len || (w.kind.len && !str_eq(w.kind, a.kind)))
		return false;
	return str_eq(w.name, a.name) || str_eq(w.name, a.as) ||
	       (!w.kind.len && str_eq(w.name, a.kind));
}
