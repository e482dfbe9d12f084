"""dockpass explain: each step to the decision, and the decision is the one
that the server makes of the same question, over HTTP, with the same reason.
"""

import itertools
import json
import re

import pytest

from support import secrets, tokens
from support.world import PROJECTS, USERS

# What test_protocol_grants.py asks of each project, all at once, and more.
ASKED = [f"repository:{path}/img:pull,push,delete" for path in PROJECTS] + [
    "registry:catalog:*", "repository:none/x:pull", "repository:g/pub:*",
    "repository(plugin):team/app/x/y:pull", "repository:g/priv/img:push,fly"]
SCOPES = ["api", "read_api", "read_registry", "write_registry",
          "read_registry,write_registry", "read_user,sudo", "read_user"]
# Who is asked for, and the scopes: sudo is for tokens of administrators.
QUESTIONS = [(None, None)] + [
    (who, scopes) for who, scopes in itertools.product(USERS, SCOPES)
    if who != "blk" and ("sudo" not in scopes or who == "root")]


def served(world, scope, auth):
    """[granted, reason] as the server has it: its JWT, and its log."""
    answer = world.ask(scope, auth=auth)
    granted = []
    if answer.status_code == 200:
        granted = tokens.verify(answer.json()["token"], world)["access"]
    return [granted, world.reason(answer)]


def explained(world, *args):
    told = world.json("explain", *args)
    assert set(told) == {"granted", "reason", "steps"}
    for entry in told["granted"]:
        assert set(entry) == {"type", "name", "actions"}
    return [told["granted"], told["reason"]]


@pytest.mark.parametrize("who, scopes", QUESTIONS)
def test_the_server_decides_the_same(world, who, scopes):
    access = ["--access", " ".join(ASKED)]
    if not who:
        assert explained(world, "--anonymous", *access) == \
            served(world, ASKED, None)
        return
    want = served(world, ASKED, world.basic(who, scopes))
    assert explained(world, who.upper(), "--scopes", scopes, *access) == want
    token = world.token_id(f"{who} {scopes}")
    assert explained(world, "--token-id", token, *access) == want


@pytest.mark.parametrize("scope", ASKED)
@pytest.mark.parametrize("who", [None, "carol", "bob", "root"])
def test_of_one_thing_too(world, who, scope):
    auth = world.basic(who, "api") if who else None
    args = [who, "--scopes", "api"] if who else ["--anonymous"]
    assert explained(world, *args, "--access", scope) == \
        served(world, scope, auth)


# The steps

API = "right: pull push delete catalog"
PRIV = ["project: g/priv", "visibility: private, registry enabled"]
SCOPES_LACK = "the token's scopes do not reach it"
STEPS = [
    ("alice --scopes api", "repository:g/priv/img:pull,push,delete",
     ["credential: as a token of alice", "owner alice: active", API, *PRIV,
      "role: developer, from g", "refused: delete, it needs role maintainer",
      "result: g/priv/img: pull push"],
     "repository:g/priv/img:pull,push", "partial"),
    ("ALICE --scopes read_registry", "repository:G/Priv:pull",
     ["credential: as a token of alice", "owner alice: active", "right: pull",
      *PRIV, "role: developer, from g", "result: g/priv: pull"],
     "repository:g/priv:pull", "granted"),
    ("alice --scopes write_registry", "repository:team/app/a/b:delete",
     ["credential: as a token of alice", "owner alice: active",
      "right: pull push", "project: team/app",
      "visibility: private, registry enabled",
      "role: maintainer, from team/app", f"refused: delete, {SCOPES_LACK}",
      "result: team/app/a/b: nothing"], None, "nothing"),
    ("alice --scopes read_api", "repository:g/priv:*",
     ["credential: as a token of alice", "owner alice: active",
      "right: pull catalog", *PRIV, "role: developer, from g",
      f"refused: push, {SCOPES_LACK}",
      "refused: delete, it needs role maintainer", "result: g/priv: pull"],
     "repository:g/priv:pull", "partial"),
    ("eve --scopes api", "repository:g/int/x:pull repository:none/x:pull",
     ["credential: as a token of eve", "owner eve: active", API,
      "project: g/int", "visibility: internal, registry enabled",
      "role: no role", "result: g/int/x: pull",
      "project: none for repository none/x",
      "refused: pull, it is in no project", "result: none/x: nothing"],
     "repository:g/int/x:pull", "partial"),
    ("ext --scopes api", "repository:g/int/x:pull",
     ["credential: as a token of ext", "owner ext: active, external", API,
      "project: g/int", "visibility: internal, registry enabled",
      "role: no role", "refused: pull, it needs role guest",
      "result: g/int/x: nothing"], None, "nothing"),
    ("gus --scopes api", "repository:g/memb/x:pull,push",
     ["credential: as a token of gus", "owner gus: active", API,
      "project: g/memb", "visibility: public, registry private",
      "role: guest, from g", "refused: pull, it needs role reporter",
      "refused: push, it needs role developer", "result: g/memb/x: nothing"],
     None, "nothing"),
    ("bob --scopes api", "repository:g/arch:pull,push repository:g/off:pull",
     ["credential: as a token of bob", "owner bob: active", API,
      "project: g/arch", "visibility: private, registry enabled, archived",
      "role: maintainer, from g", "refused: push, the project is archived",
      "result: g/arch: pull", "project: g/off",
      "visibility: private, registry disabled", "role: maintainer, from g",
      "refused: pull, the project's registry is disabled",
      "result: g/off: nothing"], "repository:g/arch:pull", "partial"),
    ("root --scopes api", "repository:g/arch:push,delete",
     ["credential: as a token of root", "owner root: active, administrator",
      API, "project: g/arch",
      "visibility: private, registry enabled, archived",
      "role: administrator", "refused: push, the project is archived",
      "refused: delete, the project is archived", "result: g/arch: nothing"],
     None, "nothing"),
    ("eve --scopes api", "repository:g/arch:pull",
     ["credential: as a token of eve", "owner eve: active", API,
      "project: g/arch", "visibility: private, registry enabled, archived",
      "role: no role", "refused: pull, it needs role reporter",
      "result: g/arch: nothing"], None, "nothing"),
    ("root --scopes read_api", "registry:catalog:*",
     ["credential: as a token of root", "owner root: active, administrator",
      "right: pull catalog", "catalog: administrator", "result: catalog: *"],
     "registry:catalog:*", "granted"),
    ("root --scopes read_registry", "registry:catalog:*",
     ["credential: as a token of root", "owner root: active, administrator",
      "right: pull", "catalog: administrator", f"refused: *, {SCOPES_LACK}",
      "result: catalog: nothing"], None, "nothing"),
    ("bob --scopes api", "registry:catalog:*",
     ["credential: as a token of bob", "owner bob: active", API,
      "catalog: not an administrator",
      "refused: *, it needs an administrator", "result: catalog: nothing"],
     None, "nothing"),
    ("bob --scopes read_user", "repository:g/priv:pull",
     ["credential: as a token of bob", "owner bob: active",
      "right: none of the scopes reaches a registry"], None,
     "no_registry_scope"),
    ("blk --scopes api", "repository:g/priv:pull",
     ["credential: as a token of blk", "owner blk: blocked"], None,
     "owner_blocked"),
    ("--anonymous", "repository:g/pub/x:pull,push",
     ["credential: none, anonymous", "project: g/pub",
      "visibility: public, registry enabled", "role: no role",
      "refused: push, it needs role developer", "result: g/pub/x: pull"],
     "repository:g/pub/x:pull", "partial"),
    ("--anonymous", "repository:g/int:pull",
     ["credential: none, anonymous", "project: g/int",
      "visibility: internal, registry enabled", "role: no role",
      "refused: pull, it needs a login", "result: g/int: nothing"], None,
     "nothing"),
    ("--anonymous", "repository:g/priv:pull",
     ["credential: none, anonymous", *PRIV, "role: no role",
      "refused: pull, it needs role reporter", "result: g/priv: nothing"],
     None, "nothing"),
]


def check_steps(dockpass, args, access, steps, granted, reason):
    """As JSON, and for eyes: a line each, what is granted, and why."""
    args = ["explain", *args, "--access", access]
    told = dockpass.json(*args)
    assert (told["steps"], told["reason"]) == (steps, reason)
    assert [f"{entry['type']}:{entry['name']}:{','.join(entry['actions'])}"
            for entry in told["granted"]] == ([granted] if granted else [])
    *lines, what, why = dockpass.cli(*args).splitlines()
    assert lines == steps
    assert what == f"granted: {granted or 'nothing'}"
    assert re.fullmatch(f"reason: {reason}, .+", why)


@pytest.mark.parametrize("args, access, steps, granted, reason", STEPS)
def test_steps(world, args, access, steps, granted, reason):
    check_steps(world, args.split(), access, steps, granted, reason)


ACCESS = "repository:g/p/img:pull"
FOUND = ["project: g/p", "visibility: private, registry enabled"]


def test_steps_of_a_token_through_its_life(own_world, faketime):
    """Alive, its owner blocked, expired, revoked, its owner gone."""
    world = own_world
    world.user("ann")
    world.cli("project", "add", "g/p")
    world.cli("member", "add", "g", "ann", "reporter")
    world.token("ann", scopes="read_registry", name="it")
    token = world.token_id("it")

    def check(*args):
        check_steps(world, ["--token-id", str(token)], ACCESS, *args)
    active = f'credential: token {token} "it" is active'
    check([active, "owner ann: active", "right: pull", *FOUND,
           "role: reporter, from g", "result: g/p/img: pull"], ACCESS, "granted")
    world.cli("user", "block", "ann")
    check([active, "owner ann: blocked"], None, "owner_blocked")
    world.cli("token", "revoke", token)
    when = json.loads(world.cli("explain", "--token-id", token, "--access",
                                ACCESS, "--json"))["steps"][0]
    revoked = f"credential: token {token} was revoked at "
    assert re.fullmatch(re.escape(revoked) + r"\d{4}-\d\d-\d\dT[\d:]{8}.000Z",
                        when)
    check([when], None, "token_revoked")
    world.cli("user", "remove", "ann", "--yes")
    check([when], None, "token_revoked")
    world.token("bob", scopes="api", name="old", expires="2026-01-02",
                day="2026-01-01")
    token = world.token_id("old")
    check([f"credential: token {token} died on 2026-01-02"], None,
          "token_expired")


def test_steps_of_a_projects_token(own_world):
    """Its bot is no member elsewhere, but sees what is internal."""
    world = own_world
    secrets.remember(world.token("--project", "g/priv", scopes="api",
                                 name="ci"))
    token = world.token_id("ci")
    bot = next(user["username"] for user in world.json("user", "list")
               if user["bot"])
    head = [f'credential: token {token} "ci" is active',
            f"owner {bot}: active, bot", API]
    lack = [f"refused: {action}, it needs role {role}" for action, role in
            (("pull", "reporter"), ("push", "developer"),
             ("delete", "maintainer"))]
    for path, rules, role, refused, may in (
            ("g/priv", "private, registry enabled",
             "maintainer, from g/priv", [], "pull push delete"),
            ("g/int", "internal, registry enabled", "no role", lack[1:],
             "pull"),
            ("team/app", "private, registry enabled", "no role", lack,
             "nothing")):
        told = world.json("explain", "--token-id", token, "--access",
                          f"repository:{path}:pull,push,delete")
        assert told["steps"] == head + [
            f"project: {path}", f"visibility: {rules}", f"role: {role}",
            *refused, f"result: {path}: {may}"]


@pytest.mark.parametrize("access, ignored", [
    ("repository:g/priv:pull repositry:g/priv:push,pull",
     ["repositry:g/priv:push,pull"]),
    ("repository:g/priv:pull,psh,,fly",
     ["repository:g/priv:psh", "repository:g/priv:fly"]),
    ("nonsense  repository:g/priv:pull a\033[31m repository:g/priv:",
     ["nonsense", "a?[31m", "repository:g/priv:"]),
    ("repository(plugin):g/priv:pull,Pull", ["repository(plugin):g/priv:Pull"]),
    ("repository:g/priv:pull", [])])
def test_what_cannot_be_read_is_said(world, access, ignored):
    """The server passes over it, and so a typing error looks granted."""
    steps = world.json("explain", "alice", "--scopes", "api", "--access",
                       access)["steps"]
    told = [f"ignored: {what}, it cannot be read" for what in ignored]
    assert steps[-1 - len(told):] == ["result: g/priv: pull", *told]


@pytest.mark.parametrize("option, scopes, want", [
    ("write_registry_implies_pull", "write_registry", "right: push"),
    (None, "write_registry", "right: pull push")])
def test_it_reads_the_configuration(own_world, option, scopes, want):
    if option:
        own_world.configure(pat={option: False})
    steps = own_world.json("explain", "alice", "--scopes", scopes, "--access",
                           ACCESS)["steps"]
    assert want in steps


@pytest.mark.parametrize("service, granted, reason", [
    ("registry", True, "granted"), ("closed", False, "no_credentials"),
    (None, True, "granted")])
def test_a_service_that_takes_no_anonymous_requests(world, service, granted,
                                                    reason):
    args = ["--service", service] if service else []
    got = explained(world, "--anonymous", *args, "--access",
                    "repository:g/pub:pull")
    assert (bool(got[0]), got[1]) == (granted, reason)
    if service:
        answer = world.ask("repository:g/pub:pull",
                           fields={"service": service})
        assert world.reason(answer) == reason
    status, message = world.refused("explain", "--anonymous", "--service", "x",
                                    "--access", "repository:g/pub:pull")
    assert status == 1 and f"no service 'x' in {world.config_file}" in message
