/*
 * test/unit/server/test_owner.c - server/owner: whom root acts as, and from
 * where on another would choose.
 */
#include "test/unit/server/temporary.h"

#include <grp.h>
#include <sys/wait.h>

#include "server/config.h"
#include "server/owner.h"

static int as_owner(void)
{
	const gid_t more[] = { 3, 4 };
	bool root = true;
	gid_t groups[8];

	if (setgroups(COUNT(more), more) ||
	    become_owner(keys, NULL, &root, &cause) || root)
		return 1;
	if (getuid() != 12345 || geteuid() != 12345 || getgid() != 23456 ||
	    getegid() != 23456 || getgroups(8, groups) != 0)
		return 2;
	if (!setuid(0) || !seteuid(0) || !setgid(0))
		return 3;
	return become_owner(in(top, "none", ""), NULL, &root, &cause) || root
		       ? 4
		       : 0;
}

static void root_becomes_the_owner(void **state)
{
	int status = -1;
	pid_t pid;

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(chown(keys, 12345, 23456), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(as_owner());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void root_stays_with_roots_folder(void **state)
{
	bool root = false;

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(become_owner(keys, NULL, &root, &cause), E_OK);
	assert_true(root);
	assert_int_equal(geteuid(), 0);
	assert_int_equal(become_owner(in(top, "none", ""), NULL, &root, &cause),
			 E_NOT_FOUND);
	assert_false(root);
}

static enum err pass(const char *path, bool sealed, void *arg,
		     struct cause *out)
{
	(void)path, (void)sealed, (void)arg, (void)out;
	return E_OK;
}

static bool is_denied(const struct config *config, const char *folder)
{
	char says[PATH_MAX + 64];

	snprintf(says, sizeof(says),
		 "%s: cannot read the folder: Permission denied", folder);
	return each_used(config, pass, NULL, &cause) &&
	       !strncmp(cause.text, says, strlen(says));
}

/* That the sandbox does not list a store is the one exception. */
static void a_folder_that_cannot_be_read_was_not_looked_at(void **state)
{
	const char *shut[] = { top, keys };
	struct config config = { .store = top, .keys = keys, .public = public };

	(void)state;
	assert_int_equal(each_used(&config, pass, NULL, &cause), E_OK);
	for (size_t i = 0; i < COUNT(shut); i++) {
		int status = -1;
		pid_t pid;

		assert_int_equal(chmod(top, i ? 0755 : 0311), 0);
		assert_int_equal(chmod(keys, 0300), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (!pid)
			_exit((!geteuid() && setuid(12345)) ||
			      !is_denied(&config, shut[i]));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	assert_int_equal(chmod(keys, 0700), 0);
}

enum { OWNER = 12345, OTHER = 23456 };

/*
 * top/a/b is looked at, named by top/dockpass.yaml. `link`: a is one, to
 * top/c.
 */
static const struct {
	const char *rule;
	uid_t a, b, yaml;
	mode_t a_mode, yaml_mode;
	bool link;
	enum err want;
} rows[] = {
	{ "his, in root's", 0, OWNER, 0, 0755, 0644, false, E_OK },
	{ "his, in his", OWNER, OWNER, OWNER, 0755, 0644, false, E_OK },
	{ "root's, in his", OWNER, 0, 0, 0755, 0644, false, E_REFUSED },
	{ "his, in another's", OTHER, OWNER, 0, 0755, 0644, false, E_REFUSED },
	{ "by a file of his", 0, OWNER, OWNER, 0755, 0644, false, E_OK },
	{ "root's by a file of his", 0, 0, OWNER, 0755, 0644, false,
	  E_REFUSED },
	{ "his by another's", 0, OWNER, OTHER, 0755, 0644, false, E_REFUSED },
	{ "others write above", 0, OWNER, 0, 0757, 0644, false, E_MODE },
	{ "root's group does", 0, OWNER, 0, 0775, 0644, false, E_MODE },
	{ "all, and none takes away", 0, OWNER, 0, 01777, 0644, false, E_OK },
	{ "others write the file", 0, OWNER, 0, 0755, 0646, false, E_MODE },
	{ "a sticky bit helps no file", 0, OWNER, 0, 0755, 01646, false,
	  E_MODE },
	{ "a link of root's", 0, OWNER, 0, 0755, 0644, true, E_OK },
	{ "a link of his", OWNER, OWNER, 0, 0755, 0644, true, E_OK },
	{ "to root's", OWNER, 0, 0, 0755, 0644, true, E_REFUSED },
	{ "a link of another's", OTHER, OWNER, 0, 0755, 0644, true, E_REFUSED },
};

static void make(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, mode), 0);
	assert_int_equal(chown(path, uid, gid), 0);
}

/* In a process of its own: there is no way back. */
static int become_it(const char *folder, const char *yaml)
{
	bool root;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(become_owner(folder, yaml, &root, &cause));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void who_has_a_say(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	for (size_t i = 0; i < COUNT(rows); i++) {
		char at[64], yaml[PATH_MAX], a[PATH_MAX], b[PATH_MAX + 2];

		print_message("%s\n", rows[i].rule);
		snprintf(at, sizeof(at), "%zu", i);
		make(in(top, at, ""), 0755, 0, 0);
		snprintf(yaml, sizeof(yaml), "%s/%zu/dockpass.yaml", top, i);
		write_text(yaml, rows[i].yaml_mode, "");
		assert_int_equal(chown(yaml, rows[i].yaml, OTHER), 0);
		snprintf(a, sizeof(a), "%s/%zu/%s", top, i,
			 rows[i].link ? "c" : "a");
		make(a, rows[i].a_mode, rows[i].link ? 0 : rows[i].a, 0);
		snprintf(b, sizeof(b), "%s/b", a);
		make(b, 0700, rows[i].b, rows[i].b);
		snprintf(b, sizeof(b), "%s/%zu/a/b", top, i);
		snprintf(a, sizeof(a), "%s/%zu/a", top, i);
		if (rows[i].link) {
			assert_int_equal(symlink("c", a), 0);
			assert_int_equal(lchown(a, rows[i].a, 0), 0);
		}
		assert_int_equal(become_it(b, yaml), rows[i].want);
	}
}

/* All is root's, but for this; `name` is below top. */
static const struct {
	const char *rule, *name;
	uid_t owner;
	mode_t mode;
	enum err want;
} used[] = {
	{ "all is root's", "keys", 0, 0700, E_OK },
	{ "keys of another's", "keys", OTHER, 0700, E_REFUSED },
	{ "public of another's", "public", OTHER, 0755, E_REFUSED },
	{ "public that all can write", "public", 0, 0757, E_MODE },
	{ "public that root's group can", "public", 0, 0775, E_MODE },
	{ "the list of keys", "keys/keyring", OTHER, 0600, E_REFUSED },
	{ "the bundle", "public/bundle.pem", OTHER, 0644, E_REFUSED },
	{ "a bundle that all can write", "public/bundle.pem", 0, 0646, E_MODE },
	{ "the JWKS", "public/jwks.json", OTHER, 0644, E_REFUSED },
	{ "the store's file", "store/data.mdb", OTHER, 0600, E_REFUSED },
	{ "its locks", "store/lock.mdb", OTHER, 0600, E_REFUSED },
	{ "the server's", "store/server.lock", OTHER, 0600, E_REFUSED },
	{ "what nobody uses", "public/more", OTHER, 0644, E_OK },
};

/* Its folders are made; only root can make them root's. */
static struct config roots_config(void)
{
	static char store[PATH_MAX];

	if (geteuid())
		skip();
	snprintf(store, sizeof(store), "%s/store", top);
	make(store, 0700, 0, 0);
	make(public, 0755, 0, 0);
	return (struct config) {
		.path = "/etc/hostname",
		.store = store,
		.keys = keys,
		.public = public,
	};
}

static void what_root_uses(void **state)
{
	const struct config config = roots_config();
	bool root;

	(void)state;
	for (size_t i = 0; i < COUNT(used); i++) {
		const char *path = in(top, used[i].name, "");

		print_message("%s\n", used[i].rule);
		if (strchr(used[i].name, '/'))
			write_text(path, used[i].mode, "");
		assert_int_equal(chmod(path, used[i].mode), 0);
		assert_int_equal(chown(path, used[i].owner, 0), 0);
		assert_int_equal(become_server(&config, &root, &cause),
				 used[i].want);
		assert_int_equal(root, !used[i].want);
		assert_int_equal(chown(path, 0, 0), 0);
		if (strchr(used[i].name, '/'))
			assert_int_equal(unlink(path), 0);
		else
			assert_int_equal(chmod(path, 0700), 0);
	}
}

/* Keys may be a link; where it leads to, others may add none. */
static void a_link_to_where_others_write(void **state)
{
	const struct config config = roots_config();
	char real[PATH_MAX];
	bool root;

	(void)state;
	snprintf(real, sizeof(real), "%s/real", top);
	assert_int_equal(rename(keys, real), 0);
	assert_int_equal(symlink(real, keys), 0);
	assert_int_equal(become_server(&config, &root, &cause), E_OK);
	assert_int_equal(chmod(real, 0757), 0);
	assert_int_equal(become_server(&config, &root, &cause), E_MODE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(root_becomes_the_owner),
		TEST(root_stays_with_roots_folder),
		TEST(a_folder_that_cannot_be_read_was_not_looked_at),
		TEST(who_has_a_say),
		TEST(what_root_uses),
		TEST(a_link_to_where_others_write),
	};

	return cmocka_run_group_tests_name("owner", tests, NULL, NULL);
}
