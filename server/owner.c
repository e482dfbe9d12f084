/*
 * server/owner.c - see the header.
 *
 * A path is walked name by name, no link followed but by its text, and each
 * folder is looked at once it is open: what others rename meanwhile changes
 * nothing of what was seen. Who owns a folder on the way can put there what he
 * can make, or move: folders of his own, links, folders of others' from places
 * that he owns as well. So all of the way has to be one user's, but for what is
 * root's, and his is the end: then he can choose none but himself.
 */
#include "server/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/config.h"
#include "server/file.h"
#include "token/word.h"

enum { LINKS_MAX = 40 /* as the kernel has it */ };

struct walk {
	int fd;		     /* what was reached */
	char at[PATH_MAX];   /* its name */
	char rest[PATH_MAX]; /* what is left of the way */
	struct stat st;	     /* of what was reached */
	bool shared;	     /* a folder in which all can make names */
	bool sealed; /* the last two are refused if others can enter or read */
	unsigned links;
	/* Who has a say, of all ways; 0: root alone. And by what. */
	uid_t who;
	char his[PATH_MAX];
};

const char *name_self(char out[SELF_MAX_BYTES])
{
	char room[1024];
	struct passwd entry, *user = NULL;

	if (!getpwuid_r(geteuid(), &entry, room, sizeof(room), &user) && user)
		snprintf(out, SELF_MAX_BYTES, "%s", user->pw_name);
	else
		snprintf(out, SELF_MAX_BYTES, "%u", (unsigned)geteuid());
	return out;
}

/* All three of each, and no way back. */
static bool become(uid_t uid, gid_t gid)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (setgroups(0, NULL) || setresgid(gid, gid, gid) ||
	    setresuid(uid, uid, uid))
		return false;
	if (getresuid(&r, &e, &s) || r != uid || e != uid || s != uid ||
	    getresgid(&rg, &eg, &sg) || rg != gid || eg != gid || sg != gid)
		return false;
	return setuid(0) && seteuid(0) && getgroups(0, NULL) == 0;
}

/* "Run as root" would be no advice: root did. */
static void say_who(void)
{
	static char advice[160];
	char name[SELF_MAX_BYTES];

	snprintf(advice, sizeof(advice),
		 "; root acts as user %s here, the store's owner: let him in, "
		 "or name a place of his",
		 name_self(name));
	errno_advise_denied(advice);
}

static const char *user_text(uid_t uid, char out[SELF_MAX_BYTES])
{
	if (uid)
		snprintf(out, SELF_MAX_BYTES, "user %u", (unsigned)uid);
	else
		snprintf(out, SELF_MAX_BYTES, "root");
	return out;
}

/* The owner of `path` and one who has a say are two. */
static enum err quarrel(const struct walk *walk, const char *path, uid_t owner,
			struct cause *cause)
{
	char one[SELF_MAX_BYTES], other[SELF_MAX_BYTES];

	return cause_set(cause, E_REFUSED,
			 "%.200s: belongs to %s, but %.200s to %s, who could "
			 "make root write what is not his: chown one of them, "
			 "or run dockpass as that user",
			 path, user_text(owner, one), walk->his,
			 user_text(walk->who, other));
}

static enum err hear(struct walk *walk, uid_t owner, const char *path,
		     struct cause *cause)
{
	if (!owner || owner == walk->who)
		return E_OK;
	if (walk->who)
		return quarrel(walk, path, owner, cause);
	walk->who = owner;
	snprintf(walk->his, sizeof(walk->his), "%s", path);
	return E_OK;
}

static enum err open_to_all(const char *path, const char *mode,
			    struct cause *cause)
{
	return cause_set(cause, E_MODE,
			 "%.300s: others can write it, who could make root "
			 "write what is not theirs; run: chmod %s %s",
			 path, mode, word_of(path).at);
}

/*
 * A group that has its owner's number is his own, by custom (useradd); but who
 * is in root's is not root, as in images for OpenShift. Where there is an ACL,
 * the bits of the group are its mask: whom it lets write is seen by them, and
 * whom a user lets write what is his, is his own affair. Where the sticky bit
 * is, others can add names but not take away.
 */
static enum err look(struct walk *walk, struct cause *cause)
{
	const struct stat *st = &walk->st;
	bool own = st->st_uid && st->st_gid == st->st_uid;
	bool group = st->st_mode & S_IWGRP && !own;
	bool all = group || st->st_mode & S_IWOTH;
	const char *rest = walk->rest + strspn(walk->rest, "/");

	walk->shared = all && S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX;
	if (walk->sealed && !strchr(rest, '/'))
		return hear(walk, st->st_uid, walk->at, cause);
	/* The store: in the words of those that look at it next. */
	if (all && !walk->shared && S_ISDIR(st->st_mode) && !*rest)
		return cause_set(cause, E_MODE,
				 "%.300s: group or others can read or write "
				 "it; run: chmod 700 %s",
				 walk->at, word_of(walk->at).at);
	if (all && !walk->shared)
		return open_to_all(walk->at, "go-w", cause);
	return hear(walk, st->st_uid, walk->at, cause);
}

static void reach(struct walk *walk, int fd)
{
	if (walk->fd >= 0)
		close(walk->fd);
	walk->fd = fd;
}

/* Takes the descriptor. */
static enum err arrive(struct walk *walk, int fd, const struct stat *st,
		       const char *path, struct cause *cause)
{
	reach(walk, fd);
	walk->st = *st;
	snprintf(walk->at, sizeof(walk->at), "%s", path);
	return look(walk, cause);
}

static enum err start(struct walk *walk, struct cause *cause)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st))
		return arrive(walk, fd, &st, "/", cause);
	if (fd >= 0)
		close(fd);
	return cause_errno(cause, "cannot tell its owner", "/");
}

/* The link's text comes before what is left; it is its owner's. */
static enum err follow(struct walk *walk, int fd, uid_t owner, const char *path,
		       struct cause *cause)
{
	char text[PATH_MAX], rest[PATH_MAX];
	ssize_t len = readlinkat(fd, "", text, sizeof(text) - 1);
	enum err err;

	if (len < 0 || ++walk->links > LINKS_MAX) {
		errno = len < 0 ? errno : ELOOP;
		return cause_errno(cause, "cannot tell its owner", path);
	}
	text[len] = '\0';
	/* That was said of the folders as they are named. */
	walk->sealed = false;
	if (walk->shared)
		return cause_set(cause, E_REFUSED,
				 "%.300s: is a link in a folder that others "
				 "can write: name what it leads to",
				 path);
	err = hear(walk, owner, path, cause);
	if (!err && snprintf(rest, sizeof(rest), "%s/%s", text, walk->rest) >=
			    (int)sizeof(rest))
		err = file_too_long(text, cause);
	if (err)
		return err;
	memcpy(walk->rest, rest, sizeof(rest));
	return *text == '/' ? start(walk, cause) : E_OK;
}

static enum err missed(const struct walk *walk, const char *path,
		       struct cause *cause)
{
	if (errno == ENOENT)
		return cause_set(cause, E_NOT_FOUND, "%.300s: not found", path);
	if (errno == ENOTDIR)
		return cause_set(cause, E_EXISTS, "%.300s: is no folder",
				 walk->at);
	return cause_errno(cause, "cannot tell its owner", path);
}

static enum err step(struct walk *walk, const char *name, struct cause *cause)
{
	int fd = openat(walk->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char path[PATH_MAX];
	struct stat st;
	enum err err = E_OK;

	if (snprintf(path, sizeof(path), "%s%s%s", walk->at,
		     walk->at[1] ? "/" : "", name) >= (int)sizeof(path))
		err = file_too_long(path, cause);
	else if (fd < 0 || fstat(fd, &st))
		err = missed(walk, path, cause);
	else if (S_ISLNK(st.st_mode))
		err = follow(walk, fd, st.st_uid, path, cause);
	else
		return arrive(walk, fd, &st, path, cause);
	if (fd >= 0)
		close(fd);
	return err;
}

/* Takes the first name of what is left; false: nothing is. */
static bool take_name(struct walk *walk, char out[PATH_MAX])
{
	char *from = walk->rest + strspn(walk->rest, "/");
	size_t len = strcspn(from, "/");

	memcpy(out, from, len);
	out[len] = '\0';
	memmove(walk->rest, from + len, strlen(from + len) + 1);
	return len;
}

/* E_NOT_FOUND: the walk ends at the last folder that is there. */
static enum err walk_to(struct walk *walk, const char *path,
			struct cause *cause)
{
	char here[PATH_MAX] = "", name[PATH_MAX];
	enum err err;

	if (*path != '/' && !getcwd(here, sizeof(here)))
		return cause_errno(cause, "cannot tell where it is", path);
	if (snprintf(walk->rest, sizeof(walk->rest), "%s/%s", here, path) >=
	    (int)sizeof(walk->rest))
		return file_too_long(path, cause);
	walk->links = 0;
	err = start(walk, cause);
	while (!err && take_name(walk, name))
		err = step(walk, name, cause);
	return err;
}

static enum err no_store(const char *folder, struct cause *cause)
{
	return cause_set(
		cause, E_NOT_FOUND,
		"%s: no store there; name another folder in dockpass.yaml, "
		"restore it from a backup, or init another folder and move "
		"its store here",
		folder);
}

static enum err become_found(const struct walk *walk, bool *root,
			     struct cause *cause)
{
	uid_t uid = walk->st.st_uid;
	gid_t gid = walk->st.st_gid;

	if (uid != walk->who)
		return quarrel(walk, walk->at, uid, cause);
	if (!uid) {
		*root = true;
		return E_OK;
	}
	if (become(uid, gid)) {
		say_who();
		return E_OK;
	}
	return cause_set(cause, E_IO,
			 "%s: cannot become its owner (user %u, group %u): "
			 "run dockpass as that user",
			 walk->at, (unsigned)uid, (unsigned)gid);
}

/* The ways to the configuration, if it names the folder, and to that. */
static enum err walk_both(struct walk *walk, const char *folder,
			  const char *config, struct cause *cause)
{
	enum err err = E_OK;

	if (config)
		err = walk_to(walk, config, cause);
	if (err == E_NOT_FOUND)
		err = E_IO; /* it was there when it was read */
	if (!err) {
		err = walk_to(walk, folder, cause);
		if (err == E_NOT_FOUND)
			err = no_store(folder, cause);
	}
	if (!err && walk->shared)
		err = open_to_all(walk->at, "go-w", cause);
	return err;
}

enum err become_owner(const char *folder, const char *config, bool *root,
		      struct cause *cause)
{
	struct walk walk = { .fd = -1 };
	enum err err;

	*root = false;
	if (geteuid())
		return E_OK;
	err = walk_both(&walk, folder, config, cause);
	if (!err)
		err = become_found(&walk, root, cause);
	reach(&walk, -1);
	return err;
}

static enum err look_roots(const char *path, bool sealed, void *arg,
			   struct cause *cause)
{
	const struct config *config = arg;
	struct walk walk = { .fd = -1, .sealed = sealed };
	enum err err = walk_to(&walk, path, cause);

	if (err == E_NOT_FOUND)
		err = E_OK;
	if (!err && walk.who)
		err = quarrel(&walk, config->store, 0, cause);
	reach(&walk, -1);
	return err;
}

enum err become_server(const struct config *config, bool *root,
		       struct cause *cause)
{
	enum err err = become_owner(config->store, config->path, root, cause);

	if (err || !*root)
		return err;
	err = each_used(config, look_roots, (void *)config, cause);
	*root = !err;
	return err;
}

/*
 * A store of nobody else's: whom we would have to become, and cannot now. One
 * that is not there is for the next start; who names it has his say now.
 */
static enum err check_still_root(const struct walk *walk, bool there,
				 struct cause *cause)
{
	uid_t uid = walk->st.st_uid;

	if (!there && walk->who)
		return cause_set(cause, E_REFUSED,
				 "%.300s: belongs to user %u, who could make "
				 "root write what is not his: chown it, or run "
				 "dockpass as that user",
				 walk->his, (unsigned)walk->who);
	if (!there)
		return E_OK;
	if (uid != walk->who)
		return quarrel(walk, walk->at, uid, cause);
	return uid ? cause_set(cause, E_REFUSED,
			       "%.300s: belongs to user %u now, but the server "
			       "runs as root: restart dockpass",
			       walk->at, (unsigned)uid)
		   : E_OK;
}

enum err stay_server(const struct config *config, struct cause *cause)
{
	struct walk walk = { .fd = -1 };
	enum err err;

	if (geteuid())
		return E_OK;
	err = walk_both(&walk, config->store, config->path, cause);
	if (!err || err == E_NOT_FOUND)
		err = check_still_root(&walk, !err, cause);
	if (!err)
		err = each_used(config, look_roots, (void *)config, cause);
	reach(&walk, -1);
	return err;
}

enum err stay_log(const struct config *config, struct cause *cause)
{
	if (geteuid() || !config->log.file)
		return E_OK;
	return look_roots(config->log.file, true, (void *)config, cause);
}

enum err become_maker(const char *folder, bool *root, struct cause *cause)
{
	struct walk walk = { .fd = -1 };
	enum err err;

	*root = false;
	if (geteuid())
		return E_OK;
	err = walk_to(&walk, folder, cause);
	/* Where all make names: as who runs it; then see become_owner(). */
	if (!err || err == E_NOT_FOUND)
		err = become_found(&walk, root, cause);
	reach(&walk, -1);
	return err;
}
