/* token/rights.c - the tables of rights, and the names of what they hold. */
#include "token/rights.h"

enum {
	P = RIGHT_PULL,
	PU = RIGHT_PULL | RIGHT_PUSH,
	PUD = RIGHT_REPOSITORY,
	PUDC = RIGHT_REPOSITORY | RIGHT_CATALOG,
	PC = RIGHT_PULL | RIGHT_CATALOG,
};

struct name {
	struct str text;
	unsigned value;
};

#define NAME(text, value)                                                      \
	{                                                                      \
		{ text, sizeof(text) - 1 }, value                              \
	}

/* In the order of the bits. */
static const struct {
	struct name name;
	unsigned rights;
} pat_scopes[] = {
	{ NAME("api", PAT_API), PUDC },
	{ NAME("read_user", PAT_READ_USER), 0 },
	{ NAME("read_api", PAT_READ_API), PC },
	{ NAME("read_repository", PAT_READ_REPOSITORY), 0 },
	{ NAME("write_repository", PAT_WRITE_REPOSITORY), 0 },
	{ NAME("read_registry", PAT_READ_REGISTRY), P },
	{ NAME("write_registry", PAT_WRITE_REGISTRY), PU },
	{ NAME("sudo", PAT_SUDO), 0 },
};

static const struct name visibilities[] = {
	NAME("private", VISIBILITY_PRIVATE),
	NAME("internal", VISIBILITY_INTERNAL),
	NAME("public", VISIBILITY_PUBLIC),
};

static const struct name registry_accesses[] = {
	NAME("enabled", REGISTRY_ENABLED),
	NAME("private", REGISTRY_PRIVATE),
	NAME("disabled", REGISTRY_DISABLED),
};

enum column {
	ANONYMOUS,
	SIGNED_IN,
	EXTERNAL,
	GUEST, /* and planner */
	REPORTER,
	DEVELOPER,
	MAINTAINER, /* and owner, admin */
	COLUMNS
};

static const struct role_row {
	struct name name;
	enum column column;
} roles[] = {
	{ NAME("guest", ROLE_GUEST), GUEST },
	{ NAME("planner", ROLE_PLANNER), GUEST },
	{ NAME("reporter", ROLE_REPORTER), REPORTER },
	{ NAME("developer", ROLE_DEVELOPER), DEVELOPER },
	{ NAME("maintainer", ROLE_MAINTAINER), MAINTAINER },
	{ NAME("owner", ROLE_OWNER), MAINTAINER },
};

static const unsigned char grants[][COLUMNS] = {
	[VISIBILITY_PRIVATE] = { 0, 0, 0, 0, P, PU, PUD },
	[VISIBILITY_INTERNAL] = { 0, P, 0, P, P, PU, PUD },
	[VISIBILITY_PUBLIC] = { P, P, P, P, P, PU, PUD },
};

static const struct name *name_find(const struct name *names, size_t n,
				    struct str text)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(names[i].text, text))
			return &names[i];
	return NULL;
}

static struct str name_of(const struct name *names, size_t n, unsigned value,
			  struct str otherwise)
{
	for (size_t i = 0; i < n; i++)
		if (names[i].value == value)
			return names[i].text;
	return otherwise;
}

static unsigned pat_scope_find(struct str name)
{
	for (size_t i = 0; i < COUNT(pat_scopes); i++)
		if (str_eq(pat_scopes[i].name.text, name))
			return pat_scopes[i].name.value;
	return 0;
}

enum err pat_scopes_parse(struct str text, unsigned *out, struct str *unknown)
{
	unsigned bits = 0;
	bool more;

	*out = 0;
	*unknown = (struct str) { 0 };
	do {
		struct str word;
		unsigned bit;

		more = str_has(text, ',');
		str_cut(&text, ',', &word);
		word = str_trim(word);
		bit = pat_scope_find(word);
		if (!bit) {
			*unknown = word;
			return E_SYNTAX;
		}
		bits |= bit;
	} while (more);
	*out = bits;
	return E_OK;
}

struct str pat_scopes_next(unsigned *bits)
{
	for (size_t i = 0; i < COUNT(pat_scopes); i++) {
		unsigned bit = pat_scopes[i].name.value;

		if (*bits & bit) {
			*bits &= ~bit;
			return pat_scopes[i].name.text;
		}
	}
	return (struct str) { 0 };
}

unsigned pat_rights(unsigned scopes, bool write_implies_pull)
{
	unsigned rights = 0;

	for (size_t i = 0; i < COUNT(pat_scopes); i++) {
		unsigned bit = scopes & pat_scopes[i].name.value;

		if (bit == PAT_WRITE_REGISTRY && !write_implies_pull)
			rights |= RIGHT_PUSH;
		else if (bit)
			rights |= pat_scopes[i].rights;
	}
	return rights;
}

/* NULL: it is none of the six. */
static const struct role_row *role_row(unsigned number)
{
	for (size_t i = 0; i < COUNT(roles); i++)
		if (roles[i].name.value == number)
			return &roles[i];
	return NULL;
}

enum err role_parse(struct str name, enum role *out)
{
	*out = ROLE_NONE;
	for (size_t i = 0; i < COUNT(roles); i++)
		if (str_eq(roles[i].name.text, name)) {
			*out = (enum role)roles[i].name.value;
			return E_OK;
		}
	return E_SYNTAX;
}

struct str role_name(enum role role)
{
	const struct role_row *row = role_row(role);

	return row ? row->name.text : STR("no role");
}

bool role_known(unsigned number)
{
	return role_row(number);
}

enum err visibility_parse(struct str name, enum visibility *out)
{
	const struct name *found =
		name_find(visibilities, COUNT(visibilities), name);

	*out = found ? (enum visibility)found->value : VISIBILITY_PRIVATE;
	return found ? E_OK : E_SYNTAX;
}

struct str visibility_name(enum visibility visibility)
{
	return name_of(visibilities, COUNT(visibilities), visibility,
		       STR("unknown"));
}

enum err registry_access_parse(struct str name, enum registry_access *out)
{
	const struct name *found =
		name_find(registry_accesses, COUNT(registry_accesses), name);

	*out = found ? (enum registry_access)found->value : REGISTRY_DISABLED;
	return found ? E_OK : E_SYNTAX;
}

struct str registry_access_name(enum registry_access access)
{
	return name_of(registry_accesses, COUNT(registry_accesses), access,
		       STR("unknown"));
}

static enum column column_of(const struct standing *who)
{
	const struct role_row *row = role_row(who->role);

	if (!who->signed_in)
		return ANONYMOUS;
	if (who->admin)
		return MAINTAINER;
	if (row)
		return row->column;
	return who->external ? EXTERNAL : SIGNED_IN;
}

const struct project_rules project_rules_none = {
	.visibility = VISIBILITY_PRIVATE,
	.registry = REGISTRY_DISABLED,
};

unsigned project_rights(const struct project_rules *rules,
			const struct standing *who)
{
	enum column column = column_of(who);
	unsigned rights;

	if ((size_t)rules->visibility >= COUNT(grants))
		return 0;
	switch (rules->registry) {
	case REGISTRY_ENABLED:
		break;
	case REGISTRY_PRIVATE:
		if (column < REPORTER)
			return 0;
		break;
	case REGISTRY_DISABLED:
	default:
		return 0;
	}
	rights = grants[rules->visibility][column];
	return rules->archived ? rights & RIGHT_PULL : rights;
}
