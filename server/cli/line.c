/* server/cli/line.c - see the header. */
#include "server/cli/line.h"

#include <stdio.h>
#include <string.h>

const struct opt_row opt_rows[OPT_COUNT] = {
#define X(name, text, takes, help) [OPT_##name] = { text, takes, help },
	OPT_LIST(X)
#undef X
};

size_t line_distance(struct str a, struct str b)
{
	size_t row[64], n = b.len < 63 ? b.len : 63;

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; i < a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			size_t best = diagonal + (a.at[i] != b.at[j]);

			diagonal = row[j + 1];
			best = best < diagonal + 1 ? best : diagonal + 1;
			row[j + 1] = best < row[j] + 1 ? best : row[j] + 1;
		}
	}
	return row[n];
}

const char *line_near_option(struct str name, uint64_t opts)
{
	const char *near = NULL;
	size_t best = LINE_NEAR + 1;

	for (size_t i = 0; i < OPT_COUNT; i++) {
		struct str whole = str_of(opt_rows[i].name);
		size_t d = name.len > 1 && str_starts(whole, name)
				   ? 1
				   : line_distance(name, whole);

		if (!(opts >> i & 1) || d >= best || 2 * d > name.len)
			continue;
		best = d;
		near = opt_rows[i].name;
	}
	return near;
}

static int opt_find(struct str name)
{
	for (int i = 0; i < OPT_COUNT; i++)
		if (str_eq(name, str_of(opt_rows[i].name)))
			return i;
	return -1;
}

static void bad_option(struct line *line, const char *before, struct str name,
		       const char *after)
{
	if (!*line->bad.text)
		snprintf(line->bad.text, sizeof(line->bad.text), "%s%.*s%s",
			 before, (int)(name.len < 40 ? name.len : 40), name.at,
			 after);
}

static void unknown_option(struct line *line, struct str name)
{
	if (!*line->bad.text)
		line->unknown = str_head(name, name.len < 40 ? name.len : 40);
	bad_option(line, "no option --", name, "");
}

/* "first,second" behind what is joined already; too much is a mistake. */
static const char *join(struct line *line, int opt, const char *first,
			const char *second)
{
	char *end = line->joined + line->joined_len, *at = end;
	size_t room;
	int len;

	line->again |= 1ull << opt;
	if (first >= line->joined && first < end &&
	    first + strlen(first) + 1 == end) /* it is the last: it grows */
		at = line->joined + (first - line->joined);
	room = (size_t)(line->joined + sizeof(line->joined) - end);
	len = at == end ? snprintf(end, room, "%s,%s", first, second)
			: snprintf(end - 1, room, ",%s", second);
	if (len < 0 || (size_t)len >= room) {
		bad_option(line, "--", str_of(opt_rows[opt].name),
			   " is given too often");
		return second;
	}
	line->joined_len += (size_t)len + (at == end);
	return at;
}

/* Returns how many further words of argv it took. */
static int read_option(struct line *line, const char *text, const char *next)
{
	struct str rest = str_of(text), name;
	bool has_value = str_has(rest, '=');
	const char *before, *value;
	int opt;

	str_cut(&rest, '=', &name);
	opt = opt_find(name);
	if (opt < 0 && str_eq(name, STR("version")) && !has_value) {
		line->version = true;
		return 0;
	}
	if (opt < 0) {
		unknown_option(line, name);
		return 0;
	}
	before = line->opts[opt];
	if (!opt_rows[opt].takes) {
		if (has_value)
			bad_option(line, "--", name, " takes no value");
		line->opts[opt] = "";
		line->again |= before ? 1ull << opt : 0;
		return 0;
	}
	if (has_value)
		value = rest.at ? rest.at : "";
	else
		value = next && strncmp(next, "--", 2) ? next : "";
	if (!*value)
		bad_option(line, "--", name, " needs a value");
	line->opts[opt] = before ? join(line, opt, before, value) : value;
	return !has_value && value == next;
}

/* A value below zero is for who reads it to refuse. */
static bool is_number(const char *text)
{
	uint64_t number;

	return !str_to_u64(str_of(text), UINT64_MAX, &number);
}

void line_read(int argc, char **argv, struct line *line)
{
	bool options = true;

	for (int i = 1; i < argc; i++) {
		if (options && !strcmp(argv[i], "--")) {
			options = false;
		} else if (options && !strncmp(argv[i], "--", 2)) {
			i += read_option(line, argv[i] + 2,
					 i + 1 < argc ? argv[i + 1] : NULL);
		} else if (options &&
			   (!strcmp(argv[i], "-h") ||
			    (!line->words_count && !strcmp(argv[i], "help")))) {
			line->opts[OPT_HELP] = "";
		} else if (options && argv[i][0] == '-' && argv[i][1] &&
			   !is_number(argv[i] + 1)) {
			bad_option(line, "no option ", str_of(argv[i]), "");
		} else if (line->words_count < COUNT(line->words)) {
			line->words[line->words_count++] = str_of(argv[i]);
		}
	}
}
