"""Throw-away copies of this machine: an overlay in a mount namespace of its
own, and systemd booted on one, as the container of systemd-nspawn.

Of what the machine's administrator has turned on nothing runs there. It has a
network of its own, where 127.0.0.1 is all there is, and its cgroup: no
process, mount or cgroup outlives it.
"""

import fcntl
import itertools
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from support import network
from support.dockpass import TOP
from support.process import Daemon, wait_until

# $1: an empty folder; the copy is $at/root then, and the other words are $@.
OVERLAY = r"""set -e
at=$1
shift
mount -t tmpfs tmpfs "$at"
mkdir "$at/up" "$at/work" "$at/root"
mount -t overlay overlay \
    -o "lowerdir=/,upperdir=$at/up,workdir=$at/work" "$at/root"
"""
# Nothing there is of a dockpass that is installed here. The others are the
# cgroups to be in.
BOOT = OVERLAY + r"""
for place in etc/systemd/system var/log; do
    mount -t tmpfs tmpfs "$at/root/$place"
done
rm -rf "$at/root/usr/sbin/policy-rc.d" "$at/root/etc/dockpass" \
    "$at/root/var/lib/dockpass" "$at/root/usr/local/bin/dockpass" \
    "$at/root/usr/local/lib/systemd"
mount -t tmpfs tmpfs /run
top=$1
shift
for group; do echo $$ >"$group/cgroup.procs"; done
exec systemd-nspawn --quiet --register=no --keep-unit --private-network \
    --directory="$at/root" --bind-ro="$top" --console=pipe --boot \
    --machine=dockpass-test --uuid=$(tr -d - </proc/sys/kernel/random/uuid) \
    --system-call-filter="landlock_add_rule landlock_create_ruleset \
    landlock_restrict_self"
"""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NUMBERS = itertools.count(1)


def package():
    """The file that `make deb` makes."""
    with open(TOP / "build/deb.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # files run side by side
        done = subprocess.run([TOP / "docker/debian/build"], cwd=TOP,
                              text=True, capture_output=True, timeout=200,
                              check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return TOP / done.stdout.splitlines()[-1]


def groups(name):
    """Where systemd keeps its processes: the folders of a new cgroup, in the
    hierarchy of version 2 and in systemd's own of version 1."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place, kind = line.split()[4], line.split(" - ")[1].split()
        if kind[0] == "cgroup2" or "name=systemd" in kind[2]:
            found.append(Path(place) / name)
    try:
        for folder in found:
            folder.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroups can be made here: {error}")
    return found or pytest.skip("there are no cgroups here")


class Machine:
    """systemd as process 1, booted; a skip that says why where it cannot."""

    def __init__(self, folder):
        if os.geteuid():
            pytest.skip("systemd is booted by root")
        for name in "systemd-nspawn", "nsenter", "/lib/systemd/systemd":
            if not shutil.which(name):
                pytest.skip(f"{name} is not installed")
        self.folder = Path(folder)
        at = self.folder / "at"
        at.mkdir()
        self.groups = groups(f"dockpass-test-{os.getpid()}-{next(NUMBERS)}")
        self.daemon = Daemon(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "sh",
             "-c", BOOT, "sh", at, TOP, *self.groups],
            self.folder / "boot.log",
            env={"PATH": PATH, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})
        try:
            self.pid = self._booted()
        except BaseException:
            self.end()
            raise

    def _booted(self):
        def first():
            """Of its processes, as they are numbered here."""
            for group in self.groups:
                with suppress(FileNotFoundError):
                    pids = (group / "payload/init.scope/cgroup.procs") \
                        .read_text().split()
                    if pids:
                        return int(pids[0])
            return None
        wait_until(lambda: first() or self.daemon.process.poll() is not None,
                   30, lambda: self.daemon.output)
        if not (pid := first()):
            pytest.skip(f"no systemd boots here: {self.daemon.output}")
        self.pid = pid
        # "degraded", if a unit of the machine's fails in the copy: its cause.
        wait_until(lambda: self.run("systemctl", "is-system-running", "--wait",
                                    check=False).stdout.strip() in
                   ("running", "degraded"), 40, lambda: self.daemon.output)
        return pid

    def run(self, *command, stdin=None, check=True, seconds=60, cwd="/"):
        """A command of root's there, as a finished process."""
        done = subprocess.run(
            ["nsenter", f"--target={self.pid}", "--mount", "--uts", "--ipc",
             "--net", "--pid", "--cgroup", "--root", f"--wdns={cwd}", "--",
             *map(str, command)], input=stdin, text=True, capture_output=True,
            timeout=seconds, check=False, cwd="/",
            env={"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/root"})
        if check:
            assert done.returncode == 0, (command, done)
        return done

    def shell(self, script, **kwargs):
        return self.run("sh", "-ec", script, **kwargs).stdout

    def write(self, path, text):
        self.shell(f"mkdir -p '{Path(path).parent}'; cat >'{path}'",
                   stdin=text)

    def read(self, path):
        return self.run("cat", path).stdout

    def pids(self, unit):
        """Of its processes, as they are numbered here."""
        for group in self.groups:
            with suppress(FileNotFoundError):
                pids = (group / f"payload/system.slice/{unit}/cgroup.procs") \
                    .read_text().split()
                if pids:
                    return [int(pid) for pid in pids]
        return []

    def network(self):
        """What this thread connects to in it is the machine's."""
        return network.of(self.pid)

    def end(self):
        try:
            self.daemon.end(seconds=15)
        except subprocess.TimeoutExpired:
            pass  # killed, and all that is in it
        for group in self.groups:
            wait_until(lambda group=group: removed(group), 20, group)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def removed(group):
    """A cgroup and those below it, as soon as nobody is in them."""
    with suppress(OSError):
        for below, _, _ in os.walk(group, topdown=False):
            os.rmdir(below)
    return not group.exists()
