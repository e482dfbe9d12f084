/*
 * test/unit/store/changes.h - changes in short, and a store that holds one or
 * two of everything.
 */
#pragma once

#include "test/unit/store/fixture.h"

#include "token/date.h"

/* clang-format off */
#define D1  { { 1 } }
#define D2  { { 2 } }
#define D3  { { 3 } }
#define D9  { { 9 } }
#define S(literal) { (literal), sizeof(literal) - 1 }
#define ADD_USER(name) { .type = CHANGE_USER_ADD, .user = S(name) }
#define ADD_PROJECT(p) { .type = CHANGE_PROJECT_ADD, .path = S(p) }
#define ADD_GROUP(p)   { .type = CHANGE_GROUP_ADD, .path = S(p) }
#define ADD_TOKEN(name, d)                                                     \
	{ .type = CHANGE_TOKEN_ADD, .user = S(name), .kind = PAT_PERSONAL,     \
	  .text = S("ci"), .scopes = PAT_API, .digest = d }
#define SPACE_TOKEN(k, p, d)                                                   \
	{ .type = CHANGE_TOKEN_ADD, .path = S(p), .kind = k, .text = S("ci"),  \
	  .scopes = PAT_API, .role = ROLE_MAINTAINER, .bot = S("0a1b"),        \
	  .digest = d }

#define X10 "xxxxxxxxxx"
#define X250                                                                   \
	X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10    \
		X10 X10 X10 X10 X10 X10 X10 X10

/*
 * Users alice (1, owns token 1), root (2, admin), bob
 * (3, owns tokens 2, dead, and 3, revoked); group g (1), project g/app (2, its
 * bot is user 4, token 4), group e (3), project p (4); alice is a developer of
 * g/app.
 */
static const struct change setup[] = {
	ADD_USER("Alice"),
	{ .type = CHANGE_USER_ADD, .user = S("root"), .flags = USER_ADMIN },
	ADD_USER("bob"),
	ADD_TOKEN("alice", D1),
	{ .type = CHANGE_TOKEN_ADD, .user = S("bob"), .kind = PAT_PERSONAL,
	  .text = S("ci"), .scopes = PAT_API, .digest = D2, .now = NOW - DAY,
	  .expires_at = NOW },
	ADD_TOKEN("bob", D3),
	{ .type = CHANGE_TOKEN_REVOKE, .id = 3 },
	ADD_PROJECT("g/app"),
	ADD_GROUP("e"),
	ADD_PROJECT("p"),
	{ .type = CHANGE_MEMBER_PUT, .user = S("alice"), .path = S("g/app"),
	  .role = ROLE_DEVELOPER },
	SPACE_TOKEN(PAT_PROJECT, "g/app", { { 4 } }),
	{ .type = CHANGE_REFRESH_ADD, .id = 1, .text = S("reg"),
	  .digest = { { 11 } } },
};
/* clang-format on */

static inline void set_up(struct db *db)
{
	for (size_t i = 0; i < COUNT(setup); i++)
		done(db, setup[i]);
}

static inline bool tables_equal(struct db *a, struct db *b)
{
	AUTO(txn) struct txn ta;
	AUTO(txn) struct txn tb;

	txn_read(a, &ta);
	txn_read(b, &tb);
	for (int t = 0; t < TABLE_COUNT; t++) {
		AUTO(cursor) struct cursor ca;
		AUTO(cursor) struct cursor cb;

		cursor_open(&ta, (enum table)t, STR(""), &ca);
		cursor_open(&tb, (enum table)t, STR(""), &cb);
		while (cursor_next(&ca))
			if (!cursor_next(&cb) || !str_eq(ca.key, cb.key) ||
			    !str_eq(ca.value, cb.value))
				return false;
		if (cursor_next(&cb))
			return false;
	}
	return !ta.err && !tb.err;
}

/* All that the log of `from` says, once more on `to`. */
static inline void replay(struct db *from, struct db *to)
{
	AUTO(txn) struct txn txn;
	AUTO(cursor) struct cursor cursor;

	txn_read(from, &txn);
	cursor_open(&txn, TABLE_LOG, STR(""), &cursor);
	while (cursor_next(&cursor)) {
		struct change change;

		assert_int_equal(
			change_unpack(str_skip(cursor.value, 1 + DIGEST_LEN),
				      &change),
			E_OK);
		assert_int_equal(do_change(to, &change), E_OK);
	}
	assert_int_equal(txn.err, E_OK);
}
