/*
 * server/waits.h - nobody waits for ever for a process that holds the store's
 * lock (one that was stopped, or hangs).
 */
#pragma once

#include "server/services.h"

enum { WRITE_PATIENCE = 5 * 1000 /* ms */ };

/*
 * Once a second, by each worker: gives up the changes that have waited for
 * WRITE_PATIENCE, and logs once that they do, and when that is over.
 */
void waits_look(const struct services *services);
