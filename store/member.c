/*
 * store/member.c - tables "member" and "user_member".
 *
 * Table "member": u64 space, u64 user -> u8 version=1, u8 role. User 7 is a
 * developer of space 3:
 *
 *   0000000000000003 0000000000000007 -> 01 1e
 *
 * Table "user_member": u64 user, u64 space -> nothing; his memberships.
 */
#include "store/member.h"

#include "store/record.h"

enum { MEMBER_VERSION = 1 };

enum err member_unpack(struct txn *txn, struct str key, struct str value,
		       uint64_t *user, enum role *role)
{
	struct unpack k = { .rest = key }, u = { .rest = value };
	uint64_t id;
	unsigned number;

	*user = 0;
	*role = ROLE_NONE;
	if (unpack_u8(&u) != MEMBER_VERSION)
		return txn->err = value.len ? E_VERSION : E_CORRUPT;
	number = unpack_u8(&u);
	unpack_u64(&k);
	id = unpack_u64(&k);
	if (!unpack_done(&k) || !unpack_done(&u) || !role_known(number))
		return txn->err = E_CORRUPT;
	*user = id;
	*role = (enum role)number;
	return E_OK;
}

enum err member_get(struct txn *txn, uint64_t space, uint64_t user,
		    enum role *out)
{
	struct key16 key = key_pair(space, user);
	struct str value;

	*out = ROLE_NONE;
	if (!txn_get(txn, TABLE_MEMBER, STR_OF(key.at), &value))
		return txn->err ? txn->err : E_NOT_FOUND;
	return member_unpack(txn, STR_OF(key.at), value, &user, out);
}

void member_put(struct txn *txn, uint64_t space, uint64_t user, enum role role)
{
	struct key16 key = key_pair(space, user), back = key_pair(user, space);
	const unsigned char record[] = { MEMBER_VERSION, (unsigned char)role };

	txn_put(txn, TABLE_MEMBER, STR_OF(key.at), STR_OF(record));
	txn_put(txn, TABLE_USER_MEMBER, STR_OF(back.at), STR(""));
}

void member_remove(struct txn *txn, uint64_t space, uint64_t user)
{
	struct key16 key = key_pair(space, user), back = key_pair(user, space);

	txn_remove(txn, TABLE_MEMBER, STR_OF(key.at));
	txn_remove(txn, TABLE_USER_MEMBER, STR_OF(back.at));
}

/* The second half of the first key that begins with `first`; 0: none. */
static uint64_t first_other(struct txn *txn, enum table table, uint64_t first)
{
	AUTO(cursor) struct cursor cursor;
	struct key8 prefix = key_u64(first);
	struct unpack k;

	cursor_open(txn, table, STR_OF(prefix.at), &cursor);
	if (!cursor_next(&cursor))
		return 0;
	k = (struct unpack) { .rest = cursor.key };
	unpack_u64(&k);
	return unpack_u64(&k);
}

void member_remove_user(struct txn *txn, uint64_t user)
{
	uint64_t space;

	while ((space = first_other(txn, TABLE_USER_MEMBER, user)))
		member_remove(txn, space, user);
}

void member_remove_space(struct txn *txn, uint64_t space)
{
	uint64_t user;

	while ((user = first_other(txn, TABLE_MEMBER, space)))
		member_remove(txn, space, user);
}

enum err member_role(struct txn *txn, const struct space_chain *chain,
		     uint64_t user, enum role *out, const struct space **from)
{
	const struct space *where = NULL;
	enum role best = ROLE_NONE;

	*out = ROLE_NONE;
	*from = NULL;
	for (size_t i = 0; i < chain->len; i++) {
		enum role role;
		enum err err = member_get(txn, chain->at[i].id, user, &role);

		if (err && err != E_NOT_FOUND)
			return err;
		if (role <= best)
			continue;
		best = role;
		where = &chain->at[i];
	}
	*out = best;
	*from = where;
	return E_OK;
}
