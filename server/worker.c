/*
 * server/worker.c - evhttp: its listeners and connections, a request's way to
 * its handler, the reply. With worker_request.c all that knows event2/http.h.
 */
#include "server/worker_own.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#include "server/log.h"
#include "server/metrics.h"
#include "server/tls.h"

enum {
	EVHTTP_HEADERS = 256 * 1024, /* above the gate's limits */
	EVHTTP_BODY = 512 * 1024,
	EVHTTP_SECONDS = 120, /* likewise */
	LATE_MAX = 256,	      /* replies held back at a time */
	SAY_SECONDS = 60,
	ACCEPT_MAX = 16 /* in a turn of the loop */
};

static const char *date_now(struct worker *worker, time_t now)
{
	struct tm tm;

	if (worker->date_of != now) {
		gmtime_r(&now, &tm);
		strftime(worker->date, sizeof(worker->date),
			 "%a, %d %b %Y %H:%M:%S GMT", &tm);
		worker->date_of = now;
	}
	return worker->date;
}

static void add_headers(struct task *task)
{
	struct evkeyvalq *headers =
		evhttp_request_get_output_headers(task->http);
	struct reply *reply = &task->reply;
	struct worker *worker = task->worker;
	struct str length = arena_printf(&task->arena, "%zu", reply->body->len);
	const struct {
		bool wanted;
		const char *name, *value;
	} rows[] = {
		{ true, "Date", date_now(worker, task->req.now) },
		{ true, "Content-Type",
		  reply->type ? reply->type : "application/json" },
		{ true, "Content-Length", length.at },
		{ reply->no_store, "Cache-Control", "no-store" },
		/* RFC 6749 5.1; a GET is not of that protocol. */
		{ reply->no_store && task->req.method == METHOD_POST, "Pragma",
		  "no-cache" },
		{ reply->cache, "Cache-Control", reply->cache },
		{ reply->allow, "Allow", reply->allow },
		{ reply->challenge, "WWW-Authenticate",
		  worker->live->challenge.at },
		{ reply->retry_after, "Retry-After", reply->retry_after },
		{ reply->close || worker->drains, "Connection", "close" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].wanted)
			evhttp_add_header(headers, rows[i].name, rows[i].value);
}

static void log_reply(const struct task *task, enum status status, uint64_t ns)
{
	struct timespec wall;
	struct log_token line = {
		.address = task->req.address,
		.certificate = task->req.certificate,
		.status = status,
		.us = ns / 1000,
		.log = &task->reply.log,
	};

	clock_gettime(CLOCK_REALTIME, &wall);
	line.when = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
	log_token(&line);
}

static void account(const struct task *task, enum status status)
{
	struct metrics *metrics = task->worker->metrics;
	struct timespec end;
	uint64_t ns;

	if (!task->req.admin)
		metrics_reply(metrics, status);
	if (!task->reply.log.wanted)
		return;
	clock_gettime(CLOCK_MONOTONIC, &end);
	ns = (uint64_t)((end.tv_sec - task->begun.tv_sec) * 1000000000 +
			end.tv_nsec - task->begun.tv_nsec);
	metrics_token(metrics, status, task->reply.log.reason, ns);
	log_reply(task, status, ns);
}

/* A token that was refused was not used. */
static void note_use(const struct task *task, enum status status)
{
	const struct request_log *log = &task->reply.log;

	if (status == STATUS_OK && log->token_id)
		uses_note(task->worker->uses, log->token_id, task->req.now,
			  task->req.address, log->client);
}

/* The connection may have gone while the request waited. */
static void task_reply(struct task *task, enum status status)
{
	struct worker *worker = task->worker;
	struct evhttp_connection *conn =
		evhttp_request_get_connection(task->http);
	struct evbuffer *body = NULL;

	if (task->body.over)
		status = reply_error(&task->reply, STATUS_INTERNAL,
				     STR("the answer is too long"));
	add_headers(task);
	if (conn) {
		struct bufferevent *bev =
			evhttp_connection_get_bufferevent(conn);

		conns_reply(&worker->conns, bufferevent_getfd(bev));
	}
	if (task->req.method != METHOD_HEAD) {
		body = evhttp_request_get_output_buffer(task->http);
		evbuffer_add(body, task->body.at, task->body.len);
	}
	/* If the connection has gone, the request goes with what follows. */
	note_use(task, status);
	account(task, status);
	evhttp_send_reply(task->http, (int)status, status_phrase(status), NULL);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct task *task = arg;
	struct worker *worker = task->worker;

	(void)fd, (void)what;
	event_free(task->late);
	task->late = NULL;
	task->req.now = time(NULL);
	task_reply(task, task->status);
	task_put(worker, task);
	worker->waiting--;
	worker->late_count--;
}

/* False: it cannot be held back. */
static bool hold_back(struct task *task, enum status status)
{
	struct worker *worker = task->worker;
	unsigned ms = task->reply.late_ms;
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (!ms || worker->late_count >= LATE_MAX)
		return false;
	task->late = event_new(worker->base, -1, 0, on_late, task);
	if (!task->late)
		return false;
	event_add(task->late, &tv);
	task->status = status;
	worker->late_count++;
	metrics_count(worker->metrics, METRIC_LATE);
	return true;
}

bool task_step(struct task *task, handler *step)
{
	struct worker *worker = task->worker;
	struct request *req = &task->req;
	enum status status;

	req->now = time(NULL);
	req->live = worker->live;
	req->signer = worker->signer;
	req->txn = &worker->txn;
	req->late_full = worker->late_count >= LATE_MAX;
	txn_renew(req->txn);
	status = step(req, &task->reply);
	txn_rest(req->txn);
	if (status == STATUS_PENDING || hold_back(task, status))
		return false;
	task_reply(task, status);
	return true;
}

static void on_request(struct evhttp_request *http, void *arg)
{
	struct listener *listener = arg;
	struct worker *worker = listener->worker;
	struct task *task = worker->task;

	task_begin(task, http, listener->admin);
	if (task_step(task, route_request)) {
		task_reset(task);
		return;
	}
	worker->waiting++;
	worker->task = task_get(worker);
}

static void on_more(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	(void)fd, (void)what;
	listener->accepted = 0;
	listener_resume(listener);
}

/*
 * evconnlistener accepts for as long as there is somebody: whoever connects
 * without end would have the loop for himself. At the end all are let in.
 */
static void take_turns(struct listener *listener)
{
	if (++listener->accepted < ACCEPT_MAX || listener->worker->drains)
		return;
	evconnlistener_disable(
		evhttp_bound_socket_get_listener(listener->bound));
	event_active(listener->more, EV_READ, 0);
}

static struct bufferevent *on_accept(struct event_base *base, void *arg)
{
	struct listener *listener = arg;
	struct bufferevent *bev =
		listener->tls ? tls_bufferevent(base, listener->tls)
			      : bufferevent_socket_new(base, -1,
						       BEV_OPT_CLOSE_ON_FREE);

	take_turns(listener);
	if (bev && !conn_new(&listener->worker->conns, bev, listener->crowd,
			     listener->proxied)) {
		bufferevent_free(bev);
		return NULL;
	}
	return bev;
}

static void on_close(struct evhttp_connection *http, void *arg)
{
	(void)http;
	conn_gone(arg);
}

/*
 * evhttp tells nobody of a new connection, but its callbacks have it for their
 * argument; and the end of a connection is told to whoever asks it.
 */
void conn_watch(struct bufferevent *bev, struct conn *conn)
{
	struct evhttp_connection *http;

	bufferevent_getcb(bev, NULL, NULL, NULL, (void **)&http);
	assert(http && evhttp_connection_get_bufferevent(http) == bev);
	evhttp_connection_set_closecb(http, on_close, conn);
}

/*
 * No descriptor is left: until the next tick, instead of spinning. `arg` is
 * evhttp's, not ours; so whichever worker is the first says it for all.
 */
static void on_accept_error(struct evconnlistener *evl, void *arg)
{
	static _Atomic time_t said;
	time_t last = atomic_load(&said);
	int code = errno;
	struct timespec now;

	(void)arg;
	evconnlistener_disable(evl);
	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((last && now.tv_sec - last < SAY_SECONDS) ||
	    !atomic_compare_exchange_strong(&said, &last, now.tv_sec))
		return;
	errno = code;
	log_event(LEVEL_WARNING, "limits",
		  "new connections wait: %m; raise the descriptor limit "
		  "(ulimit -n, LimitNOFILE) (said once a minute)");
}

enum err listener_open(struct listener *listener, int fd)
{
	const struct timeval patience = { EVHTTP_SECONDS, 0 };
	struct event_base *base = listener->worker->base;
	struct evconnlistener *evl;

	listener->http = evhttp_new(base);
	listener->more = event_new(base, -1, 0, on_more, listener);
	evl = evconnlistener_new(base, NULL, NULL,
				 LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
				 0, fd);
	if (!evl)
		close(fd);
	if (!listener->http || !listener->more || !evl)
		return E_MEMORY;
	listener->bound = evhttp_bind_listener(listener->http, evl);
	if (!listener->bound)
		return E_MEMORY;
	evconnlistener_set_error_cb(evl, on_accept_error);
	evhttp_set_bevcb(listener->http, on_accept, listener);
	evhttp_set_gencb(listener->http, on_request, listener);
	evhttp_set_max_headers_size(listener->http, EVHTTP_HEADERS);
	evhttp_set_max_body_size(listener->http, EVHTTP_BODY);
	evhttp_set_timeout_tv(listener->http,
			      event_base_init_common_timeout(base, &patience));
	evhttp_set_allowed_methods(
		listener->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST |
					EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
					EVHTTP_REQ_DELETE | EVHTTP_REQ_PATCH |
					EVHTTP_REQ_OPTIONS);
	return E_OK;
}

void listener_resume(struct listener *listener)
{
	if (listener->bound)
		evconnlistener_enable(
			evhttp_bound_socket_get_listener(listener->bound));
}

void listener_stop(struct listener *listener)
{
	if (listener->bound)
		evhttp_del_accept_socket(listener->http, listener->bound);
	listener->bound = NULL;
}

void listener_close(struct listener *listener)
{
	if (listener->http)
		evhttp_free(listener->http);
	if (listener->more)
		event_free(listener->more);
	listener->more = NULL;
	listener->http = NULL;
	listener->bound = NULL;
}
