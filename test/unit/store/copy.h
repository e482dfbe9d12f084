/*
 * test/unit/store/copy.h - a store, a copy of it in a file, and the way back.
 */
#pragma once

#include "test/unit/store/changes.h"

#include <fcntl.h>

#include "store/backup.h"

struct copy {
	struct fixture f;
	char path[96];
};

static inline void copy_begin(struct copy *c)
{
	fixture_open(&c->f);
	set_up(c->f.db);
}

static inline void copy_write(struct copy *c)
{
	struct cause cause;
	int fd;

	snprintf(c->path, sizeof(c->path), "%s.backup", c->f.folder);
	fd = open(c->path, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(backup_write(c->f.db, fd, &cause), E_OK);
	close(fd);
}

static inline void copy_make(struct copy *c)
{
	copy_begin(c);
	copy_write(c);
}

static inline void copy_end(struct copy *c)
{
	unlink(c->path);
	fixture_close(&c->f);
}

static inline struct restored bring_back(struct copy *c, struct db *db,
					 int64_t newer_than)
{
	const struct restore how = { .now = NOW + 1,
				     .actor = STR("cli:root"),
				     .newer_than = newer_than };
	AUTO(db) struct db *copy = NULL;
	struct store_facts facts;
	struct restored out;
	struct cause cause;

	assert_int_equal(backup_open(c->path, &copy, &facts, &cause), E_OK);
	assert_true(facts.changes >= COUNT(setup));
	if (backup_restore(db, copy, &how, &out, &cause))
		fail_msg("%s", cause.text);
	return out;
}

/* It is as its log makes it, too. */
static inline struct store_facts sound(struct db *db)
{
	AUTO(txn) struct txn txn;
	struct store_facts facts;
	struct fixture again;
	struct cause cause;

	fixture_open(&again);
	replay(db, again.db);
	assert_true(tables_equal(db, again.db));
	fixture_close(&again);
	txn_read(db, &txn);
	if (store_verify(&txn, &facts, &cause))
		fail_msg("%s", cause.text);
	return facts;
}
