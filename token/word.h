/*
 * token/word.h - a text as one word of a shell's command, so that what a
 * message says to type does what it says, or nothing.
 */
#pragma once

#include "token/base.h"

/* So short that no cause (512 bytes) that has it twice is cut. */
struct word {
	char at[192];
};

/* In quotes if it needs them (POSIX.1 2.2.2). Too long: what no shell takes. */
struct word word_of(const char *text);
