"""The part of `make conformance` that Debian's packages can do: their clients
at an old registry with x5c and a new one with the key id alone. The newest
clients are here too, where they have been built (BUILD_LARGE=1)."""

import pytest

from conformance.case import Case
from conformance.matrix import BESIDE, CANNOT, CLIENTS, DEBIAN
from conformance.operations import OPERATIONS
from support import modern

ROWS = [(name, site, operation)
        for names, site in ((DEBIAN, "2.8"), (DEBIAN, "3.1-jwks-ES256"),
                            (modern.CLIENTS, "3.1"))
        for operation in OPERATIONS for name in names
        if operation.of(CLIENTS[name]) and not operation.slow and
        (name, site, operation.name) not in CANNOT]


@pytest.fixture(scope="module")
def newest(tmp_path_factory):
    daemons = modern.Daemons(tmp_path_factory.mktemp("m"))
    yield daemons
    daemons.stop()


@pytest.mark.parametrize("name, site, operation", ROWS, ids=[
    f"{name} {site} {operation.name}" for name, site, operation in ROWS])
def test_cell(name, site, operation, sites, daemons, newest,
              tmp_path_factory):
    who = CLIENTS[name](tmp_path_factory.mktemp("c") / "c",
                        newest if name in modern.CLIENTS else daemons)
    others = {kind: sites.get(f"{site[:3]}-{kind}") for kind in BESIDE}
    operation.run(Case(who, sites.get(site), others))
