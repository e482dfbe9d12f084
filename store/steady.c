/* store/steady.c - see the header. */
#include "store/steady.h"

#include <time.h>

int64_t steady_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t steady_seconds(void)
{
	return steady_ms() / 1000;
}
