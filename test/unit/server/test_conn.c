/*
 * test/unit/server/test_conn.c - server/conn: who gives way, and when; what
 * becomes of a reply for which a turn has no room. There is no evhttp: a reader
 * takes what comes.
 */
#include "test/unit/check.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "server/conn_own.h"

#define HEAD  "GET / HTTP/1.1\r\nHost: a\r\n"
#define WHOLE HEAD "\r\n"
#define HALF  HEAD "A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

enum {
	ENDS = 2 * ENDS_MAX + 1,
	FEW = 100,	/* descriptors, when the server starts */
	REPLY = 4 << 20 /* more than a socket takes */
};

/* A connection, and the other end of it. */
static struct end {
	struct bufferevent *bev;
	struct conn *conn;
	int fd, peer;
	bool gone;
} ends[ENDS];

static struct event_base *base;
static struct conns conns;
static struct crowd *crowd;
static struct metrics metrics;
static const struct networks none;

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(bev);

	(void)arg;
	evbuffer_drain(input, evbuffer_get_length(input));
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct end *end = arg;

	(void)what;
	conn_gone(end->conn);
	bufferevent_free(bev);
	end->gone = true;
}

static void watch(struct bufferevent *bev, struct conn *conn)
{
	for (size_t i = 0; i < ENDS; i++)
		if (ends[i].bev == bev)
			ends[i].conn = conn;
}

static void turn(void)
{
	for (int i = 0; i < 5; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void connect_end(struct end *end)
{
	int two[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, two), 0);
	*end = (struct end) { .fd = fcntl(two[0], F_DUPFD, FEW),
			      .peer = two[1] };
	close(two[0]);
	assert_true(end->fd >= FEW); /* the limit has been raised meanwhile */
	end->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	assert_non_null(end->bev);
	assert_true(conn_new(&conns, end->bev, crowd, false));
	bufferevent_setcb(end->bev, on_read, NULL, on_event, end);
	bufferevent_setfd(end->bev, end->fd);
	bufferevent_enable(end->bev, EV_READ | EV_WRITE);
	turn();
	assert_non_null(end->conn);
}

/* The soft limit of descriptors. */
static void may_have(rlim_t n)
{
	struct rlimit files;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = n ? n : files.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
}

static int up(void **state)
{
	unsigned total = 100;

	(void)state;
	metrics = (struct metrics) { .held = 0 };
	base = event_base_new();
	assert_int_equal(crowd_new(&crowd), E_OK);
	crowd_limit(crowd, &total, 100);
	may_have(FEW);
	assert_int_equal(conns_init(&conns, base, crowd, &metrics, watch),
			 E_OK);
	may_have(0);
	conns_trust(&conns, &none);
	for (size_t i = 0; i < ENDS; i++)
		connect_end(&ends[i]);
	return 0;
}

static int down(void **state)
{
	(void)state;
	for (size_t i = 0; i < ENDS; i++) {
		if (!ends[i].gone)
			on_event(ends[i].bev, 0, &ends[i]);
		close(ends[i].peer);
	}
	turn(); /* libevent frees them then */
	conns_done(&conns);
	crowd_free(crowd);
	event_base_free(base);
	return 0;
}

static void say(struct end *end, const char *text)
{
	size_t len = strlen(text);

	assert_int_equal(write(end->peer, text, len), len);
	turn();
}

static uint64_t counted(enum metric metric)
{
	return atomic_load(&metrics.at[metric]);
}

/* 0 and 1 are in the midst of a request, 0 for longer; there is too much. */
static void hold_too_much(void)
{
	say(&ends[0], HALF);
	say(&ends[1], HALF);
	assert_true(ends[0].conn->held && ends[1].conn->held);
	conns.held.most = conns.held.total - 1;
}

static void the_oldest_gives_way_at_once(void **state)
{
	(void)state;
	hold_too_much();
	conn_weigh(ends[1].conn);
	assert_true(ends[0].conn->lingers);
	assert_false(ends[1].conn->lingers);
	assert_true(conns.held.total <= conns.held.most);
	assert_int_equal(counted(METRIC_CROWDED_HELD), 1);
}

/* Whoever is looked at himself does so later, and nobody in his place. */
static void the_oldest_does_not_under_our_hands(void **state)
{
	(void)state;
	hold_too_much();
	conn_weigh(ends[0].conn);
	assert_false(ends[0].conn->lingers || ends[1].conn->lingers);
	assert_int_equal(counted(METRIC_CROWDED_HELD), 0);
	turn();
	assert_true(ends[0].conn->lingers);
	assert_false(ends[1].conn->lingers);
	assert_true(conns.held.total <= conns.held.most);
	assert_int_equal(counted(METRIC_CROWDED_HELD), 1);
}

/* Nor does one that takes no reply: it is reset, and would be gone. */
static void nor_one_that_takes_no_reply(void **state)
{
	static char reply[REPLY];
	struct end *end = &ends[0];

	(void)state;
	say(end, WHOLE);
	bufferevent_write(end->bev, reply, sizeof(reply));
	conns_reply(&conns, end->fd);
	turn();
	assert_true(end->conn->stalled && end->conn->held);
	conns.held.most = conns.held.total - 1;
	conn_stall(end->conn);
	assert_false(end->gone);
	turn();
	assert_true(end->gone);
	assert_int_equal(conns.held.total, 0);
	assert_int_equal(counted(METRIC_CROWDED_HELD), 1);
}

/* A limit that a reload has lowered holds for what is held already. */
static void a_lower_limit_counts_at_once(void **state)
{
	(void)state;
	hold_too_much();
	conns_limit(&conns, conns.held.total - 1);
	assert_false(ends[0].conn->lingers);
	turn();
	assert_true(ends[0].conn->lingers);
	assert_false(ends[1].conn->lingers);
}

/* A reply of the turn, as evhttp gives it: noted before it is written. */
static void reply(struct end *end, size_t len)
{
	static char text[REPLY];

	say(end, WHOLE);
	conns_reply(&conns, end->fd);
	bufferevent_write(end->bev, text, len);
	assert_false(TAILQ_EMPTY(&conns.replied));
	turn();
	assert_true(TAILQ_EMPTY(&conns.replied));
}

static size_t read_all(struct end *end)
{
	char bytes[64 * 1024];
	size_t all = 0;
	ssize_t n;

	while ((n = read(end->peer, bytes, sizeof(bytes))) > 0) {
		all += (size_t)n;
		turn();
	}
	return all;
}

static void a_reply_that_is_taken_holds_nothing(void **state)
{
	struct end *end = &ends[1];

	(void)state;
	reply(end, 1000);
	assert_int_equal(read_all(end), 1000);
	assert_false(end->conn->stalled);
	assert_int_equal(end->conn->queue, QUEUE_IDLE);
	assert_int_equal(end->conn->held, 0);
	end->conn->since -= REPLY_MS;
	conns_sweep(&conns);
	turn();
	assert_false(end->gone);
	assert_int_equal(counted(METRIC_SLOW_REPLY), 0);
}

static void a_reply_is_to_be_taken_in_time(void **state)
{
	struct end *end = &ends[1];

	(void)state;
	reply(end, REPLY);
	assert_true(end->conn->stalled);
	assert_true(end->conn->held > REPLY / 2); /* what its peer left */
	conns_sweep(&conns);
	turn();
	assert_false(end->gone);
	end->conn->since -= REPLY_MS;
	conns_sweep(&conns);
	turn();
	assert_true(end->gone);
	assert_int_equal(counted(METRIC_SLOW_REPLY), 1);
}

/* It is no more when its turn comes. */
static void one_that_ends_is_given_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		say(&ends[i], WHOLE); /* a turn: before any reply */
	for (int i = 0; i < 2; i++) {
		conns_reply(&conns, ends[i].fd);
		conns_reply(&conns, ends[i].fd); /* to two requests */
	}
	conn_close(ends[0].conn);
	turn();
	assert_true(ends[0].gone && !ends[1].gone);
	assert_true(TAILQ_EMPTY(&conns.replied));
}

/* The loop has turns between them, for others. */
static void they_end_a_few_at_a_time(void **state)
{
	size_t gone = 0;

	(void)state;
	for (size_t i = 0; i < ENDS; i++)
		ends[i].conn->since -= FIRST_MS;
	conns_sweep(&conns);
	for (size_t i = 0; i < ENDS; i++)
		gone += ends[i].gone;
	assert_int_equal(gone, ENDS_MAX);
	assert_false(ends[ENDS_MAX].gone);
	event_base_loop(base, EVLOOP_ONCE);
	assert_true(ends[2 * ENDS_MAX - 1].gone);
	assert_false(ends[2 * ENDS_MAX].gone);
	turn();
	assert_true(ends[2 * ENDS_MAX].gone);
}

/* Before its turn comes; others get theirs, in the order of their replies. */
static void who_has_gone_is_in_no_list(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++)
		conns_reply(&conns, ends[i].fd);
	on_event(ends[1].bev, 0, &ends[1]);
	assert_ptr_equal(TAILQ_FIRST(&conns.replied), ends[0].conn);
	assert_ptr_equal(TAILQ_NEXT(ends[0].conn, in_replied), ends[2].conn);
	assert_null(TAILQ_NEXT(ends[2].conn, in_replied));
	turn();
	assert_true(TAILQ_EMPTY(&conns.replied));
}

/* Neither direct nor named nor, by a header, whoever it likes to be. */
static void nobody_is_a_proxy_that_hides(void **state)
{
	const struct peer *known = conns_peer(&conns, ends[0].fd), *other;

	(void)state;
	assert_true(known == &ends[0].conn->peer);
	assert_false(known->trusted || known->unsure);
	other = conns_peer(&conns, ends[0].peer);
	assert_true(other->trusted && other->unsure && !other->named);
	assert_ptr_equal(conns_peer(&conns, DESCRIPTORS), other);
	assert_ptr_equal(conns_peer(&conns, -1), other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_oldest_gives_way_at_once),
		TEST(the_oldest_does_not_under_our_hands),
		TEST(nor_one_that_takes_no_reply),
		TEST(a_lower_limit_counts_at_once),
		TEST(a_reply_that_is_taken_holds_nothing),
		TEST(a_reply_is_to_be_taken_in_time),
		TEST(one_that_ends_is_given_nothing),
		TEST(they_end_a_few_at_a_time),
		TEST(who_has_gone_is_in_no_list),
		TEST(nobody_is_a_proxy_that_hides),
	};

	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
