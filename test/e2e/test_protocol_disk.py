"""A disk that is full or read-only: who is told says where and what to do,
nothing is left behind, and what is there is still read.

The disk is a small tmpfs that this test alone sees; only root can mount it.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support import metrics, tokens
from support.doctor import doctor, line
from support.filling import Filled
from support.ways import get_basic, login, refresh, refresh_token

ASKED = "repository:g/app:pull,push"
CLIENTS = 60  # of 32 refresh tokens each: more than the disk can hold
GRANTED = {"repository:g/app": "pull,push"}
FULL = "no space left on the disk: free some, then repeat"
WHERE = """mount -t tmpfs -o size="$1" none "$0" && echo mounted && exec cat"""


class Disk:
    """Held by a process in a mount namespace of its own, seen through it."""

    def __init__(self, folder, size):
        self.folder = folder
        self.holder = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", WHERE, folder, size], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.mounted = self.holder.stdout.readline() == "mounted\n"
        self.inside = ["nsenter", "-m", "-t", str(self.holder.pid)]
        self.path = Path(f"/proc/{self.holder.pid}/root{folder}")

    def fill(self, but=0):
        """To the last byte; then `but` bytes are given back."""
        with open(self.path / "fill", "ab", buffering=0) as file:
            while os.statvfs(self.path).f_bavail:
                file.write(bytes(4096))
            file.truncate(file.tell() - but)

    def free(self):
        (self.path / "fill").unlink()

    def remount(self, how):
        subprocess.run([*self.inside, "mount", "-o", f"remount,{how}",
                        self.folder], check=True, timeout=20)

    def end(self):
        self.holder.communicate()


@pytest.fixture
def disk(tmp_path, request):
    """Of one mebibyte, or as large as the test says."""
    if os.geteuid():
        pytest.skip("only root can mount a small disk")
    (tmp_path / "disk").mkdir()
    disk = Disk(tmp_path / "disk", getattr(request, "param", "1m"))
    try:
        if not disk.mounted:
            pytest.skip("no disk can be mounted here")
        yield disk
    finally:
        disk.end()


@pytest.fixture
def own(disk, tmp_path):
    """A dockpass whose store and keys are on that disk, not started."""
    own = Filled(tmp_path)
    own.secret = own.token("alice", scopes="api")
    for name in ("store", "keys"):
        shutil.copytree(own.folder / name, disk.path / name)
        own.configure(**{name: str(disk.folder / name)})
    own.inside = disk.inside
    with own:
        yield own


# What fits into pages that the store has already is done: so, again. With some
# space left the first write ends short, which is no ENOSPC to LMDB.
@pytest.mark.parametrize("left", [0, 8192])
@pytest.mark.parametrize("command", [
    "token create alice --name x --scopes api", "user add {} --email e@x",
    "project add p/{}"])
def test_a_full_disk_is_named(disk, own, command, left):
    disk.fill(but=left)
    for turn in range(100):
        done = own.run(*command.format(f"n{turn}").split(), "--config",
                       own.config_file, check=False, secret=True)
        if done.returncode:
            break
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"dockpass: the store {disk.folder}/store failed: " \
        f"{FULL}\n"
    assert own.json("user", "list")[0]["username"] == "alice"
    disk.free()
    own.cli(*command.format("again").split(), secret=True)


@pytest.mark.parametrize("left", [0, 4096], ids=["nothing", "one page"])
def test_a_failed_key_leaves_nothing(disk, own, left):
    """A page: the key itself can be written, the keyring cannot."""
    before = set((disk.path / "keys").iterdir())
    known = own.json("key", "list")
    public = {path: path.read_text()
              for path in (own.folder / "public").iterdir()}
    disk.fill(but=left)
    status, message = own.refused("key", "new")
    assert status == 1 and f"{disk.folder}/keys/" in message
    assert message.endswith(
        ": No space left on device; free some space, then repeat")
    assert set((disk.path / "keys").iterdir()) == before
    assert own.json("key", "list") == known
    assert {path: path.read_text() for path in public} == public
    disk.free()
    own.cli("key", "new")
    assert len(own.json("key", "list")) == 2


def test_a_removed_key_whose_file_cannot_be_erased(disk, own):
    """It is removed, and in the log; who asked is told what is left."""
    key = own.json("key", "new")
    file = disk.folder / f"keys/{key['rfc7638']}.pem"
    for words in ["--bind", file, file], ["-o", "remount,bind,ro", file]:
        subprocess.run([*disk.inside, "mount", *words], check=True, timeout=20)
    status, message = own.refused("key", "remove", key["kid"])
    assert status == 1
    assert f"the key's file is still there: {file}: " in message
    assert message.endswith(
        "the keys are changed all the same; see dockpass key list")
    assert len(own.json("key", "list")) == 1
    assert f"kid={key['kid']}" in own.cli("audit", "list").splitlines()[-1]


def test_no_room_to_publish_changes_no_key(disk, tmp_path):
    """`public` on a disk of its own: what could be repeated was not done."""
    with Filled(tmp_path) as own:
        own.inside = disk.inside
        own.configure(public=str(disk.folder / "public"))
        old, = own.json("key", "list")
        next_one = own.cli("key", "new").strip()
        known, entries = own.json("key", "list"), own.json("audit", "list")
        kept = {path.name: path.read_bytes()
                for path in (disk.path / "public").iterdir()}
        files = set((own.folder / "keys").iterdir())
        disk.fill()
        for command in ("key new", f"key activate {next_one}",
                        f"key remove {next_one}"):
            status, message = own.refused(*command.split())
            assert status == 1 and f"{disk.folder}/public/" in message
            assert message.endswith(
                ": No space left on device; free some space, then repeat")
        assert own.json("key", "list") == known
        assert own.json("audit", "list") == entries
        assert set((own.folder / "keys").iterdir()) == files
        assert kept == {path.name: path.read_bytes()
                        for path in (disk.path / "public").iterdir()}
        disk.free()
        own.cli("key", "activate", next_one)
        own.cli("key", "remove", old["kid"])
        third = own.cli("key", "new").strip()
        assert [key["kid"] for key in own.json("key", "list")] == \
            [next_one, third]
        assert third in (disk.path / "public/jwks.json").read_text()
        assert old["kid"] not in (disk.path / "public/jwks.json").read_text()


def test_the_server_says_that_the_disk_is_full(disk, own):
    own.serve()
    disk.fill()
    for _ in range(100):
        given = login(own, own.secret)
        if given.status_code != 200:
            break
    tokens.refusal(given, 500, "UNKNOWN")
    assert own.logged(0, event="failure")[0]["message"] == \
        f"a token could not be made: the store {disk.folder}/store failed: " \
        f"{FULL}"
    answer = get_basic(own, own.secret, ASKED)
    assert tokens.access(answer, own) == GRANTED
    disk.free()
    assert refresh(own, refresh_token(login(own, own.secret))).ok


def test_a_full_disk_is_seen_by_who_watches(disk, own):
    """Before the server has anything to write, and when it has."""
    own.serve()
    before = metrics.scrape(own)
    left = os.statvfs(disk.path)
    assert before["dockpass_store_disk_free_bytes"] == \
        left.f_bavail * left.f_frsize > 0
    assert before["dockpass_store_commits_failed_total"] == 0
    disk.fill()
    assert metrics.scrape(own)["dockpass_store_disk_free_bytes"] == 0
    assert metrics.get(own, "/readyz").status_code == 200
    refused = next(answer for answer in (login(own, own.secret)
                                         for _ in range(100))
                   if answer.status_code != 200)
    tokens.refusal(refused, 500, "UNKNOWN")
    failed = metrics.scrape(own)["dockpass_store_commits_failed_total"]
    assert failed > 0
    disk.free()
    assert login(own, own.secret).ok
    assert metrics.scrape(own)["dockpass_store_disk_free_bytes"] > 0


def test_a_disk_that_fills_loses_nothing(disk, own):
    """Clients write until it is full, while others are given tokens; once
    there is room they go on. And all of it outlives a sudden end."""
    own.make_pats(CLIENTS)
    own.serve()
    refreshes, refused = own.fill(when=lambda: disk.fill(but=200 << 10))
    for answer in refused:
        tokens.refusal(answer, 500, "UNKNOWN")
    assert own.cli("store", "check")
    disk.free()
    refreshes.append(refresh_token(login(own, own.secret)))
    own.keeps(refreshes)
    own.daemon.process.kill()
    own.daemon.process.wait()
    own.serve()
    own.keeps(refreshes)
    assert own.cli("store", "check")


@pytest.mark.parametrize("command", [
    "user list", "user block alice", "token revoke 1", "serve"])
def test_a_disk_that_is_read_only(disk, own, command):
    disk.remount("ro")
    status, message = own.refused(*command.split())
    disk.remount("rw")
    assert status == 1 and f"{disk.folder}/store" in message
    assert message.endswith(
        ": Read-only file system; make it writable (under systemd: "
        "ReadWritePaths=, by systemctl edit dockpass), then repeat")


# In MiB; those of server/thresholds.h are 100 and 256.
@pytest.mark.parametrize("disk, status", [
    ("98m", "fail"), ("102m", "warn"), ("254m", "warn"), ("260m", "ok")],
                         indirect=["disk"])
def test_the_doctor_sees_what_is_left(disk, own, status):
    left = os.statvfs(disk.path)
    check = doctor(own)[1]["disk"]
    assert check["status"] == status, check
    assert check["message"] == \
        f"{left.f_bavail * left.f_frsize >> 20} MiB are left for " \
        f"{disk.folder}/store"
    assert (check["mend"] or "").startswith("free some space") == \
        (status != "ok")


def test_the_doctor_sees_that_it_is_read_only(disk, own):
    disk.remount("ro")
    checks = doctor(own)[1]
    disk.remount("rw")
    assert checks["disk"]["status"] == "fail"
    assert "is read-only: mount it for writing" in line(checks["disk"])


@pytest.mark.parametrize("size, status", [
    (98, "fail"), (104, "warn"), (254, "warn"), (260, "ok")])
def test_the_doctor_sees_a_disk_that_fills(disk, own, size, status):
    """Its store takes less than two mebibytes of it."""
    disk.remount(f"size={size}m")
    check = doctor(own)[1]["disk"]
    assert check["status"] == status, check
