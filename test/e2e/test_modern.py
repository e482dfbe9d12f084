"""The newest clients, beside the matrix (test_conformance.py).

They POST to the token endpoint: so do most of the requests of today.
"""

import base64
import json
import re

import pytest

from conformance.case import Case
from support import modern, secrets
from support.registry import Registry
from support.site import Site

CLIENT_ID = {"moby": "containerd-client", "containerd-2": "containerd-client",
             "kubelet": "containerd-client", "buildkit": "buildkit-client"}


@pytest.fixture(scope="module")
def daemons(tmp_path_factory):
    daemons = modern.Daemons(tmp_path_factory.mktemp("m"))
    yield daemons
    daemons.stop()


@pytest.fixture
def make(tmp_path_factory, daemons, sites):
    """A client of a name, at registry 3.1."""
    return lambda name, site=None: Case(modern.CLIENTS[name](
        tmp_path_factory.mktemp("c") / "c", daemons),
        site or sites.get("3.1"))


@pytest.fixture(params=modern.CLIENTS)
def case(request, make):
    return make(request.param)


def there(case, project):
    return case.there(project)[0]


def named(case, name):
    """Logs alice in by a token that can be revoked by its name."""
    name = f"{case.name} {name}"
    case.did(case.who.login(case.site, "alice", case.world.token(
        "alice", scopes="api", name=name)))
    return lambda: case.world.cli("token", "revoke",
                                  case.world.token_id(name))


def test_asks_by_post(case):
    """Only their POST has a client_id, and it is all that they need."""
    repository = there(case, "g/priv")
    case.login("carol", "read_registry")
    case = case.later()
    case.did(case.who.pull(case.site, repository))
    case.logged("granted")
    assert {(line["client"], line["reason"]) for line in case.lines()} == \
        {(CLIENT_ID[case.who.name], "granted")}


def test_after_logout(case):
    repository = there(case, "g/priv")
    case.login("carol", "read_registry")
    case.did(case.who.pull(case.site, repository))
    case.who.logout(case.site)
    case.denied(case.who.pull(case.site, repository))


def test_says_why(case):
    """Not allowed, or no good: whoever reads it can tell one from the other."""
    who, repository = case.who, there(case, "g/priv")
    case.login("eve", "api")
    denied = who.pull(case.site, repository)
    named(case, "says why")()
    refused = who.pull(case.site, repository)
    for done, yes, no in ((denied, who.denied, who.refused),
                          (refused, who.refused, who.denied)):
        assert not done and re.search(yes, done.text), done
        assert not re.search(no, done.text), done


@pytest.mark.parametrize("user, scopes, project, reason", [
    ("carol", "read_registry", "g/priv", "granted"),
    ("eve", "read_registry", "g/priv", "nothing"),
    ("eve", "read_registry", "g/int", "granted"),
    (None, None, "g/pub", "granted"),
    (None, None, "g/priv", "nothing"),
])
@pytest.mark.parametrize("way", ["login", "login_by_auth"])
def test_kubelet(make, way, user, scopes, project, reason):
    case = make("kubelet")
    repository = there(case, project)
    if user:
        case.did(getattr(case.who, way)(
            case.site, *case.world.basic(user, scopes)))
    case = case.later()
    assert case.who.pull(case.site, repository).ok == (reason == "granted")
    case.logged(reason, user=user or "")


def test_kubelet_has_no_use_for_an_identity_token(make):
    """What `docker login` leaves in config.json where refresh tokens are on:
    a name and no secret. It is anonymous then, not refused."""
    case = make("kubelet")
    public, private = there(case, "g/pub"), there(case, "g/priv")
    case.did(case.who.login_by_auth(case.site, "carol", ""))
    case = case.later()
    case.did(case.who.pull(case.site, public))
    case.denied(case.who.pull(case.site, private))
    case.logged("granted", "nothing", user="")


def test_buildkit_keeps_a_jwt_while_it_lives(make):
    """The builder asks no more for what it has been given. What is revoked
    gets nothing else."""
    case = make("buildkit")
    had, other = there(case, "g/priv"), there(case, "g/int")
    pushed = case.place("g/priv")
    revoke = named(case, "builder")
    case.did(case.who.pull(case.site, had))
    revoke()
    case = case.later()
    case.did(case.who.pull(case.site, had))
    case.refused(case.who.pull(case.site, other))
    assert not case.who.push(case.site, case.thing(pushed), pushed)
    case.logged("token_revoked")


# alice may read base/img, carol may not; g/priv both.
@pytest.mark.parametrize("user, builds", [("alice", True), ("carol", False)])
def test_a_build_of_two_private_images(make, user, builds):
    case = make("buildkit")
    first, second = there(case, "g/priv"), there(case, "base/img")
    case.login(user, "read_registry")
    case = case.later()
    done = case.who.build(
        case.site, f"FROM {case.site.ref(first)}\n"
        f"COPY --from={case.site.ref(second)} hello /other\n",
        "--output", f"type=oci,dest={case.who.folder}/got.tar")
    assert done.ok == builds, done
    case.logged("granted", *([] if builds else ["nothing"]), user=user)
    if not builds:
        assert "insufficient_scope: authorization failed" in done.text


@pytest.mark.parametrize("scopes, copies", [
    ("write_registry", True), ("read_registry", False)])
def test_copy_by_imagetools(make, scopes, copies):
    """buildx asks the registry itself: one token for both repositories."""
    case = make("buildkit")
    who, site = case.who, case.site
    source, target = there(case, "g/priv"), case.place("team/app")
    case.denied(who.inspect(site, source))
    case.login("alice", scopes)
    case.did(who.inspect(site, source))
    case = case.later()
    assert who.copy(site, source, target).ok == copies
    assert who.inspect(site, target).ok == copies
    case.logged("granted", *([] if copies else ["partial"]))
    assert {line["client"] for line in case.lines()} == {"containerd-client"}
    both = [line["reason"] for line in case.lines() if " " in line["asked"]]
    assert both == ["granted" if copies else "partial"]


@pytest.mark.parametrize("name", ["moby", "buildkit"])
def test_identity_token(make, own_world, tmp_path, name):
    """Where refresh tokens are on, docker keeps one and forgets the secret."""
    with Registry(tmp_path / "registry", own_world.serve(), "3.1", "--service",
                  "registry") as registry:
        case = make(name, Site("registry", own_world, registry))
        who, site, here = case.who, case.site, case.place("g/priv")
        revoke = named(case, "id")
        kept = json.loads((who.folder / "docker/config.json").read_text())
        entry = kept["auths"][site.host]
        secrets.remember(entry["identitytoken"])
        assert base64.b64decode(entry["auth"]) == b"alice:"
        case = case.later()
        case.did(who.push(site, case.thing(here), here))
        case.did(who.pull(site, here))
        case.logged("granted", user="alice")
        assert {line["client"] for line in case.lines()} == {CLIENT_ID[name]}
        revoke()
        case, other = case.later(), case.place("g/int")
        done = who.push(site, case.thing(other), other)
        assert not done
        # The refusal of the GET that follows the POST is what it shows.
        assert "log in with a user name and a personal access" in done.text
        case.logged("unknown_refresh", "bad_credentials")
