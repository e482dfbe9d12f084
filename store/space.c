/*
 * store/space.c - groups and projects: tables "space" and "space_id".
 *
 * Table "space": path -> u8 version=1, u64 id, u8 kind, u8 visibility,
 * u8 registry, u8 archived, time created_at. Project 3, public, registry for
 * members alone:
 *
 *   672f617070 -> 01 0000000000000003 02 02 01 00 0000000067f00000
 *   "g/app"
 *
 * Table "space_id": u64 id -> path. "a/" and what follows sorts together, so
 * what lies below a group is one range of keys.
 */
#include "store/space.h"

#include <string.h>

#include "store/record.h"

enum { SPACE_VERSION = 1 };

static bool has_two_hyphens(struct str s)
{
	for (size_t i = 1; i < s.len; i++)
		if (s.at[i] == '-' && s.at[i - 1] == '-')
			return true;
	return false;
}

bool space_path_valid(struct str path)
{
	return path_valid(path) && path_depth(path) <= SPACE_DEPTH &&
	       !has_two_hyphens(path);
}

enum err space_unpack(struct txn *txn, struct str key, struct str value,
		      struct space *out)
{
	struct unpack u = { .rest = value };
	unsigned kind, visibility, registry, archived;
	struct space space = { .path = key };

	*out = (struct space) { 0 };
	if (unpack_u8(&u) != SPACE_VERSION)
		return txn->err = value.len ? E_VERSION : E_CORRUPT;
	space.id = unpack_u64(&u);
	kind = unpack_u8(&u);
	visibility = unpack_u8(&u);
	registry = unpack_u8(&u);
	archived = unpack_u8(&u);
	space.created_at = unpack_time(&u);
	if (!unpack_done(&u) || !space.id ||
	    (kind != SPACE_GROUP && kind != SPACE_PROJECT) ||
	    visibility > VISIBILITY_PUBLIC || registry > REGISTRY_DISABLED ||
	    archived > 1)
		return txn->err = E_CORRUPT;
	space.kind = (enum space_kind)kind;
	space.rules.visibility = (enum visibility)visibility;
	space.rules.registry = (enum registry_access)registry;
	space.rules.archived = archived;
	*out = space;
	return E_OK;
}

enum err space_find(struct txn *txn, struct str path, struct space *out)
{
	struct str value;

	*out = (struct space) { 0 };
	if (!txn_get(txn, TABLE_SPACE, path, &value))
		return txn->err ? txn->err : E_NOT_FOUND;
	return space_unpack(txn, path, value, out);
}

enum err space_get(struct txn *txn, uint64_t id, struct space *out)
{
	struct key8 key = key_u64(id);
	struct str path;
	enum err err;

	*out = (struct space) { 0 };
	if (!txn_get(txn, TABLE_SPACE_ID, STR_OF(key.at), &path))
		return txn->err ? txn->err : E_NOT_FOUND;
	err = space_find(txn, path, out);
	if (err == E_NOT_FOUND || (!err && out->id != id)) {
		*out = (struct space) { 0 };
		return txn->err = E_CORRUPT;
	}
	return err;
}

/* The path may point into the store, where the first write moves it. */
struct path_copy {
	char at[PATH_LEN_MAX];
	size_t len;
};

static struct path_copy path_copy(struct str path)
{
	struct path_copy copy = { .len = path.len };

	assert(path.len && path.len <= sizeof(copy.at));
	memcpy(copy.at, path.at, path.len);
	return copy;
}

void space_below(struct txn *txn, struct str path, struct cursor *out)
{
	char prefix[PATH_LEN_MAX + 1];

	if (path.len > PATH_LEN_MAX)
		path.len = 0;
	memcpy(prefix, path.at, path.len);
	prefix[path.len] = '/'; /* no path begins with it */
	cursor_open(txn, TABLE_SPACE, (struct str) { prefix, path.len + 1 },
		    out);
}

void space_put(struct txn *txn, const struct space *space)
{
	struct key8 id = key_u64(space->id);
	struct path_copy copy = path_copy(space->path);
	struct str path = { copy.at, copy.len };
	struct pack pack = { 0 };

	pack_u8(&pack, SPACE_VERSION);
	pack_u64(&pack, space->id);
	pack_u8(&pack, (uint8_t)space->kind);
	pack_u8(&pack, (uint8_t)space->rules.visibility);
	pack_u8(&pack, (uint8_t)space->rules.registry);
	pack_u8(&pack, space->rules.archived);
	pack_time(&pack, space->created_at);
	txn_put(txn, TABLE_SPACE, path, pack_str(&pack));
	txn_put(txn, TABLE_SPACE_ID, STR_OF(id.at), path);
}

void space_remove(struct txn *txn, const struct space *space)
{
	struct key8 id = key_u64(space->id);
	struct path_copy path = path_copy(space->path);

	txn_remove(txn, TABLE_SPACE_ID, STR_OF(id.at));
	txn_remove(txn, TABLE_SPACE, (struct str) { path.at, path.len });
}

enum err space_walk(struct txn *txn, struct str path, struct space_chain *out)
{
	struct str rest = path, component;
	size_t len = 0;

	out->len = 0;
	while (len < SPACE_DEPTH && str_cut(&rest, '/', &component)) {
		struct space *space = &out->at[len];
		struct str prefix = path;
		enum err err;

		if (component.at + component.len < path.at + path.len)
			prefix.len = (size_t)(component.at + component.len -
					      path.at);
		err = space_find(txn, prefix, space);
		if (err == E_NOT_FOUND)
			break;
		if (err)
			return err;
		len++;
		if (space->kind == SPACE_PROJECT)
			break;
	}
	out->len = len;
	return txn->err;
}
