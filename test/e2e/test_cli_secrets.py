"""Secrets at the command line: passwords come in by standard input alone, a
token's secret goes out once, by standard output alone.

conftest.py looks for each remembered secret in all that was said and stored.
"""

import os
import pty
import re
import subprocess

import pytest

from support import secrets, tokens, ways
from support.dockpass import ENV, PATIENCE, PROGRAM, Dockpass
from support.process import wait_until
from support.ways import refresh_token


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A serving dockpass with one user."""
    with Dockpass(tmp_path_factory.mktemp("live")) as live:
        live.user("alice", password="first password")
        yield live.serve()


def login(live, user, password):
    return live.ask(auth=(user.encode(), password.encode()))


# A password is a line of standard input

PASSWORDS = {
    "colons": "a:b:c: secret", "ampersand, plus, percent": "a&b+c%20d%zz=e",
    "quotes": "it's \"quoted\" \\n", "of all the world": "pässwörd-☃-密",
    "spaces at both ends": "  spaces both ends  ", "a tab": "tab\tinside it",
    "511 bytes": ("long! " * 90)[:511], "a dollar": "$HOME `id` $(id)",
    "a hash": "$y$j9T$abc$defgh", "nearly a token": "GLPAT-0123456789abcdef",
}


@pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)
@pytest.mark.parametrize("end", ["", "\n"], ids=["as it is", "one line"])
def test_a_password_is_what_was_read(live, password, end):
    """One line feed at its end is not of it; all else is."""
    secrets.remember(password)
    done = live.run("user", "password", "alice", "--password-stdin",
                    "--config", live.config_file, stdin=password + end)
    assert (done.stdout, done.stderr) == ("", "")
    assert tokens.subject(login(live, "Alice", password)) == "alice"
    wrong = secrets.remember(password + " wrong")
    tokens.refusal(login(live, "alice", wrong), 401, "UNAUTHORIZED")


def test_user_add_takes_one_as_well(live):
    password = secrets.remember("of:the first & day")
    made = live.json("user", "add", "carl", "--email", "c@x",
                     "--password-stdin", stdin=password + "\n")
    assert "password" not in str(made)
    assert tokens.subject(login(live, "carl", password)) == "carl"
    live.user("nobody")  # without one: not even the empty password
    for wrong in ("", " ", "\n"):
        tokens.refusal(login(live, "nobody", wrong), 401, "UNAUTHORIZED")


WHY = "the password on standard input "


@pytest.mark.parametrize("stdin, message", [
    ("", "is empty; pipe it in"), ("\n", "is empty; pipe it in"),
    ("one line\n\n", "holds a NUL or a second line; give one line of text"),
    ("one line\nanother", "holds a NUL or a second line; give one line of "
     "text"),
    ("a\0b", "holds a NUL or a second line; give one line of text"),
    ("glpat-0123456789abcdefghij", "begins like a token, and would be taken "
     "for one; choose another"),
    ("x" * 512, "is longer than 511 bytes; give a shorter one"),
    ("x" * 100000, "is longer than 511 bytes; give a shorter one"),
], ids=["nothing", "an empty line", "an empty second line", "two lines",
        "a NUL", "a token", "512 bytes", "100000 bytes"])
def test_what_is_no_password_changes_none(live, stdin, message):
    before = secrets.remember("before it was refused")
    live.cli("user", "password", "alice", "--password-stdin", stdin=before)
    for args in (["password", "alice"], ["add", "dora", "--email", "d@x"]):
        assert live.refused("user", *args, "--password-stdin",
                            stdin=stdin) == (1, f"dockpass: {WHY}{message}")
    assert login(live, "alice", before).status_code == 200
    assert live.refused("user", "show", "dora")[0] == 1


def test_a_closed_standard_input(live):
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" "$@" <&-', PROGRAM, "user", "password",
         "alice", "--password-stdin", "--config", live.config_file],
        text=True, capture_output=True, check=False, timeout=60, env=ENV)
    assert (done.returncode, done.stdout, done.stderr) == (
        1, "", "dockpass: the password cannot be read from standard input: "
        "Bad file descriptor; pipe it in\n")


def test_at_a_terminal_it_is_asked_for_and_not_shown(live):
    """Enter ends it, where a pipe has an end."""
    password = secrets.remember("typed by hand ü")
    master, slave = pty.openpty()
    with subprocess.Popen(
            [PROGRAM, "user", "password", "alice", "--password-stdin",
             "--config", live.config_file], env=ENV, text=True, stdin=slave,
            stdout=subprocess.PIPE, stderr=slave) as process:
        os.close(slave)
        shown = [os.read(master, 1000)]
        os.write(master, password.encode() + b"\n")
        wait_until(lambda: process.poll() is not None, 30 * PATIENCE,
                   "the end of user password")
        shown.append(os.read(master, 1000))
        assert (process.returncode, process.stdout.read()) == (0, "")
    os.close(master)
    assert b"".join(shown) == \
        b"password, then Enter (it is not shown): \r\n"
    assert login(live, "alice", password).status_code == 200


@pytest.mark.parametrize("args", [
    ["user", "password", "alice", "a-password-as-word"],
    ["user", "password", "alice", "--password", "a-password"],
    ["user", "password", "alice", "--password-stdin=a-password"],
    ["user", "add", "x", "--email", "e", "--password=a-password"]])
def test_no_option_takes_a_password(live, args):
    assert live.refused(*args, stdin="first password")[0] == 2


# Two-factor

BOTH = "wrong user name or password, or two-factor is on: use a personal " \
    "access token as password"


def test_two_factor(live):
    """One text for right and wrong names both causes: it tells neither."""
    live.user("bob", password="bob's own password")
    token = live.token("bob", scopes="read_registry")
    assert login(live, "bob", "bob's own password").status_code == 200
    live.cli("user", "two-factor", "bob", "on")
    for password in ("bob's own password", "another password"):
        secrets.remember(password)
        assert tokens.refusal(login(live, "bob", password), 401,
                              "UNAUTHORIZED") == BOTH
    assert tokens.subject(login(live, "bob", token)) == "bob"
    live.cli("user", "two-factor", "bob", "off")
    assert login(live, "bob", "bob's own password").status_code == 200


# A token's secret

SECRET = r"glpat-[A-Za-z0-9_-]{20}"


@pytest.mark.parametrize("owner", [["alice"], ["alice", "--impersonation"],
                                   ["--project", "g/p"], ["--group", "g"]])
def test_a_secret_is_printed_once(live, owner):
    if "g" not in [row["full_path"] for row in live.json("group", "list")]:
        live.cli("project", "add", "g/p")
    args = ["token", "create", *owner, "--name", "once", "--scopes", "api"]
    done = live.run(*args, "--config", live.config_file, secret=True)
    assert re.fullmatch(SECRET + "\n", done.stdout)
    assert not re.search(SECRET, done.stderr)
    first = secrets.remember(done.stdout.strip())
    token = live.run(*args, "--json", "--config", live.config_file,
                     secret=True)
    second = secrets.remember(
        re.search(f'"token":"({SECRET})"}}', token.stdout)[1])
    assert first != second and token.stderr == ""
    for secret in (first, second):
        assert live.ask(auth=("x", secret)).status_code == 200
    last = live.json("token", "list")[-1]["id"]
    for command in (["token", "list"], ["token", "show", last],
                    ["token", "revoke", last], ["user", "list"],
                    ["explain", "--token-id", last, "--access",
                     "repository:a:pull"]):
        for form in ([], ["--json"]):
            assert not re.search(SECRET, live.cli(*command, *form))


def test_secrets_are_random(live):
    made = [live.token("alice", scopes="api") for _ in range(40)]
    tails = [secret.removeprefix("glpat-") for secret in made]
    assert len(set(tails)) == 40
    # Of 64 letters nearly all are among 800, and many at each place.
    assert len(set("".join(tails))) >= 60
    for letters in zip(*tails):
        assert len(set(letters)) > 10


def test_a_refused_token_makes_no_secret(live):
    done = live.run("token", "create", "eve", "--name", "x", "--scopes", "api",
                    "--config", live.config_file, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "glpat-" not in done.stderr


# A secret that leaked

def test_a_secret_leads_to_its_token(live):
    """Whether it lives or not; never by an argument."""
    secret = live.token("alice", scopes="api", name="leaked")
    token = live.token_id("leaked")

    def ask(what, *args, text=secret + "\n"):
        return live.json("token", what, "--stdin", *args, stdin=text)
    assert ask("show") == live.json("token", "show", token)
    assert ask("show", text=f" {secret} ")["name"] == "leaked"
    assert ask("revoke")["revoked"] and ask("show")["revoked"]
    tokens.refusal(login(live, "x", secret), 401, "UNAUTHORIZED")
    done = live.run("token", "revoke", "--stdin", "--config",
                    live.config_file, stdin=secret)
    assert done.stdout == ""
    assert done.stderr == f"revoked: token {token}, leaked, of alice\n"


def test_whose_token_was_revoked(tmp_path):
    """By its secret, a user's or a space's; and for programs. Who says the id
    knows it."""
    with Dockpass(tmp_path) as own:
        own.user("alice")
        own.cli("project", "add", "team/app")
        for owner, whose in ((["alice"], "alice"),
                             (["--project", "team/app"],
                              "team/app (project)"),
                             (["--group", "team"], "team (group)")):
            secret = own.token(*owner, scopes="api", name="x")
            token = own.json("token", "list")[-1]
            told = f"revoked: token {token['id']}, x, of {whose}\n"
            for which, said in (("--stdin", told), (token["id"], "")):
                done = own.run("token", "revoke", which, "--config",
                               own.config_file, stdin=secret)
                assert (done.stdout, done.stderr) == ("", said)
            bot = own.json("token", "revoke", "--stdin", stdin=secret)
            assert bot["username"] == token["username"]
            assert bot["username"].startswith(
                f"{owner[0].strip('-')}" if owner[0][0] == "-" else "alice")


def test_a_refresh_token_leads_to_its_token(tmp_path):
    with Dockpass(tmp_path, services=[{"name": "registry",
                                       "refresh_tokens": True}]) as own:
        own.user("alice")
        secret = own.token("alice", scopes="api")
        refresh = refresh_token(ways.login(own.serve(), secret))
        told = own.json("token", "show", "--stdin", stdin=refresh)
        assert told == own.json("token", "show", "1")


@pytest.mark.parametrize("stdin, args, status, message", [
    ("glpat-" + "q" * 20, ["--stdin"], 1, "no token has this secret: mistyped, "
     "of another server, or a refresh token that is gone"),
    ("", [], 2, "token {}: say one of ID and --stdin; usage: dockpass token {} "
     "(ID | --stdin){}"),
    ("x", ["1", "--stdin"], 2, "token {}: say one of ID and --stdin; usage: "
     "dockpass token {} (ID | --stdin){}")])
@pytest.mark.parametrize("what, more", [("show", ""),
                                        ("revoke", " [--family] | "
                                         "--unused DURATION [--yes]")])
def test_what_leads_to_no_token(live, what, more, stdin, args, status,
                                message):
    assert live.refused("token", what, *args, stdin=stdin) == (
        status, "dockpass: " + message.format(what, what, more))


HINT = "a secret is no argument: dockpass token show --stdin finds its token"


@pytest.mark.parametrize("kind", ["glpat-", "dprt-"])
@pytest.mark.parametrize("command", [
    "token show {}", "token revoke {}", "token list {}", "token list --group {}",
    "token create {} --name x --scopes api", "token create alice --name x "
    "--scopes {}", "explain {} --scopes api --access repository:a:pull",
    "explain --token-id {} --access repository:a:pull",
    "user show {}", "user block {}", "user remove {}", "user add a {} --email e",
    "user two-factor alice {}", "user list --{}", "{}", "user {}", "-{}",
    "project show {}", "member add g {} guest", "key activate {}",
    "--config {} user list"])
def test_an_error_never_repeats_a_secret(live, command, kind):
    secret = kind + "Q_-9" * 5
    where = [] if "--config" in command else ["--config", live.config_file]
    done = live.run(*command.format(secret).split(), *where, check=False,
                    secret=True)
    assert done.returncode and done.stdout == ""
    assert "Q_-9" not in done.stderr and kind + "***" in done.stderr
    assert HINT in done.stderr and done.stderr.count("\n") == 1
