/*
 * server/owner.h - whom root acts as: the owner of the store, so that no
 * command leaves a file that the server cannot write.
 *
 * Refused is what lets another choose whom: a folder on the way to the store,
 * or the configuration, that neither root nor the store's owner has, or that
 * others can write, by an ACL or as a group, too (where the sticky bit is, as
 * in /tmp, it may stand above). Links are followed by the same rule: those that
 * root has in a folder that root alone can write, and those of the store's
 * owner.
 */
#pragma once

#include "token/base.h"

enum { SELF_MAX_BYTES = 64 };

/*
 * Run as root, becomes the owner of `folder` (user and group, no other
 * groups). What is denied to him is said so from then on. `config`: the
 * configuration that names the folder; NULL: the command line does.
 * *root: root owns it, and all around it, so it stays root. E_NOT_FOUND: it is
 * not there.
 */
enum err become_owner(const char *folder, const char *config, bool *root,
		      struct cause *cause) MUST_CHECK;
struct config;
/*
 * The same of a configuration's store. Where it stays root, nobody else may
 * have a say in what is used there: E_MODE or E_REFUSED.
 */
enum err become_server(const struct config *config, bool *root,
		       struct cause *cause) MUST_CHECK;
/*
 * Calls `fn` for the folders store, keys and public (as "FOLDER/"), for all
 * that is in the first two, for what registries read in public and for
 * log.file, be they there or not; ends with its first error. Of a store that
 * the sandbox does not list, for what db.h names. `sealed`: whoever opens it
 * looks at its mode.
 */
typedef enum err owner_look(const char *path, bool sealed, void *arg,
			    struct cause *cause);
enum err each_used(const struct config *config, owner_look *fn, void *arg,
		   struct cause *cause) MUST_CHECK;
/*
 * The same looks at a reload, of a server that stayed root: it becomes nobody
 * else, so whatever another has a say in is refused. Within the sandbox.
 */
enum err stay_server(const struct config *config,
		     struct cause *cause) MUST_CHECK;
/* The look at log.file alone, before it is opened again. */
enum err stay_log(const struct config *config, struct cause *cause) MUST_CHECK;
/*
 * As become_owner(), before `folder` is made: the owner of the last folder on
 * the way that is there. Look again with become_owner() once it is.
 */
enum err become_maker(const char *folder, bool *root,
		      struct cause *cause) MUST_CHECK;

/* Who we are: his name, or his number. */
const char *name_self(char out[SELF_MAX_BYTES]);
