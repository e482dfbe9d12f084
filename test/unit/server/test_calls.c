/*
 * test/unit/server/test_calls.c - what the kernel is asked for and no result
 * shows: that all is on disk, in which order, and who waits for a lock.
 *
 * The calls are defined here, so that ours and LMDB's are written down:
 *
 *   "sync NAME"     fsync() or fdatasync() of a file or folder
 *   "write NAME"    pwrite() that is on disk when it returns (O_DSYNC)
 *   "rename NAME"   to this name
 *   "unlink NAME"
 *
 * A name is that of the path's last part.
 */
#include "test/unit/server/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "server/keys.h"
#include "store/folder.h"
#include "store/writer.h"

enum { NOW = 1800000000, LONG = 10000 /* ms */ };

static char calls[1024];
static int waits = -1; /* where to say that a lock is waited for */

static void note(const char *call, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = strlen(calls);

	snprintf(calls + len, sizeof(calls) - len, "%s %s\n", call,
		 slash ? slash + 1 : path);
}

static void note_fd(const char *call, int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	path[len < 0 ? 0 : len] = '\0';
	note(call, path);
}

static const char *spoilt; /* the disk fails once this call was made */
static const char *shut;   /* and then this cannot be read */

int fsync(int fd)
{
	note_fd("sync", fd);
	if (spoilt && strstr(calls, spoilt)) {
		if (shut)
			(void)!chmod(shut, 0644);
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	note_fd("sync", fd);
	return (int)syscall(SYS_fdatasync, fd);
}

ssize_t pwrite(int fd, const void *at, size_t len, off_t offset)
{
	if (fcntl(fd, F_GETFL) & O_DSYNC)
		note_fd("write", fd);
	return syscall(SYS_pwrite64, fd, at, len, offset);
}

int rename(const char *from, const char *to)
{
	note("rename", to);
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlink(const char *path)
{
	note("unlink", path);
	return unlinkat(AT_FDCWD, path, 0);
}

int flock(int fd, int how)
{
	if (!syscall(SYS_flock, fd, how | LOCK_NB))
		return 0;
	if (errno == EWOULDBLOCK && waits >= 0 && write(waits, "w", 1) != 1)
		return -1;
	return (int)syscall(SYS_flock, fd, how);
}

/* "?" is any one character. What was written down is forgotten. */
static void assert_calls(const char *want)
{
	if (fnmatch(want, calls, 0))
		fail_msg("called:\n%swant:\n%s", calls, want);
	calls[0] = '\0';
}

static const char *name_of(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* Aside, sync, rename, sync of the folder. */
#define WRITTEN(file, folder)                                                  \
	"sync " file ".??????\nrename " file "\nsync " folder "\n"
#define COMMITTED "sync data.mdb\nwrite data.mdb\n"

static void a_file(void **state)
{
	char want[256];

	(void)state;
	write_text(in(top, "file", ""), 0600, "x");
	snprintf(want, sizeof(want), WRITTEN("file", "%s"), name_of(top));
	assert_calls(want);
	assert_int_equal(file_erase(in(top, "file", ""), &cause), E_OK);
	snprintf(want, sizeof(want), "sync file\nunlink file\nsync %s\n",
		 name_of(top));
	assert_calls(want);
	assert_int_equal(file_make_folder(in(top, "a/b", ""), 0700, &cause),
			 E_OK);
	snprintf(want, sizeof(want), "sync %s\nsync a\n", name_of(top));
	assert_calls(want);
}

static void make_key(char kid[60])
{
	if (keys_new(keys, public, ALG_ES256, STR("test"), NOW, kid, &cause))
		fail_msg("%s", cause.text);
}

static const char *file_of(const char *kid)
{
	AUTO(keyring) struct keyring *keyring = load();
	static char name[64];

	snprintf(name, sizeof(name), "%s",
		 keyring_find(keyring, str_of(kid))->rfc7638);
	return name;
}

#define PUBLISHED WRITTEN("bundle.pem", "public") WRITTEN("jwks.json", "public")

/* A key is on disk, and published, before `keyring` names it. */
static void keys_and_their_list(void **state)
{
	char first[60], second[60], want[512];

	(void)state;
	make_key(first);
	snprintf(want, sizeof(want),
		 WRITTEN("%s.pem", "keys") "sync %s\n" PUBLISHED WRITTEN(
			 "keyring", "keys"),
		 file_of(first), file_of(first), name_of(top));
	assert_calls(want);
	make_key(second);
	calls[0] = '\0';
	assert_int_equal(keys_activate(keys, public, str_of(second), &cause),
			 E_OK);
	assert_calls(PUBLISHED WRITTEN("keyring", "keys"));
	snprintf(want, sizeof(want),
		 PUBLISHED WRITTEN("keyring",
				   "keys") "sync %s.pem\nunlink %s.pem\n"
					   "sync keys\n",
		 file_of(first), file_of(first));
	assert_int_equal(keys_remove(keys, public, str_of(first), &cause),
			 E_OK);
	assert_calls(want);
}

/* Whoever took it away would leave a keyring that cannot be read. */
static void a_key_that_may_be_named_stays(void **state)
{
	AUTO(keyring) struct keyring *keyring = NULL;
	char kid[60];

	(void)state;
	make_key(kid);
	calls[0] = '\0';
	spoilt = "rename keyring\n";
	assert_int_equal(keys_new(keys, public, ALG_ES256, STR("test"), NOW,
				  kid, &cause),
			 E_IO);
	spoilt = NULL;
	keyring = load();
	assert_int_equal(keyring_len(keyring), 2);
	assert_non_null(keyring_find(keyring, str_of(kid)));
}

/* If nobody can tell what `keyring` names, it may. */
static void nor_does_one_go_that_nobody_can_look_up(void **state)
{
	AUTO(keyring) struct keyring *keyring = NULL;
	char kid[60], list[PATH_MAX];

	(void)state;
	make_key(kid);
	snprintf(list, sizeof(list), "%s/keyring", keys);
	calls[0] = '\0';
	spoilt = "rename keyring\n";
	shut = list;
	assert_int_equal(keys_new(keys, public, ALG_ES256, STR("test"), NOW,
				  kid, &cause),
			 E_IO);
	spoilt = shut = NULL;
	assert_int_equal(chmod(list, 0600), 0);
	keyring = load();
	assert_int_equal(keyring_len(keyring), 2);
}

/* Then it is forgotten all the same, and who asked is told of the file. */
static void a_removed_key_that_cannot_be_erased(void **state)
{
	AUTO(keyring) struct keyring *keyring = NULL;
	char first[60], second[60], name[64], call[80];

	(void)state;
	make_key(first);
	make_key(second);
	snprintf(name, sizeof(name), "%s.pem", file_of(second));
	snprintf(call, sizeof(call), "sync %s\n", name);
	calls[0] = '\0';
	spoilt = call;
	assert_int_equal(keys_remove(keys, public, str_of(second), &cause),
			 E_IO);
	spoilt = NULL;
	assert_non_null(strstr(cause.text, "the key's file is still there: "));
	assert_non_null(strstr(cause.text, name));
	keyring = load();
	assert_int_equal(keyring_len(keyring), 1);
}

static void what_is_published(void **state)
{
	AUTO(keyring) struct keyring *keyring = NULL;
	char kid[60];

	(void)state;
	make_key(kid);
	keyring = load();
	calls[0] = '\0';
	assert_int_equal(keys_publish(keyring, public, &cause), E_OK);
	assert_calls(PUBLISHED);
}

static void on_done(struct change *change, void *arg)
{
	(void)arg;
	assert_int_equal(change->result, E_OK);
	note("tell", "client");
}

/* Its names and its first commit; then nobody hears of what may be lost. */
static void a_store(void **state)
{
	struct change change = { .type = CHANGE_GROUP_ADD,
				 .now = NOW,
				 .path = STR("g") };
	struct change *list[] = { &change };
	struct writer *writer;
	char want[256];
	struct db *db;

	(void)state;
	if (db_open(in(top, "store", ""), DB_CREATE, NOW, &db, &cause))
		fail_msg("%s", cause.text);
	snprintf(want, sizeof(want), "sync %s\n" COMMITTED "sync store\n",
		 name_of(top));
	assert_calls(want);
	assert_int_equal(change_commit(db, list, 1), E_OK);
	assert_calls(COMMITTED);
	change.path = STR("h");
	assert_int_equal(writer_start(db, &writer), E_OK);
	assert_int_equal(writer_submit(writer, &change, on_done, NULL), E_OK);
	assert_true(writer_stop(writer, LONG));
	assert_calls(COMMITTED "tell client\n");
	db_close(db);
}

/* A damaged one: what there was is there after a crash, by another name. */
static void a_store_set_aside(void **state)
{
	char store[128];

	(void)state;
	snprintf(store, sizeof(store), "%s/store", top);
	assert_int_equal(folder_make(store, &cause), E_OK);
	write_text(in(store, "data.mdb", ""), 0600, "x");
	write_text(in(store, "lock.mdb", ""), 0600, "x");
	calls[0] = '\0';
	assert_int_equal(folder_set_aside(store, &cause), E_OK);
	assert_calls("rename data.mdb.damaged\nunlink lock.mdb\nsync store\n");
}

static enum err new_key(const char *kid)
{
	char other[60];

	(void)kid;
	return keys_new(keys, public, ALG_ES256, STR("test"), NOW, other,
			&cause);
}

static enum err activate_key(const char *kid)
{
	return keys_activate(keys, public, str_of(kid), &cause);
}

static enum err remove_key(const char *kid)
{
	return keys_remove(keys, public, str_of(kid), &cause);
}

static void read_list(struct buf *out)
{
	buf_clear(out);
	read_text(in(keys, "keyring", ""), out);
}

/* In a process of its own, while we read. */
static void assert_waits(enum err (*command)(const char *kid), const char *kid)
{
	int lock = open(keys, O_RDONLY | O_DIRECTORY), said[2], status;
	AUTO(buf) struct buf before;
	AUTO(buf) struct buf after;
	char c;
	pid_t pid;

	buf_init(&before, 4096);
	buf_init(&after, 4096);
	read_list(&before);
	assert_int_equal(flock(lock, LOCK_SH), 0);
	assert_int_equal(pipe(said), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(lock);
		waits = said[1];
		_exit(command(kid) != E_OK);
	}
	close(said[1]);
	/* Nothing to hear: it has ended, and has waited for nobody. */
	assert_int_equal(read(said[0], &c, 1), 1);
	read_list(&after);
	assert_true(str_eq(buf_str(&before), buf_str(&after)));
	close(lock);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	read_list(&after);
	assert_false(str_eq(buf_str(&before), buf_str(&after)));
	close(said[0]);
}

static void a_change_waits_for_readers(void **state)
{
	char first[60], second[60];

	(void)state;
	make_key(first);
	make_key(second);
	assert_waits(new_key, "");
	assert_waits(activate_key, second);
	assert_waits(remove_key, first);
}

static int begin(void **state)
{
	calls[0] = '\0';
	return setup(state);
}

#define CALLS(f) cmocka_unit_test_setup_teardown(f, begin, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CALLS(a_file),
		CALLS(keys_and_their_list),
		CALLS(a_key_that_may_be_named_stays),
		CALLS(nor_does_one_go_that_nobody_can_look_up),
		CALLS(a_removed_key_that_cannot_be_erased),
		CALLS(what_is_published),
		CALLS(a_store),
		CALLS(a_store_set_aside),
		CALLS(a_change_waits_for_readers),
	};

	return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
