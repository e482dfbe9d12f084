/* server/cli/registry.h - dockpass registry-config. */
#pragma once

#include "server/cli/command.h"

int registry_run(struct call *call);

/* False: it has printed why. Whoever calls frees the keyring. */
bool call_keys(struct call *call, struct keyring **keyring) MUST_CHECK;
