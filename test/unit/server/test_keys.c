/*
 * test/unit/server/test_keys.c - server/keys: the folder of keys, its modes,
 * and the order in which it is written.
 */
#include "test/unit/server/temporary.h"

#include <errno.h>
#include <sys/inotify.h>
#include <sys/wait.h>

#include "server/keys.h"

enum { NOW = 1800000000, TEXT_MAX = 65536 };

/* The id by RFC 7638, which is the file's name. */
struct id {
	char libtrust[60], name[44];
};

static struct id make(void)
{
	AUTO(keyring) struct keyring *keyring = NULL;
	struct id id;

	if (keys_new(keys, public, ALG_ES256, STR("test"), NOW, id.libtrust,
		     &cause))
		fail_msg("%s", cause.text);
	keyring = load();
	memcpy(id.name, keyring_find(keyring, str_of(id.libtrust))->rfc7638,
	       sizeof(id.name));
	return id;
}

/* "current next retired": the states in the order of the file. */
static void assert_states(const char *want)
{
	AUTO(keyring) struct keyring *keyring = load();
	AUTO(buf) struct buf got;

	buf_init(&got, 1024);
	for (size_t i = 0; i < keyring_len(keyring); i++)
		buf_printf(
			&got, "%s" STR_FMT, i ? " " : "",
			STR_ARG(key_state_name(keyring_at(keyring, i)->state)));
	assert_str(buf_str(&got), want);
}

/* Refused with that error, its line naming `says`; nothing comes out. */
static void assert_refused(enum err want, const char *says)
{
	struct keyring *keyring = (struct keyring *)&cause;

	cause.text[0] = '\0';
	assert_int_equal(keys_load(keys, &keyring, &cause), want);
	assert_null(keyring);
	if (!strstr(cause.text, says))
		fail_msg("'%s' is not in '%s'", says, cause.text);
}

static void a_new_folder(void **state)
{
	struct id id;

	(void)state;
	assert_refused(E_NOT_FOUND, "dockpass key new");
	id = make();
	assert_states("current");
	assert_int_equal(mode_of(in(keys, id.name, ".pem")), 0600);
	assert_int_equal(mode_of(in(keys, "keyring", "")), 0600);
	assert_int_equal(files_in(keys), 2);
}

static void a_missing_folder(void **state)
{
	(void)state;
	assert_int_equal(rmdir(keys), 0);
	assert_refused(E_NOT_FOUND, "dockpass key new");
	make();
	assert_states("current");
	assert_int_equal(mode_of(keys), 0700);
}

static const struct {
	const char *rule;
	int file; /* 0 the folder, 1 keyring, 2 the key */
	unsigned mode;
	enum err err;
} modes[] = {
	{ "the folder is open to all", 0, 0755, E_MODE },
	{ "the folder is open to the group", 0, 0750, E_MODE },
	{ "the folder can be entered", 0, 0701, E_MODE },
	{ "the folder is the owner's", 0, 0700, E_OK },
	{ "keyring can be read by others", 1, 0604, E_MODE },
	{ "keyring can be written by others", 1, 0602, E_MODE },
	{ "the key can be read by all", 2, 0644, E_MODE },
	{ "the key can be read by the group", 2, 0640, E_MODE },
	{ "the key can be written by the group", 2, 0620, E_MODE },
	{ "the key is read-only", 2, 0400, E_OK },
};

static void modes_are_checked(void **state)
{
	struct id id = make();
	const char *const paths[] = { keys, in(keys, "keyring", ""),
				      in(keys, id.name, ".pem") };

	(void)state;
	for (size_t i = 0; i < COUNT(modes); i++) {
		const char *path = paths[modes[i].file];
		unsigned before = mode_of(path);

		print_message("%s\n", modes[i].rule);
		assert_int_equal(chmod(path, modes[i].mode), 0);
		if (modes[i].err)
			assert_refused(modes[i].err, path);
		else
			assert_states("current");
		assert_int_equal(chmod(path, before), 0);
	}
}

/* %s: the name of the one key that is there. */
static const struct {
	const char *rule, *text;
	enum err err;
	const char *says;
} lists[] = {
	{ "as it is written", "current %s\n", E_OK, NULL },
	{ "no line feed at the end", "current %s", E_OK, NULL },
	{ "a key that is not there",
	  "current %s\nnext AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
	  E_CORRUPT, "AAAA.pem: not found" },
	{ "one key twice", "current %s\nretired %s\n", E_EXISTS, "already" },
	{ "an unknown state", "old %s\n", E_SYNTAX, "keyring:1: " },
	{ "a line without a name", "current %s\nnext\n", E_SYNTAX,
	  "keyring:2: " },
	{ "an empty line", "current %s\n\n", E_SYNTAX, "keyring:2: " },
	{ "two spaces", "current  %s\n", E_SYNTAX, "keyring:1: " },
	{ "text behind the name", "current %s \n", E_SYNTAX, "keyring:1: " },
	{ "a carriage return", "current %s\r\n", E_SYNTAX, "keyring:1: " },
	{ "a way out of the folder",
	  "current ../../../../../../../../../../../../../etc/key\n", E_SYNTAX,
	  "keyring:1: " },
	{ "a short name", "current AAAA\n", E_SYNTAX, "keyring:1: " },
};

static void the_list_is_read_strictly(void **state)
{
	struct id id = make();

	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		AUTO(buf) struct buf text;
		struct str rest = str_of(lists[i].text), part;
		bool first = true;

		print_message("%s\n", lists[i].rule);
		buf_init(&text, 1024);
		while (str_cut(&rest, '%', &part)) {
			if (!first) {
				buf_add(&text, str_of(id.name));
				part = str_skip(part, 1);
			}
			buf_add(&text, part);
			first = false;
		}
		buf_add_char(&text, '\0');
		write_text(in(keys, "keyring", ""), 0600, text.at);
		if (lists[i].err)
			assert_refused(lists[i].err, lists[i].says);
		else
			assert_states("current");
	}
}

static void keys_are_limited(void **state)
{
	AUTO(buf) struct buf text;

	(void)state;
	buf_init(&text, TEXT_MAX);
	for (int i = 0; i <= KEYS_MAX; i++)
		buf_printf(&text, "retired %043d\n", i);
	buf_add_char(&text, '\0');
	write_text(in(keys, "keyring", ""), 0600, text.at);
	assert_refused(E_LIMIT, "keyring:33: ");
}

static void two_current_keys(void **state)
{
	struct id a = make(), b = make();
	char text[256];

	(void)state;
	assert_states("current next");
	snprintf(text, sizeof(text), "current %s\ncurrent %s\n", a.name,
		 b.name);
	write_text(in(keys, "keyring", ""), 0600, text);
	assert_refused(E_EXISTS, "second current key");
}

static void a_file_with_another_key(void **state)
{
	struct id a = make(), b = make();

	(void)state;
	assert_int_equal(
		rename(in(keys, b.name, ".pem"), in(keys, a.name, ".pem")), 0);
	assert_refused(E_SYNTAX, "another key than its name says");
}

static void a_file_that_is_no_key(void **state)
{
	struct id id = make();

	(void)state;
	write_text(in(keys, id.name, ".pem"), 0600, "hello\n");
	assert_refused(E_SYNTAX, "no private key");
	assert_non_null(strstr(cause.text, id.name));
}

static void from_next_to_retired(void **state)
{
	struct id a = make(), b = make();
	AUTO(keyring) struct keyring *keyring = NULL;

	(void)state;
	assert_states("current next");
	assert_int_equal(
		keys_activate(keys, public, str_of(b.libtrust), &cause), E_OK);
	assert_states("retired current");
	keyring = load();
	assert_string_equal(keyring_current(keyring)->rfc7638, b.name);
	/* Again is done; the retired one never comes back. */
	assert_int_equal(keys_activate(keys, public, str_of(b.name), &cause),
			 E_OK);
	assert_int_equal(keys_activate(keys, public, str_of(a.name), &cause),
			 E_REFUSED);
	assert_non_null(strstr(cause.text, "dockpass key new"));
	assert_int_equal(keys_activate(keys, public, STR("nope"), &cause),
			 E_NOT_FOUND);
	assert_states("retired current");
}

static void removing(void **state)
{
	struct id a = make(), b = make();

	(void)state;
	assert_int_equal(keys_remove(keys, public, str_of(a.name), &cause),
			 E_REFUSED);
	assert_int_equal(keys_remove(keys, public, STR(""), &cause),
			 E_NOT_FOUND);
	assert_states("current next");
	assert_int_equal(files_in(keys), 3);
	assert_int_equal(keys_activate(keys, public, str_of(b.name), &cause),
			 E_OK);
	assert_int_equal(keys_remove(keys, public, str_of(a.libtrust), &cause),
			 E_OK);
	assert_states("current");
	assert_int_equal(files_in(keys), 2);
	assert_int_equal(access(in(keys, a.name, ".pem"), F_OK), -1);
}

/* A crash between two steps: a file that `keyring` does not name. */
static void a_stray_file_is_nobodys(void **state)
{
	struct id a = make(), b = make();
	char text[128];

	(void)state;
	snprintf(text, sizeof(text), "current %s\n", a.name);
	write_text(in(keys, "keyring", ""), 0600, text);
	assert_states("current");
	assert_int_equal(access(in(keys, b.name, ".pem"), F_OK), 0);
	make();
	assert_states("current next");
}

/* What became of names in the folder, in order: "+x.pem" "-x.pem". */
static void events_of(int fd, struct buf *out)
{
	_Alignas(struct inotify_event) char bytes[16384];
	ssize_t len = read(fd, bytes, sizeof(bytes));

	assert_true(len > 0);
	for (const char *at = bytes; at < bytes + len;) {
		const struct inotify_event *event = (const void *)at;
		struct str name = str_of(event->name);

		at += sizeof(*event) + event->len;
		if (str_eq(name, STR("keyring")))
			buf_add(out, STR("list "));
		else if (name.len > 4 &&
			 str_eq(str_skip(name, name.len - 4), STR(".pem")))
			buf_add(out, event->mask & IN_DELETE ? STR("-key ")
							     : STR("+key "));
	}
}

static void order_of_writing(void **state)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	AUTO(buf) struct buf got;
	struct id a, b;

	(void)state;
	buf_init(&got, 1024);
	a = make();
	assert_true(inotify_add_watch(fd, keys, IN_MOVED_TO | IN_DELETE) >= 0);
	b = make();
	events_of(fd, &got);
	assert_str(buf_str(&got), "+key list ");
	buf_clear(&got);
	assert_int_equal(keys_activate(keys, public, str_of(b.name), &cause),
			 E_OK);
	events_of(fd, &got);
	assert_str(buf_str(&got), "list ");
	buf_clear(&got);
	assert_int_equal(keys_remove(keys, public, str_of(a.name), &cause),
			 E_OK);
	events_of(fd, &got);
	assert_str(buf_str(&got), "list -key ");
	close(fd);
}

/* A hard link shows what is left of the bytes. */
static void a_removed_key_is_overwritten(void **state)
{
	struct id a = make(), b = make();
	const char *kept = in(top, "kept", "");
	AUTO(buf) struct buf text;

	(void)state;
	buf_init(&text, TEXT_MAX);
	assert_int_equal(link(in(keys, b.name, ".pem"), kept), 0);
	assert_int_equal(keys_remove(keys, public, str_of(b.name), &cause),
			 E_OK);
	read_text(kept, &text);
	assert_true(text.len > 500);
	for (size_t i = 0; i < text.len; i++)
		assert_int_equal(text.at[i], 0);
	assert_states("current");
	(void)a;
}

/* Where it leads is another disk's, perhaps. */
static void a_removed_key_may_be_a_link(void **state)
{
	struct id a = make(), b = make();
	const char *kept = in(top, "elsewhere", "");
	AUTO(buf) struct buf text;

	(void)state;
	buf_init(&text, TEXT_MAX);
	assert_int_equal(rename(in(keys, b.name, ".pem"), kept), 0);
	assert_int_equal(symlink(kept, in(keys, b.name, ".pem")), 0);
	assert_int_equal(keys_remove(keys, public, str_of(b.name), &cause),
			 E_OK);
	read_text(kept, &text);
	assert_true(text.len > 500);
	for (size_t i = 0; i < text.len; i++)
		assert_int_equal(text.at[i], 0);
	assert_int_equal(files_in(keys), 2);
	assert_states("current");
	(void)a;
}

static void publishing(void **state)
{
	struct id a = make(), b = make();
	AUTO(keyring) struct keyring *keyring = load();
	AUTO(buf) struct buf bundle, jwks;

	(void)state;
	buf_init(&bundle, TEXT_MAX);
	buf_init(&jwks, TEXT_MAX);
	assert_int_equal(keys_publish(keyring, public, &cause), E_OK);
	assert_int_equal(mode_of(public), 0755);
	assert_int_equal(mode_of(in(public, "bundle.pem", "")), 0644);
	assert_int_equal(mode_of(in(public, "jwks.json", "")), 0644);
	assert_int_equal(files_in(public), 2);
	read_text(in(public, "bundle.pem", ""), &bundle);
	read_text(in(public, "jwks.json", ""), &jwks);
	buf_add_char(&bundle, '\0');
	buf_add_char(&jwks, '\0');
	assert_null(strstr(bundle.at, "PRIVATE"));
	assert_non_null(strstr(jwks.at, a.libtrust));
	assert_non_null(strstr(jwks.at, b.name));
	/* So does each change. */
	assert_int_equal(keys_remove(keys, public, str_of(b.name), &cause),
			 E_OK);
	buf_clear(&jwks);
	read_text(in(public, "jwks.json", ""), &jwks);
	buf_add_char(&jwks, '\0');
	assert_null(strstr(jwks.at, b.name));
	assert_non_null(strstr(jwks.at, a.name));
}

/* What cannot be published is not made, nor removed; nor does it sign. */
static void publishing_where_a_file_stands(void **state)
{
	struct id a = make(), b = make();
	AUTO(keyring) struct keyring *keyring = load();
	const char *aside = in(top, "aside", "");
	char kid[60];

	(void)state;
	assert_int_equal(rename(public, aside), 0);
	write_text(public, 0644, "x");
	assert_int_equal(keys_publish(keyring, public, &cause), E_EXISTS);
	assert_non_null(strstr(cause.text, "no folder"));
	assert_int_equal(keys_new(keys, public, ALG_ES256, STR("test"), NOW,
				  kid, &cause),
			 E_EXISTS);
	assert_int_equal(keys_activate(keys, public, str_of(b.name), &cause),
			 E_EXISTS);
	assert_int_equal(keys_remove(keys, public, str_of(b.name), &cause),
			 E_EXISTS);
	assert_states("current next");
	assert_int_equal(files_in(keys), 3);
	assert_int_equal(unlink(public), 0);
	assert_int_equal(rename(aside, public), 0);
	assert_int_equal(keys_remove(keys, public, str_of(b.name), &cause),
			 E_OK);
	(void)a;
}

/* Nor is there a key that signs by then, and nobody knows of. */
static void a_first_key_that_cannot_be_published(void **state)
{
	char kid[60];

	(void)state;
	write_text(public, 0644, "x");
	assert_int_equal(keys_new(keys, public, ALG_ES256, STR("test"), NOW,
				  kid, &cause),
			 E_EXISTS);
	assert_int_equal(files_in(keys), 0);
}

/* Twenty at a time: each is there afterwards. */
static void changes_do_not_lose_each_other(void **state)
{
	AUTO(keyring) struct keyring *keyring = NULL;

	(void)state;
	make();
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid) {
			char kid[60];

			_exit(keys_new(keys, public, ALG_EDDSA, STR("t"), NOW,
				       kid, NULL) != E_OK);
		}
	}
	for (int i = 0; i < 20; i++) {
		int status = -1;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	keyring = load();
	assert_int_equal(keyring_len(keyring), 21);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_folder),
		TEST(a_missing_folder),
		TEST(modes_are_checked),
		TEST(the_list_is_read_strictly),
		TEST(keys_are_limited),
		TEST(two_current_keys),
		TEST(a_file_with_another_key),
		TEST(a_file_that_is_no_key),
		TEST(from_next_to_retired),
		TEST(removing),
		TEST(a_stray_file_is_nobodys),
		TEST(order_of_writing),
		TEST(a_removed_key_is_overwritten),
		TEST(a_removed_key_may_be_a_link),
		TEST(publishing),
		TEST(publishing_where_a_file_stands),
		TEST(a_first_key_that_cannot_be_published),
		TEST(changes_do_not_lose_each_other),
	};

	return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
