/*
 * server/conn_enter.c - whose a connection is, by its socket or by a PROXY
 * header, and whether there is room for it.
 */
#include "server/conn_own.h"

#include <sys/socket.h>
#include <time.h>

#include <event2/bufferevent.h>
#include <event2/event.h>

#include "server/log.h"
#include "server/proxy_reader.h"

int64_t conns_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool conn_aside(const struct conn *conn)
{
	return conn->crowd != conn->all->crowd;
}

void conn_leave(struct conn *conn)
{
	if (conn->counted)
		crowd_leave(conn->crowd, conn->verdict, conn->place);
	conn->counted = false;
}

/* Once, however often it is looked at. */
static void count_crowded(struct conn *conn)
{
	if (conn->crowded || conn_aside(conn))
		return;
	conn->crowded = true;
	conn_tell(conn, conn->over == CROWD_ADDRESS ? METRIC_CROWDED_ADDRESS
						    : METRIC_CROWDED);
}

/* Whom a proxy asks for is counted where he is known. */
static void enter_crowd(struct conn *conn)
{
	struct conns *all = conn->all;
	struct sockaddr_storage at;
	bool proxy = conn->reader || peer_trusted(&conn->peer, &all->trust);
	bool close;

	peer_sockaddr(&conn->peer, &at);
	conn->verdict =
		crowd_enter(conn->crowd, proxy ? NULL : (struct sockaddr *)&at,
			    &conn->place, &conn->over);
	conn->counted = true;
	conn->full = conn->verdict != CROWD_WELCOME;
	close = conn->verdict == CROWD_CLOSE ||
		(conn->full && conn_aside(conn));
	/* Behind a PROXY header there may be room by then. */
	if (close || (conn->full && !conn->reader))
		count_crowded(conn);
	if (close)
		shutdown(conn->fd, SHUT_RDWR);
}

static void say_no_header(struct conn *conn)
{
	char text[NETWORK_TEXT_MAX];
	uint64_t count;

	if (!ratelimit_due(&conn->all->unnamed, &count))
		return;
	address_print(&conn->peer.address, text);
	log_event(
		LEVEL_WARNING, "proxy",
		"%s was cut off: a listener with proxy_protocol wants a PROXY "
		"header first, from trusted_proxies alone if there are any "
		"(said once a minute)",
		text);
}

static void on_header(const struct proxy_header *header, void *arg)
{
	struct conn *conn = arg;

	proxy_reader_free(conn->reader);
	conn->reader = NULL;
	if (!header) {
		if (conn->verdict != CROWD_CLOSE)
			say_no_header(conn);
		conn_close(conn);
		return;
	}
	peer_name(&conn->peer, header, &conn->all->trust);
	conn_leave(conn);
	enter_crowd(conn);
	bufferevent_enable(conn->bev, EV_READ);
}

/* TLS or HTTP begin behind it. */
static void await_header(struct conn *conn)
{
	struct conns *all = conn->all;

	bufferevent_disable(conn->bev, EV_READ);
	if (!all->trust.proxies->len || conn->peer.trusted)
		conn->reader =
			proxy_reader_new(all->base, conn->fd, on_header, conn);
	else
		say_no_header(conn);
	if (conn->reader)
		return;
	bufferevent_enable(conn->bev, EV_READ);
	shutdown(conn->fd, SHUT_RDWR);
}

void conn_enter(struct conn *conn)
{
	struct conns *all = conn->all;

	if (!conn_aside(conn))
		metrics_count(all->metrics, METRIC_ACCEPTED);
	peer_init(&conn->peer, conn->fd, &all->trust);
	if (conn->proxied)
		await_header(conn);
	enter_crowd(conn);
}
