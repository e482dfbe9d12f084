"""The command line and the server on one store: what a command has committed
holds at the server's very next request, whichever way it is asked.
"""

import itertools
import threading

import jwt
import pytest
import requests

from support import secrets, tokens
from support.dockpass import Dockpass

FIRST, SECOND = "the first password", "the second password"


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with Dockpass(tmp_path_factory.mktemp("live")) as live:
        yield live.serve()


NUMBERS = itertools.count(1)


class Asker:
    """A user, a project where he is a developer, his token; and connections
    that are open before anything changes."""

    def __init__(self, live, method):
        number = next(NUMBERS)
        self.live, self.method = live, method
        self.user, self.group = f"user{number}", f"group{number}"
        self.project = f"{self.group}/app"
        live.user(self.user, password=FIRST)
        live.cli("project", "add", self.project)
        live.cli("member", "add", self.project, self.user, "developer")
        self.secret = live.token(self.user, scopes="api", name=self.user)
        self.token = live.token_id(self.user)
        self.ways = [requests.Session() for _ in range(2)] + [requests]

    def words(self, command):
        return command.format(user=self.user, project=self.project,
                              group=self.group, token=self.token).split()

    def run(self, command, **kwargs):
        self.live.cli(*self.words(command), **kwargs)

    def ask(self, way, secret):
        scope = f"repository:{self.project}/img:pull,push,delete"
        if self.method == "GET" or not secret:
            return self.live.ask(scope, auth=secret and (self.user, secret),
                                 via=way)
        return self.live.ask(scope, method="POST", via=way, fields={
            "grant_type": "password", "username": self.user,
            "password": secret})

    def got(self, secret):
        """What every connection is answered: actions, or the status."""
        answers = [self.ask(way, secret) for way in self.ways]
        granted = [", ".join(tokens.access(answer, self.live).values())
                   if answer.status_code == 200 else answer.status_code
                   for answer in answers]
        assert len(set(granted)) == 1, granted
        return granted[0]


@pytest.fixture(params=["GET", "POST"])
def asker(live, request):
    asker = Asker(live, request.param)
    assert asker.got(asker.secret) == "pull,push"
    yield asker
    for way in asker.ways[:-1]:
        way.close()


ALL = "delete,pull,push"
STEPS = {
    "a blocked user": [
        ("user block {user}", 401), ("user unblock {user}", "pull,push")],
    "a removed user": [("user remove {user} --yes", 401)],
    "a revoked token": [("token revoke {token}", 401)],
    "a member's role": [
        ("member add {project} {user} guest", ""),
        ("member add {project} {user} reporter", "pull"),
        ("member add {project} {user} maintainer", ALL),
        ("member remove {project} {user}", "")],
    "a role in the group above": [
        ("member add {group} {user} owner", ALL),
        ("member remove {group} {user}", "pull,push")],
    "a project's registry": [
        ("project set {project} --registry disabled", ""),
        ("project set {project} --registry private", "pull,push")],
    "an archived project": [
        ("project set {project} --archived true", "pull"),
        ("project set {project} --archived false", "pull,push")],
    "a removed project": [
        ("project remove {project}", ""),
        ("project add {project}", ""),  # another one: he is no member
        ("member add {project} {user} reporter", "pull")],
    "an administrator": [
        ("member remove {project} {user}", ""), ("user admin {user} on", ALL),
        ("user admin {user} off", "")],
    "an external user": [
        ("project set {project} --visibility internal", "pull,push"),
        ("member remove {project} {user}", "pull"),
        ("user external {user} on", ""), ("user external {user} off", "pull")],
    "a removed group": [("group remove {group} --recursive", "")],
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_it_holds_at_once(asker, steps):
    for command, want in steps:
        asker.run(command)
        assert asker.got(asker.secret) == want, command


VISIBLE = [  # to a stranger who has signed in, to one who has not
    ("project set {project} --visibility public", "pull", "pull"),
    ("project set {project} --visibility internal", "pull", ""),
    ("project set {project} --visibility private", "", ""),
    ("project set {project} --visibility public --registry private", "", ""),
]


def test_a_projects_visibility_holds_at_once(asker):
    asker.run("member remove {project} {user}")
    for command, signed_in, anonymous in VISIBLE:
        asker.run(command)
        assert asker.got(asker.secret) == signed_in, command
        assert asker.got(None) == anonymous, command


def test_a_password_holds_at_once(asker):
    assert asker.got(FIRST) == "pull,push"
    asker.run("user password {user} --password-stdin",
              stdin=secrets.remember(SECOND))
    assert asker.got(FIRST) == 401
    assert asker.got(SECOND) == "pull,push"
    asker.run("user two-factor {user} on")
    assert asker.got(SECOND) == 401
    assert asker.got(asker.secret) == "pull,push"


def test_a_new_token_holds_at_once(asker):
    live = asker.live
    for owner, want in ((["--project", asker.project], ALL),
                        (["--group", asker.group, "--role", "guest"], ""),
                        ([asker.user], "pull,push")):
        assert asker.got(live.token(*owner, scopes="api")) == want


def test_a_bot_is_its_token(asker):
    """A project token ends with it; blocking its bot blocks it."""
    live = asker.live
    secret = live.token("--project", asker.project, scopes="api", name="bot")
    token = live.json("token", "list", "--project", asker.project)[-1]
    bot = next(user["username"] for user in live.json("user", "list")
               if user["id"] == token["user_id"])
    assert tokens.subject(asker.ask(requests, secret)) == bot
    for command, want in (
            (f"user block {bot}", 401), (f"user unblock {bot}", ALL),
            (f"token revoke {token['id']}", 401)):
        asker.run(command)
        assert asker.got(secret) == want


def test_keys_hold_at_a_reload(live):
    """As each key command says: published at once, known at SIGHUP."""
    def served():
        jwks = requests.get(live.url + "/.well-known/jwks.json", timeout=20)
        return [key["kid"] for key in jwks.json()["keys"][::2]]

    def signs():
        answer = live.ask()
        tokens.access(answer, live)  # verified by public/jwks.json
        return jwt.get_unverified_header(answer.json()["token"])["kid"]
    first, = served()
    second = live.json("key", "new")["kid"]
    assert (served(), signs()) == ([first], first)
    live.reload()
    assert (served(), signs()) == ([first, second], first)
    live.cli("key", "activate", second)
    assert signs() == first
    assert live.reload() == f"done: key {second} signs"
    assert (served(), signs()) == ([second, first], second)
    live.cli("key", "remove", first)
    assert (served(), signs()) == ([second, first], second)
    live.reload()
    assert (served(), signs()) == ([second], second)


def test_commands_at_the_same_time_lose_nothing(live):
    """Eight at once, beside a server that reads: each is there after."""
    before = {row["id"] for row in live.json("user", "list")}
    failed = []

    def work(i):
        try:
            for j in range(3):
                live.user(f"many{i}-{j}")
        except AssertionError as error:
            failed.append(error)
    workers = [threading.Thread(target=work, args=[i]) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failed
    rows = [row for row in live.json("user", "list")
            if row["id"] not in before]
    assert len({row["id"] for row in rows}) == len(rows) == 24
    assert {row["username"] for row in rows} == {
        f"many{i}-{j}" for i in range(8) for j in range(3)}
