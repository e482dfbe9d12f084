/*
 * server/serve.h - `dockpass serve`: start-up and shut-down as one ordered
 * table, signals, reload.
 *
 * SIGHUP reads configuration, keys and certificates again. SIGTERM and SIGINT
 * end it within 10 s, the second one at once.
 */
#pragma once

#include "server/log.h"

/* The exit status; 1 comes with one line on standard error. */
int serve(const char *config_path, enum log_format format);
