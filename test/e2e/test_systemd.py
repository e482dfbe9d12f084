"""The units in docker/, by systemd's own tools; the protocols are in
test_protocol_notify.py. systemd need not run here.
"""

import os
import re
import shutil
import subprocess

import pytest

from support.dockpass import PROGRAM, TOP, Dockpass
from support.process import wait_until
from support.wire import Wire

UNITS = ("dockpass.service", "dockpass.socket")
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"

needs_tools = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd is not installed")


def analyze(*words):
    done = subprocess.run(["systemd-analyze", *map(str, words)], text=True,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done
    return done.stdout, done.stderr


@pytest.fixture
def units(tmp_path):
    """As `make install` leaves them, of the program that is tested."""
    for name in UNITS:
        text = (TOP / "docker" / name).read_text()
        (tmp_path / name).write_text(
            text.replace("/usr/local/bin/dockpass", str(PROGRAM)))
    return [tmp_path / name for name in UNITS]


@needs_tools
def test_the_units_are_right(units):
    """No word of theirs is unknown, or ignored."""
    assert analyze("verify", "--man=no", *units) == ("", "")


@needs_tools
def test_the_service_is_as_closed_as_it_can_be():
    table, _ = analyze("security", "--offline=yes", "--no-pager",
                       TOP / "docker/dockpass.service")
    exposure = float(re.search(r"exposure level for \S+: ([\d.]+)", table)[1])
    assert exposure < 1.5, table


@pytest.mark.parametrize("option", [
    "Type=notify", "WatchdogSec=30", "Restart=on-failure", "RestartSec=3",
    "StartLimitIntervalSec=0", "UMask=0077",
    "LimitCORE=0", "NoNewPrivileges=yes", "LimitNOFILE=65536"])
def test_what_no_tool_misses(option):
    """Each of them may go, and the exposure stays below what is asked."""
    text = (TOP / "docker/dockpass.service").read_text()
    assert text.splitlines().count(option) == 1


@needs_tools
def test_what_the_sandbox_needs_is_not_filtered_away():
    """@system-service of systemd 252 has none of these."""
    text = (TOP / "docker/dockpass.service").read_text()
    names = " ".join(re.findall(r"^SystemCallFilter=([a-z].*)$", text, re.M))
    assert set(names.split()) >= {
        "seccomp", "landlock_create_ruleset", "landlock_add_rule",
        "landlock_restrict_self"}


def test_both_units_and_the_configuration_name_one_address():
    ports = re.findall(r"^ListenStream=(\S+)$",
                       (TOP / "docker/dockpass.socket").read_text(), re.M)
    example = (TOP / "docker/dockpass.yaml").read_text()
    listeners = example.split("\nlisteners:")[1].split("\nservices:")[0]
    assert re.findall(r"^  - address: (\S+)", listeners, re.M) == ports


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"),
                    reason="systemd is not installed")
def test_systemd_hands_over(tmp_path):
    """It starts the program when somebody comes, who is answered."""
    with Dockpass(tmp_path) as dockpass:
        dockpass.inside = ["systemd-socket-activate", "--listen",
                           f"127.0.0.1:{dockpass.port}", "--fdname=web",
                           "--setenv=DOCKPASS_ADMIN_ADDRESS"]
        dockpass.launch()
        wait_until(lambda: "Listening on" in dockpass.output, 20, "listening")
        assert "ready: " not in dockpass.output
        with Wire(dockpass.port) as wire:
            assert wire.send(HEALTH).answer().status_code == 200
        wait_until(lambda: "ready: " in dockpass.output, 20, "ready")
        # One process from first to last.
        assert os.readlink(f"/proc/{dockpass.daemon.process.pid}/exe") == \
            str(PROGRAM)
