/* test/unit/check.h - cmocka and what it wants included before it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "token/base.h"

/* Compares a slice with what a C string says; prints both when they differ. */
#define assert_str(got, want)                                                  \
	do {                                                                   \
		struct str got_ = (got);                                       \
		assert_int_equal(got_.len, strlen(want));                      \
		assert_memory_equal(got_.len ? got_.at : "", want, got_.len);  \
	} while (0)
