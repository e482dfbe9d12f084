"""What the command line changes holds at the very next request.

The server runs all the while. Whoever asks does so with his token, with a
refresh token of before the change, and with no credentials at all.
"""

import itertools
import threading

import pytest
import requests

from support import secrets, tokens
from support.dockpass import PATIENCE
from support.process import wait_until
from support.ways import get_basic, login, refresh, refresh_token

ALL = "delete,pull,push"
# id, before, what he gets, the change, what he gets then: words of the command
# line, {u} the user, {p} the project, {g} its group, {t} his token's id
ROWS = [
    ("CVE-2025-23208-member", "member add {p} {u} developer", "pull,push",
     "member remove {p} {u}", ""),
    ("CVE-2025-23208-of-the-group", "member add {g} {u} owner", ALL,
     "member remove {g} {u}", ""),
    ("CVE-2025-23208-of-both", "member add {p} {u} reporter; "
     "member add {g} {u} owner", ALL, "member remove {g} {u}", "pull"),
    ("CVE-2025-23208-role-lowered", "member add {p} {u} owner", ALL,
     "member add {p} {u} reporter", "pull"),
    ("CVE-2025-23208-to-guest", "member add {p} {u} developer", "pull,push",
     "member add {p} {u} guest", ""),
    ("role-raised", "member add {p} {u} guest", "",
     "member add {p} {u} maintainer", ALL),
    ("added", "", "", "member add {g} {u} reporter", "pull"),
    ("internal", "", "", "project set {p} --visibility internal", "pull"),
    ("private-again", "project set {p} --visibility internal", "pull",
     "project set {p} --visibility private", ""),
    ("no-longer-public", "project set {p} --visibility public", "pull",
     "project set {p} --visibility private", ""),
    ("registry-private", "project set {p} --visibility public", "pull",
     "project set {p} --registry private", ""),
    ("registry-disabled", "member add {p} {u} owner", ALL,
     "project set {p} --registry disabled", ""),
    ("registry-enabled", "member add {p} {u} owner; "
     "project set {p} --registry disabled", "",
     "project set {p} --registry enabled", ALL),
    ("archived", "member add {p} {u} owner", ALL,
     "project set {p} --archived true", "pull"),
    ("no-longer-archived", "member add {p} {u} owner; "
     "project set {p} --archived true", "pull",
     "project set {p} --archived false", ALL),
    ("project-removed", "member add {p} {u} owner", ALL,
     "project remove {p}", ""),
    ("group-removed", "member add {g} {u} owner", ALL,
     "group remove {g} --recursive", ""),
    ("recreated-project", "member add {p} {u} owner", ALL,
     "project remove {p}; project add {p}", ""),
    ("recreated-group", "member add {g} {u} owner", ALL,
     "group remove {g} --recursive; project add {p}", ""),
    ("CVE-2023-1555-blocked", "member add {p} {u} owner", ALL,
     "user block {u}", 401),
    ("unblocked", "member add {p} {u} owner", ALL,
     "user block {u}; user unblock {u}", ALL),
    ("user-removed", "member add {p} {u} owner", ALL,
     "user remove {u} --yes", 401),
    ("recreated-user", "member add {p} {u} owner", ALL,
     "user remove {u} --yes; user add {u} --email a@b.c; "
     "member add {p} {u} owner", 401),
    ("recreated-in-another-case", "member add {p} {u} owner", ALL,
     "user remove {u} --yes; user add U-{u} --email a@b.c", 401),
    ("revoked", "member add {p} {u} owner", ALL, "token revoke {t}", 401),
    ("revoked-twice", "member add {p} {u} owner", ALL,
     "token revoke {t}; token revoke {t}", 401),
]


COUNTER = itertools.count()


@pytest.fixture
def name():
    """Nobody else's, for a user or a project."""
    return f"live{next(COUNTER)}"


def run(live, commands, **names):
    for command in commands.split(";"):
        if command.strip():
            live.cli(*command.format(**names).split())


def check(live, answer, project, want):
    if want == 401:
        tokens.refusal(answer, 401, "UNAUTHORIZED")
        return
    want = {f"repository:{project}/img": want} if want else {}
    assert tokens.access(answer, live) == want


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_next_request_knows(live, name, row):
    _, before, had, change, has = row
    project = f"{name}/sub/app"
    asked = f"repository:{project}/img:pull,push,delete,*"
    live.user(name)
    live.cli("project", "add", project)
    names = {"u": name, "p": project, "g": name}
    run(live, before, **names)
    secret = live.token(name, scopes="api", name=name)
    names["t"] = live.token_id(name)
    old = refresh_token(login(live, secret))
    check(live, get_basic(live, secret, asked), project, had)
    check(live, refresh(live, old, asked), project, had)
    run(live, change, **names)
    check(live, get_basic(live, secret, asked), project, has)
    check(live, refresh(live, old, asked), project, has)


@pytest.mark.parametrize("start, then, had, has", [
    ("public", ("--visibility", "private"), "pull", ""),
    ("public", ("--visibility", "internal"), "pull", ""),
    ("public", ("--registry", "private"), "pull", ""),
    ("public", ("--registry", "disabled"), "pull", ""),
    ("public", ("--archived", "true"), "pull", "pull"),
    ("private", ("--visibility", "public"), "", "pull"),
], ids=lambda value: "-".join(value) if isinstance(value, tuple) else None)
def test_the_anonymous_too(live, name, start, then, had, has):
    asked = f"repository:{name}/img:pull,push"
    live.cli("project", "add", name, "--visibility", start)
    check(live, live.ask(asked), name, had)
    live.cli("project", "set", name, *then)
    check(live, live.ask(asked), name, has)


PASSWORD = "a very good password"
# the change, whether the old password does then, whether "another password"
PASSWORDS = [
    ("user two-factor {u} on", False, False),
    ("user two-factor {u} on; user two-factor {u} off", True, False),
    ("user block {u}", False, False),
    ("user block {u}; user unblock {u}", True, False),
    ("user remove {u}", False, False),
    ("user remove {u}; user add {u} --email a@b.c", False, False),
    ("PASSWORD", False, True),
]


@pytest.mark.parametrize("change, old, new", PASSWORDS)
def test_passwords_too(live, name, change, old, new):
    live.user(name, password=PASSWORD)
    other = secrets.remember("another password")
    assert live.ask(auth=(name.upper(), PASSWORD)).status_code == 200
    tokens.refusal(live.ask(auth=(name, other)), 401, "UNAUTHORIZED")
    if change == "PASSWORD":
        live.cli("user", "password", name, "--password-stdin", stdin=other)
    else:
        run(live, change, u=name)
    for password, right in ((PASSWORD, old), (other, new)):
        answer = live.ask(auth=(name, password))
        if right:
            assert tokens.access(answer, live) == {}
            assert tokens.subject(answer) == name
        else:
            tokens.refusal(answer, 401, "UNAUTHORIZED")


@pytest.mark.parametrize("kind, more", [("project", []),
                                        ("group", ["--recursive"])])
def test_a_recreated_place_knows_no_old_token(live, name, kind, more):
    """Ids are never used again: neither its bot nor its role comes back."""
    project = f"{name}/app"
    place = {"project": project, "group": name}[kind]
    asked = f"repository:{project}:*"
    live.cli("project", "add", project)
    secret = live.token(f"--{kind}", place, "--role", "owner", scopes="api",
                        name=name)
    old = refresh_token(login(live, secret))
    check_both = [lambda: get_basic(live, secret, asked),
                  lambda: refresh(live, old, asked)]
    for ask in check_both:
        assert tokens.access(ask(), live) == {f"repository:{project}": ALL}
    assert "--yes" in live.refused(kind, "remove", place, *more)[1]
    live.cli(kind, "remove", place, *more, "--yes")
    for ask in check_both:
        tokens.refusal(ask(), 401, "UNAUTHORIZED")
    live.cli("project", "add", project)
    for ask in check_both:
        tokens.refusal(ask(), 401, "UNAUTHORIZED")


def test_AK_GHSA_qxxr_no_refresh_token_outlives_a_revocation(live, name):
    """Made at the very moment: either refused, or dead with its token."""
    for i in range(5):
        secret, made = live.token("alice", scopes="api", name=f"{name}-{i}"), []

        def make(secret=secret, made=made):
            while (answer := login(live, secret)).status_code == 200:
                made.append(answer.json().get("refresh_token"))
        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda made=made: len(made) >= 8, 20 * PATIENCE, "logins")
        live.cli("token", "revoke", live.token_id(f"{name}-{i}"))
        for thread in threads:
            thread.join(20 * PATIENCE)
            assert not thread.is_alive()
        # The writer had seen its end: nothing was signed without one.
        assert None not in made
        for token in made:
            secrets.remember(token)
            tokens.refusal(refresh(live, token), 401, "UNAUTHORIZED")


def test_a_kept_connection_sees_each_change(live, name):
    """No answer comes from what a connection or a worker has seen before."""
    live.cli("project", "add", name)
    with requests.Session() as session:
        for visibility, has in (("public", "pull"), ("private", "")) * 10:
            live.cli("project", "set", name, "--visibility", visibility)
            answer = session.get(f"{live.url}/token", params={
                "service": "registry", "scope": f"repository:{name}/img:pull"})
            check(live, answer, name, has)
