"""Settings while the server runs: what each does at the next request or to the
next token. G numbers are rows of the reference's table of a token's life.
"""

import datetime
import re

import pytest

from support import secrets, tokens, ways
from support.dockpass import Dockpass
from support.process import wait_until
from test_cli_rules import create, day, refuses

PULL = "repository:g/p:pull"


@pytest.fixture
def own(tmp_path):
    """A server of the test's own; alice is a reporter of g/p."""
    with Dockpass(tmp_path) as own:
        own.user("alice")
        own.cli("project", "add", "g/p")
        own.cli("member", "add", "g/p", "alice", "reporter")
        yield own.serve()


def put(own, name, value):
    assert own.cli("settings", "set", name, value) == ""


def pulls(own, secret):
    return own.ask(PULL, auth=("x", secret)).status_code == 200


# Prefixes

def test_g158_a_prefix_is_for_new_tokens(own):
    """The old ones work on, under whatever was set since."""
    made = [own.token("alice", scopes="api")]
    for prefix in ("acme-", "ACME_ci-0123456789-x", "x"):
        put(own, "token_prefix", prefix)
        made.append(own.token("alice", scopes="api", name=prefix))
        assert re.fullmatch(prefix + "[A-Za-z0-9_-]{20}", made[-1])
        number = own.token_id(prefix)
        made[-1] = secrets.remember(own.cli("token", "rotate", number,
                                            secret=True).strip())
        assert made[-1].startswith(prefix)
    put(own, "token_prefix", "none")
    made.append(own.token("alice", scopes="api"))
    assert re.fullmatch("glpat-[A-Za-z0-9_-]{20}", made[-1])
    assert all(pulls(own, secret) for secret in made)


def elsewhere(folder):
    """A secret with a prefix, of another server."""
    with Dockpass(folder) as other:
        other.user("eve")
        put(other, "token_prefix", "acme-")
        # Not remembered: tests type it where none should be.
        return other.cli("token", "create", "eve", "--name", "x", "--scopes",
                         "api", secret=True).strip()


@pytest.fixture
def strange(tmp_path):
    (tmp_path / "other").mkdir()
    return elsewhere(tmp_path / "other")


def test_a_secret_with_a_prefix_is_hidden_where_it_is_misplaced(own, strange):
    """In the log and in errors, though here no such prefix was ever set."""
    answer = own.ask(PULL, auth=(strange, "not a secret at all"))
    tokens.refusal(answer, 401)
    wait_until(lambda: own.log("token"), 20, "a line of the log")
    assert own.log("token")[-1]["user"] == "acme-" + 20 * "*"
    for command in (["token", "show", strange], ["user", "show", strange],
                    ["explain", "--token-id", strange, "--access", PULL]):
        done = own.run(*command, "--config", own.config_file, check=False,
                       secret=True)
        assert done.returncode and strange not in done.stderr
        assert "acme-" + 20 * "*" in done.stderr
        assert "a secret is no argument" in done.stderr


def test_an_unknown_secret_with_a_prefix_is_no_password(own, strange):
    """So it costs no slow hash."""
    for wrong, reason in ((strange, "unknown_token"),
                          (strange[:-1] + "Aa"[strange[-1] == "A"],
                           "wrong_password")):
        answer = own.ask(PULL, auth=("alice", wrong))
        tokens.refusal(answer, 401)
        assert own.reason(answer) == reason


def test_a_password_like_a_secret_is_refused(own):
    put(own, "token_prefix", "acme-")
    secret = own.token("alice", scopes="api")
    assert own.refused("user", "password", "alice", "--password-stdin",
                       stdin=secret) == (
        1, "dockpass: the password on standard input begins like a token, and "
        "would be taken for one; choose another")


# Dates

def test_g66_a_date_kills_nothing_that_is_not_enforced(own, faketime):
    """G64 to G66: at once, both ways; a JWT is as long as any."""
    secret = own.token("alice", scopes="api", expires="2020-03-10",
                       day="2020-03-01", name="dead")
    number = own.token_id("dead")

    def state():
        token = own.json("token", "show", number)
        return pulls(own, secret), token["active"]
    assert state() == (False, False)
    put(own, "enforce_token_expiry", "false")
    assert state() == (True, True)
    assert own.ask(PULL, auth=("x", secret)).json()["expires_in"] == 300
    assert own.json("token", "list", "--expired")[0]["id"] == number
    own.cli("token", "revoke", number)
    assert state() == (False, False)
    put(own, "enforce_token_expiry", "none")
    assert state() == (False, False)


def test_g108_a_longest_life(own):
    """30 days: today+30, today+31, none."""
    put(own, "max_token_lifetime", "30")
    assert create(own, "alice", expires=day(30))["expires_at"] == day(30)
    assert create(own, "alice", expires="30d")["expires_at"] == day(30)
    word = "token create alice --name x --scopes api"
    latest = day(30)
    refuses(own, f"{word} --expires 31d", f"the date must be {latest} or "
            "before: setting max_token_lifetime is 30 days")
    for more in ("", " --expires never"):
        refuses(own, word + more, "the token must have a date, at the latest "
                f"{latest}: setting max_token_lifetime")
    put(own, "max_token_lifetime", "none")
    assert create(own, "alice")["expires_at"] is None


def test_a_limit_says_what_it_will_revoke(own):
    def said(value):
        return own.run("settings", "set", "max_token_lifetime", value,
                       "--config", own.config_file).stderr
    own.token("alice", scopes="api", name="never")
    own.token("alice", scopes="api", name="short", expires=day(5))
    line = said("9")
    set_at, = re.findall(r"max_token_lifetime +9 +(\S+)",
                         own.cli("settings", "list"))
    when = datetime.datetime.fromisoformat(set_at.rstrip("Z")) + \
        datetime.timedelta(hours=3)
    assert "1 token lives longer and will be revoked at " \
        f"{when.isoformat(timespec='milliseconds')}Z" in line
    assert "2 tokens live longer" in said("4")
    assert said("none") == ""
    own.cli("token", "revoke", own.token_id("never"))
    assert said("9") == ""


@pytest.mark.parametrize("name, value", [("max_token_lifetime", "-3"),
                                         ("expiry_notice_days", "-1")])
def test_a_number_below_zero_is_a_value(own, name, value):
    status, said = own.refused("settings", "set", name, value)
    assert status == 2
    assert f"{name}: '{value}' is no number of days from 1" in said


def test_help_names_the_settings(own):
    said = own.run("settings", "set", "--help").stdout
    assert all(name in said for name in own.json("settings", "list"))


def test_dates_by_default_and_by_force(own):
    put(own, "default_token_days", "90")
    assert create(own, "alice")["expires_at"] == day(90)
    assert create(own, "alice", expires="1d")["expires_at"] == day(1)
    assert create(own, "alice", expires="never")["expires_at"] is None
    put(own, "require_token_expiry", "true")
    assert create(own, "alice")["expires_at"] == day(90)
    refuses(own, "token create alice --name x --scopes api --expires never",
            "the token must have a date: setting require_token_expiry")
    put(own, "default_token_days", "none")
    refuses(own, "token create --project g/p --name x --scopes api",
            "the token must have a date: setting require_token_expiry")


def test_lists_by_date(own, faketime):
    for name, args in (("dead", {"expires": "2020-03-10",
                                 "day": "2020-03-01"}),
                       ("tomorrow", {"expires": "1d"}),
                       ("in a week", {"expires": "7d"}),
                       ("in a month", {"expires": "30d"}), ("never", {})):
        own.token("alice", scopes="api", name=name, **args)
    own.token("alice", scopes="api", name="revoked", expires="2d")
    own.cli("token", "revoke", own.token_id("revoked"))

    def names(*args):
        return [row["name"] for row in own.json("token", "list", *args)]
    # A week ends at this hour, the token at the midnight before or after.
    assert names("--expiring", "7d") == ["tomorrow", "in a week"]
    assert names("--expiring", "24h", "alice") == ["tomorrow"]
    assert names("--expiring", "4w", "--group", "g") == []
    assert names("--expired") == ["dead"]
    assert names("--revoked") == ["revoked"]
    assert len(names()) == 6


def test_settings_by_name(own):
    listed = own.json("settings", "list")
    assert sorted(listed) == list(listed)
    for name, value in listed.items():
        assert own.json("settings", "get", name) == value
    today = str(datetime.datetime.now(datetime.timezone.utc).date())
    put(own, "expiry_notice_days", "7,60,1,30,7")
    assert own.cli("settings", "get", "expiry_notice_days") == "60,30,7,1\n"
    assert own.json("settings", "get", "expiry_notice_days") == [60, 30, 7, 1]
    row, = [line.split() for line in own.cli("settings", "list").splitlines()
            if line.startswith("expiry_notice_days ")]
    assert row[1] == "60,30,7,1"
    assert re.fullmatch(f"({today}|{day(0)})T\\d\\d:\\d\\d:\\d\\d.000Z", row[2])
    refuses(own, "settings set expiry_notice_days 0", "expiry_notice_days: '0' "
            "is no number of days from 1 to 365; usage: dockpass settings set "
            "NAME VALUE", 2)
    refuses(own, "settings get colour", "no such setting 'colour'; there are: "
            + ", ".join(listed) + "; usage: dockpass settings get NAME", 2)


# An owner's state holds for all that he was given (G162 and its kin)

@pytest.fixture
def refreshing(tmp_path):
    with Dockpass(tmp_path, services=[{"name": "registry",
                                       "refresh_tokens": True}]) as own:
        own.user("alice", "--admin")
        own.cli("project", "add", "g/p")
        yield own.serve()


STATES = {
    "blocked": [("user block alice", 401), ("user unblock alice", 200)],
    "removed": [("user remove alice --yes", 401)],
    "revoked": [("token revoke 1", 401)],
    "rotated": [("token rotate 1", 401)],
}


@pytest.mark.parametrize("steps", STATES.values(), ids=STATES)
def test_g162_an_owner_and_his_refresh_tokens(refreshing, steps):
    own = refreshing
    secret = own.token("alice", scopes="api")
    shown = ways.refresh_token(ways.login(own, secret))
    for command, status in steps:
        out = own.cli(*command.split(), secret=True).strip()
        if out:
            secrets.remember(out)
        assert own.ask(PULL, auth=("x", secret)).status_code == status
        assert ways.refresh(own, shown, PULL).status_code == status


def test_a_member_no_longer_and_his_refresh_tokens(refreshing):
    own = refreshing
    own.user("bob")
    secret = own.token("bob", scopes="api")
    shown = ways.refresh_token(ways.login(own, secret))
    for command, want in (("add g bob developer", {"repository:g/p": "pull"}),
                          ("add g bob guest", {}),
                          ("add g/p bob owner", {"repository:g/p": "pull"}),
                          ("remove g/p bob", {}), ("remove g bob", {})):
        own.cli("member", *command.split())
        for answer in (own.ask(PULL, auth=("x", secret)),
                       ways.refresh(own, shown, PULL)):
            assert tokens.access(answer, own) == want


@pytest.mark.parametrize("owner", ["--project g/p", "--group g"])
def test_a_bot_is_blocked_as_anybody_is(refreshing, owner):
    own = refreshing
    secret = own.token(*owner.split(), scopes="api")
    shown = ways.refresh_token(ways.login(own, secret))
    bot, = (user["username"] for user in own.json("user", "list")
            if "_bot_" in user["username"])
    for command, status in (("block", 401), ("unblock", 200)):
        own.cli("user", command, bot)
        answer = own.ask(PULL, auth=("x", secret))
        assert answer.status_code == status
        assert ways.refresh(own, shown, PULL).status_code == status
        assert own.reason(answer) == ("owner_blocked" if status == 401
                                      else "granted")


@pytest.mark.parametrize("owner, remove", [
    ("--project g/p", "project remove g/p --yes"),
    ("--group g", "group remove g --recursive --yes")])
def test_a_removed_place_and_its_tokens(refreshing, owner, remove):
    """G150, for all that a bot was given."""
    own = refreshing
    secret = own.token(*owner.split(), scopes="api")
    shown = ways.refresh_token(ways.login(own, secret))
    assert tokens.access(own.ask(PULL, auth=("x", secret)), own)
    own.cli(*remove.split())
    tokens.refusal(own.ask(PULL, auth=("x", secret)), 401)
    tokens.refusal(ways.refresh(own, shown, PULL), 401)
    own.cli("project", "add", "g/p")  # another of that name
    tokens.refusal(own.ask(PULL, auth=("x", secret)), 401)
