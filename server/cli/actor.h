/*
 * server/cli/actor.h - who acts at the command line, as the store's log has it:
 *
 *   actor = "cli:" login [ "(root)" ]      cli:root, cli:mallory(root)
 *
 * (root): he was root by sudo, which says in SUDO_USER who he is. That is taken
 * from root alone, as anybody can say it, and if it may be a user's name. Who
 * has no name is his number.
 */
#pragma once

#include "token/arena.h"

struct str actor_name(struct arena *arena);
/* The same for who is `login`, if root by the SUDO_USER `by` (or NULL). */
struct str actor_print(struct arena *arena, const char *login, bool root,
		       const char *by);

/*
 * Is it what `wanted` means: the whole, or either of its names, with "cli:"
 * before it or not? cli:mallory(root) is mallory's and root's; "cli" and "job"
 * are all of that kind.
 */
bool actor_is(struct str actor, struct str wanted);
