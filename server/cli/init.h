/* server/cli/init.h - dockpass init DIR. */
#pragma once

#include "server/cli/command.h"

int init_run(struct call *call);
