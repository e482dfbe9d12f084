/*
 * server/log.h - the log: lines of JSON for machines, or of text.
 *
 *   {"time":"2027-01-31T08:15:00.123Z","level":"info","event":"token",...}
 *
 * A thread writes into rings of its own and never waits; one log thread
 * writes them out: to standard error, or as log_route() says. What does not fit
 * is lost, counted, and said. Before log_start() and after log_stop() a line is
 * written at once, on standard error.
 *
 * Never a secret. json_str() escapes what would break a line.
 */
#pragma once

#include "server/http/request.h"
#include "store/changelog.h"

enum log_format { FORMAT_JSON, FORMAT_TEXT };
enum log_level { LEVEL_INFO, LEVEL_WARNING, LEVEL_ERROR };
enum { LINE_MAX_BYTES = 16 * 1024 };

/*
 * All lines go to a file and to syslog (server/outlet.h), each unless NULL;
 * those of token requests and changes no longer to standard error then. Called
 * again, opens the file anew, as rotation wants it; no line is lost meanwhile.
 * Unless E_OK all stays as it was. log_reopen() does the same again; false: it
 * has said itself what is wrong. Thread: main.
 */
enum err log_route(const char *file, const char *facility,
		   struct cause *cause) MUST_CHECK;
bool log_reopen(void);
enum err log_start(enum log_format format) MUST_CHECK;
void log_stop(void); /* writes what is left */

/* For who watches; from any thread. */
struct log_state {
	uint64_t lost; /* lines, ever; a line that two ways lost counts twice */
	bool failing;  /* the file or syslog takes none: they wait */
};
void log_state(struct log_state *out);

/* Everything that is no token request or change: start, reload, warning... */
void log_event(enum log_level level, const char *event, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* With fields for what is to be searched for, named as in a request's line. */
struct log_about {
	struct str address;
	uint64_t token_id; /* 0: none */
};
void log_event_about(enum log_level level, const char *event,
		     const struct log_about *about, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/* One token request, after its reply. `when`: ms since 1970. */
struct log_token {
	int64_t when;
	struct str address;
	struct str certificate; /* of the client; empty: none */
	enum status status;
	uint64_t us;
	const struct request_log *log;
};
void log_token(const struct log_token *line);
/*
 * One change of the store, of the jobs thread alone; `count`: so many like it,
 * of which it is the last. False: nothing was done, as this thread's lines wait
 * to be written; they are never lost. log_progress(): in bytes of all lines
 * ever, what was put and how much of it has been written.
 */
bool log_change(struct txn *txn, const struct log_entry *entry,
		uint64_t count) MUST_CHECK;
struct log_progress {
	size_t put, written;
};
struct log_progress log_progress(void);
/* Of a line as those below print it. */
enum log_level log_line_level(struct str line);
/* The same as text, for the log and for tests. */
void log_print_change(struct txn *txn, const struct log_entry *entry,
		      uint64_t count, enum log_format format, struct buf *out);
void log_print_token(const struct log_token *line, enum log_format format,
		     struct buf *out);
void log_print_event(int64_t when, enum log_level level, const char *event,
		     const struct log_about *about, struct str message,
		     enum log_format format, struct buf *out);
