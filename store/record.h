/*
 * store/record.h - structs to bytes and back: all integers big-endian, so that
 * keys sort as their numbers do; texts behind a 16-bit length.
 *
 * Reading is sticky like a transaction: past the end everything is zero, and
 * unpack_done() tells whether the record was neither short nor long. A version
 * that is not known is an error, never a guess.
 */
#pragma once

#include "token/base.h"

enum { RECORD_MAX = 4096 };

struct pack {
	size_t len;
	bool over;
	unsigned char at[RECORD_MAX];
};

void pack_u8(struct pack *pack, uint8_t n);
void pack_u32(struct pack *pack, uint32_t n);
void pack_u64(struct pack *pack, uint64_t n);
void pack_time(struct pack *pack, int64_t when);  /* as u64, 0 = never */
void pack_text(struct pack *pack, struct str s);  /* u16 length, bytes */
void pack_bytes(struct pack *pack, struct str s); /* as they are */
struct str pack_str(const struct pack *pack);

struct unpack {
	struct str rest;
	bool failed;
};

uint8_t unpack_u8(struct unpack *u);
uint32_t unpack_u32(struct unpack *u);
uint64_t unpack_u64(struct unpack *u);
int64_t unpack_time(struct unpack *u);
struct str unpack_text(struct unpack *u);
struct str unpack_bytes(struct unpack *u, size_t n);
bool unpack_done(const struct unpack *u); /* all read, nothing missing */

/* Keys: one or two u64. */
struct key8 {
	unsigned char at[8];
};
struct key16 {
	unsigned char at[16];
};
struct key8 key_u64(uint64_t n);
struct key16 key_pair(uint64_t a, uint64_t b);
