"""What Debian's clients do beside the matrix (test_conformance.py): TLS, roles,
logging out, and what people do by hand.

The daemons are the test's own. Each test asks, too, what dockpass has written
to its log: that is where an operator looks.
"""

import json
import re
import subprocess

import pytest

from conformance.case import Case, split
from support.clients import KINDS


@pytest.fixture(params=KINDS)
def who(request, tmp_path_factory, daemons):
    return KINDS[request.param](tmp_path_factory.mktemp("c") / "c", daemons)


@pytest.fixture(params=["2.8", "3.1-jwks-ES256"])
def case(request, who, sites):
    return Case(who, sites.get(request.param))


@pytest.mark.parametrize("name", ["2.8-tls", "3.1-tls"])
def test_over_tls(who, sites, name):
    case = Case(who, sites.get(name))
    repository = case.place("g/priv")
    case.login("alice", "write_registry")
    case.did(who.push(case.site, case.thing(repository), repository))
    case.pushed(repository)
    case.did(who.pull(case.site, repository))
    case.logged("granted", user="alice")


def test_denied_by_role(case):
    pushed = case.place("g/priv")
    case.login("carol", "api")
    case.denied(case.who.push(case.site, case.thing(pushed), pushed))
    case.logged_less("carol")
    repository, _, _ = case.there("g/priv")
    case.login("eve", "api")
    case = case.later()
    case.denied(case.who.pull(case.site, repository))
    case.logged("nothing", user="eve")


def test_after_logout(case):
    repository, _, _ = case.there("g/priv")
    case.login("carol", "read_registry")
    case.did(case.who.pull(case.site, repository))
    case.who.logout(case.site)
    case.denied(case.who.pull(case.site, repository))


@pytest.mark.parametrize("user, scopes, deletes", [
    ("bob", "api", True),      # a maintainer
    ("alice", "api", False),   # a developer
])
@pytest.mark.parametrize("name", ["2.8", "3.1-jwks-ES256"])
def test_delete(tmp_path, sites, name, user, scopes, deletes):
    case = Case(KINDS["skopeo"](tmp_path / "c"), sites.get(name))
    repository, _, _ = case.there("g/priv")
    case.login(user, scopes)
    assert case.who.delete(case.site, repository).ok == deletes
    assert case.who.inspect(case.site, repository).ok != deletes


def curl(tmp_path, url, *lines):
    """What curl prints; secrets come by its configuration, as is right."""
    done = subprocess.run(["curl", "-sS", "--config", "-", url], text=True,
                          input="\n".join(lines), capture_output=True,
                          timeout=20, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["2.8", "3.1-jwks-ES256"])
def test_by_hand_with_curl(sites, name, tmp_path):
    case = Case(KINDS["skopeo"](tmp_path / "c"), sites.get(name))
    repository, tag = split(case.there("g/priv")[0])
    manifest = f"{case.site.registry.url}/v2/{repository}/manifests/{tag}"
    accept = 'header = "Accept: application/vnd.oci.image.manifest.v1+json"'
    realm, service = re.search(
        'Bearer realm="(.*?)",service="(.*?)"',
        curl(tmp_path, manifest, "head")).groups()
    answer = json.loads(curl(
        tmp_path, realm, "get", f'data = "service={service}"',
        f'data-urlencode = "scope=repository:{repository}:pull"',
        f'user = "x:{case.world.pat("carol", "read_registry")}"'))
    got = json.loads(curl(
        tmp_path, manifest, accept,
        f'header = "Authorization: Bearer {answer["token"]}"'))
    assert got["schemaVersion"] == 2 and got["layers"]
