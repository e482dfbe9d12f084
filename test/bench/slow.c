/*
 * test/bench/slow.c - a library to be preloaded: what waits for the disk waits
 * SLOW_MS milliseconds longer, as on one that is slower. That is fdatasync()
 * and writing to what was opened with O_DSYNC, as LMDB does at each commit.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void nap(void)
{
	const char *text = getenv("SLOW_MS");
	long ms = text ? strtol(text, NULL, 10) : 0;
	const struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

int fdatasync(int fd)
{
	nap();
	return (int)syscall(SYS_fdatasync, fd);
}

ssize_t pwrite(int fd, const void *at, size_t len, off_t offset)
{
	if (fcntl(fd, F_GETFL) & O_DSYNC)
		nap();
	return syscall(SYS_pwrite64, fd, at, len, offset);
}

ssize_t pwrite64(int fd, const void *at, size_t len, off64_t offset)
{
	return pwrite(fd, at, len, offset);
}
