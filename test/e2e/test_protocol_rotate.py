"""Rotation as a client of the token endpoint meets it: the old secret dies, at
once or after its grace, to the second; the log says who still shows it.

G numbers are rows of the reference's table of a token's life.
"""

import datetime
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import secrets, tokens, ways
from support.clock import Clock
from support.world import World

DAY = 86400
TODAY = datetime.date(2027, 3, 1)
NOON = int(datetime.datetime(2027, 3, 1, 12,
                             tzinfo=datetime.timezone.utc).timestamp())
SERVICES = [{"name": "registry", "refresh_tokens": True},
            {"name": "long", "ttl": 3600}]
PULL = "repository:g/priv:pull"


@pytest.fixture(scope="module")
def clock(faketime, tmp_path_factory):
    return Clock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module")
def world(clock, tmp_path_factory):
    """Server and commands believe in the clock."""
    clock.set(NOON)
    with World(tmp_path_factory.mktemp("rotate"), services=SERVICES) as world:
        yield world.serve(env=clock.env())


@pytest.fixture(autouse=True)
def at_noon(clock):
    clock.set(NOON)


def make(world, clock, *args, name="x", scopes="api"):
    """A token as `token create --json` has it, made at the clock's time."""
    return told(world, clock, "token", "create", *args, "--name", name,
                "--scopes", scopes)


def rotate(world, clock, token, *args):
    return told(world, clock, "token", "rotate", token["id"], *args)


def told(world, clock, *args):
    token = json.loads(world.cli(*args, "--json", env=clock.env(),
                                 secret=True))
    secrets.remember(token["token"])
    return token


def ask(world, token, way="GET-Basic", **kwargs):
    return ways.WAYS[way](world, token["token"], PULL, **kwargs)


def works(world, token):
    answer = ask(world, token)
    return answer.status_code == 200 and \
        tokens.claims(answer)["access"] != []


def dead(world, token, reason="token_rotated"):
    answer = ask(world, token)
    tokens.refusal(answer, 401, "UNAUTHORIZED")
    assert world.reason(answer) == reason


def warnings(world, token):
    return [line["message"] for line in world.log("rotated")
            if line["message"].startswith(f"token {token['id']}, ")]


@pytest.mark.parametrize("owner", [["alice"], ["alice", "--impersonation"],
                                   ["--project", "g/priv"], ["--group", "g"]])
def test_the_old_secret_dies_at_once(world, clock, owner):
    """And all that the token was, the new one is (G126)."""
    old = make(world, clock, *owner, "--expires", "7d",
               scopes="read_registry,write_registry")
    assert works(world, old)
    new = rotate(world, clock, old)
    dead(world, old)
    assert works(world, new)
    same = ("name", "scopes", "user_id", "expires_at", "impersonation",
            "access_level", "project", "group")
    assert {key: new.get(key) for key in same} == {
        key: old.get(key) for key in same}
    assert (new["previous_id"], new["active"]) == (old["id"], True)
    assert tokens.subject(ask(world, new))


@pytest.mark.parametrize("way", ways.WAYS)
def test_whichever_way_it_is_shown(world, clock, way):
    old = make(world, clock, "alice")
    new = rotate(world, clock, old)
    tokens.refusal(ask(world, old, way), 401)
    assert ask(world, new, way).status_code == 200


def test_a_token_lives_as_long_as_the_one_before(world, clock):
    """Of 7 days on 1 March: on 5 March 7 days more."""
    old = make(world, clock, "alice", "--expires", "2027-03-08")
    clock.set(NOON + 4 * DAY)
    assert rotate(world, clock, old)["expires_at"] == "2027-03-12"
    clock.set(NOON)
    for args, want in (
            ([], None), (["--expires", "2027-04-01"], "2027-04-01"),
            (["--expires", "30d"], "2027-03-31"),
            (["--expires", "never"], None)):
        assert rotate(world, clock, make(world, clock, "alice"),
                      *args)["expires_at"] == want


def test_a_grace_ends_to_the_second(world, clock):
    old = make(world, clock, "alice")
    new = rotate(world, clock, old, "--grace", "24h")
    for after in (0, DAY - 1):
        clock.set(NOON + after)
        assert works(world, old) and works(world, new)
    clock.set(NOON + DAY)
    dead(world, old)
    assert works(world, new)


def test_how_a_rotated_one_is_shown(world, clock):
    old = make(world, clock, "alice")

    def state(token):
        row, = [line.split() for line in world.cli(
            "token", "list", "alice", env=clock.env()).splitlines()
            if line.split()[0] == str(token["id"])]
        return row[6], world.json("token", "show", token["id"],
                                  env=clock.env())["active"]
    assert state(old) == ("active", True)
    new = rotate(world, clock, old, "--grace", "1h")
    clock.set(NOON + 3599)
    assert state(old) == ("grace", True)
    clock.set(NOON + 3600)
    assert state(old) == ("rotated", False)
    assert state(new) == ("active", True)


@pytest.mark.parametrize("before, seconds", [
    (3601, 3600), (3600, 3600), (3599, 3599), (60, 60), (1, 60)])
def test_a_jwt_ends_with_the_grace(world, clock, before, seconds):
    old = make(world, clock, "alice")
    rotate(world, clock, old, "--grace", "24h")
    clock.set(NOON + DAY - before)
    answer = ask(world, old, fields={"service": "long"})
    assert answer.json()["expires_in"] == seconds


def test_a_grace_is_no_longer_than_the_life(world, clock):
    old = make(world, clock, "alice", "--expires", "1d")
    rotate(world, clock, old, "--grace", "7d")
    clock.set(NOON + DAY // 2 - 1)
    assert works(world, old)
    clock.set(NOON + DAY // 2)
    dead(world, old)


def said(world, clock, *args):
    """What a command has said beside its output, and the output."""
    done = world.run("token", *args, "--config", world.config_file,
                     env=clock.env(), secret=True)
    if args[0] == "rotate":
        secrets.remember(done.stdout.strip())
    return done.stdout + done.stderr


def shown(world, clock, token):
    return world.cli("token", "show", token["id"], env=clock.env())


def test_a_grace_is_shown_to_end_with_the_date(world, clock):
    old = make(world, clock, "alice", "--expires", "1d")
    end = "works until 2027-03-02T00:00:00.000Z\n"
    assert said(world, clock, "rotate", str(old["id"]), "--grace",
                "7d").endswith(end)
    assert end in shown(world, clock, old)
    assert json.loads(world.cli("token", "show", old["id"], "--json",
                                env=clock.env()))["grace_ends"] == end[12:-1]


@pytest.mark.parametrize("end", ["rotate", "revoke"])
def test_a_dead_token_works_until_no_time(world, clock, end):
    """Not even where its grace would run on."""
    old = make(world, clock, "alice")
    new = rotate(world, clock, old, "--grace", "24h")
    assert "works until" in shown(world, clock, old)
    if end == "rotate":
        assert said(world, clock, "rotate", str(new["id"])).endswith(
            f"token {new['id']}, which it replaces, is dead, and so are "
            f"those that were in their grace: {old['id']}\n")
    else:
        world.cli("token", "revoke", old["id"], "--family", env=clock.env())
    text = shown(world, clock, old)
    assert " rotated " in text and "works until" not in text
    assert "grace_ends" not in json.loads(
        world.cli("token", "show", old["id"], "--json", env=clock.env()))


def test_revoking_one_of_a_family_names_those_that_work_on(world, clock):
    old = make(world, clock, "alice")
    new = rotate(world, clock, old, "--grace", "24h")
    assert said(world, clock, "revoke", str(new["id"])) == (
        f"of its family these work on: {old['id']}; dockpass token revoke "
        f"{new['id']} --family ends them all\n")
    assert works(world, old)
    assert said(world, clock, "revoke", str(new["id"]), "--family") == ""
    dead(world, old)


@pytest.mark.parametrize("after, reason", [(3599, None), (3600, "revoked")])
def test_a_restore_revives_no_old_secret(world, clock, tmp_path, after,
                                         reason):
    """A copy from before the rotation comes back; the grace goes on."""
    old = make(world, clock, "alice")
    world.cli("backup", tmp_path / "copy", env=clock.env())
    rotate(world, clock, old, "--grace", "1h")
    clock.set(NOON + after)
    world.cli("restore", tmp_path / "copy", "--yes", env=clock.env())
    if not reason:
        assert works(world, old)
        assert "works until 2027-03-01T13:00:00" in shown(world, clock, old)
        clock.set(NOON + 3600)
    dead(world, old, f"token_{reason or 'expired'}")


def test_the_log_warns_of_the_old_one_with_its_address(world, clock):
    old = make(world, clock, "alice")
    seen = len(world.log("rotated"))
    assert works(world, old)
    new = rotate(world, clock, old, "--grace", "1h")
    what = f"token {old['id']}, which became token {new['id']} by a " \
        "rotation, was shown from 127.0.0.9 and "
    with ways.Line(world, source="127.0.0.9") as line:
        for after, status, end in (
                (0, 200, "still works: give its holder the new one"),
                (3600, 401, "refused: if its holder has the new one, "
                 "somebody else has the old one")):
            clock.set(NOON + after)
            assert line.ask(ways.basic("x", old["token"])).status == status
            row = world.logged(seen, event="rotated")[0]
            assert (row["addr"], row["token_id"]) == ("127.0.0.9", old["id"])
            seen += 1
            assert warnings(world, old)[-1] == what + end
    levels = {row["level"] for row in world.log("rotated")}
    assert levels == {"warning"}
    assert works(world, new) and not warnings(world, new)


def test_refresh_tokens_die_with_the_old_one(world, clock):
    old, slow = (make(world, clock, "alice") for _ in range(2))
    given = [ways.refresh_token(ways.login(world, token["token"]))
             for token in (old, slow)]
    rotate(world, clock, old)
    rotate(world, clock, slow, "--grace", "1h")
    tokens.refusal(ways.refresh(world, given[0], PULL), 401)
    assert ways.refresh(world, given[1], PULL).status_code == 200
    clock.set(NOON + 3600)
    answer = ways.refresh(world, given[1], PULL)
    tokens.refusal(answer, 401)
    assert world.reason(answer) == "token_rotated"


def test_a_rotation_without_grace_ends_those_before(world, clock):
    first = make(world, clock, "alice")
    second = rotate(world, clock, first, "--grace", "7d")
    third = rotate(world, clock, second)
    for token in (first, second):
        dead(world, token)
    assert works(world, third)


@pytest.mark.parametrize("which", range(3))
def test_a_family_ends_from_any_of_it(world, clock, which):
    other = make(world, clock, "alice")
    family = [make(world, clock, "alice")]
    for _ in range(2):
        family.append(rotate(world, clock, family[-1], "--grace", "7d"))
    assert all(works(world, token) for token in family)
    world.cli("token", "revoke", "--family", "--stdin", env=clock.env(),
              stdin=family[which]["token"])
    for token, reason in zip(family, ("token_rotated", "token_rotated",
                                      "token_revoked")):
        dead(world, token, reason)
    assert works(world, other)


def test_lists_by_date_to_the_second(world, clock):
    """What was rotated is on no list of what will die: there is another."""
    midnight = NOON + DAY // 2
    ids = {days: make(world, clock, "alice", "--expires", f"{days}d")["id"]
           for days in (1, 7, 8)}
    old = make(world, clock, "alice", "--expires", "7d")
    new = rotate(world, clock, old, "--grace", "7d")

    def listed(*args):
        return {token["id"] for token in world.json(
            "token", "list", "alice", *args, env=clock.env())} & {
                *ids.values(), old["id"], new["id"]}
    clock.set(midnight - 1)
    assert listed("--expired") == set()
    assert listed("--expiring", "6d") == {ids[1]}
    clock.set(midnight)
    assert listed("--expired") == {ids[1]}
    assert listed("--expiring", "6d") == {ids[7], new["id"]}
    assert listed("--expiring", "7d") == {ids[7], ids[8], new["id"]}


def refused(world, clock, *args):
    return world.refused("token", "rotate", *args, env=clock.env())[1]


def test_what_cannot_be_rotated(world, clock):
    old = make(world, clock, "alice", "--expires", "7d")
    new = rotate(world, clock, old, "--grace", "7d")
    assert refused(world, clock, old["id"]) == (
        f"dockpass: token {old['id']} was rotated already; rotate the one "
        f"that it became, {new['id']}, or what became of that")
    clock.set(NOON + 7 * DAY)
    assert refused(world, clock, new["id"]) == \
        f"dockpass: token {new['id']} is expired; create another"
    world.cli("token", "revoke", new["id"], env=clock.env())
    assert refused(world, clock, new["id"]) == \
        f"dockpass: token {new['id']} is revoked; create another"
    clock.set(NOON)
    assert rotate(world, clock, make(world, clock, "alice"))


def test_AK_GHSA_qxxr_of_many_rotations_one_wins(world, clock):
    """At the same time: the others are told, and make no secret."""
    old = make(world, clock, "alice")
    before = len(world.json("token", "list", env=clock.env()))

    def try_it(_):
        return world.run("token", "rotate", old["id"], "--json", "--config",
                         world.config_file, env=clock.env(), check=False,
                         secret=True)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(try_it, range(4)))
    won, = [json.loads(one.stdout) for one in done if not one.returncode]
    secrets.remember(won["token"])
    assert all(one.stdout == "" and "was rotated already" in one.stderr
               for one in done if one.returncode)
    assert len(world.json("token", "list", env=clock.env())) == before + 1
    dead(world, old)
    assert works(world, won)
