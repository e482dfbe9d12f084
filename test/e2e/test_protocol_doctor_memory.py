"""What a registry answers takes no more of the doctor's memory than it is long.
"""

import os
import subprocess

import pytest

from support.dockpass import PROGRAM, Dockpass
from support.http import Server, always

END = 'Bearer realm="http://localhost:1/token",service="registry"'
LINES = {
    "challenges without number": 'a b="",' * 8400 + END,
    "parameters without number": "a " + 'b="",' * 11_000 + END,
    "one of all backslashes": 'a b="' + "\\a" * 29_000 + '",' + END,
    "challenges with a backslash": 'a b="\\a",' * 6500 + END,
}


@pytest.mark.parametrize("name", LINES)
def test_a_registry_cannot_fill_the_doctors_memory(tmp_path, name):
    line = LINES[name]
    with Dockpass(tmp_path) as own, Server(
            always(401, {"WWW-Authenticate": line})) as server:
        with subprocess.Popen(
                [PROGRAM, "doctor", server.url, "--config", own.config_file],
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                env=own.env) as child:
            said = child.stderr.read()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 1, said
    assert usage.ru_maxrss < 200_000, f"{usage.ru_maxrss} KiB"
