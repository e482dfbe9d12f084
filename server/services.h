/* server/services.h - what handlers may ask of other threads. */
#pragma once

#include "server/guard.h"
#include "server/password.h"
#include "store/writer.h"

struct monitor;

struct services {
	struct db *db;
	struct writer *writer;
	struct password_pool *pool;
	struct guard *guard;
	struct monitor *monitor; /* server/metrics.h */
};
