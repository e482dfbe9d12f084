/*
 * server/cli/init.c - dockpass init: configuration, keys and store in a
 * folder. All or nothing: what a failed run has made is removed. The store is
 * made last, so that without it a run was interrupted.
 */
#include "server/cli/init.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ftw.h>

#include "server/config_check.h"
#include "server/config_table.h"
#include "server/file.h"
#include "server/keys.h"
#include "server/owner.h"
#include "token/word.h"

enum { YAML_MAX = 16384, MADE_MAX = 5 };

struct init {
	struct call *call;
	struct str folder;
	const char *made[MADE_MAX]; /* in order; removed from the last */
	size_t made_count;
};

static const char *path_in(struct init *init, const char *name)
{
	struct str path =
		arena_printf(&init->call->arena, STR_FMT "%s%s",
			     STR_ARG(init->folder), *name ? "/" : "", name);

	return arena_cstr(&init->call->arena, path);
}

static int remove_entry(const char *path, const struct stat *st, int type,
			struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* What cannot be removed is said behind the reason of it all. */
static void undo(struct init *init)
{
	struct cause *cause = &init->call->cause;
	struct stat st;

	while (init->made_count) {
		const char *path = init->made[--init->made_count];
		struct cause first = *cause;

		if (lstat(path, &st) ||
		    !nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS))
			continue;
		cause_set(cause, E_IO, "%.200s; %.100s is left behind: %s",
			  first.text, path, strerror(errno));
	}
}

static bool is_empty_folder(const char *path)
{
	DIR *dir = opendir(path);
	size_t n = 0;

	while (dir && n < 3 && readdir(dir)) /* "." and ".." */
		n++;
	if (dir)
		closedir(dir);
	return n == 2;
}

/*
 * Only what was not there is removed after a failure. What is there may be
 * keys or a store that nobody has twice: nobody is told to remove it. An empty
 * folder is used: something may be mounted on it.
 */
static enum err make_folder(struct init *init, const char *name, unsigned mode)
{
	const char *path = path_in(init, name);
	struct stat st;
	bool there = !lstat(path, &st);

	if (there && *name && !is_empty_folder(path))
		return cause_set(&init->call->cause, E_EXISTS,
				 "%s: is there already; name another folder, "
				 "or move it away",
				 path);
	if (!there)
		init->made[init->made_count++] = path;
	return file_make_folder(path, mode, &init->call->cause);
}

static const struct {
	enum opt opt;
	const char *name, *path;
	const char *value; /* if it is not chosen; NULL: the default */
	enum err (*check)(struct str text, struct cause *cause);
} values[] = {
	{ OPT_SERVICE, "service", "services[].name", "registry", NULL },
	{ OPT_ISSUER, "issuer", "issuer", NULL, NULL },
	{ OPT_LISTEN, "listen", "listeners[].address", NULL, address_check },
	{ OPT_URL, "url", "url", NULL, url_check },
};

/* Beside the listener's port, so that two servers do not meet. */
static struct str admin_address(struct call *call, struct str listen)
{
	size_t at = listen.len;
	uint64_t port = 0;

	while (at && listen.at[at - 1] != ':')
		at--;
	if (str_to_u64(str_skip(listen, at), UINT16_MAX, &port))
		port = 0; /* config_load() says what is wrong with it */
	port = port < UINT16_MAX ? port + 1 : port - 1;
	return arena_printf(&call->arena, "127.0.0.1:%u", (unsigned)port);
}

static void write_yaml(struct call *call, struct buf *yaml)
{
	struct str listen = call_opt(call, OPT_LISTEN);
	struct config_new chosen[COUNT(values) + 1];
	size_t n = 0;

	for (; n < COUNT(values); n++)
		chosen[n] = (struct config_new) {
			values[n].path, call->opts[values[n].opt]
						? call->opts[values[n].opt]
						: values[n].value
		};
	if (listen.len)
		chosen[n++] = (struct config_new) {
			"admin.address",
			arena_cstr(&call->arena, admin_address(call, listen))
		};
	config_print_new(chosen, n, yaml);
}

static enum err make_config(struct init *init)
{
	const char *path = path_in(init, "dockpass.yaml");
	struct call *call = init->call;
	AUTO(buf) struct buf yaml;
	enum err err;

	buf_init(&yaml, YAML_MAX);
	write_yaml(call, &yaml);
	assert(!yaml.over);
	init->made[init->made_count++] = path;
	err = file_write(path, 0644, buf_str(&yaml), &call->cause);
	if (!err)
		err = config_load(path, &call->config, &call->cause);
	return err;
}

static enum err make_keys(struct init *init, char kid[60])
{
	struct call *call = init->call;
	const char *keys = path_in(init, "keys");

	return keys_new(keys, path_in(init, "public"), ALG_ES256,
			str_of(call->config->issuer), call->now, kid,
			&call->cause);
}

static enum err make_all(struct init *init, char kid[60])
{
	struct call *call = init->call;
	enum err err = make_folder(init, "", 0755);
	bool root;

	/* Another may have been quicker, where all can make a folder. */
	if (!err)
		err = become_owner(path_in(init, ""), NULL, &root,
				   &call->cause);
	if (!err)
		err = make_folder(init, "keys", 0700);
	if (!err)
		err = make_folder(init, "public", 0755);
	if (!err)
		err = make_folder(init, "store", 0700);
	if (!err)
		err = make_config(init);
	if (!err)
		err = make_keys(init, kid);
	if (!err)
		err = db_open(path_in(init, "store"), DB_CREATE, call->now,
			      &call->db, &call->cause);
	return err;
}

static const struct option *option_of(const char *path)
{
	char name[OPTION_NAME_MAX];

	for (size_t i = 0; i < options_count; i++) {
		option_path(&options[i], LIST_ANY, name);
		if (!strcmp(name, path))
			return &options[i];
	}
	abort(); /* the table above names what is there */
}

/* Refuses before anything is made. */
static int check_options(struct call *call)
{
	for (size_t i = 0; i < COUNT(values); i++) {
		struct str value = call_opt(call, values[i].opt);
		enum err err;

		if (!value.len)
			continue;
		err = option_check(option_of(values[i].path), value,
				   &call->cause);
		if (!err && values[i].check)
			err = values[i].check(value, &call->cause);
		if (err)
			return call_usage(call, "--%s: %s", values[i].name,
					  call->cause.text);
	}
	return EXIT_DONE;
}

static enum err check_other(struct init *init)
{
	const char *config = path_in(init, "dockpass.yaml");
	struct call *call = init->call;
	struct db *db = NULL;
	struct stat st;
	enum err err;

	if (lstat(config, &st))
		return E_OK;
	err = db_open(path_in(init, "store"), DB_OPEN, call->now, &db,
		      &call->cause);
	db_close(db);
	if (err == E_NOT_FOUND && !lstat(path_in(init, "keys/keyring"), &st))
		return cause_set(&call->cause, E_EXISTS,
				 "%s: is there already, but no store: restore "
				 "it from a backup, or init another folder and "
				 "move its store here",
				 config);
	if (err == E_NOT_FOUND)
		return cause_set(&call->cause, E_EXISTS,
				 "%s: is there already, but neither keys nor "
				 "a store: name another folder; or, after an "
				 "interrupted init, remove dockpass.yaml, "
				 "keys, public and store from this one",
				 config);
	return cause_set(&call->cause, E_EXISTS,
			 "%s: is there already; name another folder", config);
}

static enum err check_folder(struct init *init)
{
	struct call *call = init->call;
	const char *folder = path_in(init, "");
	struct stat st;
	enum err err;
	bool root;

	if (stat(folder, &st))
		return become_maker(folder, &root, &call->cause);
	if (!S_ISDIR(st.st_mode))
		return cause_set(&call->cause, E_EXISTS,
				 "%s: is no folder; name another", folder);
	err = become_owner(folder, NULL, &root, &call->cause);
	return err ? err : check_other(init);
}

static void tell(struct init *init, const char *kid)
{
	struct call *call = init->call;
	const char *config = path_in(init, "dockpass.yaml");
	const struct word word = word_of(config);
	struct buf *out = &call->out;

	if (call->json) {
		json_open(out, '{');
		json_put_str(out, "config", str_of(config));
		json_put_str(out, "keys", str_of(call->config->keys));
		json_put_str(out, "public", str_of(call->config->public));
		json_put_str(out, "store", str_of(call->config->store));
		json_put_str(out, "url", str_of(call->config->url));
		json_put_str(out, "kid", str_of(kid));
		json_close(out, '}');
		buf_add_char(out, '\n');
		return;
	}
	buf_printf(
		out,
		"made %s\n"
		"made %s/  signing key %s\n"
		"made %s/  bundle.pem and jwks.json, for registries\n"
		"made %s/\n"
		"next: dockpass user add NAME --email E --admin --config %s\n"
		"      dockpass registry-config --config %s\n"
		"      dockpass serve --config %s\n"
		"metrics and health, once it serves: http://%s/metrics\n",
		config, call->config->keys, kid, call->config->public,
		call->config->store, word.at, word.at, word.at,
		call->config->admin.address);
}

int init_run(struct call *call)
{
	struct init init = { .call = call, .folder = call->args[0] };
	int status = check_options(call);
	char kid[60] = "";
	enum err err;

	if (status)
		return status;
	if (call->opts[OPT_CONFIG])
		return call_usage(call, "init: --config is not for init, which "
					"makes DIR/dockpass.yaml");
	while (init.folder.len > 1 &&
	       init.folder.at[init.folder.len - 1] == '/')
		init.folder.len--;
	err = check_folder(&init);
	if (!err)
		err = make_all(&init, kid);
	if (!err) {
		tell(&init, kid);
		call->lost = "all is made all the same";
		return EXIT_DONE;
	}
	db_close(call->db);
	call->db = NULL;
	undo(&init);
	return call_failed(call, err);
}
