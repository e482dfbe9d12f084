/* server/jobs/courier.c - see the header. */
#include "server/jobs/courier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "server/file.h"
#include "server/transfer.h"
#include "store/mailbox.h"
#include "token/encode.h"

enum { SECRET_FILE_MAX = 4096, URL_ROOM = 1100 };
/* Nobody else takes it up while it is being delivered. */
static_assert(2 * COURIER_SECONDS + TRANSFER_ANSWER < (int)NOTICE_CLAIM,
	      "a claim outlives a delivery");

struct courier {
	struct transfer *transfer;
};

enum err courier_new(courier_go_on *go_on, void *arg, struct courier **out)
{
	struct courier *c = calloc(1, sizeof(*c));
	enum err err;

	*out = NULL;
	if (!c)
		return E_MEMORY;
	err = transfer_new(go_on, arg, &c->transfer);
	if (err) {
		courier_free(c);
		return err;
	}
	*out = c;
	return E_OK;
}

void courier_free(struct courier *courier)
{
	if (!courier)
		return;
	transfer_free(courier->transfer);
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
		return config_blame(config_place(config, "mail.password_file"),
				    err, cause);
	if (config->hook.secret_file)
		err = read_secret(config->hook.secret_file, COURIER_SECRET_MIN,
				  &secret, &line, cause);
	return err ? config_blame(config_place(config, "webhook.secret_file"),
				  err, cause)
		   : E_OK;
}

static enum err failed(const struct courier *c, const char *what, enum err err,
		       const struct transfer_reply *reply, struct cause *cause)
{
	const char *refusal = transfer_refusal(c->transfer);

	return cause_set(
		cause, err, "%.160s: %.240s%s%s%s%s", what, reply->said,
		reply->end == TRANSFER_CUT ? ", as the server ends" : "",
		*refusal ? " (" : "", refusal, *refusal ? ")" : "");
}

/* A recipient or a letter that is refused, and not the whole connection. */
static bool of_this_letter(const struct transfer_reply *reply)
{
	long status = reply->status;

	return reply->end == TRANSFER_BROKEN && status >= 400 && status < 600 &&
	       status != 421 && status != 530 && status != 535;
}

struct transfer_ask courier_ask(const struct config_mail *mail)
{
	bool required = config_tls_required(mail);

	return (struct transfer_ask) {
		.url = mail->url,
		.schemes = "smtp,smtps",
		.seconds = COURIER_SECONDS,
		.ca = mail->ca,
		.starttls = required,
		.unverified = !required && !mail->ca,
	};
}

enum err courier_mail(struct courier *c, const struct config_mail *mail,
		      struct str to, struct str text, struct cause *cause)
{
	const struct transfer_ask ask = courier_ask(mail);
	AUTO(buf) struct buf secret, password;
	struct transfer_reply reply;
	char address[URL_ROOM];
	struct transfer_letter letter = {
		.from = mail->from,
		.to = address,
		.text = text,
	};
	struct str line;

	buf_init(&secret, 0);
	buf_init(&password, SECRET_FILE_MAX + 1);
	if (to.len >= sizeof(address))
		return cause_set(cause, E_REFUSED, "the address is too long");
	snprintf(address, sizeof(address), STR_FMT, STR_ARG(to));
	if (mail->user) {
		if (read_secret(mail->password_file, 1, &secret, &line, cause))
			return E_BUSY;
		buf_add(&password, line);
		buf_add_char(&password, '\0');
		letter.user = mail->user;
		letter.password = password.at;
	}
	transfer_mail(c->transfer, &ask, &letter, &reply);
	if (reply.end == TRANSFER_DONE || reply.kept)
		return E_OK;
	return failed(c, mail->url, of_this_letter(&reply) ? E_REFUSED : E_BUSY,
		      &reply, cause);
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

enum err courier_post(struct courier *c, const struct config_hook *hook,
		      uint64_t id, struct str json, struct cause *cause)
{
	char signature[200], delivery[64];
	const char *const headers[] = { "Content-Type: application/json",
					"Expect:", delivery, signature, NULL };
	const struct transfer_ask ask = {
		.url = hook->url,
		.schemes = "http,https",
		.seconds = COURIER_SECONDS,
		.ca = hook->ca,
		.headers = headers,
		.post = json,
	};
	struct transfer_reply reply;
	enum err err = sign(hook, json, signature, sizeof(signature), cause);
	long status;

	if (err)
		return err;
	snprintf(delivery, sizeof(delivery), "X-Dockpass-Delivery: %llu",
		 (unsigned long long)id);
	transfer_http(c->transfer, &ask, &reply);
	status = reply.status;
	/* Its address may hold a secret. */
	if (reply.end != TRANSFER_DONE)
		return failed(c, "the webhook", E_BUSY, &reply, cause);
	if (status >= 200 && status < 300)
		return E_OK;
	return cause_set(cause,
			 status == 429 || status >= 500 ? E_BUSY : E_REFUSED,
			 "the webhook answered %ld%s", status,
			 status >= 300 && status < 400
				 ? ", a redirect, which is not followed: write "
				   "where it leads to as webhook.url"
				 : "");
}
