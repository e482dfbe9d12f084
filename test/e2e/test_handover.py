"""Handing a new secret over: what --format prints is what docker, skopeo and
Kubernetes read, as it is.
"""

import base64
import json

import pytest
import yaml

from support import secrets, tokens
from support.clients import KINDS
from support.dockpass import Dockpass

SITE = "2.8"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with Dockpass(tmp_path_factory.mktemp("desk")) as desk:
        desk.user("alice")
        desk.cli("project", "add", "g/p")
        yield desk.serve()


def create(dockpass, *args, owner=("alice",), scopes="api"):
    """What `token create` prints; its secret is for the caller to find."""
    return dockpass.cli("token", "create", *owner, "--name", "given",
                        "--scopes", scopes, *args, secret=True)


def login_of(auth):
    """User name and secret of a docker configuration's entry."""
    user, _, secret = base64.b64decode(auth, validate=True).decode() \
        .partition(":")
    return user, secrets.remember(secret)


def of_docker(text, host):
    secrets.remember(text.strip())
    config = json.loads(text)
    assert list(config) == ["auths"] and list(config["auths"]) == [host]
    assert list(config["auths"][host]) == ["auth"]
    return login_of(config["auths"][host]["auth"])


def of_kubernetes(text, host, name):
    manifest = yaml.safe_load(text)
    assert manifest == {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
        "type": "kubernetes.io/dockerconfigjson", "data": manifest["data"]}
    inner, = manifest["data"].items()
    assert inner[0] == ".dockerconfigjson"
    secrets.remember(inner[1])
    return of_docker(base64.b64decode(inner[1], validate=True).decode(), host)


def of_env(text):
    lines = dict(line.split("=", 1) for line in text.splitlines())
    assert list(lines) == ["CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD"]
    return lines["CI_REGISTRY_USER"], \
        secrets.remember(lines["CI_REGISTRY_PASSWORD"])


FORMS = {
    "docker": (["dockerconfigjson", "--registry", "reg.example.com:5000"],
               lambda text: of_docker(text, "reg.example.com:5000")),
    "kubernetes": (["kubernetes-secret", "--registry", "[::1]:5000",
                    "--secret-name", "pull.for-1"],
                   lambda text: of_kubernetes(text, "[::1]:5000",
                                              "pull.for-1")),
    "env": (["env"], of_env),
}


@pytest.mark.parametrize("owner", [["alice"], ["--project", "g/p"]])
@pytest.mark.parametrize("form", FORMS)
def test_what_is_printed_logs_in(desk, form, owner):
    """Of a new token and of a rotated one; the name is the owner's."""
    args, read = FORMS[form]
    first = read(create(desk, "--format", *args, owner=owner))
    number = desk.json("token", "list")[-1]["id"]
    second = read(desk.cli("token", "rotate", number, "--grace", "1h",
                           "--format", *args, secret=True))
    assert first[0] == second[0] and first[1] != second[1]
    for user, secret in (first, second):
        answer = desk.ask(auth=(user, secret))
        assert answer.status_code == 200
        assert tokens.subject(answer) == user


@pytest.mark.parametrize("args, message", [
    ("--format yaml", "format 'yaml' is not dockerconfigjson, "
     "kubernetes-secret or env"),
    ("--format dockerconfigjson", "--format dockerconfigjson needs --registry "
     "HOST or HOST:PORT"),
    ("--format dockerconfigjson --registry https://r.example.com",
     "--registry 'https://r.example.com' is no HOST or HOST:PORT"),
    ("--format dockerconfigjson --registry r/g/p",
     "--registry 'r/g/p' is no HOST or HOST:PORT"),
    ("--format dockerconfigjson --registry []:",
     "--registry '[]:' is no HOST or HOST:PORT"),
    ("--format env --registry r", "--registry is for --format "
     "dockerconfigjson and kubernetes-secret"),
    ("--registry r", "--registry is for --format dockerconfigjson and "
     "kubernetes-secret"),
    ("--format kubernetes-secret --registry r --secret-name a..b",
     "--secret-name 'a..b' is no name of a Kubernetes object: lower-case "
     'letters, digits, "-" and "."'),
    ("--format env --json", "--format and --json exclude each other"),
])
@pytest.mark.parametrize("command", [
    "token create alice --name x --scopes api", "token rotate 1"])
def test_what_is_refused_makes_nothing(desk, command, args, message):
    before = len(desk.json("token", "list"))
    status, line = desk.refused(*command.split(), *args.split())
    assert status == 2
    assert line.startswith(f"dockpass: {message}; usage: dockpass ")
    assert len(desk.json("token", "list")) == before


SECRET_NAME = "--secret-name '{}' is no name of a Kubernetes object"


@pytest.mark.parametrize("name, right", [
    ("a", True), ("0", True), ("a-.b", False), ("a.-b", False), ("-a", False),
    ("a-", False), ("a.", False), (".a", False), ("A", False), ("a_b", False),
    ("a--b.c-9", True), (("a" * 63 + ".") * 3 + "b" * 61, True),
    (("a" * 63 + ".") * 3 + "b" * 62, False)])
def test_names_of_kubernetes_secrets(desk, name, right):
    """RFC 1123: what kubectl apply takes."""
    args = ["--format", "kubernetes-secret", "--registry", "r",
            "--secret-name=" + name]
    if right:
        of_kubernetes(create(desk, *args), "r", name)
        return
    status, line = desk.refused("token", "create", "alice", "--name", "x",
                                "--scopes", "api", *args)
    assert status == 2 and SECRET_NAME.format(name[:80]) in line


NO_HOSTS = ["[[[a", ":a", "a:", "a:0", "a:99999", "a:b", "-a", "a-", "a.-b",
            "..a..", "a.", ".a", "a..b", "a_b:1:2", "[::1", "[::1]5", "[1.2.3.4]",
            "::1", "a b", "u@a", "a" * 256]
HOSTS = ["r", "R.example.com", "r-1.example.com:5000", "10.0.0.1:5000", "[::1]",
         "[2001:db8::1]:443", "xn--bcher-kva.example", "a_b"]


@pytest.mark.parametrize("host", NO_HOSTS)
def test_what_docker_would_not_find(desk, host):
    """As `docker login HOST` takes it, or the file is of no use."""
    status, line = desk.refused(
        "token", "create", "alice", "--name", "x", "--scopes", "api",
        "--format", "dockerconfigjson", "--registry=" + host)
    assert status == 2 and "is no HOST or HOST:PORT" in line


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_is_the_key_as_it_was_written(desk, host):
    of_docker(create(desk, "--format", "dockerconfigjson", "--registry", host),
              host)


# The programs themselves

@pytest.fixture
def site(sites):
    return sites.get(SITE)


def push(skopeo, site, image, authfile):
    return skopeo.run("copy", "--authfile", authfile,
                      *skopeo.side("dest", site), f"oci:{image.layout}:1",
                      f"docker://{site.ref('g/priv/handover:1')}")


def docker_config(site, **kwargs):
    text = create(site.world, "--format", "dockerconfigjson", "--registry",
                  site.host, **kwargs)
    of_docker(text, site.host)
    return text


def test_skopeo_reads_it(site, image, tmp_path):
    skopeo = KINDS["skopeo"](tmp_path / "c")
    authfile = tmp_path / "given.json"
    authfile.write_text("{}")
    assert not push(skopeo, site, image, authfile)
    authfile.write_text(docker_config(site, scopes="write_registry"))
    assert push(skopeo, site, image, authfile)
    authfile.write_text(docker_config(site, scopes="read_registry"))
    assert not push(skopeo, site, image, authfile)


def test_docker_reads_it(site, image, tmp_path, daemons):
    docker = KINDS["docker"](tmp_path / "c", daemons)
    config = tmp_path / "c/docker/config.json"
    config.parent.mkdir()
    assert not docker.push(site, image, "g/priv/handed:1")
    config.write_text(docker_config(site, scopes="write_registry"))
    assert docker.push(site, image, "g/priv/handed:1")
    assert docker.pull(site, "g/priv/handed:1")


def test_what_kubernetes_mounts_is_read(site, image, tmp_path):
    """A pod's ~/.docker/config.json is the secret's one value."""
    skopeo = KINDS["skopeo"](tmp_path / "c")
    text = create(site.world, "--format", "kubernetes-secret", "--registry",
                  site.host, "--secret-name", "push", scopes="api")
    of_kubernetes(text, site.host, "push")
    authfile = tmp_path / "mounted.json"
    authfile.write_bytes(base64.b64decode(
        yaml.safe_load(text)["data"][".dockerconfigjson"]))
    assert push(skopeo, site, image, authfile)
