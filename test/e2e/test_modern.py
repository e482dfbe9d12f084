"""The newest clients: what test_clients.py asks of Debian's, and more.

They POST to the token endpoint: so do most of the requests of today.
"""

import base64
import json
import re

import pytest

from support import modern, secrets
from support.registry import Registry
from support.site import Site
# pylint: disable=unused-import
from test_clients import (Log, login, place, publish,  # noqa: F401
                          test_after_logout, test_allowed,
                          test_denied_by_role, test_denied_by_scope,
                          test_mount_from_another_repository,
                          test_refused_at_login, test_revoked_while_logged_in,
                          test_without_a_login, there)

CLIENT_ID = {"moby": "containerd-client", "containerd-2": "containerd-client",
             "kubelet": "containerd-client", "buildkit": "buildkit-client"}
PULLS = ["test_asks_by_post", "test_says_why", "test_after_logout",
         "test_refused_at_login"]


def can(name, test):
    """A kubelet does not push; BuildKit keeps a JWT, as a test below says."""
    return test in PULLS if name == "kubelet" else \
        (name, test) != ("buildkit", "test_revoked_while_logged_in")


def pytest_generate_tests(metafunc):
    test = metafunc.function.__name__
    if "who" in metafunc.fixturenames:
        metafunc.parametrize("who", [name for name in modern.CLIENTS
                                     if can(name, test)], indirect=True)


@pytest.fixture(scope="module")
def daemons(tmp_path_factory):
    daemons = modern.Daemons(tmp_path_factory.mktemp("m"))
    yield daemons
    daemons.stop()


@pytest.fixture
def make(tmp_path_factory, daemons):
    return lambda name: modern.client(
        name, tmp_path_factory.mktemp("c") / "c", daemons)


@pytest.fixture
def who(request, make):
    return make(request.param)


@pytest.fixture
def site(sites):
    return sites.get("3.1")


def test_asks_by_post(who, site, there):
    """Only their POST has a client_id, and it is all that they need."""
    repository = there("g/priv")
    login(who, site, "carol", "read_registry")
    log = Log(site)
    assert who.pull(site, repository)
    assert log.has("granted")
    assert {(line["client"], line["reason"]) for line in log.lines} == \
        {(CLIENT_ID[who.name], "granted")}


def test_says_why(who, site, there):
    """Not allowed, or no good: whoever reads it can tell one from the other."""
    world, repository = site.world, there("g/priv")
    login(who, site, "eve", "api")
    denied = who.pull(site, repository)
    name = f"{who.name} says why"
    assert who.login(site, "alice", world.token("alice", scopes="api",
                                                name=name))
    world.cli("token", "revoke", world.token_id(name))
    refused = who.pull(site, repository)
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
def test_kubelet(make, site, there, way, user, scopes, project, reason):
    kubelet, repository = make("kubelet"), there(project)
    if user:
        assert getattr(kubelet, way)(site, *site.world.basic(user, scopes))
    log = Log(site)
    assert kubelet.pull(site, repository).ok == (reason == "granted")
    assert log.has(reason)
    assert {line["user"] for line in log.lines} == {user or ""}


def test_kubelet_has_no_use_for_an_identity_token(make, site, there):
    """What `docker login` leaves in config.json where refresh tokens are on:
    a name and no secret. It is anonymous then, not refused."""
    kubelet = make("kubelet")
    assert kubelet.login_by_auth(site, "carol", "")
    log = Log(site)
    assert kubelet.pull(site, there("g/pub"))
    assert not kubelet.pull(site, there("g/priv"))
    assert log.has("granted", "nothing")


def test_kubelet_pulls_no_more_when_revoked(make, site, there):
    """As with imagePullPolicy Always: each time anew."""
    kubelet, world, repository = make("kubelet"), site.world, there("g/priv")
    assert kubelet.login(site, "ci", world.token("alice", scopes="api",
                                                 name="pull secret"))
    assert kubelet.pull(site, repository)
    world.cli("token", "revoke", world.token_id("pull secret"))
    log = Log(site)
    assert not kubelet.pull(site, repository)
    assert log.has("token_revoked") and len(log.reasons) == 1


def test_buildkit_keeps_a_jwt_while_it_lives(make, site, image, there, place):
    """The builder asks no more for what it has been given. What is revoked
    gets nothing else."""
    buildkit, world = make("buildkit"), site.world
    had, other = there("g/priv"), there("g/int")
    assert buildkit.login(site, "alice", world.token("alice", scopes="api",
                                                     name="builder"))
    assert buildkit.pull(site, had)
    world.cli("token", "revoke", world.token_id("builder"))
    log = Log(site)
    done = buildkit.pull(site, other)
    assert not done
    assert "the token is wrong, expired or revoked" in done.text
    assert not buildkit.push(site, image, place("g/priv"))
    assert log.has("token_revoked") and len(log.reasons) == 1


# alice may read base/img, carol may not; g/priv both.
@pytest.mark.parametrize("user, builds", [("alice", True), ("carol", False)])
def test_a_build_of_two_private_images(make, site, there, user, builds):
    buildkit = make("buildkit")
    first, second = there("g/priv"), there("base/img")
    login(buildkit, site, user, "read_registry")
    log = Log(site)
    done = buildkit.build(
        site, f"FROM {site.ref(first)}\n"
        f"COPY --from={site.ref(second)} hello /other\n",
        "--output", f"type=oci,dest={buildkit.folder}/got.tar")
    assert done.ok == builds, done
    assert log.has("granted", *([] if builds else ["nothing"]))
    if not builds:
        assert "insufficient_scope: authorization failed" in done.text


@pytest.mark.parametrize("scopes, copies", [
    ("write_registry", True), ("read_registry", False)])
def test_copy_by_imagetools(make, site, there, place, scopes, copies):
    """buildx asks the registry itself: one token for both repositories."""
    buildkit = make("buildkit")
    source, target = there("g/priv"), place("team/app")
    assert not buildkit.inspect(site, source)
    login(buildkit, site, "alice", scopes)
    assert buildkit.inspect(site, source)
    log = Log(site)
    assert buildkit.copy(site, source, target).ok == copies
    assert buildkit.inspect(site, target).ok == copies
    assert log.has("granted", *([] if copies else ["partial"]))
    assert {line["client"] for line in log.lines} == {"containerd-client"}
    both = [line["reason"] for line in log.lines if " " in line["asked"]]
    assert both == ["granted" if copies else "partial"]


@pytest.mark.parametrize("name", ["moby", "buildkit"])
def test_identity_token(make, own_world, tmp_path, image, name):
    """Where refresh tokens are on, docker keeps one and forgets the secret."""
    who, secret = make(name), own_world.token("alice", scopes="api", name="id")
    with Registry(tmp_path / "registry", own_world.serve(), "3.1", "--service",
                  "registry") as registry:
        site = Site("registry", own_world, registry)
        assert who.login(site, "alice", secret)
        kept = json.loads((who.folder / "docker/config.json").read_text())
        entry = kept["auths"][site.host]
        secrets.remember(entry["identitytoken"])
        assert base64.b64decode(entry["auth"]) == b"alice:"
        log = Log(site)
        assert who.push(site, image, "g/priv/img:1")
        assert who.pull(site, "g/priv/img:1")
        assert log.has("granted")
        assert {(line["user"], line["client"]) for line in log.lines} == \
            {("alice", CLIENT_ID[name])}
        own_world.cli("token", "revoke", own_world.token_id("id"))
        log = Log(site)
        done = who.push(site, image, "g/int/img:1")
        assert not done
        # The refusal of the GET that follows the POST is what it shows.
        assert "log in with a user name and a personal access" in done.text
        assert log.has("unknown_refresh", "bad_credentials")
        assert len(log.reasons) == 2
