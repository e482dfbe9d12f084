/* server/crowd.c - see the header. */
#include "server/crowd.h"

#include <limits.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <openssl/rand.h>

enum { PLACES = 1 << 14 };

struct crowd {
	uint64_t key[2];
	_Atomic unsigned limit, limit_address;
	_Atomic unsigned total, extra;
	_Atomic unsigned places[PLACES + 1]; /* the last: without a limit */
};

enum err crowd_new(struct crowd **out)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));

	*out = NULL;
	if (!crowd)
		return E_MEMORY;
	if (RAND_bytes((unsigned char *)crowd->key, sizeof(crowd->key)) != 1) {
		free(crowd);
		return E_CRYPTO;
	}
	*out = crowd;
	return E_OK;
}

void crowd_free(struct crowd *crowd)
{
	free(crowd);
}

void crowd_limit(struct crowd *crowd, unsigned *total, unsigned per_address)
{
	struct rlimit files, goal = { .rlim_cur = DESCRIPTORS };
	rlim_t most = 0;

	if (getrlimit(RLIMIT_NOFILE, &files))
		files = (struct rlimit) { 1024, 1024 };
	goal.rlim_max = files.rlim_max;
	if (goal.rlim_cur > files.rlim_max)
		goal.rlim_cur = files.rlim_max;
	if (files.rlim_cur != goal.rlim_cur && !setrlimit(RLIMIT_NOFILE, &goal))
		files = goal;
	if (files.rlim_cur > CROWD_EXTRA + CROWD_RESERVE)
		most = files.rlim_cur - CROWD_EXTRA - CROWD_RESERVE;
	if (most < *total)
		*total = most ? (unsigned)most : 1;
	atomic_store(&crowd->limit, *total);
	atomic_store(&crowd->limit_address, per_address);
}

static uint64_t mix(const struct crowd *crowd, uint64_t x)
{
	__extension__ typedef unsigned __int128 wide;
	wide product = (wide)(x ^ crowd->key[0]) * (crowd->key[1] | 1);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* An IPv6 customer has a /64, so that is what is counted. */
static unsigned place_of(const struct crowd *crowd,
			 const struct sockaddr *address)
{
	uint64_t x = 0;

	if (address->sa_family == AF_INET)
		memcpy(&x, &((const struct sockaddr_in *)address)->sin_addr, 4);
	else if (address->sa_family == AF_INET6)
		memcpy(&x, &((const struct sockaddr_in6 *)address)->sin6_addr,
		       8);
	return (unsigned)(mix(crowd, mix(crowd, x)) % PLACES);
}

static bool take(_Atomic unsigned *count, unsigned limit)
{
	if (atomic_fetch_add(count, 1) < limit)
		return true;
	atomic_fetch_sub(count, 1);
	return false;
}

enum crowd_verdict crowd_enter(struct crowd *crowd,
			       const struct sockaddr *address, unsigned *place,
			       enum crowd_limit *limit)
{
	_Atomic unsigned *here;

	*place = address ? place_of(crowd, address) : PLACES;
	here = &crowd->places[*place];
	*limit = CROWD_ADDRESS;
	if (take(here,
		 address ? atomic_load(&crowd->limit_address) : UINT_MAX)) {
		if (take(&crowd->total, atomic_load(&crowd->limit)))
			return CROWD_WELCOME;
		atomic_fetch_sub(here, 1);
		*limit = CROWD_TOTAL;
	}
	return take(&crowd->extra, CROWD_EXTRA) ? CROWD_FULL : CROWD_CLOSE;
}

void crowd_leave(struct crowd *crowd, enum crowd_verdict verdict,
		 unsigned place)
{
	if (verdict == CROWD_WELCOME) {
		atomic_fetch_sub(&crowd->total, 1);
		atomic_fetch_sub(&crowd->places[place], 1);
	} else if (verdict == CROWD_FULL) {
		atomic_fetch_sub(&crowd->extra, 1);
	}
}

unsigned crowd_count(const struct crowd *crowd)
{
	return atomic_load_explicit(&crowd->total, memory_order_relaxed);
}

unsigned crowd_most(const struct crowd *crowd)
{
	return atomic_load_explicit(&crowd->limit, memory_order_relaxed);
}
