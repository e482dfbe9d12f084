/*
 * server/cli/cli.h - the command table. A command is a row: words, usage, what
 * it does in a line, options, function. Parser, --help and README share it.
 *
 * Exit status: 0 done; 1 refused or failed; 2 the command line cannot be
 * understood. 1 and 2 come with one line on standard error: what, and what to
 * do. Secrets are never arguments.
 */
#pragma once

#include "server/config.h"
#include "store/change.h"
#include "token/arena.h"
#include "token/json.h"

enum exit_status { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

/* Runs the command of argv; the whole of main(). */
int cli_main(int argc, char **argv);
