/* server/http/route.c - the table of paths. A path may end in one slash. */
#include "server/http/request.h"

#include "server/auth/token.h"
#include "server/http/ready.h"
#include "server/metrics.h"

static enum status get_health(struct request *req, struct reply *reply)
{
	(void)req;
	buf_add(reply->body, STR("{\"status\":\"ok\"}"));
	reply->no_store = true;
	return STATUS_OK;
}

static enum status get_jwks(struct request *req, struct reply *reply)
{
	buf_add(reply->body, req->live->jwks);
	reply->cache = "max-age=300";
	return STATUS_OK;
}

/* People migrate from other servers by changing a host name. */
static const struct route routes[] = {
	{ "/token", token_get, token_post },
	{ "/auth", token_get, token_post },
	{ "/auth/token", token_get, token_post },
	{ "/jwt/auth", token_get, token_post },
	{ "/service/token", token_get, token_post },
	{ "/.well-known/jwks.json", get_jwks, NULL },
	{ "/healthz", get_health, NULL },
};

/* Of the admin listener, and of no other. */
static const struct route admin_routes[] = {
	{ "/metrics", metrics_get, NULL },
	{ "/healthz", get_health, NULL },
	{ "/readyz", ready_get, NULL },
};

static const struct route *route_find(bool admin, struct str path)
{
	const struct route *at = admin ? admin_routes : routes;
	size_t n = admin ? COUNT(admin_routes) : COUNT(routes);

	if (path.len > 1 && path.at[path.len - 1] == '/')
		path.len--;
	for (size_t i = 0; i < n; i++)
		if (str_eq(path, str_of(at[i].path)))
			return &at[i];
	return NULL;
}

bool route_is_token(struct str path)
{
	const struct route *route = route_find(false, path);

	return route && route->get == token_get;
}

/*
 * What the gate (server/http/gate.h) has refused arrives as a request for
 * ".gate/REASON": so it is answered like everything else, and closed. No
 * client can ask for that, as the gate insists on a slash in front.
 */
static const struct {
	const char *path;
	enum status status;
	const char *message;
} refusals[] = {
	{ ".gate/400", STATUS_BAD_REQUEST, "this is no HTTP/1.1 request" },
	{ ".gate/400/host", STATUS_BAD_REQUEST,
	  "a request names its host once, as `Host: auth.example.com`" },
	{ ".gate/404", STATUS_NOT_FOUND, "nothing is here: ask /token" },
	{ ".gate/405", STATUS_METHOD, "ask with GET or POST" },
	{ ".gate/408", STATUS_TIMEOUT,
	  "the request was not whole within ten seconds" },
	{ ".gate/413", STATUS_TOO_LARGE,
	  "the body is longer than 64 KiB: ask for less" },
	{ ".gate/414", STATUS_URI_TOO_LONG,
	  "the request line is longer than 32 KiB: ask for less, or by POST" },
	{ ".gate/431", STATUS_HEADERS_TOO_LARGE,
	  "the headers are longer than 64 KiB, or more than 256" },
	{ ".gate/503/total", STATUS_UNAVAILABLE,
	  "too many connections: try again in a moment" },
	{ ".gate/503/address", STATUS_UNAVAILABLE,
	  "too many connections of your address: try again in a moment" },
	{ ".gate/503/held", STATUS_UNAVAILABLE,
	  "too many unfinished requests: try again, and send it in one go" },
};

static enum status refuse(struct request *req, struct reply *reply)
{
	for (size_t i = 0; i < COUNT(refusals); i++) {
		if (!str_eq(req->path, str_of(refusals[i].path)))
			continue;
		reply->close = true;
		if (refusals[i].status == STATUS_METHOD)
			reply->allow = "GET, POST";
		return reply_error(reply, refusals[i].status,
				   str_of(refusals[i].message));
	}
	return reply_error(
		reply, STATUS_NOT_FOUND,
		req->admin ? STR("nothing is here: ask /metrics, /healthz or "
				 "/readyz")
			   : STR("nothing is here: ask /token"));
}

enum status route_request(struct request *req, struct reply *reply)
{
	const struct route *route = route_find(req->admin, req->path);
	bool get = req->method == METHOD_GET || req->method == METHOD_HEAD;

	if (!route)
		return refuse(req, reply);
	if (get && route->get)
		return route->get(req, reply);
	if (req->method == METHOD_POST && route->post)
		return route->post(req, reply);
	reply->allow = route->post ? "GET, POST" : "GET";
	return reply_error(reply, STATUS_METHOD,
			   route->post ? STR("ask with GET or POST")
				       : STR("ask with GET"));
}
