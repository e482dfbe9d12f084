"""A store that is damaged under the running server: log, /readyz and command
line say the same of it."""

import pytest

from support import metrics, tokens
from support.dockpass import STORE_MEND, Dockpass
from test_protocol_backup import zero

PULL = "repository:g/p:pull"
DAMAGED = f"the store is damaged; {STORE_MEND}"


@pytest.fixture
def own(tmp_path):
    with Dockpass(tmp_path) as own:
        own.user("ann")
        own.cli("project", "add", "g/p")
        own.secret = own.token("ann", scopes="api")
        yield own.serve()


def test_the_log_says_that_the_store_is_damaged(own):
    """More than once: what the first request found is not forgotten."""
    zero(own.folder / "store/data.mdb", 2, 20)
    for turn in range(3):
        answer = own.ask(PULL, auth=("ann", own.secret))
        tokens.refusal(answer, 500, "UNKNOWN")
        assert own.logged(turn, event="failure")[0]["message"] == \
            f"a token could not be made: {DAMAGED}"
    assert metrics.get(own, "/readyz").json()["checks"]["store"] == DAMAGED
    assert DAMAGED in own.refused("user", "list")[1]
