/*
 * server/listen.h - listening sockets: one a worker on each address, so that
 * the kernel spreads the connections (SO_REUSEPORT).
 */
#pragma once

#include "token/base.h"

/*
 * Binds "ADDRESS:PORT" `count` times into sockets[0], sockets[stride], ... An
 * address that another process has, even one that would share it, is E_BUSY
 * with *cause; then none is open.
 */
enum err listen_open(const char *address, unsigned count, size_t stride,
		     int *sockets, struct cause *cause) MUST_CHECK;
