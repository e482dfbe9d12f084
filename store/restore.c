/* store/restore.c - the way back from a copy: see store/backup.h. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "store/backup.h"
#include "store/changelog.h"
#include "store/plan.h"
#include "token/word.h"

/* What was observed stays where it can, or mail goes twice. */
static enum err copy_rows(struct txn *from, struct txn *to, bool descends)
{
	for (enum table table = 0; table < TABLE_COUNT; table++) {
		AUTO(cursor) struct cursor c = { 0 };

		if (descends && table_observed(table))
			continue;
		txn_clear(to, table);
		for (cursor_open(from, table, STR(""), &c); cursor_next(&c);)
			txn_put(to, table, c.key, c.value);
	}
	return from->err ? from->err : to->err;
}

static bool first_damaged(struct txn *txn, enum table table, unsigned char *key,
			  size_t *len)
{
	AUTO(cursor) struct cursor c;

	cursor_open(txn, table, STR(""), &c);
	while (cursor_next(&c)) {
		if (observed_sound(txn, table, c.key, c.value))
			continue;
		memcpy(key, c.key.at, c.key.len);
		*len = c.key.len;
		return true;
	}
	return false;
}

/* It would be in the way of mail, and of the next backup. */
static void drop_damaged(struct txn *txn)
{
	unsigned char key[512]; /* LMDB's are 511 at most */
	size_t len;

	for (enum table table = 0; table < TABLE_COUNT; table++)
		while (table_observed(table) &&
		       first_damaged(txn, table, key, &len))
			txn_remove(txn, table,
				   (struct str) { (const char *)key, len });
}

/*
 * Their logs have nothing in common, though they were made as one: it was
 * pruned, or cannot be read.
 */
static bool is_untold(struct txn *now, struct txn *copy)
{
	struct log_end mine, its;
	struct log_facts facts;

	changelog_anchor(now, &mine);
	changelog_anchor(copy, &its);
	return txn_created_at(now) == txn_created_at(copy) &&
	       (mine.number || its.number ||
		changelog_verify(now, &facts, NULL));
}

/* A backup from before any change was restored: a log that begins with that. */
static bool began_anew(struct txn *txn)
{
	struct log_gap gap = { 0 };
	struct log_facts facts;

	return !changelog_verify(txn, &facts, NULL) &&
	       changelog_next_gap(txn, &gap) && gap.from == 1;
}

/* They have no change in common, as they were one before there was any. */
static bool parted_at_once(struct txn *now, struct txn *copy)
{
	struct log_end pruned;

	changelog_anchor(now, &pruned);
	return txn_created_at(now) == txn_created_at(copy) && !pruned.number &&
	       (began_anew(now) || began_anew(copy));
}

/* *lost: see struct restored. */
static enum kin kin_of(struct txn *now, struct txn *copy, uint64_t *lost)
{
	uint64_t since;

	*lost = 0;
	if (!txn_count(now, TABLE_LOG))
		return KIN_NEW;
	if (changelog_follows(now, copy, lost))
		return KIN_LATER;
	if (changelog_follows(copy, now, &since))
		return KIN_EARLIER;
	if (changelog_fork(now, copy) || parted_at_once(now, copy))
		return KIN_PARTED;
	return is_untold(now, copy) ? KIN_UNTOLD : KIN_NONE;
}

static enum err refuse_stranger(const struct db *db, struct cause *cause)
{
	const char *folder = db_folder(db);
	char data[PATH_MAX];

	snprintf(data, sizeof(data), "%s/data.mdb", folder);
	return cause_set(cause, E_REFUSED,
			 "%s holds another store, which has no change in "
			 "common with this backup: nothing of it can stay. To "
			 "have the backup there all the same, stop the server, "
			 "mv %s away, and say it again",
			 folder, word_of(data).at);
}

enum err backup_restore(struct db *db, struct db *copy,
			const struct restore *how, struct restored *out,
			struct cause *cause)
{
	AUTO(txn) struct txn from = { 0 };
	AUTO(txn) struct txn to = { 0 };
	AUTO(plan) struct plan plan;
	struct restored done = { 0 };
	enum err err;

	*out = (struct restored) { 0 };
	if (cause)
		cause->text[0] = '\0';
	plan_init(&plan, &to, &from, how);
	txn_read(copy, &from);
	txn_write(db, &to);
	plan.kin = done.kin = kin_of(&to, &from, &done.lost);
	if (done.kin == KIN_NONE && !from.err && !to.err)
		return refuse_stranger(db, cause);
	err = plan_make(&plan);
	if (!err)
		err = copy_rows(&from, &to, done.kin == KIN_LATER);
	if (!err)
		err = plan_run(&plan, cause);
	if (!err)
		drop_damaged(&to);
	if (!err)
		err = txn_commit(&to);
	if (err)
		return cause && *cause->text
			       ? err
			       : cause_set(cause, err,
					   "cannot restore into %s: %s",
					   db_folder(db), err_text(err));
	done.taken_away = plan.count - plan.newer;
	done.newer = plan.newer;
	*out = done;
	return E_OK;
}
