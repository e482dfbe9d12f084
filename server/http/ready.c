/* server/http/ready.c - see the header. */
#include "server/http/ready.h"

#include "server/metrics.h"
#include "server/services.h"
#include "token/json.h"

/* "ok", or what is wrong; no path, no name. */
static const char *check_store(struct request *req)
{
	txn_created_at(req->txn);
	return req->txn->err ? err_text(req->txn->err) : "ok";
}

static const char *check_key(struct request *req)
{
	return req->live->key && req->signer ? "ok" : "no key signs";
}

static const char *check_draining(struct request *req)
{
	return atomic_load(&req->services->monitor->draining) ? READY_ENDING
							      : "ok";
}

static const struct {
	const char *name;
	const char *(*check)(struct request *req);
} checks[] = {
	{ "store", check_store },
	{ "key", check_key },
	{ "draining", check_draining },
};

enum status ready_get(struct request *req, struct reply *reply)
{
	struct buf *body = reply->body;
	const char *said[COUNT(checks)];
	bool ready = true;

	for (size_t i = 0; i < COUNT(checks); i++) {
		said[i] = checks[i].check(req);
		ready &= str_eq(str_of(said[i]), STR("ok"));
	}
	json_open(body, '{');
	json_put_str(body, "status", ready ? STR("ready") : STR(READY_NOT));
	json_key(body, "checks");
	json_open(body, '{');
	for (size_t i = 0; i < COUNT(checks); i++)
		json_put_str(body, checks[i].name, str_of(said[i]));
	json_close(body, '}');
	json_close(body, '}');
	reply->no_store = true;
	return ready ? STATUS_OK : STATUS_UNAVAILABLE;
}
