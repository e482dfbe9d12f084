"""Clients that have a certificate for their registry show it to the realm, too:
so a dockpass may ask for one. buildx alone shows none.

To docker all of 127.0.0.0/8 is insecure, so all of them are in a network of
their own, where registry and dockpass have another address.
"""

import pytest

from support import modern, network
from support.process import wait_until
from support.registry import Registry
from support.site import Certificate, Site
from support.world import World

ADDRESS = "10.9.8.7"
NAMES = f"subjectAltName=DNS:localhost,IP:127.0.0.1,IP:{ADDRESS}"
LOGIN = {"docker", "skopeo", "podman", "buildah", "moby"}
PAIR = "client.cert", "client.key"


class There(Registry):
    address, name = "0.0.0.0", ADDRESS


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A registry and its dockpass, which asks for certificates."""
    folder = tmp_path_factory.mktemp("realm")
    certificate = Certificate(folder)
    certificate.file, certificate.key = certificate.issue(
        "there", f"/CN={ADDRESS}", NAMES)
    with network.alone(ADDRESS), World(folder) as world:
        world.configure(url=f"https://{ADDRESS}:{world.port}")
        ask_for_certificates(world, certificate, "required")
        with There(folder / "registry", world.serve(), "2.8", "--service",
                   "registry", tls=certificate) as registry:
            site = Site("registry", world, registry, certificate.ca)
            site.certificate = certificate
            yield site


def ask_for_certificates(world, certificate, how):
    tls = {**certificate.listener["tls"], "client_ca": str(certificate.ca),
           "client_certificates": how}
    world.configure(listener={"address": f"0.0.0.0:{world.port}", "tls": tls})


@pytest.fixture(scope="module")
def daemons(site, tmp_path_factory):
    with modern.daemons_of_every(tmp_path_factory.mktemp, etc=True) as every:
        yield every


def show(site, daemons, pair=None):
    """What clients find beside the CA; docker's daemon, in its /etc."""
    for name, file in zip(PAIR, pair or (None, None)):
        (site.ca.parent / name).unlink(missing_ok=True)
        if file:
            (site.ca.parent / name).write_bytes(file.read_bytes())
    if daemons.started:
        folder = daemons.certificates(site.host)
        folder.mkdir(parents=True, exist_ok=True)
        for name in PAIR:
            (folder / name).unlink(missing_ok=True)
        for file in site.ca.parent.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())


def comes(who, site):
    """By a pull, and by its login if it has one; (how that ends, what the log
    has of it)."""
    seen = len(site.world.log("token"))
    secret = site.world.pat("alice", "api")
    done = [who.login(site, "alice", secret)] if who.name in LOGIN else []
    who.keep(site, "alice", secret)
    done.append(who.pull(site, "g/priv/none:1"))
    assert not done[-1], done  # there is none
    return done, site.world.log("token")[seen:]


# Go's words where the alert came while the request was written.
LATE = "use of closed network connection"


def turned_away(who, site, words):
    done, lines = comes(who, site)
    assert lines == []
    for one in done:
        assert not one and (words in one.text or LATE in one.text), one


@pytest.mark.parametrize("make", [
    kind for kind in modern.EVERY if kind is not modern.BuildKit],
    ids=lambda make: make.name)
def test_a_client_shows_its_certificate_to_the_realm(site, daemons, tmp_path,
                                                     make):
    who = make(tmp_path / "c", daemons[make])
    show(site, daemons[make])
    turned_away(who, site, "certificate required")
    other = Certificate(tmp_path)
    show(site, daemons[make], (other.file, other.key))
    # Some of Go show none that the server has not asked for.
    turned_away(who, site, "certificate")
    show(site, daemons[make],
         site.certificate.issue("runner", f"/CN={who.name}"))
    done, lines = comes(who, site)
    assert all(done[:-1]), done
    wait_until(lambda: site.world.log("token")[-1]["reason"] == "granted", 10,
               lambda: done)
    for line in [*lines, site.world.log("token")[-1]]:
        assert (line["user"], line["certificate"]) == ("alice",
                                                       f"CN={who.name}")


def test_buildx_shows_none(site, daemons, tmp_path):
    """It has the credentials, and asks for the tokens, but has no certificate:
    it is let in where they are optional."""
    who = modern.BuildKit(tmp_path / "c", daemons[modern.BuildKit])
    show(site, daemons[modern.BuildKit],
         site.certificate.issue("runner", "/CN=buildkit"))
    turned_away(who, site, "certificate required")
    ask_for_certificates(site.world, site.certificate, "optional")
    assert site.world.reload().startswith("done: ")
    try:
        seen = len(site.world.log("token"))
        comes(who, site)
        line = site.world.logged(seen)[0]
        assert (line["reason"], line.get("certificate")) == ("granted", None)
    finally:
        ask_for_certificates(site.world, site.certificate, "required")
        assert site.world.reload().startswith("done: ")
