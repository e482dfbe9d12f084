/*
 * store/user.c - people and bots: tables "user" and "user_name".
 *
 * Table "user": u64 id -> u8 version=1, u32 flags, time created_at, text name,
 * text email, text password. User 7, administrator, no password:
 *
 *   0000000000000007 -> 01 00000001 0000000067f00000 0005 416c696365
 *                       0003 614078 0000
 *
 * Table "user_name": lower-case name -> u64 id:
 *
 *   616c696365 -> 0000000000000007
 */
#include "store/user.h"

#include "store/record.h"

enum { USER_VERSION = 1, NAME_MAX_LEN = 255 };

struct str user_flags_next(unsigned *flags)
{
#define X(name, bit, text)                                                     \
	if (*flags & USER_##name) {                                            \
		*flags &= ~(unsigned)USER_##name;                              \
		return STR(text);                                              \
	}
	USER_FLAG_LIST(X)
#undef X
	return (struct str) { 0 };
}

struct name_key {
	char at[NAME_MAX_LEN];
	size_t len;
};

static struct name_key name_key(struct str name)
{
	struct name_key key = { .len = name.len };

	assert(name.len <= sizeof(key.at));
	for (size_t i = 0; i < name.len; i++)
		key.at[i] = ascii_lower(name.at[i]);
	return key;
}

static bool name_char(char c, bool first)
{
	return ascii_is_alnum(c) || c == '_' ||
	       (!first && (c == '.' || c == '-'));
}

bool user_name_valid(struct str name)
{
	if (!name.len || name.len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!name_char(name.at[i], i == 0))
			return false;
	return name.at[name.len - 1] != '.';
}

enum err user_unpack(struct txn *txn, struct str key, struct str value,
		     struct user *out)
{
	struct unpack k = { .rest = key }, u = { .rest = value };
	struct user user;

	*out = (struct user) { 0 };
	if (unpack_u8(&u) != USER_VERSION)
		return txn->err = value.len ? E_VERSION : E_CORRUPT;
	user.id = unpack_u64(&k);
	user.flags = unpack_u32(&u);
	user.created_at = unpack_time(&u);
	user.name = unpack_text(&u);
	user.email = unpack_text(&u);
	user.password = unpack_text(&u);
	if (!unpack_done(&k) || !unpack_done(&u) || !user.id)
		return txn->err = E_CORRUPT;
	*out = user;
	return E_OK;
}

enum err user_get(struct txn *txn, uint64_t id, struct user *out)
{
	struct key8 key = key_u64(id);
	struct str value;

	*out = (struct user) { 0 };
	if (!txn_get(txn, TABLE_USER, STR_OF(key.at), &value))
		return txn->err ? txn->err : E_NOT_FOUND;
	return user_unpack(txn, STR_OF(key.at), value, out);
}

enum err user_find(struct txn *txn, struct str name, struct user *out)
{
	struct name_key key;
	struct unpack u = { 0 };
	uint64_t id;
	enum err err;

	*out = (struct user) { 0 };
	if (name.len > NAME_MAX_LEN)
		return txn->err ? txn->err : E_NOT_FOUND;
	key = name_key(name);
	if (!txn_get(txn, TABLE_USER_NAME, (struct str) { key.at, key.len },
		     &u.rest))
		return txn->err ? txn->err : E_NOT_FOUND;
	id = unpack_u64(&u);
	if (!unpack_done(&u))
		return txn->err = E_CORRUPT;
	err = user_get(txn, id, out);
	/* A name of nobody: the two tables are at odds. */
	return err == E_NOT_FOUND ? (txn->err = E_CORRUPT) : err;
}

void user_put(struct txn *txn, const struct user *user)
{
	struct key8 id = key_u64(user->id);
	struct name_key name = name_key(user->name);
	struct pack pack = { 0 };

	pack_u8(&pack, USER_VERSION);
	pack_u32(&pack, user->flags);
	pack_time(&pack, user->created_at);
	pack_text(&pack, user->name);
	pack_text(&pack, user->email);
	pack_text(&pack, user->password);
	txn_put(txn, TABLE_USER, STR_OF(id.at), pack_str(&pack));
	txn_put(txn, TABLE_USER_NAME, (struct str) { name.at, name.len },
		STR_OF(id.at));
}

void user_remove(struct txn *txn, const struct user *user)
{
	struct key8 id = key_u64(user->id);
	struct name_key name = name_key(user->name);

	txn_remove(txn, TABLE_USER_NAME, (struct str) { name.at, name.len });
	txn_remove(txn, TABLE_USER, STR_OF(id.at));
}
