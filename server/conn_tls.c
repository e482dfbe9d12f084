/*
 * server/conn_tls.c - whom a connection's certificate names, and why a
 * handshake has failed.
 */
#include "server/conn_own.h"

#include <stdio.h>

#include "server/log.h"
#include "server/metrics.h"

/* The handshake is over when the first byte comes out of it. */
void conn_look(struct conn *conn)
{
	if (conn->looked || !conn->known)
		return;
	conn->looked = true;
	conn->peer.subject = tls_subject(conn->bev);
}

/* Each cause once a minute: whoever likes may fail as often as he can. */
static void say(struct conn *conn, enum tls_failure failure, const char *why)
{
	char text[NETWORK_TEXT_MAX], more[64] = "";
	struct log_about about;
	uint64_t count;

	if (!ratelimit_due(&conn->all->failures[failure], &count))
		return;
	if (count > 1)
		snprintf(more, sizeof(more), "; %llu more since the last line",
			 (unsigned long long)(count - 1));
	address_print(&conn->peer.address, text);
	about = (struct log_about) { .address = str_of(text) };
	log_event_about(LEVEL_INFO, "tls", &about,
			"handshake with %s failed: %s (each cause is said once "
			"a minute%s)",
			text, why, more);
}

void conn_judge(struct conn *conn)
{
	char why[TLS_WHY_MAX];
	enum tls_failure failure = tls_failed(conn->bev, why);

	if (failure == TLS_FINE)
		return;
	/* Its alert is to be read, though more may have been sent meanwhile. */
	conn->lingers |= failure != TLS_LEFT;
	metrics_handshake(conn->all->metrics, failure);
	say(conn, failure, why);
}
