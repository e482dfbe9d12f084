"""The OCI's own tests of a registry: our tokens change nothing of them."""

from collections import Counter
from functools import cache

import pytest

from support import oci
from support.registry import Registry


@pytest.fixture(scope="module")
def open_to_all(tmp_path_factory):
    """What each test of the suite says of a registry without tokens."""
    @cache
    def states(version):
        folder = tmp_path_factory.mktemp("oci")
        with Registry(folder / "registry", None, version) as registry:
            states = oci.conformance(folder, registry.host,
                                     ("g/a/oci", "g/b/oci"))
        # What fails there fails for the registry's own reasons.
        assert Counter(states.values())["passed"] > 500
        return states
    return states


def without_deletes(states):
    return {name: "failure" if "-delete " in name and state == "passed"
            else state for name, state in states.items()}


# A maintainer; a token that does not reach so far; a developer.
@pytest.mark.parametrize("name, user, scopes, deletes", [
    ("2.8", "bob", "api", True),
    ("3.1", "bob", "api", True),
    ("3.1-jwks", "bob", "api", True),
    ("3.1", "bob", "write_registry", False),
    ("3.1-jwks", "alice", "api", False),
])
def test_same_states(open_to_all, sites, tmp_path, name, user, scopes,
                     deletes):
    site = sites.get(name)
    own = f"oci-{user}-{scopes}".replace("_", "-")
    want = open_to_all(site.registry.version)
    states = oci.conformance(tmp_path, site.host,
                             (f"g/priv/{own}", f"g/int/{own}"),
                             *site.world.basic(user, scopes))
    assert states == (want if deletes else without_deletes(want))
    lines = [line for line in site.world.log("token")
             if own in line["asked"]]
    assert lines and {line["user"] for line in lines} == {user}
    assert {line["reason"] for line in lines} == \
        ({"granted"} if deletes else {"granted", "nothing"})
