/* server/sandbox.c - see the header. */
#include "server/sandbox_own.h"

#include <errno.h>
#include <stdio.h>

/* Their libraries map, read and kill as no program of ours does. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static void say(struct sandbox *said, bool whole, const char *text)
{
	said->whole = whole;
	snprintf(said->text, sizeof(said->text), "%s", text);
}

void sandbox_enter(const struct config *config, struct sandbox *said)
{
	char files[SANDBOX_SAID], calls[SANDBOX_SAID];
	bool has_files, has_calls;

	if (!config->sandbox) {
		say(said, true, "off, as dockpass.yaml says");
		return;
	}
	if (SANITIZED) {
		say(said, true, "off, as this is a sanitizer's build");
		return;
	}
	/* Files first: the calls for that are not allowed afterwards. */
	has_files = files_restrict(config, files);
	has_calls = calls_restrict(calls);
	said->whole = has_files && has_calls;
	snprintf(said->text, sizeof(said->text), "%s%s, %s%s",
		 has_calls ? "" : "without ", calls,
		 has_files ? "" : "without ", files);
}

static enum err beyond(const char *path, struct cause *cause)
{
	return cause_set(cause, E_REFUSED,
			 "%.300s: the sandbox of the running server does not "
			 "reach there: restart dockpass",
			 path);
}

static enum err another(const char *path, struct cause *cause)
{
	return cause_set(cause, E_REFUSED,
			 "%.300s: its folder is another than at the start "
			 "(removed or renamed, and made again), and the "
			 "sandbox of the running server does not reach there: "
			 "restart dockpass",
			 path);
}

bool sandbox_hides(const char *path, bool append, struct cause *cause)
{
	int number = errno;
	enum reach reach = files_reach(path, append);

	if (reach == REACH_BEYOND)
		beyond(path, cause);
	else if (reach == REACH_ANOTHER)
		another(path, cause);
	errno = number;
	return reach != REACH_FINE;
}

enum err sandbox_check(const struct config *config, struct cause *cause)
{
	const char *place, *path = files_missing(config, &place);

	if (!path)
		return E_OK;
	beyond(path, cause);
	return *place ? config_blame(place, E_REFUSED, cause) : E_REFUSED;
}
