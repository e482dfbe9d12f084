/* server/proxy.c - see the header. */
#include "server/proxy.h"

#include <string.h>

enum { HEAD_LEN = 16 /* of version 2, with its length */ };

static const struct str signature = STR("\r\n\r\n\0\r\nQUIT\n");
static const struct str word = STR("PROXY ");

/* Do they begin alike, as far as the shorter goes? */
static bool begins(struct str bytes, struct str text)
{
	size_t n = bytes.len < text.len ? bytes.len : text.len;

	return str_eq(str_head(bytes, n), str_head(text, n));
}

static enum proxy_step whole(struct proxy_header *out, enum proxy_who who,
			     size_t len)
{
	*out = (struct proxy_header) { .who = who, .len = len };
	return PROXY_WHOLE;
}

static size_t count(struct str s, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.at[i] == c;
	return n;
}

/* "TCP4 192.0.2.1 192.0.2.2 56324 443", single blanks between */
static bool read_line(struct str line, struct network *client)
{
	struct str family, part[4];
	struct network to;
	uint64_t port;
	bool four;

	if (count(line, ' ') != COUNT(part))
		return false;
	str_cut(&line, ' ', &family);
	four = str_eq(family, STR("TCP4"));
	if (!four && !str_eq(family, STR("TCP6")))
		return false;
	for (size_t i = 0; i < COUNT(part); i++)
		str_cut(&line, ' ', &part[i]);
	return address_read(part[0], client) && address_read(part[1], &to) &&
	       four == !str_has(part[0], ':') &&
	       four == !str_has(part[1], ':') &&
	       !str_to_u64(part[2], 65535, &port) &&
	       !str_to_u64(part[3], 65535, &port);
}

static enum proxy_step parse_line(struct str bytes, struct proxy_header *out)
{
	struct str rest = bytes, line;
	struct network client;

	if (!str_has(bytes, '\n'))
		return bytes.len < PROXY_LINE_MAX ? PROXY_MORE : PROXY_BAD;
	str_cut(&rest, '\n', &line);
	if (line.len >= PROXY_LINE_MAX || line.len < word.len ||
	    line.at[line.len - 1] != '\r')
		return PROXY_BAD;
	rest = str_skip(str_head(line, line.len - 1), word.len);
	if (str_eq(rest, STR("UNKNOWN")) || str_starts(rest, STR("UNKNOWN ")))
		return whole(out, PROXY_HIDDEN, line.len + 1);
	if (!read_line(rest, &client))
		return PROXY_BAD;
	whole(out, PROXY_CLIENT, line.len + 1);
	out->client = client;
	return PROXY_WHOLE;
}

static size_t length_of(const unsigned char *head)
{
	return HEAD_LEN + ((size_t)head[14] << 8 | head[15]);
}

/* `bytes` of which the first address has `len`; IPv4 behind its prefix. */
static enum proxy_step take_address(struct str bytes, size_t len,
				    struct proxy_header *out)
{
	size_t whole_len = length_of((const unsigned char *)bytes.at);
	struct network client = { .bits = 128 };

	/* Both addresses, both ports. */
	if (whole_len < HEAD_LEN + 2 * len + 4)
		return PROXY_BAD;
	if (len == 4)
		client.at[10] = client.at[11] = 0xff;
	memcpy(client.at + sizeof(client.at) - len, bytes.at + HEAD_LEN, len);
	whole(out, PROXY_CLIENT, whole_len);
	out->client = client;
	return PROXY_WHOLE;
}

static enum proxy_step parse_binary(struct str bytes, struct proxy_header *out)
{
	const unsigned char *head = (const unsigned char *)bytes.at;

	if (bytes.len < HEAD_LEN)
		return PROXY_MORE;
	if ((head[12] != 0x20 && head[12] != 0x21) ||
	    length_of(head) > PROXY_MAX)
		return PROXY_BAD;
	if (bytes.len < length_of(head))
		return PROXY_MORE;
	if (head[12] == 0x20)
		return whole(out, PROXY_ITSELF, length_of(head));
	switch (head[13]) {
	case 0x00:
		return whole(out, PROXY_HIDDEN, length_of(head));
	case 0x11: /* TCP over IPv4 */
		return take_address(bytes, 4, out);
	case 0x21: /* TCP over IPv6 */
		return take_address(bytes, 16, out);
	default:
		return PROXY_BAD;
	}
}

enum proxy_step proxy_parse(struct str bytes, struct proxy_header *out)
{
	if (begins(bytes, word))
		return bytes.len < word.len ? PROXY_MORE
					    : parse_line(bytes, out);
	return begins(bytes, signature) ? parse_binary(bytes, out) : PROXY_BAD;
}

size_t proxy_takes(struct str bytes, struct str next)
{
	struct str first = bytes.len ? bytes : next, rest = next, line;
	size_t want = HEAD_LEN - bytes.len;

	if (begins(str_head(first, first.len > 0), word)) {
		str_cut(&rest, '\n', &line);
		return line.len < next.len ? line.len + 1 : next.len;
	}
	if (bytes.len >= HEAD_LEN)
		want = length_of((const unsigned char *)bytes.at) - bytes.len;
	return want < next.len ? want : next.len;
}
