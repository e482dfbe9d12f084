"""A service of systemd: it says when it is ready, reloads and ends, that its
threads turn, and takes sockets that are open already.
"""

import os
import re
import signal
import socket
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from support.dockpass import PATIENCE, Dockpass
from support.manager import Manager, handing, listener
from support.network import need_ipv6
from support.process import free_ports, wait_until
from support.stall import stalled, workers_of
from support.wire import Wire

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def dockpass(tmp_path):
    with Dockpass(tmp_path) as dockpass:
        yield dockpass


@pytest.fixture
def manager():
    # A socket's path has 107 bytes at most.
    with tempfile.TemporaryDirectory() as folder, Manager(folder) as manager:
        yield manager


# What it says

def test_ready_comes_once_it_serves(dockpass, manager):
    dockpass.launch(env=manager.env())
    words = manager.wait("READY")
    with Wire(dockpass.port) as wire:
        assert wire.send(HEALTH).answer().status_code == 200
    key, = dockpass.json("key", "list")
    assert words["READY"] == "1"
    assert re.fullmatch(rf"\d+ workers, key {key['kid']} signs",
                        words["STATUS"])
    assert manager.said("WATCHDOG") == []


def test_an_abstract_socket(dockpass, tmp_path):
    with Manager(tmp_path.name, abstract=True) as manager:
        dockpass.launch(env=manager.env())
        assert manager.wait("READY")


def test_a_start_that_fails_is_never_ready(dockpass, manager):
    (dockpass.folder / "keys/keyring").unlink()
    assert dockpass.refused("serve", env=manager.env())[0] == 1
    assert manager.listen() == []


def test_a_reload_begins_and_ends(dockpass, manager):
    """MONOTONIC_USEC: systemd has to tell an old message from a new one."""
    dockpass.serve(env=manager.env())
    manager.wait("READY")
    for turn, (text, status) in enumerate((
            ("", "workers, key"), ("colour: red\n", "last reload failed: ")),
            1):
        with open(dockpass.config_file, "a", encoding="utf-8") as config:
            config.write(text)
        before = time.monotonic() * 1e6
        dockpass.reload()
        began = manager.wait("RELOADING", turn - 1)
        ended = manager.wait("READY", turn)
        assert before <= int(began["MONOTONIC_USEC"]) <= time.monotonic() * 1e6
        assert status in ended["STATUS"] and "\n" not in ended["STATUS"]
        assert manager.heard[-2:] == [
            (manager.heard[-2][0], began), (manager.heard[-1][0], ended)]


@pytest.mark.parametrize("drain", [0, 30])
def test_the_end_says_how_long_it_takes(dockpass, manager, drain):
    dockpass.configure(admin={"address": "", "drain": drain})
    dockpass.serve(env={**manager.env(), "DOCKPASS_ADMIN_ADDRESS": ""})
    dockpass.daemon.send(signal.SIGTERM)
    words = manager.wait("STOPPING")
    assert int(words["EXTEND_TIMEOUT_USEC"]) == (drain + 15) * 1000000
    assert dockpass.stop() == 0  # at once: it is the second signal


@pytest.mark.parametrize("name", ["relative", "/", "/nowhere/notify",
                                  "/" + 120 * "x", "vsock:2:1234"])
def test_one_that_cannot_be_told_stops_the_start(dockpass, name):
    """Else systemd would wait until its time is over."""
    status, message = dockpass.refused("serve", env={"NOTIFY_SOCKET": name})
    assert status == 1 and "NOTIFY_SOCKET: " in message


def test_a_manager_that_does_not_listen_holds_up_nothing(dockpass, manager):
    """Its queue is full, as of one that hangs: it is not waited for."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                other.sendto(b"X=1", manager.name)
    dockpass.serve(env=manager.env())
    assert dockpass.reload().startswith("done")
    assert dockpass.stop() == 0
    assert manager.said("READY") == []


# The watchdog

WATCHDOG = 3 * PATIENCE  # seconds


def test_the_watchdog_hears_from_it_in_time(dockpass, manager):
    dockpass.serve(env=manager.env(WATCHDOG))
    manager.wait("WATCHDOG", 3)
    times = [when for when, words in manager.heard if "WATCHDOG" in words]
    assert max(b - a for a, b in zip(times, times[1:])) < WATCHDOG
    assert "does not go on" not in dockpass.output


def test_a_watchdog_of_another_process_is_not_ours(dockpass, manager):
    dockpass.serve(env={**manager.env(0.2), "WATCHDOG_PID": "1"})
    manager.wait("READY")
    dockpass.reload()  # would be after a ping
    manager.wait("READY", 1)
    assert manager.said("WATCHDOG") == []


def test_it_hears_from_it_while_it_drains(dockpass, manager):
    dockpass.configure(admin={"address": "", "drain": 60})
    dockpass.serve(env={**manager.env(WATCHDOG), "DOCKPASS_ADMIN_ADDRESS": ""})
    dockpass.daemon.send(signal.SIGTERM)
    manager.wait("STOPPING")
    manager.wait("WATCHDOG", len(manager.said("WATCHDOG")) + 1)
    assert dockpass.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can stop a thread of "
                    "a process that may not be looked into")
def test_a_worker_that_stands_is_not_covered_up(dockpass, manager):
    """The others answer, and yet systemd hears nothing any more."""
    dockpass.configure(workers=2)
    dockpass.serve(env=manager.env(WATCHDOG))
    manager.wait("WATCHDOG")
    stands = workers_of(dockpass.daemon.process.pid)[0]
    with stalled(stands):
        wait_until(lambda: "a worker does not go on" in dockpass.output,
                   30 * PATIENCE, "that it is said")
        count = len(manager.said("WATCHDOG"))
        last = time.monotonic()
        wait_until(lambda: time.monotonic() - last > WATCHDOG, 2 * WATCHDOG,
                   "the watchdog's time")
        assert len(manager.said("WATCHDOG")) == count
    manager.wait("WATCHDOG", count)
    wait_until(lambda: "all goes on again" in dockpass.output, 10 * PATIENCE,
               "that it is said, too")


# Sockets that are open

def start(dockpass, sockets, serve=True, **kwargs):
    inside, env, fds = handing(sockets, **kwargs)
    dockpass.inside = inside
    if serve:
        dockpass.serve(env=env, pass_fds=fds)
    else:
        dockpass.launch(env=env, pass_fds=fds)


def test_a_socket_is_the_listener_s_of_its_address(dockpass):
    """All workers take from it; the others are opened as always."""
    (other,) = free_ports(1)
    dockpass.configure(workers=3, listeners=[
        {"address": f"127.0.0.1:{other}"},
        {"address": f"127.0.0.1:{dockpass.port}"}])
    with ExitStack() as stack:
        sockets = [stack.enter_context(listener(port=port))
                   for port in (dockpass.admin_port, dockpass.port)]
        start(dockpass, sockets, names="admin:main")
        for port in (dockpass.port, dockpass.admin_port, other):
            for _ in range(9):
                with Wire(port) as wire:
                    assert wire.send(HEALTH).answer().status_code == 200
        held = []
        for fd in Path(f"/proc/{dockpass.daemon.process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed by now
                held.append(os.readlink(fd))
        for sock in sockets:
            inode = os.fstat(sock.fileno()).st_ino
            assert held.count(f"socket:[{inode}]") == 3


def test_who_comes_while_it_is_started_again_waits(dockpass):
    with listener(port=dockpass.port) as sock:
        start(dockpass, [sock])
        with Wire(dockpass.port) as wire:
            assert wire.send(HEALTH).answer().status_code == 200
        assert dockpass.stop() == 0
        with ExitStack() as stack:
            early = [stack.enter_context(Wire(dockpass.port))
                     for _ in range(20)]
            for wire in early:
                wire.send(HEALTH)
            start(dockpass, [sock])
            for wire in early:
                assert wire.answer().status_code == 200


def test_ipv6(dockpass):
    need_ipv6()
    dockpass.configure(listener={"address": f"[::1]:{dockpass.port}"})
    with listener("::1", dockpass.port) as sock:
        start(dockpass, [sock])
        with Wire(dockpass.port, host="::1") as wire:
            assert wire.send(HEALTH).answer().status_code == 200


# rule: (how the socket is made, the words of the one line)
NO_SOCKET = {
    "a port of no listener": ({}, r"systemd hands over a socket of 127\.0\.0\.1"
                              r":\d+ \(web\), which is no listener: name it "),
    "UDP": ({"kind": socket.SOCK_DGRAM, "listen": False},
            r"socket 1 of systemd \(web\): no TCP socket; write ListenStream="),
    "one that does not listen": ({"listen": False}, "it does not listen"),
    "IPv4 inside of IPv6": ({"host": "::", "only": False},
                            "write BindIPv6Only=ipv6-only"),
    "another address": ({"host": "127.0.0.2", "port": None},
                        r"a socket of 127\.0\.0\.2:\d+ \(web\), which is no"),
    "another IPv6 address": ({"host": "::", "port": None},  # in its way
                             "is taken by another process"),
    "another IPv6 port": ({"host": "::1"},
                          r"\[::1\]:\d+ \(web\), which is no listener"),
}


@pytest.mark.parametrize("row", NO_SOCKET.values(), ids=NO_SOCKET.keys())
def test_a_socket_that_is_no_listener_s_stops_the_start(dockpass, row):
    """Whoever came there would wait for ever."""
    made, words = row
    if ":" in made.get("host", ""):
        need_ipv6()
        dockpass.configure(listener={"address": f"[::1]:{dockpass.port}"})
    if "port" in made:  # the listener's
        made = {**made, "port": dockpass.port}
    with listener(**made) as sock:
        start(dockpass, [sock], serve=False, names="web")
        assert dockpass.daemon.process.wait(20 * PATIENCE) == 1
    assert re.search(words, dockpass.output), dockpass.output
    assert dockpass.output.count("\n") == 1
    dockpass.daemon = None


@pytest.mark.parametrize("count", ["x", "-1", "1000000"])
def test_a_number_of_sockets_that_is_none(dockpass, count):
    dockpass.inside = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"]
    status, message = dockpass.refused("serve", env={"LISTEN_FDS": count})
    assert status == 1 and f"LISTEN_FDS: '{count}' is no number" in message


def test_sockets_of_another_process_are_left_alone(dockpass):
    with listener(port=dockpass.port) as sock:
        start(dockpass, [sock], serve=False, pid=1)
        assert dockpass.daemon.process.wait(20 * PATIENCE) == 1
    assert "is taken by another process" in dockpass.output
    dockpass.daemon = None
