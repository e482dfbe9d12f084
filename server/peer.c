/* server/peer.c - see the header. */
#include "server/peer.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static void judge(struct peer *peer, const struct trust *trust)
{
	peer->judged = trust->version;
	peer->trusted = networks_have(trust->proxies, &peer->address);
}

void peer_init(struct peer *peer, int fd, const struct trust *trust)
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = sizeof(at);
	struct network *to = &peer->address;

	*peer = (struct peer) { .address = { .bits = 128 } };
	/* It has gone: whose it was, no header of its can say. */
	peer->unsure = getpeername(fd, (struct sockaddr *)&at, &len) != 0;
	if (at.ss_family == AF_INET6) {
		memcpy(to->at, &((struct sockaddr_in6 *)&at)->sin6_addr, 16);
	} else if (at.ss_family == AF_INET) {
		to->at[10] = to->at[11] = 0xff;
		memcpy(to->at + 12, &((struct sockaddr_in *)&at)->sin_addr, 4);
	}
	judge(peer, trust);
}

void peer_name(struct peer *peer, const struct proxy_header *header,
	       const struct trust *trust)
{
	peer->unsure |= header->who == PROXY_HIDDEN;
	if (header->who != PROXY_CLIENT)
		return;
	peer->address = header->client;
	peer->named = true;
	judge(peer, trust);
}

bool peer_trusted(struct peer *peer, const struct trust *trust)
{
	if (peer->judged != trust->version)
		judge(peer, trust);
	return peer->trusted;
}

void peer_sockaddr(const struct peer *peer, struct sockaddr_storage *out)
{
	struct sockaddr_in *four = (struct sockaddr_in *)out;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (address_is_ipv4(&peer->address)) {
		four->sin_family = AF_INET;
		memcpy(&four->sin_addr, peer->address.at + 12, 4);
	} else {
		six->sin6_family = AF_INET6;
		memcpy(&six->sin6_addr, peer->address.at, 16);
	}
}
