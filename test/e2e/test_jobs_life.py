"""The daily checks of a running server: at their hours in UTC, once, through
restarts and mail servers that fail (crashes: test_jobs_crash.py). Its clock stands where the test
sets it; mail goes to a real SMTP server (aiosmtpd).
"""

import datetime
import time

import pytest

from support.clock import Clock
from support.dockpass import Dockpass
from support.mail import Post
from support.process import wait_until
# Fixtures are found by their names here.
from test_jobs_mail import ALICE, post, told

MINUTE, HOUR, DAY = 60, 3600, 86400
TODAY = int(time.time()) // DAY * DAY
FAR = "Pacific/Kiritimati"  # UTC+14


def date(when):
    return str(datetime.datetime.fromtimestamp(when, datetime.timezone.utc)
               .date())


class Desk(Dockpass):
    """A server with a clock and a mail server of its own, and a user alice.
    `ran`: when a job last ran, as the store has it."""

    def __init__(self, folder, post):
        self.clock = Clock(folder)
        self.clock.set(int(time.time()))
        super().__init__(folder, mail={
            "url": f"smtp://127.0.0.1:{post.port}", "starttls": "opportunistic",
            "from": "dockpass@example.com"}, workers=1)
        self.user("alice")

    def start(self, when, **kwargs):
        self.clock.set(when)
        return self.serve(env=self.clock.env(FAR), **kwargs)

    def job(self, name):
        return next(row for row in self.json("job", "list")
                    if row["name"] == name)

    def ran(self, name):
        when = self.job(name)["last_run_at"]
        return when and int(datetime.datetime.fromisoformat(
            when.replace("Z", "+00:00")).timestamp())

    def wait_ran(self, name, when):
        wait_until(lambda: self.ran(name) == when, 20,
                   lambda: f"{name} has not run: {self.json('job', 'list')}")

    def wait_sent(self):
        wait_until(lambda: not any(row["waiting"] for row in
                                   self.json("job", "list")), 20,
                   "mail is still queued")

    def tick(self):
        """Until the thread has looked at the clock twice."""
        time.sleep(2.2)


@pytest.fixture
def desk(tmp_path, post, faketime):
    with Desk(tmp_path, post) as desk:
        yield desk


def test_at_their_hours_and_once(desk, post):
    """G140 and its like: not before, not again, whatever the zone."""
    dies = TODAY + 8 * DAY
    desk.token("alice", scopes="api", name="one", expires=date(dies))
    begin = TODAY + DAY  # a week before
    desk.start(begin + HOUR - 1)
    desk.tick()
    assert desk.ran("expiring") is None and told(post) == {}
    desk.clock.set(begin + HOUR)
    desk.wait_ran("expiring", begin + HOUR)
    desk.wait_sent()
    assert told(post) == {ALICE: [["one"]]}
    assert desk.ran("expired") is None
    desk.clock.set(begin + HOUR + 10)
    desk.tick()
    desk.stop()
    desk.start(begin + HOUR + 30)
    desk.tick()
    assert desk.ran("expiring") == begin + HOUR and told(post) == {}
    desk.clock.set(begin + 2 * HOUR)
    desk.wait_ran("expired", begin + 2 * HOUR)
    desk.clock.set(dies + 2 * HOUR - 1)
    desk.wait_ran("expiring", dies + 2 * HOUR - 1)
    desk.tick()
    assert told(post) == {}
    desk.clock.set(dies + 2 * HOUR)
    desk.wait_ran("expired", dies + 2 * HOUR)
    desk.wait_sent()
    assert told(post) == {ALICE: [["one"]]}


def test_the_first_day_counts_as_done(desk, post):
    desk.token("alice", scopes="api", name="one", expires=date(TODAY + 5 * DAY))
    desk.start(TODAY + DAY - 1)
    desk.tick()
    assert desk.ran("expiring") is None and told(post) == {}


def test_what_was_missed_is_caught_up_once(desk, post):
    for name, n in (("dead", 3), ("later", 4), ("soon", 12), ("far", 30)):
        desk.token("alice", scopes="api", name=name,
                   expires=date(TODAY + n * DAY))
    now = TODAY + 5 * DAY + 30 * MINUTE
    desk.start(now)
    desk.wait_ran("expiring", now)
    desk.wait_ran("expired", now)
    desk.wait_sent()
    assert told(post) == {ALICE: [["soon"], ["dead", "later"]]}
    desk.clock.set(TODAY + 5 * DAY + HOUR)
    desk.wait_ran("expiring", TODAY + 5 * DAY + HOUR)
    desk.clock.set(TODAY + 5 * DAY + 2 * HOUR)
    desk.wait_ran("expired", TODAY + 5 * DAY + 2 * HOUR)
    desk.tick()
    assert told(post) == {}


# The limit of a token's life

def set_limit(desk, when, value):
    desk.clock.set(when)
    desk.cli("settings", "set", "max_token_lifetime", value,
             env=desk.clock.env())


def revoked(desk):
    return sorted(token["name"] for token in desk.json("token", "list")
                  if token["revoked"])


@pytest.fixture
def limited(desk):
    """Tokens of several lengths; the server runs from tomorrow noon on."""
    for name, n in (("short", 20), ("long", 100)):
        desk.token("alice", scopes="api", name=name,
                   expires=date(TODAY + n * DAY))
    desk.token("alice", scopes="api", name="endless")
    desk.noon = TODAY + DAY + 12 * HOUR
    desk.start(desk.noon)
    desk.wait_ran("expired", desk.noon)
    return desk


def test_g109_the_limit_is_enforced_three_hours_later(limited, post):
    set_limit(limited, limited.noon, "30")
    limited.clock.set(limited.noon + 3 * HOUR - 1)
    limited.tick()
    assert revoked(limited) == [] and told(post) == {}
    limited.clock.set(limited.noon + 3 * HOUR)
    limited.wait_ran("lifetime", limited.noon + 3 * HOUR)
    limited.wait_sent()
    assert revoked(limited) == ["endless", "long"]
    assert "30 days" in post.mails[0].get_content()
    assert post.mails[0]["Subject"] == (
        'dockpass: access tokens "long", "endless": were revoked '
        f"({date(limited.noon)})")
    assert f"revoked {date(limited.noon)}T15:00:00.000Z by job:lifetime" in \
        limited.cli("token", "show", limited.token_id("long"))
    assert told(post) == {ALICE: [["long", "endless"]]}


def test_g110_cleared_before_nothing_happens(limited, post):
    set_limit(limited, limited.noon, "30")
    set_limit(limited, limited.noon + HOUR, "none")
    limited.clock.set(limited.noon + 5 * HOUR)
    limited.tick()
    assert revoked(limited) == [] and limited.ran("lifetime") is None


def test_a_change_counts_anew(limited, post):
    set_limit(limited, limited.noon, "30")
    set_limit(limited, limited.noon + 2 * HOUR, "200")
    limited.clock.set(limited.noon + 5 * HOUR - 1)
    limited.tick()
    assert revoked(limited) == []
    limited.clock.set(limited.noon + 5 * HOUR)
    limited.wait_ran("lifetime", limited.noon + 5 * HOUR)
    assert revoked(limited) == ["endless"]


def test_a_limit_that_is_said_again_is_the_same_limit(limited):
    """As configuration management does."""
    for hour in range(3):
        set_limit(limited, limited.noon + hour * HOUR, "30")
    set_limit(limited, limited.noon + 3 * HOUR, "030")
    limited.wait_ran("lifetime", limited.noon + 3 * HOUR)
    assert revoked(limited) == ["endless", "long"]


def test_a_limit_that_came_due_while_the_server_was_down(limited, post):
    set_limit(limited, limited.noon, "30")
    limited.stop()
    now = limited.noon + 2 * DAY
    limited.start(now)
    limited.wait_ran("lifetime", now)
    assert revoked(limited) == ["endless", "long"]


def test_a_limit_that_a_restore_brings_back_counts_from_then_on(
        limited, tmp_path):
    set_limit(limited, limited.noon, "30")
    limited.cli("backup", tmp_path / "b")
    set_limit(limited, limited.noon + HOUR, "none")
    back = limited.noon + 4 * HOUR
    limited.clock.set(back)
    limited.cli("restore", tmp_path / "b", "--yes", env=limited.clock.env())
    assert limited.job("lifetime")["next_run_at"] == \
        f"{date(back)}T19:00:00.000Z"
    limited.tick()
    assert revoked(limited) == []
    limited.clock.set(back + 3 * HOUR)
    limited.wait_ran("lifetime", back + 3 * HOUR)
    assert revoked(limited) == ["endless", "long"]


# Mail servers that fail

@pytest.fixture
def queued(desk):
    """alice and bob are to be told at `desk.due`."""
    desk.user("bob")
    for user in ("alice", "bob"):
        desk.token(user, scopes="api", name=f"of {user}",
                   expires=date(TODAY + 5 * DAY))
    desk.due = TODAY + DAY + HOUR
    return desk


def test_refused_mail_is_tried_ever_later_for_three_days(queued, post):
    post.keeper.refuse["RCPT"] = "450 later"
    now = queued.due
    queued.start(now)
    tries = []
    for wait in (0, 60, 120, 240, 480, 960, 1920, 3600, 3600):
        queued.clock.set(now + wait - 1 if wait else now)
        queued.tick()
        tries.append(post.keeper.commands.count("RCPT"))
        now += wait
        queued.clock.set(now)
        wait_until(lambda: post.keeper.commands.count("RCPT") ==
                   2 * len(tries), 20, f"not tried after {wait} s")
    assert tries == [2] + [2 * n for n in range(1, 9)]
    queued.tick()
    queued.clock.set(queued.due + 3 * DAY)
    wait_until(lambda: queued.job("expiring")["given_up"] == 2, 20,
               "it is not given up")
    assert queued.job("expiring")["waiting"] == 0 and told(post) == {}
    assert "given up" in queued.job("expiring")["failure"]


def test_one_that_is_refused_does_not_hold_up_the_other(queued, post):
    queued.cli("user", "add", "carol", "--email", "carol@example.com")
    queued.token("carol", scopes="api", name="x", expires=date(TODAY + 5 * DAY))
    real = post.keeper.handle_RCPT

    async def refuse_bob(server, session, envelope, address, options):
        if address.startswith("bob"):
            return "550 unknown"
        return await real(server, session, envelope, address, options)
    post.keeper.handle_RCPT = refuse_bob
    queued.start(queued.due)
    wait_until(lambda: len(post.mails) == 2, 20, "they are not told")
    assert set(told(post)) == {ALICE, "carol@example.com"}
    assert queued.job("expiring")["waiting"] == 1


def test_a_server_that_is_down_and_comes_back(queued, post):
    post.end()
    queued.start(queued.due)
    wait_until(lambda: queued.job("expiring")["failed_at"], 20, "no failure")
    with Post(port=post.port) as again:
        queued.clock.set(queued.due + 10 * MINUTE)
        queued.wait_sent()
        assert told(again) == {ALICE: [["of alice"]],
                               "bob@example.com": [["of bob"]]}


def test_a_reload_brings_the_mail_server(queued, post):
    """All that waits is tried at once."""
    config = queued.config["mail"]
    queued.configure(mail={**config, "url": "smtp://127.0.0.1:9"})
    queued.start(queued.due)
    wait_until(lambda: queued.job("expiring")["failed_at"], 20, "no failure")
    queued.configure(mail=config)
    assert queued.reload().startswith("done")
    queued.wait_sent()
    assert len(post.mails) == 2


STEPS = ["EHLO", "MAIL", "RCPT", "DATA", "KEPT", "QUIT"]


@pytest.mark.parametrize("step", STEPS)
def test_the_server_ends_while_a_mail_server_hangs(queued, post, step):
    post.keeper.stall = step
    queued.start(queued.due)
    assert post.keeper.reached.wait(20)
    secret = queued.token("alice", scopes="api", name="used")
    assert queued.ask(auth=("any", secret)).status_code == 200
    begun = time.monotonic()
    assert queued.stop() == 0
    assert time.monotonic() - begun < 10
    assert queued.log("stop")[-1]["message"] == "done"
    used = queued.json("token", "show", queued.token_id("used"))
    assert used["last_used_at"]


def test_uses_are_shown_while_a_mail_server_hangs(queued, post):
    post.keeper.stall = "DATA"
    queued.start(queued.due)
    assert post.keeper.reached.wait(20)
    secret = queued.token("alice", scopes="api", name="used")
    queued.ask(auth=("any", secret))
    number = queued.token_id("used")
    wait_until(lambda: queued.json("token", "show", number)["last_used_at"],
               29, "not shown within 30 s")
