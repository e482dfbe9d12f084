/* server/uses.c - see the header. */
#include "server/uses.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "store/used.h"

enum { BATCH_MAX = 2048, KNOWN = 4096 };

struct use {
	uint64_t pat;
	int64_t at;
	int64_t stored; /* what is in the store then; 0: it failed */
	uint8_t address_len, client_len;
	char address[USED_ADDRESS_MAX], client[USED_CLIENT_MAX];
};

struct use_batch {
	size_t len;
	struct use at[BATCH_MAX];
};

struct uses {
	/* The worker's. */
	struct use_batch *filling;
	struct known {
		uint64_t pat;
		int64_t next; /* before, it need not be noted */
	} known[KNOWN];
	/* The worker fills the first and empties the second. */
	_Atomic(struct use_batch *) full, empty;
	_Atomic bool hurry;
};

struct uses *uses_new(void)
{
	struct uses *uses = calloc(1, sizeof(*uses));

	assert(uses);
	uses->filling = calloc(1, sizeof(*uses->filling));
	atomic_init(&uses->empty, calloc(1, sizeof(*uses->filling)));
	assert(uses->filling && atomic_load(&uses->empty));
	return uses;
}

void uses_free(struct uses *uses)
{
	if (!uses)
		return;
	free(uses->filling);
	free(atomic_load(&uses->full));
	free(atomic_load(&uses->empty));
	free(uses);
}

static struct known *known_of(struct uses *uses, uint64_t pat)
{
	return &uses->known[pat % KNOWN];
}

static uint8_t copy(char *to, size_t max, struct str s)
{
	size_t len = s.len < max ? s.len : max;

	if (len)
		memcpy(to, s.at, len);
	return (uint8_t)len;
}

void uses_note(struct uses *uses, uint64_t pat, int64_t now, struct str address,
	       struct str client)
{
	struct known *known = known_of(uses, pat);
	struct use_batch *batch = uses->filling;
	struct use *use;

	/* Unless the clock was set back since. */
	if (known->pat == pat && now < known->next &&
	    known->next - now <= USED_EVERY)
		return;
	if (batch->len == BATCH_MAX)
		return;
	use = &batch->at[batch->len++];
	use->pat = pat;
	use->at = now;
	use->address_len = copy(use->address, sizeof(use->address), address);
	use->client_len = copy(use->client, sizeof(use->client), client);
	*known = (struct known) { pat, now + USED_EVERY };
}

void uses_pass_on(struct uses *uses)
{
	struct use_batch *empty;

	if (!uses->filling->len || atomic_load(&uses->full))
		return;
	empty = atomic_exchange(&uses->empty, NULL);
	if (!empty)
		return;
	for (size_t i = 0; i < empty->len; i++) {
		const struct use *use = &empty->at[i];
		struct known *known = known_of(uses, use->pat);

		if (known->pat == use->pat)
			known->next =
				use->stored ? use->stored + USED_EVERY : 0;
	}
	empty->len = 0;
	atomic_store(&uses->hurry, uses->filling->len > BATCH_MAX / 2);
	atomic_store(&uses->full, uses->filling);
	uses->filling = empty;
}

bool uses_hurry(const struct uses *uses)
{
	return atomic_load(&uses->hurry);
}

/* In the order of the store's pages. */
static int by_pat(const void *a, const void *b)
{
	const struct use *one = a, *two = b;

	return (one->pat > two->pat) - (one->pat < two->pat);
}

static struct use_batch *sorted(struct use_batch *batch)
{
	qsort(batch->at, batch->len, sizeof(*batch->at), by_pat);
	return batch;
}

struct use_batch *uses_take(struct uses *uses)
{
	struct use_batch *batch = atomic_exchange(&uses->full, NULL);

	return batch ? sorted(batch) : NULL;
}

struct use_batch *uses_take_rest(struct uses *uses)
{
	struct use_batch *batch = uses->filling;

	uses->filling = NULL;
	return batch ? sorted(batch) : NULL;
}

enum err uses_write(struct txn *txn, void *arg)
{
	struct use_batch *batch = arg;

	for (size_t i = 0; i < batch->len; i++) {
		struct use *use = &batch->at[i];
		const struct used used = {
			.at = use->at,
			.address = { use->address, use->address_len },
			.client = { use->client, use->client_len },
		};

		use->stored = used_note(txn, use->pat, &used);
	}
	return txn->err;
}

void uses_failed(struct use_batch *batch)
{
	for (size_t i = 0; i < batch->len; i++)
		batch->at[i].stored = 0;
}

void uses_give_back(struct uses *uses, struct use_batch *batch)
{
	free(atomic_exchange(&uses->empty, batch));
}
