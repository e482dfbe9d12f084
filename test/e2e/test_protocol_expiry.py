"""When tokens die: 00:00:00 UTC of their date, to the second, in any zone.

The server's clock stands where the test sets it. G66 (a dated token while
enforce_token_expiry is false) is in test_protocol_settings.py.
"""

import datetime

import jwt
import pytest

from support import secrets, tokens
from support.clock import Clock
from support.dockpass import Dockpass
from support.world import World

DAY = 86400
DATE = datetime.datetime.now(datetime.timezone.utc).date() + \
    datetime.timedelta(days=30)
MIDNIGHT = int(datetime.datetime.combine(
    DATE, datetime.time(), datetime.timezone.utc).timestamp())
ZONES = ["UTC", "Asia/Tokyo", "America/New_York"]
SERVICES = [{"name": "registry", "refresh_tokens": True},
            {"name": "long", "ttl": 3600}]


@pytest.fixture(scope="module")
def clock(faketime, tmp_path_factory):
    return Clock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module", params=ZONES)
def later(request, clock, tmp_path_factory):
    """A world whose server lives in a zone, with a clock of its own."""
    folder = tmp_path_factory.mktemp("later")
    with World(folder, services=SERVICES) as world:
        world.dated = world.token("alice", scopes="api", name="dated",
                                  expires=str(DATE))
        world.bot = world.token("--project", "g/priv", scopes="read_registry",
                                name="bot", expires=str(DATE))
        clock.set(MIDNIGHT - DAY)
        yield world.serve(env=clock.env(request.param))


# row, seconds after 00:00:00 UTC of the token's date, its life; 0: dead
INSTANTS = [
    ("a day before", -DAY, 300, 3600),
    ("less than an hour is left", -3599, 300, 3599),
    ("as long as a token lives", -300, 300, 300),
    ("not past the death", -299, 299, 299),
    ("60 s are left", -60, 60, 60),
    ("not under 60 s", -59, 60, 60),
    ("23:59:30", -30, 60, 60),
    ("G64 23:59:59", -1, 60, 60),
    ("G65 00:00:00 of its date", 0, 0, 0),
    ("noon of its date", DAY // 2, 0, 0),
    ("the day after", DAY, 0, 0),
]


def check_life(answer, now, seconds):
    assert answer.status_code == 200, answer.text
    assert answer.json()["expires_in"] == seconds
    claims = tokens.claims(answer)
    assert claims["exp"] == now + seconds
    assert claims["iat"] == claims["nbf"] == now - 10


def check_dead(world, answer, reason="token_expired"):
    tokens.refusal(answer, 401, "UNAUTHORIZED")
    assert world.reason(answer) == reason


@pytest.mark.parametrize("service, at", [("registry", 2), ("long", 3)])
@pytest.mark.parametrize("owner", ["alice", "project"])
@pytest.mark.parametrize("row", INSTANTS, ids=[row[0] for row in INSTANTS])
def test_a_dated_token(later, clock, row, owner, service, at):
    now = MIDNIGHT + row[1]
    clock.set(now)
    secret = later.dated if owner == "alice" else later.bot
    answer = later.ask("repository:g/priv:pull", auth=("any", secret),
                       fields={"service": service})
    if row[at]:
        check_life(answer, now, row[at])
    else:
        check_dead(later, answer)


def test_g68_no_date_no_death(later, clock):
    """The year after next is as good as now."""
    clock.set(MIDNIGHT + 800 * DAY)
    answer = later.ask(auth=later.basic("alice", "api"))
    check_life(answer, MIDNIGHT + 800 * DAY, 300)


def refresh_token(world, secret):
    answer = world.ask(auth=("any", secret), fields={"offline_token": "true"})
    return secrets.remember(answer.json()["refresh_token"])


def refresh(world, token):
    return world.ask("repository:g/priv:pull", method="POST", fields={
        "grant_type": "refresh_token", "refresh_token": token})


def test_a_refresh_token_is_no_longer_than_its_token(later, clock):
    clock.set(MIDNIGHT - DAY)
    token = refresh_token(later, later.dated)
    for before, seconds in ((DAY, 300), (299, 299), (30, 60), (1, 60)):
        clock.set(MIDNIGHT - before)
        check_life(refresh(later, token), MIDNIGHT - before, seconds)
    clock.set(MIDNIGHT)
    check_dead(later, refresh(later, token))


def test_a_refresh_token_dies_after_90_days(later, clock):
    clock.set(MIDNIGHT)
    token = refresh_token(later, later.pat("alice", "api"))
    last = MIDNIGHT + 90 * DAY - 1
    clock.set(last)
    check_life(refresh(later, token), last, 300)
    clock.set(last + 1)
    answer = refresh(later, token)
    check_dead(later, answer, "refresh_expired")
    line, = [line for line in later.log("token")
             if line["client"] == answer.client]
    assert line["user"] == "alice" and line["token_id"] > 0


def key_end(dockpass):
    """The file of the signing key, when its certificate ends, as text."""
    key, = dockpass.json("key", "list")
    when = datetime.datetime.strptime(key["not_after"],
                                      "%Y-%m-%dT%H:%M:%S.%f%z")
    return (dockpass.folder / "keys" / f"{key['rfc7638']}.pem",
            int(when.timestamp()), key["not_after"])


def header(dockpass):
    return jwt.get_unverified_header(dockpass.ask().json()["token"])


def warnings(dockpass, event="certificate"):
    return [line["message"] for line in dockpass.log(event)]


def said(file, word, end):
    return (f"{file}: the certificate of the signing key {word} at {end}: "
            "registries refuse its x5c then, so tokens go without; change the "
            "key, beginning with 'dockpass key new'")


# row, days before its end, what the log says; its tokens have x5c
ENDS = [
    ("a year before", 365, [], True),
    ("a month before", 30, ["ends"], True),
    ("the day after", -1, ["ended"], False),
]


@pytest.mark.parametrize("row, days, words, x5c", ENDS,
                         ids=[row[0] for row in ENDS])
def test_k04_a_certificate_ends(clock, tmp_path, row, days, words, x5c):
    """Registries refuse x5c then, but not the key id alone."""
    with Dockpass(tmp_path) as dockpass:
        file, when, end = key_end(dockpass)
        clock.set(when - days * DAY)
        want = [said(file, word, end) for word in words]
        check = dockpass.run("check", "--config", dockpass.config_file,
                             env=clock.env())
        assert check.stderr.splitlines() == [f"dockpass: warning: {line}"
                                             for line in want]
        dockpass.serve(env=clock.env())
        assert ("x5c" in header(dockpass)) == x5c
    assert warnings(dockpass) == want


def test_k04_a_certificate_ends_while_the_server_runs(clock, tmp_path):
    """To the second, without a reload: only the bare key id is left."""
    with Dockpass(tmp_path) as dockpass:
        _, end, _ = key_end(dockpass)
        clock.set(end - 1)
        dockpass.serve(env=clock.env())
        before = header(dockpass)
        clock.set(end)
        assert header(dockpass) == {key: value for key, value in
                                    before.items() if key != "x5c"}
        assert "x5c" in before and "kid" in before


def test_warnings_come_once_a_day(clock, tmp_path):
    """At 00:00 UTC: certificates, and keys whose reload was forgotten."""
    with Dockpass(tmp_path) as dockpass:
        file, when, end = key_end(dockpass)
        midnight = (when - 30 * DAY) // DAY * DAY
        clock.set(midnight - 1)
        dockpass.serve(env=clock.env())
        ends = said(file, "ends", end)
        assert warnings(dockpass) == [ends]
        kid = header(dockpass)["kid"]
        dockpass.cli("key", "new")
        for day in (1, 2):
            clock.set(midnight + day * DAY - 1)
            dockpass.logged(day - 1, event="keys")
            assert warnings(dockpass) == [ends] * (day + 1)
        assert warnings(dockpass, "keys") == 2 * [
            f"{dockpass.folder}/public/bundle.pem: is not of the keys in use: "
            "reload the server if keys have changed since, else write it "
            f"again: dockpass key activate {kid}"]
