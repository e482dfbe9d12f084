/* server/watch.c - see the header. */
#include "server/watch.h"

int64_t watch_every(int64_t limit)
{
	return limit > 3 ? limit / 3 : limit;
}

static const char *find_stuck(const struct watched *is, int64_t now,
			      int64_t limit)
{
	int64_t most = watch_every(limit);

	if (now - is->oldest > (most > WATCH_LEAST ? most : WATCH_LEAST))
		return "a worker";
	if (is->writer > WATCH_WRITER)
		return "the writer";
	return "";
}

bool watch_look(struct watch *watch, const struct watched *now_is, int64_t now,
		int64_t limit, const char **stuck)
{
	const char *found = find_stuck(now_is, now, limit);
	bool is_stuck = *found != '\0';

	*stuck = is_stuck != watch->stuck ? found : NULL;
	watch->stuck = is_stuck;
	watch->told_at = now;
	return !is_stuck;
}
