/*
 * store/look.h - to read what may be damaged, or made to harm, in a process of
 * its own: LMDB trusts the pages of its file, so the wrong ones end whoever
 * reads them (SIGSEGV, SIGBUS, SIGFPE, an assertion), with no line or with one
 * about something else; or nobody ends, as they lead back to each other: so it
 * has half a minute of the processor's time, and a second more for each MiB.
 *
 * For a process of one thread. The child inherits what is open, changes nothing
 * of it and prints nothing.
 */
#pragma once

#include "store/verify.h"

typedef enum err look_reader(const char *path, int fd,
			     struct store_facts *facts, struct cause *cause);

/*
 * What `read` says of `path`, or of what `fd` has open, a file of `bytes`, in a
 * child; E_CORRUPT if that came to another end. *facts is zero unless E_OK.
 */
enum err look_apart(look_reader *read, const char *path, int fd, uint64_t bytes,
		    struct store_facts *facts, struct cause *cause) MUST_CHECK;

/* Of the store in a folder: does it open, and is all of it sound? */
enum err look_at_store(const char *folder, struct store_facts *facts,
		       struct cause *cause) MUST_CHECK;
/*
 * Likewise, but E_LIMIT, with no cause, of one that has more tokens and changes
 * than can be read in a moment: it opens, and nobody knows more.
 */
enum err look_at_store_briefly(const char *folder, struct store_facts *facts,
			       struct cause *cause) MUST_CHECK;
