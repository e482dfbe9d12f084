/*
 * store/job.c - table "job", but for the row of store/trail.c: u8 job ->
 * u8 version=2, time marker, time ran_at, u64 found, u64 queued, u64 given_up,
 * time failed_at, text failure, u64 untold (not in version 1). The check of
 * 2025-04-04 for tokens that expire soon has found two, for one owner:
 *
 *   01 -> 02 0000000067ef2100 0000000067ef2f10 0000000000000002
 *         0000000000000001 0000000000000000 0000000000000000 0000
 *         0000000000000000
 */
#include "store/job.h"

#include "store/record.h"
#include "token/date.h"

enum { JOB_VERSION = 2 };

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
	uint8_t version;

	*out = state;
	if (!txn_get(txn, TABLE_JOB, STR_OF(key), &u.rest)) {
		if (!txn->err && job != JOB_LIFETIME)
			state.marker = day_of(txn_created_at(txn));
		if (!txn->err)
			*out = state;
		return txn->err;
	}
	version = unpack_u8(&u);
	if (version != JOB_VERSION && version != 1)
		return txn->err = u.failed ? E_CORRUPT : E_VERSION;
	state.marker = unpack_time(&u);
	state.ran_at = unpack_time(&u);
	state.found = unpack_u64(&u);
	state.queued = unpack_u64(&u);
	state.given_up = unpack_u64(&u);
	state.failed_at = unpack_time(&u);
	state.failure = unpack_text(&u);
	state.untold = version == 1 ? 0 : unpack_u64(&u);
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
	pack_u64(&pack, state->untold);
	txn_put(txn, TABLE_JOB, STR_OF(key), pack_str(&pack));
}

static int64_t lifetime_next(const struct job_state *state,
			     const struct settings *settings, int64_t *marker)
{
	*marker = settings->set_at[SETTING_max_token_lifetime];
	return settings->max_token_lifetime && state->marker != *marker
		       ? *marker + JOB_GRACE
		       : 0;
}

int64_t job_next(enum job job, const struct job_state *state,
		 const struct settings *settings, int64_t now, int64_t *marker)
{
	int64_t hour = jobs[job].hour;
	int64_t newest = now < hour ? 0 : day_of(now - hour);

	if (job == JOB_LIFETIME)
		return lifetime_next(state, settings, marker);
	if (state->marker >= newest && state->marker <= newest + DAY)
		newest = state->marker + DAY; /* it is done */
	*marker = newest;
	return newest + hour;
}
