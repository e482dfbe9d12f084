/* server/cli/doctor_ask.c - what dockpass doctor asks others, by HTTP. */
#include "server/cli/doctor.h"

#include <stdio.h>
#include <string.h>

#include "token/network.h"

/* The token is of no scope and lives a minute; it is wiped all the same. */
void doctor_get(struct doctor *d, const char *url, const char *token, bool own,
		struct buf *head, struct buf *body,
		struct transfer_reply *reply)
{
	AUTO(buf) struct buf line;
	struct transfer_ask ask = {
		.url = url,
		.schemes = "http,https",
		.seconds = DOCTOR_ASK_SECONDS,
		.ca = d->ca,
		.unverified = own,
		.head = head,
		.body = body,
	};
	const char *list[2] = { NULL, NULL };

	buf_init(&line, DOCTOR_ANSWER_MAX);
	buf_init(head, DOCTOR_ANSWER_MAX);
	buf_init(body, own ? DOCTOR_OWN_MAX : DOCTOR_ANSWER_MAX);
	if (token) {
		buf_printf(&line, "Authorization: Bearer %s", token);
		buf_add_char(&line, '\0');
		list[0] = line.over ? NULL : line.at;
	}
	ask.headers = list;
	transfer_http(d->transfer, &ask, reply);
}

static bool is_http(const char *url)
{
	return !strncmp(url, "http://", 7);
}

enum health doctor_no_answer(struct doctor *d, const char *what,
			     const char *url, const char *ca,
			     const struct transfer_reply *reply)
{
	const char *mend = NULL, *said = reply->said;

	switch (reply->end) {
	case TRANSFER_NO_HOST:
		said = "its name is not known here";
		mend = "look at its spelling, and at this machine's DNS";
		break;
	case TRANSFER_REFUSED:
		said = "nothing listens there (connection refused)";
		mend = "start it, or look at host and port";
		break;
	case TRANSFER_LATE:
		said = "no answer within 10 s";
		mend = "look at firewalls between here and there, and at its "
		       "own log";
		break;
	case TRANSFER_CUT:
		said = "not waited for: all checks together have 60 s";
		break;
	case TRANSFER_UNTRUSTED:
		mend = doctor_text(
			d,
			"get it another certificate if that has ended or is "
			"of another name; else name the authority that signed "
			"it, %s",
			ca);
		break;
	case TRANSFER_NO_TLS:
		mend = doctor_text(d,
				   "if no TLS is spoken there, it is "
				   "http://" STR_FMT,
				   STR_ARG(url_host_port(d, str_of(url))));
		break;
	case TRANSFER_TOO_MUCH:
		said = "it answers more than 64 KiB";
		mend = "look at what answers there";
		break;
	case TRANSFER_BROKEN:
		mend = is_http(url) ? "look at what answers there; perhaps it "
				      "is https://"
				    : "look at what answers there";
		break;
	default:
		mend = "look at host and port";
		break;
	}
	return doctor_found(d, HEALTH_FAIL, mend, "%s, %.300s: %.300s", what,
			    url, said);
}

bool doctor_head(struct str *head, struct str name, struct str *value)
{
	struct str line, key;

	while (str_cut(head, '\n', &line)) {
		if (line.len && line.at[line.len - 1] == '\r')
			line.len--;
		if (!str_has(line, ':'))
			continue;
		str_cut(&line, ':', &key);
		*value = str_trim(line);
		if (str_eq_nocase(key, name))
			return true;
	}
	*value = (struct str) { 0 };
	return false;
}

/* Behind the scheme: up to the path, and what follows. */
static struct str split(struct str url, struct str *path)
{
	struct str rest = url;
	size_t end = 0;

	if (str_starts(url, STR("https://")))
		rest = str_skip(url, 8);
	else if (str_starts(url, STR("http://")))
		rest = str_skip(url, 7);
	while (end < rest.len && !strchr("/?#", rest.at[end]))
		end++;
	*path = str_skip(rest, end);
	return str_head(rest, end);
}

static struct str authority(struct str url)
{
	struct str path, host = split(url, &path);

	/* Behind a login, which no realm should have. */
	for (size_t i = host.len; i-- > 0;)
		if (host.at[i] == '@')
			return str_skip(host, i + 1);
	return host;
}

struct str url_host(struct str url)
{
	struct str rest = authority(url), host;

	if (str_starts(rest, STR("["))) {
		rest = str_skip(rest, 1);
		str_cut(&rest, ']', &host);
		return host;
	}
	str_cut(&rest, ':', &host);
	return host;
}

struct str url_host_port(struct doctor *d, struct str url)
{
	struct str all = authority(url), host = url_host(url);
	size_t brackets = str_starts(all, STR("[")) ? 2 : 0;

	if (all.len > host.len + brackets)
		return all;
	return arena_printf(&d->call->arena, STR_FMT ":%s", STR_ARG(all),
			    str_starts(url, STR("https:")) ? "443" : "80");
}

struct str url_path(struct str url)
{
	struct str path;

	split(url, &path);
	return path;
}

bool is_private_literal(struct str host)
{
	struct networks private;
	struct network address;

	if (!address_read(host, &address))
		return false;
	return !networks_read(STR("127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,"
				  "192.168.0.0/16,169.254.0.0/16,0.0.0.0/8,"
				  "::1/128,fc00::/7,fe80::/10"),
			      &private, NULL) &&
	       networks_have(&private, &address);
}
