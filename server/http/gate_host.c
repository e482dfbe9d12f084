/*
 * server/http/gate_host.c - the value of Host, byte by byte:
 *
 *   uri-host [ ":" port ]     RFC 9110 7.2, RFC 3986 3.2.2
 *   auth.example.com   localhost:5001   [2001:db8::1]:443
 *
 * It may be empty. Nothing else is made of it: the realm is `url` alone.
 */
#include "server/http/gate_own.h"

#include "server/http/field.h"
#include "token/encode.h"
#include "token/network.h"

/* unreserved and sub-delims, but for letters and digits */
static bool is_name(unsigned char c)
{
	return ascii_is_alnum((char)c) ||
	       (c && strchr("-._~!$&'()*+,;=", (char)c));
}

static enum gate_host on_name(unsigned char c)
{
	return c == ':'	    ? HOST_PORT
	       : c == '%'   ? HOST_HEX
	       : c == ' '   ? HOST_END
	       : is_name(c) ? HOST_NAME
			    : HOST_BAD;
}

/* An address of IPv6; of a later version there is none (RFC 3986 3.2.2). */
static enum gate_host on_literal(struct gate *gate, unsigned char c)
{
	struct str text = { gate->word, gate->word_len };
	struct network address;

	if (c == ']')
		return str_has(text, ':') && address_read(text, &address)
			       ? HOST_LITERAL_END
			       : HOST_BAD;
	if (gate->word_len == GATE_WORD_MAX)
		return HOST_BAD;
	gate->word[gate->word_len++] = (char)c;
	return HOST_LITERAL;
}

static enum gate_host next(struct gate *gate, unsigned char c)
{
	switch ((enum gate_host)gate->host) {
	case HOST_START:
		return c == ' '	  ? HOST_START
		       : c == '[' ? HOST_LITERAL
				  : on_name(c);
	case HOST_NAME:
		return on_name(c);
	case HOST_HEX:
		return hex_value((char)c) >= 0 ? HOST_HEX_LOW : HOST_BAD;
	case HOST_HEX_LOW:
		return hex_value((char)c) >= 0 ? HOST_NAME : HOST_BAD;
	case HOST_LITERAL:
		return on_literal(gate, c);
	case HOST_LITERAL_END:
		return c == ':' ? HOST_PORT : c == ' ' ? HOST_END : HOST_BAD;
	case HOST_PORT:
		return c >= '0' && c <= '9' ? HOST_PORT
		       : c == ' '	    ? HOST_END
					    : HOST_BAD;
	case HOST_END:
		return c == ' ' ? HOST_END : HOST_BAD;
	case HOST_NONE:
	case HOST_BAD:
		break;
	}
	return HOST_BAD;
}

bool gate_on_host(struct gate *gate, unsigned char c)
{
	gate->host = (uint8_t)next(gate, c == '\t' ? ' ' : c);
	return gate->host != HOST_BAD;
}

size_t gate_host_run(const struct gate *gate, struct str s)
{
	size_t n = 0;

	if (gate->host == HOST_NAME)
		while (n < s.len && (ascii_is_alnum(s.at[n]) ||
				     s.at[n] == '.' || s.at[n] == '-'))
			n++;
	return n;
}

bool gate_host_whole(const struct gate *gate)
{
	switch ((enum gate_host)gate->host) {
	case HOST_START:
	case HOST_NAME:
	case HOST_LITERAL_END:
	case HOST_PORT:
	case HOST_END:
		return true;
	default:
		return false;
	}
}
