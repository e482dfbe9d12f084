/*
 * server/intake.h - the gate at an input buffer: what it does not pass is taken
 * out before the buffer's reader, evhttp, looks. What is refused is replaced by
 * a request of our own, ".gate/REASON", which http/route.c answers: a status,
 * and what more is to be said of it. Thread: the worker whose buffer it is.
 */
#pragma once

#include "server/http/gate.h"

struct evbuffer;

struct intake {
	struct gate gate;
	struct evbuffer *hold; /* bytes that may not be handed on yet */
	size_t seen;	       /* of them, by the gate */
	size_t passed; /* bytes of a request that evhttp has begun to read */
};

enum intake_end {
	INTAKE_OPEN,
	INTAKE_REFUSED, /* nothing more is read but the refusal */
	INTAKE_DROPPED	/* nothing at all: the connection is to be closed */
};

void intake_init(struct intake *intake);
void intake_done(struct intake *intake);

/* The bytes of `input` from `at` on are new. */
enum intake_end intake_feed(struct intake *intake, struct evbuffer *input,
			    size_t at) MUST_CHECK;
/* How many requests have come whole. */
uint32_t intake_whole(const struct intake *intake);
bool intake_between(const struct intake *intake); /* is none under way? */
/*
 * What a request that is not whole costs, in bytes: those that are held, and
 * those that evhttp has of one whose sender wanted a "100 Continue".
 */
size_t intake_held(const struct intake *intake);
/* Is evhttp in the midst of a request? Then it takes no refusal. */
bool intake_midst(const struct intake *intake);
/* Whatever `input` holds; nothing more is handed on. "503/held": its reason */
void intake_refuse(struct intake *intake, struct evbuffer *input,
		   const char *reason);
