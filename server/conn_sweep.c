/*
 * server/conn_sweep.c - who has taken too long; and what is told of those who
 * were sent away.
 */
#include "server/conn_own.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <event2/event.h>

#include "server/log.h"

enum { SAY_MS = 60 * 1000 };

/* Behind it, how many since it was last said. What is not here is no news. */
static const struct {
	enum log_level level;
	const char *event, *text;
} news[METRIC_COUNT] = {
	[METRIC_CROWDED] = { LEVEL_WARNING, "overload",
			     "limits.connections is reached: turned away" },
	[METRIC_CROWDED_ADDRESS] = { LEVEL_WARNING, "overload",
				     "limits.connections_per_address is "
				     "reached: turned away" },
	[METRIC_CROWDED_HELD] = { LEVEL_WARNING, "overload",
				  "limits.held is reached: turned away" },
	[METRIC_SLOW_REQUEST] = { LEVEL_INFO, "slow",
				  "a request was not whole in time: ended" },
	[METRIC_SLOW_REPLY] = { LEVEL_INFO, "slow",
				"an answer was not taken in time: ended" },
};

bool ratelimit_due(struct ratelimit *limit, uint64_t *count)
{
	int64_t now = conns_now();

	*count = ++limit->count;
	if (limit->at && now - limit->at < SAY_MS)
		return false;
	*limit = (struct ratelimit) { .at = now };
	return true;
}

static void say(enum metric metric, uint64_t count, const struct network *last)
{
	char text[NETWORK_TEXT_MAX];

	address_print(last, text);
	log_event(news[metric].level, news[metric].event,
		  "%s %llu, at last %s (said once a minute)", news[metric].text,
		  (unsigned long long)count, text);
}

void conn_tell(const struct conn *conn, enum metric metric)
{
	struct ratelimit *limit = &conn->all->ratelimits[metric];
	uint64_t count;

	if (conn_aside(conn))
		return;
	metrics_count(conn->all->metrics, metric);
	limit->last = conn->peer.address;
	if (news[metric].text && ratelimit_due(limit, &count))
		say(metric, count, &conn->peer.address);
}

/* Of whom nobody came after, to have them told. */
static void tell_rest(struct conns *conns, int64_t now)
{
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		struct ratelimit *limit = &conns->ratelimits[i];

		if (!news[i].text || !limit->count || now - limit->at < SAY_MS)
			continue;
		say((enum metric)i, limit->count, &limit->last);
		*limit = (struct ratelimit) { .at = now };
	}
}

void conns_tell_all(struct conns *conns)
{
	tell_rest(conns, INT64_MAX);
}

/* One that was refused before has had its answer. */
static void end_request(struct conn *conn)
{
	if (!conn->lingers)
		conn_tell(conn, METRIC_SLOW_REQUEST);
	if (!conn_refuse(conn, "408"))
		conn_close(conn);
}

static void end_reply(struct conn *conn)
{
	conn_tell(conn, METRIC_SLOW_REPLY);
	conn_reset(conn);
}

static void end_first(struct conn *conn)
{
	conn_tell(conn, METRIC_SLOW_FIRST);
	conn_close(conn);
}

/* An answer may be the kernel's by now, and the peer still not take it. */
static void end_idle(struct conn *conn)
{
	int unsent = 0;

	if (!ioctl(conn->fd, SIOCOUTQ, &unsent) && unsent) {
		end_reply(conn);
		return;
	}
	conn_tell(conn, METRIC_SLOW_NEXT);
	conn_close(conn);
}

static const struct {
	int64_t ms;
	void (*end)(struct conn *conn);
} ends[QUEUE_COUNT] = {
	[QUEUE_FIRST] = { FIRST_MS, end_first },
	[QUEUE_REQUEST] = { REQUEST_MS, end_request },
	[QUEUE_REPLY] = { REPLY_MS, end_reply },
	[QUEUE_IDLE] = { IDLE_MS, end_idle },
	[QUEUE_LATE] = { LATE_MS, conn_close },
};

/* One that has been in this queue since then, or longer; NULL: nobody. */
static struct conn *older(const struct conns *conns, unsigned queue,
			  int64_t since)
{
	struct conn *first = conns->queues[queue].first;

	return first && first->since <= since ? first : NULL;
}

/*
 * Thousands who came together come to their end together, and an end costs as
 * much as a request: all at once, nobody else would be served meanwhile.
 */
static void end_some(struct conns *conns, int64_t now)
{
	static const struct timeval next_turn = { 0, 0 };
	struct conn *conn;
	bool more = false;

	for (unsigned i = 0; i < QUEUE_COUNT; i++) {
		int64_t since = now - ends[i].ms;

		for (int n = 0; n < ENDS_MAX; n++)
			if ((conn = older(conns, i, since)))
				ends[i].end(conn);
		more |= older(conns, i, since) != NULL;
	}
	if (more)
		event_add(conns->overdue, &next_turn);
}

void conns_on_overdue(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	end_some(arg, conns_now());
}

void conns_sweep(struct conns *conns)
{
	end_some(conns, conns_now());
	tell_rest(conns, conns_now());
}

static void close_older(struct conns *conns, enum conn_queue queue,
			int64_t since)
{
	struct conn *conn;

	while ((conn = older(conns, queue, since)))
		conn_close(conn);
}

void conns_drain(struct conns *conns, int64_t ms)
{
	int64_t oldest = conns_now() - ms;
	struct conn *conn = conns->queues[QUEUE_IDLE].first, *next;

	for (; conn && conn->since <= oldest; conn = next) {
		next = conn->next;
		if (conn_is_quiet(conn))
			conn_close(conn);
	}
	close_older(conns, QUEUE_FIRST, oldest);
	close_older(conns, QUEUE_LATE, oldest);
}
