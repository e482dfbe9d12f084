/*
 * token/path.h - the names of namespaces and repositories (distribution
 * spec/auth/scope.md, without a host in front):
 *
 *   path      = component *( "/" component )
 *   component = alnum *( separator alnum )      alnum = 1*( a-z / 0-9 )
 *   separator = "." / "_" / "__" / 1*"-"
 *
 * One grammar for what is asked and for what is kept: a name that the store
 * holds is one that a registry can have. Pure.
 */
#pragma once

#include "token/base.h"

enum { PATH_LEN_MAX = 255 /* bytes */ };

/* Lower case already; at most PATH_LEN_MAX. The empty text is no path. */
bool path_valid(struct str path);
size_t path_depth(struct str path); /* how many components; 0 for no text */
