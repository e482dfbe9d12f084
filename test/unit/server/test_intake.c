/* test/unit/server/test_intake.c - server/intake: in whatever pieces bytes
 * come, the reader sees the same. */
#include "test/unit/check.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "server/intake.h"

#define GET	   "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST	   "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED	   POST "Transfer-Encoding: chunked\r\n\r\n"
#define REFUSED(n) "GET .gate/" n " HTTP/1.1\r\nConnection: close\r\n\r\n"

static const struct {
	const char *rule, *text, *want;
	enum intake_end end;
} rows[] = {
	{ "two are handed on", GET GET, GET GET, INTAKE_OPEN },
	{ "a part is not seen", GET "GET /", GET, INTAKE_OPEN },
	{ "a length is added", POST "\r\n" GET,
	  POST "Content-Length: 0\r\n\r\n" GET, INTAKE_OPEN },
	{ "a chunked body whole", CHUNKED "1\r\na\r\n0\r\n\r\n",
	  CHUNKED "1\r\na\r\n0\r\n\r\n", INTAKE_OPEN },
	{ "half a chunked body is not seen", CHUNKED "1\r\na", "",
	  INTAKE_OPEN },
	{ "after a refusal nothing", GET "GET x HTTP/1.1\r\n\r\n" GET,
	  GET REFUSED("400"), INTAKE_REFUSED },
	{ "a refusal says of what", "GET / HTTP/1.1\r\n\r\n" GET,
	  REFUSED("400/host"), INTAKE_REFUSED },
	{ "no HTTP is dropped", "\x16\x03\x01" GET, "", INTAKE_DROPPED },
};

struct one {
	struct intake intake;
	enum intake_end end;
	bool busy;
};

static void on_added(struct evbuffer *input, const struct evbuffer_cb_info *i,
		     void *arg)
{
	struct one *one = arg;
	enum intake_end end;

	if (!i->n_added || one->busy)
		return;
	one->busy = true;
	end = intake_feed(&one->intake, input, i->orig_size);
	if (end != INTAKE_OPEN)
		one->end = end;
	one->busy = false;
}

static void pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t piece = 1; piece <= strlen(rows[i].text); piece++) {
			struct evbuffer *input = evbuffer_new();
			struct one one = { .end = INTAKE_OPEN };
			struct str text = str_of(rows[i].text);

			intake_init(&one.intake);
			evbuffer_add_cb(input, on_added, &one);
			while (text.len) {
				size_t n = piece < text.len ? piece : text.len;

				evbuffer_add(input, text.at, n);
				text = str_skip(text, n);
			}
			print_message("%s by %zu\n", rows[i].rule, piece);
			assert_int_equal(one.end, rows[i].end);
			assert_int_equal(evbuffer_get_length(input),
					 strlen(rows[i].want));
			if (*rows[i].want)
				assert_memory_equal(evbuffer_pullup(input, -1),
						    rows[i].want,
						    strlen(rows[i].want));
			evbuffer_free(input);
			intake_done(&one.intake);
		}
}

static void refuse(void **state)
{
	struct one one = { .end = INTAKE_OPEN };
	struct evbuffer *input = evbuffer_new();

	(void)state;
	intake_init(&one.intake);
	evbuffer_add(input, "GET /", 5);
	intake_refuse(&one.intake, input, "503/held");
	evbuffer_add_cb(input, on_added, &one);
	evbuffer_add(input, GET, strlen(GET));
	assert_int_equal(evbuffer_get_length(input),
			 strlen(REFUSED("503/held")));
	evbuffer_free(input);
	intake_done(&one.intake);
}

/* What has come whole costs nothing, nor what has been answered for. */
static void held(void **state)
{
	struct one one = { .end = INTAKE_OPEN };
	struct evbuffer *input = evbuffer_new();
	const char *head = POST "Content-Length: 500\r\n\r\n";
	size_t half;

	(void)state;
	intake_init(&one.intake);
	evbuffer_add_cb(input, on_added, &one);
	evbuffer_add(input, GET, strlen(GET));
	assert_int_equal(intake_held(&one.intake), 0);
	evbuffer_add(input, head, strlen(head));
	half = intake_held(&one.intake);
	assert_true(half >= strlen(head));
	for (int i = 0; i < 499; i++)
		evbuffer_add(input, "a", 1);
	assert_int_equal(intake_held(&one.intake), half + 499);
	assert_int_equal(evbuffer_get_length(input), strlen(GET));
	evbuffer_add(input, "a", 1);
	assert_int_equal(intake_held(&one.intake), 0);
	assert_false(intake_midst(&one.intake));
	evbuffer_free(input);
	intake_done(&one.intake);
}

/* Its head is evhttp's by then, which takes more than its bytes. */
static void held_after_a_continue(void **state)
{
	struct one one = { .end = INTAKE_OPEN };
	struct evbuffer *input = evbuffer_new();
	const char *head = POST "Expect: 100-continue\r\n"
				"Content-Length: 9\r\n\r\n";

	(void)state;
	intake_init(&one.intake);
	evbuffer_add_cb(input, on_added, &one);
	evbuffer_add(input, head, strlen(head));
	assert_true(intake_midst(&one.intake));
	assert_true(intake_held(&one.intake) >= strlen(head) + 2 * 112);
	evbuffer_add(input, "12345678", 8);
	assert_true(intake_midst(&one.intake));
	evbuffer_add(input, "9", 1);
	assert_false(intake_midst(&one.intake));
	assert_int_equal(intake_held(&one.intake), 0);
	evbuffer_free(input);
	intake_done(&one.intake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces), cmocka_unit_test(refuse),
		cmocka_unit_test(held), cmocka_unit_test(held_after_a_continue)
	};

	return cmocka_run_group_tests_name("intake", tests, NULL, NULL);
}
