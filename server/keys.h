/*
 * server/keys.h - the keyring's folder.
 *
 *   keys/keyring       one line a key, "STATE NAME": "current 8qjioA3Z..."
 *   keys/NAME.pem      private key and certificate, mode 0600; NAME is the
 *                      key's RFC 7638 id
 *   public/bundle.pem  certificates, mode 0644   } what registries read,
 *   public/jwks.json   keys, mode 0644           } kept current
 *
 * `keyring` is replaced whole (write aside, fsync, rename), so a key changes
 * state at one moment or not at all.
 */
#pragma once

#include "token/keyring.h"

/*
 * Reads the folder. E_MODE: the folder or a file in it is open to others;
 * E_NOT_FOUND, E_SYNTAX...: *cause names the file and what to do.
 */
enum err keys_load(const char *folder, struct keyring **out,
		   struct cause *cause) MUST_CHECK;

/*
 * The next three change keys, and publish what they make of them in the folder
 * `public`; if that is full, or cannot be written, no key is changed. What
 * fails later, as the disk does once `keyring` has its name, leaves the change
 * made: see keys_load().
 */
/*
 * Makes a key, and the folder if there is none. The first key of a keyring is
 * the current one. *kid: its libtrust id, or "" if that is not known.
 */
enum err keys_new(const char *folder, const char *public, enum key_alg alg,
		  struct str name, int64_t now, char kid[60],
		  struct cause *cause) MUST_CHECK;
/*
 * The next key becomes current, the current one retired; of the current one,
 * publishes alone.
 */
enum err keys_activate(const char *folder, const char *public, struct str kid,
		       struct cause *cause) MUST_CHECK;
/*
 * E_REFUSED for the current key. The PEM file is overwritten and removed, last
 * of all.
 */
enum err keys_remove(const char *folder, const char *public, struct str kid,
		     struct cause *cause) MUST_CHECK;
/* What registries read, as a name in public/; NULL: that was all. */
const char *keys_public(size_t i);
/* Writes public/bundle.pem and public/jwks.json, each whole or not at all. */
enum err keys_publish(const struct keyring *keyring, const char *folder,
		      struct cause *cause) MUST_CHECK;
/*
 * Are both there, and of these keys? Else *cause says which is not, and how it
 * is written again.
 */
enum err keys_check_public(const struct keyring *keyring, const char *folder,
			   struct cause *cause) MUST_CHECK;
