"""Who has a wrong secret in his settings is counted once a pull, by whatever
methods and however often his client shows it (test_protocol_guard.py has the
requests made by hand).

The guard counts nobody who comes from 127.0.0.1, so all of them are in a
network of their own, where the server has another address.
"""

import itertools

import pytest

from support import metrics, modern, network, secrets, tokens
from support.dockpass import Dockpass
from support.registry import Registry
from support.site import Site
from support.ways import basic
from support.wire import Wire, request

ADDRESS = "10.9.8.7"
HELD_BACK = "dockpass_answers_held_back_total"
NUMBERS = itertools.count(1)
# They show it by POST, and then by GET.
BOTH = {"containerd", "containerd-2", "kubelet", "moby", "buildkit"}
POSTS = {"containerd-client", "buildkit-client"}


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory):
    with network.alone(ADDRESS):
        yield


@pytest.fixture(scope="module")
def daemons(place, tmp_path_factory):
    with modern.daemons_of_every(tmp_path_factory.mktemp) as every:
        yield every


@pytest.fixture
def site(place, tmp_path):
    """After the first wrong secret the guard is full."""
    guard = {"failures": 1, "failures_per_user": 1}
    with Dockpass(tmp_path, guard=guard) as dockpass:
        dockpass.configure(
            listener={"address": f"0.0.0.0:{dockpass.port}"},
            url=f"http://{ADDRESS}:{dockpass.port}")
        with Registry(tmp_path / "registry", dockpass.serve(), "2.8",
                      "--service", "registry") as registry:
            yield Site("registry", dockpass, registry)


def held_back(site):
    return metrics.scrape(site.world)[HELD_BACK]


def seconds_late(site):
    """Another wrong secret from there: 0.5 for each that is one too many."""
    seen = len(site.world.log("token"))
    with Wire(site.world.port, source=ADDRESS) as wire:
        wire.send(request("GET /token?service=registry", "Authorization: " +
                          basic("x", secrets.remember("glpat-" + 20 * "z"))))
        tokens.refusal(wire.answer(), 401)
    return site.world.logged(seen)[-1]["us"] / 1e6


@pytest.mark.parametrize("kind", ["token", "password"])
@pytest.mark.parametrize("make", modern.EVERY, ids=lambda make: make.name)
def test_one_pull_counts_once(site, daemons, tmp_path, make, kind):
    who = make(tmp_path / "c", daemons[make])
    secret = secrets.remember(f"glpat-{next(NUMBERS):020}" if kind == "token"
                              else f"no-such-password-{next(NUMBERS)}")
    who.keep(site, "alice", secret)
    assert not who.pull(site, "g/app:1")
    count = 2 if make.name in BOTH else 1
    lines = site.world.logged(0, count)
    assert len(lines) == count
    assert {(line["addr"], line["status"]) for line in lines} == {
        (ADDRESS, 401)}
    # By POST it is what `client_id` says, by GET the User-Agent.
    assert any(line["client"] in POSTS for line in lines) == (count == 2)
    assert held_back(site) == 0
    assert 0.49 < seconds_late(site) < 0.9
    assert held_back(site) == 1
