/* test/unit/server/test_gate.c - server/http/gate: one row per rule. */
#include "test/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/http/gate.h"

/*
 * Feeds `text` in pieces of `piece` bytes and writes what would happen: the
 * bytes that are handed on, "[skip N]", "[400]", "[drop]", "[hold N]".
 */
static void run(struct str text, size_t piece, struct buf *out)
{
	struct gate gate;
	size_t held = 0, skipped = 0;
	const char *from = text.at;

	gate_init(&gate);
	buf_clear(out);
	while (text.len) {
		struct str part =
			str_head(text, piece < text.len ? piece : text.len);
		size_t used;
		enum gate_step step = gate_feed(&gate, part, &used);
		struct str unit;

		assert_true(used && used <= part.len);
		held += used;
		text = str_skip(text, used);
		if (step == GATE_MORE)
			continue;
		unit = (struct str) { from, held };
		from += held;
		held = 0;
		if (step == GATE_PASS) {
			buf_add(out, unit);
			if (gate.add_length)
				buf_add(out, STR("[length]"));
			gate.add_length = false;
		} else if (step == GATE_SKIP) {
			skipped += unit.len;
		} else if (step == GATE_REFUSE) {
			buf_printf(out, "[%d%s]", (int)gate.status,
				   gate.detail);
			break;
		} else {
			buf_add(out, STR("[drop]"));
			break;
		}
	}
	if (skipped)
		buf_printf(out, "[skip %zu]", skipped);
	if (held)
		buf_printf(out, "[hold %zu]", held);
	if (!held && gate_between(&gate))
		buf_printf(out, "[whole %u]", gate.whole);
}

#define END  "\r\n"
#define HOST "Host: a" END
#define BARE "GET /token HTTP/1.1" END
#define GET  BARE HOST
#define POST "POST /token HTTP/1.1" END HOST

static const struct {
	const char *rule, *text, *want;
} rows[] = {
	{ "a request is handed on", GET "A: b" END END,
	  GET "A: b" END END "[whole 1]" },
	{ "two in a row", GET END GET END, GET END GET END "[whole 2]" },
	{ "a part is held back", GET "Auth", "[hold 34]" },
	{ "an empty line before a request is skipped", END GET END,
	  GET END "[skip 2][whole 1]" },
	{ "HTTP/1.0", "GET / HTTP/1.0" END END,
	  "GET / HTTP/1.0" END END "[whole 1]" },
	{ "a body by its length",
	  POST "Content-Length: 3" END END "a=b" GET END,
	  POST "Content-Length: 3" END END "a=b" GET END "[whole 2]" },
	{ "a POST without a length has no body", POST END GET END,
	  POST END "[length]" GET END "[whole 2]" },
	{ "a GET has no body", GET "Content-Length: 1" END END, "[400]" },
	{ "nor chunks", GET "Transfer-Encoding: chunked" END END, "[400]" },
	{ "nothing is no body", GET "Content-Length: 0" END END,
	  GET "Content-Length: 0" END END "[whole 1]" },
	{ "nor has DELETE one",
	  "DELETE / HTTP/1.1" END HOST "Content-Length: 1" END END, "[400]" },
	{ "PUT may", "PUT / HTTP/1.1" END HOST "Content-Length: 1" END END "a",
	  "PUT / HTTP/1.1" END HOST "Content-Length: 1" END END "a[whole 1]" },
	{ "a chunked body is handed on whole",
	  POST "Transfer-Encoding: chunked" END END "3" END "a=b" END
	       "0" END END,
	  POST "Transfer-Encoding: chunked" END END "3" END "a=b" END
	       "0" END END "[whole 1]" },
	{ "a chunked body that is cut is held",
	  POST "Transfer-Encoding: Chunked" END END "3" END "a=", "[hold 66]" },
	{ "who expects 100 gets it before his body",
	  POST "Expect: 100-Continue" END "Content-Length: 1" END END,
	  POST "Expect: 100-Continue" END "Content-Length: 1" END END },
	{ "no other expectation", POST "Expect: cake" END END, "[400]" },
	{ "two lengths",
	  POST "Content-Length: 1" END "Content-Length: 1" END END "a",
	  "[400]" },
	{ "two lengths on a GET",
	  GET "Content-Length: 0" END "content-length: 0" END END, "[400]" },
	{ "a list of lengths", POST "Content-Length: 1, 1" END END "a",
	  "[400]" },
	{ "a length with a sign", POST "Content-Length: +1" END END "a",
	  "[400]" },
	{ "a length in hex", POST "Content-Length: 0x1" END END "a", "[400]" },
	{ "no digits", POST "Content-Length: " END END, "[400]" },
	{ "spaces around a length", POST "Content-Length:   1 " END END "a",
	  POST "Content-Length:   1 " END END "a[whole 1]" },
	{ "a tab, which evhttp takes for a part",
	  POST "Expect:\t100-continue" END END, "[400]" },
	{ "a tab behind", POST "Content-Length: 1\t" END END "a", "[400]" },
	{ "a tab elsewhere", GET "A:\tb\tc" END END,
	  GET "A:\tb\tc" END END "[whole 1]" },
	{ "a length beside an encoding",
	  POST "Content-Length: 1" END "Transfer-Encoding: chunked" END END,
	  "[400]" },
	{ "an encoding beside a length",
	  POST "Transfer-Encoding: chunked" END "Content-Length: 1" END END,
	  "[400]" },
	{ "two encodings",
	  POST "Transfer-Encoding: chunked" END
	       "Transfer-Encoding: chunked" END END,
	  "[400]" },
	{ "an encoding that is not only chunked",
	  POST "Transfer-Encoding: gzip, chunked" END END, "[400]" },
	{ "identity", POST "Transfer-Encoding: identity" END END, "[400]" },
	{ "a long encoding",
	  POST "Transfer-Encoding: chunked,chunked,chunked,"
	       "chunked" END END,
	  "[400]" },
	{ "HTTP/1.0 has no chunks",
	  "POST / HTTP/1.0" END "Transfer-Encoding: chunked" END END, "[400]" },
	{ "a bare CR in a header", GET "A: b\rc" END END, "[400]" },
	{ "a bare CR in the request line", "GET /\r HTTP/1.1" END END,
	  "[400]" },
	{ "a bare LF", "GET / HTTP/1.1\nHost: a\n\n", "[400]" },
	{ "a bare LF after a header", GET "A: b\n\n", "[400]" },
	{ "a folded line", GET "A: b" END " c" END END, "[400]" },
	{ "a space before the colon", GET "Content-Length : 1" END END,
	  "[400]" },
	{ "a header without a name", GET ": 1" END END, "[400]" },
	{ "a header without a colon", GET "abc" END END, "[400]" },
	{ "a control in a header", GET "A: \x01" END END, "[400]" },
	{ "DEL in a header", GET "A: bc\x7f" END END, "[400]" },
	{ "DEL in a path", "GET /token\x7f HTTP/1.1" END END, "[400]" },
	{ "bytes over 127 are fine in a header", GET "A: \xc3\xa4" END END,
	  GET "A: \xc3\xa4" END END "[whole 1]" },
	{ "a chunk size with a space",
	  POST "Transfer-Encoding: chunked" END END " 1" END "a" END
	       "0" END END,
	  "[400]" },
	{ "a chunk size in hex with 0x",
	  POST "Transfer-Encoding: chunked" END END "0x1" END, "[400]" },
	{ "a chunk size with a sign",
	  POST "Transfer-Encoding: chunked" END END "-1" END, "[400]" },
	{ "a chunk extension",
	  POST "Transfer-Encoding: chunked" END END "1;a" END, "[400]" },
	{ "a chunk longer than it says",
	  POST "Transfer-Encoding: chunked" END END "1" END "ab" END, "[400]" },
	{ "a trailer would be a header",
	  POST "Transfer-Encoding: chunked" END END "0" END
	       "Authorization: x" END END,
	  "[400]" },
	{ "a chunk of 4 GiB",
	  POST "Transfer-Encoding: chunked" END END "ffffffff" END, "[413]" },
	{ "a chunk of more digits than 32 bits",
	  POST "Transfer-Encoding: chunked" END END "100000001" END, "[400]" },
	{ "a body of 64 KiB and a byte", POST "Content-Length: 65537" END END,
	  "[413]" },
	{ "a length beyond 64 bits",
	  POST "Content-Length: "
	       "99999999999999999999999999999999999" END END,
	  "[413]" },
	{ "not only on POST", GET "Content-Length: 65537" END END, "[413]" },
	{ "a body by its length that is cut is held",
	  POST "Content-Length: 3" END END "a=", "[hold 54]" },
	{ "other bytes than HTTP", "\x16\x03\x01", "[drop]" },
	{ "the preface of HTTP/2", "PRI * HTTP/2.0" END END, "[400]" },
	{ "other bytes behind a request", GET END "\x16\x03\x01",
	  GET END "[400]" },
	{ "a CR alone behind a request", GET END "\rGET", GET END "[400]" },
	{ "no method behind a request", GET END "GET:", GET END "[400]" },
	{ "no path behind a request", GET END "GET  HTTP/1.1" END END,
	  GET END "[400]" },
	{ "no path", "GET  HTTP/1.1" END END, "[drop]" },
	{ "no version", "GET /" END END, "[400]" },
	{ "another version", "GET / HTTP/1.2" END END, "[400]" },
	{ "two spaces", "GET /  HTTP/1.1" END END, "[400]" },
	{ "a host where a path belongs", "GET //a:b/ HTTP/1.1" END END,
	  "[404]" },
	{ "a proxy's request", "GET http://a/ HTTP/1.1" END END, "[400]" },
	{ "a method that is not known", "BREW / HTTP/1.1" END HOST END,
	  "[405]" },
	{ "CONNECT", "CONNECT / HTTP/1.1" END HOST END, "[405]" },
	{ "TRACE", "TRACE / HTTP/1.1" END HOST END, "[405]" },
	{ "a method in lower case", "get / HTTP/1.1" END HOST END, "[405]" },
	{ "no host", BARE END, "[400/host]" },
	{ "nor with other headers", BARE "A: b" END "B: c" END END,
	  "[400/host]" },
	{ "nor with another method", "BREW / HTTP/1.1" END END, "[400/host]" },
	{ "HTTP/1.0 without one", "POST / HTTP/1.0" END "A: b" END END,
	  "POST / HTTP/1.0" END "A: b" END END "[length]"
	  "[whole 1]" },
	{ "two hosts", GET "Host: a" END END, "[400/host]" },
	{ "two that differ", GET "hOST: b" END END, "[400/host]" },
	{ "two with one empty", BARE "Host:" END HOST END, "[400/host]" },
	{ "two in HTTP/1.0", "GET / HTTP/1.0" END HOST HOST END, "[400/host]" },
	{ "a name that begins so", BARE "Hosts: a" END END, "[400/host]" },
	{ "a long word is no method",
	  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	  "[drop]" },
};

static void rules(void **state)
{
	struct buf got;

	(void)state;
	buf_init(&got, 1 << 20);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str text = str_of(rows[i].text);

		for (size_t piece = 1; piece <= text.len; piece++) {
			run(text, piece, &got);
			if (!str_eq(buf_str(&got), str_of(rows[i].want)))
				print_message("%s, by %zu bytes: " STR_FMT "\n",
					      rows[i].rule, piece, (int)got.len,
					      got.at);
			assert_str(buf_str(&got), rows[i].want);
		}
	}
	buf_done(&got);
}

/* RFC 9110 7.2: uri-host [ ":" port ]; each with blanks around it, too. */
static const char *const hosts[] = {
	"",
	"a",
	"auth.example.com",
	"auth.example.com.",
	"auth.example.com:5001",
	"AUTH-1_x.example",
	"localhost:5001",
	"127.0.0.1:5001",
	"a:", /* port = *DIGIT */
	":80",
	"a:0123456789",
	"%c3%A4.example",
	"a!$&'()*+,;=~",
	"[::1]",
	"[::1]:5001",
	"[2001:db8::ffff:192.0.2.1]:",
	"[0000:1111:2222:3333:4444:5555:255.255.255.255]:65535",
};

static const char *const no_hosts[] = {
	"a b",
	"a, b",
	"a:b",
	"a:80b",
	"a:8 0",
	"a:80:90",
	"http://a",
	"a/",
	"a?b",
	"a#b",
	"u@a",
	"u:p@a",
	"a\\b",
	"a\"",
	"<a>",
	"a%",
	"a%4",
	"%4g",
	"%",
	"\xc3\xa4",
	"a|b",
	"a^",
	"[",
	"[]",
	"[::1",
	"::1",
	"[::1]a",
	"[::1] :80",
	"[::g]",
	"[1:2:3]",
	"[fe80::1%1]",
	"[127.0.0.1]",
	"[v1.a]",
	"a[::1]",
	"]",
	"[0000:1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]",
};

static void host_row(const char *host, const char *around, bool good)
{
	struct buf text, got, want;
	bool fine;

	buf_init(&text, 4096);
	buf_init(&got, 4096);
	buf_init(&want, 4096);
	buf_printf(&text, BARE "Host:%s%s%s" END "A: b" END END, around, host,
		   around);
	buf_printf(&want, STR_FMT "[whole 1]", STR_ARG(buf_str(&text)));
	for (size_t piece = 1; piece <= text.len; piece++) {
		run(buf_str(&text), piece, &got);
		fine = good ? str_eq(buf_str(&got), buf_str(&want))
			    : str_eq(buf_str(&got), STR("[400/host]"));
		if (!fine)
			print_message("Host:%s%s%s, by %zu bytes: " STR_FMT
				      "\n",
				      around, host, around, piece,
				      STR_ARG(buf_str(&got)));
		assert_true(fine);
	}
	buf_done(&text);
	buf_done(&got);
	buf_done(&want);
}

static void host_values(void **state)
{
	static const char *const around[] = { "", " ", "  ", "\t", " \t " };

	(void)state;
	for (size_t i = 0; i < COUNT(around); i++) {
		for (size_t j = 0; j < COUNT(hosts); j++)
			host_row(hosts[j], around[i], true);
		for (size_t j = 0; j < COUNT(no_hosts); j++)
			host_row(no_hosts[j], around[i], false);
	}
}

static void zero_bytes(void **state)
{
	static const struct {
		struct str text;
		const char *want;
	} zeros[] = {
		{ { "GET /\0 HTTP/1.1\r\n\r\n", 19 }, "[400]" },
		{ { "GET / HTTP/1.1\r\nA: \0\r\n\r\n", 24 }, "[400]" },
		{ { "GET / HTTP/1.1\r\nA\0: b\r\n\r\n", 25 }, "[400]" },
		{ { "G\0ET / HTTP/1.1\r\n\r\n", 19 }, "[drop]" },
		{ { "\0", 1 }, "[drop]" },
	};
	struct buf got;

	(void)state;
	buf_init(&got, 4096);
	for (size_t i = 0; i < COUNT(zeros); i++) {
		run(zeros[i].text, 100, &got);
		assert_str(buf_str(&got), zeros[i].want);
	}
	buf_done(&got);
}

/* `n` bytes of 'a' between `before` and `after`. */
static void sized(const char *before, size_t n, const char *after,
		  const char *want)
{
	struct buf text, got;

	buf_init(&text, 1 << 20);
	buf_init(&got, 1 << 20);
	buf_add(&text, str_of(before));
	for (size_t i = 0; i < n; i++)
		buf_add_char(&text, 'a');
	buf_add(&text, str_of(after));
	run(buf_str(&text), 4096, &got);
	if (*want == '[')
		assert_str(buf_str(&got), want);
	else
		assert_true(str_eq(str_head(buf_str(&got), text.len),
				   buf_str(&text)));
	buf_done(&text);
	buf_done(&got);
}

static void many_headers(unsigned n, const char *want)
{
	struct buf text, got;

	buf_init(&text, 1 << 20);
	buf_init(&got, 1 << 20);
	buf_add(&text, STR(GET));
	while (n--)
		buf_add(&text, STR("a:" END));
	buf_add(&text, STR(END));
	run(buf_str(&text), 4096, &got);
	if (*want)
		assert_str(buf_str(&got), want);
	else
		assert_true(str_eq(str_head(buf_str(&got), text.len),
				   buf_str(&text)));
	buf_done(&text);
	buf_done(&got);
}

static void limits(void **state)
{
	const size_t line = GATE_LINE_MAX - strlen("GET / HTTP/1.1\r");
	const size_t header = GATE_HEADERS_MAX - strlen(HOST "A: \r\n\r");

	(void)state;
	sized("GET /", line, " HTTP/1.1" END HOST END, "pass");
	sized("GET /", line + 1, " HTTP/1.1" END HOST END, "[414]");
	sized("GET /", 10 * GATE_LINE_MAX, "", "[414]");
	sized(GET "A: ", header, "\r\n\r\n", "pass");
	sized(GET "A: ", header + 1, "\r\n\r\n", "[431]");
	sized(GET, 2 * GATE_HEADERS_MAX, "", "[431]");
	many_headers(GATE_FIELDS_MAX - 1, "");
	many_headers(GATE_FIELDS_MAX, "[431]");
	sized(POST "Content-Length: 65536\r\n\r\n", 65536, "", "pass");
	sized(POST "Transfer-Encoding: chunked\r\n\r\n10000\r\n", 65536,
	      "\r\n0\r\n\r\n", "pass");
	sized(POST "Transfer-Encoding: chunked\r\n\r\n10000\r\n", 65536,
	      "\r\n1\r\na\r\n0\r\n\r\n", "[413]");
}

/* A thousand tiny chunks a kilobyte must not be held without end. */
static void tiny_chunks(void **state)
{
	struct buf text, got;

	(void)state;
	buf_init(&text, 1 << 20);
	buf_init(&got, 1 << 20);
	buf_add(&text, STR(POST "Transfer-Encoding: chunked\r\n\r\n"));
	while (text.len < 2 * GATE_CHUNKED_MAX)
		buf_add(&text, STR("1\r\na\r\n"));
	run(buf_str(&text), 1000, &got);
	assert_str(buf_str(&got), "[413]");
	buf_done(&text);
	buf_done(&got);
}

static void closed(void **state)
{
	struct gate gate;
	size_t used;

	(void)state;
	gate_init(&gate);
	gate_close(&gate);
	assert_int_equal(gate_feed(&gate, STR(GET END), &used), GATE_SKIP);
	assert_int_equal(used, strlen(GET END));
	assert_false(gate_between(&gate));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),  cmocka_unit_test(zero_bytes),
		cmocka_unit_test(limits), cmocka_unit_test(tiny_chunks),
		cmocka_unit_test(closed), cmocka_unit_test(host_values),
	};

	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
