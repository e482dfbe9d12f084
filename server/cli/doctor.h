/*
 * server/cli/doctor.h - inside of dockpass doctor: one row a check, and what
 * the checks know of each other.
 *
 * A check says what it found in one line, and what mends it. What a registry
 * answers is its own, never believed and never obeyed: limits on sizes and
 * times, no redirect is followed, what cannot be printed is shown as '?'. What
 * it is shown are JWTs for nothing (no scope) that live a minute; never a PAT.
 */
#pragma once

#include "server/cli/command.h"
#include "server/http/challenge.h"
#include "server/transfer.h"
#include "token/network.h"

enum {
	DOCTOR_SECONDS = 60,	 /* all checks */
	DOCTOR_ASK_SECONDS = 10, /* a request */
	DOCTOR_ANSWER_MAX = 64 * 1024,
	DOCTOR_OWN_MAX =
		1024 * 1024, /* by our own server: a line a certificate */
	DOCTOR_TOKEN_MAX = 64 * 1024,
	DOCTOR_SKEW = 5,    /* seconds, below which clocks are the same */
	DOCTOR_SHOWN = 200, /* bytes of what others say, in a message */
};

#define SHOW(s) (int)((s).len < DOCTOR_SHOWN ? (s).len : DOCTOR_SHOWN), (s).at

enum health { HEALTH_OK, HEALTH_WARN, HEALTH_FAIL, HEALTH_SKIPPED };

/*
 * Of several findings, which is to be mended first: of the smallest kind, and
 * in it the first that was looked at. A cause is before what it does.
 */
enum gravity {
	GRAVE_OPEN,   /* all may do everything there */
	GRAVE_BLIND,  /* till it is mended, what follows cannot be looked at */
	GRAVE_START,  /* the server does not start, or dies */
	GRAVE_DOWN,   /* nobody gets a token, or none is taken */
	GRAVE_SOME,   /* some clients or registries refuse it, or secrets go in
			 clear; or they will, from the next restart on */
	GRAVE_LATER,  /* nothing can be added, somebody is not told */
	GRAVE_EFFECT, /* others here say why */
};

/* What a check has made sure of, for those that need it. */
enum fact {
	KNOWN_CONFIG = 1 << 0,
	KNOWN_OWNER = 1 << 1, /* is the store's owner now */
	KNOWN_KEYS = 1 << 2,
	KNOWN_STORE = 1 << 3,
	KNOWN_SERVER = 1 << 4,	  /* it answers on this machine */
	KNOWN_REGISTRY = 1 << 5,  /* it answers as one */
	KNOWN_CHALLENGE = 1 << 6, /* it names a realm */
	KNOWN_KEY = 1 << 7,	  /* it takes a key's tokens */
	KNOWN_CLOCK = 1 << 8,	  /* its Date is not the reason of a no */
};

/* Whose tokens a registry takes. `x5c` goes with any kid. */
enum { FORM_X5C, FORM_LIBTRUST, FORM_RFC7638, FORMS };
enum taken {
	TAKEN_UNASKED,
	TAKEN_NO,
	TAKEN_KNOWN, /* not taken, but its key is known: registry 3 tells */
	TAKEN_YES,
};

/* Does the running server have the keys that are on the disk? */
enum told {
	TOLD_UNASKED, /* whoever would tell is not to be asked */
	TOLD_UNKNOWN,
	TOLD_ANOTHER, /* it is not this store's */
	TOLD_ALL,
	TOLD_NOT,
	TOLD_GONE, /* nor is the one by which it signs there any more */
};

struct finding {
	const char *text, *mend;
	enum gravity gravity; /* its check's, or what it is of this time */
};

struct doctor {
	struct call *call;
	struct transfer *transfer;
	int64_t until;		   /* monotonic seconds */
	unsigned known;		   /* of enum fact */
	const char *ca;		   /* --cacert */
	const char *service_meant; /* --service; or NULL */
	const char *url; /* the registry's, no slash behind; NULL: this side */
	struct keyring *keyring;

	struct finding found; /* by the check that runs */

	/* The registry's answer to GET /v2/. */
	long status;
	bool registry2;		    /* looks like registry 2 */
	struct str head;	    /* its lines */
	struct challenge challenge; /* Bearer's */
	const char *realm;
	struct str service;
	int64_t ahead, realm_ahead; /* of our clock, seconds */
	bool dated, realm_dated;
	const char *given; /* the token that the realm has given; or NULL */

	enum taken taken[KEYS_MAX][FORMS];
};

/* Prints into the command's memory; only what can be printed, no secret. */
const char *doctor_text(struct doctor *d, const char *fmt, ...)
	PRINTF_LIKE(2, 3);
/* What a check found. `mend` NULL: nothing needs to be done. */
enum health doctor_found(struct doctor *d, enum health health, const char *mend,
			 const char *fmt, ...) PRINTF_LIKE(4, 5);

/* The store cannot be reached, by errno. */
enum health doctor_not_reached(struct doctor *d);

typedef enum health check_run(struct doctor *d);
struct check {
	const char *name; /* stable: --json has it */
	unsigned needs;	  /* of enum fact */
	enum gravity gravity;
	check_run *run;
};

/*
 * GET `url`, `token` beside it or NULL. *head and *body are empty when there is
 * no answer; initialised here, the caller's to end. `own`: of the server on
 * this machine, so its certificate may be of any name.
 */
void doctor_get(struct doctor *d, const char *url, const char *token, bool own,
		struct buf *head, struct buf *body,
		struct transfer_reply *reply);
/*
 * Why there was no answer, and what mends that; `what`: "the registry"; `ca`:
 * which option names the authority to trust.
 */
enum health doctor_no_answer(struct doctor *d, const char *what,
			     const char *url, const char *ca,
			     const struct transfer_reply *reply);
/*
 * The value of the line `name` of *head, which becomes what follows it. False:
 * there is none any more.
 */
bool doctor_head(struct str *head, struct str name, struct str *value);
/* "host" of http(s)://host[:port]/..., and with its port, 80 or 443. */
struct str url_host(struct str url);
struct str url_host_port(struct doctor *d, struct str url);
struct str url_path(struct str url); /* "/token", and what is behind it */
/* An address that crane and regctl take no realm at. */
bool is_private_literal(struct str host);

/* --service says that it is another one than the registry claims to be. */
bool doctor_is_other(const struct doctor *d);
/* Does the query of a realm name a service (*out), and not the registry's? */
bool doctor_realm_service(struct doctor *d, struct str query, struct str *out);

/* A listener, or admin, as a program on this machine meets it. */
struct near {
	const char *address, *base; /* "https://127.0.0.1:5001" */
	const struct config_tls *tls;
	bool admin;
	bool open; /* to whom has no PROXY header and no certificate */
};

/* The i-th; admin, if there is one, comes last. False: no more. */
bool near_at(struct doctor *d, unsigned i, struct near *out);
/* The first that can be asked; false: none. */
bool near_open(struct doctor *d, bool admin, struct near *out);
/* Who is the owner sees whether the store is served. */
bool doctor_unserved(const struct doctor *d);
/* Does it go by the certificates and options here? Skipped: nobody to ask. */
enum health doctor_shown(struct doctor *d);

/* By asking it. After KNOWN_KEYS. */
enum told doctor_told(struct doctor *d);
/* What mends a server that was not told. */
const char *doctor_tell(const struct doctor *d);
/* After TOLD_NOT, TOLD_GONE. `then`: what else, when it was told; or NULL. */
enum health doctor_untold(struct doctor *d, enum told told, const char *then);
/* What mends a registry that does not have our keys. */
const char *doctor_bring(struct doctor *d);

/* What mends: how to name an authority; a registry without our section. */
extern const char doctor_ca[], doctor_paste[];
/* Of the server here: what mends it; why it is not asked. */
extern const char doctor_see_port[], doctor_not_asked[];

/*
 * Why no token is made for this registry; NULL: they may be. After the checks
 * of its challenge, with KNOWN_KEYS.
 */
const char *doctor_untried(struct doctor *d);
/* The first part of the tokens of a key. Initialises *out. */
enum err doctor_make_head(const struct key *key, int form,
			  struct buf *out) MUST_CHECK;
/*
 * For nothing, for a minute from `now` on, or from this machine's if that is
 * before, valid since so many seconds before; ends with a NUL. Initialises
 * *out.
 */
enum err doctor_make_token(struct doctor *d, const struct key *key, int form,
			   int64_t now, int64_t back, bool spoilt,
			   struct buf *out) MUST_CHECK;
/* TAKEN_UNASKED: no answer, see *reply. */
enum taken doctor_show(struct doctor *d, const char *token,
		       struct transfer_reply *reply);
/* Each key in each form, into d->taken; the best of them. */
enum taken doctor_try_all(struct doctor *d, bool spoilt,
			  struct transfer_reply *reply);

check_run check_config, check_owner, check_keys, check_public,
	check_certificate, check_listener_tls, check_warnings, check_secrets,
	check_log_file, check_store, check_room, check_disk, check_server,
	check_served, check_url, check_mail, check_webhook, check_clock,
	check_descriptors;
check_run check_registry, check_proxy, check_challenge, check_realm,
	check_scheme, check_endpoint, check_service, check_skew, check_key,
	check_form, check_issuer, check_signer, check_token;
