"""A process that was stopped while it holds the store's lock: who waits for it
says so, no client hangs, and who watches is told."""

import fcntl
import os
import signal
import struct
import subprocess
import time

import pytest

from support import metrics, tokens
from support.dockpass import PATIENCE, PROGRAM
from support.filling import Filled
from support.process import wait_until
from support.ways import get_basic, login

FLOCK = "hhqqi4x"


def holder(own):
    """The process that holds the store's lock, or 0."""
    with open(own.folder / "store/data.mdb", "rb") as file:
        asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
        how, *_, pid = struct.unpack(
            FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    return 0 if how == fcntl.F_UNLCK else pid


@pytest.fixture
def own(tmp_path):
    with Filled(tmp_path, workers=2) as own:
        own.secret = own.token("alice", scopes="api")
        yield own


def command(own, *args):
    return subprocess.Popen(
        [PROGRAM, *args, "--config", own.config_file], env=own.env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture
def stopped(own):
    """A command that was stopped in the middle of its write: tried until it
    is hit there. At the end it goes on, and does what was asked."""
    for turn in range(200):
        process = command(own, "user", "add", f"held{turn}", "--email", "e@x")
        while process.poll() is None and holder(own) != process.pid:
            pass
        process.send_signal(signal.SIGSTOP)
        if process.returncode is None:
            os.waitid(os.P_PID, process.pid,
                      os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if holder(own) == process.pid:
            break
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 0
    else:
        pytest.fail("no command was stopped in time")
    yield process
    process.send_signal(signal.SIGCONT)
    assert process.wait(60) == 0


def go_on(process):
    process.send_signal(signal.SIGCONT)
    assert process.wait(60) == 0


def test_a_command_says_for_whom_it_waits(own, stopped):
    waiting = command(own, "user", "add", "bob", "--email", "b@x")
    assert waiting.stderr.readline() == (
        f"dockpass: waiting for process {stopped.pid}, which holds the "
        "store's lock\n")
    assert waiting.poll() is None
    # Who only reads does not wait.
    assert "bob" not in own.cli("user", "list")
    go_on(stopped)
    assert waiting.communicate(timeout=60)[1] == ""
    assert waiting.returncode == 0 and "bob" in own.cli("user", "list")


def test_nobody_hangs_and_who_watches_is_told(own, stopped):
    own.serve()
    # The server itself has begun to wait: how far its log has come.
    assert metrics.scrape(own)["dockpass_writer_wait_seconds"] < 4.9
    began = time.monotonic()
    refused = login(own, own.secret)
    took = time.monotonic() - began
    assert "try again" in tokens.refusal(refused, 503, "UNAVAILABLE")
    assert refused.headers["Retry-After"] == "1"
    assert 4.9 < took < 8 * PATIENCE
    assert own.logged(0)[0]["reason"] == "too_busy"
    said, = own.logged(0, event="store")
    assert (said["level"], said["message"]) == (
        "error", f"changes wait: process {stopped.pid} holds the store's "
        "lock; end it if it hangs")
    seen = metrics.scrape(own)
    assert seen["dockpass_writer_wait_seconds"] > 4.9
    assert get_basic(own, own.secret, "repository:g/app:pull").ok
    go_on(stopped)
    wait_until(lambda: len(own.log("store")) == 2, 20 * PATIENCE, "that it is")
    assert own.log("store")[1]["message"] == "changes are written again"
    metrics.reaches(own, "dockpass_writer_wait_seconds", 0)
    # What was refused was not done later.
    key = 'dockpass_store_entries{table="refresh"}'
    assert metrics.scrape(own)[key] == 0
    assert login(own, own.secret).ok
    assert metrics.scrape(own)[key] == 1


@pytest.mark.usefixtures("stopped")
def test_an_end_waits_no_longer_than_ten_seconds(own):
    own.serve()
    assert login(own, own.secret).status_code == 503
    own.daemon.send(signal.SIGTERM)
    began = time.monotonic()
    assert own.daemon.process.wait(30 * PATIENCE) == 0
    assert 9.5 < time.monotonic() - began < 11.5 * PATIENCE
    assert own.logged(0, event="stop")[-1]["message"] == \
        "left at once: 10 s are over"
