/*
 * server/sandbox.h - what the server can still do once it has started: the
 * system calls that its threads make (seccomp, sandbox_calls.c), and the files
 * that its configuration names (Landlock, sandbox_files.c). Whoever takes over
 * a thread of it runs no program, opens no other file, listens nowhere.
 *
 * What the kernel cannot do is left out, and said. A system call that is not
 * allowed ends the process with one line on standard error: it is an attack, or
 * a library that has changed. What libraries only try fails instead.
 *
 * A process has one sandbox, and no way out. Thread: main.
 */
#pragma once

#include "server/config.h"

struct sandbox {
	bool whole; /* as much as the configuration wants */
	char text[256];
};

/*
 * For this thread and all that it starts from now on. Files that are open stay
 * so. *said is what is in force, and what is not and why.
 */
void sandbox_enter(const struct config *config, struct sandbox *said);

/*
 * Of a file or a folder that cannot be opened (EACCES): is it the sandbox that
 * keeps it shut? It was made for the configuration of the start, and for the
 * folders that were there then. Then *cause says so. errno stays. `append`: it
 * was to be written, as the log's file.
 */
bool sandbox_hides(const char *path, bool append, struct cause *cause);
/* Of all that another configuration names: E_REFUSED with *cause. */
enum err sandbox_check(const struct config *config,
		       struct cause *cause) MUST_CHECK;
