"""Refresh tokens: who gets one, what it is good for, and when it dies.

V11 (a hundred at a time) is in test_protocol_vectors.py, dates are in
test_protocol_expiry.py.
"""

import signal
import time

import pytest

from support import secrets, tokens
from support.clock import Clock
from support.dockpass import Dockpass
from support.ways import refresh_token
from support.world import SERVICES, World

PRIV = "repository:g/priv:pull,push"


def given(answer):
    """The refresh token of a 200, or None."""
    assert answer.status_code == 200, answer.text
    token = answer.json().get("refresh_token")
    return token and secrets.remember(token)


def login(world, secret, **fields):
    return world.ask(auth=("any", secret),
                     fields={"offline_token": "true", **fields})


def refresh(world, token, **fields):
    return world.ask(PRIV, method="POST", fields={
        "grant_type": "refresh_token", "refresh_token": token, **fields})


# row, fields of a GET, given?
ASKED = [(f"offline_token={text}", {"offline_token": text}, True)
         for text in ("1", "t", "T", "true", "TRUE", "True")] + \
    [(f"offline_token={text}", {"offline_token": text}, False)
     for text in ("", "0", "f", "false", "yes", "on", "tRUE", "2")] + \
    [("not asked", {}, False),
     ("access_type is POST's", {"access_type": "offline"}, False),
     ("off by default", {"offline_token": "true", "service": "plain"}, False)]


@pytest.mark.parametrize("row, fields, wanted", ASKED,
                         ids=[row[0] for row in ASKED])
def test_asked_by_get(world, row, fields, wanted):
    answer = world.ask(auth=world.basic("alice", "api"), fields=fields)
    assert bool(given(answer)) == wanted
    assert ("refresh_token" in answer.json()) == wanted


@pytest.mark.parametrize("access_type, wanted", [
    ("offline", True), ("online", False), ("", False), ("OFFLINE", False)])
def test_asked_by_post(world, access_type, wanted):
    answer = world.ask(method="POST", fields={
        "grant_type": "password", "username": "any",
        "password": world.pat("alice", "api"), "access_type": access_type})
    assert bool(given(answer)) == wanted


def test_only_a_token_gets_one(world):
    """A password's change would not end it; the anonymous is nobody."""
    offline = {"offline_token": "true"}
    password = "carol", world.PASSWORD.encode()
    assert given(world.ask(auth=password, fields=offline)) is None
    assert given(world.ask(fields=offline)) is None
    form = {"grant_type": "password", "username": "carol",
            "password": world.PASSWORD, "access_type": "offline"}
    assert given(world.ask(method="POST", fields=form)) is None
    bearer = {"Authorization": "Bearer " + world.pat("alice", "api")}
    assert given(world.ask(fields=offline, headers=bearer))


def test_each_login_has_its_own(world):
    secret = world.pat("alice", "api")
    first, second = given(login(world, secret)), given(login(world, secret))
    assert first != second
    for token in (first, second, first):
        assert tokens.subject(refresh(world, token)) == "alice"


@pytest.mark.parametrize("access_type, same", [
    ("offline", True), ("online", False), (None, False)])
def test_the_same_one_or_none(world, access_type, same):
    token = given(login(world, world.pat("alice", "api")))
    for _ in range(3):
        answer = refresh(world, token, access_type=access_type)
        assert given(answer) == (token if same else None)


def test_it_is_as_strong_as_its_token(world):
    token = given(login(world, world.pat("alice", "read_registry")))
    answer = refresh(world, token)
    assert tokens.access(answer, world) == {"repository:g/priv": "pull"}
    assert answer.json()["scope"] == "repository:g/priv:pull"


# row, fields of the POST
ELSEWHERE = [("another service", {"service": "other"}),
             ("a service without refresh tokens", {"service": "plain"}),
             ("a service without anonymous", {"service": "closed"})]


@pytest.mark.parametrize("row, fields", ELSEWHERE,
                         ids=[row[0] for row in ELSEWHERE])
def test_it_is_bound_to_its_service(world, row, fields):
    token = given(login(world, world.pat("alice", "api")))
    answer = refresh(world, token, **fields)
    tokens.grant_refusal(answer, 401, "invalid_grant")
    assert world.reason(answer) == "unknown_refresh"
    assert tokens.access(refresh(world, token), world)


def test_it_is_nothing_but_a_refresh_token(world):
    token = given(login(world, world.pat("alice", "api")))
    for kwargs in ({"auth": ("alice", token)},
                   {"headers": {"Authorization": f"Bearer {token}"}},
                   {"method": "POST", "fields": {
                       "grant_type": "password", "username": "alice",
                       "password": token}}):
        tokens.refusal(world.ask(PRIV, **kwargs), 401, "UNAUTHORIZED")
    pat = refresh(world, world.pat("alice", "api"))
    tokens.grant_refusal(pat, 401, "invalid_grant")
    query = world.ask(PRIV, fields={"grant_type": "refresh_token",
                                    "refresh_token": token})
    assert tokens.access(query, world) == {} and tokens.subject(query) == ""


@pytest.fixture(scope="module")
def doomed(tmp_path_factory):
    """A world in which users and projects come to their end."""
    with World(tmp_path_factory.mktemp("doomed")) as world:
        yield world.serve()


USER = ["{name}"]
PROJECT = ["--project", "x/{name}/app"]
GROUP = ["--group", "x/{name}"]

# row, the owner of the token, the command, the reason from then on. A refresh
# token that is gone from the store is unknown: it went with its token.
DEATHS = [
    ("revoked", USER, "token revoke {id}", "unknown_refresh"),
    ("blocked", USER, "user block {name}", "owner_blocked"),
    ("removed", USER, "user remove {name} --yes", "unknown_refresh"),
    ("project-token", PROJECT, "token revoke {id}", "unknown_refresh"),
    ("project", PROJECT, "project remove x/{name}/app --yes",
     "unknown_refresh"),
    ("group", GROUP, "group remove x/{name} --recursive --yes",
     "unknown_refresh"),
    ("group-above", PROJECT, "group remove x/{name} --recursive --yes",
     "unknown_refresh"),
]


@pytest.mark.parametrize("name, owner, command, reason", DEATHS,
                         ids=[row[0] for row in DEATHS])
def test_it_dies_with_its_token(doomed, name, owner, command, reason):
    doomed.user(name)
    doomed.cli("project", "add", f"x/{name}/app")
    secret = doomed.token(*(word.format(name=name) for word in owner),
                          scopes="api", name=name)
    words = command.format(name=name, id=doomed.token_id(name)).split()
    token = given(login(doomed, secret))
    others = given(login(doomed, doomed.pat("alice", "api")))
    assert refresh(doomed, token).status_code == 200
    doomed.cli(*words)
    answer = refresh(doomed, token)
    tokens.grant_refusal(answer, 401, "invalid_grant")
    assert doomed.reason(answer) == reason
    tokens.refusal(login(doomed, secret), 401, "UNAUTHORIZED")
    assert refresh(doomed, others).status_code == 200


def test_it_follows_its_owners_role(doomed):
    """At the next request, as everything."""
    doomed.user("mover")
    token = given(login(doomed, doomed.pat("mover", "api")))
    for command, want in [
            (["add", "g/priv", "mover", "developer"], "pull,push"),
            (["add", "g/priv", "mover", "reporter"], "pull"),
            (["remove", "g/priv", "mover"], None)]:
        doomed.cli("member", *command)
        assert tokens.access(refresh(doomed, token), doomed) == (
            {"repository:g/priv": want} if want else {})


def test_it_outlives_the_server(own_world):
    """It was on disk before it was told: not even SIGKILL loses it."""
    own_world.serve()
    token = given(login(own_world, own_world.pat("alice", "api")))
    assert own_world.stop(signal.SIGKILL) == -signal.SIGKILL
    own_world.serve()
    assert tokens.subject(refresh(own_world, token)) == "alice"


def test_the_33rd_ends_the_first(faketime, tmp_path):
    """Each is a second younger than the one before."""
    clock, now = Clock(tmp_path), int(time.time())
    clock.set(now)
    with Dockpass(tmp_path, services=[SERVICES[0]]) as dockpass:
        dockpass.user("alice")
        pat = dockpass.token("alice", scopes="api")
        dockpass.serve(env=clock.env())
        given = []
        for i in range(36):
            clock.set(now + i)
            given.append(refresh_token(login(dockpass, pat)))
            if i == 31:
                assert refresh(dockpass, given[0]).status_code == 200
        statuses = [refresh(dockpass, token).status_code for token in given]
        assert statuses == 4 * [401] + 32 * [200]


def test_switched_off_it_is_nothing(own_world):
    world = own_world.serve()
    token = given(login(world, world.pat("alice", "api")))
    assert refresh(world, token).status_code == 200
    world.configure(services=[{"name": "registry"}])
    world.reload()
    answer = refresh(world, token)
    assert tokens.refusal(answer, 401)
    assert world.reason(answer) == "unknown_refresh"
