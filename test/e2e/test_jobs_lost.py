"""A server whose mail is refused: what it says of that, gives up, tells later.
"""

from unittest.mock import ANY

import pytest

from support import metrics
from support.process import wait_until
# Fixtures are found by their names here.
from test_jobs_life import (ALICE, DAY, HOUR, date, desk, limited, post, queued,
                            set_limit, told)


@pytest.fixture
def site(queued, post):
    """alice and bob wait for mail that is refused."""
    queued.token("alice", scopes="api", name="long",
                 expires=date(queued.due + 7 * DAY))
    post.keeper.refuse["RCPT"] = "450 later"
    queued.start(queued.due)
    wait_until(lambda: [bool(row["failure"]) for row in
                        queued.json("job", "waiting")] == [True, True], 20,
               "no failure")
    return queued


def lines(desk, word):
    return [line for line in desk.log("jobs") if word in line["message"]]


def give_up(site):
    site.clock.set(site.due + 3 * DAY)
    wait_until(lambda: site.job("expiring")["given_up"] == 2, 20,
               "it is not given up")


def test_what_is_given_up_is_in_the_log(site):
    give_up(site)
    assert "450 later" in site.job("expiring")["failure"]
    wait_until(lambda: len(lines(site, "given up")) >= 2, 20, "not in the log")
    said = [line for line in lines(site, "given up")
            if line["level"] == "error"]
    assert len(said) == 2
    for line, user in zip(said, ("alice", "bob")):
        assert f"user {user} ({user}@example.com)" in line["message"]
        assert "450 later" in line["message"]


def test_who_was_not_told_can_be_looked_up(site, post):
    """For a week, whatever is tried meanwhile, and by whoever watches."""
    give_up(site)
    tokens = {row["id"]: row["name"] for row in site.json("token", "list")}
    rows = site.json("job", "waiting")
    assert {row["to"]: [tokens[n] for n in row["tokens"]] for row in rows} == \
        {"user alice (alice@example.com)": ["of alice", "long"],
         "user bob (bob@example.com)": ANY}
    for row in rows:
        assert row["given_up_at"] and row["next_try_at"] is None
        assert "450 later" in row["failure"]
    assert site.cli("job", "waiting").count("given up") == 2
    assert site.job("expiring")["waiting"] == 0
    metrics.reaches(site, "dockpass_notices_given_up", 2)
    metrics.reaches(site, "dockpass_notices_queued", 0)
    post.keeper.refuse.clear()
    site.stop()
    site.start(site.due + 4 * DAY)
    metrics.reaches(site, "dockpass_notices_given_up", 2)
    site.clock.set(site.due + 10 * DAY)
    wait_until(lambda: site.json("job", "waiting") == [], 20, "still there")
    metrics.reaches(site, "dockpass_notices_given_up", 0)


def test_without_mail_it_says_who_waits(site):
    site.configure(mail={})
    assert site.reload().startswith("done")
    wait_until(lambda: lines(site, "has no mail any more"), 20, "why not")
    said = lines(site, "has no mail any more")[0]["message"]
    assert said.startswith("1 notice could not be sent now, waiting: 2: "
                           "to user ")


def test_who_was_not_reached_is_warned_while_it_helps(site, post):
    """Three days without a mail server, and some tokens live for longer."""
    give_up(site)
    post.keeper.refuse.clear()
    site.clock.set(site.due + 4 * DAY)
    wait_until(lambda: post.mails, 10, "nobody is told")
    site.wait_sent()
    assert ["long"] in told(post)[ALICE]


def test_a_failure_says_how_many_wait(site):
    said = lines(site, "could not be sent")
    assert said and "waiting: " in said[0]["message"]
    assert "user " in said[0]["message"] and "450" in said[0]["message"]


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_once_it_is_mended_nobody_waits_for_the_back_off(site, post, how):
    post.keeper.refuse.clear()
    if how == "reload":
        assert site.reload().startswith("done")
    else:
        site.stop()
        site.start(site.due)
    site.wait_sent()
    assert set(told(post)) == {ALICE, "bob@example.com"}
    assert site.job("expiring")["failure"] is None


def test_a_clock_that_is_set_back_is_in_the_log(site):
    site.clock.set(site.due - HOUR)
    wait_until(lambda: lines(site, "set back"), 10, "not in the log")


def test_what_a_limit_revokes_is_in_the_log(limited):
    set_limit(limited, limited.noon, "30")
    limited.clock.set(limited.noon + 3 * HOUR)
    wait_until(lambda: lines(limited, "lifetime"), 20, "not in the log")
    line, = lines(limited, "lifetime")
    assert line["level"] == "warning"
    assert "revoked, as they break max_token_lifetime: 2" in line["message"]
