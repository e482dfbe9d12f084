/* server/cli/help.h - what `dockpass COMMAND --help` prints. */
#pragma once

#include "server/cli/command.h"

void help_print(const struct command *command);
/* What to reach for, of `dockpass --help`. */
extern const char help_first[];
