/*
 * server/memory.h - what libevent frees is wiped first: it holds what came in,
 * secrets among it, in pieces that nobody could name one by one.
 */
#pragma once

/* Before libevent is used at all. */
void memory_wipe_freed(void);
