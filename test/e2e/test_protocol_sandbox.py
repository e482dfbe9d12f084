"""The sandbox of a server that runs: it is on, it holds for each of its
threads, and what a reload brings from beyond it is refused and said.

What can be done in it: test/unit/server/test_sandbox.c. That all else works
in it is what all other tests show.
"""

import ctypes
import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from support import network, secrets
from support.dockpass import PATIENCE, Dockpass
from support.process import wait_until
from support.site import Certificate
from support.ways import basic
from support.wire import Wire, request


@pytest.fixture
def dockpass(tmp_path):
    with Dockpass(tmp_path) as dockpass:
        yield dockpass


def said(dockpass):
    """(level, words) of the one line at the start."""
    line, = [line for line in dockpass.log("start")
             if line["message"].startswith("sandbox: ")]
    return line["level"], line["message"].removeprefix("sandbox: ")


def in_force(dockpass):
    """What the start says; skips where there is none to be looked at, and that
    by the kernel's word, not by dockpass'."""
    words = said(dockpass)[1]
    landlock = ctypes.CDLL(None).syscall(444, None, 0, 1)
    if "sanitizer" in words and PATIENCE > 1:
        pytest.skip(f"sandbox: {words}")
    if landlock <= 0 or "Seccomp:" not in Path("/proc/self/status").read_text():
        pytest.skip(f"this kernel has no sandbox: {words}")
    return words


def threads(dockpass):
    """{thread: {name: text}} of what the kernel says of each."""
    tasks = Path(f"/proc/{dockpass.daemon.process.pid}/task")
    return {task.name: dict(
        line.split(":\t", 1) for line in
        (task / "status").read_text().splitlines()) for task in tasks.iterdir()}


def test_it_is_on_in_each_thread(dockpass):
    dockpass.configure(workers=3)
    dockpass.serve()
    words = in_force(dockpass)
    assert words.startswith("seccomp, Landlock ABI ")
    rows = threads(dockpass)
    assert len(rows) >= 3 + 4  # workers; main, writer, log, jobs
    for row in rows.values():
        assert (row["Seccomp"], row["NoNewPrivs"]) == ("2", "1")
    assert said(dockpass)[0] == "info"


def test_it_can_be_switched_off(dockpass):
    dockpass.configure(sandbox=False)
    dockpass.serve()
    assert said(dockpass) == ("info", "off, as dockpass.yaml says")
    rows = threads(dockpass)
    assert {row["Seccomp"] for row in rows.values()} <= {
        Path("/proc/self/status").read_text().split("Seccomp:\t")[1][0]}
    dockpass.configure(sandbox=True)
    assert dockpass.reload().startswith("done: ")
    assert "sandbox has changed: restart" in dockpass.output


# A kernel, or a container, that has neither: its calls fail as there.
LESS = {
    "no Landlock": ("landlock_create_ruleset", "ENOSYS",
                    "seccomp, without Landlock (the kernel has none, or it is "
                    "switched off)"),
    "Landlock is forbidden": ("landlock_create_ruleset", "EPERM",
                              "seccomp, without Landlock (Operation not "
                              "permitted)"),
    "no seccomp": ("seccomp", "ENOSYS", "without seccomp ("),
}


@pytest.mark.parametrize("row", LESS.values(), ids=LESS.keys())
def test_what_is_not_there_is_a_warning(dockpass, row):
    call, error, words = row
    dockpass.serve()
    in_force(dockpass)
    assert dockpass.stop() == 0
    dockpass.log_file.unlink()
    # -D: the program is our child, and strace beside it.
    dockpass.inside = ["strace", "-D", "-qq", "-f", "-o", os.devnull, "-e",
                       f"trace={call}", "-e", f"inject={call}:error={error}"]
    dockpass.serve()
    level, got = said(dockpass)
    assert level == "warning" and got.startswith(words), got
    assert dockpass.ask().status_code == 200


def test_a_reload_reaches_no_further(dockpass, tmp_path):
    """It says what to do, and goes on with what it had."""
    beyond = tmp_path / "beyond"
    beyond.mkdir()
    certificate = Certificate(beyond)
    dockpass.serve()
    in_force(dockpass)
    good = dockpass.config_file.read_text()
    ca = beyond / "ca.pem"
    ca.write_text("x")
    for options in ({"log": {"file": str(beyond / "log")}},
                    {"webhook": {"url": "http://127.0.0.1:9",
                                 "secret_file": "secret"}}):
        secret = dockpass.folder / "secret"
        secret.write_text(secrets.remember("a-secret-of-a-webhook") + "\n")
        secret.chmod(0o600)
        dockpass.configure(**options)
        assert "the old ones stay: " in (message := dockpass.reload())
        assert "does not reach there: restart dockpass" in message
        assert dockpass.ask().status_code == 200
        dockpass.config_file.write_text(good)
    dockpass.configure(listener=certificate.listener)
    assert f"{beyond}/" in dockpass.reload()
    dockpass.config_file.write_text(good)
    assert dockpass.reload().startswith("done: ")


def test_a_configuration_that_leads_elsewhere(dockpass, tmp_path):
    """Not "run as root", which it may be."""
    dockpass.serve()
    in_force(dockpass)
    aside = tmp_path / "aside.yaml"
    dockpass.config_file.rename(aside)
    dockpass.config_file.symlink_to(aside)
    assert dockpass.reload() == (
        f"the old ones stay: {dockpass.config_file}: the sandbox of the "
        "running server does not reach there: restart dockpass")


# A folder that was removed or renamed, and made again: by its name it is what
# it was, to the kernel it is another. Each is in a folder of its own here.

@pytest.fixture
def spread(dockpass, tmp_path):
    for name in "tls", "log", "secret":
        (tmp_path / name).mkdir()
    for name in "keys", "public", "store":
        (dockpass.folder / name).rename(tmp_path / name)
    secret = tmp_path / "secret/file"
    secret.write_text(secrets.remember("a-secret-of-a-webhook") + "\n")
    secret.chmod(0o600)
    certificate = Certificate(tmp_path / "tls")
    dockpass.verify = str(certificate.ca)
    dockpass.configure(
        listener=certificate.listener, log={"file": str(tmp_path / "log/log")},
        webhook={"url": "http://127.0.0.1:9", "secret_file": str(secret)},
        **{name: str(tmp_path / name) for name in ("keys", "public", "store")})
    return dockpass.serve()


def make_again(folder):
    """With all that is in it."""
    folder.rename(aside := folder.with_name("aside"))
    shutil.copytree(aside, folder, copy_function=shutil.copy2)


# folder: (does the reload fail?, what the line names)
ANOTHER = {"keys": (True, "keys"), "log": (True, "log/log"),
           "secret": (True, "secret/file"), "tls": (True, "tls/tls.crt"),
           "dockpass": (True, "dockpass/dockpass.yaml"),
           "public": (False, "public/bundle.pem")}


@pytest.mark.parametrize("name", ANOTHER)
def test_a_folder_that_was_made_again(spread, tmp_path, name):
    """Not "Permission denied", nor an advice that mends nothing."""
    fails, names = ANOTHER[name]
    in_force(spread)
    make_again(tmp_path / name)
    said = spread.reload()
    assert said.startswith("the old ones stay: " if fails else "done: ")
    line = said if fails else spread.log("keys")[-1]["message"]
    assert line.endswith(
        f"{tmp_path}/{names}: its folder is another than at the start (removed "
        "or renamed, and made again), and the sandbox of the running server "
        "does not reach there: restart dockpass")
    assert spread.ask().status_code == 200
    # It does mend it.
    assert spread.stop() == 0
    before = len(spread.output)
    spread.serve()
    assert spread.reload().startswith("done: ")
    assert "restart dockpass" not in spread.output[before:]


def test_a_store_that_was_made_again_beyond_the_sandbox(spread, tmp_path):
    """It is served as before, and its own line says what that means."""
    in_force(spread)
    make_again(tmp_path / "store")
    assert spread.reload().startswith("done: ")
    assert spread.log("store")[-1]["message"].endswith(
        f"{tmp_path}/store: is not the store that is open (removed or "
        "renamed, and made again): what commands change there does not hold: "
        "restart dockpass")
    assert spread.ask().status_code == 200


def test_below_a_folder_that_stays_it_is_no_other(dockpass):
    dockpass.serve()
    in_force(dockpass)
    for name in "keys", "public":
        make_again(dockpass.folder / name)
        shutil.rmtree(dockpass.folder / "aside")
    assert dockpass.reload().startswith("done: ")
    assert not dockpass.log("keys")


def test_a_store_that_was_made_again(dockpass):
    """The server goes on with the one that it has; commands have the other."""
    dockpass.configure(sandbox=False)
    dockpass.serve()
    make_again(dockpass.folder / "store")
    before = len(dockpass.log("store"))
    assert dockpass.reload().startswith("done: ")
    line, = dockpass.logged(before, event="store")
    assert line["level"] == "warning" and line["message"] == (
        f"{dockpass.folder}/store: is not the store that is open (removed or "
        "renamed, and made again): what commands change there does not hold: "
        "restart dockpass")


# Calls that libraries make only sometimes

def test_a_peer_of_this_link(dockpass):
    """libevent asks for the name of his address, and libc for his link's."""
    with network.alone("10.99.0.1"):
        network.need_ipv6()
        subprocess.run("ip addr add fe80::1/64 dev lo nodad".split(),
                       check=True, timeout=20)
        dockpass.configure(listener={"address": f"[::]:{dockpass.port}"})
        dockpass.user("alice")
        secret = dockpass.token("alice", "--network", "fe80::/10",
                                scopes="api", name="link")
        dockpass.serve()
        in_force(dockpass)
        with Wire(dockpass.port, host="fe80::1%lo") as wire:
            assert wire.send(request(
                "GET /token?service=registry",
                f"Authorization: {basic('x', secret)}")).answer() \
                .status_code == 200
        wait_until(lambda: dockpass.log("token"), 10 * PATIENCE, "its line")
        assert dockpass.log("token")[0]["addr"] == "fe80::1"


def test_a_descriptor_limit_that_is_raised_while_it_runs(dockpass):
    """As the log advises: the next reload takes it."""
    dockpass.serve()
    in_force(dockpass)
    pid, kind = dockpass.daemon.process.pid, resource.RLIMIT_NOFILE
    most = resource.prlimit(pid, kind)[1]
    resource.prlimit(pid, kind, (most // 2, most))
    assert dockpass.reload().startswith("done: ")
    assert resource.prlimit(pid, kind) == (min(most, 1 << 20), most)
