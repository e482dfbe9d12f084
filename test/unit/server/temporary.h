/*
 * test/unit/server/temporary.h - a temporary folder `top`, with an empty
 * folder `keys` (mode 0700) in it and a path `public` to nothing.
 */
#pragma once

#include "test/unit/check.h"

#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/file.h"
#include "server/keys.h"

static char top[64], keys[128], public[128];
static struct cause cause;

static inline int remove_entry(const char *path, const struct stat *st,
			       int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline int setup(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "/tmp/dockpass-keys-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(keys, sizeof(keys), "%s/keys", top);
	snprintf(public, sizeof(public), "%s/public", top);
	cause = (struct cause) { "" };
	return mkdir(keys, 0700);
}

static inline int teardown(void **state)
{
	(void)state;
	return nftw(top, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline const char *in(const char *folder, const char *name,
			     const char *suffix)
{
	static char paths[4][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % COUNT(paths)];

	snprintf(path, PATH_MAX, "%s/%s%s", folder, name, suffix);
	return path;
}

static inline void write_text(const char *path, unsigned mode, const char *text)
{
	if (file_write(path, mode, str_of(text), &cause))
		fail_msg("%s", cause.text);
}

static inline void read_text(const char *path, struct buf *out)
{
	if (file_read(path, false, out, &cause))
		fail_msg("%s", cause.text);
}

static inline unsigned mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static inline size_t files_in(const char *folder)
{
	DIR *dir = opendir(folder);
	size_t n = 0;

	for (struct dirent *entry; (entry = readdir(dir));)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static inline struct keyring *load(void)
{
	struct keyring *keyring;

	if (keys_load(keys, &keyring, &cause))
		fail_msg("%s", cause.text);
	return keyring;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
