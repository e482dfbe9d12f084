/* server/cli/token.h - what the commands of tokens share. */
#pragma once

#include "server/cli/command.h"

int token_create(struct call *call);

/* Of the three ways to name an owner, at most one. Returns an exit status. */
int token_check_owner(struct call *call, bool needed);
/* `secret` is empty but for the one time that it is shown. */
int token_print(struct call *call, uint64_t id, struct str secret);
