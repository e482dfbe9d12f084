/* server/cli/token_warn.h - a token that is made, and opens nothing. */
#pragma once

#include "server/cli/command.h"

/*
 * Says on standard error what keeps a project's or group's new token from
 * anything: its role, its scopes, a pattern of --repository. Not refused: the
 * project may be changed. The store is open, the change committed.
 */
void token_warn(struct call *call, const struct change *change);
