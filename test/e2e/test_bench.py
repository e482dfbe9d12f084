"""`make bench` on an ordinary shell, and what it does when a part fails."""

import json
import os
import resource
import shutil
import subprocess

import pytest

from support.dockpass import PROGRAM, TOP

HELD = "RssAnon, 10,000 idle keep-alive connections"
# Takes nginx's place: it listens, has a child as that has, and never answers.
SILENT = """#!/usr/bin/python3
import os, re, signal, socket, sys
config = open(sys.argv[2]).read()
port = int(re.search(r"127.0.0.1:(\\d+)", config)[1])
listener = socket.create_server(("127.0.0.1", port))
child = os.fork()
if child:
    signal.signal(signal.SIGTERM, lambda *_: (os.kill(child, 9), sys.exit()))
signal.pause()
"""


@pytest.fixture(scope="module", autouse=True)
def programs():
    if PROGRAM != TOP / "build/release/dockpass":
        pytest.skip("it measures the release build alone")
    if not shutil.which("wrk"):
        pytest.skip("wrk is not installed (docker/deps bench)")
    env = {name: value for name, value in os.environ.items()
           if name not in ("MAKEFLAGS", "MAKELEVEL", "MODE")}
    subprocess.run(["make", "-s", "bench-programs"], cwd=TOP, env=env,
                   check=True, capture_output=True, timeout=300)


def bench(tmp_path, soft, hard, path, *parts):
    """(status, the file that it leaves, what it prints)."""
    output = tmp_path / "bench.json"
    done = subprocess.run(
        ["prlimit", f"--nofile={soft}:{hard}", "/usr/bin/python3",
         TOP / "test/bench/bench.py", "--output", output, "--only", *parts],
        env={**os.environ, "PATH": path, "BENCH_ROUNDS": "1",
             "BENCH_SECONDS": "1"},
        text=True, capture_output=True, timeout=120, check=False)
    assert output.exists(), done.stderr
    return done.returncode, json.loads(output.read_text()), done.stdout


def test_an_ordinary_shell_is_enough(tmp_path):
    """1,024 descriptors until one asks for more, and no /usr/sbin."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most < 10400:
        pytest.skip(f"10,000 connections want 10,400 descriptors, not {most}")
    if not os.path.exists("/usr/sbin/nginx"):
        pytest.skip("nginx is not installed (docker/deps bench)")
    status, left, said = bench(tmp_path, 1024, most, "/usr/bin:/bin",
                               "memory", "handshakes")
    assert status == 0 and all("value" in row for row in left["rows"]), said
    assert left["rows"][2]["what"] == HELD and len(left["rows"]) == 4


def test_what_cannot_be_measured_says_why_and_the_rest_goes_on(tmp_path):
    silent = tmp_path / "nginx"
    silent.write_text(SILENT)
    silent.chmod(0o755)
    status, left, said = bench(tmp_path, 1024, 1024, f"{tmp_path}:/usr/bin:/bin",
                               "handshakes", "memory")
    assert status == 1, said
    failed = {row["what"]: row["failed"] for row in left["rows"]
              if "failed" in row}
    assert failed == {
        "TLS 1.3 handshakes, against nginx": "no answer within 2 s",
        HELD: "10000 connections want 10400 descriptors, and ulimit -Hn says "
              "1024"}
    assert f"| {HELD} | not measured: 10000 connections want" in said
    assert [row["what"] for row in left["rows"] if "value" in row] == \
        ["RssAnon, idle", "VmRSS, idle"]
    assert left["commit"] in said and left["machine"] in said
