/* store/thread.h - waiting for a thread's end, but not for ever. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/*
 * The thread sets *ended with its last step. False: not within `ms`; it lives
 * on. The clock may be set meanwhile.
 */
bool thread_join(pthread_t thread, const _Atomic bool *ended, int ms);
