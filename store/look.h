/*
 * store/look.h - to read what may be damaged, or made to harm, in a process of
 * its own: LMDB trusts the pages of its file, so the wrong ones end whoever
 * reads them (SIGSEGV, SIGBUS, SIGFPE, an assertion), with no line or with one
 * about something else.
 *
 * For a process of one thread. The child inherits what is open, changes nothing
 * of it and prints nothing.
 */
#pragma once

#include "store/verify.h"

typedef enum err look_reader(const char *path, int fd,
			     struct store_facts *facts, struct cause *cause);

/*
 * What `read` says of `path`, or of what `fd` has open, in a child; E_CORRUPT,
 * with the name alone as the cause, if that came to another end. *facts is zero
 * unless E_OK.
 */
enum err look_apart(look_reader *read, const char *path, int fd,
		    struct store_facts *facts, struct cause *cause) MUST_CHECK;

/* Of the store in a folder: does it open, and is all of it sound? */
enum err look_at_store(const char *folder, struct store_facts *facts,
		       struct cause *cause) MUST_CHECK;
