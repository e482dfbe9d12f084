"""Programs that a test starts: found free ports, logs in files, sure ends."""

import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path


def free_ports(n):
    """Ports of 127.0.0.1 that nobody has, each another one. None of those
    that Linux gives to whoever connects: one would be taken until it is
    listened on."""
    ports = set()
    while len(ports) < n:
        port = random.SystemRandom().randrange(10240, 32768)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.add(port)
    return list(ports)


def is_open(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def wait_until(done, seconds, what):
    """Until done() is true; `what`: a text or a function that makes one."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.02)


def end_pause(runtime):
    """What a user's podman leaves to hold his namespaces. `runtime`: the
    folder that was its XDG_RUNTIME_DIR."""
    try:
        pid = int((runtime / "libpod/tmp/pause.pid").read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        if name in ("podman", "podman pause", "catatonit"):
            os.kill(pid, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        pass


class Daemon:
    """A program that runs until it is told to end."""

    def __init__(self, command, log, **kwargs):
        self.log = log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, start_new_session=True, **kwargs)

    @property
    def output(self):
        return self.log.read_text(errors="replace")

    def wait_ready(self, ready, seconds=30):
        def done():
            assert self.process.poll() is None, self.output
            return ready()
        wait_until(done, seconds, lambda: self.output[-2000:])

    def send(self, number):
        os.kill(self.process.pid, number)

    def end(self, number=signal.SIGTERM, seconds=30):
        """The exit status; negative: ended by that signal."""
        if self.process.poll() is None:
            self.send(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise
