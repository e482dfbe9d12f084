/* server/http/gate_body.c - bodies, by their length or in chunks. */
#include "server/http/gate_own.h"

#include "token/encode.h"

static enum gate_step body_step(const struct gate *gate)
{
	return gate->held ? GATE_MORE : GATE_PASS;
}

/* evhttp is in the midst of a body: there is nothing to answer it with. */
static enum gate_step chunk_refuse(struct gate *gate, enum status status)
{
	return gate->held ? refuse(gate, status) : drop(gate);
}

enum gate_step gate_on_size(struct gate *gate, unsigned char c)
{
	int digit = hex_value((char)c);

	if (c == '\r' && gate->word_len)
		return become(gate, AT_SIZE_LF);
	if (digit < 0 || gate->word_len == 8)
		return chunk_refuse(gate, STATUS_BAD_REQUEST);
	gate->left = (gate->word_len++ ? gate->left * 16 : 0) + (unsigned)digit;
	return GATE_MORE;
}

enum gate_step gate_on_size_lf(struct gate *gate, unsigned char c)
{
	if (c != '\n')
		return chunk_refuse(gate, STATUS_BAD_REQUEST);
	gate->word_len = 0;
	if (!gate->left)
		return become(gate, AT_LAST_CR);
	if (gate->left > GATE_BODY_MAX - gate->total)
		return chunk_refuse(gate, STATUS_TOO_LARGE);
	gate->total += gate->left;
	gate->state = AT_DATA;
	return body_step(gate);
}

enum gate_step gate_on_data_cr(struct gate *gate, unsigned char c)
{
	if (c != '\r')
		return chunk_refuse(gate, STATUS_BAD_REQUEST);
	return become(gate, AT_DATA_LF);
}

enum gate_step gate_on_data_lf(struct gate *gate, unsigned char c)
{
	if (c != '\n')
		return chunk_refuse(gate, STATUS_BAD_REQUEST);
	gate->state = AT_SIZE;
	return body_step(gate);
}

/* No trailer: evhttp would add its fields to the headers. */
enum gate_step gate_on_last_cr(struct gate *gate, unsigned char c)
{
	if (c != '\r')
		return chunk_refuse(gate, STATUS_BAD_REQUEST);
	return become(gate, AT_LAST_LF);
}

enum gate_step gate_on_last_lf(struct gate *gate, unsigned char c)
{
	if (c != '\n')
		return chunk_refuse(gate, STATUS_BAD_REQUEST);
	return done(gate, GATE_PASS);
}

enum gate_step gate_on_size_over(struct gate *gate)
{
	return chunk_refuse(gate, STATUS_TOO_LARGE);
}

enum gate_step gate_body(struct gate *gate, size_t len, size_t *used)
{
	size_t n = len < gate->left ? len : gate->left;

	*used = n;
	gate->left -= (uint32_t)n;
	gate->count += (uint32_t)n;
	if (gate->left)
		return body_step(gate);
	if (gate->state == AT_BODY)
		return done(gate, GATE_PASS);
	gate->state = AT_DATA_CR;
	return body_step(gate);
}
