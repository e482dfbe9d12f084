/*
 * server/http/ready.h - GET /readyz: may requests be sent here? 503 says which
 * check failed: {"status":"ready","checks":{"store":"ok","key":"ok",
 * "draining":"ok"}}. It says "draining" from SIGTERM on, before a listener
 * closes (server/serve.c).
 */
#pragma once

#include "server/http/request.h"

/* In its words. */
#define READY_NOT    "not ready"
#define READY_ENDING "the server has been told to end"

enum status ready_get(struct request *req, struct reply *reply);
