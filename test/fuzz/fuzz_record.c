/*
 * test/fuzz/fuzz_record.c - the stored records, from arbitrary bytes: the
 * first says which one. A record that is read packs to the same bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/change.h"
#include "store/job.h"
#include "store/mailbox.h"
#include "store/member.h"
#include "store/record.h"
#include "store/refresh.h"
#include "store/setting.h"
#include "store/told.h"
#include "store/used.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct digest digest = { { 1 } };
static struct db *db;

static void forget_store(void)
{
	db_close(db);
}

/* The store is never written to: one that is made is removed at once. */
static void open_store(void)
{
	static const char *const files[] = { "data.mdb", "lock.mdb" };
	char folder[] = "/tmp/dockpass-fuzz-XXXXXX", path[64];
	struct cause cause;

	if (!mkdtemp(folder) || db_open(folder, DB_CREATE, 1, &db, &cause))
		abort();
	atexit(forget_store);
	for (size_t i = 0; i < COUNT(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		unlink(path);
	}
	rmdir(folder);
}

static void check_change(struct str bytes)
{
	struct pack pack = { 0 };
	struct change change;

	if (change_unpack(bytes, &change)) {
		assert(!change.type);
		return;
	}
	change_pack(&change, &pack);
	assert(bytes.len > RECORD_MAX || str_eq(pack_str(&pack), bytes));
}

static void check_user(struct txn *txn, struct str bytes)
{
	struct key8 key = key_u64(7);
	struct user user;
	struct str again;

	if (user_unpack(txn, STR_OF(key.at), bytes, &user)) {
		assert(!user.id && txn->err);
		return;
	}
	if (user.name.len > 255 || !user.name.len || bytes.len > RECORD_MAX)
		return;
	user_put(txn, &user);
	assert(txn_get(txn, TABLE_USER, STR_OF(key.at), &again));
	assert(str_eq(again, bytes));
}

static void check_space(struct txn *txn, struct str bytes)
{
	struct space space;
	struct str again;

	if (space_unpack(txn, STR("g/app"), bytes, &space)) {
		assert(!space.id && txn->err);
		return;
	}
	space_put(txn, &space);
	assert(txn_get(txn, TABLE_SPACE, STR("g/app"), &again));
	assert(str_eq(again, bytes));
}

/* Those that are read from the store alone. */
static void check_rest(struct txn *txn, struct str bytes)
{
	struct key16 key = key_pair(1, 2);
	struct refresh refresh;
	struct settings settings;
	enum role role;
	struct pat pat;

	txn_put(txn, TABLE_PAT, digest_str(&digest), bytes);
	txn_put(txn, TABLE_REFRESH, digest_str(&digest), bytes);
	txn_put(txn, TABLE_MEMBER, STR_OF(key.at), bytes);
	txn_put(txn, TABLE_SETTING, STR("enforce_token_expiry"), bytes);
	if (pat_find(txn, &digest, &pat))
		assert(!pat.id);
	txn->err = E_OK;
	if (refresh_find(txn, &digest, &refresh))
		assert(!refresh.pat);
	txn->err = E_OK;
	if (member_get(txn, 1, 2, &role))
		assert(role == ROLE_NONE);
	txn->err = E_OK;
	if (settings_read(txn, &settings))
		assert(settings.enforce_token_expiry);
}

/* What is observed. */
static void check_observed(struct txn *txn, struct str bytes)
{
	const unsigned char job_key[] = { JOB_EXPIRED };
	struct key8 key = key_u64(7);
	struct key16 pair = key_pair(1, 2);
	struct job_state job;
	struct notice notice;
	struct used used;

	txn_put(txn, TABLE_USED, STR_OF(key.at), bytes);
	txn_put(txn, TABLE_JOB, STR_OF(job_key), bytes);
	txn_put(txn, TABLE_MAILBOX, STR_OF(pair.at), bytes);
	if (used_get(txn, 7, &used))
		assert(!used.at);
	txn->err = E_OK;
	if (job_get(txn, JOB_EXPIRED, &job))
		assert(!job.ran_at);
	txn->err = E_OK;
	if (mailbox_get(txn, 2, 1, &notice))
		assert(!notice.id);
	txn->err = E_OK;
	txn_put(txn, TABLE_TOLD, STR_OF(key.at), bytes);
	if (told_check(txn, bytes))
		assert(told_get(txn, 7, 9) == TOLD_NOTHING);
}

static void check(unsigned which, struct str bytes)
{
	AUTO(txn) struct txn txn;

	txn_write(db, &txn);
	switch (which % 5) {
	case 0:
		check_change(bytes);
		break;
	case 1:
		check_user(&txn, bytes);
		break;
	case 2:
		check_space(&txn, bytes);
		break;
	case 3:
		check_rest(&txn, bytes);
		break;
	default:
		check_observed(&txn, bytes);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!db)
		open_store();
	if (size)
		check(data[0],
		      (struct str) { (const char *)data + 1, size - 1 });
	return 0;
}
