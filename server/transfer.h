/*
 * server/transfer.h - one request by HTTP or one dialogue by SMTP, through
 * libcurl; the only place that includes curl/curl.h.
 *
 * Certificates are verified unless the asker says otherwise. Redirects are not
 * followed, a proxy that the environment names is not used, nothing is kept
 * between two transfers. What a peer answers is taken up to the limits of the
 * asker's buffers; a byte more ends the transfer.
 *
 * Thread: one at a time; blocks, no longer than it is told. While it waits, it
 * asks whether to go on.
 */
#pragma once

#include "token/buf.h"

enum {
	TRANSFER_CONNECT = 10,	   /* seconds, at most, until it is connected */
	TRANSFER_ANSWER = 10 * 60, /* for the answer to a letter (RFC 5321
				      4.5.3.2.6) */
};

struct transfer;
typedef bool transfer_go_on(void *arg); /* false: it is cut short */

enum err transfer_new(transfer_go_on *go_on, void *arg,
		      struct transfer **out) MUST_CHECK;
void transfer_free(struct transfer *transfer); /* NULL is fine */
void transfer_cleanup(struct transfer **transfer);

enum transfer_end {
	TRANSFER_DONE,	    /* answered, whatever the status */
	TRANSFER_NO_HOST,   /* its name is not known */
	TRANSFER_REFUSED,   /* nothing listens there */
	TRANSFER_LATE,	    /* no answer in time */
	TRANSFER_CUT,	    /* the asker wanted to go */
	TRANSFER_UNTRUSTED, /* its certificate is not trusted */
	TRANSFER_NO_TLS,    /* another failure of TLS */
	TRANSFER_TOO_MUCH,  /* more than the buffers may hold */
	TRANSFER_BROKEN,    /* in the middle, or not of the protocol */
	TRANSFER_FAILED,    /* anything else */
};

struct transfer_ask {
	const char *url, *schemes; /* "http,https" */
	unsigned seconds;	   /* in all, but for the answer to a letter */
	const char *ca;		   /* PEM file; NULL: the system's */
	bool unverified;	   /* nobody looks at the certificate */
	bool starttls;		   /* with smtp: not without */
	/* Of HTTP. */
	const char *const *headers; /* ends with NULL; NULL: none */
	struct str post;	    /* .at NULL: GET */
	struct buf *head, *body;    /* of the answer; NULL: of no interest */
};

struct transfer_letter {
	const char *from, *to;
	const char *user, *password; /* NULL: without a login */
	struct str text;
};

struct transfer_reply {
	enum transfer_end end;
	long status;	  /* of the last answer; 0: none */
	int64_t date;	  /* its Date, seconds UTC; 0: none that can be read */
	bool kept;	  /* a letter, by 2xx */
	const char *said; /* what failed; lives until the next transfer */
};

/* GET, or POST. */
void transfer_http(struct transfer *transfer, const struct transfer_ask *ask,
		   struct transfer_reply *reply);
/* No request: a connection, and TLS if the url says https. */
void transfer_connect(struct transfer *transfer, const struct transfer_ask *ask,
		      struct transfer_reply *reply);
/* `letter` NULL: greeting, EHLO, STARTTLS as it is asked, and good bye. */
void transfer_mail(struct transfer *transfer, const struct transfer_ask *ask,
		   const struct transfer_letter *letter,
		   struct transfer_reply *reply);
/* The line with which a mail server has refused; "": it has not. */
const char *transfer_refusal(const struct transfer *transfer);
