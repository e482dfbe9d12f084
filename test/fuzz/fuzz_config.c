/*
 * test/fuzz/fuzz_config.c - dockpass.yaml from its bytes to a refusal or a
 * configuration that can be printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/config.h"
#include "token/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is a file in memory, reached through /proc. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("dockpass.yaml", MFD_CLOEXEC);
	struct config *config = NULL;
	struct cause cause = { 0 };
	char path[64];
	struct buf out;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	buf_init(&out, 1 << 20);
	if (config_load(path, &config, &cause))
		assert(!config && *cause.text && !strchr(cause.text, '\n'));
	else
		config_print(config, &out);
	buf_done(&out);
	config_free(config);
	close(fd);
	return 0;
}
