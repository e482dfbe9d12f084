/* token/limits.c - see the header. */
#include "token/limits.h"

#include "token/network.h"
#include "token/path.h"

enum { SHOWN = 100 };

typedef enum err entry_check(struct str entry, struct cause *cause);

static enum err bad(struct str entry, struct cause *cause, const char *what)
{
	return cause_set(cause, E_SYNTAX, "'%.*s' %s",
			 (int)(entry.len < SHOWN ? entry.len : SHOWN), entry.at,
			 what);
}

static bool is_star(struct str s)
{
	return str_eq(s, STR("*")) || str_eq(s, STR("**"));
}

static enum err check_pattern(struct str pattern, struct cause *cause)
{
	struct str rest = pattern;
	bool more = true, fine = pattern.len && pattern.len <= PATH_LEN_MAX;

	while (fine && more) {
		struct str part;

		more = str_has(rest, '/');
		str_cut(&rest, '/', &part);
		fine = is_star(part) || path_valid(part);
	}
	return fine ? E_OK
		    : bad(pattern, cause,
			  "is no pattern for repositories: write names parted "
			  "by \"/\", \"*\" for any one, \"**\" for any number, "
			  "as "
			  "group/app/**");
}

static enum err check_network(struct str text, struct cause *cause)
{
	struct network network;

	return network_read(text, &network, cause);
}

static enum err check_service(struct str name, struct cause *cause)
{
	if (!name.len || !str_printable(name))
		return bad(name, cause, "is no name of a service");
	return E_OK;
}

/*
 * Where they part, the last "**" takes one component more: as each "**" may
 * take any number, none before it needs another look.
 */
static bool pattern_fits(struct str pattern, struct str name)
{
	struct str again = { 0 }, taken = { 0 };

	while (name.len) {
		struct str p = pattern, n = name, want, have;

		str_cut(&p, '/', &want);
		str_cut(&n, '/', &have);
		if (str_eq(want, STR("**"))) {
			again = pattern = p;
			taken = name;
			if (!p.len)
				return true;
		} else if (want.len &&
			   (str_eq(want, STR("*")) || str_eq(want, have))) {
			pattern = p;
			name = n;
		} else if (again.len) {
			str_cut(&taken, '/', &have);
			name = taken;
			pattern = again;
		} else {
			return false;
		}
	}
	while (str_starts(pattern, STR("**"))) {
		struct str star;

		str_cut(&pattern, '/', &star);
	}
	return !pattern.len;
}

static bool repository_fits(struct str pattern, struct str name)
{
	return path_valid(name) && pattern_fits(pattern, name);
}

static bool network_fits(struct str text, struct str address)
{
	struct network network, client;
	struct str bare;

	str_cut(&address, '%', &bare); /* fe80::1%eth0 */
	return address_read(bare, &client) &&
	       !network_read(text, &network, NULL) &&
	       network_has(&network, &client);
}

static const struct {
	entry_check *check;
	bool (*fits)(struct str entry, struct str asked);
} rows[LIMIT_COUNT] = {
	[LIMIT_REPOSITORY] = { check_pattern, repository_fits },
	[LIMIT_NETWORK] = { check_network, network_fits },
	[LIMIT_SERVICE] = { check_service, str_eq },
};

enum err limit_check(enum limit limit, struct str list, struct cause *cause)
{
	size_t n = 0;
	bool more = list.len;

	if (list.len > LIMITS_LEN_MAX)
		return cause_set(cause, E_LIMIT,
				 "a token is limited by at most %d bytes of "
				 "one kind; use fewer and wider ones",
				 (int)LIMITS_LEN_MAX);
	for (; more; n++) {
		struct str entry;
		enum err err;

		more = str_has(list, ',');
		str_cut(&list, ',', &entry);
		err = rows[limit].check(entry.at ? entry : STR(""), cause);
		if (err)
			return err;
	}
	if (n > LIMITS_MAX)
		return cause_set(cause, E_LIMIT,
				 "a token has at most %d limits of one kind; "
				 "use fewer and wider ones",
				 (int)LIMITS_MAX);
	return E_OK;
}

bool limit_fits(enum limit limit, struct str list, struct str asked)
{
	struct str entry;

	if (!list.len)
		return true;
	while (str_cut(&list, ',', &entry))
		if (entry.len && rows[limit].fits(entry, asked))
			return true;
	return false;
}

const char *limit_name(enum limit limit)
{
	static const char *const names[] = {
#define X(name, one, several) one,
		LIMIT_LIST(X)
#undef X
	};

	return names[limit];
}

const char *limit_list(enum limit limit)
{
	static const char *const names[] = {
#define X(name, one, several) several,
		LIMIT_LIST(X)
#undef X
	};

	return names[limit];
}
