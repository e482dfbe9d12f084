"""Who is sent away while his answer is held back: what is said of it later is
what he asked, not what has become of his memory.
"""

import pytest

from support import metrics
from support.dockpass import PATIENCE, Dockpass
from support.process import wait_until
from support.ways import basic
from support.wire import Wire, request

CONNECTIONS = 200  # 40 KB behind each: limits.held is 1 MiB
CLIENT = "abcdefghijklmnop"
ASKED = f"GET /token?service=registry&client_id={CLIENT}"
WRONG = f"Authorization: {basic('x', 'glpat-' + 20 * 'A')}"
HELD_BACK = "dockpass_answers_held_back_total"
OTHER = "X-Forwarded-For: 198.51.100.7"


@pytest.fixture
def own(tmp_path):
    with Dockpass(tmp_path, workers=1, limits={"held": 1},
                  guard={"failures": 1}, trusted_proxies="127.0.0.1") as own:
        yield own.serve()


def test_who_gives_way_while_his_answer_is_late_is_logged_as_he_asked(own):
    before = len(own.log("token")) + 4
    with Wire(own.port) as wire:
        for _ in range(4):  # from now on they are late
            wire.send(request(ASKED, WRONG, OTHER)).answer()
    own.logged(0, before)
    held_before = metrics.scrape(own)[HELD_BACK]

    def told():
        """(How many lines since then, how many answers were held back.)"""
        return (len(own.log("token")) - before,
                metrics.scrape(own)[HELD_BACK] - held_before)
    wires = []
    for _ in range(CONNECTIONS):
        wires.append(Wire(own.port).send(
            request(ASKED, WRONG, OTHER) +
            b"GET /token HTTP/1.1\r\nHost: a\r\nX: " + 40_000 * b"a"))
    # Some few may be sent away before their first request was taken.
    wait_until(lambda: told()[0] == told()[1] > CONNECTIONS / 2,
               15 * PATIENCE, told)
    for line in own.log("token")[before:]:
        assert (line["service"], line["client"]) == ("registry", CLIENT)
    for wire in wires:
        wire.close()
