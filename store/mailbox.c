/*
 * store/mailbox.c - table "mailbox": time next_at, u64 id -> u8 version=1,
 * time queued_at, u32 tries, u8 job, u8 way, time date, u64 days, u64 user,
 * u64 space, u64 total, text failure, then u64 a token. Mail 5 to user 7 about
 * his token 9, which dies within a week:
 *
 *   0000000067f00000 0000000000000005 ->
 *   01 0000000067f00000 00000000 01 01 0000000067ef2100 0000000000000000
 *   0000000000000007 0000000000000000 0000000000000001 0000 0000000000000009
 *
 * One that was given up is version 2, with time given_up_at behind the version.
 */
#include "store/mailbox.h"

#include "store/record.h"

enum { WAITS_VERSION = 1, GIVEN_UP_VERSION = 2 };

static void put(struct txn *txn, const struct notice *notice)
{
	struct key16 key = key_pair((uint64_t)notice->next_at, notice->id);
	struct str failure = notice->failure;
	struct pack pack = { 0 };

	if (failure.len > NOTICE_TEXT_MAX)
		failure.len = NOTICE_TEXT_MAX;
	pack_u8(&pack, notice->given_up_at ? GIVEN_UP_VERSION : WAITS_VERSION);
	if (notice->given_up_at)
		pack_time(&pack, notice->given_up_at);
	pack_time(&pack, notice->queued_at);
	pack_u32(&pack, notice->tries);
	pack_u8(&pack, (uint8_t)notice->job);
	pack_u8(&pack, (uint8_t)notice->way);
	pack_time(&pack, notice->date);
	pack_u64(&pack, notice->days);
	pack_u64(&pack, notice->user);
	pack_u64(&pack, notice->space);
	pack_u64(&pack, notice->total);
	pack_text(&pack, failure);
	for (size_t i = 0; i < notice->len; i++)
		pack_u64(&pack, notice->tokens[i]);
	txn_put(txn, TABLE_MAILBOX, STR_OF(key.at), pack_str(&pack));
}

void mailbox_add(struct txn *txn, struct notice *notice)
{
	notice->id = txn_next_id(txn, COUNTER_NOTICE);
	put(txn, notice);
}

static bool notice_valid(const struct notice *notice)
{
	unsigned job = notice->job;

	return job >= JOB_FIRST && job <= JOB_LAST &&
	       (notice->way == WAY_MAIL || notice->way == WAY_HOOK) &&
	       notice->id && notice->len && notice->total >= notice->len;
}

enum err mailbox_unpack(struct txn *txn, struct str key, struct str value,
			struct notice *out)
{
	struct unpack k = { .rest = key }, u = { .rest = value };
	unsigned version = unpack_u8(&u);

	*out = (struct notice) { 0 };
	if (version != WAITS_VERSION && version != GIVEN_UP_VERSION)
		return txn->err = value.len ? E_VERSION : E_CORRUPT;
	if (version == GIVEN_UP_VERSION)
		out->given_up_at = unpack_time(&u);
	out->next_at = unpack_time(&k);
	out->id = unpack_u64(&k);
	out->queued_at = unpack_time(&u);
	out->tries = unpack_u32(&u);
	out->job = (enum job)unpack_u8(&u);
	out->way = (enum notice_way)unpack_u8(&u);
	out->date = unpack_time(&u);
	out->days = unpack_u64(&u);
	out->user = unpack_u64(&u);
	out->space = unpack_u64(&u);
	out->total = unpack_u64(&u);
	out->failure = unpack_text(&u);
	while (u.rest.len && !u.failed && out->len < NOTICE_TOKENS_MAX)
		out->tokens[out->len++] = unpack_u64(&u);
	if (!unpack_done(&k) || !unpack_done(&u) || !notice_valid(out) ||
	    (version == GIVEN_UP_VERSION && out->given_up_at <= 0)) {
		*out = (struct notice) { 0 };
		return txn->err = E_CORRUPT;
	}
	return E_OK;
}

bool mailbox_next_any(struct cursor *cursor, struct notice *out)
{
	struct txn *txn = cursor->txn;

	while (cursor_next(cursor)) {
		if (!mailbox_unpack(txn, cursor->key, cursor->value, out))
			return true;
		txn->err = E_OK; /* dockpass store check tells of it */
	}
	*out = (struct notice) { 0 };
	return false;
}

bool mailbox_next(struct cursor *cursor, struct notice *out)
{
	while (mailbox_next_any(cursor, out))
		if (!out->given_up_at)
			return true;
	return false;
}

enum err mailbox_due(struct txn *txn, int64_t now, unsigned ways,
		     struct notice *out)
{
	AUTO(cursor) struct cursor cursor;

	cursor_open(txn, TABLE_MAILBOX, STR(""), &cursor);
	while (mailbox_next_any(&cursor, out) && out->next_at <= now)
		if (out->way & ways || out->given_up_at)
			return E_OK;
	*out = (struct notice) { 0 };
	return txn->err ? txn->err : E_NOT_FOUND;
}

static int64_t delay(unsigned tries)
{
	int64_t seconds = NOTICE_FIRST_DELAY;

	while (--tries && seconds < NOTICE_LAST_DELAY)
		seconds *= 2;
	return seconds < NOTICE_LAST_DELAY ? seconds : NOTICE_LAST_DELAY;
}

enum err mailbox_get(struct txn *txn, uint64_t id, int64_t next_at,
		     struct notice *out)
{
	struct key16 key = key_pair((uint64_t)next_at, id);
	struct str value;

	*out = (struct notice) { 0 };
	if (!txn_get(txn, TABLE_MAILBOX, STR_OF(key.at), &value))
		return txn->err ? txn->err : E_NOT_FOUND;
	return mailbox_unpack(txn, STR_OF(key.at), value, out);
}

void mailbox_claim(struct txn *txn, struct notice *notice, int64_t now)
{
	int64_t seconds = delay(notice->tries + 1);

	mailbox_remove(txn, notice);
	notice->tries++;
	notice->next_at =
		now + (seconds > NOTICE_CLAIM ? seconds : NOTICE_CLAIM);
	notice->failure = (struct str) { 0 };
	put(txn, notice);
}

bool mailbox_claimed(const struct notice *notice, int64_t now)
{
	return notice->tries && !notice->failure.len && now < notice->next_at;
}

void mailbox_failed(struct txn *txn, const struct notice *notice, int64_t now,
		    struct str why)
{
	struct notice failed = *notice;

	mailbox_remove(txn, notice);
	failed.next_at = now + delay(notice->tries);
	failed.failure = why;
	put(txn, &failed);
}

void mailbox_remove(struct txn *txn, const struct notice *notice)
{
	struct key16 key = key_pair((uint64_t)notice->next_at, notice->id);

	txn_remove(txn, TABLE_MAILBOX, STR_OF(key.at));
}

void mailbox_give_up(struct txn *txn, const struct notice *notice, int64_t now)
{
	struct notice lost = *notice;

	mailbox_remove(txn, notice);
	lost.given_up_at = now;
	lost.next_at = now + NOTICE_KEPT;
	put(txn, &lost);
}
