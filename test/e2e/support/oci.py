"""The conformance suite of the OCI distribution-spec, at one registry.

It gets its tokens as the registry's challenge says: GET, Basic, the whole
challenge as one scope, one token for each repository and kind of request.
"""

import os
import subprocess
import xml.etree.ElementTree as xml
from collections import Counter

from support import golang

SUITE = ("github.com/opencontainers/distribution-spec/conformance",
         "v0.0.0-20260831232431-97274622c111")


def environment(folder, host, repositories, user, secret):
    """The suite's own variables, and none of whoever runs it."""
    return {key: value for key, value in os.environ.items()
            if not key.startswith("OCI_")} | {
        "OCI_REGISTRY": host, "OCI_TLS": "disabled", "OCI_VERSION": "1.1",
        "OCI_REPO1": repositories[0], "OCI_REPO2": repositories[1],
        "OCI_USERNAME": user, "OCI_PASSWORD": secret,
        "OCI_RESULTS_DIR": str(folder)}


def conformance(folder, host, repositories, user="", secret=""):
    """{name of a test: passed | failure | skipped | error}.

    It mounts from one of the two repositories into the other. Its status says
    only whether all have passed; at no registry they do. What it asked and was
    answered is in folder/report.html.
    """
    done = subprocess.run(
        [golang.program(*SUITE, large=True)], text=True, capture_output=True,
        timeout=300, check=False, cwd=folder,
        env=environment(folder, host, repositories, user, secret))
    results = folder / "junit.xml"
    assert results.exists(), done.stderr
    # One name stands for each blob of an image, in any order.
    states, seen = {}, Counter()
    for name, state in sorted((case.get("name"), case.get("status"))
                              for case in xml.parse(results).iter("testcase")):
        seen[name] += 1
        states[f"{name} {seen[name]}"] = state
    return states
