/* server/proxy_reader.c - see the header. */
#include "server/proxy_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>

struct proxy_reader {
	struct event *event;
	proxy_done *done;
	void *arg;
	size_t len;
	char at[PROXY_MAX];
};

static struct str seen(const struct proxy_reader *reader)
{
	return (struct str) { reader->at, reader->len };
}

/* Looks first, then takes what is the header's. */
static enum proxy_step take(struct proxy_reader *reader, int fd,
			    struct proxy_header *header)
{
	size_t room = sizeof(reader->at) - reader->len;
	char *at = reader->at + reader->len;
	ssize_t n = recv(fd, at, room, MSG_PEEK);
	size_t mine;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return PROXY_MORE;
	if (n <= 0)
		return PROXY_BAD;
	mine = proxy_takes(seen(reader), (struct str) { at, (size_t)n });
	if (recv(fd, at, mine, 0) != (ssize_t)mine)
		return PROXY_BAD;
	reader->len += mine;
	return proxy_parse(seen(reader), header);
}

/* The rest of what is there makes the event come again. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct proxy_reader *reader = arg;
	struct proxy_header header;
	enum proxy_step step = take(reader, fd, &header);

	(void)what;
	if (step == PROXY_MORE)
		return;
	event_del(reader->event);
	/* It may free the reader. */
	reader->done(step == PROXY_WHOLE ? &header : NULL, reader->arg);
}

struct proxy_reader *proxy_reader_new(struct event_base *base, int fd,
				      proxy_done *done, void *arg)
{
	struct proxy_reader *reader = malloc(sizeof(*reader));

	if (!reader)
		return NULL;
	reader->done = done;
	reader->arg = arg;
	reader->len = 0;
	reader->event =
		event_new(base, fd, EV_READ | EV_PERSIST, on_readable, reader);
	if (!reader->event || event_add(reader->event, NULL)) {
		proxy_reader_free(reader);
		return NULL;
	}
	return reader;
}

void proxy_reader_free(struct proxy_reader *reader)
{
	if (!reader)
		return;
	if (reader->event)
		event_free(reader->event);
	free(reader);
}
