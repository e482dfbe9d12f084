/* server/cli/doctor_here.c - this side: configuration, keys, store, folders. */
#include "server/cli/doctor.h"

#include <sys/stat.h>

#include "server/jobs/courier.h"
#include "server/keys.h"
#include "server/live.h"
#include "server/outlet.h"
#include "server/thresholds.h"
#include "server/tls.h"
#include "store/look.h"
#include "token/date.h"
#include "token/word.h"

enum health check_config(struct doctor *d)
{
	struct call *call = d->call;
	struct cause cause;

	if (config_load(call->opts[OPT_CONFIG], &call->config, &cause))
		return doctor_found(d, HEALTH_FAIL, NULL, "%s", cause.text);
	d->known |= KNOWN_CONFIG;
	return doctor_found(d, HEALTH_OK, NULL, "%s can be read",
			    call->config->path);
}

enum health check_keys(struct doctor *d)
{
	const struct config *config = d->call->config;
	enum err err;
	struct cause cause;

	err = keys_load(config->keys, &d->keyring, &cause);
	if (err == E_NOT_FOUND)
		config_blame(config->keys_place, err, &cause);
	if (err)
		return doctor_found(d, HEALTH_FAIL, NULL, "%s", cause.text);
	if (!keyring_current(d->keyring))
		return doctor_found(d, HEALTH_FAIL,
				    "dockpass key new, then dockpass key "
				    "activate KID",
				    "%s: no key is current", config->keys);
	d->known |= KNOWN_KEYS;
	for (size_t i = 0; i < keyring_len(d->keyring); i++) {
		const struct key *key = keyring_at(d->keyring, i);

		d->found.gravity = GRAVE_SOME;
		if (key_is_misread(key))
			return doctor_found(
				d, HEALTH_WARN,
				"change to another key, beginning with "
				"dockpass key new",
				"%s has a coordinate that begins with a zero: "
				"registry 3 computes another rfc7638 id of "
				"its certificate",
				key->libtrust);
	}
	return doctor_found(d, HEALTH_OK, NULL, "%zu in %s, %s signs",
			    keyring_len(d->keyring), config->keys,
			    keyring_current(d->keyring)->libtrust);
}

enum health check_public(struct doctor *d)
{
	const struct config *config = d->call->config;
	const char *name = "";
	struct cause cause;
	struct stat st;

	if (keys_check_public(d->keyring, config->public, &cause))
		return doctor_found(d, HEALTH_FAIL, NULL, "%s", cause.text);
	for (size_t i = 0; name; name = keys_public(i++)) {
		const char *path = doctor_text(d, "%s%s%s", config->public,
					       *name ? "/" : "", name);

		if (!stat(path, &st) && !(st.st_mode & S_IROTH))
			return doctor_found(
				d, HEALTH_WARN,
				doctor_text(d, "chmod a+r%s %s",
					    S_ISDIR(st.st_mode) ? "x" : "",
					    word_of(path).at),
				"%s: a registry that runs as another user "
				"cannot read it",
				path);
	}
	return doctor_found(d, HEALTH_OK, NULL,
			    "%s has bundle.pem and jwks.json of these keys",
			    config->public);
}

static enum health found_end(struct doctor *d, const char *what, int64_t end,
			     int64_t days, const char *mend)
{
	int64_t left = end - d->call->now;

	if (left <= 0)
		return doctor_found(d, HEALTH_FAIL, mend, "%s ended at %s",
				    what, time_print(end).at);
	if (left < days * DAY)
		return doctor_found(d, HEALTH_WARN, mend, "%s ends at %s", what,
				    time_print(end).at);
	return doctor_found(d, HEALTH_OK, NULL, "%s ends at %s", what,
			    date_print(end).at);
}

/* Tokens go without x5c then: registries that need it refuse them. */
enum health check_certificate(struct doctor *d)
{
	return found_end(d, "that of the key that signs",
			 keyring_current(d->keyring)->not_after, KEY_WARN_DAYS,
			 "change the key, beginning with dockpass key new");
}

/* What was found of a listener's TLS; `ends` 0: of no date. */
struct seen {
	enum health health;
	struct finding found;
	int64_t ends;
};

/* Of those that are good from a day to come on, the first; or NULL. */
static const struct tls_file *not_yet(const struct tls_file *files,
				      size_t count, int64_t now)
{
	for (size_t i = 0; i < count; i++)
		if (files[i].begins > now)
			return &files[i];
	return NULL;
}

/* Of what it shows, and asks clients for, that which ends first. */
static void look_at_tls(struct doctor *d, const struct config_tls *config,
			struct seen *out)
{
	const struct tls_file *files, *first, *later;
	struct ssl_ctx_st *tls;
	struct cause cause;
	size_t count;

	d->found.gravity = GRAVE_START;
	if (tls_new(config, &tls, &cause)) {
		doctor_found(d, HEALTH_FAIL, NULL, "%s", cause.text);
		*out = (struct seen) { HEALTH_FAIL, d->found, 0 };
		return;
	}
	files = tls_files(tls, &count);
	first = &files[0];
	for (size_t i = 1; i < count; i++)
		if (files[i].ends < first->ends)
			first = &files[i];
	d->found.gravity = GRAVE_DOWN; /* the server starts with it */
	later = not_yet(files, count, d->call->now);
	if (later)
		out->health = doctor_found(
			d, HEALTH_FAIL,
			"get another, then reload; or mend this machine's "
			"clock",
			"%s is good from %s on: till then clients refuse it",
			later->path, time_print(later->begins).at);
	else
		out->health = found_end(d, first->path, first->ends,
					TLS_WARN_DAYS, "renew it, then reload");
	out->found = d->found;
	out->ends = first->ends;
	tls_free(tls);
}

static bool is_graver(const struct seen *one, const struct seen *other)
{
	if (one->health != other->health)
		return one->health > other->health;
	if (one->found.gravity != other->found.gravity)
		return one->found.gravity < other->found.gravity;
	return one->ends < other->ends;
}

enum health check_listener_tls(struct doctor *d)
{
	const struct config *config = d->call->config;
	struct seen worst = { 0 };
	const struct config_tls *tls;
	const char *address;

	for (unsigned i = 0; (tls = live_listener(config, i, &address)); i++) {
		struct seen seen;

		if (!*address || !config_certificates(tls))
			continue;
		look_at_tls(d, tls, &seen);
		if (!worst.found.text || is_graver(&seen, &worst))
			worst = seen;
	}
	if (!worst.found.text)
		return doctor_found(d, HEALTH_OK, NULL, "no listener has it");
	d->found = worst.found;
	return worst.health;
}

struct said {
	struct doctor *d;
	unsigned count;
	const char *text;
};

static void on_warning(void *arg, const char *event, const char *text)
{
	struct said *said = arg;

	(void)event;
	said->text = said->count++
			     ? doctor_text(said->d, "%s; %s", said->text, text)
			     : doctor_text(said->d, "%s", text);
}

/* What the server's log says at each start, and dockpass check. */
enum health check_warnings(struct doctor *d)
{
	struct call *call = d->call;
	struct said said = { .d = d };
	struct live *live;
	struct cause cause;

	if (live_load(call->config->path, NULL, &live, &cause))
		return doctor_found(d, HEALTH_SKIPPED, NULL,
				    "not looked at: the server would not "
				    "start: %s",
				    cause.text);
	live_warn(live, call->now, on_warning, &said);
	live_drop(live);
	if (!said.count)
		return doctor_found(d, HEALTH_OK, NULL,
				    "the server's log has none to say");
	return doctor_found(d, HEALTH_WARN, NULL, "%s", said.text);
}

enum health check_secrets(struct doctor *d)
{
	struct cause cause;

	if (courier_check(d->call->config, &cause))
		return doctor_found(d, HEALTH_FAIL, NULL, "%s", cause.text);
	return doctor_found(d, HEALTH_OK, NULL,
			    "files of secrets can be read, and by none else");
}

/* As its owner: root, who read the configuration, can write anywhere. */
enum health check_log_file(struct doctor *d)
{
	const struct config_log *log = &d->call->config->log;
	struct cause cause;
	enum err err;

	if (!log->file)
		return doctor_found(d, HEALTH_OK, NULL, "no file of its own");
	err = outlet_check(log->file, &cause);
	if (!err)
		return doctor_found(d, HEALTH_OK, NULL, "%s can be written",
				    log->file);
	config_blame(config_place(d->call->config, "log.file"), err, &cause);
	return doctor_found(d, HEALTH_FAIL, NULL, "%s", cause.text);
}

/*
 * First in another process: of one that is damaged the doctor tells, and goes
 * on.
 */
enum health check_store(struct doctor *d)
{
	struct call *call = d->call;
	const char *store = call->config->store;
	struct store_facts facts;
	struct cause cause = { 0 };
	enum err err = look_at_store_briefly(store, &facts, &cause);
	bool large = err == E_LIMIT && !*cause.text;

	if (!err || large)
		err = db_open(store, DB_OPEN, call->now, &call->db, &cause);
	if (err == E_NOT_FOUND)
		config_blame(call->config->store_place, err, &cause);
	if (err)
		return doctor_found(d, HEALTH_FAIL, NULL, "%s", cause.text);
	db_limit(call->db, (uint64_t)call->config->store_size << 20);
	d->known |= KNOWN_STORE;
	if (large)
		return doctor_found(d, HEALTH_OK, NULL,
				    "%s opens; dockpass store check reads all "
				    "of it",
				    store);
	return doctor_found(d, HEALTH_OK, NULL,
			    "%s is sound: %llu users, %llu tokens", store,
			    (unsigned long long)facts.users,
			    (unsigned long long)facts.tokens);
}

enum health check_room(struct doctor *d)
{
	AUTO(txn) struct txn txn = { 0 };
	struct db_usage usage;

	txn_read(d->call->db, &txn);
	db_usage(&txn, &usage);
	if (txn.err)
		return doctor_found(d, HEALTH_FAIL, NULL, "the store: %s",
				    err_text(txn.err));
	if (usage.used / NEARLY_FULL >= usage.limit / 100)
		return doctor_found(
			d,
			usage.used >= usage.limit ? HEALTH_FAIL : HEALTH_WARN,
			"dockpass audit export, then audit prune; or raise "
			"store_size, and reload",
			"the store has %llu of the %llu MiB of store_size",
			(unsigned long long)(usage.used >> 20),
			(unsigned long long)(usage.limit >> 20));
	if (usage.readers * 100 >= usage.slots * NEARLY_FULL)
		return doctor_found(d, HEALTH_WARN,
				    "end dockpass commands that hang",
				    "%u of the store's %u readers are taken",
				    usage.readers, usage.slots);
	return doctor_found(d, HEALTH_OK, NULL,
			    "%llu of %llu MiB, %u of %u readers",
			    (unsigned long long)(usage.used >> 20),
			    (unsigned long long)(usage.limit >> 20),
			    usage.readers, usage.slots);
}

enum health check_disk(struct doctor *d)
{
	const char *store = d->call->config->store;
	struct disk disk;
	uint64_t left;

	if (!db_disk(store, &disk))
		return doctor_not_reached(d);
	left = disk.left >> 20;
	if (disk.read_only)
		return doctor_found(d, HEALTH_FAIL, "mount it for writing",
				    "the disk of %s is read-only", store);
	/* With nothing left LMDB's lock file cannot grow: that ends who maps
	 * it. */
	if (left)
		d->found.gravity = GRAVE_LATER;
	if (left < DISK_WARN_MIB)
		return doctor_found(
			d, left < DISK_FULL_MIB ? HEALTH_FAIL : HEALTH_WARN,
			"free some space: without any nothing can be changed, "
			"nor revoked",
			"%llu MiB are left for %s", (unsigned long long)left,
			store);
	return doctor_found(d, HEALTH_OK, NULL, "%llu MiB are left for %s",
			    (unsigned long long)left, store);
}
