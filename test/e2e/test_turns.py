"""A turn of a worker's loop takes one request of a connection."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from support.wire import Wire
from test_protocol_turns import (  # fixtures
    HEALTH, own)

REQUESTS = 200


def test_who_sends_many_at_once_holds_nobody_up(own, tmp_path):
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    own.configure(workers=1)
    # From its start on: later nobody but root may look into it.
    own.inside = ["strace", "-f", "-qq", "-e", "trace=epoll_wait,writev",
                  "-o", trace]
    own.serve()
    parent = own.daemon.process.pid
    child = int(Path(f"/proc/{parent}/task/{parent}/children").read_text())
    try:
        with Wire(own.port) as wire:
            wire.send(HEALTH * REQUESTS)
            for _ in range(REQUESTS):
                assert wire.answer().status_code == 200
    finally:
        os.kill(child, signal.SIGTERM)  # strace heeds none, and ends with it
        assert own.stop() == 0
    calls = [line.split()[1].split("(")[0]
             for line in trace.read_text().splitlines() if "(" in line]
    pairs = list(zip(calls, calls[1:]))
    assert calls.count("writev") >= REQUESTS
    # The last has none behind it and may follow the one before at once.
    assert pairs.count(("writev", "writev")) <= 1
