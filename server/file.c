/* server/file.c - see the header. */
#include "server/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "server/owner.h"
#include "server/sandbox.h"
#include "token/word.h"

enum { CHUNK = 4096, PARENT_MODE = 0755, OTHERS = S_IRWXG | S_IRWXO };

enum err file_too_long(const char *path, struct cause *cause)
{
	return cause_set(cause, E_LIMIT, "%.80s...: path is too long", path);
}

/* The one place that says what mode a secret may have. */
static enum err check_mode(mode_t mode, const char *path, bool secret,
			   struct cause *cause)
{
	if (S_ISDIR(mode))
		return cause_set(cause, E_IO,
				 "%s: is a folder; name the file in it", path);
	if (!S_ISREG(mode))
		return cause_set(cause, E_IO, "%s: is no file; name one", path);
	if (secret && mode & OTHERS)
		return cause_set(cause, E_MODE,
				 "%s: group or others can read or write it; "
				 "run: chmod 600 %s",
				 path, word_of(path).at);
	return E_OK;
}

static enum err read_all(int fd, const char *path, struct buf *out,
			 struct cause *cause)
{
	for (;;) {
		size_t left = out->max - out->len;
		size_t want = left < CHUNK ? left : CHUNK;
		char *at, spare;
		ssize_t got;

		/* At the limit: a byte more would be one too many. */
		at = want ? buf_room(out, want) : &spare;
		if (!at)
			return cause_set(cause, E_LIMIT, "%s: is too large",
					 path);
		got = read(fd, at, want ? want : 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return cause_errno(cause, "cannot read it", path);
		if (!got)
			return E_OK;
		if (!want)
			return cause_set(cause, E_LIMIT,
					 "%s: is larger than %zu bytes", path,
					 out->max);
		buf_grew(out, (size_t)got);
	}
}

/* On the way to `path`, links followed, the folder that does not let us in. */
static const char *closed_folder(const char *path, char at[PATH_MAX])
{
	char *slash;

	/* glibc leaves there how far it came. */
	if (realpath(path, at) || errno != EACCES)
		return "its folder";
	slash = strrchr(at, '/');
	slash[slash == at] = '\0';
	return at;
}

/* Sets the cause when permission is denied there, and returns E_IO. */
static enum err file_denied(const char *path, bool secret, struct cause *cause)
{
	char self[SELF_MAX_BYTES], at[PATH_MAX];
	const char *name = name_self(self);
	struct stat st;

	if (stat(path, &st))
		return cause_set(cause, E_IO,
				 "%s: cannot open it: Permission denied; let "
				 "user %s into %s",
				 path, name, closed_folder(path, at));
	return cause_set(cause, E_IO,
			 "%s: cannot open it: Permission denied; the store's "
			 "owner reads it: %s %s %s",
			 path, secret ? "chown" : "chmod",
			 secret ? name : "a+r", word_of(path).at);
}

enum err file_look(const char *path, bool secret, struct cause *cause)
{
	struct stat st;

	if (!stat(path, &st))
		return check_mode(st.st_mode, path, secret, cause);
	if (errno == EACCES)
		return file_denied(path, secret, cause);
	return cause_set(cause, E_IO, "%s: %s; put the file there", path,
			 strerror(errno));
}

/* NONBLOCK: a pipe with nobody at its end must not hold up the start. */
static enum err read_file(const char *path, bool secret, bool own,
			  struct buf *out, struct cause *cause)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t start = out->len;
	struct stat st;
	enum err err;

	if (fd < 0 && errno == EACCES && sandbox_hides(path, false, cause))
		return E_REFUSED;
	if (fd < 0 && errno == EACCES && own)
		return file_denied(path, secret, cause);
	if (fd < 0)
		return cause_errno(cause, "cannot open it", path);
	if (fstat(fd, &st))
		return cause_errno(cause, "cannot look at it", path);
	err = check_mode(st.st_mode, path, secret, cause);
	if (!err)
		err = read_all(fd, path, out, cause);
	if (err && out->len > start) {
		OPENSSL_cleanse(out->at + start, out->len - start);
		out->len = start;
	}
	return err;
}

enum err file_read(const char *path, bool secret, struct buf *out,
		   struct cause *cause)
{
	return read_file(path, secret, false, out, cause);
}

enum err file_read_own(const char *path, bool secret, struct buf *out,
		       struct cause *cause)
{
	return read_file(path, secret, true, out, cause);
}

bool file_write_all(int fd, struct str text)
{
	while (text.len) {
		ssize_t put = write(fd, text.at, text.len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		text = str_skip(text, (size_t)put);
	}
	return true;
}

/* The folder that holds `path`, so that a name in it survives a crash. */
static bool sync_parent(const char *path)
{
	char folder[PATH_MAX];
	AUTO(fd) int fd = -1;
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (len >= sizeof(folder))
		return false;
	memcpy(folder, path, len);
	folder[len] = '\0';
	fd = open(len	  ? folder
		  : slash ? "/"
			  : ".",
		  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && !fsync(fd);
}

/* A new name is refused by link(), whoever else makes it meanwhile. */
static bool give_name(const char *aside, const char *path, bool replace)
{
	if (replace)
		return !rename(aside, path);
	return !link(aside, path) && !unlink(aside);
}

enum err file_write_by(const char *path, unsigned mode, bool replace,
		       file_writer *write, void *arg, struct cause *cause)
{
	char aside[PATH_MAX];
	AUTO(fd) int fd = -1;
	int len = snprintf(aside, sizeof(aside), "%s.XXXXXX", path);
	enum err err;

	if (len < 0 || (size_t)len >= sizeof(aside))
		return file_too_long(path, cause);
	fd = mkostemp(aside, O_CLOEXEC);
	if (fd < 0)
		return cause_errno(cause, "cannot make a file beside it", path);
	err = write(fd, arg, cause);
	if (!err && (fchmod(fd, mode) || fsync(fd)))
		err = cause_errno(cause, "cannot write it", path);
	if (!err && !give_name(aside, path, replace))
		err = cause_errno(cause, "cannot name it so", path);
	if (err) {
		unlink(aside);
		return err;
	}
	if (!sync_parent(path))
		return cause_errno(cause, "cannot sync its folder", path);
	return E_OK;
}

struct text {
	const char *path;
	struct str text;
};

static enum err write_text(int fd, void *arg, struct cause *cause)
{
	const struct text *text = arg;

	if (file_write_all(fd, text->text))
		return E_OK;
	return cause_errno(cause, "cannot write it", text->path);
}

enum err file_write(const char *path, unsigned mode, struct str text,
		    struct cause *cause)
{
	struct text what = { path, text };

	return file_write_by(path, mode, true, write_text, &what, cause);
}

bool file_same(const char *a, const char *b)
{
	struct stat one, two;

	if (stat(a, &one) || stat(b, &two))
		return !strcmp(a, b);
	return one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

/* What its owner may only read, he may write once he says so. */
static int open_to_erase(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 && errno == EACCES && !chmod(path, 0600))
		fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd;
}

static bool overwrite(const char *path)
{
	static const char zeros[CHUNK];
	AUTO(fd) int fd = open_to_erase(path);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return false;
	for (off_t left = st.st_size; left > 0; left -= CHUNK)
		if (!file_write_all(fd,
				    (struct str) { zeros, left < CHUNK
								  ? (size_t)left
								  : CHUNK }))
			return false;
	return !fsync(fd);
}

enum err file_erase(const char *path, struct cause *cause)
{
	if (!overwrite(path))
		return cause_errno(cause, "cannot overwrite it", path);
	if (unlink(path) || !sync_parent(path))
		return cause_errno(cause, "cannot remove it", path);
	return E_OK;
}

static enum err make_one(const char *path, unsigned mode, struct cause *cause)
{
	struct stat st;

	if (!mkdir(path, mode)) {
		if (chmod(path, mode) || !sync_parent(path))
			return cause_errno(cause, "cannot make it", path);
		return E_OK;
	}
	if (errno != EEXIST)
		return cause_errno(cause, "cannot make the folder", path);
	if (stat(path, &st) || !S_ISDIR(st.st_mode))
		return cause_set(cause, E_EXISTS, "%s: is no folder", path);
	return E_OK;
}

enum err file_make_folder(const char *path, unsigned mode, struct cause *cause)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return file_too_long(path, cause);
	for (size_t i = 1; i < len; i++) {
		enum err err;

		if (path[i] != '/' || path[i - 1] == '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		err = make_one(part, PARENT_MODE, cause);
		if (err)
			return err;
	}
	return make_one(path, mode, cause);
}
