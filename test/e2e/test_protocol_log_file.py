"""The log in a file and in syslog: rotation loses no line, a full disk stops
nobody and is told, and standard error keeps what is no token request.
"""

import contextlib
import itertools
import json
import os
import re
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest
import requests

from support import metrics
from support.clock import Clock
from support.dockpass import PATIENCE, Dockpass
from support.process import wait_until
from test_protocol_disk import disk  # fixtures

NUMBER = itertools.count(1)
WIDE = [f"repository:{'a' * 120}/b{n}:pull" for n in range(30)]  # 4 KB a line


def lines_of(*files):
    """All of them, oldest file first; each must be whole."""
    lines = []
    for file in files:
        text = file.read_text()
        assert text == "" or text.endswith("\n"), text[-200:]
        lines += [json.loads(line) for line in text.splitlines()]
    return lines


def clients(*files):
    return [line["client"] for line in lines_of(*files)
            if line["event"] == "token"]


@pytest.fixture
def own(tmp_path):
    with Dockpass(tmp_path) as own:
        own.logs = tmp_path / "logs"
        own.logs.mkdir()
        own.to = own.logs / "dockpass.log"
        own.configure(log={"file": str(own.to)})
        yield own


def ask(own, via=requests, scope=""):
    """A request; its name, which the log has."""
    answer = own.ask(scope, via=via, fields={"client_id": f"c{next(NUMBER)}"})
    assert answer.status_code == 200, answer.text
    return answer.client


def test_what_goes_where(own):
    own.serve()
    asked = [ask(own) for _ in range(3)]
    wait_until(lambda: sorted(clients(own.to)) == sorted(asked),
               10 * PATIENCE, "their lines")
    assert stat.S_IMODE(own.to.stat().st_mode) == 0o600
    assert own.log("token") == []
    assert own.stop() == 0
    events = [line for line in lines_of(own.to) if line["event"] != "token"]
    assert events == own.log() and events[-1]["event"] == "stop"


def test_what_is_there_is_kept(own):
    own.to.write_text('{"event":"old"}\n')
    own.to.chmod(0o640)
    own.serve()
    assert lines_of(own.to)[0] == {"event": "old"}
    assert stat.S_IMODE(own.to.stat().st_mode) == 0o640


def test_relative_to_the_configuration(own):
    (own.folder / "log").mkdir()
    own.configure(log={"file": "log/dockpass.log"})
    own.serve()
    name = ask(own)
    wait_until(lambda: clients(own.folder / "log/dockpass.log") == [name],
               10 * PATIENCE, "its line")


def others(own):
    own.to.touch()
    own.to.chmod(0o644)


def writers(own):
    own.to.touch()
    own.to.chmod(0o660)


@pytest.mark.parametrize("harm, message", [
    (others, "others can read or write it; run: chmod 640"),
    (writers, "others can read or write it; run: chmod 640"),
    (lambda own: own.to.mkdir(), "is a folder; name a file in it"),
    (lambda own: os.mkfifo(own.to), "is no file; without log.file the log goes"),
    (lambda own: own.logs.rmdir(), "there is no such folder; make it"),
], ids=["others read", "group writes", "folder", "pipe", "no folder"])
def test_a_file_that_will_not_do(own, harm, message):
    harm(own)
    for command in "check", "serve":
        status, line = own.refused(command)
        assert status == 1 and "log.file: " in line and message in line


def test_an_unknown_facility(own):
    own.configure(log={"syslog": "mail"})
    status, line = own.refused("check")
    assert status == 1 and "log.syslog: is no facility; write daemon" in line


# Rotation, as logrotate does it: rename, create, SIGHUP

def rotate(own, turn):
    """Done when the server writes into the new file."""
    old = own.logs / f"dockpass.log.{turn}"
    own.to.rename(old)
    own.to.touch(0o640)
    own.to.chmod(0o640)
    own.reload()
    return old


def test_no_line_is_lost_by_rotation(own):
    own.serve()
    asked, ends = [], threading.Event()

    def load():
        with requests.Session() as session:
            while not ends.is_set():
                asked.append(ask(own, session))
    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        old = []
        for turn in range(20):
            seen = len(asked)
            wait_until(lambda: len(asked) > seen + 20, 20 * PATIENCE, "load")
            old.append(rotate(own, turn))
    finally:
        ends.set()
        for thread in threads:
            thread.join()
    own.stop()
    assert sorted(clients(*old, own.to)) == sorted(asked)
    assert len(asked) > 400 and all(file.stat().st_size for file in old)


def test_rotated_though_the_configuration_is_bad(own):
    own.serve()
    good = own.config_file.read_text()
    own.config_file.write_text(good + "nonsense: 1\n")
    old = rotate(own, 1)
    name = ask(own)
    wait_until(lambda: clients(own.to) == [name], 10 * PATIENCE, "its line")
    assert name not in clients(old)
    own.config_file.write_text(good)
    assert own.reload().startswith("done: ")


def test_a_file_that_was_rotated_is_let_go(own):
    """However often: no descriptor is left, its room on the disk is free."""
    own.serve()
    fds = Path(f"/proc/{own.daemon.process.pid}/fd")

    def where(fd):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            return os.readlink(fd)
        return ""

    def held():
        return [path for path in map(where, fds.iterdir())
                if str(own.logs) in path]
    for turn in range(5):
        rotate(own, turn).unlink()
        name = ask(own)
        wait_until(lambda: name in clients(own.to), 10 * PATIENCE, "a line")
        assert held() == [str(own.to)]


def test_a_reload_may_name_another_file(own):
    own.serve()
    first = ask(own)
    wait_until(lambda: clients(own.to) == [first], 10 * PATIENCE, "its line")
    other = own.logs / "other.log"
    own.configure(log={"file": str(other)})
    assert own.reload().startswith("done: ")
    second = ask(own)
    wait_until(lambda: clients(other) == [second], 10 * PATIENCE, "its line")
    assert clients(own.to) == [first]
    own.configure(log={"file": str(own.logs / "none/x.log")})
    assert "there is no such folder" in own.reload()
    third = ask(own)
    wait_until(lambda: set(clients(other)) == {second, third}, 10 * PATIENCE,
               "the old one stays")
    own.configure(log={})
    assert own.reload().startswith("done: ")
    fourth = ask(own)
    assert own.logged(0)[0]["client"] == fourth


# A full disk

@pytest.fixture
def small(disk, own):
    """The log is on a disk of 1 MB that this test alone sees."""
    own.inside = disk.inside
    own.configure(log={"file": str(disk.folder / "log")})
    own.to = disk.path / "log"
    own.disk = disk
    return own


def said(own, what):
    return [line for line in own.log("log") if what in line["message"]]


def test_a_full_disk_stops_nobody_and_is_told(small):
    """What waits is written once there is room, and no line is torn."""
    small.serve()
    before = ask(small)
    wait_until(lambda: clients(small.to) == [before], 10 * PATIENCE, "a line")
    small.disk.fill(but=4096)  # so that a write ends in the middle of a line
    asked = [ask(small, scope=WIDE) for _ in range(8)]
    wait_until(lambda: said(small, "/log: No space left on device; free some "
                            "space: its lines wait"),
               10 * PATIENCE, "what is wrong")
    assert metrics.scrape(small)["dockpass_log_failing"] == 1
    assert set(clients(small.to)) < {before, *asked}
    small.disk.free()
    wait_until(lambda: sorted(clients(small.to)) == sorted([before, *asked]),
               20 * PATIENCE, "the lines that waited")
    wait_until(lambda: said(small, "log.file takes lines again; lost: 0"),
               10 * PATIENCE, "that all is well")
    assert len(said(small, "No space left")) == 1
    metrics.reaches(small, "dockpass_log_failing", 0)
    assert metrics.scrape(small)["dockpass_log_lines_lost_total"] == 0


@pytest.mark.usefixtures("faketime")
@pytest.mark.parametrize("off", [0, -3600])
def test_a_full_disk_while_the_clock_is_set(small, tmp_path, off):
    """It is tried again after a second, not once the hour has come again."""
    clock, now = Clock(tmp_path), int(time.time())
    clock.set(now)
    small.serve(env=clock.env())
    small.disk.fill()
    asked = ask(small, scope=WIDE)
    wait_until(lambda: said(small, "No space left"), 10 * PATIENCE, "it")
    small.disk.free()
    ticks = itertools.count(now + off)

    def is_written():
        clock.set(next(ticks))
        time.sleep(0.2)
        return clients(small.to) == [asked]

    wait_until(is_written, 20 * PATIENCE, "the line that waited")


def lost_of(own):
    """As many as the log says were lost."""
    told = "".join(line["message"] + "\n" for line in own.log("log"))
    return sum(map(int, re.findall(r"(?:lost: |^)(\d+)(?: lines were lost)?$",
                                   told.replace(": there were more than could "
                                                "be written", ""), re.M)))


def test_what_is_too_much_is_counted(small):
    small.configure(workers=1)
    small.serve()
    small.disk.fill()
    with requests.Session() as session:
        asked = [ask(small, session, WIDE) for _ in range(150)]
    wait_until(lambda: said(small, "No space left"), 10 * PATIENCE, "it")
    small.disk.free()
    wait_until(lambda: said(small, "takes lines again"), 10 * PATIENCE, "it")
    last = ask(small)
    wait_until(lambda: last in clients(small.to), 10 * PATIENCE, "a line")
    there = [name for name in clients(small.to) if name != last]
    lost = len(asked) - len(there)
    wait_until(lambda: lost_of(small) == lost > 0, 10 * PATIENCE,
               lambda: (lost, lost_of(small)))
    assert metrics.scrape(small)["dockpass_log_lines_lost_total"] == lost


# Syslog

# A /dev of its own, with the socket that the test listens on.
DEV = '''set -e; mount -t tmpfs none "$0"
for n in null zero urandom random; do
    touch "$0/$n"; mount --bind "/dev/$n" "$0/$n"
done
ln -s "$1" "$0/log"; mount --rbind "$0" /dev; echo mounted; exec cat'''
MESSAGE = re.compile(r"<(\d+)>([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) "
                     r"dockpass\[(\d+)\]: (.*)", re.S)


LOCAL3 = 19 << 3


class Syslog:
    """A daemon at /dev/log, and the mount namespace where it is."""

    def __init__(self, folder):
        (folder / "dev").mkdir()
        self.at = str(folder / "log.socket")
        self.listen()
        self.holder = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", DEV, folder / "dev", self.at],
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.mounted = self.holder.stdout.readline() == "mounted\n"
        self.inside = ["nsenter", "-m", "-t", str(self.holder.pid)]

    def listen(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.at)
        self.socket.settimeout(20 * PATIENCE)

    def close(self):
        self.socket.close()
        os.unlink(self.at)

    def next(self, event):
        """(priority, pid, the line) of the next of such an event."""
        while True:
            text = self.socket.recv(1 << 16).decode()
            priority, _, pid, line = MESSAGE.fullmatch(text).groups()
            line = json.loads(line)
            if line["event"] == event:
                return int(priority), int(pid), line

    def clients(self, count):
        """Of so many; each worker's are in order, not all together."""
        return {self.next("token")[2]["client"] for _ in range(count)}

    def end(self):
        self.holder.communicate()
        self.socket.close()


@pytest.fixture
def syslog(tmp_path):
    if os.geteuid():
        pytest.skip("only root can put a socket at /dev/log")
    syslog = Syslog(tmp_path)
    try:
        if not syslog.mounted:
            pytest.skip("nothing can be mounted here")
        yield syslog
    finally:
        syslog.end()


def test_syslog(own, syslog):
    own.inside = syslog.inside
    own.configure(log={"syslog": "local3"})
    own.serve()
    levels = {"info": 6, "warning": 4}
    priority, pid, line = syslog.next("start")
    assert priority == LOCAL3 + levels[line["level"]]
    assert pid == own.daemon.process.pid
    names = [ask(own) for _ in range(3)]
    assert syslog.clients(3) == set(names)
    own.config_file.write_text("nonsense: 1\n")
    own.reload()
    assert [syslog.next("reload")[0] for _ in range(2)] == [
        LOCAL3 + 6, LOCAL3 + 3]  # that it reads it; that it is an error
    assert own.log("token") == []


def test_syslog_that_is_started_again(own, syslog):
    """It is told, what came meanwhile waits."""
    own.inside = syslog.inside
    own.configure(log={"syslog": "daemon"})
    own.serve()
    first = ask(own)
    assert syslog.next("token")[2]["client"] == first
    syslog.close()
    meanwhile = [ask(own) for _ in range(3)]
    wait_until(lambda: said(own, "/dev/log: "), 10 * PATIENCE, "what is wrong")
    syslog.listen()
    assert syslog.clients(3) == set(meanwhile)
    wait_until(lambda: said(own, "syslog takes lines again; lost: 0"),
               10 * PATIENCE, "that all is well")
    last = ask(own)
    assert syslog.next("token")[2]["client"] == last


def take_all(client):
    with contextlib.suppress(OSError):
        while client.recv(1 << 16):
            pass


def test_many_lines_at_once_reach_syslog(own, syslog):
    """Many more than its socket holds; they wait for room."""
    own.inside = syslog.inside
    own.configure(log={"syslog": "daemon"}, workers=1)
    own.serve()
    names = [f"c{next(NUMBER)}" for _ in range(400)]
    line = "GET /token?service=%s&client_id=%s HTTP/1.1\r\nHost: x\r\n\r\n"
    seen = set()

    def read():
        while len(seen) < len(names):
            seen.add(syslog.next("token")[2]["client"])
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    with socket.create_connection(("127.0.0.1", own.port)) as client:
        client.sendall("".join(line % (own.service, name)
                               for name in names).encode())
        # Whoever takes no answer is not asked what he wants next.
        threading.Thread(target=take_all, args=(client,), daemon=True).start()
        reader.join(20 * PATIENCE)
    assert seen == set(names)


def test_a_full_disk_takes_nothing_from_syslog(own, syslog):
    """However long: what waits for the one is given up for the other."""
    own.inside = syslog.inside
    own.configure(workers=1, log={"file": str(own.to), "syslog": "daemon"})
    for command in (["mount", "-t", "tmpfs", "-o", "size=64k", "none",
                     own.logs],
                    ["sh", "-c", 'cat /dev/zero >"$0/fill"; test -s "$0/fill"',
                     own.logs]):
        subprocess.run([*syslog.inside, *command], capture_output=True,
                       check=True, timeout=20)
    own.serve()
    seen, many = set(), 150

    def read():
        while len(seen) < many:
            seen.add(syslog.next("token")[2]["client"])
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    with requests.Session() as session:
        asked = {ask(own, session, WIDE) for _ in range(many)}
    reader.join(20 * PATIENCE)
    assert seen == asked
    assert said(own, "No space left on device")
