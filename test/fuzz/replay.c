/*
 * test/fuzz/replay.c - runs a fuzzer over files, without libFuzzer: the corpus
 * and every crash of the past are rows of `make test`.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* A fuzzer need not have one. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static int replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	size_t size;
	char *data;
	long end;

	if (!file || fseek(file, 0, SEEK_END) || (end = ftell(file)) < 0) {
		perror(path);
		return 1;
	}
	rewind(file);
	/* Of its very size, so that a sanitizer sees a read behind it. */
	data = malloc(end ? (size_t)end : 1);
	size = data ? fread(data, 1, (size_t)end, file) : 0;
	fclose(file);
	if (!data || size != (size_t)end) {
		fprintf(stderr, "%s: cannot be read\n", path);
		free(data);
		return 1;
	}
	LLVMFuzzerTestOneInput((uint8_t *)data, size);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	int bad = 0;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		bad |= replay(argv[i]);
	printf("# %s: %d inputs\n", argv[0], argc - 1);
	return bad;
}
