/*
 * store/steady.h - time that goes on evenly, whoever sets the clock: for what
 * lasts so long, not for when. Of one machine, since it was started.
 */
#pragma once

#include <stdint.h>

int64_t steady_ms(void);
int64_t steady_seconds(void);
