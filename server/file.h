/*
 * server/file.h - reading and writing whole files, with their modes.
 */
#pragma once

#include "token/buf.h"

/* E_LIMIT, and says so. */
enum err file_too_long(const char *path, struct cause *cause);

/*
 * Appends the file to *out (its max is the limit). `secret`: E_MODE when group
 * or others can read or write it. Not a symbolic link's job to say: what it
 * points to is checked.
 */
enum err file_read(const char *path, bool secret, struct buf *out,
		   struct cause *cause) MUST_CHECK;
/*
 * The same of a file that an option names: it is read by whoever serves, the
 * store's owner, and is to belong to him.
 */
enum err file_read_own(const char *path, bool secret, struct buf *out,
		       struct cause *cause) MUST_CHECK;
/* Could it be read so? It is not opened: who asks need not be the owner. */
enum err file_look(const char *path, bool secret,
		   struct cause *cause) MUST_CHECK;
/* Writes aside, fsync, rename, fsync of the folder: whole or not at all. */
enum err file_write(const char *path, unsigned mode, struct str text,
		    struct cause *cause) MUST_CHECK;
/* The same with what `write` writes; not `replace`: E_EXISTS if it is there. */
typedef enum err file_writer(int fd, void *arg, struct cause *cause);
enum err file_write_by(const char *path, unsigned mode, bool replace,
		       file_writer *write, void *arg,
		       struct cause *cause) MUST_CHECK;
/* All of it, signals or not; false: errno says why not. */
bool file_write_all(int fd, struct str text) MUST_CHECK;
/* Do both name the same? What is not there has its name alone. */
bool file_same(const char *a, const char *b);
/*
 * Overwrites the bytes, removes the file; its folder is synced. A link is
 * removed itself, but the bytes are those of what it leads to.
 */
enum err file_erase(const char *path, struct cause *cause) MUST_CHECK;
/*
 * One that is there keeps its mode; E_EXISTS: it is no folder. Missing parents
 * are made.
 */
enum err file_make_folder(const char *path, unsigned mode,
			  struct cause *cause) MUST_CHECK;
