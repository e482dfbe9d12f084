/*
 * test/unit/server/test_outbox.c - server/jobs/outbox: what is sent, what
 * waits, what is given up. Who delivers is made up here, and so is the time.
 */
#include "test/unit/store/fixture.h"

#include <time.h>

#include "server/jobs/desk.h"
#include "server/jobs/message.h"
#include "token/date.h"

static int64_t clock_now;
static struct {
	enum err mail, hook;   /* what comes of it */
	unsigned mails, hooks; /* how many were tried */
	char last[64];	       /* to whom the last went */
} courier;

time_t time(time_t *out)
{
	if (out)
		*out = clock_now;
	return clock_now;
}

enum err courier_new(courier_go_on *go_on, void *arg, struct courier **out)
{
	(void)go_on, (void)arg;
	*out = NULL;
	return E_OK;
}

void courier_free(struct courier *c)
{
	(void)c;
}

void courier_cleanup(struct courier **c)
{
	(void)c;
}

enum err courier_check(const struct config *config, struct cause *cause)
{
	(void)config, (void)cause;
	return E_OK;
}

enum err courier_mail(struct courier *c, const struct config_mail *mail,
		      struct str to, struct str letter, struct cause *cause)
{
	(void)c, (void)mail, (void)letter;
	snprintf(courier.last, sizeof(courier.last), STR_FMT, STR_ARG(to));
	courier.mails++;
	return courier.mail ? cause_set(cause, courier.mail, "no mail") : E_OK;
}

enum err courier_post(struct courier *c, const struct config_hook *hook,
		      uint64_t id, struct str json, struct cause *cause)
{
	(void)c, (void)hook, (void)id, (void)json;
	courier.hooks++;
	return courier.hook ? cause_set(cause, courier.hook, "no hook") : E_OK;
}

static bool always(void *arg)
{
	(void)arg;
	return true;
}

struct scene {
	struct fixture f;
	struct config config;
	struct desk desk;
};

/* Users alice (1) and bob (2), each with a token of his number. */
static void scene_open(struct scene *s)
{
	*s = (struct scene) { .config = {
				      .url = "http://localhost",
				      .mail.url = "smtp://localhost",
				      .mail.from = "dockpass@example.com",
				      .hook.url = "http://localhost",
			      } };
	memset(&courier, 0, sizeof(courier));
	clock_now = NOW;
	fixture_open(&s->f);
	s->desk = (struct desk) { .db = s->f.db,
				  .config = &s->config,
				  .go_on = always };
	add_user(s->f.db, "alice", 0);
	add_user(s->f.db, "bob", 0);
	add_token(s->f.db, "alice", "one", PAT_API, NOW + 6 * DAY);
	add_token(s->f.db, "bob", "two", PAT_API, NOW + 6 * DAY);
}

static void queue(struct scene *s, enum notice_way way, uint64_t user,
		  int64_t queued_at)
{
	struct notice notice = {
		.next_at = queued_at,
		.queued_at = queued_at,
		.job = JOB_EXPIRING,
		.way = way,
		.user = user,
		.total = 1,
		.len = 1,
		.tokens = { user },
	};
	struct txn txn;

	txn_write(s->f.db, &txn);
	mailbox_add(&txn, &notice);
	assert_int_equal(txn_commit(&txn), E_OK);
}

static void send_at(struct scene *s, int64_t now)
{
	struct sent sent;

	clock_now = now;
	assert_int_equal(desk_send_due(&s->desk, now, &sent), E_OK);
}

static uint64_t waiting(struct scene *s)
{
	AUTO(txn) struct txn txn;
	AUTO(cursor) struct cursor cursor;
	struct notice notice;
	uint64_t n = 0;

	txn_read(s->f.db, &txn);
	cursor_open(&txn, TABLE_MAILBOX, STR(""), &cursor);
	while (mailbox_next(&cursor, &notice))
		n++;
	return n;
}

/* What is there, though it was given up. */
static uint64_t kept(struct scene *s)
{
	AUTO(txn) struct txn txn;

	txn_read(s->f.db, &txn);
	return txn_count(&txn, TABLE_MAILBOX) - waiting(s);
}

static uint64_t given_up(struct scene *s)
{
	AUTO(txn) struct txn txn;
	struct job_state state;

	txn_read(s->f.db, &txn);
	assert_int_equal(job_get(&txn, JOB_EXPIRING, &state), E_OK);
	return state.given_up;
}

static void one_that_is_refused_holds_up_no_other(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	courier.mail = E_REFUSED;
	queue(&s, WAY_MAIL, 1, NOW);
	queue(&s, WAY_MAIL, 2, NOW);
	send_at(&s, NOW);
	assert_int_equal(courier.mails, 2);
	assert_int_equal(waiting(&s), 2);
	fixture_close(&s.f);
}

/* One try tells that nobody is there; so does one a minute later. */
static void a_way_that_is_closed_is_left_alone(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	courier.mail = E_BUSY;
	queue(&s, WAY_MAIL, 1, NOW);
	queue(&s, WAY_MAIL, 2, NOW);
	send_at(&s, NOW);
	assert_int_equal(courier.mails, 1);
	send_at(&s, NOW + 59);
	assert_int_equal(courier.mails, 1);
	send_at(&s, NOW + 60);
	assert_int_equal(courier.mails, 2);
	courier.mail = E_OK;
	send_at(&s, NOW + 600);
	assert_int_equal(courier.mails, 4);
	assert_int_equal(waiting(&s), 0);
	fixture_close(&s.f);
}

static void nor_does_it_hold_up_the_other_way(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	courier.mail = E_BUSY;
	queue(&s, WAY_MAIL, 1, NOW);
	queue(&s, WAY_HOOK, 1, NOW + 1);
	queue(&s, WAY_HOOK, 2, NOW + 1);
	send_at(&s, NOW + 1);
	assert_int_equal(courier.hooks, 2);
	assert_int_equal(waiting(&s), 1);
	courier.mail = E_OK;
	courier.hook = E_BUSY;
	queue(&s, WAY_HOOK, 1, NOW + 1);
	queue(&s, WAY_MAIL, 2, NOW + 2);
	send_at(&s, NOW + 61);
	assert_int_equal(courier.hooks, 3);
	assert_int_equal(courier.mails, 3);
	assert_int_equal(waiting(&s), 1);
	fixture_close(&s.f);
}

/* A clock that was set back does not close it for longer. */
static void a_clock_that_was_set_back(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	courier.mail = E_BUSY;
	queue(&s, WAY_MAIL, 1, NOW);
	queue(&s, WAY_MAIL, 2, NOW);
	send_at(&s, NOW + DAY);
	courier.mail = E_OK;
	send_at(&s, NOW + 1);
	assert_int_equal(courier.mails, 2);
	assert_str(str_of(courier.last), "a@x");
	fixture_close(&s.f);
}

/* After three days, but never before it was tried once. */
static void given_up_only_if_it_was_tried(void **state)
{
	const int64_t late = NOW + NOTICE_LIFE;
	struct sent sent;
	struct scene s;

	(void)state;
	scene_open(&s);
	queue(&s, WAY_MAIL, 1, NOW);
	send_at(&s, late + DAY);
	assert_int_equal(courier.mails, 1);
	assert_int_equal(waiting(&s), 0);
	assert_int_equal(given_up(&s), 0);
	courier.mail = E_REFUSED;
	queue(&s, WAY_MAIL, 2, NOW);
	send_at(&s, late - 60); /* again in a minute */
	assert_int_equal(courier.mails, 2);
	send_at(&s, late);
	assert_int_equal(courier.mails, 2);
	assert_int_equal(waiting(&s), 0);
	assert_int_equal(given_up(&s), 1);
	/* For a week people can see who it was; nothing is tried again. */
	assert_int_equal(kept(&s), 1);
	courier.mail = E_OK;
	assert_int_equal(desk_send_all(&s.desk, late, &sent), E_OK);
	send_at(&s, late + NOTICE_KEPT - 1);
	assert_int_equal(kept(&s), 1);
	send_at(&s, late + NOTICE_KEPT);
	assert_int_equal(kept(&s), 0);
	assert_int_equal(courier.mails, 2);
	fixture_close(&s.f);
}

static void and_not_a_second_sooner(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	courier.mail = E_REFUSED;
	queue(&s, WAY_MAIL, 1, NOW);
	send_at(&s, NOW);
	send_at(&s, NOW + NOTICE_LIFE - 1);
	assert_int_equal(courier.mails, 2);
	assert_int_equal(given_up(&s), 0);
	fixture_close(&s.f);
}

static void block(struct scene *s, uint64_t on)
{
	done(s->f.db, (struct change) { .type = CHANGE_USER_FLAG,
					.user = STR("alice"),
					.flags = USER_BLOCKED,
					.on = on });
}

/* Blocked since it was queued; who was removed does not come back. */
static void who_may_not_be_told_any_more(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	queue(&s, WAY_MAIL, 1, NOW);
	queue(&s, WAY_MAIL, 2, NOW);
	block(&s, 1);
	done(s.f.db, (struct change) { .type = CHANGE_USER_REMOVE,
				       .user = STR("bob"),
				       .yes = 1 });
	send_at(&s, NOW);
	assert_int_equal(courier.mails, 0);
	assert_int_equal(waiting(&s), 1);
	block(&s, 0);
	send_at(&s, NOW + 60);
	assert_int_equal(courier.mails, 1);
	assert_int_equal(waiting(&s), 0);
	fixture_close(&s.f);
}

static void nor_who_has_no_address(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	done(s.f.db, (struct change) { .type = CHANGE_USER_ADD,
				       .user = STR("bad"),
				       .text = STR("a@x, b@x") });
	add_token(s.f.db, "bad", "three", PAT_API, NOW + DAY);
	queue(&s, WAY_MAIL, 3, NOW);
	send_at(&s, NOW);
	assert_int_equal(courier.mails, 0);
	assert_int_equal(waiting(&s), 1);
	fixture_close(&s.f);
}

/* It waits for one that comes back. */
static void a_way_that_is_no_more(void **state)
{
	struct scene s;
	const char *url;

	(void)state;
	scene_open(&s);
	queue(&s, WAY_MAIL, 1, NOW);
	url = s.config.mail.url;
	s.config.mail.url = NULL;
	send_at(&s, NOW);
	assert_int_equal(courier.mails, 0);
	assert_int_equal(waiting(&s), 1);
	s.config.mail.url = url;
	send_at(&s, NOW + 60);
	assert_int_equal(courier.mails, 1);
	assert_int_equal(waiting(&s), 0);
	fixture_close(&s.f);
}

/* A name that would not be taken today is in stores of before. */
static void a_name_that_is_not_seen(void **state)
{
	const struct message message = {
		.notice = { .job = JOB_EXPIRING, .total = 1, .len = 1 },
		.name = STR("alice"),
		.email = STR("alice@example.com"),
		.tokens = { { .id = 1,
			      .name = STR("a\xef\xbb\xbf"
					  "b") } },
	};
	struct buf letter;

	(void)state;
	buf_init(&letter, 64 * 1024);
	message_letter(&message, STR("d@example.com"), STR("http://x"),
		       &letter);
	buf_add_char(&letter, '\0');
	assert_non_null(strstr(letter.at, " token \"a???b\": expires"));
	buf_done(&letter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_is_refused_holds_up_no_other),
		cmocka_unit_test(a_way_that_is_closed_is_left_alone),
		cmocka_unit_test(nor_does_it_hold_up_the_other_way),
		cmocka_unit_test(a_clock_that_was_set_back),
		cmocka_unit_test(given_up_only_if_it_was_tried),
		cmocka_unit_test(and_not_a_second_sooner),
		cmocka_unit_test(nor_who_has_no_address),
		cmocka_unit_test(a_way_that_is_no_more),
		cmocka_unit_test(who_may_not_be_told_any_more),
		cmocka_unit_test(a_name_that_is_not_seen),
	};

	return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
