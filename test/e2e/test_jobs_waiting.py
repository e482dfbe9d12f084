"""Mail that cannot be sent: who was to be told, what became of it since, and how
an operator sees and sends it (job list, job waiting, job run).
"""

import pytest

from support.dockpass import Dockpass
from support.process import free_ports
# Fixtures are found by their names here.
from test_jobs_hook import Hook, hook_to
from test_jobs_mail import ALICE, day, desk, post, run, told

LATER, NOBODY = "450 later", "550 5.1.1 no such user here"


def test_job_list(desk, post):
    rows = desk.json("job", "list")
    assert [row["last_run_at"] for row in rows] == [None, None, None]
    assert [row["next_run_at"] for row in rows] == \
        [f"{day(1)}T01:00:00.000Z", f"{day(1)}T02:00:00.000Z", None]
    desk.token("alice", scopes="api", name="one", expires=day(5))
    post.keeper.refuse["RCPT"] = NOBODY
    status, said = desk.refused("job", "run", "expiring")
    assert status == 1 and "queued: 1, sent: 0" in said and NOBODY in said
    row = desk.json("job", "list")[0]
    assert (row["name"], row["found"], row["queued"], row["waiting"],
            row["given_up"]) == ("expiring", 1, 1, 1, 0)
    assert NOBODY in row["failure"] and row["failed_at"]
    assert NOBODY in desk.cli("job", "list")


@pytest.mark.parametrize("args, said", [
    (["lifetime"], "three hours after"), ([], "usage"),
    (["expiring", "--date", "tomorrow"], "is no date"),
    (["expired", "--date", "2027-02-30"], "is no date")])
def test_command_lines_that_are_none(desk, args, said):
    status, line = desk.refused("job", "run", *args)
    assert status == 2 and said in line


def test_a_day_of_long_ago_is_that_day(desk):
    assert desk.json("job", "run", "expiring", "--date", "1970-01-01")["date"] \
        == "1970-01-01"
    assert desk.json("job", "run", "expiring")["date"] == day(0)
    desk.token("alice", scopes="api", name="one", expires=day(5))
    assert desk.json("job", "run", "expiring", "--date",
                     "1970-01-01")["found"] == 0


def test_a_day_that_has_not_come_is_only_looked_at(desk, post):
    desk.token("alice", scopes="api", name="one", expires=day(30))
    seen = desk.json("job", "run", "expired", "--date", day(30))
    assert (seen["found"], seen["queued"], seen["sent"]) == (1, 0, 0)
    assert told(post) == {}
    assert desk.json("job", "list")[1]["last_run_at"] is None
    run(desk, "expiring", day(25))
    assert told(post) == {ALICE: [["one"]]}


def test_what_a_clock_that_was_wrong_told_is_told_again(desk, post):
    desk.token("alice", scopes="api", name="one", expires=day(30))
    run(desk, "expired", day(60))
    assert told(post) == {ALICE: [["one"]]}
    run(desk, "expiring", day(25))
    assert told(post) == {ALICE: [["one"]]}


def test_who_is_not_reached_is_named(desk, post):
    """The mail server says of bob that there is nobody of that name."""
    desk.user("bob")
    desk.token("bob", scopes="api", name="one", expires=day(5))
    post.keeper.refuse["RCPT"] = NOBODY
    _, said = desk.refused("job", "run", "expiring")
    assert "user bob (bob@example.com)" in said and NOBODY in said
    assert "bob" in desk.json("job", "list")[0]["failure"]
    row, = desk.json("job", "waiting")
    assert (row["job"], row["to"], row["tokens"], row["tries"]) == \
        ("expiring", "user bob (bob@example.com)", [desk.token_id("one")], 1)
    assert NOBODY in row["failure"] and row["next_try_at"]
    assert NOBODY in desk.cli("job", "waiting")


def test_whom_is_told_whole(desk, post):
    """However long his name and address are; a cell has as much."""
    name, email = "b" * 255, f"{'l' * 60}@{'h' * 60}.{'d' * 60}.example"
    desk.cli("user", "add", name, "--email", email)
    desk.token(name, scopes="api", name="one", expires=day(5))
    post.keeper.refuse["RCPT"] = NOBODY
    _, said = desk.refused("job", "run", "expiring")
    assert NOBODY in said and f"user {'b' * 100}" in said
    row, = desk.json("job", "waiting")
    assert row["to"] == f"user {name} ({email})"
    assert f"user {name} ({email})" in desk.cli("job", "waiting")


def test_once_his_address_is_right_a_check_sends_what_waits(desk, post):
    desk.token("alice", scopes="api", name="one", expires=day(5))
    post.keeper.refuse["RCPT"] = NOBODY
    desk.refused("job", "run", "expiring")
    post.keeper.refuse.clear()
    desk.cli("user", "set", "alice", "--email", "right@example.com")
    assert desk.json("job", "run", "expired")["sent"] == 1
    assert told(post) == {"right@example.com": [["one"]]}
    row = desk.json("job", "list")[0]
    assert row["failed_at"] is None and row["failure"] is None
    assert desk.json("job", "waiting") == []


@pytest.mark.parametrize("address", ["alice", "a b@example.com",
                                     "a@b.c\nBcc: d@e.f"])
def test_an_address_that_is_none_is_not_set(desk, address):
    status, said = desk.refused("user", "set", "alice", "--email", address)
    assert status == 1 and "e-mail" in said
    assert desk.json("user", "show", "alice")["email"] == ALICE


def test_a_mail_server_that_is_down_does_not_hold_up_the_webhook(tmp_path):
    with Hook() as hook, Dockpass(
            tmp_path, mail={"url": f"smtp://127.0.0.1:{free_ports(1)[0]}",
                            "from": "dockpass@example.com"}) as desk:
        desk.configure(webhook=hook_to(hook, tmp_path))
        desk.user("alice")
        desk.token("alice", scopes="api", name="one", expires=day(5))
        desk.refused("job", "run", "expiring")
        assert len(hook.posts) == 1


# What ended while its mail waited

ENDS = [("revoke",), ("rotate",), ("rotate", "--grace", "24h")]


@pytest.mark.parametrize("end", ENDS, ids=" ".join)
def test_of_what_has_ended_nobody_is_warned(desk, post, end):
    for name in ("goes", "stays"):
        desk.token("alice", scopes="api", name=name, expires=day(5))
    post.keeper.refuse["RCPT"] = LATER
    desk.refused("job", "run", "expiring")
    desk.cli("token", end[0], desk.token_id("goes"), *end[1:], secret=True)
    post.keeper.refuse.clear()
    desk.json("job", "run", "expired")
    assert told(post) == {ALICE: [["stays"]]}


def test_nor_of_what_has_died_and_is_told_then(desk, post):
    desk.token("alice", scopes="api", name="one", expires=day(2))
    post.keeper.refuse["RCPT"] = LATER
    desk.refused("job", "run", "expiring")
    post.keeper.refuse.clear()
    assert run(desk, "expiring", day(2))["sent"] == 0
    assert told(post) == {} and desk.json("job", "waiting") == []
    run(desk, "expired", day(2))
    assert "has expired" in post.mails[0]["Subject"]


def test_who_was_removed_is_not_told(desk, post):
    desk.token("alice", scopes="api", name="one", expires=day(5))
    post.keeper.refuse["RCPT"] = LATER
    desk.refused("job", "run", "expiring")
    desk.cli("user", "remove", "alice", "--yes")
    desk.json("job", "run", "expired")
    assert told(post) == {} and desk.json("job", "waiting") == []


def test_a_token_that_a_restore_took_does_not_silence_the_others(
        tmp_path, desk, post):
    desk.token("alice", scopes="api", name="stays", expires=day(3))
    desk.cli("backup", tmp_path / "b")
    desk.token("alice", scopes="api", name="goes", expires=day(4))
    post.keeper.refuse["RCPT"] = LATER
    desk.refused("job", "run", "expiring")
    desk.cli("restore", tmp_path / "b", "--yes")
    post.keeper.refuse.clear()
    desk.json("job", "run", "expired")
    assert told(post) == {ALICE: [["stays"]]}
