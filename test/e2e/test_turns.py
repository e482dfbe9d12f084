"""A turn of a worker's loop takes one request of a connection."""

import subprocess

from support.process import wait_until
from support.wire import Wire
from test_protocol_turns import (  # noqa: F401, pylint: disable=unused-import
    HEALTH, one, own)

REQUESTS = 200


def test_who_sends_many_at_once_holds_nobody_up(one, tmp_path):  # noqa: F811
    trace = tmp_path / "trace"
    trace.touch()
    strace = subprocess.Popen(
        ["strace", "-f", "-qq", "-e", "trace=epoll_wait,writev", "-o", trace,
         "-p", str(one.daemon.process.pid)], stderr=subprocess.DEVNULL)
    try:
        with Wire(one.port) as wire:
            wait_until(lambda: wire.send(HEALTH).answer() and
                       "writev" in trace.read_text(), 10, "no trace")
            wire.send(HEALTH * REQUESTS)
            for _ in range(REQUESTS):
                assert wire.answer().status_code == 200
    finally:
        strace.terminate()
        strace.wait()
    calls = [line.split()[1].split("(")[0]
             for line in trace.read_text().splitlines() if "(" in line]
    pairs = list(zip(calls, calls[1:]))
    assert calls.count("writev") >= REQUESTS
    # The last has none behind it and may follow the one before at once.
    assert pairs.count(("writev", "writev")) <= 1
