"""The command line's contract: what every command prints, with which keys and
which status. Others script against it (test/unit/server/test_cli.c has the
single mistakes; test_cli_rules.py what commands refuse on their merits).
"""

import json
import os
import re
import shlex
import subprocess

import pytest

from support import secrets
from support.dockpass import ENV, PATIENCE, PROGRAM, Dockpass
from support.holdings import holdings


def run(*args, env=ENV, **kwargs):
    return subprocess.run([PROGRAM, *args], text=True, capture_output=True,
                          timeout=60 * PATIENCE, check=False, env=env,
                          stdin=subprocess.DEVNULL, **kwargs)


HELP = run("--help").stdout
COMMANDS = re.findall(r"^  ([a-z][a-z -]*[a-z])  ", HELP, re.M)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A store with one of each thing, whose server is not started."""
    with Dockpass(tmp_path_factory.mktemp("desk")) as desk:
        desk.user("alice", "--admin")
        desk.user("bob")
        desk.cli("project", "add", "g/sub/app")
        desk.cli("member", "add", "g", "alice", "developer")
        for owner in (["alice"], ["--project", "g/sub/app"], ["--group", "g"],
                      ["alice", "--impersonation"]):
            desk.token(*owner, scopes="api")
        yield desk


# Help

BARE = {"PATH": os.environ["PATH"]}  # no HOME, no configuration anywhere


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(command):
    words = command.split()
    done = run(*words, "--help", env=BARE)
    assert (done.returncode, done.stderr) == (0, "")
    usage, empty, what, *rest = done.stdout.splitlines()
    assert usage.startswith(f"usage: dockpass {command}") and not empty
    assert f"{command:18} {what}" in HELP
    options = set(re.findall(r"^  (--[a-z-]+)", "\n".join(rest), re.M))
    assert "--help" in options
    assert ("--config" in options) == (command != "init")
    assert set(re.findall(r"--[a-z-]+", usage)) == options - {"--help"}
    for form in (["help", *words], [*words, "-h"], ["--help", *words],
                 [*words, "--help", "--config", "/nowhere", "too", "many"]):
        assert run(*form, env=BARE).stdout == done.stdout


# What an option means here and not there, and what happens without it.
MEANINGS = {
    "init": ["aud (default: registry)", "iss (default: dockpass)",
             "listens (default: 127.0.0.1:5001)", "(default: its listener)"],
    "serve": ["people (default: json)", "dockpass reload, or SIGHUP,",
              "SIGTERM finishes what is under way",
              "or DOCKPASS_CONFIG, else /etc/dockpass/dockpass.yaml"],
    "project add": ["or public (default: private)",
                    "or disabled (default: enabled)"],
    "project set": ["or disabled\n", "or public\n"],
    "token create": ["(default: maintainer)"],
    "key new": ["or EdDSA (default: ES256)", "follows at dockpass reload"],
    "key activate": ["its first 4 characters", "follows at dockpass reload"],
    "key remove": ["its first 4 characters", "follows at dockpass reload"],
    "key export": ["  pem or jwks\n"],
    "registry-config": ["2 or 3 (default: what both take)",
                        "yaml or env (default: yaml)"],
    "explain": ["as a token of USER with these scopes",
                "the registry that is asked for", "is refused (not_said)"],
    "backup": ["in the place of a FILE that is there", "are not in it"],
    "restore": ["in the place of a store that is there",
                "A running server follows at once", "Where it was lost"],
    "user remove": ["with live tokens, which are revoked"],
    "token list": ["--unused DURATION "],
}


@pytest.mark.parametrize("command", MEANINGS)
def test_help_speaks_of_its_command(command):
    told = run(*command.split(), "--help", env=BARE).stdout
    for words in MEANINGS[command]:
        assert words in told, words
    assert not re.search(r"\bof (registry-config|key export|a project):", told)


@pytest.mark.parametrize("group", sorted({
    command.split()[0] for command in COMMANDS if " " in command}))
def test_help_of_each_group(group):
    listed = re.findall(rf"^  ({group} [a-z-]+) ",
                        run(group, "--help", env=BARE).stdout, re.M)
    assert listed == [c for c in COMMANDS if c.startswith(group + " ")]


def test_where_to_begin():
    """What help names for a bad night are commands that there are."""
    begin = re.findall(r"^- (.+): dockpass (.+)$", HELP, re.M)
    assert len(begin) == 7
    for _, words in begin:
        assert any(f"{words} ".replace(",", " ").startswith(command + " ")
                   for command in COMMANDS), words
    told = run("key", "new", "--help", env=BARE).stdout
    steps = ["key new; reload", "public/bundle.pem", "key activate KID; reload",
             "key remove", "At once, as it has leaked"]
    places = [told.index(step) for step in steps]
    assert places == sorted(places)


def test_a_service_that_is_none_says_which_there_are(tmp_path):
    with Dockpass(tmp_path, services=[{"name": "one"}, {"name": "two"}]) as own:
        own.user("alice")
        for words in ("registry-config --service nix",
                      "token create alice --name x --scopes api --service nix",
                      "explain alice --scopes api --access "
                      "repository:a:pull --service nix"):
            status, said = own.refused(*words.split())
            assert status == 1 and said.endswith(
                f"no service 'nix' in {own.config_file}; it has one, two"), said
        assert own.refused("registry-config")[1].endswith(
            f"in {own.config_file}; say --service, one of one, two")


def test_who_cannot_be_mailed(tmp_path):
    """He may be added, and that is said."""
    own = Dockpass(tmp_path)
    done = own.run("user", "add", "bob", "--email", "nix", "--config",
                   own.config_file)
    assert done.stderr == (
        "dockpass: warning: no mail can be sent to 'nix'; if he is to be told "
        "of his tokens' ends: dockpass user set bob --email E\n")
    assert own.user("eve") == "eve"
    assert own.run("user", "add", "ann", "--email", "ann@example.com",
                   "--config", own.config_file).stderr == ""


def test_version():
    done = run("--version", env=BARE)
    assert re.fullmatch(r"dockpass \d+\.\d+\.\d+ \(store format \d+\)\n", done.stdout)
    assert done.returncode == 0


# What is refused, and that nothing comes of it

def check_refusal(desk, args, status, message, usage=""):
    before = holdings(desk)
    assert desk.refused(*args) == (
        status, f"dockpass: {message}" + (usage and f"; usage: {usage}"))
    assert holdings(desk) == before


# All that a command takes, so that nothing else is wrong with it.
WORDS = {
    "init": "/nowhere/x", "user add": "x --email e", "user show": "alice",
    "user set": "bob --email b@x",
    "user block": "bob", "user unblock": "bob", "user remove": "bob",
    "user password": "bob --password-stdin", "user two-factor": "bob on",
    "user admin": "bob on", "user external": "bob on",
    "group add": "x", "group show": "g", "group remove": "g --recursive --yes",
    "project add": "x", "project set": "g/sub/app --archived true",
    "project show": "g/sub/app", "project remove": "g/sub/app --yes",
    "member add": "g bob guest", "member list": "g",
    "member remove": "g alice", "token create": "bob --name x --scopes api",
    "token list": "bob", "token show": "1", "token revoke": "1",
    "token rotate": "1", "job run": "expiring",
    "key activate": "x", "key remove": "x", "key export": "--format pem",
    "settings get": "token_prefix", "settings set": "token_prefix glpat-",
    "explain": "alice --scopes api --access repository:a:pull",
    "backup": "/nonexistent/file", "restore": "/nonexistent/file",
    "audit export": "/nonexistent/file", "audit prune": "--before 2020-01-01",
    "doctor": "https://localhost:1",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_refuses_what_it_does_not_know(desk, command):
    words = command.split() + WORDS.get(command, "").split()
    usage = run(*command.split(), "--help").stdout.splitlines()[0]
    usage = usage.removeprefix("usage: ").removesuffix(
        " [--config FILE]").removesuffix(" [--json]")
    for more, message in {
            "--colour": "no option --colour", "-x": "no option -x",
            "surplus": f"{command}: one argument too many: 'surplus'",
            "": f"{command}: one argument too many: ''"}.items():
        check_refusal(desk, [*words, more], 2, message, usage)
    if re.match(f"dockpass {command} [A-Z]", usage):
        check_refusal(desk, command.split(), 2, f"{command}: too few arguments",
                      usage)


# Options anywhere

def forms(args, *options):
    """The options before, among and behind the words, in either spelling."""
    for turn in range(len(options)):
        order = options[turn:] + options[:turn]
        for flat in ([word for pair in order for word in pair],
                     ["=".join(pair) for pair in order]):
            for at in range(len(args) + 1):
                yield args[:at] + flat + args[at:]
            yield [*flat, "--", *args]


def test_options_stand_anywhere(desk):
    env = ENV | {"DOCKPASS_CONFIG": "/nowhere"}
    want = desk.json("explain", "alice", "--scopes", "api", "--access",
                     "repository:g/sub/app:pull")
    assert want["reason"] == "granted"
    for args in forms(["explain", "alice"], ("--json",), ("--scopes", "api"),
                      ("--access", "repository:g/sub/app:pull"),
                      ("--config", str(desk.config_file))):
        done = run(*args, env=env)
        assert (done.returncode, done.stderr) == (0, ""), args
        assert json.loads(done.stdout) == want


# JSON: the keys that GitLab's REST API has, and their types

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
DATE = re.compile(r"\d{4}-\d\d-\d\d")
KID = re.compile(r"([A-Z2-7]{4}:){11}[A-Z2-7]{4}")
HASH = re.compile(r"[A-Za-z0-9_-]{43}")
SECRET = re.compile(r"glpat-[A-Za-z0-9_-]{20}")

USER = {"id": int, "username": str, "name": str, "state": str, "email": str,
        "is_admin": bool, "external": bool, "two_factor_enabled": bool,
        "bot": bool, "created_at": TIME}
GROUP = {"id": int, "name": str, "path": str, "full_path": str,
         "created_at": TIME}
PROJECT = {"id": int, "name": str, "path": str, "path_with_namespace": str,
           "visibility": str, "container_registry_access_level": str,
           "archived": bool, "created_at": TIME}
MEMBER = {"id": int, "username": str, "name": str, "state": str,
          "access_level": int}
TOKEN = {"id": int, "name": str, "scopes": [str], "user_id": int,
         "username": str, "created_at": TIME, "expires_at": None, "last_used_at": None,
         "revoked": bool, "active": bool}
OF_PROJECT = TOKEN | {"access_level": int, "project": str}
OF_GROUP = TOKEN | {"access_level": int, "group": str}
HIDDEN = TOKEN | {"impersonation": bool}
NEW = {"token": SECRET}
KEY = {"kid": KID, "alg": str, "state": str, "rfc7638": HASH,
       "not_after": TIME}
STANZA = {"realm": str, "service": str, "issuer": str, "rootcertbundle": str}
JWK = {"kty": str, "crv": str, "x": HASH, "y": HASH, "kid": str, "use": str,
       "alg": str}

CREATE = "token create {} --name x --scopes api,read_registry --json"
SHAPES = {
    "user add ann --email a@x --json": USER,
    "user list --json": [USER],
    "user show alice --json": USER | {
        "active_tokens": int, "memberships": [{"path": str, "role": str}]},
    "user block ann --json": USER,
    "user unblock ann --json": USER,
    "user two-factor ann on --json": USER,
    "user admin ann on --json": USER,
    "user external ann on --json": USER,
    "group add new --json": GROUP,
    "group list --json": [GROUP],
    "group show g/sub --json": GROUP,
    "project add new/app --json": PROJECT,
    "project list --json": [PROJECT],
    "project show new/app --json": PROJECT,
    "project set new/app --visibility public --json": PROJECT,
    "member list g --json": [MEMBER],
    "member list new --json": [],
    CREATE.format("alice"): TOKEN | NEW,
    CREATE.format("alice --expires 2999-12-31"):
        TOKEN | NEW | {"expires_at": DATE},
    CREATE.format("alice --impersonation"): HIDDEN | NEW,
    CREATE.format("--project new/app"): OF_PROJECT | NEW,
    CREATE.format("--group new"): OF_GROUP | NEW,
    "token list --project g/sub/app --json": [OF_PROJECT],
    "token list --group g/sub --json": [],
    "token show 1 --json": TOKEN,
    "token show 2 --json": OF_PROJECT,
    "token show 4 --json": HIDDEN,
    "token revoke 1 --json": TOKEN,
    "token rotate 2 --json": OF_PROJECT | NEW | {"previous_id": int},
    "token rotate 3 --grace 24h --json": OF_GROUP | NEW | {"previous_id": int},
    "token show 3 --json": OF_GROUP | {"next_id": int, "grace_ends": TIME},
    CREATE.format("alice --repository g/* --idle 30d"): TOKEN | NEW | {
        "limits": {"repositories": [str], "networks": [], "services": [],
                   "idle": str}},
    "token list alice --revoked --json": [TOKEN],
    "token list --expired --json": [],
    "settings list --json": {
        "default_token_days": None, "enforce_token_expiry": bool,
        "expiry_notice_days": [int], "max_token_lifetime": None,
        "require_token_expiry": bool, "token_prefix": str},
    "settings get max_token_lifetime --json": None,
    "settings get expiry_notice_days --json": [int],
    "settings get token_prefix --json": str,
    "key list --json": [KEY],
    "key new --json": KEY,
    "key export --format jwks": {"keys": [JWK]},
    "key export --format jwks --json": {"keys": [JWK]},
    "key export --format pem --json": {"pem": str},
    "registry-config --json": STANZA,
    "registry-config --json --registry 3": STANZA | {"jwks": str},
    "check --json": {"ok": bool, "config": str, "options": dict},
    "explain alice --scopes api --access repository:a:pull --json":
        {"granted": [], "reason": str, "steps": [str]},
    "explain alice --scopes api --access 'registry:catalog:*' --json":
        {"granted": [{"type": str, "name": str, "actions": [str]}],
         "reason": str, "steps": [str]},
}


def check_shape(value, shape):
    """Exactly these keys; a list's entries are all of its one shape."""
    if isinstance(shape, list):
        assert isinstance(value, list) and bool(value) == bool(shape)
        for entry in value:
            check_shape(entry, *shape)
    elif isinstance(shape, dict):
        assert set(value) == set(shape)
        for key, inner in shape.items():
            check_shape(value[key], inner)
    elif isinstance(shape, re.Pattern):
        assert shape.fullmatch(value), value
    elif shape is None:
        assert value is None
    else:
        assert type(value) is shape, value


@pytest.mark.parametrize("command", SHAPES)
def test_json(desk, command):
    """One value and a line feed; nothing beside it on standard error."""
    done = desk.run(*shlex.split(command), "--config", desk.config_file,
                    secret=True)
    value = json.loads(done.stdout)
    if "token create" in command or "rotate" in command:
        secrets.remember(value["token"])
    check_shape(value, SHAPES[command])
    assert done.stdout.endswith("\n") and done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_json_is_on_every_command_that_prints():
    """Those without it print nothing, but for help and what is for eyes."""
    without = {command for command in COMMANDS
               if "--json" not in run(*command.split(), "--help").stdout}
    assert without == {"serve", "user remove", "group remove",
                       "project remove", "member add", "member remove",
                       "key remove", "settings set", "reload"}


SILENT = ["member add g bob guest", "member add g bob owner",
          "member remove g bob", "user add zoe --email z@x", "user block zoe",
          "user set zoe --email z@y",
          "user unblock zoe", "user two-factor zoe on", "user admin zoe on",
          "user external zoe on", "user remove zoe",
          "group add s", "project add s/p", "project set s/p --archived true",
          "project remove s/p", "group remove s", "token revoke 4",
          "settings set default_token_days 30",
          "settings set default_token_days none"]


def test_what_changes_something_says_nothing(desk):
    for command in SILENT:
        done = desk.run(*command.split(), "--config", desk.config_file)
        assert (done.stdout, done.stderr) == ("", ""), command


# For eyes: a head, then a line for each

HEADS = {
    "user list": "ID NAME STATE FLAGS CREATED EMAIL",
    "user show alice": "ID NAME STATE FLAGS CREATED EMAIL",
    "group list": "ID PATH CREATED", "group show g": "ID PATH CREATED",
    "project list": "ID PATH CREATED VISIBILITY REGISTRY ARCHIVED",
    "project show g/sub/app": "ID PATH CREATED VISIBILITY REGISTRY ARCHIVED",
    "member list g": "ID NAME ROLE",
    "token list": "ID OWNER NAME SCOPES CREATED EXPIRES STATE KIND USED",
    "token show 1": "ID OWNER NAME SCOPES CREATED EXPIRES STATE KIND USED",
    "job list": "JOB RAN NEXT FOUND QUEUED WAITING LOST FAILURE",
    "key list": "KID ALG STATE RFC7638 EXPIRES",
    "settings list": "NAME VALUE SET MEANING",
}


@pytest.mark.parametrize("command", HEADS)
def test_text(desk, command):
    head, *lines = desk.cli(*command.split()).splitlines()
    assert head.split() == HEADS[command].split()
    assert command != "user show alice" or "" in lines
    if "" in lines:
        del lines[lines.index(""):]  # more of the one that is shown
    columns = [head.index(word) for word in head.split()]
    values = desk.json(*command.split())
    many = isinstance(values, list) or command == "settings list"
    assert len(lines) == (len(values) if many else 1)
    for line in lines:
        assert all(line[at - 1] == " " for at in columns[1:])
        assert all(line[at] != " " for at in columns)


def test_what_a_user_has(desk):
    """What is to be thought of when somebody leaves."""
    desk.user("leaver")
    assert desk.cli("user", "show", "leaver").split("\n", 2)[2] == \
        "\nactive tokens: 0\n"
    for path, role in (("g/sub/app", "owner"), ("g", "guest")):
        desk.cli("member", "add", path, "leaver", role)
    for name in ("dead", "alive", "alive too"):
        desk.token("leaver", scopes="api", name=name)
    desk.cli("token", "revoke", desk.token_id("dead"))
    assert desk.cli("user", "show", "leaver").split("\n", 2)[2] == (
        "\nactive tokens: 2\n\nMEMBER OF  ROLE\n"
        "g          guest\ng/sub/app  owner\n")
    told = desk.json("user", "show", "leaver")
    assert told["active_tokens"] == 2 and told["memberships"] == [
        {"path": "g", "role": "guest"}, {"path": "g/sub/app", "role": "owner"}]


@pytest.mark.parametrize("kind, path", [("project", "left/app"),
                                        ("group", "left")])
def test_whose_a_bots_token_is(desk, kind, path):
    """Its place, not its bot; and nobody's when that is gone."""
    desk.cli("project", "add", "left/app")
    desk.token(f"--{kind}", path, scopes="api", name=f"of a {kind}")
    token = desk.token_id(f"of a {kind}")

    def owner():
        row = desk.cli("token", "show", token).splitlines()[1]
        return row.split("of a")[0].split(maxsplit=1)[1].rstrip()
    assert owner() == f"{path} ({kind})"
    assert desk.json("token", "show", token)[kind] == path
    desk.cli("group", "remove", "left", "--recursive", "--yes")
    assert owner() == "-"
    assert desk.json("token", "show", token)[kind] is None


def test_lists_are_aligned_by_characters(desk):
    for name in ("ü☃", "plain"):
        desk.token("bob", scopes="api", name=name)
    lines = desk.cli("token", "list", "bob").splitlines()
    assert len({line.index("active") for line in lines[1:]}) == 1
