"""The bot of a project or group token is a member as long as the token lives
(G150): its end is the bot's, whatever ends it, and rotation is no end.
"""

import json
import time

import pytest

from support import secrets
from support.clock import Clock
from support.world import World

HOUR, DAY = 3600, 86400
NOON = int(time.time()) // DAY * DAY + 10 * DAY + DAY // 2
OWNERS = [("--project", "g/priv"), ("--group", "g")]


@pytest.fixture(scope="module")
def world(faketime, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bots")
    with World(folder) as world:
        world.clock = Clock(folder)
        yield world


class Bot:
    """A token and its bot, made at noon."""

    def __init__(self, world, owner, *args):
        self.world, self.path = world, owner[1]
        world.clock.set(NOON)
        self.token = self.run("token", "create", *owner, "--role", "reporter",
                              "--name", "bot", "--scopes", "api", *args)

    def run(self, *args):
        got = json.loads(self.world.cli(*args, "--json", secret=True,
                                        env=self.world.clock.env()))
        if "token" in got:
            secrets.remember(got["token"])
        return got

    def state(self):
        """As each list has it; all of them agree."""
        number = self.token["user_id"]
        members = [m for m in self.run("member", "list", self.path)
                   if m["id"] == number]
        listed, = (u for u in self.run("user", "list") if u["id"] == number)
        shown = self.run("user", "show", listed["username"])
        assert shown["state"] == listed["state"]
        text = self.world.cli("member", "list", self.path,
                              env=self.world.clock.env())
        assert (listed["username"] in text) == bool(members)
        assert bool(shown["memberships"]) == bool(members)
        assert bool(members) == (listed["state"] != "ended")
        return listed["state"]


def revoke(bot):
    bot.world.cli("token", "revoke", bot.token["id"],
                  env=bot.world.clock.env())


def revoke_family(bot):
    bot.run("token", "rotate", bot.token["id"], "--grace", "7d")
    assert bot.state() == "active"
    bot.world.cli("token", "revoke", bot.token["id"], "--family",
                  env=bot.world.clock.env())


def expire(bot):
    bot.world.clock.set(NOON + 2 * DAY - DAY // 2 - 1)
    assert bot.state() == "active"
    bot.world.clock.set(NOON + 2 * DAY - DAY // 2)


def idle(bot):
    bot.world.clock.set(NOON + HOUR - 1)
    assert bot.state() == "active"
    bot.world.clock.set(NOON + HOUR)


@pytest.mark.parametrize("owner", OWNERS, ids=["project", "group"])
@pytest.mark.parametrize("args, end", [
    ((), revoke), ((), revoke_family), (("--expires", "2d"), expire),
    (("--idle", "1h"), idle)], ids=["revoked", "family", "expired", "idle"])
def test_g150_a_bot_ends_with_its_token(world, owner, args, end):
    bot = Bot(world, owner, *args)
    assert bot.state() == "active"
    end(bot)
    assert bot.state() == "ended"


@pytest.mark.parametrize("grace", [[], ["--grace", "1h"]])
def test_a_rotation_leaves_it_to_the_successor(world, grace):
    bot = Bot(world, OWNERS[0])
    new = bot.run("token", "rotate", bot.token["id"], *grace)
    assert bot.state() == "active"
    world.clock.set(NOON + DAY)
    assert bot.state() == "active" and new["user_id"] == bot.token["user_id"]
    world.cli("token", "revoke", new["id"], env=world.clock.env())
    assert bot.state() == "ended"


def test_a_date_that_does_not_count_ends_nobody(world):
    bot = Bot(world, OWNERS[0], "--expires", "2d")
    world.clock.set(NOON + 3 * DAY)
    for value, state in (("false", "active"), ("none", "ended")):
        world.cli("settings", "set", "enforce_token_expiry", value)
        assert bot.state() == state


def test_a_bot_that_is_blocked(world):
    bot = Bot(world, OWNERS[0])
    name, = (m["username"] for m in bot.run("member", "list", "g/priv")
             if m["id"] == bot.token["user_id"])
    world.cli("user", "block", name)
    assert bot.state() == "blocked"
    revoke(bot)
    assert bot.state() == "ended"
