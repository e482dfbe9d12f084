/*
 * server/jobs/message.h - a notice in words: a mail for a person, a JSON text
 * for a webhook. Never a secret: a token is its name, its id and its date.
 */
#pragma once

#include "store/mailbox.h"
#include "token/arena.h"
#include "token/buf.h"

struct message_token {
	uint64_t id;
	struct str name;
	int64_t expires_at; /* 0: never */
};

/* All that a notice is about, as the store has it now. */
struct message {
	struct notice notice;
	struct str name, email; /* of who is told; empty: a space's webhook */
	struct str path;	/* of the namespace; empty: his own tokens */
	bool project;		/* not a group */
	struct message_token tokens[NOTICE_TOKENS_MAX];
};

/*
 * What has ended since it was queued is left out. E_NOT_FOUND: nothing is left,
 * or nobody. E_REFUSED: he cannot be told for now, with *cause. Texts live in
 * the arena.
 */
enum err message_read(struct txn *txn, const struct notice *notice, int64_t now,
		      struct arena *arena, struct message *out,
		      struct cause *cause) MUST_CHECK;
/* To whom it goes, for people: user bob (bob@example.com). Up to 600 bytes. */
struct str message_whom(struct txn *txn, const struct notice *notice,
			struct arena *arena);

/* RFC 5322. `url` is this server's; the same notice makes the same letter. */
void message_letter(const struct message *message, struct str from,
		    struct str url, struct buf *out);
/* {"id","event","date","user","project"|"group","tokens":[...],"total"} */
void message_json(const struct message *message, struct str url,
		  struct buf *out);
