/* server/owner_used.c - what the server uses of the disk (server/owner.h). */
#include "server/owner.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "server/config.h"
#include "server/file.h"
#include "server/keys.h"
#include "server/sandbox.h"
#include "store/db.h"

static enum err look_below(const char *folder, const char *name, bool sealed,
			   owner_look *fn, void *arg, struct cause *cause)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >=
	    (int)sizeof(path))
		return file_too_long(folder, cause);
	return fn(path, sealed, arg, cause);
}

typedef const char *name_list(size_t i); /* NULL: that was all */

static enum err look_named(const char *folder, name_list *names, bool sealed,
			   owner_look *fn, void *arg, struct cause *cause)
{
	const char *name;
	enum err err = E_OK;

	for (size_t i = 0; !err && (name = names(i)); i++)
		err = look_below(folder, name, sealed, fn, arg, cause);
	return err;
}

/* The sandbox hides what a folder holds, but not a file whose name is known. */
static enum err not_listed(const char *folder, name_list *known, owner_look *fn,
			   void *arg, struct cause *cause)
{
	if (errno == ENOENT)
		return E_OK;
	if (errno != EACCES || !sandbox_hides(folder, false, cause))
		return cause_errno(cause, "cannot read the folder", folder);
	return known ? look_named(folder, known, true, fn, arg, cause)
		     : E_REFUSED;
}

/* The folder before what it lists: then root's list is nobody else's. */
static enum err look_private(const char *folder, name_list *known,
			     owner_look *fn, void *arg, struct cause *cause)
{
	enum err err = look_below(folder, "", true, fn, arg, cause);
	const struct dirent *entry;
	DIR *dir;

	if (err)
		return err;
	dir = opendir(folder);
	if (!dir)
		return not_listed(folder, known, fn, arg, cause);
	while (!err && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			err = look_below(folder, entry->d_name, true, fn, arg,
					 cause);
	closedir(dir);
	return err;
}

enum err each_used(const struct config *config, owner_look *fn, void *arg,
		   struct cause *cause)
{
	enum err err = look_private(config->store, db_file, fn, arg, cause);

	if (!err)
		err = look_private(config->keys, NULL, fn, arg, cause);
	if (!err)
		err = look_below(config->public, "", false, fn, arg, cause);
	if (!err)
		err = look_named(config->public, keys_public, false, fn, arg,
				 cause);
	/* A group may write its folder, as that of /var/log: it is no link. */
	if (!err && config->log.file)
		err = fn(config->log.file, true, arg, cause);
	return err;
}
