/*
 * store/job.c - table "job": u8 job -> u8 version=1, time marker, time ran_at,
 * u64 found, u64 queued, u64 given_up, time failed_at, text failure. The check
 * of 2025-04-04 for tokens that expire soon has found two, for one owner:
 *
 *   01 -> 01 0000000067ef2100 0000000067ef2f10 0000000000000002
 *         0000000000000001 0000000000000000 0000000000000000 0000
 */
#include "store/job.h"

#include "store/record.h"
#include "token/date.h"

enum { JOB_VERSION = 1 };

static const struct {
	const char *name;
	int64_t hour; /* seconds after 00:00 UTC */
} jobs[] = {
#define X(id, number, name, at) [number] = { name, at },
	JOB_LIST(X)
#undef X
};

const char *job_name(enum job job)
{
	return (size_t)job < COUNT(jobs) && jobs[job].name ? jobs[job].name
							   : "unknown";
}

enum err job_get(struct txn *txn, enum job job, struct job_state *out)
{
	const unsigned char key[] = { (unsigned char)job };
	struct job_state state = { 0 };
	struct unpack u = { 0 };

	*out = state;
	if (!txn_get(txn, TABLE_JOB, STR_OF(key), &u.rest)) {
		if (!txn->err && job != JOB_LIFETIME)
			state.marker = txn_created_at(txn) / DAY * DAY;
		if (!txn->err)
			*out = state;
		return txn->err;
	}
	if (unpack_u8(&u) != JOB_VERSION)
		return txn->err = u.failed ? E_CORRUPT : E_VERSION;
	state.marker = unpack_time(&u);
	state.ran_at = unpack_time(&u);
	state.found = unpack_u64(&u);
	state.queued = unpack_u64(&u);
	state.given_up = unpack_u64(&u);
	state.failed_at = unpack_time(&u);
	state.failure = unpack_text(&u);
	if (!unpack_done(&u))
		return txn->err = E_CORRUPT;
	*out = state;
	return E_OK;
}

void job_put(struct txn *txn, enum job job, const struct job_state *state)
{
	const unsigned char key[] = { (unsigned char)job };
	struct str failure = state->failure;
	struct pack pack = { 0 };

	if (failure.len > JOB_TEXT_MAX)
		failure.len = JOB_TEXT_MAX;
	pack_u8(&pack, JOB_VERSION);
	pack_time(&pack, state->marker);
	pack_time(&pack, state->ran_at);
	pack_u64(&pack, state->found);
	pack_u64(&pack, state->queued);
	pack_u64(&pack, state->given_up);
	pack_time(&pack, state->failed_at);
	pack_text(&pack, failure);
	txn_put(txn, TABLE_JOB, STR_OF(key), pack_str(&pack));
}

bool job_due(enum job job, const struct job_state *state, int64_t now,
	     int64_t *marker)
{
	int64_t newest = now - jobs[job].hour;

	newest = newest < 0 ? 0 : newest / DAY * DAY;
	*marker = newest;
	return state->marker < newest || state->marker > newest + DAY;
}
