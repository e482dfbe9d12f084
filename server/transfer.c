/* server/transfer.c - see the header. */
#include "server/transfer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "store/steady.h"

enum { POLL_MS = 200, REFUSAL_MAX = 128, DATE_MAX = 64 };

struct transfer {
	transfer_go_on *go_on;
	void *arg;
	CURLM *multi;
	CURL *easy;
	struct curl_slist *list;
	unsigned seconds;
	int64_t until;	   /* monotonic seconds: what it waits for takes no
			      longer */
	struct str upload; /* what is left of it */
	bool uploaded, answered, kept; /* a letter; kept: by 2xx */
	bool too_much;
	struct buf *head, *body;
	int64_t date;
	char said[CURL_ERROR_SIZE];
	char refusal[REFUSAL_MAX]; /* the mail server's last line, if it was
				      one */
};

enum err transfer_new(transfer_go_on *go_on, void *arg, struct transfer **out)
{
	struct transfer *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (!t)
		return E_MEMORY;
	t->go_on = go_on;
	t->arg = arg;
	t->multi = curl_multi_init();
	t->easy = curl_easy_init();
	if (!t->multi || !t->easy) {
		transfer_free(t);
		return E_MEMORY;
	}
	*out = t;
	return E_OK;
}

void transfer_free(struct transfer *transfer)
{
	if (!transfer)
		return;
	curl_easy_cleanup(transfer->easy);
	curl_multi_cleanup(transfer->multi);
	free(transfer);
}

void transfer_cleanup(struct transfer **transfer)
{
	transfer_free(*transfer);
}

static bool is_late(const struct transfer *t)
{
	return steady_seconds() >= t->until;
}

static bool goes_on(const struct transfer *t)
{
	return t->go_on(t->arg) && !is_late(t);
}

static size_t on_read(char *to, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * n < t->upload.len ? size * n : t->upload.len;

	if (len)
		memcpy(to, t->upload.at, len);
	t->upload = str_skip(t->upload, len);
	if (!t->upload.len && !t->uploaded) {
		t->uploaded = true;
		t->until = steady_seconds() + TRANSFER_ANSWER;
	}
	return len;
}

/* Each line that a mail server answers, though the name is HTTP's. */
static size_t on_mail_line(char *at, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	int len = (int)(size * n < sizeof(t->refusal) ? size * n
						      : sizeof(t->refusal));

	while (len && (at[len - 1] == '\r' || at[len - 1] == '\n'))
		len--;
	/* QUIT is answered as well, after what went wrong. */
	if (!str_starts((struct str) { at, (size_t)len }, STR("221")))
		*t->refusal = '\0';
	if (len && (*at == '4' || *at == '5'))
		snprintf(t->refusal, sizeof(t->refusal), "%.*s", len, at);
	make_printable(t->refusal);
	if (t->uploaded && !t->answered) {
		t->answered = true;
		t->kept = len && *at == '2';
		t->until = steady_seconds() + t->seconds; /* for QUIT */
	}
	return size * n;
}

/* Less than all of it: libcurl ends the transfer. */
static size_t keep(struct transfer *t, struct buf *buf, struct str more)
{
	if (!buf)
		return more.len;
	buf_add(buf, more);
	t->too_much = t->too_much || buf->over;
	return buf->over ? 0 : more.len;
}

static void read_date(struct transfer *t, struct str line)
{
	struct str name;
	char text[DATE_MAX];

	if (!str_cut(&line, ':', &name) || !str_eq_nocase(name, STR("Date")))
		return;
	line = str_trim(line);
	while (line.len &&
	       (line.at[line.len - 1] == '\n' || line.at[line.len - 1] == '\r'))
		line.len--;
	snprintf(text, sizeof(text), STR_FMT, STR_ARG(line));
	t->date = curl_getdate(text, NULL);
	if (t->date < 0)
		t->date = 0;
}

/* Of several heads (100 Continue) the last one counts. */
static size_t on_head(char *at, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	struct str line = { at, size * n };

	if (str_starts(line, STR("HTTP/"))) {
		if (t->head)
			buf_clear(t->head);
		t->date = 0;
	}
	read_date(t, line);
	return keep(t, t->head, line);
}

static size_t on_body(char *at, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	return keep(t, t->body, (struct str) { at, size * n });
}

/* libcurl blocks while it waits for an answer to DATA, QUIT, and asks here. */
static int on_progress(void *arg, curl_off_t down_all, curl_off_t down,
		       curl_off_t up_all, curl_off_t up)
{
	const struct transfer *t = arg;

	(void)down_all, (void)down, (void)up_all, (void)up;
	return !goes_on(t);
}

static void set_tls(CURL *easy, const struct transfer_ask *ask)
{
	curl_easy_setopt(easy, CURLOPT_SSLVERSION,
			 (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(
		easy, CURLOPT_USE_SSL,
		(long)(ask->starttls ? CURLUSESSL_ALL : CURLUSESSL_TRY));
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER,
			 ask->unverified ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST,
			 ask->unverified ? 0L : 2L);
	if (!ask->ca)
		return;
	curl_easy_setopt(easy, CURLOPT_CAINFO, ask->ca);
	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
}

static void begin(struct transfer *t, const struct transfer_ask *ask)
{
	CURL *easy = t->easy;

	curl_easy_reset(easy);
	t->said[0] = t->refusal[0] = '\0';
	t->seconds = ask->seconds;
	t->until = steady_seconds() + t->seconds;
	t->uploaded = t->answered = t->kept = t->too_much = false;
	t->head = ask->head;
	t->body = ask->body;
	t->date = 0;
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->said);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, t);
	/* One that is kept says QUIT later, when nothing asks any more. */
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)TRANSFER_CONNECT);
	curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT,
			 (long)TRANSFER_ANSWER + t->seconds);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, ask->schemes);
	/* That of the environment is for other programs. */
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(easy, CURLOPT_URL, ask->url);
	set_tls(easy, ask);
}

/* CURLE_ABORTED_BY_CALLBACK: the asker wants to go. */
static CURLcode run(struct transfer *t)
{
	CURLcode code = CURLE_ABORTED_BY_CALLBACK;
	int running = 1, left;
	CURLMsg *msg;

	if (curl_multi_add_handle(t->multi, t->easy))
		return CURLE_OUT_OF_MEMORY;
	while (!curl_multi_perform(t->multi, &running) && running && goes_on(t))
		curl_multi_poll(t->multi, NULL, 0, POLL_MS, NULL);
	while ((msg = curl_multi_info_read(t->multi, &left)))
		if (msg->msg == CURLMSG_DONE)
			code = msg->data.result;
	curl_multi_remove_handle(t->multi, t->easy);
	return code;
}

/* Where IPv6 is off libcurl tries localhost's ::1 last: its error counts. */
static bool is_refused(const struct transfer *t, long number)
{
	const char *url = NULL;

	curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &url);
	return number == ECONNREFUSED ||
	       (number == EADDRNOTAVAIL && url && strstr(url, "://localhost"));
}

static enum transfer_end end_of(const struct transfer *t, CURLcode code,
				long number)
{
	switch ((int)code) {
	case CURLE_OK:
		return TRANSFER_DONE;
	case CURLE_ABORTED_BY_CALLBACK:
		return is_late(t) ? TRANSFER_LATE : TRANSFER_CUT;
	case CURLE_OPERATION_TIMEDOUT:
		return TRANSFER_LATE;
	case CURLE_COULDNT_RESOLVE_HOST:
		return TRANSFER_NO_HOST;
	case CURLE_COULDNT_CONNECT:
		return is_refused(t, number) ? TRANSFER_REFUSED
					     : TRANSFER_FAILED;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return TRANSFER_UNTRUSTED;
	case CURLE_SSL_CONNECT_ERROR:
		return TRANSFER_NO_TLS;
	case CURLE_WRITE_ERROR:
		return t->too_much ? TRANSFER_TOO_MUCH : TRANSFER_FAILED;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_WEIRD_SERVER_REPLY:
		return TRANSFER_BROKEN;
	default:
		return TRANSFER_FAILED;
	}
}

/* The end of a transfer: what came of it, and nothing of it is left. */
static void perform(struct transfer *t, struct transfer_reply *reply)
{
	CURLcode code = run(t);
	long number = 0;

	*reply = (struct transfer_reply) { .kept = t->kept, .date = t->date };
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &reply->status);
	curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &number);
	reply->end = end_of(t, code, number);
	make_printable(t->said);
	reply->said = *t->said ? t->said : curl_easy_strerror(code);
	if (reply->end == TRANSFER_LATE)
		reply->said = "no answer in time";
	else if (reply->end == TRANSFER_CUT)
		reply->said = "cut short";
	else if (code == CURLE_LOGIN_DENIED && reply->status < 400)
		reply->said = "it offers neither PLAIN nor LOGIN nor CRAM-MD5 "
			      "to log in by";
	curl_easy_reset(t->easy);
	curl_slist_free_all(t->list);
	t->list = NULL;
}

static void append(struct transfer *t, const char *line)
{
	struct curl_slist *longer = curl_slist_append(t->list, line);

	assert(longer);
	t->list = longer;
}

void transfer_http(struct transfer *t, const struct transfer_ask *ask,
		   struct transfer_reply *reply)
{
	begin(t, ask);
	for (size_t i = 0; ask->headers && ask->headers[i]; i++)
		append(t, ask->headers[i]);
	curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "dockpass");
	curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION,
			 (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->list);
	curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
	if (ask->post.at) {
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, ask->post.at);
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)ask->post.len);
	}
	perform(t, reply);
}

void transfer_connect(struct transfer *t, const struct transfer_ask *ask,
		      struct transfer_reply *reply)
{
	begin(t, ask);
	curl_easy_setopt(t->easy, CURLOPT_CONNECT_ONLY, 1L);
	perform(t, reply);
}

static void set_letter(struct transfer *t, const struct transfer_letter *letter)
{
	append(t, letter->to);
	if (letter->user) {
		curl_easy_setopt(t->easy, CURLOPT_USERNAME, letter->user);
		curl_easy_setopt(t->easy, CURLOPT_PASSWORD, letter->password);
		/*
		 * By the password that we have: GSSAPI would come first, and
		 * NTLM, DIGEST-MD5 before what any server knows.
		 */
		curl_easy_setopt(t->easy, CURLOPT_LOGIN_OPTIONS,
				 "AUTH=PLAIN;AUTH=LOGIN;AUTH=CRAM-MD5");
	}
	t->upload = letter->text;
	curl_easy_setopt(t->easy, CURLOPT_MAIL_FROM, letter->from);
	curl_easy_setopt(t->easy, CURLOPT_MAIL_RCPT, t->list);
	curl_easy_setopt(t->easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_INFILESIZE_LARGE,
			 (curl_off_t)letter->text.len);
}

/* smtp://host alone would be port 25 with 'smtp', but 465 with 'smtps'. */
void transfer_mail(struct transfer *t, const struct transfer_ask *ask,
		   const struct transfer_letter *letter,
		   struct transfer_reply *reply)
{
	begin(t, ask);
	curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_mail_line);
	curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
	if (letter) {
		set_letter(t, letter);
	} else {
		curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
		curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, "NOOP");
	}
	perform(t, reply);
}

const char *transfer_refusal(const struct transfer *transfer)
{
	return transfer->refusal;
}
