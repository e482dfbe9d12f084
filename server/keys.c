/*
 * server/keys.c - see the header.
 *
 * Order of writing, so that a crash between two steps leaves a keyring that
 * can be read: a key's file is there before `keyring` names it, and goes after
 * `keyring` has forgotten it. A file that is not named is nobody's. What
 * registries read is written before `keyring`: if that fails, no key was
 * changed, and it is written again as it was, as far as the disk lets it.
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
#include "token/word.h"

enum {
	LIST_MAX = 8192,
	PEM_MAX = 64 * 1024,
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
				 keys->folder, word_of(keys->folder).at);
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

static bool has(const struct list *list, const char *name)
{
	for (size_t i = 0; i < list->len; i++)
		if (!strcmp(list->at[i].name, name))
			return true;
	return false;
}

/*
 * After a failure, which may have come when `keyring` was there already: a key
 * that it does not name goes, which makes room, then what registries read is of
 * what it names. If nobody can tell what that is, all stays.
 */
static void take_back(const struct keys *keys, const char *public,
		      const char *made)
{
	AUTO(keys) struct keys is = { .folder = keys->folder, .fd = -1 };
	enum err err = read_list(&is, NULL);

	if (err && err != E_NOT_FOUND)
		return;
	if (made && !has(&is.list, made))
		(void)!file_erase(pem_path(keys, made).at, NULL);
	if (is.list.len && !read_keys(&is, NULL))
		(void)!keys_publish(is.keyring, public, NULL);
}

/*
 * The list as it is to be; if what it names cannot be published, it is not.
 * `made`: the key that is new in it, or NULL.
 */
static enum err publish_list(struct keys *keys, const char *public,
			     const char *made, struct cause *cause)
{
	enum err err = read_keys(keys, cause);

	if (!err)
		err = keys_publish(keys->keyring, public, cause);
	if (!err)
		err = write_list(keys, cause);
	if (err)
		take_back(keys, public, made);
	return err;
}

static enum err add_key(struct keys *keys, const char *public, enum key_alg alg,
			struct str name, int64_t now, char kid[60],
			struct cause *cause)
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
	memcpy(kid, keyring_at(keys->keyring, list->len)->libtrust, 60);
	list->len++;
	return publish_list(keys, public, list->at[list->len - 1].name, cause);
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
		err = add_key(&keys, public, alg, name, now, kid, cause);
	return err;
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
	return publish_list(&keys, public, NULL, cause);
}

enum err keys_remove(const char *folder, const char *public, struct str kid,
		     struct cause *cause)
{
	AUTO(keys) struct keys keys = { .folder = folder, .fd = -1 };
	struct list *list = &keys.list;
	enum err err = keys_open(&keys, LOCK_EX, false, cause);
	struct cause what = { "" };
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
	err = publish_list(&keys, public, NULL, cause);
	if (err)
		return err;
	err = file_erase(path.at, &what);
	return err ? cause_set(cause, err, "the key's file is still there: %s",
			       what.text)
		   : E_OK;
}
