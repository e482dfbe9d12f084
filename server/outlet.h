/*
 * server/outlet.h - where lines of the log go: a file, or syslog. (Standard
 * error is log.c's own.)
 *
 * An outlet takes whole lines or none of them. One that fails (a full disk, no
 * syslog daemon) takes fewer than it is given and says why; whoever writes
 * keeps the rest and tries again later.
 *
 * Thread: made by main, written and freed by the log thread.
 */
#pragma once

#include "token/base.h"

struct outlet;

/*
 * Appends to the file, made with mode 0600. E_MODE, E_IO, E_REFUSED with
 * *cause: it cannot be opened, is no file, is a link, or others can read it or
 * write it (0640 is fine).
 */
enum err outlet_file(const char *path, struct outlet **out,
		     struct cause *cause) MUST_CHECK;
/* "daemon", "local0": a name that outlet_facility() knows. */
struct outlet *outlet_syslog(const char *facility);
void outlet_free(struct outlet *outlet); /* NULL is fine */

bool outlet_facility(const char *name, int *out);
/* Can it be opened, or made, by who we are? As the file's outlet would say. */
enum err outlet_check(const char *path, struct cause *cause) MUST_CHECK;

/*
 * Lines in two pieces, as a ring has them; a line may stand in both. Returns
 * how many bytes were taken, up to the end of a line.
 */
size_t outlet_write(struct outlet *outlet, struct str first, struct str second);

/* Of what is wrong with it now: "/var/log/x: No space left on device". */
void outlet_why(const struct outlet *outlet, struct cause *out);
