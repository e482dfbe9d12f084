/* server/keys_public.c - what registries read of the keys: see keys.h. */
#include "server/keys.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "server/file.h"

enum {
	PUBLIC_MAX = 1024 * 1024,
	NAME_MAX_LEN = 64, /* of a file, and what is written aside has more */
	FOLDER_MAX = PATH_MAX - NAME_MAX_LEN
};

struct path {
	char at[PATH_MAX];
};

/* What registries read; `end` follows it. */
static const struct {
	const char *name, *end;
	enum err (*print)(const struct keyring *keyring, bool current_only,
			  struct buf *buf);
} publics[] = {
	{ "bundle.pem", "", keyring_print_bundle },
	{ "jwks.json", "\n", keyring_print_jwks },
};

const char *keys_public(size_t i)
{
	return i < COUNT(publics) ? publics[i].name : NULL;
}

/* Where `folder` has the file, and what it must hold. */
static enum err print_public(const struct keyring *keyring, const char *folder,
			     size_t i, struct path *path, struct buf *text,
			     struct cause *cause)
{
	enum err err;

	snprintf(path->at, sizeof(path->at), "%s/%s", folder, publics[i].name);
	err = publics[i].print(keyring, false, text);
	buf_add(text, str_of(publics[i].end));
	if (!err && text->over)
		err = E_LIMIT;
	return err ? cause_set(cause, err, "%s: %s", path->at, err_text(err))
		   : E_OK;
}

static enum err check_folder(const char *folder, struct cause *cause)
{
	if (strlen(folder) > FOLDER_MAX)
		return cause_set(cause, E_LIMIT,
				 "the public folder's path is too long");
	return E_OK;
}

enum err keys_publish(const struct keyring *keyring, const char *folder,
		      struct cause *cause)
{
	enum err err = check_folder(folder, cause);

	if (!err)
		err = file_make_folder(folder, 0755, cause);
	for (size_t i = 0; i < COUNT(publics) && !err; i++) {
		AUTO(buf) struct buf text;
		struct path path;

		buf_init(&text, PUBLIC_MAX);
		err = print_public(keyring, folder, i, &path, &text, cause);
		if (!err)
			err = file_write(path.at, 0644, buf_str(&text), cause);
	}
	return err;
}

static enum err check_public(const struct keyring *keyring, const char *folder,
			     size_t i, struct cause *cause)
{
	AUTO(buf) struct buf want, got;
	struct path path;
	enum err err;

	buf_init(&want, PUBLIC_MAX);
	buf_init(&got, PUBLIC_MAX);
	err = print_public(keyring, folder, i, &path, &want, cause);
	if (!err)
		err = file_read(path.at, false, &got, cause);
	if (!err && !str_eq(buf_str(&want), buf_str(&got)))
		err = cause_set(cause, E_CORRUPT,
				"%s: is not of the keys in use", path.at);
	return err;
}

enum err keys_check_public(const struct keyring *keyring, const char *folder,
			   struct cause *cause)
{
	const struct key *current = keyring_current(keyring);
	enum err err = check_folder(folder, cause);
	struct cause what;

	for (size_t i = 0; i < COUNT(publics) && !err; i++)
		err = check_public(keyring, folder, i, cause);
	if (!err || err == E_REFUSED) /* beyond the sandbox */
		return err;
	what = *cause;
	return cause_set(cause, err,
			 "%.300s: reload the server if keys have changed "
			 "since, else write it again: dockpass key activate %s",
			 what.text, current ? current->libtrust : "KID");
}
