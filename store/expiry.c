/* store/expiry.c - see the header. */
#include "store/expiry.h"

#include <stdlib.h>
#include <string.h>

#include "store/member.h"
#include "store/pat.h"
#include "store/record.h"
#include "store/told.h"
#include "token/date.h"
#include "token/mail.h"

enum { ASK_EVERY = 1024 };

void affected_cleanup(struct affected_list *list)
{
	free(list->at);
	*list = (struct affected_list) { 0 };
}

/* The least of the days before which it is, or 0: it is not near. */
static unsigned notice_of(const struct day_list *days, int64_t left)
{
	unsigned best = 0;

	/* They fall. */
	for (size_t i = 0; days->at[i]; i++)
		if (left <= (int64_t)days->at[i] * DAY)
			best = (unsigned)days->at[i];
	return best;
}

/* By its date, whether that is enforced or not. */
static bool breaks_limit(const struct check *check, const struct pat *pat)
{
	static const struct settings enforced = { .enforce_token_expiry =
							  true };
	int64_t days = (int64_t)check->settings.max_token_lifetime;
	int64_t dies_at = pat_dies_at(pat, &enforced);

	return days && (!dies_at || dies_at > check->day + days * DAY);
}

bool expiry_concerns(enum job job, const struct pat *pat, int64_t day)
{
	if (job == JOB_LIFETIME)
		return true;
	/* Of one that was rotated there is another already. */
	return !pat->revoked_at && !pat->next && pat->expires_at &&
	       (pat->expires_at > day) == (job == JOB_EXPIRING);
}

/* Of what kind it is; *level: what its owner has been told then. */
static bool concerns(const struct check *check, const struct pat *pat,
		     unsigned *level)
{
	*level = TOLD_DEATH;
	if (check->job == JOB_LIFETIME)
		return !pat->revoked_at && breaks_limit(check, pat);
	if (pat->kind == PAT_IMPERSONATION ||
	    !expiry_concerns(check->job, pat, check->day))
		return false;
	if (check->job == JOB_EXPIRED)
		return pat->expires_at > check->since;
	*level = notice_of(&check->settings.expiry_notice_days,
			   pat->expires_at - check->day);
	return *level;
}

static bool selects(struct txn *txn, const struct check *check,
		    const struct pat *pat, unsigned *level)
{
	return concerns(check, pat, level) &&
	       (check->job == JOB_LIFETIME ||
		told_get(txn, pat->id, day_of(check->now)) > *level);
}

static void *grow(void *at, size_t len, size_t *size, size_t each)
{
	if (len < *size)
		return at;
	*size = *size ? 2 * *size : 64;
	at = realloc(at, *size * each);
	assert(at);
	return at;
}

static void list_add(struct affected_list *list, const struct pat *pat)
{
	list->at = grow(list->at, list->len, &list->size, sizeof(*list->at));
	list->at[list->len++] = (struct affected) {
		.space = pat->space,
		.user = pat->space ? 0 : pat->user,
		.pat = pat->id,
	};
}

static int by_owner(const void *a, const void *b)
{
	const struct affected *x = a, *y = b;

	if (x->space != y->space)
		return x->space < y->space ? -1 : 1;
	if (x->user != y->user)
		return x->user < y->user ? -1 : 1;
	return (x->pat > y->pat) - (x->pat < y->pat);
}

enum err expiry_scan(struct txn *txn, const struct check *check,
		     bool (*go_on)(void *arg), void *arg,
		     struct affected_list *out)
{
	AUTO(cursor) struct cursor cursor;
	size_t seen = 0;

	*out = (struct affected_list) { 0 };
	cursor_open(txn, TABLE_PAT, STR(""), &cursor);
	while (cursor_next(&cursor)) {
		struct pat pat;
		unsigned level;
		enum err err = pat_unpack(txn, cursor.key, cursor.value, &pat);

		if (!err && ++seen % ASK_EVERY == 0 && go_on && !go_on(arg))
			err = E_BUSY;
		if (!err && selects(txn, check, &pat, &level))
			list_add(out, &pat);
		if (err)
			return err;
	}
	if (out->len)
		qsort(out->at, out->len, sizeof(*out->at), by_owner);
	return txn->err;
}

size_t affected_group(const struct affected_list *list, size_t from)
{
	size_t n = 0;

	while (from + n < list->len &&
	       list->at[from + n].space == list->at[from].space &&
	       list->at[from + n].user == list->at[from].user)
		n++;
	return n;
}

/* Who is told; a list without doubles. */
struct people {
	uint64_t *at;
	size_t len, size;
};

static void people_cleanup(struct people *people)
{
	free(people->at);
}

static void people_add(struct people *people, uint64_t user)
{
	for (size_t i = 0; i < people->len; i++)
		if (people->at[i] == user)
			return;
	people->at = grow(people->at, people->len, &people->size,
			  sizeof(*people->at));
	people->at[people->len++] = user;
}

static void add_keepers(struct txn *txn, uint64_t space, struct people *people)
{
	AUTO(cursor) struct cursor cursor;
	struct key8 prefix = key_u64(space);

	cursor_open(txn, TABLE_MEMBER, STR_OF(prefix.at), &cursor);
	while (cursor_next(&cursor)) {
		enum role role;
		uint64_t user;

		if (member_unpack(txn, cursor.key, cursor.value, &user, &role))
			return;
		if (role >= ROLE_MAINTAINER)
			people_add(people, user);
	}
}

/* Roles are inherited: also those of the groups above. */
static enum err find_people(struct txn *txn, const struct affected *of,
			    struct people *people)
{
	struct space_chain chain;
	struct space space;
	enum err err;

	if (!of->space) {
		people_add(people, of->user);
		return E_OK;
	}
	err = space_get(txn, of->space, &space);
	if (!err)
		err = space_walk(txn, space.path, &chain);
	for (size_t i = 0; !err && i < chain.len; i++)
		add_keepers(txn, chain.at[i].id, people);
	return err == E_NOT_FOUND ? E_OK : err ? err : txn->err;
}

static bool may_be_told(struct txn *txn, uint64_t id, struct user *user)
{
	return !user_get(txn, id, user) &&
	       !(user->flags & (USER_BLOCKED | USER_BOT));
}

/* True: somebody will hear of it. */
static bool tell(struct txn *txn, const struct check *check,
		 const struct people *people, struct notice *notice,
		 struct check_result *result)
{
	uint64_t before = result->queued;
	bool somebody = notice->space; /* a webhook can be told of it */
	struct user user;

	for (size_t i = 0; i < people->len; i++) {
		if (!may_be_told(txn, people->at[i], &user))
			continue;
		somebody = true;
		if (!(check->ways & WAY_MAIL) ||
		    !mail_address_valid(user.email))
			continue;
		notice->way = WAY_MAIL;
		notice->user = user.id;
		mailbox_add(txn, notice);
		result->queued++;
	}
	if (somebody && check->ways & WAY_HOOK) {
		notice->way = WAY_HOOK;
		notice->user = notice->space ? 0 : people->at[0];
		mailbox_add(txn, notice);
		result->queued++;
	}
	return result->queued > before;
}

static enum err revoke(struct txn *txn, const struct check *check, uint64_t id)
	ON(writer_thread);
static enum err revoke(struct txn *txn, const struct check *check, uint64_t id)
{
	struct change change = {
		.type = CHANGE_TOKEN_REVOKE,
		.now = check->now,
		.actor = STR("job:lifetime"),
		.id = id,
	};

	return change_apply(txn, &change);
}

/* In the places of `at` that still are to be told of, their levels. */
struct chosen {
	uint64_t pat;
	unsigned level;
};

static enum err choose(struct txn *txn, const struct check *check,
		       const struct affected *at, size_t n,
		       struct chosen *chosen, size_t *count,
		       struct check_result *result) ON(writer_thread);
static enum err choose(struct txn *txn, const struct check *check,
		       const struct affected *at, size_t n,
		       struct chosen *chosen, size_t *count,
		       struct check_result *result)
{
	*count = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned level;
		struct pat pat;
		enum err err = pat_get(txn, at[i].pat, &pat);
		bool hidden = pat.kind == PAT_IMPERSONATION;

		if (!err && !selects(txn, check, &pat, &level))
			continue;
		if (!err && check->job == JOB_LIFETIME)
			err = revoke(txn, check, at[i].pat);
		if (err)
			return err;
		result->found++;
		if (!hidden)
			chosen[(*count)++] =
				(struct chosen) { at[i].pat, level };
	}
	return txn->err;
}

static enum err settle(struct txn *txn, const struct check *check,
		       const struct affected *of, const struct chosen *chosen,
		       size_t count, struct check_result *result)
{
	AUTO(people) struct people people = { 0 };
	struct notice notice = {
		.next_at = check->next_at,
		.queued_at = check->now,
		.job = check->job,
		.date = check->day,
		.days = check->settings.max_token_lifetime,
		.space = of->space,
		.total = count,
	};
	enum err err = find_people(txn, of, &people);

	for (size_t i = 0; i < count && i < NOTICE_TOKENS_MAX; i++)
		notice.tokens[notice.len++] = chosen[i].pat;
	if (err)
		return err;
	if (!tell(txn, check, &people, &notice, result)) {
		result->untold += count;
		return txn->err;
	}
	for (size_t i = 0; i < count && check->job != JOB_LIFETIME; i++)
		told_put(txn, chosen[i].pat, chosen[i].level,
			 day_of(check->now));
	return txn->err;
}

enum err expiry_settle(struct txn *txn, const struct check *check,
		       const struct affected *at, size_t n,
		       struct check_result *result)
{
	struct chosen *chosen = calloc(n, sizeof(*chosen));
	size_t count;
	enum err err;

	assert(chosen && n);
	err = choose(txn, check, at, n, chosen, &count, result);
	if (!err && count)
		err = settle(txn, check, at, chosen, count, result);
	free(chosen);
	return err;
}
