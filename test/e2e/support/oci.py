"""The conformance suite of the OCI distribution-spec, at one registry.

It gets its tokens as the registry's challenge says: GET, Basic, the whole
challenge as one scope, one token for each repository and kind of request.
"""

import subprocess
import xml.etree.ElementTree as xml
from collections import Counter

from support import apart, golang
from support.registry import PROGRAMS

SUITE = ("github.com/opencontainers/distribution-spec/conformance",
         "v0.0.0-20260831232431-97274622c111")


def program():
    """Its path, or a skip that says why there is none."""
    return golang.program(*SUITE, large=True)


def conformance(folder, host, repositories, user="", secret=""):
    """{name of a test: passed | failure | skipped | error}.

    It mounts from one of the two repositories into the other. Its status says
    only whether all have passed; at no registry they do. What it asked and was
    answered is in folder/report.html.
    """
    done = subprocess.run(
        [program()], text=True, capture_output=True, timeout=300, check=False,
        cwd=folder, env={
            **apart.environment(folder), "OCI_REGISTRY": host,
            "OCI_TLS": "disabled", "OCI_VERSION": "1.1",
            "OCI_REPO1": repositories[0], "OCI_REPO2": repositories[1],
            "OCI_USERNAME": user, "OCI_PASSWORD": secret,
            "OCI_RESULTS_DIR": str(folder)})
    results = folder / "junit.xml"
    assert results.exists(), done.stderr
    # One name stands for each blob of an image, in any order.
    states, seen = {}, Counter()
    for name, state in sorted((case.get("name"), case.get("status"))
                              for case in xml.parse(results).iter("testcase")):
        seen[name] += 1
        states[f"{name} {seen[name]}"] = state
    return states


def without_tokens(folder, version):
    """What each test says of a registry that lets everybody do everything."""
    with PROGRAMS[version].make(folder / "registry", None,
                                  version) as registry:
        states = conformance(folder, registry.host, ("g/a/oci", "g/b/oci"))
    # What fails there fails for the registry's own reasons.
    assert Counter(states.values())["passed"] > 500, Counter(states.values())
    return states


def with_tokens(folder, site, user, scopes):
    """The same of a site, where dockpass knows of no other user."""
    own = f"oci-{user}-{scopes}".replace("_", "-")
    states = conformance(folder, site.host,
                         (f"g/priv/{own}", f"g/int/{own}"),
                         *site.world.basic(user, scopes))
    lines = [line for line in site.world.log("token")
             if own in line["asked"] and line["service"] == site.name]
    assert lines and {line["user"] for line in lines} == {user}, lines
    return states, {line["reason"] for line in lines}
