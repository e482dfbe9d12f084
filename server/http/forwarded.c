/* server/http/forwarded.c - see the header. */
#include "server/http/forwarded.h"

#include "server/http/field.h"

/* What hides the client. */
static const struct str hidden = STR("unknown");

static void add(struct hops *hops, struct str hop)
{
	hops->at[hops->count++ % HOPS_MAX] = hop;
}

void hops_add_plain(struct hops *hops, struct str line)
{
	struct str hop;

	/* An empty entry is none (RFC 9110 5.6.1.2). */
	while (str_cut(&line, ',', &hop))
		if (str_trim(hop).len)
			add(hops, str_trim(hop));
}

/* Without its quotes. No address needs a backslash: *plain is false then. */
static bool take_quoted(struct str *rest, struct str *value, bool *plain)
{
	struct str all = str_skip(*rest, 1);
	size_t n = 0;

	*plain = true;
	while (n < all.len && all.at[n] != '"') {
		if (all.at[n] == '\\') {
			*plain = false;
			n++;
		}
		n++;
	}
	if (n >= all.len)
		return false;
	*value = str_head(all, n);
	*rest = str_skip(all, n + 1);
	return true;
}

/* name "=" ( token | quoted-string ); false: something else stands there. */
static bool take_pair(struct str *rest, struct str *name, struct str *value)
{
	bool plain = true;

	*name = field_take(rest, field_is_token);
	if (!name->len || !rest->len || rest->at[0] != '=')
		return false;
	*rest = str_skip(*rest, 1);
	if (field_begins(*rest, '"')) {
		if (!take_quoted(rest, value, &plain))
			return false;
	} else {
		*value = field_take(rest, field_is_token);
		if (!value->len)
			return false;
	}
	if (!plain)
		*value = hidden;
	return true;
}

/* One element, up to the comma behind it or the end. */
static bool take_element(struct str *rest, struct str *hop)
{
	*hop = (struct str) { 0 };
	for (;;) {
		struct str name, value;

		field_skip_blanks(rest);
		if (rest->len && rest->at[0] != ';' && rest->at[0] != ',') {
			if (!take_pair(rest, &name, &value))
				return false;
			/* Each parameter once (RFC 7239 4). */
			if (str_eq_nocase(name, STR("for")))
				*hop = hop->len ? hidden : value;
			field_skip_blanks(rest);
		}
		if (!rest->len || rest->at[0] == ',')
			return true;
		if (rest->at[0] != ';')
			return false;
		*rest = str_skip(*rest, 1);
	}
}

void hops_add_forwarded(struct hops *hops, struct str line)
{
	struct str hop;

	while (line.len) {
		struct str before = line;

		if (!take_element(&line, &hop)) {
			add(hops, hidden);
			return;
		}
		before = str_trim(str_head(before, before.len - line.len));
		if (before.len) /* an empty element is none */
			add(hops, hop.len ? hop : hidden);
		if (line.len)
			line = str_skip(line, 1);
	}
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80" */
static bool read_node(struct str text, struct network *out)
{
	struct str rest = text, host = text;
	uint64_t port;

	if (str_starts(text, STR("["))) {
		rest = str_skip(text, 1);
		if (!str_has(rest, ']'))
			return false;
		str_cut(&rest, ']', &host);
		if (!str_has(host, ':'))
			return false;
		if (rest.len && rest.at[0] != ':')
			return false;
	} else {
		str_cut(&rest, ':', &host);
		if (str_has(rest, ':')) {
			host = text;
			rest = (struct str) { 0 };
		} else if (rest.len || host.len < text.len) {
			rest = str_skip(text, host.len);
		}
	}
	if (rest.len && str_to_u64(str_skip(rest, 1), 65535, &port))
		return false;
	return address_read(host, out);
}

static struct client walk(const struct hops *hops, const struct network *peer,
			  const struct networks *trusted)
{
	size_t n = hops->count < HOPS_MAX ? hops->count : HOPS_MAX;
	struct client client = { .address = *peer };

	for (size_t i = 1; i <= n; i++) {
		struct str hop = hops->at[(hops->count - i) % HOPS_MAX];
		struct network address;

		if (!read_node(hop, &address)) {
			client.unsure = true;
			return client;
		}
		client.address = address;
		if (!networks_have(trusted, &address))
			return client;
	}
	/* There are more, and nobody has looked at them. */
	client.unsure = hops->count > n;
	return client;
}

struct client hops_client(const struct hops *plain,
			  const struct hops *forwarded,
			  const struct network *peer,
			  const struct networks *trusted)
{
	struct client one = walk(plain, peer, trusted);
	struct client two = walk(forwarded, peer, trusted);

	if (!forwarded->count)
		return one;
	if (!plain->count)
		return two;
	if (!one.unsure && !two.unsure &&
	    address_eq(&one.address, &two.address))
		return one;
	return (struct client) { .address = *peer, .unsure = true };
}
