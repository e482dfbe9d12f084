/*
 * server/jobs/courier.h - delivers a letter by SMTP or a JSON text by HTTP.
 *
 * Certificates are verified, with two exceptions that mail.starttls says: not
 * encrypted at all, or encrypted as well as it goes, when it is opportunistic
 * and names no ca. Passwords and secrets are read from their files for each
 * use, and never part of a cause.
 *
 * Thread: one at a time; blocks, no longer than COURIER_SECONDS, and for the
 * answer to a letter TRANSFER_ANSWER (RFC 5321 4.5.3.2.6: who goes sooner sends
 * it again and again). While it waits, it asks whether to go on.
 */
#pragma once

#include "server/config.h"
#include "server/transfer.h"

enum { COURIER_SECONDS = 30, COURIER_SECRET_MIN = 16 };

struct courier;
typedef transfer_go_on courier_go_on; /* false: the delivery is cut short */

enum err courier_new(courier_go_on *go_on, void *arg,
		     struct courier **out) MUST_CHECK;
void courier_free(struct courier *courier); /* NULL is fine */
void courier_cleanup(struct courier **courier);

/*
 * E_REFUSED: this one was refused, others may not be. E_BUSY: nothing can be
 * delivered that way for now. Either with *cause.
 */
enum err courier_mail(struct courier *courier, const struct config_mail *mail,
		      struct str to, struct str letter,
		      struct cause *cause) MUST_CHECK;
/* Signs it; `id` is the same whenever the same text is posted again. */
enum err courier_post(struct courier *courier, const struct config_hook *hook,
		      uint64_t id, struct str json,
		      struct cause *cause) MUST_CHECK;

/* How that mail server is asked. */
struct transfer_ask courier_ask(const struct config_mail *mail);

/* Can the files of password and secret be used? */
enum err courier_check(const struct config *config,
		       struct cause *cause) MUST_CHECK;
