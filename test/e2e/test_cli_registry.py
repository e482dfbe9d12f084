"""dockpass registry-config: what is pasted into a registry, and what could not
work is refused here. test_clients.py starts real registries with it.

test/unit/server/test_cli.c has x5c and kid against each --registry.
"""

import json
import shutil

import pytest
import yaml

from support.dockpass import Dockpass

SERVICES = [
    {"name": "registry"}, {"name": "Docker: 'my' \"own\" #1"},
    {"name": "three", "x5c": False}, {"name": "new", "x5c": False,
                                      "kid": "rfc7638"}]
ODD = SERVICES[1]["name"]


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """Four registries, and a second key beside the first."""
    with Dockpass(tmp_path_factory.mktemp("several"), services=SERVICES,
                  issuer="is: suer", url="https://auth.example.com") as several:
        several.cli("key", "new", "--alg", "ES384")
        yield several


@pytest.fixture
def one(tmp_path):
    with Dockpass(tmp_path) as one:
        yield one


def stanza(dockpass, *args):
    """The token's section, the same in its three forms."""
    printed = yaml.safe_load(dockpass.cli("registry-config", *args))
    assert set(printed) == {"auth"} and set(printed["auth"]) == {"token"}
    section = printed["auth"]["token"]
    named = {key: value for key, value in section.items()
             if key != "signingalgorithms"}
    assert dockpass.json("registry-config", *args) == named
    lines = dockpass.cli("registry-config", "--format", "env",
                         *args).splitlines()
    assert lines == ["REGISTRY_AUTH=token"] + [
        f"REGISTRY_AUTH_TOKEN_{key.upper()}={value}"
        for key, value in named.items()]
    assert dockpass.cli("registry-config", "--format=yaml", *args) == \
        dockpass.cli("registry-config", *args)
    return section


def want(dockpass, service, bundle=None, jwks=False, **more):
    """`bundle`: where it is; False: the registry needs none."""
    public = dockpass.folder / "public"
    section = {"realm": dockpass.url + "/token", "service": service,
               "issuer": "dockpass"}
    if bundle is not False:
        section["rootcertbundle"] = bundle or f"{public}/bundle.pem"
    if jwks:
        folder = bundle.rpartition("/")[0] if bundle else public
        section |= {"jwks": f"{folder}/jwks.json",
                    "signingalgorithms": ["ES256"]}
    return section | more


def test_of_the_only_service(one):
    """Nothing needs to be said; the files are those that are published."""
    assert stanza(one) == stanza(one, "--registry", "2") == \
        stanza(one, "--service", "registry") == want(one, "registry")
    assert stanza(one, "--registry", "3") == want(one, "registry", jwks=True)


def test_files_elsewhere(one):
    """The jwks lies beside the bundle, however that is called."""
    for path in ("/etc/registry/bundle.pem", "/r/dockpass.crt", "/b.pem"):
        assert stanza(one, "--bundle", path) == want(one, "registry", path)
        assert stanza(one, "--bundle", path, "--registry", "3") == want(
            one, "registry", path, jwks=True)


OURS = {"realm": "https://auth.example.com/token", "issuer": "is: suer"}
BOTH = {"signingalgorithms": ["ES256", "ES384"]}


@pytest.mark.parametrize("service", ["registry", ODD])
def test_of_one_among_several(several, service):
    assert stanza(several, "--service", service) == want(several, service,
                                                         **OURS)
    assert stanza(several, "--service", service, "--registry", "3") == want(
        several, service, jwks=True, **OURS, **BOTH)


@pytest.mark.parametrize("service, registry, bundle, jwks", [
    ("three", "2", None, False), ("three", "3", False, True),
    ("new", "3", False, True)])
def test_without_x5c_the_id_must_find_the_key(several, service, registry,
                                              bundle, jwks):
    assert stanza(several, "--service", service, "--registry", registry) == \
        want(several, service, bundle, jwks, **OURS, **(BOTH if jwks else {}))


@pytest.mark.parametrize("args, message", [
    ("", "several services in {config}; say --service, one of {names}"),
    ("--registry 3", "several services in {config}; say --service, one of "
     "{names}"),
    ("--service nix", "no service 'nix' in {config}; it has {names}"),
    ("--service REGISTRY", "no service 'REGISTRY' in {config}; it has "
     "{names}"),
    ("--service three", "x5c: false: registry 2 needs the bundle, registry 3 "
     "the jwks; say --registry 2 or --registry 3"),
    ("--service new --registry 2", "registry 2 finds no key by kid: rfc7638 "
     "without x5c; set kid: libtrust or x5c: true, or say --registry 3"),
])
@pytest.mark.parametrize("form", ["", "--format env", "--json"])
def test_what_could_not_work(several, args, message, form):
    names = ", ".join(each["name"] for each in several.config["services"])
    assert several.refused("registry-config", *args.split(),
                           *form.split()) == (
        1, "dockpass: " + message.format(config=several.config_file,
                                         names=names))


NO_ED = ("dockpass: registry 2 does not start with an Ed25519 key in its "
         "bundle; say --registry 3, or dockpass key remove it")


def test_an_ed25519_key_is_nothing_for_registry_2(one):
    """Whether it signs or not: it is in the bundle."""
    kid = one.json("key", "new", "--alg", "EdDSA")["kid"]
    for args in ((), ("--registry", "2")):
        assert one.refused("registry-config", *args) == (1, NO_ED)
    assert stanza(one, "--registry", "3") == want(
        one, "registry", jwks=True, signingalgorithms=["ES256", "EdDSA"])
    one.cli("key", "remove", kid)
    assert stanza(one) == want(one, "registry")


def test_only_algorithms_that_have_a_key(one):
    first = one.json("key", "list")[0]["kid"]
    second = one.json("key", "new", "--alg", "ES384")["kid"]
    one.cli("key", "activate", second)
    one.cli("key", "remove", first)
    assert stanza(one, "--registry", "3")["signingalgorithms"] == ["ES384"]


def test_the_realm_is_the_servers(one):
    """The challenge, the stanza and the server speak of one address."""
    one.serve()
    answer = one.ask(auth=("alice", "glpat-" + "x" * 20))
    realm = answer.headers["WWW-Authenticate"].split('"')[1]
    assert stanza(one)["realm"] == realm == f"{one.url}/token"


def test_without_a_signing_key_nothing_is_said(one):
    (one.folder / "keys/keyring").unlink()
    status, message = one.refused("registry-config", "--json")
    assert (status, message) == (
        1, f"dockpass: {one.config_file}:{one.line_of('keys')}: keys: "
        f"{one.folder}/keys/keyring: not found; name the folder "
        "of keys in dockpass.yaml, restore it from a backup, or make a first "
        "key: dockpass key new")


def test_json_escapes_what_needs_it(several):
    text = several.cli("registry-config", "--service", ODD, "--json")
    assert json.loads(text)["service"] == ODD


# What registries read is not what it should be: said, with the remedy

def spoil(file):
    file.write_text(file.read_text().replace("A", "B"))


SPOILT = {
    "no folder": (lambda public: shutil.rmtree(public), "bundle.pem: cannot "
                  "open it: No such file or directory"),
    "no bundle": (lambda public: (public / "bundle.pem").unlink(),
                  "bundle.pem: cannot open it: No such file or directory"),
    "another server's bundle": (lambda public: spoil(public / "bundle.pem"),
                                "bundle.pem: is not of the keys in use"),
    "an empty bundle": (lambda public: (public / "bundle.pem").write_text(""),
                        "bundle.pem: is not of the keys in use"),
    "another server's jwks": (lambda public: spoil(public / "jwks.json"),
                              "jwks.json: is not of the keys in use"),
}
AGAIN = "reload the server if keys have changed since, else write it again: " \
    "dockpass key activate "


@pytest.mark.parametrize("row", SPOILT.values(), ids=SPOILT.keys())
def test_public_files_that_are_not_of_the_keys(one, row):
    spoil_it, what = row
    public = one.folder / "public"
    kid = one.json("key", "new")["kid"]
    one.cli("key", "activate", kid)
    spoil_it(public)
    want = f"{public}/{what}: {AGAIN}{kid}"
    for command in ("check", "check --json", "registry-config --json"):
        done = one.run(*command.split(), "--config", one.config_file)
        assert done.stderr == f"dockpass: warning: {want}\n", command
    one.serve()
    assert [line["message"] for line in one.log("keys")] == [want]
    one.cli("key", "activate", kid)
    for command in ("check", "registry-config"):
        done = one.run(command, "--config", one.config_file)
        assert done.stderr == ""
    assert one.reload().startswith("done: ")
    assert len(one.log("keys")) == 1
    spoil_it(public)
    assert one.reload().startswith("done: ")
    assert [line["message"] for line in one.log("keys")] == 2 * [want]
    assert one.log("keys")[0]["level"] == "warning"


def test_a_bundle_elsewhere_is_not_looked_for(one):
    shutil.rmtree(one.folder / "public")
    done = one.run("registry-config", "--bundle", "/b.pem", "--config",
                   one.config_file)
    assert done.stderr == ""
