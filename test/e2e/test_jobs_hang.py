"""A mail server or webhook that is slow, or hangs: nothing but what is for it
waits."""

import asyncio
import threading
import time

from support.load import Load, plain
from support.mail import Post
from support.process import wait_until
from support.wire import request
# Fixtures are found by their names here.
from test_jobs_hook import Hook, hook_to
from test_jobs_life import (ALICE, DAY, HOUR, MINUTE, TODAY, date,  # fixtures
                            desk, post, queued, revoked, set_limit, told)


def slow(post, name, seconds):
    """Each mail takes so long at this step."""
    step = post.keeper.step

    async def later(server, at):
        if at == name:
            await asyncio.sleep(seconds)
        return await step(server, at)
    post.keeper.step = later


def test_checks_are_made_meanwhile(desk, post):
    """The sweep of a limit, and the check of the next hour."""
    for name, days in (("one", 8), ("endless", None)):
        desk.token("alice", scopes="api", name=name,
                   **({"expires": date(TODAY + days * DAY)} if days else {}))
    due = TODAY + DAY + HOUR
    set_limit(desk, due - 2 * HOUR, "60")
    post.keeper.stall = "DATA"
    desk.start(due)
    assert post.keeper.reached.wait(20)
    desk.clock.set(due + HOUR)
    desk.wait_ran("lifetime", due + HOUR)
    desk.wait_ran("expired", due + HOUR)
    assert revoked(desk) == ["endless"] and told(post) == {}
    post.keeper.go.set()
    desk.wait_sent()
    assert told(post) == {ALICE: [["one"], ["endless"]]}


def test_a_reload_waits_for_one_mail_alone(desk, post):
    """What is left goes by the mended configuration."""
    for number in range(20):
        desk.user(f"u{number}")
        desk.token(f"u{number}", scopes="api", name="x",
                   expires=date(TODAY + 8 * DAY))
    slow(post, "KEPT", 1)
    desk.start(TODAY + DAY + HOUR)
    wait_until(lambda: post.mails, 20, "no mail")
    with Post() as other:
        desk.configure(mail={**desk.config["mail"],
                             "url": f"smtp://127.0.0.1:{other.port}"})
        assert desk.reload().startswith("done")
        desk.wait_sent()
        assert len(other.mails) > 10
        assert len(post.mails) + len(other.mails) == 20


def test_a_mail_server_may_take_its_time_to_say_250(queued, post):
    """RFC 5321 4.5.3.2.6: ten minutes; who does not wait sends it again."""
    slow(post, "KEPT", 33)
    queued.start(queued.due)
    wait_until(lambda: post.mails, 20, "no mail")
    queued.clock.set(queued.due + 5 * MINUTE)
    assert queued.job("expiring")["waiting"] == 2
    wait_until(lambda: len(post.mails) == 2, 60, "it does not go on")
    assert queued.job("expiring")["waiting"] == 1
    assert queued.job("expiring")["failed_at"] is None
    assert len(set(mail["Message-ID"] for mail in post.mails)) == 2
    queued.stop()


def test_a_mail_server_that_hangs_before(queued, post):
    """Half a minute is enough for what it has not taken yet."""
    post.keeper.stall = "RCPT"
    queued.start(queued.due)
    assert post.keeper.reached.wait(20)
    begun = time.monotonic()
    wait_until(lambda: queued.job("expiring")["failed_at"], 45, "no end")
    assert 20 < time.monotonic() - begun < 40
    assert "no answer in time" in queued.job("expiring")["failure"]


def test_a_mail_that_is_kept_is_sent(queued, post):
    """Whatever becomes of the QUIT."""
    post.keeper.stall = "QUIT"
    queued.start(queued.due)
    assert post.keeper.reached.wait(20)
    queued.clock.set(queued.due + 5 * MINUTE)
    wait_until(lambda: queued.job("expiring")["waiting"] == 1, 45, "no end")
    assert queued.job("expiring")["failed_at"] is None
    post.keeper.stall = None
    post.keeper.go.set()
    queued.wait_sent()
    assert len(set(mail["Message-ID"] for mail in post.mails)) == 2
    assert len(post.mails) == 2


class Stuck(Hook):
    """It reads what is posted, and answers when `go` is set."""

    def __init__(self):
        self.reached, self.go = threading.Event(), threading.Event()
        super().__init__()
        say = self.answer

        def wait(handler):
            self.reached.set()
            self.go.wait(60)
            say(handler)
        self.answer = wait

    def __exit__(self, *args):
        self.go.set()
        super().__exit__(*args)


def test_a_webhook_that_hangs(queued, post, tmp_path):
    """Mail goes, tokens are given and changes are made; half a minute later it
    has failed, and once it answers it has the same again."""
    with Stuck() as hook:
        queued.configure(webhook=hook_to(hook, tmp_path))
        queued.start(queued.due)
        assert hook.reached.wait(20)
        begun = time.monotonic()
        with Load(request("GET /token?service=registry"), plain(queued),
                  fresh=[plain(queued)]) as load:
            load.more(500)
            queued.cli("user", "block", "bob")
            queued.cli("user", "unblock", "bob")
            wait_until(lambda: queued.job("expiring")["failed_at"], 45,
                       "no end")
            assert 20 < time.monotonic() - begun < 40
            load.more(500)
        assert "no answer in time" in queued.job("expiring")["failure"]
        hook.go.set()
        queued.clock.set(queued.due + 5 * MINUTE)
        queued.wait_sent()
        assert len({mail["To"] for mail in post.mails}) == 2
        tries = [head["X-Dockpass-Delivery"] for head, _ in hook.posts]
        assert len(set(tries)) == 2 and len(tries) == 3


def test_it_ends_while_a_webhook_hangs(queued, tmp_path):
    with Stuck() as hook:
        queued.configure(webhook=hook_to(hook, tmp_path))
        queued.start(queued.due)
        assert hook.reached.wait(20)
        begun = time.monotonic()
        assert queued.stop() == 0
        assert time.monotonic() - begun < 10
        hook.go.set()
