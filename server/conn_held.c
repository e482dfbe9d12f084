/*
 * server/conn_held.c - what connections hold in memory, and who gives way when
 * that is too much (struct held in server/conn.h).
 */
#include "server/conn_own.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

enum { LARGE = 8 * 1024 /* more than requests of people hold */ };

/* What evhttp has not taken of it, and its peer of us, if that is to be. */
static size_t weight(const struct conn *conn)
{
	size_t n = intake_held(&conn->intake);

	if (conn->stalled || intake_whole(&conn->intake) != conn->answered)
		n += evbuffer_get_length(bufferevent_get_input(conn->bev)) +
		     evbuffer_get_length(bufferevent_get_output(conn->bev));
	return n;
}

static void put(struct conn *conn, size_t n)
{
	struct held *held = &conn->all->held;
	bool large = n > LARGE;

	if (conn->held && (!n || large != conn->large))
		TAILQ_REMOVE(&held->lists[conn->large], conn, in_held);
	if (n && (!conn->held || large != conn->large))
		TAILQ_INSERT_TAIL(&held->lists[large], conn, in_held);
	held->total += n - conn->held;
	held->large -= conn->large ? conn->held : 0;
	held->large += large ? n : 0;
	conn->large = large;
	conn->held = n;
	atomic_store_explicit(&conn->all->metrics->held, held->total,
			      memory_order_relaxed);
}

static void give_way(struct conn *conn)
{
	conn_tell(conn, METRIC_CROWDED_HELD);
	if (!conn_refuse(conn, "503/held"))
		conn_reset(conn);
}

/* False: it would be the turn of `spared`. */
static bool relieve(struct conns *conns, const struct conn *spared)
{
	struct held *held = &conns->held;

	while (held->total > held->most) {
		bool large = held->large > held->total / 2;
		struct conn *oldest = TAILQ_FIRST(&held->lists[large]);

		assert(oldest);
		if (oldest == spared)
			return false;
		give_way(oldest);
	}
	return true;
}

static void on_relief(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	(void)relieve(arg, NULL);
}

void conn_weigh(struct conn *conn)
{
	put(conn, weight(conn));
	if (!relieve(conn->all, conn))
		event_active(conn->all->held.relief, EV_READ, 0);
}

/* By libevent, a part at a time. */
static void on_taken(struct evbuffer *output,
		     const struct evbuffer_cb_info *info, void *arg)
{
	struct conn *conn = arg;

	if (!info->n_deleted || evbuffer_get_length(output))
		return;
	conn->stalled = false;
	evbuffer_remove_cb(output, on_taken, conn);
	conn_enqueue(conn, intake_between(&conn->intake) ? QUEUE_IDLE
							 : QUEUE_REQUEST);
	put(conn, weight(conn));
}

void conn_stall(struct conn *conn)
{
	struct evbuffer *output = bufferevent_get_output(conn->bev);

	if (!conn->stalled && evbuffer_add_cb(output, on_taken, conn)) {
		conn->stalled = true;
		conn_enqueue(conn, QUEUE_REPLY);
	}
	conn_weigh(conn);
}

void conn_forget(struct conn *conn)
{
	if (conn->stalled)
		evbuffer_remove_cb(bufferevent_get_output(conn->bev), on_taken,
				   conn);
	conn->stalled = false;
	put(conn, 0);
}

void conns_limit(struct conns *conns, size_t held)
{
	conns->held.most = held;
	atomic_store_explicit(&conns->metrics->held_most, held,
			      memory_order_relaxed);
	event_active(conns->held.relief, EV_READ, 0);
}

enum err conns_held_init(struct conns *conns)
{
	struct held *held = &conns->held;

	TAILQ_INIT(&held->lists[false]);
	TAILQ_INIT(&held->lists[true]);
	held->most = SIZE_MAX;
	held->relief = event_new(conns->base, -1, 0, on_relief, conns);
	return held->relief ? E_OK : E_MEMORY;
}

void conns_held_done(struct conns *conns)
{
	if (conns->held.relief)
		event_free(conns->held.relief);
}
