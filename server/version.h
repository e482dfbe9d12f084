/* server/version.h - which dockpass it is: --version, dockpass_build_info. */
#pragma once

#ifndef DOCKPASS_VERSION
#define DOCKPASS_VERSION "0.1.0"
#endif
