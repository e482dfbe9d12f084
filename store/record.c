/*
 * store/record.c - big-endian integers, and texts behind their length.
 *
 *   u8 1, u32 2, u64 3, text "ab", bytes "z":
 *   01 00000002 0000000000000003 0002 6162 7a
 */
#include "store/record.h"

#include <endian.h>
#include <string.h>

static void put(struct pack *pack, const void *bytes, size_t n)
{
	if (pack->over || n > sizeof(pack->at) - pack->len) {
		pack->over = true;
		return;
	}
	if (n)
		memcpy(pack->at + pack->len, bytes, n);
	pack->len += n;
}

static void put_number(struct pack *pack, uint64_t n, size_t size)
{
	uint64_t big = htobe64(n << (64 - 8 * size));

	put(pack, &big, size);
}

void pack_u8(struct pack *pack, uint8_t n)
{
	put_number(pack, n, 1);
}

void pack_u32(struct pack *pack, uint32_t n)
{
	put_number(pack, n, 4);
}

void pack_u64(struct pack *pack, uint64_t n)
{
	put_number(pack, n, 8);
}

void pack_time(struct pack *pack, int64_t when)
{
	put_number(pack, (uint64_t)when, 8);
}

void pack_text(struct pack *pack, struct str s)
{
	if (s.len > UINT16_MAX)
		pack->over = true;
	put_number(pack, s.len, 2);
	put(pack, s.at, s.len);
}

void pack_bytes(struct pack *pack, struct str s)
{
	put(pack, s.at, s.len);
}

/* Over its size it is no slice at all, which txn_put() refuses. */
struct str pack_str(const struct pack *pack)
{
	if (pack->over)
		return (struct str) { 0 };
	return (struct str) { (const char *)pack->at, pack->len };
}

struct str unpack_bytes(struct unpack *u, size_t n)
{
	struct str bytes;

	if (u->failed || n > u->rest.len) {
		u->failed = true;
		return (struct str) { 0 };
	}
	bytes = str_head(u->rest, n);
	u->rest = str_skip(u->rest, n);
	return bytes;
}

static uint64_t get_number(struct unpack *u, size_t size)
{
	struct str bytes = unpack_bytes(u, size);
	uint64_t big = 0;

	if (!bytes.at)
		return 0;
	memcpy(&big, bytes.at, size);
	return be64toh(big) >> (64 - 8 * size);
}

uint8_t unpack_u8(struct unpack *u)
{
	return (uint8_t)get_number(u, 1);
}

uint32_t unpack_u32(struct unpack *u)
{
	return (uint32_t)get_number(u, 4);
}

uint64_t unpack_u64(struct unpack *u)
{
	return get_number(u, 8);
}

int64_t unpack_time(struct unpack *u)
{
	return (int64_t)get_number(u, 8);
}

struct str unpack_text(struct unpack *u)
{
	return unpack_bytes(u, (size_t)get_number(u, 2));
}

bool unpack_done(const struct unpack *u)
{
	return !u->failed && !u->rest.len;
}

struct key8 key_u64(uint64_t n)
{
	uint64_t big = htobe64(n);
	struct key8 key;

	memcpy(key.at, &big, sizeof(key.at));
	return key;
}

struct key16 key_pair(uint64_t a, uint64_t b)
{
	struct key8 first = key_u64(a), second = key_u64(b);
	struct key16 key;

	memcpy(key.at, first.at, sizeof(first.at));
	memcpy(key.at + sizeof(first.at), second.at, sizeof(second.at));
	return key;
}
