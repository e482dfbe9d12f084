/*
 * server/guard.c - see the header. A cell holds the time at which its level
 * will have fallen to nothing: a failure moves that by one step, and nobody
 * has to sweep (the "generic cell rate algorithm" of ATM).
 */
#include "server/guard.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "token/secret.h"

enum {
	ROWS = 4,
	CELLS = 1 << 14, /* of a row */
	PAIRS = 1 << 12,
	KEY_LEN = 16,
	BEYOND = 10, /* steps that a level may be more than full */
	NAME_MAX_BYTES = 255,
	TEXT_MAX_BYTES = 8 * 1024
};

typedef _Atomic int64_t cells[ROWS][CELLS];

struct guard {
	unsigned char key[KEY_LEN];
	cells networks, users;
	/* 40 bits of a hash, 23 of a second, 1: it came by POST */
	_Atomic uint64_t pairs[PAIRS];
};

/* One level: where it stands, and what fills it. */
struct meter {
	cells *in;
	uint16_t at[ROWS];
	int64_t step, full; /* ms */
	int64_t most; /* of all that stand in these cells, by today's rules */
};

struct meters {
	size_t len;
	struct meter at[GUARD_METERS];
};

enum kind { KIND_NETWORK, KIND_USER, KIND_PAIR };

/* Bytes of an address that count, how many times the failures of one. */
static const struct width {
	unsigned from, to, times;
} four[] = { { 12, 16, 1 } },
  six[] = { { 0, 8, 1 }, { 0, 6, 8 }, { 0, 4, 64 } };

enum err guard_new(struct guard **out)
{
	struct guard *guard = calloc(1, sizeof(*guard));

	*out = NULL;
	if (!guard)
		return E_MEMORY;
	if (RAND_bytes(guard->key, sizeof(guard->key)) != 1) {
		free(guard);
		return E_CRYPTO;
	}
	*out = guard;
	return E_OK;
}

void guard_free(struct guard *guard)
{
	free(guard);
}

/* Four numbers that nobody can choose who does not know the key. */
struct hash {
	uint64_t at[ROWS];
};

struct text {
	size_t len;
	char at[TEXT_MAX_BYTES];
};

static void text_add(struct text *text, struct str s)
{
	size_t room = sizeof(text->at) - text->len;

	if (s.len > room)
		s.len = room;
	if (s.len)
		memcpy(text->at + text->len, s.at, s.len);
	text->len += s.len;
}

static void text_begin(struct text *text, const struct guard *guard,
		       enum kind kind, size_t len)
{
	const unsigned char head[] = { (unsigned char)kind,
				       (unsigned char)len };

	text->len = 0;
	text_add(text, STR_OF(guard->key));
	text_add(text, STR_OF(head));
}

static struct hash text_hash(struct text *text)
{
	struct hash out = { { 0 } };
	struct digest digest;

	static_assert(sizeof(out) == sizeof(digest), "all of it");
	/* Without a hash all share one cell: full sooner, never later. */
	if (!secret_digest((struct str) { text->at, text->len }, &digest))
		memcpy(&out, &digest, sizeof(out));
	OPENSSL_cleanse(text->at, text->len);
	return out;
}

/* Names are told apart as the store does, without regard to case. */
static void text_add_user(struct text *text, struct str user)
{
	for (size_t i = 0; i < user.len && i < NAME_MAX_BYTES; i++) {
		const char c = ascii_lower(user.at[i]);

		text_add(text, (struct str) { &c, 1 });
	}
}

static struct network network_of(const struct guard_try *try)
{
	struct str rest = try->address, bare;
	struct network address;

	str_cut(&rest, '%', &bare); /* fe80::1%eth0 */
	if (!address_read(bare, &address))
		address = (struct network) { 0 };
	return address;
}

static bool is_exempt(const struct guard_try *try)
{
	struct network address = network_of(try);

	return !try->unsure && address.bits &&
	       ((try->direct && address_is_own(&address)) ||
		networks_have(&try->rules->exempt, &address));
}

static void meter_add(struct meters *meters, cells *in, struct hash hash,
		      int64_t seconds, unsigned failures, unsigned times)
{
	struct meter *meter = &meters->at[meters->len++];
	int64_t full = seconds * 1000, widest = full / failures;

	meter->in = in;
	for (size_t i = 0; i < ROWS; i++)
		meter->at[i] = (uint16_t)(hash.at[i] % CELLS);
	meter->full = full;
	meter->step = full / ((int64_t)failures * times);
	if (!meter->step)
		meter->step = 1;
	meter->most = full + BEYOND * (widest ? widest : 1);
}

/* The narrowest first. */
static struct meters meters_of(struct guard *guard, const struct guard_try *try,
			       bool password)
{
	struct network address = network_of(try);
	bool ipv4 = address_is_ipv4(&address);
	const struct width *widths = ipv4 ? four : six;
	struct meters meters = { .len = 0 };
	struct text text;

	for (size_t i = 0; i < (ipv4 ? COUNT(four) : COUNT(six)); i++) {
		const struct width *width = &widths[i];

		text_begin(&text, guard, KIND_NETWORK, width->to - width->from);
		text_add(&text, (struct str) { (char *)address.at + width->from,
					       width->to - width->from });
		meter_add(&meters, &guard->networks, text_hash(&text),
			  try->rules->seconds, try->rules->failures,
			  width->times);
	}
	if (password) {
		text_begin(&text, guard, KIND_USER, 0);
		text_add_user(&text, try->user);
		meter_add(&meters, &guard->users, text_hash(&text),
			  try->rules->seconds, try->rules->failures_per_user,
			  1);
	}
	return meters;
}

static _Atomic int64_t *cell_of(const struct meter *meter, size_t row)
{
	return &(*meter->in)[row][meter->at[row]];
}

/*
 * How high it stands: ms until it will have fallen to nothing. What rules of
 * before made higher than today's can is lowered: it would stand there as long
 * as those had it.
 */
static int64_t level(const struct meter *meter, int64_t now)
{
	int64_t least = meter->most;

	for (size_t i = 0; i < ROWS; i++) {
		_Atomic int64_t *cell = cell_of(meter, i);
		int64_t at = atomic_load(cell);

		while (at - now > meter->most &&
		       !atomic_compare_exchange_weak(cell, &at,
						     now + meter->most))
			;
		least = at - now < least ? at - now : least;
	}
	return least > 0 ? least : 0;
}

static bool is_full(const struct meter *meter, int64_t now)
{
	return level(meter, now) + meter->step > meter->full;
}

/* By one failure, but not over `most`. */
static void fill(const struct meter *meter, int64_t now, int64_t most)
{
	for (size_t i = 0; i < ROWS; i++) {
		_Atomic int64_t *cell = cell_of(meter, i);
		int64_t old = atomic_load(cell), new;

		do {
			new = (old > now ? old : now) + meter->step;
			if (new - now > most)
				break;
		} while (!atomic_compare_exchange_weak(cell, &old, new));
	}
}

static void drain(const struct meters *meters)
{
	for (size_t m = 0; m < meters->len; m++)
		for (size_t i = 0; i < ROWS; i++)
			atomic_fetch_sub(cell_of(&meters->at[m], i),
					 meters->at[m].step);
}

/* By the fullest of them. */
static unsigned lateness(const struct meters *meters, int64_t now)
{
	int64_t late = 0;

	for (size_t i = 0; i < meters->len; i++) {
		const struct meter *meter = &meters->at[i];
		int64_t over = level(meter, now) - meter->full;
		int64_t ms = over > 0 ? (over + meter->step - 1) / meter->step *
						GUARD_STEP_MS
				      : 0;

		late = ms > late ? ms : late;
	}
	return (unsigned)(late < GUARD_LATE_MS ? late : GUARD_LATE_MS);
}

/* Its place, and the word that it has now. */
static _Atomic uint64_t *pair_of(struct guard *guard,
				 const struct guard_try *try, uint64_t *word)
{
	uint64_t second = (uint64_t)(try->now / 1000) & 0x7fffff;
	struct network address = network_of(try);
	struct text text;
	struct hash hash;

	text_begin(&text, guard, KIND_PAIR, try->user.len);
	text_add(&text, STR_OF(address.at));
	text_add_user(&text, try->user);
	text_add(&text, try->secret);
	hash = text_hash(&text);
	*word = hash.at[0] << 24 | second << 1 | try->post;
	return &guard->pairs[hash.at[1] % PAIRS];
}

/* Has it been counted by the other method? Once. */
static bool pair_take(struct guard *guard, const struct guard_try *try)
{
	uint64_t word, seen;
	_Atomic uint64_t *place = pair_of(guard, try, &word);
	uint64_t age;

	seen = atomic_load(place);
	age = ((word >> 1) - (seen >> 1)) & 0x7fffff;
	return seen >> 24 == word >> 24 && (seen & 1) != (word & 1) &&
	       age <= GUARD_TWICE_MS / 1000 &&
	       atomic_compare_exchange_strong(place, &seen, 0);
}

static void pair_put(struct guard *guard, const struct guard_try *try)
{
	uint64_t word;
	_Atomic uint64_t *place = pair_of(guard, try, &word);

	atomic_store(place, word);
}

/* What is full is filled alone: it takes no room from others. */
static void count(const struct meters *meters, int64_t now)
{
	for (size_t i = 0; i < meters->len; i++) {
		const struct meter *meter = &meters->at[i];

		if (!is_full(meter, now))
			continue;
		fill(meter, now, meter->full + BEYOND * meter->step);
		return;
	}
	for (size_t i = 0; i < meters->len; i++)
		fill(&meters->at[i], now, INT64_MAX);
}

unsigned guard_token(struct guard *guard, const struct guard_try *try)
{
	struct meters meters;

	if (is_exempt(try))
		return 0;
	meters = meters_of(guard, try, false);
	if (!pair_take(guard, try)) {
		count(&meters, try->now);
		pair_put(guard, try);
	}
	return lateness(&meters, try->now);
}

/* Seconds until all of them have room for `steps` more; 0: they have. */
static unsigned wait_for(const struct meters *meters, int64_t now,
			 int64_t steps)
{
	int64_t wait = 0;

	for (size_t i = 0; i < meters->len; i++) {
		const struct meter *meter = &meters->at[i];
		int64_t ms =
			level(meter, now) + steps * meter->step - meter->full;

		wait = ms > wait ? ms : wait;
	}
	return (unsigned)((wait + 999) / 1000);
}

/* The user's meter is the last. */
static unsigned password_wait(struct guard_try *try,
			      const struct meters *meters, int64_t steps)
{
	struct meters networks = *meters;
	unsigned wait = wait_for(meters, try->now, steps);

	networks.len--;
	try->user_alone = wait && !wait_for(&networks, try->now, steps);
	return wait;
}

unsigned guard_password(struct guard *guard, struct guard_try *try)
{
	struct meters meters;
	unsigned wait;

	try->counted = (struct guard_count) { 0 };
	try->user_alone = false;
	if (is_exempt(try) || pair_take(guard, try))
		return 0;
	meters = meters_of(guard, try, true);
	wait = password_wait(try, &meters, 1);
	if (wait)
		return wait;
	for (size_t i = 0; i < meters.len; i++)
		fill(&meters.at[i], try->now, INT64_MAX);
	/* Others may have been counted at the same moment. */
	wait = password_wait(try, &meters, 0);
	if (wait)
		drain(&meters);
	for (size_t i = 0; !wait && i < meters.len; i++)
		try->counted.steps[i] = meters.at[i].step;
	return wait;
}

static bool is_counted(const struct guard_try *try)
{
	return try->counted.steps[0];
}

void guard_right(struct guard *guard, const struct guard_try *try)
{
	struct meters meters;

	if (!is_counted(try))
		return;
	meters = meters_of(guard, try, true);
	for (size_t i = 0; i < meters.len; i++)
		meters.at[i].step = try->counted.steps[i];
	drain(&meters);
}

unsigned guard_wrong(struct guard *guard, const struct guard_try *try)
{
	struct meters meters;

	if (is_exempt(try))
		return 0;
	if (is_counted(try))
		pair_put(guard, try);
	meters = meters_of(guard, try, false);
	return lateness(&meters, try->now);
}
