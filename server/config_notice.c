/* server/config_notice.c - mail, webhook and log of dockpass.yaml. */
#include "server/config_check.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/outlet.h"
#include "token/mail.h"
#include "token/network.h"

static enum err check_smtp_url(const struct checker *c, struct str *host)
{
	struct str text = str_of(c->config->mail.url);
	bool plain = str_starts(text, STR("smtp://"));
	struct cause what;

	*host = (struct str) { 0 };
	if (!plain && !str_starts(text, STR("smtps://")))
		return check_bad(c, "mail.url",
				 "must begin with smtp:// or smtps://");
	*host = str_skip(text, plain ? 7 : 8);
	if (str_has(*host, '@'))
		return check_bad(c, "mail.url",
				 "holds a login; write it as mail.user and "
				 "mail.password_file");
	if (host_port_check(*host, &what))
		return check_bad(c, "mail.url",
				 "has no valid host or port; write as "
				 "smtp://mail.example.com:587");
	return E_OK;
}

bool config_tls_required(const struct config_mail *mail)
{
	if (!strncmp(mail->url, "smtps:", 6))
		return true;
	/* Who names a ca wants it asked, also when STARTTLS was taken out. */
	return mail->starttls ? !strcmp(mail->starttls, "required")
			      : mail->ca != NULL;
}

static enum err check_login(const struct checker *c, struct str host)
{
	const struct config_mail *mail = &c->config->mail;

	if (!mail->user != !mail->password_file)
		return check_bad(
			c, mail->user ? "mail.user" : "mail.password_file",
			"a login needs user and password_file");
	if (!mail->user)
		return E_OK;
	/* A password in clear goes no further than this machine. */
	if (!host_is_local(host) && !config_tls_required(mail))
		return check_bad(c, "mail.starttls",
				 "the password might go over the network in "
				 "clear; write required, or an smtps:// url");
	return check_file(c, "mail.password_file", mail->password_file, true);
}

static enum err check_mail(const struct checker *c)
{
	const struct config_mail *mail = &c->config->mail;
	struct str host;
	enum err err;

	if (mail->starttls && strcmp(mail->starttls, "required") &&
	    strcmp(mail->starttls, "opportunistic"))
		return check_bad(c, "mail.starttls",
				 "is neither required nor opportunistic");
	if (!mail->url) {
		if (mail->from || mail->user || mail->password_file || mail->ca)
			return check_bad(c, "mail",
					 "has no url; add `url: "
					 "smtp://localhost:25`");
		return E_OK;
	}
	if (!mail->from)
		return check_bad(c, "mail",
				 "has no from; add `from: "
				 "dockpass@example.com`, whom mail comes from");
	if (!mail_address_valid(str_of(mail->from)))
		return check_bad(c, "mail.from",
				 "is no address; write as "
				 "dockpass@example.com");
	err = check_smtp_url(c, &host);
	if (!err)
		err = check_login(c, host);
	if (!err && mail->ca)
		err = check_file(c, "mail.ca", mail->ca, false);
	return err;
}

static enum err check_hook(const struct checker *c)
{
	const struct config_hook *hook = &c->config->hook;
	struct str rest = str_of(hook->url), host;
	bool secure = str_starts(rest, STR("https://"));
	struct cause what;
	enum err err;

	if (!hook->url && !hook->secret_file && !hook->ca)
		return E_OK;
	if (!hook->url || !hook->secret_file)
		return check_bad(c, "webhook",
				 "needs both url and secret_file");
	if (!secure && !str_starts(rest, STR("http://")))
		return check_bad(c, "webhook.url",
				 "must begin with https:// or http://");
	rest = str_skip(rest, secure ? 8 : 7);
	str_cut(&rest, '/', &host);
	if (host_port_check(host, &what))
		return check_bad(c, "webhook.url",
				 "has no valid host or port; write as "
				 "https://chat.example.com/hook");
	if (str_has(str_of(hook->url), ' '))
		return check_bad(c, "webhook.url", "holds a blank");
	err = check_file(c, "webhook.secret_file", hook->secret_file, true);
	return err || !hook->ca ? err
				: check_file(c, "webhook.ca", hook->ca, false);
}

static void folder_of(const char *path, char out[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];

	snprintf(folder, sizeof(folder), "%.*s",
		 slash ? (int)(slash - path + 1) : 1, slash ? path : ".");
	if (!realpath(folder, out))
		out[0] = '\0';
}

static bool lies_in(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return *path && len && !strncmp(path, folder, len) &&
	       (!path[len] || path[len] == '/' || len == 1);
}

/*
 * The server goes on with the right to write all of the log's folder, as
 * logrotate makes another file there: nothing else of dockpass may be in it,
 * nor it in a folder that dockpass keeps.
 */
static enum err check_log_folder(const struct checker *c)
{
	const struct config *config = c->config;
	const char *folders[] = { config->store, config->keys, config->public };
	char folder[PATH_MAX], own[COUNT(folders) + 2][PATH_MAX];
	struct cause what;

	folder_of(config->log.file, folder);
	for (size_t i = 0; i < COUNT(own); i++)
		own[i][0] = '\0';
	for (size_t i = 0; i < COUNT(folders); i++)
		if (!realpath(folders[i], own[i]))
			own[i][0] = '\0';
	/* The configuration may be a link: both of its folders. */
	folder_of(config->path, own[COUNT(folders)]);
	if (realpath(config->path, own[COUNT(folders) + 1]))
		*strrchr(own[COUNT(folders) + 1], '/') = '\0';
	for (size_t i = 0; i < COUNT(own); i++) {
		if (!lies_in(own[i], folder) &&
		    (i >= COUNT(folders) || !lies_in(folder, own[i])))
			continue;
		cause_set(&what, E_REFUSED,
			  "%.200s: %.200s is dockpass's own, and the server "
			  "can write the log's whole folder; name a file in a "
			  "folder of its own, as log/dockpass.log",
			  config->log.file, own[i]);
		return check_bad(c, "log.file", what.text);
	}
	return E_OK;
}

static enum err check_log(const struct checker *c)
{
	const struct config_log *log = &c->config->log;
	struct cause what;
	int facility;

	if (log->syslog && !outlet_facility(log->syslog, &facility))
		return check_bad(
			c, "log.syslog",
			"is no facility; write daemon, auth, authpriv, "
			"user or local0 to local7");
	if (log->file && !c->bare && outlet_check(log->file, &what))
		return check_bad(c, "log.file", what.text);
	return log->file && !c->bare ? check_log_folder(c) : E_OK;
}

enum err check_notices(const struct checker *c)
{
	enum err err = check_mail(c);

	if (!err)
		err = check_hook(c);
	return err ? err : check_log(c);
}
