/*
 * token/base.h - what every file uses: slices, errors, causes, cleanup.
 *
 * Text is a slice, struct str: never NUL-terminated, never owned. Errors that
 * are expected are an enum err; broken promises of our own are assert(), which
 * stays on in production.
 *
 * Unless a header says something else: a time is an int64_t, seconds since 1970
 * UTC, 0 for none, and a size is in bytes; what comes out of a call lives as
 * long as what it came from; any thread may call, though no two at once with
 * the same object.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK	  __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define COUNT(array)	  (sizeof(array) / sizeof((array)[0]))

/*
 * AUTO(file) FILE *f: calls file_cleanup(&f) when f leaves its scope. The
 * cleanup accepts NULL and what is half built.
 */
#define AUTO(name) __attribute__((cleanup(name##_cleanup)))

/*
 * Thread roles. A prototype that ends in ON(writer_thread) may be called from
 * that thread alone: clang's -Wthread-safety refuses another caller.
 */
#ifdef __clang__
#define ROLE		__attribute__((capability("role")))
#define ON(thread)	__attribute__((requires_capability(thread)))
#define BECOMES(thread) __attribute__((acquire_capability(thread)))
#define LEAVES(thread)	__attribute__((release_capability(thread)))
#else
#define ROLE
#define ON(thread)
#define BECOMES(thread)
#define LEAVES(thread)
#endif

/*
 * What mends a damaged store, wherever that is said. The first way keeps what
 * was revoked since the backup; the second knows nothing of it.
 */
#define STORE_MEND_READ                                                        \
	"restore a backup: dockpass restore FILE --yes; if that cannot read "  \
	"the store,"
#define STORE_MEND_LOST                                                        \
	"stop the server, dockpass restore FILE --damaged, start it"
#define STORE_MEND STORE_MEND_READ " " STORE_MEND_LOST

/* name, text for people */
#define ERR_LIST(X)                                                            \
	X(E_OK, "done")                                                        \
	X(E_INTERNAL, "internal failure")                                      \
	X(E_MEMORY, "out of memory")                                           \
	X(E_IO, "input/output failure")                                        \
	X(E_SPACE, "no space left on the disk: free some, then repeat")        \
	X(E_READONLY, "the disk is read-only: make it writable, then repeat")  \
	X(E_CRYPTO, "cryptographic failure")                                   \
	X(E_CORRUPT, "the store is damaged; " STORE_MEND)                      \
	X(E_VERSION, "stored format is of another version")                    \
	X(E_MODE, "others can read or write it")                               \
	X(E_BUSY, "in use or overloaded")                                      \
	X(E_FULL, "it is full: run dockpass audit prune, then repeat")         \
	X(E_SYNTAX, "cannot be read")                                          \
	X(E_LIMIT, "over a limit")                                             \
	X(E_NOT_FOUND, "not found")                                            \
	X(E_EXISTS, "exists already")                                          \
	X(E_NOT_EMPTY, "holds something")                                      \
	X(E_REFUSED, "not allowed")

enum err {
#define X(name, text) name,
	ERR_LIST(X)
#undef X
};

const char *err_text(enum err err);
enum err errno_err(int number);
/* What a person can do about an errno: "; free some space, ...", or "". */
const char *errno_advice(int number);
/*
 * From now on that of EACCES, for who is not who he seems to be. It must live
 * on. Before any other thread.
 */
void errno_advise_denied(const char *advice);
/* The same of what goes on by itself then: nothing is to be repeated. */
const char *errno_remedy(int number);

/*
 * One line for a person: what is wrong and what to do. Never a secret. A
 * function that takes a struct cause fills it whenever it fails; NULL is
 * allowed and means that nobody will read it.
 */
struct cause {
	char text[512];
};

/* Fills *cause (may be NULL) and returns `err`, so: return cause_set(...). */
enum err cause_set(struct cause *cause, enum err err, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* "PATH: cannot read it: ...", from errno and with what to do about it. */
enum err cause_errno(struct cause *cause, const char *what, const char *path);

void fd_cleanup(int *fd); /* AUTO(fd); -1 is none */

struct str {
	const char *at;
	size_t len;
};

#define STR(literal)  ((struct str) { (literal), sizeof(literal) - 1 })
#define STR_FMT	      "%.*s"
#define STR_ARG(s)    (int)(s).len, (s).at
#define STR_OF(array) ((struct str) { (const char *)(array), sizeof(array) })

struct str str_of(const char *cstr); /* NULL: the empty slice */
bool str_eq(struct str a, struct str b);
bool str_eq_nocase(struct str a, struct str b); /* ASCII */
int str_cmp(struct str a, struct str b);	/* bytes, shorter first */
bool str_starts(struct str s, struct str prefix);
bool str_has(struct str s, char c);
struct str str_skip(struct str s, size_t n); /* n at most s.len */
struct str str_head(struct str s, size_t n); /* n at most s.len */
/* How many characters that are such it begins with. */
size_t str_span(struct str s, bool (*is)(char c));
struct str str_trim(struct str s); /* without blanks and tabs at its ends */

/*
 * Cuts *rest at the first `sep`: *head is what stood before it, *rest what
 * stands behind. Returns false, with both empty, when *rest was used up; so
 * while (str_cut(&rest, ' ', &word)) sees each word, the empty ones too, but
 * for an empty one at the very end.
 */
bool str_cut(struct str *rest, char sep, struct str *head);

/*
 * Decimal digits alone, no sign, no space, at most `max`. *out is 0 unless
 * E_OK.
 */
enum err str_to_u64(struct str s, uint64_t max, uint64_t *out) MUST_CHECK;

/* Of ASCII alone: locale never matters. */
char ascii_lower(char c);
static inline bool ascii_is_low(char c) /* a-z, 0-9 */
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
static inline bool ascii_is_alnum(char c) /* A-Z, too */
{
	return ascii_is_low(c) || (c >= 'A' && c <= 'Z');
}

/*
 * Length of the character that s, not empty, begins with, in UTF-8 (RFC 3629:
 * shortest form, no surrogates, up to U+10FFFF); 0: it is none.
 */
size_t utf8_len(struct str s);
uint32_t utf8_point(struct str s); /* that character */
size_t print_len(struct str s);	   /* 0 too: what is not seen, ends of lines */
bool str_printable(struct str s);  /* UTF-8 without any of these */
void make_printable(char *text);   /* each byte of these becomes '?' */
/*
 * The same as a copy of at most `max` bytes, cut at the end of a character.
 * Returns its length.
 */
size_t print_copy(struct str s, char *to, size_t max);
