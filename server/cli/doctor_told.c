/*
 * server/cli/doctor_told.c - does the server that runs on this machine go by
 * what is on the disk: by this store, these keys, these certificates?
 */
#include "server/cli/doctor.h"

#include <string.h>

#include "server/metrics.h"

enum { JWKS_MAX = 256 * 1024, LINE_MAX = 1024 };

/* Of the key that signs, in a line of metrics_put_key(). */
static const char current[] = "state=\"current\"";

static const char start_or_restart[] =
	"start it; or, if its store and keys were others when it started: "
	"systemctl restart dockpass";

/* Of a set of keys the first is the one that signs. */
static enum told compare_keys(struct str served, struct str own)
{
	static const char mark[] = "\"kid\":\"";
	const char *at = memmem(served.at, served.len, mark, strlen(mark));
	struct str rest, kid;

	if (str_eq(served, own))
		return TOLD_ALL;
	if (!at)
		return TOLD_NOT;
	rest = str_skip(served, (size_t)(at - served.at) + strlen(mark));
	str_cut(&rest, '"', &kid);
	return memmem(own.at, own.len, kid.at, kid.len) ? TOLD_NOT : TOLD_GONE;
}

static enum told ask_keys(struct doctor *d, const struct near *near,
			  struct transfer_reply *reply)
{
	const char *url =
		doctor_text(d, "%s/.well-known/jwks.json", near->base);
	AUTO(buf) struct buf head, body, own;

	buf_init(&own, JWKS_MAX);
	doctor_get(d, url, NULL, true, &head, &body, reply);
	if (reply->end != TRANSFER_DONE || !body.len ||
	    keyring_print_jwks(d->keyring, false, &own))
		return TOLD_UNKNOWN;
	if (!str_eq(buf_str(&own), buf_str(&body)) && doctor_unserved(d))
		return TOLD_ANOTHER;
	return compare_keys(buf_str(&body), buf_str(&own));
}

static bool is_key_line(const struct key *key, struct str line)
{
	AUTO(buf) struct buf own;

	buf_init(&own, LINE_MAX);
	metrics_put_key(key, &own);
	return !own.over && own.len &&
	       str_eq(line, str_head(buf_str(&own), own.len - 1));
}

/* Is it of a key that we have, in whatever state? */
static enum told compare_line(struct doctor *d, struct str line)
{
	for (size_t i = 0; i < keyring_len(d->keyring); i++) {
		const struct key *key = keyring_at(d->keyring, i);

		if (is_key_line(key, line))
			return TOLD_ALL;
		if (memmem(line.at, line.len, key->libtrust,
			   strlen(key->libtrust)))
			return TOLD_NOT;
	}
	return memmem(line.at, line.len, current, strlen(current)) ? TOLD_GONE
								   : TOLD_NOT;
}

static enum told compare_lines(struct doctor *d, struct str lines)
{
	enum told told = TOLD_ALL, one;
	struct str line;
	size_t found = 0;

	while (str_cut(&lines, '\n', &line)) {
		if (!str_starts(line, STR(METRICS_KEY "{")))
			continue;
		one = compare_line(d, line);
		found++;
		if (one > told)
			told = one;
	}
	if (!found)
		return TOLD_UNASKED;
	return told == TOLD_ALL && found != keyring_len(d->keyring) ? TOLD_NOT
								    : told;
}

/* Where no listener can be asked. */
static enum told ask_metrics(struct doctor *d, const struct near *near,
			     struct transfer_reply *reply)
{
	const char *url = doctor_text(d, "%s/metrics", near->base);
	AUTO(buf) struct buf head, body;
	enum told told;

	doctor_get(d, url, NULL, true, &head, &body, reply);
	if (reply->end != TRANSFER_DONE || reply->status != 200)
		return TOLD_UNASKED;
	told = compare_lines(d, buf_str(&body));
	return told > TOLD_ALL && doctor_unserved(d) ? TOLD_ANOTHER : told;
}

/* *near: who was asked. */
static enum told ask(struct doctor *d, struct near *near,
		     struct transfer_reply *reply)
{
	if (near_open(d, false, near))
		return ask_keys(d, near, reply);
	if (near_open(d, true, near))
		return ask_metrics(d, near, reply);
	return TOLD_UNASKED;
}

enum told doctor_told(struct doctor *d)
{
	struct transfer_reply reply;
	struct near near;

	return ask(d, &near, &reply);
}

/* As the sandbox's refusals end: server/sandbox.c, server/owner.c. */
static bool asks_for_restart(const char *said)
{
	static const char end[] = ": restart dockpass";
	size_t len = strlen(said), n = sizeof(end) - 1;

	return len >= n && !strcmp(said + len - n, end);
}

/* Whatever else it has refused, it would not start with either. */
const char *doctor_tell(const struct doctor *d)
{
	struct reloads is;

	if (db_reloads(d->call->config->store, &is, NULL) || !is.stale)
		return RELOAD;
	if (strlen(is.said) + 1 >= sizeof(struct cause)) /* it was cut */
		return RELOAD "; if it refuses that again, its log says why";
	if (asks_for_restart(is.said))
		return RELOAD "; if it refuses that again, systemctl restart "
			      "dockpass: its log says why";
	return RELOAD "; if it refuses that again, mend what it says, and do "
		      "not restart it before: it would not start";
}

enum health doctor_untold(struct doctor *d, enum told told, const char *then)
{
	const char *keys = d->call->config->keys, *mend = doctor_tell(d);

	if (then)
		mend = doctor_text(d, "%s; then %s", mend, then);
	if (told != TOLD_GONE)
		return doctor_found(d, HEALTH_FAIL, mend,
				    "the running server has other keys than "
				    "%s: they changed, and it was not told",
				    keys);
	d->found.gravity = GRAVE_DOWN;
	return doctor_found(d, HEALTH_FAIL, mend,
			    "the running server signs with a key that %s no "
			    "longer has: it was removed, and the server was "
			    "not told",
			    keys);
}

static enum health found_told(struct doctor *d, const struct near *near,
			      enum told told,
			      const struct transfer_reply *reply)
{
	const struct config *config = d->call->config;

	if (reply->end != TRANSFER_DONE)
		return doctor_no_answer(d, "the server", near->base, "", reply);
	if (told == TOLD_UNKNOWN)
		return doctor_found(d, HEALTH_FAIL, doctor_see_port,
				    "what answers at %s shows no keys (%ld)",
				    near->address, reply->status);
	if (told == TOLD_ANOTHER) {
		d->found.gravity = GRAVE_DOWN;
		return doctor_found(d, HEALTH_FAIL, start_or_restart,
				    "what answers at %s is another dockpass: "
				    "nobody serves %s",
				    near->address, config->store);
	}
	if (told != TOLD_ALL)
		return doctor_untold(d, told, NULL);
	return HEALTH_OK;
}

/* Not seen by its keys: they are the same, or it cannot be asked. */
static enum health found_unserved(struct doctor *d)
{
	d->found.gravity = GRAVE_DOWN;
	return doctor_found(d, HEALTH_FAIL, "systemctl restart dockpass",
			    "nobody serves %s; the running server has another "
			    "store: what commands change here, as a "
			    "revocation, does not hold",
			    d->call->config->store);
}

/* What it said of its last reload (is->said, from the second line on); "". */
static const char *left_undone(struct doctor *d)
{
	struct reloads is = { .steps = 0 };
	const char *list = "";
	struct str said, line;

	if (db_reloads(d->call->config->store, &is, NULL))
		return list;
	said = str_of(is.said);
	for (str_cut(&said, '\n', &line); str_cut(&said, '\n', &line);)
		list = doctor_text(d, "%s%s" STR_FMT, list, *list ? "; " : "",
				   STR_ARG(line));
	return list;
}

enum health check_served(struct doctor *d)
{
	const struct config *config = d->call->config;
	enum health keys = HEALTH_SKIPPED, files;
	struct transfer_reply reply;
	struct reloads is;
	const char *undone;
	struct near near;
	enum told told;

	if (!db_reloads(config->store, &is, NULL) && is.stale)
		return doctor_found(
			d, HEALTH_FAIL, doctor_tell(d),
			"the running server has refused its last "
			"reload, and goes by what was there before: %s",
			is.said);
	told = ask(d, &near, &reply);
	if (told != TOLD_UNASKED)
		keys = found_told(d, &near, told, &reply);
	if (keys == HEALTH_FAIL)
		return keys;
	if (doctor_unserved(d))
		return found_unserved(d);
	files = doctor_shown(d);
	if (files == HEALTH_FAIL || files == HEALTH_WARN)
		return files;
	undone = left_undone(d);
	if (*undone)
		return doctor_found(d, HEALTH_WARN, NULL,
				    "the running server's last reload: %s",
				    undone);
	if (keys == HEALTH_SKIPPED)
		return doctor_found(d, HEALTH_SKIPPED, NULL, "%s: not asked",
				    doctor_not_asked);
	if (files == HEALTH_SKIPPED)
		return doctor_found(d, HEALTH_SKIPPED, NULL,
				    "it has the keys of %s; by which options "
				    "and certificates it goes admin.address "
				    "would tell, and cannot be asked",
				    config->keys);
	return doctor_found(d, HEALTH_OK, NULL,
			    "the running server has the keys of %s, and "
			    "goes by %s",
			    config->keys, config->path);
}
