/* server/uses.c - see the header. */
#include "server/uses.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "store/used.h"
#include "token/secret.h"

/* Rows of a batch, its index, what is known: SETS of WAYS. */
enum { BATCH_MAX = 2048, INDEX = 2 * BATCH_MAX, SETS = 4096, WAYS = 4 };

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
	uint16_t index[INDEX]; /* 1 + the row of a token, by hash; 0: none */
};
static_assert(BATCH_MAX < UINT16_MAX, "an index holds each row");

struct uses {
	/* The worker's. */
	struct use_batch *filling;
	struct known {
		uint64_t pat;
		int64_t next; /* before, it need not be noted */
	} known[SETS][WAYS];
	/* The worker fills the first and empties the second. */
	_Atomic(struct use_batch *) full, empty;
	_Atomic bool hurry;
	_Atomic uint64_t lost;
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

/* Fibonacci hashing: neighbours and multiples alike are spread. */
static size_t hash(uint64_t pat, size_t size)
{
	return (size_t)(pat * 0x9e3779b97f4a7c15 >> 32) & (size - 1);
}

/* NULL: not known, or no longer. */
static struct known *known_of(struct uses *uses, uint64_t pat)
{
	struct known *set = uses->known[hash(pat, SETS)];

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].pat == pat)
			return &set[i];
	return NULL;
}

/* In the place of the one that may be noted again first. */
static void know(struct uses *uses, uint64_t pat, int64_t next)
{
	struct known *set = uses->known[hash(pat, SETS)], *place = set;

	for (size_t i = 1; i < WAYS; i++)
		if (set[i].next < place->next)
			place = &set[i];
	*place = (struct known) { pat, next };
}

/* Its place in the index: that of its row, or a free one. */
static uint16_t *row_of(struct use_batch *batch, uint64_t pat)
{
	size_t i = hash(pat, INDEX);

	while (batch->index[i] && batch->at[batch->index[i] - 1].pat != pat)
		i = (i + 1) & (INDEX - 1);
	return &batch->index[i];
}

/* Unless the clock was set back since. */
static bool same_use(int64_t at, int64_t now)
{
	return at <= now && now - at < USED_EVERY;
}

/* Without a secret that came in the wrong place, even where it is cut. */
static size_t copy_client(struct str client, char out[USED_CLIENT_MAX])
{
	char at[USED_CLIENT_MAX + SECRET_MAX];
	size_t len = client.len < sizeof(at) ? client.len : sizeof(at) - 1;

	if (len)
		memcpy(at, client.at, len);
	at[len] = '\0';
	secret_hide(at);
	secret_hide_wrapped(at);
	return print_copy((struct str) { at, len }, out, USED_CLIENT_MAX);
}

static void fill(struct use *use, uint64_t pat, int64_t now, struct str address,
		 struct str client)
{
	*use = (struct use) { .pat = pat, .at = now };
	use->address_len = (uint8_t)print_copy(address, use->address,
					       sizeof(use->address));
	use->client_len = (uint8_t)copy_client(client, use->client);
}

void uses_note(struct uses *uses, uint64_t pat, int64_t now, struct str address,
	       struct str client)
{
	struct known *known = known_of(uses, pat);
	struct use_batch *batch = uses->filling;
	uint16_t *row;

	if (known && same_use(known->next - USED_EVERY, now))
		return;
	row = row_of(batch, pat);
	if (!*row && batch->len == BATCH_MAX) {
		atomic_fetch_add(&uses->lost, 1);
		return;
	}
	if (!*row)
		*row = (uint16_t)++batch->len;
	else if (same_use(batch->at[*row - 1].at, now))
		return;
	fill(&batch->at[*row - 1], pat, now, address, client);
	if (known)
		known->next = now + USED_EVERY;
	else
		know(uses, pat, now + USED_EVERY);
}

/* What the store has said of a batch that comes back. */
static void learn(struct uses *uses, struct use_batch *batch)
{
	for (size_t i = 0; i < batch->len; i++) {
		const struct use *use = &batch->at[i];
		struct known *known = known_of(uses, use->pat);

		if (known)
			known->next =
				use->stored ? use->stored + USED_EVERY : 0;
	}
	memset(batch->index, 0, sizeof(batch->index));
	batch->len = 0;
}

void uses_pass_on(struct uses *uses)
{
	bool many = uses->filling->len > BATCH_MAX / 2;
	struct use_batch *empty;

	if (many)
		atomic_store(&uses->hurry, true);
	if (!uses->filling->len || atomic_load(&uses->full))
		return;
	empty = atomic_exchange(&uses->empty, NULL);
	if (!empty)
		return;
	learn(uses, empty);
	atomic_store(&uses->hurry, many);
	atomic_store(&uses->full, uses->filling);
	uses->filling = empty;
}

uint64_t uses_lost(struct uses *uses)
{
	return atomic_exchange(&uses->lost, 0);
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
