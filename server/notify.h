/*
 * server/notify.h - what systemd, or whoever has started the server, wants to
 * be told: sd_notify(3), Type=notify. Lines in a datagram to the socket that
 * NOTIFY_SOCKET names; without it all this does nothing.
 *
 * Written here, as the protocol is made for it: libsystemd would bring the
 * compressors of its journal (liblzma ...) into this process.
 *
 * Thread: main.
 */
#pragma once

#include "token/base.h"

/*
 * Reads and removes the variables, and connects. Before root is left and
 * before the sandbox. A socket that cannot be used is E_IO with *cause: whoever
 * waits there would wait for ever.
 */
enum err notify_open(struct cause *cause) MUST_CHECK;
void notify_close(void);
/* "READY=1\nSTATUS=2 workers" */
void notify_say(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Milliseconds in which WATCHDOG=1 must have come again; 0: it need not. */
int64_t notify_watchdog(void);
