/*
 * server/config_yaml.h - which key stands on which line.
 *
 * libcyaml takes the last of two equal keys, and knows no line once it has
 * read a value. So this pass over libyaml's events lists every key with its
 * line, and refuses what a configuration must not have: a key twice, anchors
 * and aliases, null, a second document, keys that are no plain text.
 */
#pragma once

#include "token/arena.h"

enum yaml_kind { YAML_TEXT, YAML_MAP, YAML_LIST };

struct yaml_node {
	const char *path; /* "services[0].ttl" */
	struct str value; /* of a YAML_TEXT; without NUL inside */
	enum yaml_kind kind;
	unsigned line; /* 1 first */
};

enum { YAML_NODES_MAX = 4096, YAML_DEPTH_MAX = 8 };

struct yaml_file {
	const char *name; /* for messages */
	struct arena *arena;
	struct yaml_node *nodes;
	size_t len;
};

/* In the order of the file. E_SYNTAX, E_LIMIT: *cause begins "NAME:LINE: ". */
enum err yaml_read(struct yaml_file *file, struct str text,
		   struct cause *cause) MUST_CHECK;
/* NULL: the file does not say it. */
const struct yaml_node *yaml_find(const struct yaml_file *file,
				  const char *path);
