"""The OCI's own tests of a registry: our tokens change nothing of them."""

from functools import cache

import pytest

from support import oci


@pytest.fixture(scope="module")
def open_to_all(tmp_path_factory):
    """What each test of the suite says of a registry without tokens."""
    @cache
    def states(version):
        return oci.without_tokens(tmp_path_factory.mktemp("oci"), version)
    return states


def without_deletes(states):
    return {name: "failure" if "-delete " in name and state == "passed"
            else state for name, state in states.items()}


# A maintainer; a token that does not reach so far; a developer.
@pytest.mark.parametrize("name, user, scopes, deletes", [
    ("2.8", "bob", "api", True),
    ("3.1", "bob", "api", True),
    ("3.1-jwks-ES256", "bob", "api", True),
    ("3.1", "bob", "write_registry", False),
    ("3.1-jwks-ES256", "alice", "api", False),
])
def test_same_states(open_to_all, sites, tmp_path, name, user, scopes,
                     deletes):
    site = sites.get(name)
    want = open_to_all(site.registry.version)
    states, reasons = oci.with_tokens(tmp_path, site, user, scopes)
    assert states == (want if deletes else without_deletes(want))
    assert reasons == ({"granted"} if deletes else {"granted", "nothing"})
