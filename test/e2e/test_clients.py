"""What people do all day, with the clients that they have, at each registry.

The daemons are the test's own. Each test asks, too, what dockpass has written
to its log: that is where an operator looks.
"""

import json
import re
import subprocess
import time

import pytest

from support.clients import NAMES, Docker, client
from support.process import wait_until

# Everything at an old and a new registry, one with x5c, one with the key id
# alone; the main way everywhere.
ALL = ["2.8", "3.1-jwks"]
MORE = ["2.8-kid", "3.1", "2.8-tls", "3.1-tls"]


@pytest.fixture(params=NAMES)
def who(request, tmp_path_factory, daemons):
    return client(request.param, tmp_path_factory.mktemp("c") / "c", daemons)


@pytest.fixture(params=ALL)
def site(request, sites):
    return sites.get(request.param)


@pytest.fixture
def place(request):
    """Nobody else's repository, below the project that a test names."""
    name = f"{request.node.name}-{time.monotonic_ns()}".lower()
    name = "".join(c if c.isalnum() else "-" for c in name)
    name = "-".join(part for part in name.split("-") if part)
    return lambda project: f"{project}/{name}:1"


class Log:
    """The token requests since it was made."""

    def __init__(self, site):
        self.site = site
        self.seen = len(site.world.log("token"))

    @property
    def lines(self):
        return [line for line in self.site.world.log("token")[self.seen:]
                if line["service"] == self.site.name]

    @property
    def reasons(self):
        return {line["reason"] for line in self.lines}

    def has(self, *reasons):
        """Lines come a little after the answer that they tell of."""
        wait_until(lambda: set(reasons) <= self.reasons, 10,
                   lambda: f"{reasons} in {self.lines}")
        return True


def login(who, site, user, scopes):
    assert who.login(site, *site.world.basic(user, scopes))


def publish(site, sites, tmp_path_factory, image, repository):
    """An image that is there before the test, whoever may not put it there."""
    skopeo = client("skopeo", tmp_path_factory.mktemp("p") / "c", None)
    assert skopeo.login(site, *site.world.basic("root", "api"))
    assert skopeo.push(site, image, repository)
    return repository


@pytest.fixture
def there(site, sites, tmp_path_factory, image, place):
    return lambda project: publish(site, sites, tmp_path_factory, image,
                                   place(project))


@pytest.mark.parametrize("name", ALL + MORE)
def test_allowed(who, sites, image, place, name):
    site = sites.get(name)
    log, repository = Log(site), place("g/priv")
    login(who, site, "alice", "write_registry")
    assert who.push(site, image, repository)
    assert who.pull(site, repository)
    assert log.has("granted")
    assert {line["user"] for line in log.lines} == {"alice"}
    assert not {"failure", "partial", "nothing"} & log.reasons


def test_denied_by_scope(who, site, image, place, there):
    log = Log(site)
    login(who, site, "alice", "read_registry")
    assert not who.push(site, image, place("g/priv"))
    assert log.has("partial")
    assert who.pull(site, there("g/priv"))


def test_denied_by_role(who, site, image, place, there):
    login(who, site, "carol", "api")
    log = Log(site)
    assert not who.push(site, image, place("g/priv"))
    assert log.has("partial")
    login(who, site, "eve", "api")
    log = Log(site)
    assert not who.pull(site, there("g/priv"))
    assert log.has("nothing")


@pytest.mark.parametrize("how", ["wrong", "expired"])
def test_refused_at_login(who, site, there, faketime, how):
    secret = {"wrong": "glpat-" + "x" * 20,
              "expired": site.world.token("alice", scopes="api", name=how,
                                          expires="2020-03-10",
                                          day="2020-03-01")}[how]
    log = Log(site)
    done = who.login(site, "alice", secret)
    if not who.has_login:
        done = who.pull(site, there("g/priv"))
    assert not done
    assert log.has({"wrong": "unknown_token",
                    "expired": "token_expired"}[how])
    if isinstance(who, Docker):
        assert "the token is wrong, expired or revoked" in done.text


def test_revoked_while_logged_in(who, site, image, there, place):
    world = site.world
    name = f"{who.name} {site.name}"
    repository = there("g/priv")
    assert who.login(site, "alice", world.token("alice", scopes="api",
                                                name=name))
    assert who.pull(site, repository)
    world.cli("token", "revoke", world.token_id(name))
    log = Log(site)
    assert not who.pull(site, repository)
    assert not who.push(site, image, place("g/priv"))
    assert log.has("token_revoked") and len(log.reasons) == 1


def test_without_a_login(who, site, image, there, place):
    log = Log(site)
    assert who.pull(site, there("g/pub"))
    assert not who.pull(site, there("g/priv"))
    assert not who.push(site, image, place("g/pub"))
    assert log.has("granted", "nothing")
    assert {line["user"] for line in log.lines} == {"", "root"}


def test_after_logout(who, site, there):
    private = there("g/priv")
    login(who, site, "alice", "read_registry")
    assert who.pull(site, private)
    who.logout(site)
    assert not who.pull(site, private)


def test_mount_from_another_repository(who, site, image, place, sites,
                                       tmp_path_factory):
    publish(site, sites, tmp_path_factory, image, site.source)
    login(who, site, "alice", "write_registry")
    assert who.pull(site, site.source)
    log = Log(site)
    target = place("team/app")
    assert who.mount(site, image, target)
    assert who.pull(site, target)
    name = target.split(":")[0]

    def both():
        return [line["reason"] for line in log.lines
                if "base/img" in line["asked"] and name in line["asked"]]
    wait_until(both, 10, "no request for both repositories")
    assert set(both()) == {"granted"}
    mounts = re.findall(rf'"POST /v2/{name}/blobs/uploads/'
                        r'\?([^ ]*) HTTP/1.1" 201 ', site.registry.output)
    assert any("mount=" in query and "from=base" in query for query in mounts)


# skopeo can do more than the others.

@pytest.fixture
def skopeo(tmp_path):
    return client("skopeo", tmp_path / "c", None)


def test_inspect_and_tags(skopeo, site, there):
    repository = there("g/priv")
    assert not skopeo.inspect(site, repository)
    login(skopeo, site, "carol", "read_registry")
    assert json.loads(skopeo.inspect(site, repository).text)["Digest"]
    assert skopeo.tags(site, repository) == ["1"]


@pytest.mark.parametrize("user, scopes, deletes", [
    ("bob", "api", True),                 # a maintainer
    ("bob", "write_registry", False),     # his token does not reach so far
    ("alice", "api", False),              # a developer
])
def test_delete(skopeo, site, there, user, scopes, deletes):
    repository = there("g/priv")
    login(skopeo, site, user, scopes)
    assert skopeo.delete(site, repository).ok == deletes
    assert skopeo.inspect(site, repository).ok != deletes


def curl(tmp_path, url, *lines):
    """What curl prints; secrets come by its configuration, as is right."""
    done = subprocess.run(["curl", "-sS", "--config", "-", url], text=True,
                          input="\n".join(lines), capture_output=True,
                          timeout=20, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_by_hand_with_curl(site, there, tmp_path):
    repository, tag = there("g/priv").split(":")
    manifest = f"{site.registry.url}/v2/{repository}/manifests/{tag}"
    accept = 'header = "Accept: application/vnd.oci.image.manifest.v1+json"'
    realm, service = re.search(
        'Bearer realm="(.*?)",service="(.*?)"',
        curl(tmp_path, manifest, "head")).groups()
    answer = json.loads(curl(
        tmp_path, realm, "get", f'data = "service={service}"',
        f'data-urlencode = "scope=repository:{repository}:pull"',
        f'user = "x:{site.world.pat("carol", "read_registry")}"'))
    got = json.loads(curl(
        tmp_path, manifest, accept,
        f'header = "Authorization: Bearer {answer["token"]}"'))
    assert got["schemaVersion"] == 2 and got["layers"]
