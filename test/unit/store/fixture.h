/* test/unit/store/fixture.h - a store in a temporary folder, and changes. */
#pragma once

#include "test/unit/check.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/change.h"
#include "store/pat.h"
#include "store/record.h"
#include "store/setting.h"

enum { NOW = 0x67f00000 }; /* 2025-04-04T16:29:36Z */

struct fixture {
	char folder[64];
	struct db *db;
};

static inline int remove_entry(const char *path, const struct stat *st,
			       int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void folder_make(struct fixture *f)
{
	snprintf(f->folder, sizeof(f->folder), "/tmp/dockpass-store-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	f->db = NULL;
}

static inline void folder_remove(struct fixture *f)
{
	nftw(f->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void fixture_open(struct fixture *f)
{
	struct cause cause = { "" };

	folder_make(f);
	if (db_open(f->folder, DB_CREATE, NOW, &f->db, &cause))
		fail_msg("%s", cause.text);
}

static inline void fixture_close(struct fixture *f)
{
	db_close(f->db);
	folder_remove(f);
}

static inline enum err do_change(struct db *db, struct change *change)
{
	struct change *list[] = { change };

	if (!change->now)
		change->now = NOW;
	if (!change->actor.len)
		change->actor = STR("cli:root");
	assert_int_equal(change_commit(db, list, 1), E_OK);
	return change->result;
}

/* Must be done; returns the new id. */
static inline uint64_t done(struct db *db, struct change change)
{
	if (do_change(db, &change))
		fail_msg("%s: %s", change_name(change.type), change.cause.text);
	return change.new_id;
}

static inline struct digest digest_of(const char *secret)
{
	struct digest digest;

	assert_int_equal(secret_digest(str_of(secret), &digest), E_OK);
	return digest;
}

static inline uint64_t add_user(struct db *db, const char *name, unsigned flags)
{
	return done(db, (struct change) { .type = CHANGE_USER_ADD,
					  .user = str_of(name),
					  .text = STR("a@x"),
					  .flags = flags });
}

static inline uint64_t add_project(struct db *db, const char *path,
				   enum visibility visibility)
{
	return done(db, (struct change) { .type = CHANGE_PROJECT_ADD,
					  .path = str_of(path),
					  .visibility = 1 + visibility });
}

static inline void put_member(struct db *db, const char *path, const char *name,
			      enum role role)
{
	done(db, (struct change) { .type = CHANGE_MEMBER_PUT,
				   .path = str_of(path),
				   .user = str_of(name),
				   .role = role });
}

static inline uint64_t add_token(struct db *db, const char *name,
				 const char *secret, unsigned scopes,
				 int64_t expires_at)
{
	return done(db, (struct change) { .type = CHANGE_TOKEN_ADD,
					  .user = str_of(name),
					  .kind = PAT_PERSONAL,
					  .text = STR("ci"),
					  .scopes = scopes,
					  .digest = digest_of(secret),
					  .expires_at = expires_at });
}

/* Without its texts, which end with the read. */
static inline struct pat token(struct db *db, uint64_t id)
{
	AUTO(txn) struct txn txn;
	struct pat pat;

	txn_read(db, &txn);
	assert_int_equal(pat_get(&txn, id, &pat), E_OK);
	pat.name = (struct str) { 0 };
	memset(pat.limits, 0, sizeof(pat.limits));
	return pat;
}

static inline bool is_revoked(struct db *db, uint64_t id)
{
	return token(db, id).revoked_at;
}

static inline struct settings settings_of(struct db *db)
{
	AUTO(txn) struct txn txn;
	struct settings settings;

	txn_read(db, &txn);
	assert_int_equal(settings_read(&txn, &settings), E_OK);
	return settings;
}

static inline bool hex_byte(const char *text, unsigned *out)
{
	char two[3] = { text[0], text[0] ? text[1] : '\0', '\0' };
	char *end;

	*out = (unsigned)strtoul(two, &end, 16);
	return end == two + 2;
}

/* "01 0a" to bytes. */
static inline struct str from_hex(const char *text, char *out, size_t size)
{
	size_t len = 0;

	for (; *text; text++) {
		unsigned byte;

		if (*text == ' ')
			continue;
		assert_int_equal(hex_byte(text++, &byte), true);
		assert_true(len < size);
		out[len++] = (char)byte;
	}
	return (struct str) { out, len };
}
