/*
 * server/worker_request.c - what has come in by evhttp, as a struct request;
 * and whom it comes from, as far as anybody trustworthy says.
 */
#include "server/worker_own.h"

#include <sys/queue.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

#include "server/http/forwarded.h"
#include "server/http/params.h"
#include "server/log.h"

static enum method method_of(const struct evhttp_request *http)
{
	switch (evhttp_request_get_command(http)) {
	case EVHTTP_REQ_GET:
		return METHOD_GET;
	case EVHTTP_REQ_HEAD:
		return METHOD_HEAD;
	case EVHTTP_REQ_POST:
		return METHOD_POST;
	default:
		return METHOD_OTHER;
	}
}

/* evhttp knows "close" alone; it may stand in a list (RFC 9110 7.6.1). */
static bool has_close(struct str list)
{
	struct str word;

	while (str_cut(&list, ',', &word))
		if (str_eq_nocase(str_trim(word), STR("close")))
			return true;
	return false;
}

/* Only a proxy sends such a header. */
static bool is_proxys(struct str name)
{
	static const struct {
		struct str name;
		bool begins;
	} rows[] = {
		{ STR("cf-connecting-ip"), false },
		{ STR("client-ip"), false },
		{ STR("fastly-client-ip"), false },
		{ STR("forwarded"), true },
		{ STR("true-client-ip"), false },
		{ STR("via"), false },
		{ STR("x-client-ip"), false },
		{ STR("x-cluster-client-ip"), false },
		{ STR("x-envoy-"), true },
		{ STR("x-forwarded"), true },
		{ STR("x-original-"), true },
		{ STR("x-real-ip"), false },
	};
	char first = name.len ? ascii_lower(name.at[0]) : '\0';

	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = rows[i].name.len;

		if (rows[i].name.at[0] == first && name.len >= len &&
		    (rows[i].begins || name.len == len) &&
		    str_eq_nocase(str_head(name, len), rows[i].name))
			return true;
	}
	return false;
}

/*
 * A proxy on this machine, it seems, that nobody has named: all its clients
 * have one address, that of who sits here. Elsewhere it has an address of its
 * own, which is no more than that.
 */
static void doubt_local(const struct peer *peer, struct request *req)
{
	static _Atomic bool said;
	struct network address;

	if (req->admin || req->unsure || peer->trusted ||
	    !address_read(req->address, &address) || !address_is_own(&address))
		return;
	req->unsure = true;
	if (atomic_exchange(&said, true))
		return;
	log_event(LEVEL_WARNING, "proxy",
		  "a proxy at " STR_FMT " asks for others, and is not "
		  "believed: if it is yours, name it under trusted_proxies; "
		  "until then its clients are one to limits and guard, and "
		  "tokens limited to networks are refused",
		  STR_ARG(req->address));
}

static void read_headers(struct evhttp_request *http, const struct peer *peer,
			 struct request *req, struct reply *reply)
{
	const struct evkeyvalq *headers =
		evhttp_request_get_input_headers(http);
	const struct evkeyval *row;
	bool proxied = false;

	TAILQ_FOREACH(row, headers, next)
	{
		struct str name = str_of(row->key);

		if (str_eq_nocase(name, STR("authorization"))) {
			req->authorization = str_of(row->value);
			req->authorization_count++;
		} else if (str_eq_nocase(name, STR("content-type"))) {
			req->content_type = str_of(row->value);
		} else if (str_eq_nocase(name, STR("user-agent"))) {
			req->user_agent = str_of(row->value);
		} else if (str_eq_nocase(name, STR("connection"))) {
			reply->close |= has_close(str_of(row->value));
		} else if (!proxied) {
			proxied = is_proxys(name);
		}
	}
	if (proxied)
		doubt_local(peer, req);
}

/* A path that cannot be decoded is no path of ours. */
static void read_uri(struct evhttp_request *http, struct request *req)
{
	struct str all = str_of(evhttp_request_get_uri(http)), uri, path;

	str_cut(&all, '#', &uri);
	str_cut(&uri, '?', &path);
	req->query = uri;
	if (percent_decode(path, false, req->arena, &req->path))
		req->path = path;
}

static void read_body(struct evhttp_request *http, struct request *req)
{
	struct evbuffer *body = evhttp_request_get_input_buffer(http);
	size_t len = evbuffer_get_length(body);

	if (len)
		req->body =
			(struct str) { (const char *)evbuffer_pullup(body, -1),
				       len };
}

/* Whom a trusted proxy asks for. */
static void read_forwarded(struct evhttp_request *http, const struct peer *peer,
			   const struct live *live, struct request *req)
{
	const struct evkeyvalq *headers =
		evhttp_request_get_input_headers(http);
	struct hops plain = { .count = 0 }, forwarded = { .count = 0 };
	char text[NETWORK_TEXT_MAX];
	const struct evkeyval *row;
	struct client client;

	TAILQ_FOREACH(row, headers, next)
	{
		struct str name = str_of(row->key);

		if (str_eq_nocase(name, STR("x-forwarded-for")))
			hops_add_plain(&plain, str_of(row->value));
		else if (str_eq_nocase(name, STR("forwarded")))
			hops_add_forwarded(&forwarded, str_of(row->value));
	}
	if (!plain.count && !forwarded.count)
		return;
	client =
		hops_client(&plain, &forwarded, &peer->address, &live->trusted);
	address_print(&client.address, text);
	req->address = arena_copy(req->arena, str_of(text));
	req->unsure = client.unsure;
}

/* Whom the request comes from, as far as anybody trustworthy says. */
static void read_address(struct evhttp_request *http,
			 const struct worker *worker, const struct peer *peer,
			 struct request *req)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(http);
	char text[NETWORK_TEXT_MAX], *from = text;
	struct str rest, address;
	ev_uint16_t port;

	if (peer->named)
		address_print(&peer->address, text);
	else /* as it was accepted: he may have gone */
		evhttp_connection_get_peer(conn, &from, &port);
	rest = str_of(from);
	str_cut(&rest, '%', &address); /* the link of fe80::1%eth0 */
	req->address = arena_copy(req->arena, address);
	req->direct = !peer->named && !peer->trusted;
	req->unsure = peer->unsure;
	if (peer->subject)
		req->certificate =
			arena_copy(req->arena, str_of(peer->subject));
	/* Of whom a PROXY header hides: he may have written the others. */
	if (peer->trusted && !peer->unsure)
		read_forwarded(http, peer, worker->live, req);
}

static int fd_of(struct evhttp_request *http)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(http);

	return bufferevent_getfd(evhttp_connection_get_bufferevent(conn));
}

void task_begin(struct task *task, struct evhttp_request *http, bool admin)
{
	struct worker *worker = task->worker;
	const struct peer *peer = conns_peer(&worker->conns, fd_of(http));

	clock_gettime(CLOCK_MONOTONIC, &task->begun);
	task->http = http;
	task->req = (struct request) {
		.method = method_of(http),
		.admin = admin,
		.arena = &task->arena,
		.services = worker->services,
		.wake = task_wake,
		.steady = (int64_t)task->begun.tv_sec * 1000 +
			  task->begun.tv_nsec / 1000000,
	};
	task->reply = (struct reply) { .body = &task->body };
	read_address(http, worker, peer, &task->req);
	read_uri(http, &task->req);
	read_headers(http, peer, &task->req, &task->reply);
	read_body(http, &task->req);
}
