"""Backup and restore that are killed at any of their writes: the file and the
store are the old ones or the new ones.
"""

import signal
import subprocess

import pytest

from support.dockpass import ENV, PROGRAM
from test_protocol_backup import desk  # fixtures

WRITES = ["write", "writev", "pwrite64", "fsync", "fdatasync", "rename"]


def killed(desk, command, call, n):
    """Run until the n-th time that it writes so; is it dead?"""
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
         "-e", f"inject={call}:signal=KILL:when={n}", PROGRAM, command,
         desk.file, "--yes", "--config", desk.config_file],
        env=ENV, capture_output=True, timeout=60, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done
    return done.returncode != 0


def deaths(desk, command):
    """Kills it everywhere; what follows is done after each time."""
    for call in WRITES:
        n = 1
        while killed(desk, command, call, n):
            yield call, n
            n += 1


def state(desk):
    return desk.json("store", "check"), desk.json("token", "list")


def test_killed_backups(desk):
    desk.cli("backup", desk.file)
    old = desk.file.read_bytes()
    desk.cli("user", "add", "bob", "--email", "b@example.com")
    seen = {old}
    for _ in deaths(desk, "backup"):
        seen.add(desk.file.read_bytes())
    assert len(seen) == 2  # the new one, too: when it died after the renaming
    desk.cli("restore", desk.file, "--yes")
    assert len(desk.json("user", "list")) == 2


def calls(desk, folder, *args):
    """What is synced and what is named, in order, of the backup's files."""
    seen = folder / "calls"
    subprocess.run(
        ["strace", "-f", "-y", "-qq", "-o", seen, "-e",
         "trace=fsync,link,rename,renameat2,linkat", PROGRAM, "backup",
         desk.file, *args, "--config", desk.config_file],
        env=ENV, capture_output=True, timeout=60, check=True)
    words = [line.split(None, 1)[1] for line in seen.read_text().splitlines()]
    return [(word.split("(")[0], f"{desk.file}." in word)
            for word in words if str(desk.file.parent) in word]


def test_synced_before_it_has_its_name(desk, tmp_path):
    """And its name is, before it is said to be there."""
    folder = ("fsync", False)
    assert calls(desk, tmp_path) == [("fsync", True), ("link", True), folder]
    assert calls(desk, tmp_path, "--yes") == [
        ("fsync", True), ("rename", True), folder]


def test_killed_restores(desk):
    desk.cli("backup", desk.file)
    desk.cli("user", "add", "bob", "--email", "b@example.com")
    old, seen = state(desk), set()
    for call, n in deaths(desk, "restore"):
        done = state(desk) != old
        seen.add(done)
        assert len(desk.json("user", "list")) == 2 - done, (call, n)
        if done:  # so that the next one has something to do
            desk.cli("user", "add", "bob", "--email", "b@example.com")
            old = state(desk)
    assert seen == {False, True}


WITHOUT_PROC = ["unshare", "--mount", "sh", "-c",
                'mount -t tmpfs none /proc && exec "$@"', "sh"]


@pytest.mark.skipif(subprocess.run([*WITHOUT_PROC, "true"], check=False,
                                   capture_output=True, timeout=20).returncode,
                    reason="only root mounts")
def test_without_proc(desk):
    """As in a rescue system: no sound backup is called another."""
    desk.cli("backup", desk.file)
    desk.inside = WITHOUT_PROC
    for command in ["backup", desk.file.with_name("other")], \
            ["restore", desk.file, "--yes"]:
        status, message = desk.refused(*command)
        assert status == 1 and message.endswith(
            "/proc is not there, and is needed: run: mount -t proc proc /proc")


def test_an_address_space_that_is_too_small(desk):
    desk.inside = ["prlimit", "--as=4000000000"]
    assert desk.refused("user", "list") == (
        1, f"dockpass: cannot open store {desk.folder}/store: Cannot allocate "
        "memory; it takes 64 GiB of address space, and a copy as much, though "
        "not of memory: ulimit -v unlimited, LimitAS=infinity")


@pytest.mark.parametrize("size", [4, 100])  # GB: a backup is mapped as well
def test_nor_is_one_in_which_a_copy_has_no_room(desk, size):
    desk.cli("backup", desk.file)
    desk.inside = ["prlimit", f"--as={size}000000000"]
    for command in ["backup", desk.file.with_name("other")], \
            ["restore", desk.file, "--yes"]:
        status, message = desk.refused(*command)
        assert status == 1 and "address space" in message, message
        assert "/proc/self/fd" not in message
