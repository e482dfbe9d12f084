/* server/http/gate.c - see the header. */
#include "server/http/gate_own.h"

#include "server/http/field.h"

enum header {
	HEADER_OTHER,
	HEADER_LENGTH,
	HEADER_ENCODING,
	HEADER_EXPECT,
	HEADER_HOST
};

/*
 * `body`: may have one. What evhttp makes of the body of a GET depends on its
 * version. `refused`: evhttp would answer it in HTML.
 */
static const struct {
	const char *name;
	bool body, refused;
} methods[] = {
	{ "GET", false, false },     { "POST", true, false },
	{ "HEAD", false, false },    { "PUT", true, false },
	{ "DELETE", false, false },  { "PATCH", true, false },
	{ "OPTIONS", false, false }, { "", false, true },
};

enum { METHOD_UNKNOWN = COUNT(methods) - 1 };

static struct str word(const struct gate *gate)
{
	return (struct str) { gate->word, gate->word_len };
}

/* False: longer than any word that means something. */
static bool word_add(struct gate *gate, unsigned char c)
{
	if (gate->word_len == GATE_WORD_MAX)
		return false;
	gate->word[gate->word_len++] = (char)c;
	return true;
}

/* An empty line before a request is to be ignored (RFC 9112 2.2). */
static enum gate_step on_start(struct gate *gate, unsigned char c)
{
	uint32_t whole = gate->whole;

	if (c == '\r')
		return become(gate, AT_START_LF);
	if (!field_is_token((char)c))
		return no_http(gate);
	*gate = (struct gate) { .whole = whole, .count = 1 };
	word_add(gate, c);
	return become(gate, AT_METHOD);
}

static enum gate_step on_start_lf(struct gate *gate, unsigned char c)
{
	if (c != '\n')
		return no_http(gate);
	gate->state = AT_START;
	return GATE_SKIP;
}

static enum gate_step on_method(struct gate *gate, unsigned char c)
{
	size_t i = 0;

	if (field_is_token((char)c))
		return word_add(gate, c) ? GATE_MORE : no_http(gate);
	if (c != ' ')
		return no_http(gate);
	while (i < METHOD_UNKNOWN &&
	       !str_eq(word(gate), str_of(methods[i].name)))
		i++;
	gate->method = (uint8_t)i;
	gate->word_len = 0;
	gate->left = 0; /* bytes of the target */
	return become(gate, AT_TARGET);
}

/*
 * Only paths are asked of a server that is no proxy. A second slash would be
 * read as a host by evhttp.
 */
static enum gate_step on_target(struct gate *gate, unsigned char c)
{
	uint32_t at = gate->left++;

	if (c == ' ' && at)
		return become(gate, AT_VERSION);
	if (c <= ' ' || c == 0x7f)
		return at ? refuse(gate, STATUS_BAD_REQUEST) : no_http(gate);
	if (at == 0 && c != '/')
		return refuse(gate, STATUS_BAD_REQUEST);
	if (at == 1 && c == '/')
		return refuse(gate, STATUS_NOT_FOUND);
	return GATE_MORE;
}

static enum gate_step on_version(struct gate *gate, unsigned char c)
{
	if (c != '\r')
		return c > ' ' && word_add(gate, c)
			       ? GATE_MORE
			       : refuse(gate, STATUS_BAD_REQUEST);
	gate->old = str_eq(word(gate), STR("HTTP/1.0"));
	if (!gate->old && !str_eq(word(gate), STR("HTTP/1.1")))
		return refuse(gate, STATUS_BAD_REQUEST);
	return become(gate, AT_LINE_LF);
}

static enum gate_step on_line_lf(struct gate *gate, unsigned char c)
{
	if (c != '\n')
		return refuse(gate, STATUS_BAD_REQUEST);
	gate->count = 0;
	gate->left = 0;
	return become(gate, AT_HEADER);
}

static enum gate_step on_header(struct gate *gate, unsigned char c)
{
	if (c == '\r')
		return become(gate, AT_END_LF);
	if (!field_is_token((char)c)) /* a folded line, too */
		return refuse(gate, STATUS_BAD_REQUEST);
	if (++gate->fields > GATE_FIELDS_MAX)
		return refuse(gate, STATUS_HEADERS_TOO_LARGE);
	gate->word_len = 0;
	word_add(gate, c);
	return become(gate, AT_NAME);
}

static enum header header_of(const struct gate *gate)
{
	struct str name = word(gate);

	if (str_eq_nocase(name, STR("content-length")))
		return HEADER_LENGTH;
	if (str_eq_nocase(name, STR("transfer-encoding")))
		return HEADER_ENCODING;
	if (str_eq_nocase(name, STR("expect")))
		return HEADER_EXPECT;
	if (str_eq_nocase(name, STR("host")))
		return HEADER_HOST;
	return HEADER_OTHER;
}

static enum gate_step on_name(struct gate *gate, unsigned char c)
{
	if (c != ':') {
		if (!field_is_token((char)c))
			return refuse(gate, STATUS_BAD_REQUEST);
		/* Longer names keep a full word: it is none of ours. */
		word_add(gate, c);
		return GATE_MORE;
	}
	gate->header = header_of(gate);
	gate->word_len = 0;
	if (gate->header == HEADER_HOST) {
		if (gate->host != HOST_NONE)
			return refuse_host(gate);
		gate->host = HOST_START;
	}
	return become(gate, AT_VALUE);
}

static enum gate_step length_end(struct gate *gate)
{
	uint64_t n;
	enum err err;

	if (gate->length_seen || gate->chunked || !gate->word_len)
		return refuse(gate, STATUS_BAD_REQUEST);
	for (size_t i = 0; i < gate->word_len; i++)
		if (gate->word[i] < '0' || gate->word[i] > '9')
			return refuse(gate, STATUS_BAD_REQUEST);
	err = str_to_u64(word(gate), GATE_BODY_MAX, &n);
	if (err)
		return refuse(gate, STATUS_TOO_LARGE);
	gate->length_seen = true;
	gate->left = (uint32_t)n;
	return GATE_MORE;
}

/* A value that means something here has ended. */
static enum gate_step value_end(struct gate *gate)
{
	while (gate->word_len && gate->word[gate->word_len - 1] == ' ')
		gate->word_len--;
	switch ((enum header)gate->header) {
	case HEADER_LENGTH:
		return length_end(gate);
	case HEADER_ENCODING:
		if (gate->chunked || gate->length_seen || gate->old ||
		    !str_eq_nocase(word(gate), STR("chunked")))
			return refuse(gate, STATUS_BAD_REQUEST);
		gate->chunked = true;
		return GATE_MORE;
	case HEADER_EXPECT:
		if (!str_eq_nocase(word(gate), STR("100-continue")))
			return refuse(gate, STATUS_BAD_REQUEST);
		gate->expect = true;
		return GATE_MORE;
	case HEADER_HOST:
		return gate_host_whole(gate) ? GATE_MORE : refuse_host(gate);
	case HEADER_OTHER:
		break;
	}
	return GATE_MORE;
}

static enum gate_step on_value(struct gate *gate, unsigned char c)
{
	if (c == '\r')
		return become(gate, AT_VALUE_LF);
	if ((c < ' ' && c != '\t') || c == 0x7f)
		return refuse(gate, STATUS_BAD_REQUEST);
	if (gate->header == HEADER_OTHER)
		return GATE_MORE;
	if (gate->header == HEADER_HOST)
		return gate_on_host(gate, c) ? GATE_MORE : refuse_host(gate);
	if (c == '\t') /* evhttp takes it for a part of the value */
		return refuse(gate, STATUS_BAD_REQUEST);
	if ((!gate->word_len && c == ' ') || word_add(gate, c))
		return GATE_MORE;
	/* A number of so many digits is too large; the rest is not known. */
	for (size_t i = 0; i < gate->word_len; i++)
		if (gate->word[i] < '0' || gate->word[i] > '9')
			return refuse(gate, STATUS_BAD_REQUEST);
	return refuse(gate, gate->header == HEADER_LENGTH ? STATUS_TOO_LARGE
							  : STATUS_BAD_REQUEST);
}

static enum gate_step on_value_lf(struct gate *gate, unsigned char c)
{
	if (c != '\n')
		return refuse(gate, STATUS_BAD_REQUEST);
	gate->state = AT_HEADER;
	return value_end(gate);
}

static enum gate_step on_end_lf(struct gate *gate, unsigned char c)
{
	bool body = methods[gate->method].body;

	if (c != '\n')
		return refuse(gate, STATUS_BAD_REQUEST);
	if (gate->host == HOST_NONE && !gate->old)
		return refuse_host(gate);
	if (methods[gate->method].refused)
		return refuse(gate, STATUS_METHOD);
	if (!body && (gate->chunked || gate->left))
		return refuse(gate, STATUS_BAD_REQUEST);
	gate->count = 0;
	gate->add_length = body && !gate->length_seen && !gate->chunked;
	gate->held = !gate->expect;
	gate->state = gate->chunked ? AT_SIZE : AT_BODY;
	gate->word_len = 0;
	if (!gate->chunked && !gate->left)
		return done(gate, GATE_PASS);
	return gate->held ? GATE_MORE : GATE_PASS;
}

static enum gate_step on_dead(struct gate *gate, unsigned char c)
{
	(void)gate, (void)c;
	return GATE_SKIP;
}

/* `limit` of gate->count in this state, and what passing it is answered. */
static const struct {
	enum gate_step (*on)(struct gate *gate, unsigned char c);
	uint32_t limit;
	enum status over;
} states[] = {
	[AT_START] = { on_start, 0, 0 },
	[AT_START_LF] = { on_start_lf, 0, 0 },
	[AT_METHOD] = { on_method, 0, 0 },
	[AT_TARGET] = { on_target, GATE_LINE_MAX, STATUS_URI_TOO_LONG },
	[AT_VERSION] = { on_version, GATE_LINE_MAX, STATUS_URI_TOO_LONG },
	[AT_LINE_LF] = { on_line_lf, 0, 0 },
	[AT_HEADER] = { on_header, GATE_HEADERS_MAX, STATUS_HEADERS_TOO_LARGE },
	[AT_NAME] = { on_name, GATE_HEADERS_MAX, STATUS_HEADERS_TOO_LARGE },
	[AT_VALUE] = { on_value, GATE_HEADERS_MAX, STATUS_HEADERS_TOO_LARGE },
	[AT_VALUE_LF] = { on_value_lf, 0, 0 },
	[AT_END_LF] = { on_end_lf, 0, 0 },
	[AT_BODY] = { NULL, 0, 0 },
	[AT_SIZE] = { gate_on_size, GATE_CHUNKED_MAX, STATUS_TOO_LARGE },
	[AT_SIZE_LF] = { gate_on_size_lf, 0, 0 },
	[AT_DATA] = { NULL, 0, 0 },
	[AT_DATA_CR] = { gate_on_data_cr, 0, 0 },
	[AT_DATA_LF] = { gate_on_data_lf, 0, 0 },
	[AT_LAST_CR] = { gate_on_last_cr, 0, 0 },
	[AT_LAST_LF] = { gate_on_last_lf, 0, 0 },
	[AT_DEAD] = { on_dead, 0, 0 },
};

static enum gate_step one(struct gate *gate, unsigned char c)
{
	gate->count++;
	if (states[gate->state].limit &&
	    gate->count > states[gate->state].limit)
		return gate->state == AT_SIZE
			       ? gate_on_size_over(gate)
			       : refuse(gate, states[gate->state].over);
	return states[gate->state].on(gate, c);
}

/*
 * How many bytes the state would take without a change: a run of a path, of a
 * value that means nothing here, or of a host's name. Three quarters of all
 * bytes are such.
 */
static size_t run(const struct gate *gate, struct str s)
{
	size_t room = states[gate->state].limit - gate->count, n = 0;
	unsigned char low = gate->state == AT_VALUE ? ' ' : '!';

	if (s.len > room)
		s.len = room;
	if (gate->state == AT_VALUE && gate->header == HEADER_HOST)
		return gate_host_run(gate, s);
	if (gate->state == AT_VALUE
		    ? gate->header != HEADER_OTHER
		    : gate->state != AT_TARGET || gate->left < 2)
		return 0;
	while (n < s.len && (unsigned char)s.at[n] >= low && s.at[n] != 0x7f)
		n++;
	return n;
}

void gate_init(struct gate *gate)
{
	*gate = (struct gate) { .state = AT_START };
}

enum gate_step gate_feed(struct gate *gate, struct str bytes, size_t *used)
{
	enum gate_step step = GATE_MORE;
	size_t at = 0, n = 0;

	if (gate->state == AT_DEAD) {
		*used = bytes.len;
		return GATE_SKIP;
	}
	while (at < bytes.len && step == GATE_MORE) {
		if (gate->state == AT_BODY || gate->state == AT_DATA) {
			step = gate_body(gate, bytes.len - at, &n);
			at += n;
			continue;
		}
		n = run(gate, str_skip(bytes, at));
		at += n;
		gate->count += (uint32_t)n;
		if (at < bytes.len)
			step = one(gate, (unsigned char)bytes.at[at++]);
	}
	*used = at;
	return step;
}

void gate_close(struct gate *gate)
{
	gate->state = AT_DEAD;
}

bool gate_between(const struct gate *gate)
{
	return gate->state == AT_START || gate->state == AT_START_LF;
}
