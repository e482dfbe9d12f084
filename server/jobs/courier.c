/* server/jobs/courier.c - see the header. */
#include "server/jobs/courier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "server/file.h"
#include "store/mailbox.h"
#include "token/encode.h"

enum {
	CONNECT_SECONDS = 10,
	POLL_MS = 200,
	SECRET_FILE_MAX = 4096,
	URL_ROOM = 1100,
	ANSWER_MAX = 128,
};
/* Nobody else takes it up while it is being delivered. */
static_assert(2 * COURIER_SECONDS + COURIER_ANSWER < (int)NOTICE_CLAIM,
	      "a claim outlives a delivery");

struct courier {
	courier_go_on *go_on;
	void *arg;
	CURLM *multi;
	CURL *easy;
	struct str upload; /* what is left of it */
	int64_t until;	   /* monotonic seconds: what it waits for takes no
			      longer */
	bool uploaded, answered, kept; /* a letter; kept: by 2xx */
	char said[CURL_ERROR_SIZE];
	char refusal[ANSWER_MAX]; /* the mail server's last line, if it was one
				   */
};

enum err courier_new(courier_go_on *go_on, void *arg, struct courier **out)
{
	struct courier *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (!c)
		return E_MEMORY;
	c->go_on = go_on;
	c->arg = arg;
	c->multi = curl_multi_init();
	c->easy = curl_easy_init();
	if (!c->multi || !c->easy) {
		courier_free(c);
		return E_MEMORY;
	}
	*out = c;
	return E_OK;
}

void courier_free(struct courier *courier)
{
	if (!courier)
		return;
	curl_easy_cleanup(courier->easy);
	curl_multi_cleanup(courier->multi);
	free(courier);
}

void courier_cleanup(struct courier **courier)
{
	courier_free(*courier);
}

/* One line, the end of it a line feed or the end of the file. */
static enum err read_secret(const char *path, size_t min, struct buf *text,
			    struct str *line, struct cause *cause)
{
	enum err err;

	*line = (struct str) { 0 };
	buf_init(text, SECRET_FILE_MAX);
	err = file_read_own(path, true, text, cause);
	if (err)
		return err;
	*line = buf_str(text);
	if (line->len && line->at[line->len - 1] == '\n')
		line->len--;
	if (line->len < min || str_has(*line, '\n') || str_has(*line, '\0'))
		return cause_set(cause, E_SYNTAX,
				 "%s: must hold one line of at least %zu bytes",
				 path, min);
	return E_OK;
}

enum err courier_check(const struct config *config, struct cause *cause)
{
	AUTO(buf) struct buf password, secret;
	struct str line;
	enum err err = E_OK;

	buf_init(&password, 0);
	buf_init(&secret, 0);
	if (config->mail.password_file)
		err = read_secret(config->mail.password_file, 1, &password,
				  &line, cause);
	if (err)
		return config_blame(config->mail.place, err, cause);
	if (config->hook.secret_file)
		err = read_secret(config->hook.secret_file, COURIER_SECRET_MIN,
				  &secret, &line, cause);
	return err ? config_blame(config->hook.place, err, cause) : E_OK;
}

static int64_t monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec;
}

static bool is_late(const struct courier *c)
{
	return monotonic() >= c->until;
}

static bool goes_on(const struct courier *c)
{
	return c->go_on(c->arg) && !is_late(c);
}

static size_t on_read(char *to, size_t size, size_t n, void *arg)
{
	struct courier *c = arg;
	size_t len = size * n < c->upload.len ? size * n : c->upload.len;

	if (len)
		memcpy(to, c->upload.at, len);
	c->upload = str_skip(c->upload, len);
	if (!c->upload.len && !c->uploaded) {
		c->uploaded = true;
		c->until = monotonic() + COURIER_ANSWER;
	}
	return len;
}

/* Each line that a mail server answers, though the name is HTTP's. */
static size_t on_line(char *at, size_t size, size_t n, void *arg)
{
	struct courier *c = arg;
	int len = (int)(size * n < sizeof(c->refusal) ? size * n
						      : sizeof(c->refusal));

	while (len && (at[len - 1] == '\r' || at[len - 1] == '\n'))
		len--;
	/* QUIT is answered as well, after what went wrong. */
	if (!str_starts((struct str) { at, (size_t)len }, STR("221")))
		*c->refusal = '\0';
	if (len && (*at == '4' || *at == '5'))
		snprintf(c->refusal, sizeof(c->refusal), "%.*s", len, at);
	make_printable(c->refusal);
	if (c->uploaded && !c->answered) {
		c->answered = true;
		c->kept = len && *at == '2';
		c->until = monotonic() + COURIER_SECONDS; /* for QUIT */
	}
	return size * n;
}

/* What a webhook says beside its status is of no interest. */
static size_t on_answer(char *at, size_t size, size_t n, void *arg)
{
	(void)at, (void)arg;
	return size * n;
}

/* libcurl blocks while it waits for an answer to DATA or QUIT, and asks here.
 */
static int on_progress(void *arg, curl_off_t down_all, curl_off_t down,
		       curl_off_t up_all, curl_off_t up)
{
	const struct courier *c = arg;

	(void)down_all, (void)down, (void)up_all, (void)up;
	return !goes_on(c);
}

static void begin(struct courier *c, const char *url, const char *schemes)
{
	CURL *easy = c->easy;

	curl_easy_reset(easy);
	c->said[0] = c->refusal[0] = '\0';
	c->until = monotonic() + COURIER_SECONDS;
	c->uploaded = c->answered = c->kept = false;
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, c->said);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, c);
	/* One that is kept says QUIT later, when nothing asks any more. */
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
	curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT,
			 (long)COURIER_ANSWER + COURIER_SECONDS);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION,
			 (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, schemes);
	/* That of the environment is for other programs. */
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(easy, CURLOPT_URL, url);
}

/* CURLE_ABORTED_BY_CALLBACK: the asker wants to go. */
static CURLcode run(struct courier *c)
{
	CURLcode code = CURLE_ABORTED_BY_CALLBACK;
	int running = 1, left;
	CURLMsg *msg;

	if (curl_multi_add_handle(c->multi, c->easy))
		return CURLE_OUT_OF_MEMORY;
	while (!curl_multi_perform(c->multi, &running) && running && goes_on(c))
		curl_multi_poll(c->multi, NULL, 0, POLL_MS, NULL);
	while ((msg = curl_multi_info_read(c->multi, &left)))
		if (msg->msg == CURLMSG_DONE)
			code = msg->data.result;
	curl_multi_remove_handle(c->multi, c->easy);
	return code;
}

/* The end of a delivery: its status, and nothing of it is left. */
static CURLcode perform(struct courier *c, struct curl_slist *list,
			long *status)
{
	CURLcode code = run(c);

	*status = 0;
	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, status);
	curl_easy_reset(c->easy);
	curl_slist_free_all(list);
	return code;
}

static enum err failed(const struct courier *c, const char *what, enum err err,
		       CURLcode code, struct cause *cause)
{
	const char *said = *c->said ? c->said : curl_easy_strerror(code);

	if (code == CURLE_ABORTED_BY_CALLBACK)
		said = is_late(c) ? "no answer in time"
				  : "cut short, as the server ends";
	return cause_set(cause, err, "%.160s: %.240s%s%s%s", what, said,
			 *c->refusal ? " (" : "", c->refusal,
			 *c->refusal ? ")" : "");
}

/* A recipient or a letter that is refused, and not the whole connection. */
static bool of_this_letter(CURLcode code, long status)
{
	if (code != CURLE_SEND_ERROR && code != CURLE_RECV_ERROR &&
	    code != CURLE_WEIRD_SERVER_REPLY)
		return false;
	return status >= 400 && status < 600 && status != 421 &&
	       status != 530 && status != 535;
}

static void set_ca(CURL *easy, const char *ca)
{
	if (!ca)
		return;
	curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
}

static void set_tls(CURL *easy, const struct config_mail *mail)
{
	bool required = config_tls_required(mail);
	bool verified = required || mail->ca;

	curl_easy_setopt(easy, CURLOPT_USE_SSL,
			 (long)(required ? CURLUSESSL_ALL : CURLUSESSL_TRY));
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verified ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verified ? 2L : 0L);
	set_ca(easy, mail->ca);
}

static enum err set_login(CURL *easy, const struct config_mail *mail,
			  struct cause *cause)
{
	AUTO(buf) struct buf text, line;
	struct str password;
	enum err err;

	buf_init(&text, 0);
	buf_init(&line, SECRET_FILE_MAX + 1);
	if (!mail->user)
		return E_OK;
	err = read_secret(mail->password_file, 1, &text, &password, cause);
	if (err)
		return E_BUSY;
	buf_add(&line, password);
	buf_add_char(&line, '\0');
	curl_easy_setopt(easy, CURLOPT_USERNAME, mail->user);
	curl_easy_setopt(easy, CURLOPT_PASSWORD, line.at);
	return E_OK;
}

/* smtp://host alone would be port 25 with 'smtp', but 465 with 'smtps'. */
enum err courier_mail(struct courier *c, const struct config_mail *mail,
		      struct str to, struct str letter, struct cause *cause)
{
	struct curl_slist *recipients = NULL;
	char address[URL_ROOM];
	long status;
	CURLcode code;
	enum err err;

	if (to.len >= sizeof(address))
		return cause_set(cause, E_REFUSED, "the address is too long");
	snprintf(address, sizeof(address), STR_FMT, STR_ARG(to));
	begin(c, mail->url, "smtp,smtps");
	err = set_login(c->easy, mail, cause);
	recipients = err ? NULL : curl_slist_append(NULL, address);
	if (!recipients)
		return err ? err : cause_set(cause, E_BUSY, "out of memory");
	set_tls(c->easy, mail);
	c->upload = letter;
	curl_easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, on_line);
	curl_easy_setopt(c->easy, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_MAIL_FROM, mail->from);
	curl_easy_setopt(c->easy, CURLOPT_MAIL_RCPT, recipients);
	curl_easy_setopt(c->easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(c->easy, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(c->easy, CURLOPT_READDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_INFILESIZE_LARGE,
			 (curl_off_t)letter.len);
	code = perform(c, recipients, &status);
	if (code == CURLE_OK || c->kept)
		return E_OK;
	return failed(c, mail->url,
		      of_this_letter(code, status) ? E_REFUSED : E_BUSY, code,
		      cause);
}

static enum err sign(const struct config_hook *hook, struct str json,
		     char *header, size_t size, struct cause *cause)
{
	AUTO(buf) struct buf text, hex;
	unsigned char mac[EVP_MAX_MD_SIZE];
	struct str secret;
	unsigned len = 0;
	enum err err;

	buf_init(&hex, sizeof(mac) * 2);
	err = read_secret(hook->secret_file, COURIER_SECRET_MIN, &text, &secret,
			  cause);
	if (err)
		return E_BUSY;
	if (!HMAC(EVP_sha256(), secret.at, (int)secret.len,
		  (const unsigned char *)json.at, json.len, mac, &len))
		return cause_set(cause, E_BUSY, "cannot sign");
	hex_add(&hex, (struct str) { (const char *)mac, len });
	snprintf(header, size, "X-Dockpass-Signature: sha256=" STR_FMT,
		 STR_ARG(buf_str(&hex)));
	return E_OK;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(list, line);

	assert(longer);
	return longer;
}

enum err courier_post(struct courier *c, const struct config_hook *hook,
		      uint64_t id, struct str json, struct cause *cause)
{
	struct curl_slist *headers = NULL;
	char signature[200], delivery[64];
	long status;
	CURLcode code;
	enum err err = sign(hook, json, signature, sizeof(signature), cause);

	if (err)
		return err;
	snprintf(delivery, sizeof(delivery), "X-Dockpass-Delivery: %llu",
		 (unsigned long long)id);
	headers = add_header(headers, "Content-Type: application/json");
	headers = add_header(headers, "Expect:");
	headers = add_header(headers, delivery);
	headers = add_header(headers, signature);
	begin(c, hook->url, "http,https");
	set_ca(c->easy, hook->ca);
	curl_easy_setopt(c->easy, CURLOPT_USERAGENT, "dockpass");
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, json.at);
	curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE,
			 (curl_off_t)json.len);
	code = perform(c, headers, &status);
	if (code == CURLE_OK && status >= 200 && status < 300)
		return E_OK;
	if (code == CURLE_OK)
		return cause_set(cause,
				 status == 429 || status >= 500 ? E_BUSY
								: E_REFUSED,
				 "the webhook answered %ld%s", status,
				 status >= 300 && status < 400
					 ? ", a redirect, which is not "
					   "followed: write where it leads to "
					   "as webhook.url"
					 : "");
	/* Its address may hold a secret. */
	return failed(c, "the webhook", E_BUSY, code, cause);
}
