/* token/encode.c - see the header. */
#include "token/encode.h"

#include <string.h>

static const char base64_std[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64_url[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char base32_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
static const char base16_std[] = "0123456789abcdef";

/* Any power-of-two alphabet: `bits` of input to one character, high first. */
static void add_bits(struct buf *buf, struct str bytes, const char *alphabet,
		     unsigned bits)
{
	unsigned have = 0, mask = (1u << bits) - 1;
	size_t chars = (bytes.len * 8 + bits - 1) / bits;
	char *out = buf_room(buf, chars);
	uint32_t held = 0;

	if (!out)
		return;
	for (size_t i = 0; i < bytes.len; i++) {
		held = held << 8 | (unsigned char)bytes.at[i];
		for (have += 8; have >= bits; have -= bits)
			*out++ = alphabet[held >> (have - bits) & mask];
	}
	if (have)
		*out = alphabet[held << (bits - have) & mask];
	buf_grew(buf, chars);
}

void base64_add(struct buf *buf, struct str bytes)
{
	add_bits(buf, bytes, base64_std, 6);
	for (size_t n = bytes.len; n % 3; n++)
		buf_add_char(buf, '=');
}

void base64url_add(struct buf *buf, struct str bytes)
{
	add_bits(buf, bytes, base64_url, 6);
}

void base32_add(struct buf *buf, struct str bytes)
{
	add_bits(buf, bytes, base32_std, 5);
}

void hex_add(struct buf *buf, struct str bytes)
{
	add_bits(buf, bytes, base16_std, 4);
}

bool is_base64url(char c)
{
	return memchr(base64_url, c, sizeof(base64_url) - 1);
}

int hex_value(char c)
{
	char low = ascii_lower(c);

	if (c >= '0' && c <= '9')
		return c - '0';
	return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

enum err base64_decode(struct str text, char *out, size_t size, size_t *len)
{
	size_t pad = 0, n;
	uint32_t held = 0;
	unsigned have = 0;

	*len = 0;
	if (text.len % 4)
		return E_SYNTAX;
	while (pad < 2 && pad < text.len && text.at[text.len - 1 - pad] == '=')
		pad++;
	if (text.len / 4 * 3 - pad > size)
		return E_LIMIT;
	n = 0;
	for (size_t i = 0; i < text.len - pad; i++) {
		int value = base64_value(text.at[i]);

		if (value < 0)
			return E_SYNTAX;
		held = held << 6 | (uint32_t)value;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (char)(held >> have);
		}
	}
	if (held & ((1u << have) - 1))
		return E_SYNTAX;
	*len = n;
	return E_OK;
}
