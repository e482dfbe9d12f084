"""The part of `make conformance` that Debian's packages can do: its clients at
its registry, what test_clients.py has not."""

import pytest

from conformance.case import Case
from conformance.matrix import BESIDE, CLIENTS, DEBIAN, shapes
from conformance.operations import OPERATIONS
from support.clients import NAMES
from support.site import Sites

ROWS = [(name, operation) for operation in OPERATIONS for name in DEBIAN
        if CLIENTS[name].has(operation) and not operation.slow and
        not (operation.covered and name in NAMES)]


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    sites = Sites(tmp_path_factory.mktemp("conformance"), shapes())
    yield sites
    sites.stop()


@pytest.mark.parametrize("name, operation", ROWS, ids=[
    f"{name} {operation.name}" for name, operation in ROWS])
def test_debian(name, operation, sites, daemons, tmp_path_factory):
    # podman wants short paths.
    client = CLIENTS[name].make(tmp_path_factory.mktemp("c") / "c", daemons)
    others = {kind: sites.get(f"2.8-{kind}") for kind in BESIDE}
    operation.run(Case(client, sites.get("2.8"), others))
