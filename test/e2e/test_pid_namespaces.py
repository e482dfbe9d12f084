"""A store in two containers: in each the program is process 1, and LMDB takes
a reader for another of its own by that id. Who is refused is told what mends
it, not to end the server.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.doctor import doctor
from support.dockpass import Dockpass

APART = ["unshare", "--pid", "--fork", "--kill-child"]
# As docker run --init: another is process 1.
INIT = [*APART, "sh", "-c", '"$@"; exit $?', "sh"]

READER = """
import sys, lmdb
env = lmdb.open(sys.argv[1], max_dbs=64, map_size=1 << 30)
with env.begin():
    print("reads", flush=True)
    sys.stdin.read()
"""


def able():
    return not subprocess.run([*APART, "true"], check=False,
                              capture_output=True, timeout=20).returncode


pytestmark = pytest.mark.skipif(not able(), reason="unshare needs root")


@pytest.fixture
def dockpass(tmp_path):
    return Dockpass(tmp_path)


def line_of(dockpass):
    return (f"cannot read store {dockpass.folder}/store: another container "
            "has it open, by a process of the same id, 1: run commands in the "
            "server's container (docker exec), or in one of docker run "
            "--init, where they get another id")


def end(dockpass):
    """unshare does not pass a signal on."""
    outer = dockpass.daemon.process.pid
    inner = Path(f"/proc/{outer}/task/{outer}/children").read_text()
    os.kill(int(inner), signal.SIGTERM)
    assert dockpass.stop() == 0


def test_a_command_beside_the_server(dockpass):
    dockpass.inside = APART
    dockpass.serve()
    try:
        for command in ("user", "list"), ("backup", dockpass.folder / "copy"):
            assert dockpass.refused(*command) == (
                1, f"dockpass: {line_of(dockpass)}")
        failed, checks = doctor(dockpass)
        assert failed == ["store"]
        assert checks["store"]["message"] == line_of(dockpass)
        for inside in [], INIT:  # as these lines advise
            dockpass.inside = inside
            assert dockpass.json("user", "list") == []
    finally:
        end(dockpass)


def test_a_server_beside_a_command(dockpass):
    dockpass.inside = APART
    with subprocess.Popen(
            [*APART, sys.executable, "-c", READER, dockpass.folder / "store"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout.readline() == b"reads\n"
        assert dockpass.refused("serve") == (
            1, f"dockpass: {line_of(dockpass)}")
        reader.stdin.close()
        assert reader.wait(20) == 0
    dockpass.serve()
    end(dockpass)
