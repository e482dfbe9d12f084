/*
 * server/serve_own.h - what serve.c (signals, reload, the end) and
 * serve_steps.c (what is started, in which order) share. Thread: main.
 */
#pragma once

#include <signal.h>

#include "server/jobs/jobs.h"
#include "server/listen.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/sandbox.h"
#include "server/watch.h"
#include "server/worker.h"

struct server {
	const char *config_path;
	enum log_format format;
	sigset_t signals;
	struct config *config; /* of the start: what a reload cannot change */
	struct live *first;    /* whose it is, once there is one */
	struct live *live;
	struct crowd *crowd;
	unsigned connections; /* as many as there may be */
	bool root;
	struct sandbox sandbox; /* what is in force */
	struct watch watch;
	struct services services;
	struct jobs *jobs;
	unsigned workers_count, workers_started;
	struct worker **workers;
	struct sockets sockets;
	struct crowd *admin_crowd;
	struct monitor *monitor;
	size_t steps; /* that have been taken */
};

/* Starts all; what was started before an error is for server_down() to end. */
enum err server_up(struct server *server, struct cause *cause) MUST_CHECK;
void server_down(struct server *server);
/* The limits of this configuration count from now on. */
void server_limit(struct server *server, const struct config *config);
/* Ends the process now. What was acknowledged is on disk. */
void server_leave(const char *why);
