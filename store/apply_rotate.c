/*
 * store/apply_rotate.c - a token's successor, and the family that they are: a
 * chain by `previous` and `next`, of which all but the last are dead or in
 * their grace.
 */
#include "store/apply.h"

#include <string.h>

#include "token/date.h"

/* The end of the chain in one direction, killing; ids only rise or fall. */
static void kill_along(struct txn *txn, uint64_t id, bool forward, int64_t now)
{
	struct pat pat;

	while (id && !pat_get(txn, id, &pat)) {
		uint64_t after = forward ? pat.next : pat.previous;

		token_kill(txn, &pat, now);
		if (after && (after > id) != forward)
			txn->err = E_CORRUPT; /* it would never end */
		id = after;
	}
	if (id && !txn->err)
		txn->err = E_CORRUPT;
}

void family_kill(struct txn *txn, const struct pat *any, int64_t now)
{
	uint64_t previous = any->previous;

	kill_along(txn, any->id, true, now);
	kill_along(txn, previous, false, now);
}

static enum err check_rotate(struct txn *txn, struct change *change,
			     const struct pat *pat)
{
	unsigned long long id = pat->id;
	struct settings settings;
	struct user owner;
	enum err err = settings_read(txn, &settings);

	if (err)
		return err;
	if (pat->next)
		return cause_set(&change->cause, E_REFUSED,
				 "token %llu was rotated already; rotate the "
				 "one that it became, %llu, or what became of "
				 "that",
				 id, (unsigned long long)pat->next);
	if (!pat_active(pat, &settings, change->now))
		return cause_set(&change->cause, E_REFUSED,
				 "token %llu is %s; create another", id,
				 pat->revoked_at ? "revoked" : "expired");
	if (!change->replayed &&
	    pat_idle(pat, pat_used_at(txn, pat), change->now))
		return cause_set(&change->cause, E_REFUSED,
				 "token %llu is dead, as it was not used for "
				 "as long as it may be idle; create another",
				 id);
	if (change->grace > GRACE_MOST)
		return cause_set(&change->cause, E_LIMIT,
				 "a grace is at most %s",
				 duration_print(GRACE_MOST).at);
	err = user_get(txn, pat->user, &owner);
	if (err == E_NOT_FOUND)
		return cause_set(&change->cause, E_REFUSED,
				 "the owner of token %llu is gone", id);
	if (!err && pat->scopes & PAT_SUDO && !(owner.flags & USER_ADMIN))
		return cause_set(&change->cause, E_REFUSED,
				 "token %llu has scope sudo, and its owner is "
				 "no administrator any longer; create another "
				 "without it",
				 id);
	return err;
}

/* As many days as the old one was given, from its first day on. */
static int64_t same_span(const struct pat *pat, int64_t now)
{
	if (!pat->expires_at)
		return EXPIRES_NEVER;
	return day_of(now) + pat->expires_at - day_of(pat->created_at);
}

/*
 * The old one points to the new one, and dies later or now; now, those before
 * it that are in their grace die too.
 */
static void let_go(struct txn *txn, const struct change *change, uint64_t id,
		   uint64_t next)
{
	struct pat pat;

	if (pat_get(txn, id, &pat)) {
		txn->err = E_CORRUPT;
		return;
	}
	pat.next = next;
	if (change->grace)
		pat.grace_ends = change->now + (int64_t)change->grace;
	pat_put(txn, &pat);
	if (!change->grace)
		kill_along(txn, id, false, change->now);
}

/* Texts of the old one, out of the way of what is written. */
struct texts {
	size_t len;
	char at[TEXT_MAX + LIMIT_COUNT * LIMITS_LEN_MAX];
};

static void keep(struct texts *texts, struct str *s)
{
	char *at = texts->at + texts->len;

	assert(s->len <= sizeof(texts->at) - texts->len);
	if (s->len)
		memcpy(at, s->at, s->len);
	texts->len += s->len;
	s->at = at;
}

/* The same in all but this: a limit that is forgotten here is one still. */
static struct pat successor(const struct pat *old, struct texts *texts)
{
	struct pat new = *old;

	new.id = new.next = 0;
	new.previous = old->id;
	new.created_at = new.expires_at = new.revoked_at = new.grace_ends = 0;
	new.digest = (struct digest) { 0 };
	texts->len = 0;
	keep(texts, &new.name);
	for (enum limit limit = 0; limit < LIMIT_COUNT; limit++)
		keep(texts, &new.limits[limit]);
	return new;
}

enum err apply_token_rotate(struct txn *txn, struct change *change)
{
	bool asked = change->expires_at;
	struct texts texts;
	struct pat old, new;
	enum err err = need_pat(txn, change, &old);

	if (!err)
		err = may_change(txn, change, &old);
	if (!err)
		err = check_rotate(txn, change, &old);
	if (err)
		return err;
	new = successor(&old, &texts);
	err = need_expiry(txn, change,
			  asked ? change->expires_at
				: same_span(&old, change->now),
			  asked, &new.expires_at);
	if (!err)
		err = token_put_new(txn, change, &new);
	if (!err)
		let_go(txn, change, old.id, new.id);
	return err;
}

/* After a restore: what was replaced since the copy dies when it was to. */
enum err apply_token_end(struct txn *txn, struct change *change)
{
	struct pat pat;
	enum err err = need_pat(txn, change, &pat);

	if (err)
		return err;
	if (change->expires_at <= 0)
		return cause_set(&change->cause, E_SYNTAX,
				 "the second at which it ends is missing");
	if (pat.grace_ends && pat.grace_ends <= change->expires_at)
		return E_OK;
	pat.grace_ends = change->expires_at;
	pat_put(txn, &pat);
	return E_OK;
}
