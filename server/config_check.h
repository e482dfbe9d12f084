/*
 * server/config_check.h - what no single option can know: names that must
 * differ, files that must be there, addresses and the URL.
 */
#pragma once

#include "server/config.h"
#include "server/config_yaml.h"

/* Completes config->url. *cause names the line, or the variable. */
enum err config_check(struct config *config, const struct yaml_file *file,
		      bool bare, struct cause *cause) MUST_CHECK;

/* Inside: what config_notice.c shares. */
struct checker {
	const struct config *config;
	const struct yaml_file *file;
	struct cause *cause;
	bool bare; /* files that options name are not looked at */
};
/* Refuses an option, by its path: "mail.url". */
enum err check_bad(const struct checker *c, const char *path, const char *what);
/* A file that an option names; a secret one is its owner's alone. */
enum err check_file(const struct checker *c, const char *path, const char *file,
		    bool secret) MUST_CHECK;
enum err check_notices(const struct checker *c) MUST_CHECK;
/* Likewise of config_tls.c; `path`: "listeners[0].tls". */
enum err check_tls(const struct checker *c, const char *path,
		   const struct config_tls *tls) MUST_CHECK;
void keep_tls_places(const struct config *config, const char *path,
		     struct config_tls *tls);
/* "host", "host:port", "[::1]:25"; of the host each label is one. */
enum err host_port_check(struct str text, struct cause *cause) MUST_CHECK;

/* "127.0.0.1:5001", "[::1]:5001": an address and a port, 1 to 65535. */
enum err address_check(struct str text, struct cause *cause) MUST_CHECK;
/* http(s)://host[:port], and no more than a slash behind it. */
enum err url_check(struct str text, struct cause *cause) MUST_CHECK;
