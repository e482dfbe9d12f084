/*
 * server/keys.c - see the header.
 *
 * Order of writing, so that a crash between two steps leaves a keyring that
 * can be read: a key's file is there before `keyring` names it, and goes after
 * `keyring` has forgotten it. A file that is not named is nobody's. What
 * registries read is written before `keyring`: if that fails, no key was
 * changed, though one of its two files may be ahead until it is repeated.
 *
 * Changes hold an exclusive lock on the folder, so that two commands at a time
 * lose neither's; readers a shared one, so that no file goes under them.
 */
#include "server/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/file.h"
#include "server/sandbox.h"

enum {
	LIST_MAX = 8192,
	PEM_MAX = 64 * 1024,
	PUBLIC_MAX = 1024 * 1024,
	NAME_LEN = 43,
	FOLDER_MAX = PATH_MAX - NAME_LEN - 16
};

struct path {
	char at[PATH_MAX];
};

/* What `keyring` says, in its order, which is the keyring's as well. */
struct list {
	size_t len;
	struct {
		enum key_state state;
		char name[NAME_LEN + 1];
	} at[KEYS_MAX];
};

/* The folder, locked. */
struct keys {
	const char *folder;
	int fd;
	struct list list;
	struct keyring *keyring;
};

static void keys_cleanup(struct keys *keys)
{
	keyring_free(keys->keyring);
	if (keys->fd >= 0)
		close(keys->fd);
}

static struct path path_of(const char *folder, const char *name,
			   const char *suffix)
{
	struct path path;

	snprintf(path.at, sizeof(path.at), "%s/%s%s", folder, name, suffix);
	return path;
}

static struct path pem_path(const struct keys *keys, const char *name)
{
	return path_of(keys->folder, name, ".pem");
}

static enum err not_found(const char *path, struct cause *cause)
{
	return cause_set(cause, E_NOT_FOUND,
			 "%s: not found; name the folder of keys in "
			 "dockpass.yaml, restore it from a backup, or make a "
			 "first key: dockpass key new",
			 path);
}

static enum err lock(struct keys *keys, int how, struct cause *cause)
{
	struct stat st;
	int failed;

	if (strlen(keys->folder) > FOLDER_MAX)
		return cause_set(cause, E_LIMIT, "the keys' path is too long");
	keys->fd = open(keys->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (keys->fd < 0 && errno == ENOENT)
		return not_found(keys->folder, cause);
	if (keys->fd < 0 && errno == EACCES &&
	    sandbox_hides(keys->folder, false, cause))
		return E_REFUSED;
	if (keys->fd < 0)
		return cause_errno(cause, "cannot open the folder of keys",
				   keys->folder);
	if (fstat(keys->fd, &st))
		return cause_set(cause, E_IO, "%s: %s", keys->folder,
				 strerror(errno));
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return cause_set(cause, E_MODE,
				 "%s: group or others can enter or read it; "
				 "run: chmod 700 %s",
				 keys->folder, keys->folder);
	do
		failed = flock(keys->fd, how);
	while (failed && errno == EINTR);
	if (failed)
		return cause_set(cause, E_IO, "%s: cannot lock it: %s",
				 keys->folder, strerror(errno));
	return E_OK;
}

/* A name is a part of a path: an id by RFC 7638 and nothing else. */
static bool is_name(struct str s)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789-_";

	for (size_t i = 0; i < s.len; i++)
		if (!str_has((struct str) { alphabet, sizeof(alphabet) - 1 },
			     s.at[i]))
			return false;
	return s.len == NAME_LEN;
}

static enum err read_line(struct list *list, struct str line,
			  struct cause *cause)
{
	enum key_state state;
	struct str word;

	if (list->len == KEYS_MAX)
		return cause_set(cause, E_LIMIT,
				 "more than %d keys: remove retired ones",
				 KEYS_MAX);
	str_cut(&line, ' ', &word);
	if (key_state_parse(word, &state) || !is_name(line))
		return cause_set(cause, E_SYNTAX,
				 "not 'STATE NAME': STATE is next, current or "
				 "retired, NAME a file without .pem");
	list->at[list->len].state = state;
	memcpy(list->at[list->len].name, line.at, NAME_LEN);
	list->at[list->len].name[NAME_LEN] = '\0';
	list->len++;
	return E_OK;
}

static enum err read_list(struct keys *keys, struct cause *cause)
{
	struct path path = path_of(keys->folder, "keyring", "");
	struct cause what = { "" };
	AUTO(buf) struct buf text;
	struct str rest, line;
	unsigned number = 0;
	enum err err;

	buf_init(&text, LIST_MAX);
	err = file_read(path.at, true, &text, cause);
	if (err == E_NOT_FOUND)
		return not_found(path.at, cause);
	if (err)
		return err;
	rest = buf_str(&text);
	while (!err && str_cut(&rest, '\n', &line)) {
		number++;
		err = read_line(&keys->list, line, &what);
	}
	if (err)
		return cause_set(cause, err, "%s:%u: %s", path.at, number,
				 what.text);
	return E_OK;
}

static enum err read_key(struct keys *keys, size_t i, struct cause *cause)
{
	const char *name = keys->list.at[i].name;
	struct path path = pem_path(keys, name);
	struct cause what = { "" };
	AUTO(buf) struct buf pem;
	enum err err;

	buf_init(&pem, PEM_MAX);
	err = file_read(path.at, true, &pem, cause);
	if (err == E_NOT_FOUND)
		return cause_set(cause, E_CORRUPT,
				 "%s: not found, but %s/keyring names it; "
				 "restore the file, or remove the line",
				 path.at, keys->folder);
	if (err)
		return err;
	err = keyring_add(keys->keyring, buf_str(&pem), keys->list.at[i].state,
			  &what);
	if (err)
		return cause_set(cause, err, "%s: %s", path.at, what.text);
	if (!str_eq(str_of(keyring_at(keys->keyring, i)->rfc7638),
		    str_of(name)))
		return cause_set(cause, E_SYNTAX,
				 "%s: holds another key than its name says; "
				 "restore the file",
				 path.at);
	return E_OK;
}

/* All that the list names. */
static enum err read_keys(struct keys *keys, struct cause *cause)
{
	enum err err = E_OK;

	keyring_free(keys->keyring);
	keys->keyring = keyring_new();
	for (size_t i = 0; i < keys->list.len && !err; i++)
		err = read_key(keys, i, cause);
	return err;
}

/* Locks and reads all. `fresh`: no keyring yet is an empty one. */
static enum err keys_open(struct keys *keys, int how, bool fresh,
			  struct cause *cause)
{
	enum err err = lock(keys, how, cause);

	if (err)
		return err;
	err = read_list(keys, cause);
	if (err == E_NOT_FOUND && fresh)
		err = E_OK;
	return err ? err : read_keys(keys, cause);
}

static enum err write_list(const struct keys *keys, struct cause *cause)
{
	struct path path = path_of(keys->folder, "keyring", "");
	AUTO(buf) struct buf text;

	buf_init(&text, LIST_MAX);
	for (size_t i = 0; i < keys->list.len; i++)
		buf_printf(&text, STR_FMT " %s\n",
			   STR_ARG(key_state_name(keys->list.at[i].state)),
			   keys->list.at[i].name);
	assert(!text.over);
	return file_write(path.at, 0600, buf_str(&text), cause);
}

enum err keys_load(const char *folder, struct keyring **out,
		   struct cause *cause)
{
	AUTO(keys) struct keys keys = { .folder = folder, .fd = -1 };
	enum err err = keys_open(&keys, LOCK_SH, false, cause);

	*out = NULL;
	if (err)
		return err;
	*out = keys.keyring;
	keys.keyring = NULL;
	return E_OK;
}

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

	*path = path_of(folder, publics[i].name, "");
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

/* The list as it is to be; if what it names cannot be published, it is not. */
static enum err publish_list(struct keys *keys, const char *public,
			     struct cause *cause)
{
	enum err err = read_keys(keys, cause);

	if (!err)
		err = keys_publish(keys->keyring, public, cause);
	return err ? err : write_list(keys, cause);
}

/* Does the file `keyring` name it? If nobody can tell, it may. */
static bool is_named(const char *folder, const char *name)
{
	struct keys now = { .folder = folder, .fd = -1 };

	if (read_list(&now, NULL))
		return true;
	for (size_t i = 0; i < now.list.len; i++)
		if (!strcmp(now.list.at[i].name, name))
			return true;
	return false;
}

static enum err add_key(struct keys *keys, const char *public, enum key_alg alg,
			struct str name, int64_t now, struct cause *cause)
{
	struct list *list = &keys->list;
	enum key_state state = list->len ? KEY_NEXT : KEY_CURRENT;
	struct cause what = { "" };
	AUTO(buf) struct buf pem;
	struct path path;
	enum err err;

	buf_init(&pem, PEM_MAX);
	err = key_generate(alg, name, now, &pem);
	if (err)
		return cause_set(cause, err, "a key cannot be made: %s",
				 err_text(err));
	err = keyring_add(keys->keyring, buf_str(&pem), state, &what);
	if (err)
		return cause_set(cause, err, "%s: %s", keys->folder, what.text);
	list->at[list->len].state = state;
	memcpy(list->at[list->len].name,
	       keyring_at(keys->keyring, list->len)->rfc7638, NAME_LEN + 1);
	path = pem_path(keys, list->at[list->len].name);
	err = file_write(path.at, 0600, buf_str(&pem), cause);
	if (err)
		return err;
	list->len++;
	err = publish_list(keys, public, cause);
	/* It may have failed after the name was there. */
	if (err && !is_named(keys->folder, list->at[list->len - 1].name))
		unlink(path.at);
	return err;
}

enum err keys_new(const char *folder, const char *public, enum key_alg alg,
		  struct str name, int64_t now, char kid[60],
		  struct cause *cause)
{
	AUTO(keys) struct keys keys = { .folder = folder, .fd = -1 };
	enum err err = file_make_folder(folder, 0700, cause);

	kid[0] = '\0';
	if (!err)
		err = keys_open(&keys, LOCK_EX, true, cause);
	if (!err)
		err = add_key(&keys, public, alg, name, now, cause);
	if (err)
		return err;
	memcpy(kid, keyring_at(keys.keyring, keys.list.len - 1)->libtrust, 60);
	return E_OK;
}

static enum err find(const struct keys *keys, struct str kid, size_t *out,
		     struct cause *cause)
{
	const struct key *key = keyring_find(keys->keyring, kid);

	*out = 0;
	if (!key)
		return cause_set(cause, E_NOT_FOUND,
				 "%s: no such key; dockpass key list shows all",
				 keys->folder);
	while (keyring_at(keys->keyring, *out) != key)
		++*out;
	return E_OK;
}

enum err keys_activate(const char *folder, const char *public, struct str kid,
		       struct cause *cause)
{
	AUTO(keys) struct keys keys = { .folder = folder, .fd = -1 };
	struct list *list = &keys.list;
	enum err err = keys_open(&keys, LOCK_EX, false, cause);
	size_t found;

	if (!err)
		err = find(&keys, kid, &found, cause);
	if (!err && list->at[found].state == KEY_RETIRED)
		return cause_set(cause, E_REFUSED,
				 "a retired key never signs again: make a new "
				 "one with dockpass key new");
	if (err)
		return err;
	for (size_t i = 0; i < list->len; i++)
		if (list->at[i].state == KEY_CURRENT)
			list->at[i].state = KEY_RETIRED;
	list->at[found].state = KEY_CURRENT;
	return publish_list(&keys, public, cause);
}

enum err keys_remove(const char *folder, const char *public, struct str kid,
		     struct cause *cause)
{
	AUTO(keys) struct keys keys = { .folder = folder, .fd = -1 };
	struct list *list = &keys.list;
	enum err err = keys_open(&keys, LOCK_EX, false, cause);
	struct path path;
	size_t found;

	if (!err)
		err = find(&keys, kid, &found, cause);
	if (err)
		return err;
	if (list->at[found].state == KEY_CURRENT)
		return cause_set(cause, E_REFUSED,
				 "the current key signs: activate another one "
				 "before, with dockpass key activate");
	path = pem_path(&keys, list->at[found].name);
	list->len--;
	memmove(&list->at[found], &list->at[found + 1],
		(list->len - found) * sizeof(list->at[0]));
	err = publish_list(&keys, public, cause);
	return err ? err : file_erase(path.at, cause);
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
