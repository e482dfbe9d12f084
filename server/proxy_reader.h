/*
 * server/proxy_reader.h - takes a PROXY header off a socket, and not one byte
 * behind it: TLS or HTTP follow there. Deadlines are the connection's.
 *
 * Thread: the worker's.
 */
#pragma once

#include "server/proxy.h"

struct event_base;
struct proxy_reader;

/* Once, from the loop. NULL: there is none, or the peer has gone. */
typedef void proxy_done(const struct proxy_header *header, void *arg);

/* NULL: no memory. Nobody else may read from `fd` until done() is called. */
struct proxy_reader *proxy_reader_new(struct event_base *base, int fd,
				      proxy_done *done, void *arg);
void proxy_reader_free(struct proxy_reader *reader); /* NULL is fine */
