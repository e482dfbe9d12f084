"""When a token was last used, and what nobody uses (gitlab-tokens 1.3, 4.2)."""

import datetime
import json
import os
import pty
import subprocess
import time

import pytest

from support import secrets
from support.clock import Clock
from support.dockpass import ENV, PATIENCE, PROGRAM
from support.process import wait_until

MINUTE, DAY = 60, 86400
# Noon of a day to come; the store is made today.
NOON = int(time.time()) // DAY * DAY + 10 * DAY + DAY // 2
SHOWN = 30 * PATIENCE  # seconds


def text(when):
    """As the REST API of GitLab writes it."""
    utc = datetime.datetime.fromtimestamp(when, datetime.timezone.utc)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def last(world, name):
    return world.json("token", "show", world.token_id(name))


@pytest.fixture
def clock(faketime, tmp_path):
    clock = Clock(tmp_path)
    clock.set(NOON)
    return clock


@pytest.fixture
def world(own_world, clock):
    own_world.configure(workers=1)  # what is used first is written first
    return own_world.serve(env=clock.env("Pacific/Kiritimati"))


def use(world, secret, **kwargs):
    return world.ask("repository:g/priv:pull", auth=("any", secret), **kwargs)


# row, minutes after the first use, minutes of what is stored then
USES = [("the first", 0, 0), ("nine minutes later", 9, 0),
        ("eleven minutes later", 11, 11), ("twenty", 20, 11),
        ("twenty-one", 21, 21)]


def test_g132_at_most_once_in_ten_minutes(world, clock):
    secret = world.token("alice", scopes="api", name="one")
    world.token("alice", scopes="api", name="other")
    for row, after, stored in USES:
        clock.set(NOON + after * MINUTE)
        assert use(world, secret).status_code == 200
        # Written in one transaction, or in a later one.
        witness = world.token("alice", scopes="api", name=f"w{after}")
        use(world, witness)
        wait_until(lambda: last(world, f"w{after}")["last_used_at"], SHOWN,
                   row)
        got = last(world, "one")["last_used_at"]
        assert got == text(NOON + stored * MINUTE), row
    assert last(world, "other")["last_used_at"] is None


def test_from_where_and_by_what(world):
    secret = world.token("alice", scopes="api", name="one")
    answer = use(world, secret)
    wait_until(lambda: last(world, "one")["last_used_at"], SHOWN, "no use")
    token = last(world, "one")
    assert token["last_used_ips"] == ["127.0.0.1"]
    assert token["last_used_client"] == answer.client
    shown = world.cli("token", "show", token["id"])
    assert f"{text(NOON)} from 127.0.0.1 by {answer.client}" in shown


# What a client calls itself, and what is shown of it
CLIENTS = {
    "\x1b[31mred": "?[31mred", "a\x9bb": "a??b", "\u202ertl": "???rtl",
    "x\n\nrepositories: all": "x??repositories: all",
    "é" * 40: "é" * 32, "x" * 63 + "€": "x" * 63, "a,b\"'\\": "a,b\"'\\",
}


def test_a_client_cannot_write_on_the_terminal(world):
    """Nor add lines, nor end in half a letter."""
    for number, client in enumerate(CLIENTS):
        secret = world.token("alice", scopes="api", name=f"c{number}")
        use(world, secret, fields={"client_id": client})
    world.stop()
    for number, shown in enumerate(CLIENTS.values()):
        token = last(world, f"c{number}")
        assert token["last_used_client"] == shown
        text = world.cli("token", "show", token["id"])
        assert text.endswith(f" from 127.0.0.1 by {shown}\n")
        assert all(c.isprintable() for c in text if c != "\n"), text


def test_a_refused_token_is_not_used(world):
    secret = world.token("alice", scopes="api", name="one")
    world.cli("token", "revoke", world.token_id("one"))
    assert use(world, secret).status_code == 401
    world.stop()
    assert last(world, "one")["last_used_at"] is None


def test_the_end_of_the_server_loses_none(world):
    secrets = {name: world.token("alice", scopes="api", name=name)
               for name in ("one", "two", "three")}
    for secret in secrets.values():
        use(world, secret)
    assert world.stop() == 0
    assert {last(world, name)["last_used_at"] for name in secrets} == {
        text(NOON)}


def test_a_refresh_token_is_a_use_of_its_token(world, clock):
    secret = world.token("alice", scopes="api", name="one")
    given = world.ask(auth=("any", secret), fields={"offline_token": "true"})
    refresh = given.json()["refresh_token"]
    clock.set(NOON + DAY)
    world.ask(method="POST", fields={"grant_type": "refresh_token",
                                     "refresh_token": refresh})
    world.stop()
    assert last(world, "one")["last_used_at"] == text(NOON + DAY)


def test_an_idle_limit_goes_by_the_last_use(world, clock):
    """Dead once it was not used for two hours; never sooner."""
    secret = world.token("alice", "--idle", "2h", scopes="api", name="one")
    now = int(time.time())
    for minutes in (110, 109, 118):
        now += minutes * MINUTE
        clock.set(now)
        assert use(world, secret).status_code == 200, minutes
        wait_until(lambda: last(world, "one")["last_used_at"] == text(now),
                   SHOWN, "not written")
    clock.set(now + 9 * MINUTE)  # too soon after to be written
    assert use(world, secret).status_code == 200
    clock.set(now + 128 * MINUTE)
    assert use(world, secret).status_code == 200
    wait_until(lambda: last(world, "one")["last_used_at"] != text(now), SHOWN,
               "not written")
    clock.set(now + (128 + 131) * MINUTE)
    answer = use(world, secret)
    assert answer.status_code == 401
    assert world.reason(answer) == "token_idle"
    status, said = world.refused("token", "rotate", world.token_id("one"),
                                 env=clock.env())
    assert status == 1 and "as it was not used" in said  # dead is dead


# What nobody uses

@pytest.fixture
def unused(world, clock):
    """One token used now, one never, one revoked; looked at 100 days later."""
    secret = world.token("alice", scopes="api", name="used")
    world.token("alice", scopes="api", name="never")
    world.token("bob", scopes="api", name="revoked")
    world.cli("token", "revoke", world.token_id("revoked"))
    clock.set(NOON + 100 * DAY)
    use(world, secret)
    world.stop()
    clock.set(NOON + 130 * DAY)
    return world


def names(world, clock, *args):
    return [token["name"] for token in
            world.json("token", "list", *args, env=clock.env())
            if token["name"] in ("used", "never", "revoked", "new")]


def test_token_list_unused(unused, clock):
    assert names(unused, clock, "--unused", "29d") == ["used", "never"]
    assert names(unused, clock, "--unused", "31d") == ["never"]
    assert names(unused, clock, "alice", "--unused", "31d") == ["never"]
    assert names(unused, clock, "bob", "--unused", "1d") == []
    assert names(unused, clock, "--unused", "900d") == []


def test_unused_to_the_second(own_world, clock):
    args = ["token", "create", "alice", "--name", "new", "--scopes", "api"]
    secrets.remember(own_world.cli(*args, env=clock.env(),
                                   secret=True).strip())
    for late in (0, 1):
        clock.set(NOON + 7 * DAY - 1 + late)
        assert names(own_world, clock, "--unused", "7d") == ["new"] * late


@pytest.mark.parametrize("span", ["0d", "90", "1h", "d", "-1d", "x"])
def test_spans_that_are_none(unused, span):
    assert unused.refused("token", "list", "--unused", span)[0] == 2


def test_token_revoke_unused(unused, clock):
    args = ["token", "revoke", "--unused", "100d"]
    status, said = unused.refused(*args, env=clock.env())
    assert status == 1 and said.endswith(
        " would be revoked; look at them with dockpass token list --unused "
        "100d, then add --yes")
    assert unused.refused("token", "revoke", "1", "--yes")[0] == 2
    assert unused.refused(*args, "--stdin")[0] == 2
    assert unused.refused(*args[:2], "1", *args[2:])[0] == 2
    gone = unused.json(*args, "--yes", env=clock.env())
    assert "never" in [token["name"] for token in gone]
    assert all(token["revoked"] for token in gone)
    assert not last(unused, "used")["revoked"]
    assert unused.json(*args, "--yes", env=clock.env()) == []
    for other in unused.json("token", "list", "--unused", "1d",
                             env=clock.env()):
        if other["name"] != "used":
            unused.cli("token", "revoke", other["id"])
    assert unused.refused("token", "revoke", "--unused", "1d",
                          env=clock.env())[1].startswith(
        "dockpass: 1 token would be revoked; look at it with")


@pytest.mark.parametrize("answer, revoked", [("yes", True), ("y", False)])
def test_a_terminal_is_asked(unused, clock, answer, revoked):
    master, slave = pty.openpty()
    with subprocess.Popen(
            [PROGRAM, "token", "revoke", "--unused", "100d", "--config",
             unused.config_file], stdin=slave, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            env={**ENV, **clock.env()}) as asked:
        os.close(slave)
        os.write(master, f"{answer}\n".encode())
        _, said = asked.communicate(timeout=20 * PATIENCE)
    os.close(master)
    assert "never" in said and "revoke these" in said
    assert asked.returncode == (0 if revoked else 1)
    assert last(unused, "never")["revoked"] == revoked


def test_what_is_used_while_a_terminal_is_asked_stays(own_world, clock):
    secret = own_world.token("alice", scopes="api", name="used")
    own_world.token("alice", scopes="api", name="never")
    clock.set(NOON + 100 * DAY)
    master, slave = pty.openpty()
    with subprocess.Popen(
            [PROGRAM, "token", "revoke", "--unused", "90d", "--json",
             "--config", own_world.config_file], stdin=slave,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**ENV, **clock.env()}) as asked:
        os.close(slave)
        said = ""
        while not said.endswith("(yes or no) "):
            said += asked.stderr.read(1)
        assert "used" in said and "never" in said
        own_world.serve(env=clock.env())
        assert use(own_world, secret).status_code == 200
        own_world.stop()
        os.write(master, b"yes\n")
        gone, _ = asked.communicate(timeout=20 * PATIENCE)
    os.close(master)
    assert asked.returncode == 0
    gone = [token["name"] for token in json.loads(gone)]
    assert "never" in gone and "used" not in gone
    assert last(own_world, "never")["revoked"]
    assert not last(own_world, "used")["revoked"]


def test_many_tokens_at_once(own_world):
    """What does not fit into a worker's table: test_uses.c."""
    with own_world.serve() as world:
        secrets = [world.token("alice", scopes="api", name=f"t{n}")
                   for n in range(40)]
        for secret in secrets:
            assert use(world, secret).status_code == 200
        world.stop()
        used = [token for token in world.json("token", "list", "alice")
                if token["last_used_at"]]
        assert len(used) == len(secrets)
