"""What peers may have the server hold in memory, who gives way when that is
too much, and what each of those who are too slow is told.
"""

import json
import os
import resource
import select
import signal
import socket
import ssl
import time
from pathlib import Path

import pytest

from support import metrics, tokens
from support.dockpass import AT_ONCE, PATIENCE, Dockpass
from support.process import free_ports, wait_until
from support.site import Certificate
from support.wire import Wire

KIB = 1024
END = b"\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a" + END
POST = b"POST /token HTTP/1.1\r\nHost: a\r\n"
CROWDED = 'dockpass_connections_crowded_total{limit="%s"}'
SLOW = 'dockpass_connections_slow_total{in="%s"}'
WAYS = ["plain", "tls"]


class Site:
    """A dockpass with a plain and a TLS listener."""

    def __init__(self, folder, **options):
        certificate = Certificate(folder)
        self.ports = dict(zip(WAYS, free_ports(2)))
        self.context = ssl.create_default_context(cafile=certificate.ca)
        self.dockpass = Dockpass(folder, workers=1, listeners=[
            {"address": f"127.0.0.1:{self.ports['plain']}"},
            {"address": f"127.0.0.1:{self.ports['tls']}",
             **certificate.listener}], **options).serve()

    def wire(self, way="plain", raw=False):
        return Wire(self.ports[way],
                    self.context if way == "tls" and not raw else None)

    def is_served(self, way="plain"):
        with self.wire(way) as wire:
            return wire.send(HEALTH).answer().status_code == 200

    def memory(self):
        """Its own memory in KiB."""
        status = Path(f"/proc/{self.dockpass.daemon.process.pid}/status")
        return int(status.read_text().partition("RssAnon:")[2].split()[0])

    def rise(self, before):
        return metrics.rise(before, metrics.scrape(self.dockpass))

    def said(self, event):
        return [line["message"] for line in self.dockpass.log(event)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.dockpass.stop()


@pytest.fixture(name="site")
def a_site(tmp_path):
    with Site(tmp_path, limits={"held": 1}) as site:
        yield site


def refused(wire, status, code, word):
    """Is told so as JSON, and the connection ends."""
    answer = wire.answer()
    assert word in tokens.refusal(answer, status, code)
    assert answer.headers["Connection"] == "close"
    assert ("Retry-After" in answer.headers) == (status == 503)
    assert wire.rest() == b""
    wire.close()


# What is held

def half(size):
    """The beginning of a request, so many bytes of it."""
    head = POST + b"Content-Length: 65536\r\nA: "
    rest = b"a" * 60 * KIB + END + b"b" * 64 * KIB
    return head + rest[:size - len(head)]


LARGE, SMALL = half(100 * KIB), half(2 * KIB)
FEW = b"grant_type=refresh_token&refresh_token=x"
LATER = {  # a request in two pieces: of few bytes, and of many
    "small": (POST + b"Content-Length: %d" % len(FEW) + END, FEW),
    "large": (POST + b"Content-Length: %d" % (40 * KIB) + END,
              FEW + b"&" * (40 * KIB - len(FEW))),
}


def flood(site, way, data, n):
    """n of them, as they have been read."""
    wires = []
    for i in range(n):
        wires.append(site.wire(way).send(data))
        if i % 20 == 0:
            assert site.is_served(way)
    return wires


@pytest.mark.parametrize("way", WAYS)
def test_the_oldest_give_way_and_are_told_so(site, way):
    before, memory = metrics.scrape(site.dockpass), site.memory()
    assert before["dockpass_held_limit_bytes"] == 1024 * KIB
    wires = flood(site, way, LARGE, 100)
    metrics.reaches(site.dockpass, CROWDED % "held", 90)
    if PATIENCE == 1:
        assert site.memory() - memory < 8 * KIB
    after = metrics.scrape(site.dockpass)
    assert 9 * 100 * KIB < after["dockpass_held_bytes"] <= 1024 * KIB
    for wire in wires[:90]:
        refused(wire, 503, "UNAVAILABLE", "in one go")
    # The last have lost nothing: they may go on, as one more makes room.
    left = len(half(10**6)) - len(LARGE)
    for wire in reversed(wires[91:]):
        assert wire.send(b"b" * left).answer().status_code == 400
        wire.close()
    refused(wires[90], 503, "UNAVAILABLE", "in one go")
    metrics.reaches(site.dockpass, "dockpass_held_bytes", 0)
    wait_until(lambda: site.said("overload"), PATIENCE, "the log")
    assert site.said("overload")[0].startswith("limits.held is reached")
    assert len(site.said("overload")) <= 2  # once a minute


@pytest.mark.parametrize("kind, data, n", [("small", LARGE, 60),
                                           ("large", SMALL, 600)],
                         ids=["small", "large"])
def test_a_flood_of_one_kind_leaves_the_other_alone(site, kind, data, n):
    first, rest = LATER[kind]
    with site.wire() as wire:
        wire.send(first + rest[:len(rest) // 2])
        metrics.reaches(site.dockpass, "dockpass_connections", 1)
        wires = flood(site, "plain", data, n)
        wait_until(lambda: metrics.scrape(site.dockpass)[CROWDED % "held"] > 30,
                   30 * PATIENCE, "the flood is refused")
        answer = wire.send(rest[len(rest) // 2:]).answer()
        assert answer.status_code in (400, 401)
    for one in wires:
        one.close()


def test_what_comes_in_one_piece_is_never_held(site):
    with site.wire() as wire:
        for _ in range(50):
            wire.send(HEALTH).answer()
            assert metrics.scrape(site.dockpass)["dockpass_held_bytes"] == 0


def never_read(site, n):
    """Send requests until no more are taken, and read no answer."""
    wires = [site.wire() for _ in range(n)]
    keys = b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: a" + END
    sent, quiet = 0, time.monotonic()
    for wire in wires:
        wire.socket.setblocking(False)
    while time.monotonic() < quiet + 0.3 * PATIENCE:
        for wire in wires:
            try:
                sent += wire.socket.send(keys * 500)
                quiet = time.monotonic()
            except (BlockingIOError, ConnectionError):
                pass
        assert sent < n * 10**7
        time.sleep(0.01)
    return wires


def test_who_reads_no_answers_holds_no_more_than_others(site):
    """Each of them has sent more than is read ahead: 64 KiB, and an answer."""
    memory, wires = site.memory(), never_read(site, 24)
    assert site.is_served()
    held = metrics.scrape(site.dockpass)["dockpass_held_bytes"]
    assert 64 * KIB < held <= 1024 * KIB
    assert metrics.scrape(site.dockpass)[CROWDED % "held"] >= 1
    if PATIENCE == 1:
        assert site.memory() - memory < 8 * KIB
    for wire in wires:
        wire.close()
    metrics.reaches(site.dockpass, "dockpass_held_bytes", 0)


def take_nothing(site, n=1500, more=b""):
    """All that it asks is read, and answered with more than it takes: the rest
    is the kernel's, who would keep it for minutes."""
    wire = site.wire()
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    keys = b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: a" + END
    return wire.send(keys * n + more)


def held(site):
    return metrics.scrape(site.dockpass)["dockpass_held_bytes"]


def test_less_is_held_from_a_reload_on(tmp_path):
    with Site(tmp_path, limits={"held": 2}) as site:
        wires = flood(site, "plain", LARGE, 18)
        wait_until(lambda: held(site) > 1500 * KIB, 5 * PATIENCE, "all")
        site.dockpass.configure(limits={"held": 1})
        assert site.dockpass.reload().startswith("done: ")
        wait_until(lambda: held(site) <= 1024 * KIB, 5 * PATIENCE, "fewer")
        refused(wires[0], 503, "UNAVAILABLE", "in one go")
        for wire in wires[1:]:
            wire.close()


def test_who_takes_his_answers_late_has_ten_seconds_for_the_next(site):
    """And holds no more than whoever begins with that one: half a line."""
    with take_nothing(site, 1000, HALF) as wire:
        wait_until(lambda: held(site) > 1000, 5 * PATIENCE, "he is waited for")
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        got = b""
        while got.count(b"HTTP/1.1 200 ") < 1000 or not got.endswith(b"]}"):
            got += wire.socket.recv(1 << 20)
        begun = time.monotonic()
        wait_until(lambda: held(site) < 2 * KIB, 5 * PATIENCE, "no more")
        assert wire.answer().status_code == 408
        assert time.monotonic() - begun < 12 * PATIENCE


def is_kept(site, wire):
    """Has the kernel the server's end of that connection?"""
    ends = [f"0100007F:{port:04X}" for port in (
        site.ports["plain"], wire.socket.getsockname()[1])]
    return any(line.split()[1:3] == ends for line in
               Path("/proc/net/tcp").read_text().splitlines())


# Who is too slow

HALF = b"GET /healthz HTT"
CONTINUED = POST + b"Expect: 100-continue\r\nContent-Length: 50" + END
# rule: (way, raw, bytes, what is answered before, 408?, what is counted)
LATE = {
    "no byte": ("plain", True, b"", b"", False, "first_byte"),
    "no hello": ("tls", True, b"", b"", False, "first_byte"),
    "half a hello": ("tls", True, bytes.fromhex("16030100c8010000c4"), b"",
                     False, "first_byte"),
    "no byte behind the handshake": ("tls", False, b"", b"", False,
                                     "first_byte"),
    "half a line": ("plain", True, HALF, b"", True, "request"),
    "half a line, with TLS": ("tls", False, HALF, b"", True, "request"),
    "half a body": ("plain", True, POST + b"Content-Length: 9" + END + b"a",
                    b"", True, "request"),
    "half a chunk": ("plain", True, POST + b"Transfer-Encoding: chunked" +
                     END + b"9\r\na", b"", True, "request"),
    "the next one's half": ("plain", True, HEALTH + HALF, b"HTTP/1.1 200 ",
                            True, "request"),
    "half of what was asked for": ("plain", True, CONTINUED,
                                   b"HTTP/1.1 100 ", False, "request"),
}


def everything(wire):
    """What comes until the end; None: it was a reset."""
    try:
        return wire.rest()
    except (ConnectionResetError, ssl.SSLError):
        return None


def told(rule, wire):
    """What this one has been told, and when it ended."""
    got = everything(wire)
    _, _, _, first, late, _ = LATE[rule]
    assert got is not None and got.startswith(first), (rule, got)
    assert (b"HTTP/1.1 408 Request Timeout\r\n" in got) == late, (rule, got)
    if late:
        error = json.loads(got.rpartition(END)[2])["errors"][0]
        assert error["code"] == "TIMEOUT" and "ten seconds" in error["message"]
        assert got.count(b"Connection: close\r\n") == 1
    elif not first:
        assert got == b"", rule
    wire.close()


def test_each_of_the_slow_is_told_what_it_can_be(site):
    before, begun = metrics.scrape(site.dockpass), time.monotonic()
    wires = {rule: site.wire(row[0], raw=row[1]).send(row[2])
             for rule, row in LATE.items()}
    deaf, = never_read(site, 1)
    taker = take_nothing(site)
    slow = [wire.socket for wire in wires.values()]
    assert site.is_served() and time.monotonic() - begun < 9
    for rule, wire in wires.items():
        told(rule, wire)
        assert time.monotonic() - begun > 9.9
    assert all(sock.fileno() < 0 for sock in slow)
    assert time.monotonic() - begun < 12 + PATIENCE
    # Whoever does not read learns it by a reset, with answers unread.
    poll = select.poll()
    poll.register(deaf.socket, 0)
    assert poll.poll(20000 * PATIENCE)[0][1] & (select.POLLHUP |
                                                select.POLLERR)
    deaf.close()
    # Nor is anything left for the kernel to send.
    wait_until(lambda: not is_kept(site, taker), 10 * PATIENCE, "its end")
    taker.close()
    metrics.reaches(site.dockpass, "dockpass_connections", 0)
    rise = site.rise(before)
    for key in ("first_byte", "request"):
        assert rise[SLOW % key] == \
            sum(row[5] == key for row in LATE.values()), key
    assert rise[SLOW % "reply"] == 2
    assert rise['dockpass_http_responses_total{code="408"}'] == \
        sum(row[4] for row in LATE.values())
    wait_until(lambda: len(site.said("slow")) == 2, PATIENCE, "the log")
    assert {text.split(":")[0] for text in site.said("slow")} == {
        "a request was not whole in time", "an answer was not taken in time"}


def descriptors(site):
    return len(os.listdir(f"/proc/{site.dockpass.daemon.process.pid}/fd"))


def test_who_was_refused_is_listened_to_for_five_seconds(site):
    """If he stays so long: whoever goes is gone at once."""
    before = descriptors(site)
    stays, goes = ([site.wire().send(b"GET /\n") for _ in range(20)]
                   for _ in range(2))
    for wire in stays + goes:
        assert wire.answer().status_code == 400 and wire.rest() == b""
    begun = time.monotonic()
    assert descriptors(site) == before + 40
    for wire in goes:
        wire.close()
    wait_until(lambda: descriptors(site) == before + 20, 3, "they are gone")
    wait_until(lambda: descriptors(site) == before, 8 * PATIENCE, "all")
    assert 4.5 < time.monotonic() - begun
    for wire in stays:
        wire.close()


def test_who_was_refused_holds_up_no_end(site):
    with site.wire() as wire:
        assert wire.send(b"GET /\n").answer().status_code == 400
        begun = time.monotonic()
        assert site.dockpass.stop() == 0
        assert time.monotonic() - begun < 4.5  # he is listened to for 5 s


# How many there may be, with TLS as well

@pytest.mark.parametrize("limit", ["connections", "connections_per_address"])
@pytest.mark.parametrize("way", WAYS)
def test_one_too_many_is_told_so(tmp_path, way, limit):
    with Site(tmp_path, limits={limit: 5}) as site:
        inside = [site.wire(way).send(HEALTH) for _ in range(5)]
        assert {wire.answer().status_code for wire in inside} == {200}
        refused(site.wire(way).send(HEALTH), 503, "UNAVAILABLE",
                "of your address" if "address" in limit else "connections:")
        key = CROWDED % limit
        assert metrics.scrape(site.dockpass)[key] == 1
        wait_until(lambda: site.said("overload"), PATIENCE, "the log")
        assert [f"limits.{limit} is reached: turned away 1, at last 127.0.0.1 "
                "(said once a minute)"] == site.said("overload")
        for wire in inside:
            wire.close()


def test_far_too_many_are_closed_before_a_handshake(tmp_path):
    with Site(tmp_path, limits={"connections": 5}) as site:
        wires = [site.wire("tls", raw=True) for _ in range(5 + 256 + 50)]
        ended = [wire.socket for wire in wires]
        wait_until(lambda: len(select.select(ended, [], [], 0)[0]) == 50,
                   5 * PATIENCE, "the last are closed")
        for sock in select.select(ended, [], [], 0)[0]:
            assert sock.recv(100) == b""
        for wire in wires:
            wire.close()
        wait_until(lambda: site.is_served("tls"), 5 * PATIENCE, "served again")


# A flood of connections

def test_who_connects_without_end_has_not_the_loop_for_himself(tmp_path):
    """The server stands still, and 3,000 connect; one who is connected asks.
    He has his answer when it goes on, before they all have been let in."""
    with Site(tmp_path) as site, site.wire() as wire:
        assert wire.send(HEALTH).answer().status_code == 200
        before = metrics.scrape(site.dockpass)
        with Crowd(site, 3000) as crowd:
            wire.send(HEALTH)
            crowd.go_on()
            assert wire.answer().status_code == 200
            let_in = site.rise(before)["dockpass_connections_accepted_total"]
        assert let_in < 1500


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_without_descriptors_it_waits_and_does_not_spin(tmp_path):
    """Those who are in are answered meanwhile, the others when there is room."""
    with Site(tmp_path) as site, site.wire() as inside:
        assert inside.send(HEALTH).answer().status_code == 200
        pid = site.dockpass.daemon.process.pid
        used = len(os.listdir(f"/proc/{pid}/fd"))
        most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 10, most[1]))
        waiting = [site.wire().send(HEALTH) for _ in range(40)]
        work, begun = cpu_seconds(pid), time.monotonic()
        while time.monotonic() < begun + 2:
            assert inside.send(HEALTH).answer().status_code == 200
            time.sleep(0.05)
        assert cpu_seconds(pid) - work < 0.2
        resource.prlimit(pid, resource.RLIMIT_NOFILE, most)
        assert {wire.answer().status_code for wire in waiting} == {200}
        for wire in waiting:
            wire.close()


class Crowd:
    """So many who have connected, while the server was stopped."""

    def __init__(self, site, n):
        self.process = site.dockpass.daemon
        self.process.send(signal.SIGSTOP)
        self.wires = [site.wire("tls", raw=True) for _ in range(n)]

    def go_on(self):
        if self.process.process.poll() is None:
            self.process.send(signal.SIGCONT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.go_on()
        for wire in self.wires:
            wire.close()


def test_it_comes_to_its_end_while_thousands_connect(tmp_path):
    """They are let in, and closed again: nobody is forgotten."""
    with Site(tmp_path) as site, Crowd(site, 3000) as crowd:
        site.dockpass.daemon.send(signal.SIGTERM)
        begun = time.monotonic()
        crowd.go_on()
        assert site.dockpass.daemon.process.wait(20 * PATIENCE) == 0
        assert time.monotonic() - begun < AT_ONCE


def test_a_short_flood_is_told_whole(tmp_path):
    """By the end, or a minute later: not one of many."""
    with Dockpass(tmp_path, workers=1,
                  limits={"connections_per_address": 5}) as dockpass:
        dockpass.serve()
        wires = [Wire(dockpass.port).send(HEALTH) for _ in range(45)]
        metrics.reaches(dockpass, 'dockpass_connections_crowded_total'
                        '{limit="connections_per_address"}', 40)
        for wire in wires:
            wire.close()
        dockpass.stop()
        told = [int(line["message"].split("turned away ")[1].split(",")[0])
                for line in dockpass.log("overload")]
        assert sum(told) == 40 and len(told) <= 2
