/* server/sandbox_own.h - what the files of server/sandbox.h share. */
#pragma once

#include "server/sandbox.h"

/*
 * Landlock and seccomp: each returns whether it is in force, and writes what it
 * is ("Landlock ABI 4"), or why it is not.
 */
enum { SANDBOX_SAID = 96 };
bool files_restrict(const struct config *config, char said[SANDBOX_SAID]);
bool calls_restrict(char said[SANDBOX_SAID]);

/* The other two, once files are restricted. */
enum reach {
	REACH_FINE,
	REACH_BEYOND, /* it was not in the configuration of the start */
	REACH_ANOTHER /* its folder has taken the place of the one that was */
};
enum reach files_reach(const char *path, bool append);
/* NULL: none; *place is where the option is that wants it, or "". */
const char *files_missing(const struct config *config, const char **place);
