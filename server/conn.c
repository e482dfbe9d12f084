/* server/conn.c - see the header. */
#include "server/conn_own.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "server/proxy_reader.h"

enum {
	READ_AHEAD = 64 * 1024, /* that evhttp has not taken */
	WASTE = 16 * 1024
};

static void unlink_conn(struct conn *conn)
{
	struct conns *all = conn->all;

	if (!conn->queued)
		return;
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		all->queues[conn->queue].first = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	else
		all->queues[conn->queue].last = conn->prev;
	conn->next = conn->prev = NULL;
	conn->queued = false;
}

void conn_enqueue(struct conn *conn, enum conn_queue queue)
{
	struct conns *all = conn->all;

	unlink_conn(conn);
	conn->queue = queue;
	conn->queued = true;
	conn->since = conns_now();
	conn->prev = all->queues[queue].last;
	if (conn->prev)
		conn->prev->next = conn;
	else
		all->queues[queue].first = conn;
	all->queues[queue].last = conn;
}

/* Now that evhttp has given it a descriptor. */
static void get_to_know(struct conn *conn)
{
	struct conns *all = conn->all;

	if (conn->known)
		return;
	conn->fd = bufferevent_getfd(conn->bev);
	if (conn->fd < 0)
		return;
	conn->known = true;
	all->watch(conn->bev, conn);
	if (conn->fd < DESCRIPTORS)
		all->table[conn->fd] = conn;
	conn_enter(conn);
}

static void on_fresh(evutil_socket_t fd, short what, void *arg)
{
	struct conns *all = arg;

	(void)fd, (void)what;
	for (struct conn *conn = all->queues[QUEUE_FIRST].last;
	     conn && !conn->known; conn = conn->prev)
		get_to_know(conn);
}

static void on_added(struct evbuffer *input,
		     const struct evbuffer_cb_info *info, void *arg);

static void conn_free(struct conn *conn)
{
	struct conns *all = conn->all;

	unlink_conn(conn);
	if (conn->late) {
		event_free(conn->late);
		close(conn->fd);
	}
	conn_leave(conn);
	proxy_reader_free(conn->reader);
	free(conn->peer.subject);
	intake_done(&conn->intake);
	all->count--;
	all->aside -= conn_aside(conn);
	free(conn);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	char waste[WASTE];
	ssize_t n = recv(fd, waste, sizeof(waste), 0);

	(void)what;
	if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
		conn_free(arg);
}

/*
 * To close before all has been read is a reset, which overtakes the answer: a
 * client that is still sending would not learn why it was refused. So evhttp
 * closes all but the descriptor. (A dup() of it would haunt the event loop.)
 */
static bool linger(struct conn *conn)
{
	if (!conn->lingers)
		return false;
	conn->late = event_new(conn->all->base, conn->fd, EV_READ | EV_PERSIST,
			       on_late, conn);
	if (!conn->late)
		return false;
	bufferevent_setfd(conn->bev, -1);
	conn->bev = NULL;
	shutdown(conn->fd, SHUT_WR);
	event_add(conn->late, NULL);
	conn_enqueue(conn, QUEUE_LATE);
	return true;
}

static void forget_replied(struct conn *conn)
{
	if (conn->replied)
		TAILQ_REMOVE(&conn->all->replied, conn, in_replied);
	conn->replied = false;
}

void conn_gone(struct conn *conn)
{
	struct conns *all = conn->all;

	/* It may hear of bytes that were being read when the end came. */
	evbuffer_remove_cb(bufferevent_get_input(conn->bev), on_added, conn);
	conn_judge(conn);
	conn_forget(conn);
	forget_replied(conn);
	tls_goodbye(conn->bev);
	if (conn->known && conn->fd < DESCRIPTORS &&
	    all->table[conn->fd] == conn)
		all->table[conn->fd] = NULL;
	if (!linger(conn))
		conn_free(conn);
}

/* evhttp is told that the peer has gone, and frees all. */
void conn_close(struct conn *conn)
{
	if (conn->late) {
		conn_free(conn);
		return;
	}
	get_to_know(conn); /* else nobody would tell us of its end */
	unlink_conn(conn);
	conn_forget(conn);
	tls_goodbye(conn->bev);
	if (conn->fd >= 0)
		shutdown(conn->fd, SHUT_RDWR);
	bufferevent_trigger_event(conn->bev, BEV_EVENT_EOF | BEV_EVENT_READING,
				  0);
}

/*
 * What is unsent would stay with the kernel for minutes: as much as a peer who
 * takes nothing could ask for.
 */
void conn_reset(struct conn *conn)
{
	const struct linger none = { .l_onoff = 1 };

	setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	conn_close(conn);
}

bool conn_is_quiet(const struct conn *conn)
{
	return intake_whole(&conn->intake) == conn->answered &&
	       !evbuffer_get_length(bufferevent_get_output(conn->bev));
}

bool conn_refuse(struct conn *conn, const char *reason)
{
	struct evbuffer *input = bufferevent_get_input(conn->bev);

	if (!conn->known || conn->reader || conn->lingers || conn->stalled ||
	    !conn_is_quiet(conn) || intake_midst(&conn->intake))
		return false;
	conn->lingers = true;
	conn->busy = true;
	/* A socket's bufferevent lets nobody but itself add to it. */
	evbuffer_unfreeze(input, 0);
	intake_refuse(&conn->intake, input, reason);
	conn->busy = false;
	conn_enqueue(conn, QUEUE_REQUEST);
	conn_weigh(conn);
	/* Later, as we may be called for another connection's sake. */
	bufferevent_trigger(conn->bev, EV_READ,
			    BEV_TRIG_IGNORE_WATERMARKS |
				    BEV_TRIG_DEFER_CALLBACKS);
	return true;
}

/* Bytes from `at` on are new. */
static void let_in(struct conn *conn, struct evbuffer *input, size_t at)
{
	if (conn->full) {
		conn->full = false;
		conn->lingers = true;
		intake_refuse(&conn->intake, input,
			      conn->over == CROWD_ADDRESS ? "503/address"
							  : "503/total");
		return;
	}
	switch (intake_feed(&conn->intake, input, at)) {
	case INTAKE_OPEN:
		break;
	case INTAKE_REFUSED:
		conn->lingers = true;
		break;
	case INTAKE_DROPPED:
		shutdown(conn->fd, SHUT_RDWR);
		break;
	}
}

/* As long as a reply is not taken, that is what it is waited for. */
static void queue_up(struct conn *conn, uint32_t before)
{
	bool more = intake_whole(&conn->intake) != before;

	if (conn->stalled)
		return;
	if (intake_between(&conn->intake)) {
		if (more)
			conn_enqueue(conn, QUEUE_IDLE);
	} else if (conn->queue != QUEUE_REQUEST || more) {
		conn_enqueue(conn, QUEUE_REQUEST);
	}
}

/* Bytes have come in; evhttp has not seen them yet. */
static void on_added(struct evbuffer *input,
		     const struct evbuffer_cb_info *info, void *arg)
{
	struct conn *conn = arg;
	uint32_t whole = intake_whole(&conn->intake);
	bool behind = whole != conn->answered;

	if (!info->n_added || conn->busy)
		return;
	get_to_know(conn);
	conn_look(conn);
	conn->busy = true;
	let_in(conn, input, info->orig_size);
	conn->busy = false;
	queue_up(conn, whole);
	if (behind || conn->held || intake_held(&conn->intake))
		conn_weigh(conn);
}

bool conn_new(struct conns *conns, struct bufferevent *bev, struct crowd *crowd,
	      bool proxied)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return false;
	*conn = (struct conn) { .all = conns,
				.crowd = crowd,
				.fd = -1,
				.bev = bev,
				.proxied = proxied };
	intake_init(&conn->intake);
	if (!evbuffer_add_cb(bufferevent_get_input(bev), on_added, conn)) {
		free(conn);
		return false;
	}
	bufferevent_setwatermark(bev, EV_READ, 0, READ_AHEAD);
	conns->count++;
	conns->aside += conn_aside(conn);
	conn_enqueue(conn, QUEUE_FIRST);
	event_active(conns->fresh, EV_READ, 0);
	return true;
}

static struct conn *conn_of(struct conns *conns, int fd)
{
	return fd >= 0 && fd < DESCRIPTORS ? conns->table[fd] : NULL;
}

/*
 * What is not written whole here, libevent writes when the peer takes it; nor
 * is a reply with another request behind it: evhttp would take that one in this
 * turn, and others would wait.
 */
static void write_out(struct conn *conn)
{
	struct evbuffer *output = bufferevent_get_output(conn->bev);

	if (!evbuffer_get_length(output) ||
	    evbuffer_get_length(bufferevent_get_input(conn->bev)))
		return;
	if (!tls_write(conn->bev)) {
		/* A socket's bufferevent lets nobody but itself drain it. */
		evbuffer_unfreeze(output, 1);
		evbuffer_write(output, conn->fd);
		evbuffer_freeze(output, 1);
	}
	if (!evbuffer_get_length(output))
		bufferevent_trigger(conn->bev, EV_WRITE, 0);
}

/* While it works for a request, evhttp looks by itself afterwards. */
static void read_rest(struct conn *conn)
{
	if (tls_read_rest(conn->bev, READ_AHEAD) &&
	    bufferevent_get_enabled(conn->bev) & EV_READ)
		bufferevent_trigger(conn->bev, EV_READ,
				    BEV_TRIG_IGNORE_WATERMARKS);
}

static void settle(struct conn *conn)
{
	if (evbuffer_get_length(bufferevent_get_output(conn->bev)))
		conn_stall(conn);
	else if (conn->held)
		conn_weigh(conn);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct conns *conns = arg;
	struct conn *conn;

	(void)fd, (void)what;
	while ((conn = TAILQ_FIRST(&conns->replied))) {
		int its = conn->fd;

		forget_replied(conn);
		write_out(conn);
		/* Perhaps it has come to its end by that. */
		conn = conn_of(conns, its);
		if (conn) {
			settle(conn);
			read_rest(conn);
		}
	}
}

void conns_reply(struct conns *conns, int fd)
{
	struct conn *conn = conn_of(conns, fd);

	if (!conn)
		return;
	conn->answered++;
	if (!conn->replied)
		TAILQ_INSERT_TAIL(&conns->replied, conn, in_replied);
	conn->replied = true;
	event_active(conns->turn, EV_WRITE, 0);
}

const struct peer *conns_peer(struct conns *conns, int fd)
{
	static const struct peer nobody = { .trusted = true, .unsure = true };
	struct conn *conn = conn_of(conns, fd);

	if (!conn)
		return &nobody;
	peer_trusted(&conn->peer, &conns->trust);
	return &conn->peer;
}

void conns_trust(struct conns *conns, const struct networks *proxies)
{
	conns->trust.proxies = proxies;
	conns->trust.version++;
}

/*
 * One slot a descriptor, whatever their limit is now: it may be raised. Pages
 * are touched only where there is one.
 */
enum err conns_init(struct conns *conns, struct event_base *base,
		    struct crowd *crowd, struct metrics *metrics,
		    void (*watch)(struct bufferevent *bev, struct conn *conn))
{
	*conns = (struct conns) {
		.base = base,
		.crowd = crowd,
		.metrics = metrics,
		.watch = watch,
	};
	TAILQ_INIT(&conns->replied);
	conns->table = calloc(DESCRIPTORS, sizeof(struct conn *));
	conns->fresh = event_new(base, -1, 0, on_fresh, conns);
	conns->turn = event_new(base, -1, 0, on_turn, conns);
	conns->overdue = event_new(base, -1, 0, conns_on_overdue, conns);
	if (!conns->table || !conns->fresh || !conns->turn || !conns->overdue)
		return E_MEMORY;
	return conns_held_init(conns);
}

void conns_done(struct conns *conns)
{
	conns_tell_all(conns);
	while (conns->queues[QUEUE_LATE].first)
		conn_free(conns->queues[QUEUE_LATE].first);
	if (conns->fresh)
		event_free(conns->fresh);
	if (conns->turn)
		event_free(conns->turn);
	if (conns->overdue)
		event_free(conns->overdue);
	conns_held_done(conns);
	free(conns->table);
	*conns = (struct conns) { 0 };
}
