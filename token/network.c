/* token/network.c - see the header. */
#include "token/network.h"

#include <arpa/inet.h>
#include <string.h>

enum { SHOWN = 100, BITS4 = 32, BITS6 = 128, MAPPED = BITS6 - BITS4 };

static const unsigned char mapped[MAPPED / 8] = { [10] = 0xff, [11] = 0xff };

static enum err bad(struct str entry, struct cause *cause, const char *what)
{
	return cause_set(cause, E_SYNTAX, "'%.*s' %s",
			 (int)(entry.len < SHOWN ? entry.len : SHOWN), entry.at,
			 what);
}

bool address_is_ipv4(const struct network *address)
{
	return !memcmp(address->at, mapped, sizeof(mapped));
}

bool address_is_own(const struct network *address)
{
	static const struct network own[] = {
		{ { [10] = 0xff, 0xff, 127, 0, 0, 1 }, BITS6 },
		{ { [15] = 1 }, BITS6 },
	};

	return address_eq(address, &own[0]) || address_eq(address, &own[1]);
}

static bool is_local(const struct network *address)
{
	return (address_is_ipv4(address) && address->at[MAPPED / 8] == 127) ||
	       address_is_own(address);
}

bool host_is_local(struct str host)
{
	struct str rest = host, name;
	struct network address;

	if (address_read(host, &address))
		return is_local(&address);
	if (str_starts(host, STR("[")) && str_has(host, ']')) {
		rest = str_skip(host, 1);
		str_cut(&rest, ']', &name);
		if (rest.len && rest.at[0] != ':')
			return false;
	} else {
		str_cut(&rest, ':', &name);
	}
	return str_eq_nocase(name, STR("localhost")) ||
	       (address_read(name, &address) && is_local(&address));
}

struct str host_near(struct str host)
{
	static const unsigned char none[12];
	struct str bare = host;
	struct network address;

	if (str_starts(host, STR("[")) && host.at[host.len - 1] == ']')
		bare = str_head(str_skip(host, 1), host.len - 2);
	if (!address_read(bare, &address) || memcmp(address.at + 12, none, 4))
		return host;
	if (address_is_ipv4(&address))
		return STR("127.0.0.1");
	return memcmp(address.at, none, 12) ? host : STR("[::1]");
}

bool address_read(struct str text, struct network *out)
{
	char buf[NETWORK_TEXT_MAX];

	*out = (struct network) { 0 };
	if (!text.len || text.len >= sizeof(buf) ||
	    memchr(text.at, 0, text.len))
		return false;
	memcpy(buf, text.at, text.len);
	buf[text.len] = '\0';
	out->bits = BITS6;
	if (inet_pton(AF_INET6, buf, out->at) == 1)
		return true;
	memcpy(out->at, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, buf, out->at + sizeof(mapped)) == 1)
		return true;
	*out = (struct network) { 0 };
	return false;
}

void address_print(const struct network *address, char out[NETWORK_TEXT_MAX])
{
	bool four = address_is_ipv4(address);

	if (!inet_ntop(four ? AF_INET : AF_INET6,
		       four ? address->at + sizeof(mapped) : address->at, out,
		       NETWORK_TEXT_MAX))
		out[0] = '\0';
}

bool address_eq(const struct network *a, const struct network *b)
{
	return !memcmp(a->at, b->at, sizeof(a->at));
}

/* Are all bits from the first `bits` on zero? */
static bool rest_is_zero(const struct network *network)
{
	unsigned i = network->bits / 8;

	if (network->bits % 8 &&
	    (unsigned char)(network->at[i++] << network->bits % 8))
		return false;
	for (; i < sizeof(network->at); i++)
		if (network->at[i])
			return false;
	return true;
}

enum err network_read(struct str text, struct network *out, struct cause *cause)
{
	static const char what[] = "is no network: write an address and how "
				   "many of its bits count, as 10.0.0.0/8 or "
				   "2001:db8::/32";
	struct str rest = text, address;
	bool sized = str_has(text, '/');
	struct network got;
	uint64_t bits;
	unsigned most;

	*out = (struct network) { 0 };
	str_cut(&rest, '/', &address);
	if (!address_read(address, &got))
		return bad(text, cause, what);
	if (sized) {
		most = str_has(address, ':') ? BITS6 : BITS4;
		if (str_to_u64(rest, most, &bits))
			return bad(text, cause, what);
		got.bits = (unsigned)bits + BITS6 - most;
	}
	if (!rest_is_zero(&got))
		return bad(text, cause,
			   "is no network: its address has bits behind "
			   "those that count; make them zero, or leave "
			   "the number out to mean this one address");
	*out = got;
	return E_OK;
}

bool network_has(const struct network *network, const struct network *address)
{
	unsigned whole = network->bits / 8, more = network->bits % 8;

	if (address_is_ipv4(address) && network->bits < MAPPED)
		return false;
	return !memcmp(network->at, address->at, whole) &&
	       !(more &&
		 (network->at[whole] ^ address->at[whole]) >> (8 - more));
}

enum err networks_read(struct str list, struct networks *out,
		       struct cause *cause)
{
	bool more = str_trim(list).len;

	out->len = 0;
	while (more) {
		struct str entry;
		enum err err;

		more = str_has(list, ',');
		str_cut(&list, ',', &entry);
		if (out->len == NETWORKS_MAX) {
			out->len = 0;
			return cause_set(cause, E_LIMIT,
					 "more than %d networks; use fewer and "
					 "wider ones",
					 (int)NETWORKS_MAX);
		}
		err = network_read(entry.at ? str_trim(entry) : STR(""),
				   &out->at[out->len], cause);
		if (err) {
			out->len = 0;
			return err;
		}
		out->len++;
	}
	return E_OK;
}

bool networks_have(const struct networks *list, const struct network *address)
{
	for (size_t i = 0; i < list->len; i++)
		if (network_has(&list->at[i], address))
			return true;
	return false;
}
