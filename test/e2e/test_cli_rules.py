"""What commands do and what they refuse on their merits: names, paths,
members, tokens, removal. test/unit/store/test_change.c has each change alone;
here is that the program does them, says why not, and leaves all as it was.
"""

import datetime
import json
import re
import subprocess

import pytest

from support import secrets
from support.dockpass import PROGRAM, Dockpass
from support.holdings import holdings


def day(ahead):
    """A date as text; or a text as it is."""
    now = datetime.datetime.now(datetime.timezone.utc).date()
    return ahead if isinstance(ahead, str) else \
        str(now + datetime.timedelta(days=ahead))


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with Dockpass(tmp_path_factory.mktemp("desk")) as desk:
        desk.user("alice")
        desk.user("Root", "--admin")
        yield desk


def refuses(desk, args, message, status=1):
    """One line, nothing on standard output, and nothing has changed."""
    before = holdings(desk)
    args = args.split() if isinstance(args, str) else args
    assert desk.refused(*args) == (status, "dockpass: " + message)
    assert holdings(desk) == before


def create(desk, *args, **options):
    """A token as `token create --json` has it; its secret is remembered."""
    args = ["token", "create", *args, "--name", "x", "--json"]
    for name, value in ({"scopes": "api"} | options).items():
        args += [f"--{name}", str(value)]
    token = json.loads(desk.cli(*args, secret=True))
    secrets.remember(token["token"])
    return token


def ascii_12(text):
    """The name of a row."""
    return ascii(text[:12])


# Users

NAME = ('not a user name: letters, digits, "_", and inside "." and "-", at '
        'most 255, no "." at the end')


@pytest.mark.parametrize("name", [
    "a", "_", "0", "A.b-C_9", "a-", "a_", "a.b.c", "__", "x" * 255],
    ids=ascii_12)
def test_names_that_users_may_have(desk, name):
    assert desk.json("user", "add", name, "--email",
                     "e@x")["username"] == name
    assert desk.json("user", "show", name.swapcase())["username"] == name


@pytest.mark.parametrize("name", [
    ".a", "a.", "a b", "a/b", "a:b", "a@b", "a,b", "ä", "a\u200b", "a\n",
    "a\tb", "\x1b[2J", "a\udcff", "*", "a%41", "x" * 256], ids=ascii_12)
def test_names_that_users_may_not_have(desk, name):
    refuses(desk, ["user", "add", name, "--email", "e@x"], NAME)


def test_a_hyphen_in_front_is_no_name(desk):
    done = desk.run("user", "add", "--email=e@x", "--config",
                    desk.config_file, "--", "-a", check=False)
    assert (done.returncode, done.stderr) == (1, f"dockpass: {NAME}\n")


def test_names_are_unique_whatever_their_case(desk):
    refuses(desk, "user add ALICE --email e@x",
            'user "alice" exists already; choose another name')
    refuses(desk, "user add rOOT --email e@x",
            'user "Root" exists already; choose another name')


UNKNOWN = 'user "eve" does not exist; dockpass user list shows all'


@pytest.mark.parametrize("args", [
    "user block eve", "user unblock eve", "user two-factor eve on",
    "user admin eve on", "user external eve off",
    "user remove eve --yes", "token create eve --name x --scopes api"])
def test_of_nobody(desk, args):
    refuses(desk, args, UNKNOWN)


@pytest.mark.parametrize("email, message", [
    ("x" * 256, "the e-mail is longer than 255 bytes; shorten it"),
    ("x" * 70000, "a name or value is too long; names have at most 255 bytes"),
    ("a\nBcc: b@x", "the e-mail holds a control character, or is not UTF-8; "
     "write one line of text")], ids=ascii_12)
def test_addresses_that_are_none(desk, email, message):
    refuses(desk, ["user", "add", "eve", "--email", email], message)


# Groups and projects

PATH = ('not a path: up to 20 names of letters and digits, with ".", "_", '
        '"__" or "-" inside, parted by "/", at most 255 bytes')


@pytest.mark.parametrize("path", [
    "a//b", "/a", "a/", ".a", "a/.b", "a-", "a..b", "a--b", "a b", "ä", "a:b",
    "a\udcff", "*", "../a", "/".join("a" * 21), "x" * 256], ids=ascii_12)
@pytest.mark.parametrize("kind", ["group", "project"])
def test_paths_that_are_none(desk, kind, path):
    refuses(desk, [kind, "add", path], PATH)


def test_missing_groups_are_made_and_paths_are_lower_case(own):
    assert own.json("project", "add", "Team/Sub/App")[
        "path_with_namespace"] == "team/sub/app"
    own.cli("group", "add", "team/SUB/deep/er")
    own.cli("project", "add", "top")
    assert [row["full_path"] for row in own.json("group", "list")] == [
        "team", "team/sub", "team/sub/deep", "team/sub/deep/er"]
    assert [row["path_with_namespace"] for row in own.json(
        "project", "list")] == ["team/sub/app", "top"]
    assert own.json("project", "show", "TEAM/sub/APP")["name"] == "app"


def test_as_deep_and_as_long_as_there_can_be(own):
    deep = "/".join("a" * 20)
    assert own.json("project", "add", deep)["path_with_namespace"] == deep
    assert len(own.json("group", "list")) == 19
    own.cli("project", "add", "x" * 255)


def test_a_path_is_a_group_or_a_project(desk):
    desk.cli("project", "add", "g/app")
    refuses(desk, "project add g/app",
            'project "g/app" exists already; choose another path')
    refuses(desk, "group add G/APP",
            'project "g/app" exists already; choose another path')
    refuses(desk, "project add g",
            'group "g" exists already; choose another path')
    refuses(desk, "group show g/app",
            "no group 'g/app'; dockpass group list shows all")
    refuses(desk, "project show g",
            "no project 'g'; dockpass project list shows all")
    refuses(desk, "project set g --archived true",
            '"g" is a group, not a project; use dockpass group')
    refuses(desk, "project remove g --yes",
            '"g" is a group, not a project; use dockpass group')
    refuses(desk, "group remove g/app --yes --recursive",
            '"g/app" is a project, not a group; use dockpass project')
    refuses(desk, "token create --project g --name x --scopes api",
            '"g" is a group, not a project')
    refuses(desk, "token create --group g/app --name x --scopes api",
            '"g/app" is a project, not a group')


def test_nothing_lies_under_a_project(desk):
    desk.cli("project", "add", "under")
    for kind in ("group", "project"):
        for path in ("under/a", "under/a/b"):
            refuses(desk, f"{kind} add {path}", '"under" is a project, and '
                    "nothing can lie under a project; choose another path")


NO_SPACE = ('no group or project "q"; dockpass group list and project list '
            'show all')


@pytest.mark.parametrize("args", [
    "member add q alice guest", "member remove q alice",
    "project set q --archived true", "project remove q", "group remove q",
    "token create --project q --name x --scopes api",
    "token create --group q --name x --scopes api"])
def test_of_no_group_or_project(desk, args):
    refuses(desk, args, NO_SPACE)


def test_a_projects_rules(own):
    """What is not said stays, or is the strictest."""
    rules = ("visibility", "container_registry_access_level", "archived")

    def are(row):
        return [row[rule] for rule in rules]
    assert are(own.json("project", "add", "p")) == ["private", "enabled",
                                                    False]
    for words, want in (
            ("--visibility public", ["public", "enabled", False]),
            ("--registry private", ["public", "private", False]),
            ("--archived true", ["public", "private", True]),
            ("--registry disabled --visibility internal",
             ["internal", "disabled", True]),
            ("--archived=false", ["internal", "disabled", False])):
        assert are(own.json("project", "set", "p", *words.split())) == want
    assert are(own.json("project", "add", "q", "--visibility", "internal",
                        "--registry", "private")) == [
                            "internal", "private", False]


# Members

LEVELS = {"guest": 10, "planner": 15, "reporter": 20, "developer": 30,
          "maintainer": 40, "owner": 50}


@pytest.mark.parametrize("role", LEVELS)
def test_member_add_gives_and_changes_a_role(desk, role):
    if "m" not in [row["full_path"] for row in desk.json("group", "list")]:
        desk.cli("group", "add", "m")
    desk.cli("member", "add", "M", "ALICE", role)
    member, = desk.json("member", "list", "m")
    assert (member["username"], member["access_level"]) == ("alice",
                                                            LEVELS[role])
    assert desk.cli("member", "list", "m").split()[-3:] == [
        str(member["id"]), "alice", role]


def test_the_highest_role_of_project_and_groups_counts(own):
    """And a lower one nearer to the project takes nothing away."""
    own.user("ann")
    own.cli("project", "add", "a/b/c")

    def role():
        steps = own.json("explain", "ann", "--scopes", "api", "--access",
                         "repository:a/b/c:pull")["steps"]
        return next(step for step in steps if step.startswith("role: "))
    assert role() == "role: no role"
    for path, given, want in (("a/b", "reporter", "reporter, from a/b"),
                              ("a/b/c", "guest", "reporter, from a/b"),
                              ("a", "maintainer", "maintainer, from a"),
                              ("a/b/c", "owner", "owner, from a/b/c")):
        own.cli("member", "add", path, "ann", given)
        assert role() == f"role: {want}"
    own.cli("member", "remove", "a/b/c", "ann")
    assert role() == "role: maintainer, from a"


def test_who_is_no_member_cannot_be_removed(desk):
    desk.cli("group", "add", "nobodys")
    refuses(desk, "member remove nobodys alice", 'user "alice" is no direct '
            "member of it; dockpass member list shows who is")


# Tokens

@pytest.mark.parametrize("expires", [1, "2028-02-29", "9999-12-31"])
def test_dates(desk, expires):
    token = create(desk, "alice", expires=day(expires))
    assert (token["expires_at"], token["active"]) == (day(expires), True)


@pytest.mark.parametrize("expires", [0, -1, "1970-01-01"])
def test_a_date_that_is_not_in_the_future(desk, expires):
    refuses(desk, "token create alice --name x --scopes api --expires "
            + day(expires), "the date must be in the future: a token is dead "
            "from 00:00 UTC of its date")


@pytest.mark.parametrize("expires", [
    "tomorrow", "Never", "0d", "24h", "1d2h", "-1d", "36501d", "30", "2999-1-1", "29990101", "01.01.2999",
    "2999-02-29", "2999-13-01", "2999-01-01T00:00:00Z", " 2999-01-01",
    "10000-01-01", "2999-01-01x"])
def test_what_is_no_date(desk, expires):
    refuses(desk, ["token", "create", "alice", "--name", "x", "--scopes",
                   "api", "--expires", expires],
            f"'{expires}' is no date, write YYYY-MM-DD, or 30d for as many "
            f"days from today, or never; usage: {usage('token create')}", 2)


def usage(command):
    """As --help has it, and each mistake in the command line."""
    line = subprocess.run([PROGRAM, *command.split(), "--help"], text=True,
                          capture_output=True, check=True).stdout
    return line.splitlines()[0].removeprefix("usage: ").removesuffix(
        " [--json] [--config FILE]")


@pytest.mark.parametrize("expires, ahead", [
    ("1d", 1), ("30d", 30), ("2w", 14), ("365d", 365)])
def test_days_from_today(desk, expires, ahead):
    before = day(ahead)
    assert create(desk, "alice", expires=expires)["expires_at"] in (
        before, day(ahead))  # it may be midnight just now


def test_a_tokens_scopes_in_their_order(desk):
    every = ["api", "read_user", "read_api", "read_repository",
             "write_repository", "read_registry", "write_registry", "sudo"]
    token = create(desk, "root", scopes=",".join(reversed(every)))
    assert token["scopes"] == every
    assert create(desk, "alice", scopes="api,api")["scopes"] == ["api"]


@pytest.mark.parametrize("owner", ["alice", "--group=s", "--project=s/p"])
def test_sudo_is_for_tokens_of_administrators(desk, owner):
    if owner == "--group=s":
        desk.cli("project", "add", "s/p")
    refuses(desk, f"token create {owner} --name x --scopes api,sudo",
            ("scope sudo is for tokens of administrators" if owner == "alice"
             else "project and group tokens cannot have scope sudo")
            + "; leave it out")


def test_names_of_tokens(desk):
    for name in ("ü☃ 'a' \"b\"", "x" * 255):
        args = ["token", "create", "alice", "--name", name, "--scopes", "api"]
        token = json.loads(desk.cli(*args, "--json", secret=True))
        secrets.remember(token["token"])
        assert token["name"] == name
    for name, message in (
            ("x" * 256, "is longer than 255 bytes; shorten it"),
            ("a\nb", "holds a control character, or is not UTF-8; write one "
             "line of text"),
            ("a\udcff", "holds a control character, or is not UTF-8; write "
             "one line of text")):
        refuses(desk, ["token", "create", "alice", "--name", name, "--scopes",
                       "api"], f"the token's name {message}")


def test_tokens_of_projects_and_groups_have_a_bot(own):
    own.cli("project", "add", "g/p")
    for kind, path in (("project", "g/p"), ("group", "g")):
        space = own.json(kind, "show", path)
        token = create(own, f"--{kind}", path)
        assert token["access_level"] == 40, "maintainer unless said"
        name, = [row["username"] for row in own.json("user", "list")
                 if row["id"] == token["user_id"]]
        assert re.fullmatch(rf"{kind}_{space['id']}_bot_[0-9a-f]+", name)
        bot = own.json("user", "show", name)
        assert (bot["bot"], bot["state"], bot["is_admin"]) == (
            True, "active", False)
        member, = own.json("member", "list", path)
        assert (member["id"], member["access_level"]) == (bot["id"], 40)
        refuses(own, f"token create --{kind} {path} --name x --scopes "
                "api,read_user", "project and group tokens cannot have scope "
                "read_user; leave it out")
        bots_have_no_more(own, name, path)
    for role, level in LEVELS.items():
        assert create(own, "--project", "g/p",
                      role=role)["access_level"] == level


def bots_have_no_more(own, name, path):
    """No token, password, further membership, or end of their own."""
    gone = f'user "{name}" is the bot of a project or group token; revoke ' \
        "the token instead"
    comes = f'user "{name}" is a bot: its role comes and goes with its token'
    refuses(own, f"token create {name} --name x --scopes api",
            f'user "{name}" is a bot, and bots own no further tokens')
    for flag in "two-factor", "admin", "external":
        refuses(own, f"user {flag} {name} on", gone)
    refuses(own, f"user remove {name} --yes", gone)
    refuses(own, f"member add {path} {name} owner", comes)
    refuses(own, f"member remove {path} {name}", comes)
    before = holdings(own)
    assert own.refused("user", "password", name, "--password-stdin",
                       stdin="a password") == (1, "dockpass: " + gone)
    assert holdings(own) == before


def test_revoked_twice_is_done(desk):
    token = create(desk, "alice")
    for _ in range(2):
        left = desk.json("token", "revoke", token["id"])
        assert (left["revoked"], left["active"]) == (True, False)
    refuses(desk, "token revoke 9999",
            "token 9999 does not exist; dockpass token list shows all")


def test_lists_of_tokens_by_owner(own):
    own.user("ann")
    own.cli("project", "add", "g/p")
    ids = {owner: create(own, *owner.split())["id"] for owner in (
        "ann", "ann --impersonation", "--project g/p", "--group g")}
    for owner, want in (("", list(ids.values())),
                        ("ANN", [ids["ann"], ids["ann --impersonation"]]),
                        ("--project G/P", [ids["--project g/p"]]),
                        ("--group g", [ids["--group g"]])):
        got = own.json("token", "list", *owner.split())
        assert [token["id"] for token in got] == want
        assert not any("token" in token for token in got)
