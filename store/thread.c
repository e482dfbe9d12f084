/* store/thread.c - see the header. */
#include "store/thread.h"

#include <time.h>

enum { NAP_MS = 5 };

bool thread_join(pthread_t thread, const _Atomic bool *ended, int ms)
{
	const struct timespec nap = { 0, NAP_MS * 1000000L };

	for (; !atomic_load(ended) && ms > 0; ms -= NAP_MS)
		nanosleep(&nap, NULL);
	return atomic_load(ended) && !pthread_join(thread, NULL);
}
