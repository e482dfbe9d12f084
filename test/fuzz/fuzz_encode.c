/*
 * test/fuzz/fuzz_encode.c - base64 from its bytes: what is read is the one
 * text that its bytes are written as; and any bytes as a JSON string.
 */
#include <stdlib.h>
#include <string.h>

#include "token/encode.h"
#include "token/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_base64(struct str text)
{
	size_t max = text.len / 4 * 3, len;
	AUTO(buf) struct buf back;
	char *out = malloc(max + 1);

	assert(out);
	buf_init(&back, 1 << 20);
	if (base64_decode(text, out, max, &len)) {
		assert(!len);
	} else {
		base64_add(&back, (struct str) { out, len });
		assert(str_eq(buf_str(&back), text));
		if (len)
			assert(base64_decode(text, out, len - 1, &max) ==
			       E_LIMIT);
	}
	free(out);
}

/* Whatever comes: one string, on one line, of what JSON allows. */
static void check_json(struct str text)
{
	AUTO(buf) struct buf json;

	buf_init(&json, 1 << 22);
	json_str(&json, text);
	assert(!json.over && json.len >= 2);
	assert(json.at[0] == '"' && json.at[json.len - 1] == '"');
	for (size_t i = 1; i < json.len - 1; i++) {
		assert((unsigned char)json.at[i] >= ' ');
		assert(json.at[i] != 0x7f && json.at[i] != '"');
		if (json.at[i] == '\\') {
			i++;
			assert(i < json.len - 1);
			assert(strchr("\"\\u", json.at[i]));
		}
	}
}

static void check_round(struct str bytes)
{
	size_t max = bytes.len + 1, len;
	AUTO(buf) struct buf text;
	char *out = malloc(max);

	assert(out);
	buf_init(&text, 1 << 22);
	base64_add(&text, bytes);
	assert(base64_decode(buf_str(&text), out, max, &len) == E_OK);
	assert(str_eq((struct str) { out, len }, bytes));
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = { (const char *)data, size };

	check_base64(bytes);
	check_round(bytes);
	check_json(bytes);
	return 0;
}
