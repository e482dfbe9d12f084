"""Debian's own slowhttptest against a server that others use meanwhile (wrk):
these are served throughout, memory stays, and the server itself ends it.
"""

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support import metrics
from support.dockpass import PROGRAM, TOP, Dockpass, hurried
from support.trickle import trickling
from support.wire import Wire
from support.ways import basic

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
SLOW = 'dockpass_connections_slow_total{in="%s"}'
FASTER = 5  # the server's clock: 10 s are 2, and a minute is 12
EACH = 300
SCOPES = "".join(f"&scope=repository:g/pub/{i:03}{'a' * 240}:pull"
                 for i in range(60))
KEYS, TOKEN = "/.well-known/jwks.json", "/token?service=registry"
# name: (its options, whom it asks)
ATTACKS = {
    "slow headers": (["-H", "-i", "1", "-x", "8"], TOKEN),
    "slow body": (["-B", "-i", "1", "-s", "8192"], TOKEN),
    "ranges": (["-R", "-a", "1", "-b", "2000"], KEYS),
    # 500 KB of answers, of which eight bytes are read in a second.
    "slow read": (["-X", "-k", "10", "-w", "1", "-y", "64", "-z", "8"],
                  TOKEN + SCOPES),
}


@pytest.fixture(name="busy")
def a_busy_server(tmp_path):
    for program in ("wrk", "slowhttptest"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed (docker/deps test)")
    if "release" not in str(PROGRAM):
        pytest.skip("libfaketime and a sanitizer cannot both come first")
    with Dockpass(tmp_path) as dockpass:
        dockpass.user("alice")
        dockpass.cli("project", "add", "g/pub", "--visibility", "public")
        secret = dockpass.token("alice", scopes="api")
        dockpass.sample = tmp_path / "sample"
        dockpass.sample.touch(0o600)
        dockpass.sample.write_text(
            f"{basic('alice', secret)}\t/token?service=registry"
            "&scope=repository:g/pub/app:pull\n")
        yield dockpass


def wrk(dockpass, seconds):
    """p99 in ms of those who use it; each of them is answered."""
    done = subprocess.run(
        ["wrk", "-t1", "-c4", f"-d{seconds}s", "-s",
         TOP / "test/bench/wrk.lua", dockpass.url], text=True, check=True,
        env={**os.environ, "BENCH_SAMPLE": str(dockpass.sample)},
        capture_output=True, timeout=seconds + 30)
    asked, _, bad, p99 = map(int, re.search(
        r"^figures (\d+) (\d+) (\d+) (\d+)$", done.stdout, re.M).groups())
    assert asked > 100 * seconds and not bad, done.stdout
    return p99 / 1000


def most_memory(dockpass):
    """KiB, the most that it ever had."""
    status = Path(f"/proc/{dockpass.daemon.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def attack(dockpass, options, path):
    return subprocess.Popen(
        ["slowhttptest", *options, "-c", str(EACH), "-r", str(EACH), "-l",
         "25", "-p", "3", "-u", dockpass.url + path], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def outcome(process):
    """What slowhttptest says, without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", process.communicate(timeout=40)[0])


def test_four_attacks_at_once(busy, faketime):
    busy.serve(env=hurried(FASTER))
    wrk(busy, 1)
    memory = most_memory(busy)
    with contextlib.ExitStack() as stack:
        attacks = {name: stack.enter_context(attack(busy, *row))
                   for name, row in ATTACKS.items()}
        for _ in range(3):
            wrk(busy, 2)
        # This one does not notice that it was reset; the server knows.
        deaf = attacks.pop("slow read")
        metrics.reaches(busy, "dockpass_connections", 0)
        assert deaf.poll() is None
        deaf.terminate()
        said = {name: outcome(process) for name, process in attacks.items()}
        assert "NO" not in outcome(deaf).split()
    for name, text in said.items():
        # Not "Hit test time limit": it was the server that ended it.
        assert re.search(r"Exit status:\s+No open connections left", text), \
            (name, text[-800:])
        assert "NO" not in text.split(), (name, text)  # is it available?
    # 1,200 connections, and what they hold.
    assert most_memory(busy) - memory < 40 * 1024
    seen = metrics.scrape(busy)
    assert seen[SLOW % "request"] >= 2 * EACH
    assert seen[SLOW % "reply"] >= EACH
    assert seen["dockpass_held_bytes"] == 0
    assert busy.daemon.process.poll() is None


@contextlib.contextmanager
def idle(port, n):
    """n who have had an answer, and wait."""
    wires = [Wire(port).send(HEALTH) for _ in range(n)]
    try:
        assert {wire.answer().status_code for wire in wires} == {200}
        yield
    finally:
        for wire in wires:
            wire.close()


def test_slow_and_idle_connections_slow_nobody(busy):
    """800 of each; test/bench has 5,000 of each. In turns, until chance has
    no part in it: a server that is slowed down is so in each of them."""
    busy.serve()
    ratios = []
    for _ in range(6):
        without = wrk(busy, 1)
        with trickling(busy.port, 800), idle(busy.port, 800):
            metrics.reaches(busy, "dockpass_connections", 1600)
            ratios.append(wrk(busy, 1) / without)
        if ratios[-1] <= 2:
            break
    print("p99 with them, against without:", ratios)
    assert min(ratios) <= 2, ratios
