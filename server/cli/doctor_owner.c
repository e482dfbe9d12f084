/*
 * server/cli/doctor_owner.c - whose are the folders and files that the server
 * uses, and could he open them?
 */
#include "server/cli/doctor.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/file.h"
#include "server/owner.h"
#include "store/db.h"
#include "token/word.h"

enum { KEYRING_MAX = 8192, LIST_MAX = 700 };

struct foreign {
	struct doctor *d;
	uid_t owner;	    /* who it ought to be */
	struct buf keyring; /* what it says; empty: nobody can tell */
	bool link;	    /* chown -R would not come to it */
	const char *unused; /* the first that nobody opens; or NULL */
};

/* The name of what is in the folder itself; NULL: it is elsewhere. */
static const char *name_in(const char *folder, const char *path)
{
	size_t len = strlen(folder);

	if (strncmp(path, folder, len) || path[len] != '/' ||
	    strchr(path + len + 1, '/'))
		return NULL;
	return path + len + 1;
}

static bool is_of_store(const char *name)
{
	const char *own;

	for (size_t i = 0; (own = db_file(i)); i++)
		if (!strcmp(name, own))
			return true;
	return !*name;
}

/* Lines "STATE NAME" are of the files NAME.pem. */
static bool is_of_keys(const struct foreign *foreign, const char *name)
{
	struct str rest = buf_str(&foreign->keyring), line, state;

	if (!rest.len || !*name || !strcmp(name, "keyring"))
		return true;
	while (str_cut(&rest, '\n', &line)) {
		str_cut(&line, ' ', &state);
		if (str_starts(str_of(name), line) &&
		    !strcmp(name + line.len, ".pem"))
			return true;
	}
	return false;
}

/* Of what is there; or may it be of no concern to the server? */
static bool is_used(const struct foreign *foreign, const char *path)
{
	const struct config *config = foreign->d->call->config;
	const char *name = name_in(config->store, path);

	if (config->log.file && !strcmp(path, config->log.file))
		return true;
	if (name)
		return is_of_store(name);
	name = name_in(config->keys, path);
	return !name || is_of_keys(foreign, name);
}

static const char look_there[] = "look where it leads, and give what is there "
				 "to the store's owner";

static bool is_link(const char *path)
{
	struct stat st;

	return !lstat(path, &st) && S_ISLNK(st.st_mode);
}

/* Is it a link, or in a folder of ours that is one? */
static bool is_behind_link(const struct config *config, const char *path)
{
	const char *folder;

	for (size_t i = 0; (folder = config_folder_at(config, i)); i++)
		if (name_in(folder, path) && is_link(folder))
			return true;
	return is_link(path);
}

/* What is not there, or cannot be seen, others tell of. */
static enum err look_foreign(const char *path, bool sealed, void *arg,
			     struct cause *cause)
{
	struct foreign *foreign = arg;
	const char *slash = strrchr(path, '/');
	struct stat st;

	(void)sealed;
	if (stat(path, &st) || st.st_uid == foreign->owner)
		return E_OK;
	if (!is_used(foreign, path)) {
		/* A disk of its own has that. */
		if (!foreign->unused && strcmp(slash, "/lost+found"))
			foreign->unused = doctor_text(foreign->d, "%s", path);
		return E_OK;
	}
	foreign->link = is_behind_link(foreign->d->call->config, path);
	return cause_set(cause, E_REFUSED,
			 "%.400s %s not the store's owner's, so the server "
			 "cannot use it",
			 path, is_link(path) ? "leads to what is" : "is");
}

/* Is it of another, who must give it away before `owner` can use it? */
static bool is_closed(const struct config *config, const char *path,
		      uid_t owner)
{
	struct stat st;

	if (stat(path, &st) || S_ISDIR(st.st_mode) || st.st_uid == owner)
		return false;
	/* He writes the log, and reads all else. */
	return path == config->log.file || !(st.st_mode & S_IROTH);
}

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += len)
		if ((at == list || at[-1] == ' ') &&
		    (!at[len] || at[len] == ' '))
			return true;
	return false;
}

/* Once. A list that is too long ends in what no shell takes for a name. */
static const char *add_word(struct doctor *d, const char *list,
			    const char *path)
{
	const struct word word = word_of(path);
	static const char more[] = " (and others)";
	size_t len = strlen(list), end = sizeof(more) - 1;

	if (has_word(list, word.at) ||
	    (len >= end && !strcmp(list + len - end, more)))
		return list;
	if (len + strlen(word.at) > LIST_MAX)
		return doctor_text(d, "%s%s", list, more);
	return doctor_text(d, "%s%s%s", list, len ? " " : "", word.at);
}

/* What a link leads to, or else no link: chown -R leaves alone what it is. */
static const char *add_used(struct doctor *d, const char *list,
			    const char *path, bool follow)
{
	char at[PATH_MAX];

	if (follow && realpath(path, at))
		return add_word(d, list, at);
	return is_link(path) ? list : add_word(d, list, path);
}

/*
 * "STORE KEYS PUBLIC", and files that options name: what chown -R takes.
 * `follow`: what is there if it is a link, which none but root has made.
 */
static const char *list_used(struct doctor *d, uid_t owner, bool follow)
{
	const struct config *config = d->call->config;
	const char *const *at, *folder, *list = "";

	for (size_t i = 0; (folder = config_folder_at(config, i)); i++)
		list = add_used(d, list, folder, follow);
	for (size_t i = 0; (at = config_path_at(config, i)); i++)
		if (*at && is_closed(config, *at, owner))
			list = add_used(d, list, *at, follow);
	return list;
}

/* Is it, or what it is in, one of those that chown -R takes? */
static bool is_given(const struct config *config, const char *folder)
{
	const char *given;
	char at[PATH_MAX];

	for (size_t i = 0; (given = config_folder_at(config, i)); i++) {
		size_t len = realpath(given, at) ? strlen(at) : 0;

		if (len && !strncmp(folder, at, len) &&
		    (!folder[len] || folder[len] == '/'))
			return true;
	}
	return false;
}

/* Adds the folders above `path` that a user of its own could not enter. */
static const char *add_closed(struct doctor *d, const char *list,
			      const char *path)
{
	char at[PATH_MAX];
	struct stat st;
	char *slash;

	if (!path || !realpath(path, at))
		return list;
	while ((slash = strrchr(at, '/')) && slash != at) {
		*slash = '\0';
		if (!is_given(d->call->config, at) &&
		    (stat(at, &st) || !(st.st_mode & S_IXOTH)))
			list = add_word(d, list, at);
	}
	return list;
}

/* Above all that the server uses; "": none. */
static const char *list_closed(struct doctor *d)
{
	const struct config *config = d->call->config;
	const char *list = add_closed(d, "", config->path);
	const char *const *at;

	for (size_t i = 0; (at = config_path_at(config, i)); i++)
		list = add_closed(d, list, *at);
	return list;
}

/* Another than root: what root alone can open would keep it from starting. */
static const char *move_to_user(struct doctor *d)
{
	const struct config *config = d->call->config;
	const char *closed = list_closed(d);
	const char *list = list_used(d, (uid_t)-1, true), *also = "";

	if (is_closed(config, config->path, (uid_t)-1))
		list = add_used(d, list, config->path, true);
	if (config->log.file)
		also = doctor_text(d,
				   "let it make files in %.*s, where the "
				   "log is, ",
				   (int)(strrchr(config->log.file, '/') -
					 config->log.file),
				   config->log.file);
	return doctor_text(d,
			   "make a user for it, %s%s%schown -R dockpass %s, "
			   "%sthen restart",
			   *closed ? "let him into " : "", closed,
			   *closed ? " or move all to where he can go, " : "",
			   list, also);
}

enum health doctor_not_reached(struct doctor *d)
{
	struct cause cause;

	cause_errno(&cause, "cannot be reached", d->call->config->store);
	return doctor_found(d, HEALTH_FAIL, NULL, "%s", cause.text);
}

static enum health check_owners(struct doctor *d)
{
	const struct config *config = d->call->config;
	const char *keyring = doctor_text(d, "%s/keyring", config->keys);
	struct foreign foreign = { .d = d };
	struct cause cause;
	struct stat st;
	enum err err;

	if (stat(config->store, &st))
		return doctor_not_reached(d);
	foreign.owner = st.st_uid;
	buf_init(&foreign.keyring, KEYRING_MAX);
	if (file_read(keyring, true, &foreign.keyring, NULL))
		foreign.keyring.len = 0;
	err = each_used(config, look_foreign, &foreign, &cause);
	buf_done(&foreign.keyring);
	if (err)
		return doctor_found(
			d, HEALTH_FAIL,
			foreign.link ? look_there
			: err == E_REFUSED
				? doctor_text(d, "chown -R --reference=%s %s",
					      word_of(config->store).at,
					      list_used(d, st.st_uid, false))
				: NULL,
			"%s", cause.text);
	d->found.gravity = GRAVE_LATER;
	if (!st.st_uid)
		return doctor_found(
			d, HEALTH_WARN, move_to_user(d),
			"root owns the store, so the server stays root");
	if (foreign.unused)
		return doctor_found(
			d, HEALTH_WARN, "move it elsewhere",
			"%s is not the store's owner's; dockpass has no use "
			"for it",
			foreign.unused);
	return doctor_found(d, HEALTH_OK, NULL,
			    "store, keys and public belong to one user");
}

/* Root read it. A server that runs already hears of it at its next start. */
static enum health check_config_again(struct doctor *d)
{
	const struct config *config = d->call->config;
	char at[PATH_MAX];
	char *slash;
	const char *mend;

	if (!access(config->path, R_OK))
		return HEALTH_OK;
	snprintf(at, sizeof(at), "%s", config->path);
	mend = is_link(at)
		       ? look_there
		       : doctor_text(d, "chown -h --reference=%s %s",
				     word_of(config->store).at, word_of(at).at);
	while ((slash = strrchr(at, '/')) && slash != at) {
		*slash = '\0';
		if (access(at, X_OK))
			mend = doctor_text(d, "chmod o+x %s", word_of(at).at);
	}
	d->found.gravity = GRAVE_START;
	return doctor_found(d, HEALTH_FAIL, mend,
			    "%s: the store's owner cannot read it, so the "
			    "server does not start, and takes no reload",
			    config->path);
}

/* All that follows is seen as the server sees it. */
enum health check_owner(struct doctor *d)
{
	const struct config *config = d->call->config;
	enum health health;
	struct cause cause;
	bool root;
	enum err err = become_server(config, &root, &cause);

	if (err == E_NOT_FOUND)
		config_blame(config->store_place, err, &cause);
	if (err)
		return doctor_found(d, HEALTH_FAIL, NULL, "%s", cause.text);
	health = check_owners(d);
	if (health == HEALTH_FAIL)
		return health;
	d->known |= KNOWN_OWNER;
	return check_config_again(d) ? HEALTH_FAIL : health;
}
