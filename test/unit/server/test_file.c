/* test/unit/server/test_file.c - server/file: whole files and their modes. */
#include "test/unit/server/temporary.h"

static void files_are_replaced_whole(void **state)
{
	const char *path = in(top, "file", "");
	AUTO(buf) struct buf got;

	(void)state;
	buf_init(&got, 64);
	write_text(path, 0600, "first");
	write_text(path, 0644, "second");
	read_text(path, &got);
	assert_str(buf_str(&got), "second");
	assert_int_equal(mode_of(path), 0644);
	/* A folder cannot be replaced: nothing is left beside it. */
	assert_int_equal(mkdir(in(top, "folder", ""), 0700), 0);
	assert_int_equal(
		file_write(in(top, "folder", ""), 0600, STR("x"), &cause),
		E_IO);
	assert_int_equal(files_in(top), 3);
	assert_int_equal(
		file_write(in(top, "none/file", ""), 0600, STR("x"), &cause),
		E_NOT_FOUND);
}

static void reading_has_a_limit(void **state)
{
	const char *path = in(top, "file", "");
	AUTO(buf) struct buf got;

	(void)state;
	buf_init(&got, 8);
	write_text(path, 0600, "12345");
	buf_add(&got, STR("abc"));
	assert_int_equal(file_read(path, false, &got, &cause), E_OK);
	assert_str(buf_str(&got), "abc12345");
	buf_clear(&got);
	buf_add(&got, STR("abcd"));
	assert_int_equal(file_read(path, false, &got, &cause), E_LIMIT);
	assert_str(buf_str(&got), "abcd"); /* what was there before */
}

static void what_is_no_file(void **state)
{
	AUTO(buf) struct buf got;

	(void)state;
	buf_init(&got, 64);
	assert_int_equal(mkfifo(in(top, "pipe", ""), 0600), 0);
	assert_int_equal(file_read(in(top, "pipe", ""), true, &got, &cause),
			 E_IO);
	assert_int_equal(file_read(keys, false, &got, &cause), E_IO);
	assert_int_equal(file_read(in(top, "none", ""), false, &got, &cause),
			 E_NOT_FOUND);
}

/* What it points to is checked. */
static void a_symbolic_link(void **state)
{
	AUTO(buf) struct buf got;

	(void)state;
	buf_init(&got, 64);
	write_text(in(top, "file", ""), 0644, "x");
	assert_int_equal(symlink("file", in(top, "link", "")), 0);
	assert_int_equal(file_read(in(top, "link", ""), true, &got, &cause),
			 E_MODE);
	assert_int_equal(chmod(in(top, "file", ""), 0600), 0);
	assert_int_equal(file_read(in(top, "link", ""), true, &got, &cause),
			 E_OK);
}

static void folders(void **state)
{
	(void)state;
	assert_int_equal(file_make_folder(in(top, "a//b/c", ""), 0700, &cause),
			 E_OK);
	assert_int_equal(mode_of(in(top, "a/b", "")), 0755);
	assert_int_equal(mode_of(in(top, "a/b/c", "")), 0700);
	assert_int_equal(file_make_folder(in(top, "a/b", ""), 0700, &cause),
			 E_OK);
	assert_int_equal(mode_of(in(top, "a/b", "")), 0755);
	write_text(in(top, "file", ""), 0600, "x");
	assert_int_equal(file_make_folder(in(top, "file", ""), 0700, &cause),
			 E_EXISTS);
	assert_int_equal(file_make_folder(in(top, "file/a", ""), 0700, &cause),
			 E_EXISTS);
}

/* The umask takes nothing away that was asked for. */
static void modes_whatever_the_umask(void **state)
{
	mode_t before = umask(0077);

	(void)state;
	write_text(in(top, "file", ""), 0644, "x");
	assert_int_equal(file_make_folder(in(top, "a", ""), 0755, &cause),
			 E_OK);
	umask(before);
	assert_int_equal(mode_of(in(top, "file", "")), 0644);
	assert_int_equal(mode_of(in(top, "a", "")), 0755);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_are_replaced_whole),
		TEST(reading_has_a_limit),
		TEST(what_is_no_file),
		TEST(a_symbolic_link),
		TEST(folders),
		TEST(modes_whatever_the_umask),
	};

	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
