"""dockpass doctor REGISTRY-URL, of real registries that are configured wrongly in
each of the ways that people do: what it says is wrong first, and what mends it.
"""

import functools
import json
import time
from typing import Callable, NamedTuple

import pytest
import yaml

from support.clock import Clock
from support.dockpass import Dockpass
from support.doctor import doctor, line
from support.process import free_ports
from support.registry import Registry
from support.site import Certificate, change_key

BOTH, TWO, THREE = ["2.8", "3.1"], ["2.8"], ["3.1"]
# What registry-config would refuse to print, it prints with these.
X5C = {"DOCKPASS_SERVICES_0_X5C": "true"}


class Crooked(Registry):
    """Its section auth is what `change` makes of what is printed."""

    def __init__(self, folder, dockpass, version, change, **kwargs):
        self.change = change
        super().__init__(folder, dockpass, version, env=X5C, **kwargs)

    def configuration(self, stanza, dockpass):
        auth = self.change(yaml.safe_load(stanza)["auth"]["token"])
        self.greeting = 401 if auth else 200
        return self.base() + (yaml.safe_dump({"auth": auth}) if auth else "")


def changed(**options):
    """A change that writes these over what was printed."""
    return lambda _, told: {"token": {**told, **options}}


def same(_, told):
    return {"token": told}


def nobody(_, told):
    return None


def own_passwords(dockpass, _):
    file = dockpass.folder / "htpasswd"
    file.write_text(f"nobody:$2y$05${53 * '.'}\n")
    return {"htpasswd": {"realm": "own", "path": str(file)}}


def other_bundle(dockpass, told):
    folder = dockpass.folder.parent / "other"
    folder.mkdir()
    other = Dockpass(folder)
    return {"token": {**told, "rootcertbundle":
                      f"{other.folder}/public/bundle.pem"}}


def bundle_of_the_next(dockpass, told):
    """A key is made; the registry has its certificate alone."""
    dockpass.cli("key", "new")
    text = (dockpass.folder / "public/bundle.pem").read_text()
    end = "-----END CERTIFICATE-----\n"
    file = dockpass.folder / "next.pem"
    file.write_text(text.split(end)[1] + end)
    return {"token": {**told, "rootcertbundle": str(file)}}


def only_jwks(dockpass, told, keep=lambda key: True):
    jwks = json.loads((dockpass.folder / "public/jwks.json").read_text())
    file = dockpass.folder / "some.json"
    file.write_text(json.dumps({"keys": [key for key in jwks["keys"]
                                         if keep(key)]}))
    del told["rootcertbundle"]
    return {"token": {**told, "jwks": str(file)}}


def elsewhere(dockpass, told):
    port = dockpass.config["listeners"][0]["address"].split(":")[1]
    return {"token": {**told, "realm": f"https://localhost:{port}/token"}}


def alias(dockpass, told):
    """Another path and spelling of the same."""
    return {"token": {**told, "realm": dockpass.url.replace(
        "localhost", "LocalHost") + "/auth/token?tenant=1"}}


def rotate(dockpass):
    change_key(dockpass)
    dockpass.reload()


def rotate_untold(dockpass):
    """Nor has the registry the new one's certificate."""
    change_key(dockpass)


def activate(dockpass):
    """The registry has both keys; the server was not told of the change."""
    new, = [key["kid"] for key in dockpass.json("key", "list")
            if key["state"] == "next"]
    dockpass.cli("key", "activate", new)


class Row(NamedTuple):
    """`first`: the check that fails first; `says`: parts of its line;
    `others`: more that fail. `service`: options of it; `before`, `after` the
    registry's start."""
    versions: list
    change: Callable
    first: str = None
    says: list = []
    others: list = []
    service: dict = {}
    before: Callable = None
    after: Callable = None


NEW = lambda dockpass: dockpass.cli("key", "new")
BRING = ["public/bundle.pem", "auth.token.rootcertbundle", "restart it"]
ROWS = {
    "all is well": Row(BOTH, same),
    "all is well, by kid": Row(TWO, same, service={"x5c": False}),
    "all is well, by jwks": Row(THREE, only_jwks, service={"x5c": False}),
    "all is well, under an alias": Row(TWO, alias),
    "all is well, with two keys": Row(BOTH, same, before=NEW),
    "all is well, for no anonymous": Row(BOTH, same,
                                         service={"anonymous": False}),
    "another realm": Row(
        BOTH, changed(realm="http://localhost:1/token"), "realm",
        ["sends its clients to http://localhost:1/token, this dockpass is ",
         "write auth.token.realm: http://localhost:", "dockpass.yaml:"],
        ["endpoint"]),
    "the realm's scheme": Row(
        BOTH, elsewhere, "realm", ["the scheme differs",
                                   "write auth.token.realm: http://"],
        ["endpoint"]),
    "a realm that is no address": Row(
        BOTH, changed(realm="auth.example.com"), "realm",
        ["the realm auth.example.com is no http(s) address"], ["endpoint"]),
    "autoredirect": Row(
        BOTH, changed(autoredirect=True), "realm",
        ["sends its clients to itself", "remove auth.token.autoredirect"], ["endpoint"]),
    "a service in capitals": Row(
        BOTH, changed(service="REGISTRY "), "service",
        ["the registry calls itself 'REGISTRY ', and no service has that "
         "name; 'registry' differs in case, blanks or hyphens",
         "write auth.token.service: registry", "dockpass.yaml:"]),
    "another service": Row(
        BOTH, changed(service="nix"), "service",
        ["the registry calls itself 'nix', and no service has that name",
         "write auth.token.service: registry", "services[0].name"]),
    "another issuer": Row(
        THREE, changed(issuer="somebody"), "issuer",
        ["it expects another issuer than 'dockpass'",
         "write auth.token.issuer: dockpass", "dockpass.yaml:"], ["token"]),
    "another issuer, of 2": Row(
        TWO, changed(issuer="somebody"), "key",
        ["another certificate, or another issuer than dockpass",
         "auth.token.issuer, it must be dockpass", "'untrusted issuer'"],
        ["token"]),
    "another certificate": Row(
        BOTH, other_bundle, "key",
        ["the registry trusts another certificate", *BRING], ["token"]),
    "an older bundle": Row(
        BOTH, same, "key",
        ["which is retired: its bundle is older than the key that signs",
         *BRING], ["token"], after=rotate),
    "a bundle of what does not sign yet": Row(
        BOTH, bundle_of_the_next, "key",
        ["which does not sign yet", "dockpass key activate "], ["token"]),
    "a server that was not told": Row(
        BOTH, same, "signer",
        ["was not told of the change: dockpass reload"], [],
        before=NEW, after=activate),
    "an older bundle, and a server that was not told": Row(
        BOTH, same, "key",
        ["its bundle is older than the key that signs", *BRING], ["signer"],
        after=rotate_untold),
    "jwks alone": Row(
        THREE, only_jwks, "form",
        ["service registry names its key by x5c, the registry finds it only "
         "by kid: libtrust, kid: rfc7638",
         "services[0].name write x5c: false and kid: libtrust, and reload",
         "auth.token.rootcertbundle"], ["token"]),
    "jwks of the other ids": Row(
        THREE, functools.partial(only_jwks,
                                 keep=lambda key: ":" not in key["kid"]),
        "form", ["write x5c: false and kid: rfc7638"], ["token"],
        service={"x5c": False}),
    "an id that 2 does not know": Row(
        TWO, same, "form", ["names its key by kid: rfc7638, the registry "
                            "finds it only by x5c, kid: libtrust",
                            "write x5c: true"], ["token"],
        service={"x5c": False, "kid": "rfc7638"}),
    "an id that 3 does not know": Row(
        THREE, same, "form", ["names its key by kid: libtrust, the registry "
                              "finds it only by x5c, kid: rfc7638",
                              "write x5c: true"], ["token"],
        service={"x5c": False}),
    "algorithms of others": Row(
        THREE, changed(signingalgorithms=["RS256"]), "key",
        ["its signingalgorithms lack ES256"], ["token"]),
    "nobody is asked": Row(
        BOTH, nobody, "challenge",
        ["the registry asks nobody for a token", "dockpass registry-config"]),
    "passwords of its own": Row(
        BOTH, own_passwords, "challenge",
        ["asks for a password of its own (Basic)", "auth.htpasswd"]),
}
CASES = [(name, version) for name, row in ROWS.items()
         for version in row.versions]


@pytest.mark.parametrize("name, version", CASES,
                         ids=[f"{name} {version}" for name, version in CASES])
def test_a_registry(tmp_path, name, version):
    row = ROWS[name]
    dockpass = Dockpass(tmp_path, services=[{"name": "registry",
                                             **row.service}])
    if row.before:
        row.before(dockpass)
    with dockpass.serve(), Crooked(
            tmp_path / "registry", dockpass, version,
            functools.partial(row.change, dockpass)) as registry:
        if row.after:
            row.after(dockpass)
        failed, checks = doctor(dockpass, registry.url)
        assert failed == ([row.first] if row.first else []) + row.others, \
            checks
        for part in row.says:
            assert part in line(checks[row.first]), checks[row.first]
        if not row.first:
            assert checks["token"]["status"] == "ok"
            assert checks["key"]["message"].startswith("takes ")


@pytest.mark.parametrize("version", BOTH)
def test_the_next_key_that_a_registry_has_is_named(tmp_path, version):
    """So that one knows before: it can be activated."""
    dockpass = Dockpass(tmp_path)
    kid = NEW(dockpass).strip()
    with dockpass.serve(), Registry(tmp_path / "registry", dockpass,
                                    version) as registry:
        _, checks = doctor(dockpass, registry.url)
        assert f"; and {kid}, next" in checks["key"]["message"]
        later = NEW(dockpass).strip()
        _, checks = doctor(dockpass, registry.url)
        assert f"; and {kid}, next" in checks["key"]["message"]
        assert later not in checks["key"]["message"]


def test_as_people_see_it(tmp_path):
    """A line a check, the last one a verdict; a failure is told again."""
    dockpass = Dockpass(tmp_path)
    with dockpass.serve():
        with Registry(tmp_path / "registry", dockpass, "2.8") as registry:
            host = registry.host
            lines = dockpass.cli("doctor", host).splitlines()
            assert lines[-1].startswith("all "), lines
            assert all(line.split()[0] in ("ok", "warn")
                       for line in lines[:-1])
            for shape in (registry.url, registry.url + "/",
                          registry.url + "/v2/"):
                dockpass.cli("doctor", shape)
        done = dockpass.run("doctor", host, "--config", dockpass.config_file,
                            check=False)
        lines = done.stdout.splitlines()
        assert done.returncode == 1
        assert [line for line in lines if line.startswith("FAIL")] == [
            f"FAIL  registry    the registry, http://{host}/v2/: nothing "
            "listens there (connection refused): start it, or look at host "
            "and port"]
        assert lines[-1].startswith("first to mend: registry: the registry, ")
        assert done.stderr == f"dockpass: {lines[-1][15:]}\n"


@pytest.mark.parametrize("version", BOTH)
def test_tls(tmp_path, version):
    """Of an authority that nobody knows; and before a realm without TLS."""
    certificate = Certificate(tmp_path)
    dockpass = Dockpass(tmp_path)
    with dockpass.serve(), Registry(tmp_path / "registry", dockpass, version,
                                    tls=certificate) as registry:
        failed, checks = doctor(dockpass, registry.url)
        assert failed == ["registry"] and "--cacert FILE" in line(
            checks["registry"]), checks
        failed, checks = doctor(dockpass, registry.url, "--cacert",
                                certificate.ca)
        assert failed == ["scheme"], checks
        assert "crane and regctl refuse that" in line(checks["scheme"])
        assert checks["token"]["status"] == "ok"
        failed, checks = doctor(dockpass,
                                registry.url.replace("https", "http"))
        assert failed == ["registry"], checks
        assert f"speaks TLS: write {registry.url}" in line(checks["registry"])


def test_tls_on_both_sides(tmp_path):
    certificate = Certificate(tmp_path)
    dockpass = Dockpass(tmp_path, listener=certificate.listener, url=None)
    dockpass.configure(url=f"https://localhost:{dockpass.port}")
    with dockpass.serve(), Registry(tmp_path / "registry", dockpass, "3.1",
                                    tls=certificate) as registry:
        assert doctor(dockpass, registry.url, "--cacert",
                      certificate.ca)[0] == []
        (free,) = free_ports(1)
        failed, checks = doctor(dockpass, f"https://localhost:{free}")
        assert failed == ["registry"], checks
    with Registry(tmp_path / "plain", None, "3.1") as plain:
        failed, checks = doctor(dockpass, plain.url.replace("http", "https"))
        assert failed == ["registry"], checks
        assert f"it is {plain.url}" in line(checks["registry"])


# how far dockpass's clock is off, what the clock is found to be
CLOCKS = {"behind": (-3600, "ahead: tokens are dead when they come there"),
          "ahead": (3600, "behind: tokens are not valid yet there"),
          "a little behind": (-40, "ahead: switch on NTP")}


@pytest.mark.usefixtures("faketime")
@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("name", CLOCKS)
def test_clocks_apart(tmp_path, name, version):
    """The key is found all the same: it is asked for by the registry's own
    clock; but where tokens that live a minute are dead there."""
    off, says = CLOCKS[name]
    clock = Clock(tmp_path)
    dockpass = Dockpass(tmp_path)
    clock.set(int(time.time()) + off)
    with dockpass.serve(env=clock.env()), Registry(
            tmp_path / "registry", dockpass, version) as registry:
        clock.set(int(time.time()) + off)
        failed, checks = doctor(dockpass, registry.url, env=clock.env())
        assert failed == (["clock", "token"] if abs(off) > 60 else []), checks
        assert says in line(checks["clock"])
        if off < -60:
            assert "no token is shown to it: by its Date" in \
                line(checks["key"])
        assert checks["key"]["status"] == ("skipped" if off < -60 else "ok")
