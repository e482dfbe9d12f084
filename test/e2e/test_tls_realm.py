"""Clients that have a certificate for their registry show it to the realm, too:
so a dockpass may ask for one. (To docker all of 127.0.0.0/8 is insecure, so it
would show none there; that it hands one on is what its source says.)
"""

import pytest

from support.clients import KINDS
from support.registry import PROGRAMS
from support.site import Certificate, Site
from support.world import World


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A registry and its dockpass, which asks for certificates."""
    folder = tmp_path_factory.mktemp("realm")
    certificate = Certificate(folder)
    tls = {**certificate.listener["tls"], "client_ca": str(certificate.ca)}
    with World(folder, listener={"tls": tls}) as world:
        world.verify = str(certificate.ca)
        world.serve()
        registry = PROGRAMS["2.8"].make(folder / "registry", world, "2.8",
                                        "--service", "registry",
                                        tls=certificate)
        try:
            site = Site("registry", world, registry, certificate.ca)
            site.certificate = certificate
            yield site
        finally:
            registry.stop()


def show(site, pair):
    """What clients find beside the CA."""
    for name, file in zip(("client.cert", "client.key"), pair):
        (site.ca.parent / name).write_bytes(file.read_bytes())


@pytest.mark.parametrize("kind", ["skopeo", "podman", "buildah"])
def test_a_client_shows_its_certificate_to_the_realm(site, tmp_path, kind):
    who = KINDS[kind](tmp_path / "c")
    secret = site.world.pat("alice", "api")
    for name in "client.cert", "client.key":
        (site.ca.parent / name).unlink(missing_ok=True)
    done = who.login(site, "alice", secret)
    assert not done and "certificate required" in done.text, done
    other = Certificate(tmp_path)
    show(site, (other.file, other.key))
    # Go shows none that the server has not asked for.
    done = who.login(site, "alice", secret)
    assert not done and "certificate" in done.text, done
    show(site, site.certificate.issue("runner", f"/CN={kind}"))
    done = who.login(site, "alice", secret)
    assert done, done
    assert site.world.log("token")[-1]["certificate"] == f"CN={kind}"
