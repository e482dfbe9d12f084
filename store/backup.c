/*
 * store/backup.c - the file: LMDB's copy, then the seal, 56 bytes:
 *
 *   "dockpass backup, sealed\n"  SHA-256 of all before the seal, 32 bytes
 */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/look.h"
#include "token/secret.h"

#define SEAL_NAME "dockpass backup, sealed\n"

struct seal {
	char name[sizeof(SEAL_NAME) - 1];
	struct digest digest;
};

static enum err digest_of(int fd, size_t len, struct digest *out)
{
	void *at = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	enum err err;

	*out = (struct digest) { 0 };
	if (at == MAP_FAILED)
		return errno_err(errno);
	err = secret_digest((struct str) { at, len }, out);
	munmap(at, len);
	return err;
}

static enum err put_seal(int fd)
{
	off_t len = lseek(fd, 0, SEEK_END);
	struct seal seal;
	enum err err;

	if (len <= 0)
		return E_IO;
	err = digest_of(fd, (size_t)len, &seal.digest);
	if (err)
		return err;
	memcpy(seal.name, SEAL_NAME, sizeof(seal.name));
	if (write(fd, &seal, sizeof(seal)) != (ssize_t)sizeof(seal))
		return errno ? errno_err(errno) : E_IO;
	return E_OK;
}

enum err backup_write(struct db *db, int fd, struct cause *cause)
{
	enum err err = db_copy(db, fd);

	if (!err)
		err = put_seal(fd);
	if (err)
		return cause_set(cause, err, "cannot copy the store: %s",
				 err_text(err));
	return E_OK;
}

static enum err check_seal(int fd, const char *path, struct cause *cause)
{
	struct seal seal;
	struct digest digest;
	struct stat st;
	size_t len;
	enum err err;

	if (fstat(fd, &st))
		return cause_set(cause, errno_err(errno), "%s: %s", path,
				 strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size <= (off_t)sizeof(seal))
		return cause_set(cause, E_SYNTAX,
				 "%s: is no backup of dockpass", path);
	len = (size_t)st.st_size - sizeof(seal);
	if (pread(fd, &seal, sizeof(seal), (off_t)len) !=
		    (ssize_t)sizeof(seal) ||
	    memcmp(seal.name, SEAL_NAME, sizeof(seal.name)) != 0)
		return cause_set(cause, E_SYNTAX,
				 "%s: is no backup of dockpass, or was cut "
				 "short: take another one",
				 path);
	err = digest_of(fd, len, &digest);
	if (err)
		return cause_set(cause, err, "%s: cannot be read: %s", path,
				 err_text(err));
	if (!digest_eq(&digest, &seal.digest))
		return cause_set(cause, E_CORRUPT,
				 "%s: has changed since it was made: take "
				 "another one",
				 path);
	return E_OK;
}

/*
 * Whoever can write it chooses who is an administrator: anybody can make a
 * seal. Of root's and our own, as the store's owner.
 */
static enum err check_writers(int fd, const char *path, struct cause *cause)
{
	struct cause who;
	struct stat st;

	if (fstat(fd, &st))
		return cause_errno(cause, "cannot look at it", path);
	if (st.st_uid && st.st_uid != geteuid())
		(void)cause_set(&who, E_MODE, "belongs to user %u, who",
				(unsigned)st.st_uid);
	else if (S_ISREG(st.st_mode) && st.st_mode & (S_IWGRP | S_IWOTH))
		(void)cause_set(&who, E_MODE,
				"group or others can write it, and");
	else
		return E_OK;
	return cause_set(cause, E_MODE,
			 "%s: %s may change it while it is read; if you trust "
			 "what is in it, restore a copy: install -o %u -m 600 "
			 "%s %s.copy",
			 path, who.text, (unsigned)geteuid(), path, path);
}

/* All that a restore will read and put, be it verified or not. */
static enum err read_rows(struct txn *txn)
{
	volatile char seen = 0;

	for (enum table table = 0; table < TABLE_COUNT; table++) {
		AUTO(cursor) struct cursor c = { 0 };

		for (cursor_open(txn, table, STR(""), &c); cursor_next(&c);) {
			if (!c.key.len || c.key.len > KEY_MAX)
				return E_CORRUPT;
			for (size_t i = 0; i < c.key.len; i++)
				seen = c.key.at[i];
			for (size_t i = 0; i < c.value.len; i++)
				seen = c.value.at[i];
		}
	}
	(void)seen;
	return txn->err;
}

static enum err read_copy(const char *path, int fd, struct store_facts *facts,
			  struct cause *cause)
{
	AUTO(db) struct db *db = NULL;
	AUTO(txn) struct txn txn = { 0 };
	enum err err = db_open_copy(fd, path, &db, cause);

	if (err)
		return err;
	txn_read(db, &txn);
	err = store_verify(&txn, facts, cause);
	return err ? err : read_rows(&txn);
}

/* A seal can be made by anybody. */
static enum err check_inside(const char *path, int fd,
			     struct store_facts *facts, struct cause *cause)
{
	struct stat st = { 0 };
	enum err err;

	(void)!fstat(fd, &st);
	err = look_apart(read_copy, path, fd, (uint64_t)st.st_size, facts,
			 cause);
	if (!err || err == E_VERSION || err == E_MEMORY)
		return err;
	return cause_set(cause, E_CORRUPT,
			 "%s: its seal is right, and what is in it cannot be "
			 "read as a store: take another one",
			 path);
}

enum err backup_open(const char *path, struct db **out,
		     struct store_facts *facts, struct cause *cause)
{
	enum err err;
	int fd;

	*out = NULL;
	*facts = (struct store_facts) { 0 };
	if (access("/proc/self/fd", F_OK)) /* LMDB opens by name alone */
		return cause_set(cause, E_IO,
				 "/proc is not there, and is needed: run: "
				 "mount -t proc proc /proc");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return cause_errno(cause, "cannot open it", path);
	err = check_writers(fd, path, cause);
	if (!err)
		err = check_seal(fd, path, cause);
	if (!err)
		err = check_inside(path, fd, facts, cause);
	if (!err)
		err = db_open_copy(fd, path, out, cause);
	close(fd);
	if (err)
		*facts = (struct store_facts) { 0 };
	return err;
}
