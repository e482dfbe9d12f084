"""Connections: how many there may be, and how long one may take."""

import os
import signal
import socket
import time
from select import select

import pytest

from support import metrics, tokens
from support.dockpass import PATIENCE, Dockpass, hurried
from support.process import free_ports, wait_until
from support.site import Certificate
from support.wire import Wire, request

END = b"\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a" + END
POST = b"POST /token HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked" + END

# How many connections there may be

def full(wire):
    """Is told so, and why not to give up."""
    answer = wire.send(HEALTH).answer()
    tokens.refusal(answer, 503, "UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Connection"] == "close"
    assert wire.rest() == b""
    return wire


def welcome(wire):
    assert wire.send(HEALTH).answer().status_code == 200
    return wire


def is_welcome(port):
    with Wire(port) as wire:
        return wire.send(HEALTH).answer().status_code == 200


@pytest.mark.parametrize("limits, sources", [
    ({"connections": 5}, ["127.0.0.1", "127.0.0.2", "127.0.0.3"]),
    ({"connections_per_address": 5}, ["127.0.0.1"]),
])
def test_more_are_told_so_and_let_in_when_others_leave(tmp_path, limits,
                                                       sources):
    with Dockpass(tmp_path, limits=limits).serve() as dockpass:
        port = dockpass.port
        inside = [welcome(Wire(port, source=sources[i % len(sources)]))
                  for i in range(5)]
        outside = [full(Wire(port)) for _ in range(20)]
        # They count for nothing, even while they stay.
        inside.pop(0).close()
        wait_until(lambda: is_welcome(port), 5 * PATIENCE, "let in again")
        for wire in inside:
            welcome(wire).close()
        for wire in outside:
            wire.close()


def test_a_crowd_of_one_address_takes_no_place_of_others(tmp_path):
    limits = {"connections": 50, "connections_per_address": 5}
    with Dockpass(tmp_path, limits=limits).serve() as dockpass:
        crowd = [Wire(dockpass.port) for _ in range(400)]
        sockets = [wire.socket for wire in crowd]
        # Beyond the 256 that will be told, they are closed unheard.
        wait_until(lambda: len(select(sockets, [], [], 0)[0]) == 400 - 256 - 5,
                   5 * PATIENCE, "the others are closed")
        # An address may share its counter with the crowd's: not three.
        others = [Wire(dockpass.port, source=f"127.0.0.{i}").send(HEALTH)
                  for i in (2, 3, 4)]
        assert 200 in [wire.answer().status_code for wire in others]
        for wire in crowd + others:
            wire.close()


# How long one may take

HALF = b"GET /healthz HTT"
# rule: (bytes, what then comes of them every second)
SLOW = {
    "nothing": (b"", b""),
    "empty lines": (b"\r\n", b"\r\n"),
    "a line": (HALF, b""),
    "a line, trickling": (b"GET /", b"a"),
    "a header": (HEALTH[:-2] + b"A: b", b""),
    "a header, trickling": (HEALTH[:-2] + b"A: b", b"a"),
    "a body": (POST + b"Content-Length: 500" + END + b"a", b"a"),
    "a chunk": (CHUNKED + b"fff\r\na", b"a"),
    "a body after a 100":
        (POST + b"Expect: 100-continue\r\nContent-Length: 5" + END, b""),
    "another request": (HEALTH + HALF, b"a"),
}
TLS_SLOW = {
    "no hello": (b"", b""),
    "a part of a hello": (bytes.fromhex("16030100c8010000c4"), b"a"),
}


class Slow:
    def __init__(self, port, row):
        data, self.more = row
        self.begun, self.ended = time.monotonic(), None
        self.wire = Wire(port).send(data)

    def read(self):
        """Notes the end, an orderly one or not."""
        try:
            if self.wire.socket.recv(4096):
                return
        except ConnectionError:
            pass
        self.ended = time.monotonic() - self.begun
        self.wire.close()

    def trickle(self):
        try:
            self.wire.send(self.more)
        except ConnectionError:
            pass


def watch(slow, meanwhile):
    """Until all of them have ended; meanwhile() all the while."""
    deadline = time.monotonic() + 15
    tick = time.monotonic() + 1
    while left := {s.wire.socket: s for s in slow if s.ended is None}:
        assert time.monotonic() < deadline, len(left)
        for ready in select(left, [], [], 0.1)[0]:
            left[ready].read()
        if time.monotonic() > tick:
            tick += 1
            for one in left.values():
                if one.ended is None:
                    one.trickle()
        meanwhile()


def cpu_seconds(dockpass):
    with open(f"/proc/{dockpass.daemon.process.pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def listeners(certificate):
    """Two: plain, and with TLS."""
    ports = free_ports(2)
    return ports, [{"address": f"127.0.0.1:{ports[0]}"},
                   {"address": f"127.0.0.1:{ports[1]}",
                    **certificate.listener}]


def test_ten_seconds_are_enough(tmp_path):
    """230 slow ones at a time, each closed after its ten seconds, and 20 that
    were refused and stay: they keep no one waiting, and nothing busy. Another
    server, told to end, waits no longer for a half request."""
    (tmp_path / "end").mkdir()
    ports, config = listeners(Certificate(tmp_path))
    with Dockpass(tmp_path, listeners=config).serve() as dockpass, \
            Dockpass(tmp_path / "end").serve() as ending, \
            Wire(ending.port).send(HALF), \
            Wire(ending.port).send(HEALTH) as answered:
        assert answered.answer().status_code == 200
        told, times, end = time.monotonic(), [], []
        ending.daemon.send(signal.SIGTERM)
        slow = [Slow(ports[0], row) for row in list(SLOW.values()) * 20] + \
            [Slow(ports[1], row) for row in list(TLS_SLOW.values()) * 15]
        stay = [Wire(ports[0]).send(b"GET /\n") for _ in range(20)]
        for wire in stay:
            assert wire.answer().status_code == 400
        work = cpu_seconds(dockpass)

        def ask():
            begun = time.monotonic()
            assert is_welcome(ports[0])
            times.append(time.monotonic() - begun)
            if ending.daemon.process.poll() is not None and not end:
                end.append(time.monotonic() - told)

        watch(slow, ask)
        assert len(times) > 50 and max(times) < 1 * PATIENCE
        early = [s.ended for s in slow if s.ended < 9.9]
        late = [s.ended for s in slow if s.ended > 11.5 + PATIENCE / 2]
        assert not early and not late
        assert cpu_seconds(dockpass) - work < 1 * PATIENCE
        for wire in stay:
            wire.close()
        assert end[0] < 10.5
        assert ending.daemon.process.returncode == 0


def test_an_idle_connection_is_kept_for_a_minute(tmp_path, faketime):
    """On a clock that runs ten times as fast; in the sandbox."""
    if PATIENCE > 1:
        pytest.skip("libfaketime and a sanitizer cannot both come first")
    dockpass = Dockpass(tmp_path)
    with dockpass.serve(env=hurried(10)):
        assert "sandbox: seccomp" in dockpass.output
        with Wire(dockpass.port) as wire:
            begun = time.monotonic()
            welcome(wire)
            assert wire.rest() == b""
            assert 59 < (time.monotonic() - begun) * 10 < 75
        assert metrics.scrape(dockpass)[
            'dockpass_connections_slow_total{in="next_request"}'] == 1


def test_answers_that_are_the_kernels_are_not_taken_for_idleness(
        tmp_path, faketime):
    """Who reads none of them is reset, or they would stay there for long."""
    if PATIENCE > 1:
        pytest.skip("libfaketime and a sanitizer cannot both come first")
    dockpass = Dockpass(tmp_path)
    with dockpass.serve(env=hurried(20)), Wire(dockpass.port) as wire:
        with socket.socket() as small:
            small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            small.connect(("127.0.0.1", dockpass.port))
            for _ in range(20):
                small.send(request("GET /.well-known/jwks.json"))
            welcome(wire)

            def ended():
                seen = metrics.scrape(dockpass)
                return [seen[f'dockpass_connections_slow_total{{in="{name}"}}']
                        for name in ("reply", "next_request")]
            wait_until(lambda: ended() == [1, 1], 20, ended)


def test_the_rest_of_a_flood_is_told_a_minute_later(tmp_path, faketime):
    """Though nobody comes after; on a clock that runs twenty times as fast."""
    if PATIENCE > 1:
        pytest.skip("libfaketime and a sanitizer cannot both come first")
    with Dockpass(tmp_path, workers=1,
                  limits={"connections_per_address": 1}) as dockpass:
        dockpass.serve(env=hurried(20))
        with Wire(dockpass.port) as one:
            welcome(one)
            for _ in range(3):
                with Wire(dockpass.port) as wire:
                    full(wire)
            wait_until(lambda: len(dockpass.log("overload")) == 2, 20,
                       lambda: dockpass.log("overload"))
        told = [line["message"].split("turned away ")[1].split(",")[0]
                for line in dockpass.log("overload")]
        assert told == ["1", "2"]


def test_each_of_too_many_is_counted_once(tmp_path):
    """Those that are closed, too, though their PROXY header had come."""
    header = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"
    with Dockpass(tmp_path, listener={"proxy_protocol": True}, workers=1,
                  limits={"connections": 1}) as dockpass:
        dockpass.serve()
        dockpass.daemon.send(signal.SIGSTOP)
        try:
            wires = [Wire(dockpass.port).send(header) for _ in range(300)]
        finally:
            dockpass.daemon.send(signal.SIGCONT)
        metrics.reaches(dockpass, "dockpass_connections_accepted_total", 300)
        left = [wire.socket for wire in wires]
        wait_until(lambda: len(select(left, [], [], 0)[0]) == 300 - 257,
                   20 * PATIENCE, "the end of those that are not even told")
        name = 'dockpass_connections_crowded_total{limit="connections"}'
        metrics.reaches(dockpass, name, 299)
        for wire in wires:
            wire.close()
        metrics.reaches(dockpass, "dockpass_connections", 0)
        assert metrics.scrape(dockpass)[name] == 299
