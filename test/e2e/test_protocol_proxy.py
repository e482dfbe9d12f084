"""Who the client is, when a proxy is in front: X-Forwarded-For, Forwarded and
the PROXY protocol, of those who are trusted and of those who are not. The log,
the limits of tokens, last uses, the caps and the guard see the same address.
"""

import itertools
import select
import socket
import ssl
import struct
import time

import pytest

from support import metrics, secrets, tokens
from support.dockpass import AT_ONCE, PATIENCE, hurried
from support.process import free_ports, wait_until
from support.site import Certificate
from support.ways import basic
from support.wire import Wire, request
from support.world import World

PROXY, ALSO, STRANGER = "127.0.0.5", "127.0.0.6", "127.0.0.7"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
CLIENTS = (f"192.0.2.{i}" for i in itertools.count(1))
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proxy")
    plain, proxied, secure = ports = free_ports(3)
    certificate = Certificate(folder)
    with World(folder, trusted_proxies=f"{PROXY}, {ALSO}", listeners=[
            {"address": f"127.0.0.1:{plain}"},
            {"address": f"127.0.0.1:{proxied}", "proxy_protocol": True},
            {"address": f"127.0.0.1:{secure}", "proxy_protocol": True,
             **certificate.listener}],
            limits={"connections_per_address": 5},
            guard={"failures": 3, "failures_per_user": 1000}) as world:
        world.ports = dict(zip(("plain", "proxied", "secure"), ports))
        world.port = plain
        world.tls = ssl.create_default_context(cafile=certificate.ca)
        yield world.serve()


def get(secret, *headers):
    return request("GET /token?service=registry",
                   f"Authorization: {basic('x', secret)}", *headers)


def seen(world, wire, *headers, secret=None):
    """The status, and the address that the log has."""
    before = len(world.log("token"))
    answer = wire.send(get(secret or world.pat("alice", "api"),
                           *headers)).answer()
    return answer.status_code, world.logged(before)[0]["addr"]


# Headers

# source, headers, the address that counts
HEADERS = {
    "one": (PROXY, ["X-Forwarded-For: 192.0.2.1"], "192.0.2.1"),
    "the rightmost": (PROXY, ["X-Forwarded-For: 6.6.6.6, 192.0.2.1"],
                      "192.0.2.1"),
    "two proxies": (PROXY, [f"X-Forwarded-For: 6.6.6.6, 192.0.2.1, {ALSO}"],
                    "192.0.2.1"),
    "two lines": (PROXY, ["X-Forwarded-For: 6.6.6.6",
                          "x-forwarded-for: 192.0.2.1"], "192.0.2.1"),
    "Forwarded": (PROXY, ["Forwarded: for=6.6.6.6, for=\"[2001:DB8::1]:80\""],
                  "2001:db8::1"),
    "both, alike": (PROXY, ["Forwarded: for=192.0.2.1",
                            "X-Forwarded-For: 192.0.2.1"], "192.0.2.1"),
    "both, not alike": (PROXY, ["Forwarded: for=6.6.6.6",
                                "X-Forwarded-For: 192.0.2.1"], PROXY),
    "garbage": (PROXY, ["X-Forwarded-For: localhost"], PROXY),
    "garbage by another": (PROXY, [f"X-Forwarded-For: a, {ALSO}"], ALSO),
    "none": (PROXY, [], PROXY),
    "others do not count": (PROXY, ["X-Real-IP: 6.6.6.6",
                                    "True-Client-IP: 6.6.6.6"], PROXY),
    "of a stranger": (STRANGER, ["X-Forwarded-For: 6.6.6.6"], STRANGER),
    "of a stranger, too": (STRANGER, ["Forwarded: for=6.6.6.6"], STRANGER),
    "of this machine": ("127.0.0.1", ["X-Forwarded-For: 6.6.6.6"],
                        "127.0.0.1"),
}


@pytest.mark.parametrize("row", HEADERS.values(), ids=HEADERS.keys())
def test_headers(world, row):
    source, headers, want = row
    with Wire(world.port, source=source) as wire:
        assert seen(world, wire, *headers) == (200, want)
        # The next request on the connection is another client's.
        assert seen(world, wire) == (200, source)


def test_the_network_of_a_token(world):
    """A right secret is no use elsewhere, however its address is written."""
    secret = world.token("alice", "--network", "192.0.2.0/24", "--network",
                         PROXY, scopes="api", name="net")
    with Wire(world.port, source=PROXY) as wire:
        for headers, status in (
                (["X-Forwarded-For: 192.0.2.9"], 200),
                (["X-Forwarded-For: 192.0.2.9, 198.51.100.1"], 401),
                (["X-Forwarded-For: 198.51.100.2"], 401),
                ([], 200),
                # Whom the proxy hides is not the proxy.
                (["X-Forwarded-For: unknown"], 401),
                (["X-Forwarded-For: 198.51.100.3", "Forwarded: for=192.0.2.9"],
                 401)):
            assert seen(world, wire, *headers, secret=secret)[0] == status
    with Wire(world.port, source=STRANGER) as wire:
        assert seen(world, wire, "X-Forwarded-For: 192.0.2.9",
                    secret=secret)[0] == 401


def test_last_used(world):
    secret = world.token("alice", scopes="api", name="used")
    with Wire(world.port, source=PROXY) as wire:
        seen(world, wire, "X-Forwarded-For: 192.0.2.77", secret=secret)
    number = world.token_id("used")
    wait_until(lambda: "192.0.2.77" in world.cli("token", "show", number),
               30 * PATIENCE, "shown")


def wrong():
    return secrets.remember(f"glpat-{next(NUMBERS):020}")


def fail(world, source, *headers):
    """Seconds that a wrong token took, by the server's clock."""
    before = len(world.log("token"))
    with Wire(world.port, source=source) as wire:
        tokens.refusal(wire.send(get(wrong(), *headers)).answer(), 401)
    return world.logged(before)[0]["us"] / 1e6


def test_the_guard_counts_the_client(world):
    one, two = next(CLIENTS), next(CLIENTS)
    for i in range(3):
        assert fail(world, PROXY, f"X-Forwarded-For: 6.6.6.{i}, {one}") < 0.4 * PATIENCE
    assert fail(world, ALSO, f"Forwarded: for={one}") >= 0.5
    assert fail(world, PROXY, f"X-Forwarded-For: {two}") < 0.4 * PATIENCE


def test_nobody_hides_from_the_guard_behind_an_exempt_proxy(own_world):
    """It is not counted, as it is named, but whom it hides is."""
    own_world.configure(trusted_proxies="127.0.0.1",
                        guard={"failures": 3, "exempt": "127.0.0.1"})
    own_world.serve()
    for _ in range(6):
        assert fail(own_world, "127.0.0.1") < 0.4 * PATIENCE
    for hide in ("X-Forwarded-For: unknown", "Forwarded: for=_x",
                 "X-Forwarded-For: 1,2,3"):
        fail(own_world, "127.0.0.1", hide)
    assert fail(own_world, "127.0.0.1", "X-Forwarded-For: x") >= 0.5
    assert fail(own_world, "127.0.0.1") < 0.4 * PATIENCE


def test_a_proxy_that_is_not_named_is_warned_of_once(own_world):
    own_world.serve()
    with Wire(own_world.port) as wire:
        for _ in range(3):
            assert seen(own_world, wire, "X-Forwarded-For: 192.0.2.1") == (
                200, "127.0.0.1")
    line, = own_world.logged(0, event="proxy")
    assert "trusted_proxies" in line["message"]


def test_a_proxy_of_this_machine_beside_the_named_ones(world):
    """Who asks by it is not who sits here; but he is of whom a named one says
    so."""
    secret = world.token("alice", "--network", "127.0.0.0/8", scopes="api",
                         name="here")
    for source, headers, status in (
            ("127.0.0.1", [], 200),
            ("127.0.0.1", ["X-Forwarded-For: 192.0.2.1"], 401),
            ("127.0.0.1", ["Forwarded: for=127.0.0.1"], 401),
            ("127.0.0.1", [], 200),
            (STRANGER, ["X-Forwarded-For: 192.0.2.1"], 200),
            (PROXY, ["X-Forwarded-For: 127.0.0.1"], 200)):
        with Wire(world.port, source=source) as wire:
            assert seen(world, wire, *headers, secret=secret)[0] == status


def test_trust_follows_a_reload_on_a_living_connection(own_world):
    own_world.serve()
    with Wire(own_world.port, source=PROXY) as wire:
        header = "X-Forwarded-For: 192.0.2.1"
        for proxies, want in ((None, PROXY), (PROXY, "192.0.2.1"),
                              (ALSO, PROXY)):
            if proxies:
                own_world.configure(trusted_proxies=proxies)
                assert own_world.reload().startswith("done:")
            assert seen(own_world, wire, header) == (200, want)


# The PROXY protocol

def line(client="192.0.2.1", family="TCP4"):
    to = "192.0.2.250" if family == "TCP4" else "2001:db8::250"
    return f"PROXY {family} {client} {to} 56324 443\r\n".encode()


def binary(client="192.0.2.1", command=1, more=b""):
    if ":" in client:
        kind, family = 0x21, socket.AF_INET6
    else:
        kind, family = 0x11, socket.AF_INET
    block = 2 * socket.inet_pton(family, client) + struct.pack(
        ">HH", 56324, 443) + more
    return SIGNATURE + struct.pack(">BBH", 0x20 | command, kind,
                                   len(block)) + block


# bytes, the address that counts; None: the proxy's own
GOOD = {
    "v1": (line(), "192.0.2.1"),
    "v1-IPv6": (line("2001:db8::1", "TCP6"), "2001:db8::1"),
    "v1-unknown": (b"PROXY UNKNOWN\r\n", None),
    "v2": (binary(), "192.0.2.1"),
    "v2-IPv6": (binary("2001:db8::1"), "2001:db8::1"),
    "v2-more": (binary(more=b"\4\0\3abc" * 100), "192.0.2.1"),
    "v2-local": (SIGNATURE + b"\x20\0\0\0", None),
    "v2-local-addresses": (binary(command=0), None),
    "v2-unknown": (SIGNATURE + b"\x21\0\0\0", None),
}


@pytest.mark.parametrize("cut", ["at-once", "header-first", "bytes"])
@pytest.mark.parametrize("row", GOOD.values(), ids=GOOD.keys())
def test_a_header_and_HTTP_behind_it(world, row, cut):
    head, want = row
    with Wire(world.ports["proxied"], source=PROXY) as wire:
        if cut == "at-once":
            wire.send(head + get(world.pat("alice", "api")))
            assert wire.answer().status_code == 200
        elif cut == "bytes":
            for i in range(0, len(head), 1 if len(head) < 99 else 50):
                wire.send(head[i:i + (1 if len(head) < 99 else 50)])
                time.sleep(0.001)
        else:
            wire.send(head)
        for _ in range(2):
            assert seen(world, wire) == (200, want or PROXY)


@pytest.mark.parametrize("cut", ["at-once", "apart"])
@pytest.mark.parametrize("name", ["v1", "v2", "v2-more", "v2-local"])
def test_a_header_and_TLS_behind_it(world, name, cut):
    """With the hello in one packet, which a socket cannot do: so by hand."""
    head, want = GOOD[name]
    inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = world.tls.wrap_bio(inside, outside, server_hostname="localhost")
    with Wire(world.ports["secure"], source=PROXY) as wire:
        def run(step):
            while True:
                try:
                    done = step()
                except ssl.SSLWantReadError:
                    done = None
                if outside.pending:
                    wire.send(outside.read())
                if done is not None:
                    return done
                inside.write(wire.socket.recv(65536))
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        if cut == "at-once":
            wire.send(head + outside.read())
        else:
            wire.send(head)
        run(lambda: tls.do_handshake() or True)
        before = len(world.log("token"))
        run(lambda: tls.write(get(world.pat("alice", "api"))))
        assert run(lambda: tls.read(65536)).startswith(b"HTTP/1.1 200 ")
        assert world.logged(before)[0]["addr"] == (want or PROXY)


BAD = {
    "HTTP": b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c4"),
    "SSH": b"SSH-2.0-x\r\n",
    "v1-family": line().replace(b"TCP4", b"UDP4"),
    "v1-address": line("192.0.2"),
    "v1-end": line().replace(b"\r", b""),
    "v1-long": b"PROXY UNKNOWN " + b"x" * 100,
    "v2-version": SIGNATURE + b"\x31\x11\0\0",
    "v2-command": SIGNATURE + b"\x22\x11\0\x0c" + bytes(12),
    "v2-UDP": SIGNATURE + b"\x21\x12\0\x0c" + bytes(12),
    "v2-short": SIGNATURE + b"\x21\x11\0\x04" + bytes(4),
    "v2-long": SIGNATURE + b"\x21\x11\xff\xff",
}


def closed(wire):
    """Without a word, and soon."""
    try:
        return wire.socket.recv(100) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("port", ["proxied", "secure"])
@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_anything_else_is_closed(world, data, port):
    with Wire(world.ports[port], source=PROXY).send(data) as wire:
        begun = time.monotonic()
        assert closed(wire)
        assert time.monotonic() - begun < AT_ONCE


@pytest.mark.parametrize("port", ["proxied", "secure"])
@pytest.mark.parametrize("data", [b"", b"PROX", SIGNATURE, binary()[:20]])
def test_who_leaves_in_the_midst_of_it_is_gone(world, data, port):
    """At once, not when his time is up."""
    with Wire(world.ports[port], source=PROXY).send(data) as wire:
        begun = time.monotonic()
        wire.socket.shutdown(socket.SHUT_WR)
        assert closed(wire)
        assert time.monotonic() - begun < AT_ONCE


@pytest.mark.parametrize("port", ["proxied", "secure"])
@pytest.mark.parametrize("source", [STRANGER, "127.0.0.1"])
def test_only_from_trusted_proxies(world, source, port):
    with Wire(world.ports[port], source=source) as wire:
        try:
            wire.send(line() + b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        except ConnectionError:
            pass
        assert closed(wire)
    wait_until(lambda: any("PROXY header first" in said["message"]
                           for said in world.log("proxy")),
               5 * PATIENCE, "it is said")


def test_one_header_is_enough(world):
    """A second one is no HTTP: the client might have sent it."""
    with Wire(world.ports["proxied"], source=PROXY) as wire:
        tokens.refusal(wire.send(line() + line("6.6.6.6")).answer(), 400)


def test_a_header_means_nothing_elsewhere(world):
    with Wire(world.port, source=PROXY) as wire:
        wire.send(line() + b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"200" not in wire.socket.recv(100)


def test_a_header_and_forwarded_behind_it(world):
    """A chain: one proxy speaks PROXY, the one before it HTTP."""
    with Wire(world.ports["proxied"], source=PROXY) as wire:
        wire.send(line(ALSO))
        assert seen(world, wire, "X-Forwarded-For: 192.0.2.5") == (
            200, "192.0.2.5")
    with Wire(world.ports["proxied"], source=PROXY) as wire:
        wire.send(line("192.0.2.6"))
        assert seen(world, wire, "X-Forwarded-For: 6.6.6.6") == (
            200, "192.0.2.6")


@pytest.mark.parametrize("name", ["v1-unknown", "v2-unknown"])
def test_whom_a_header_hides_does_not_name_himself(world, name):
    """A proxy that knows no address has written none behind it either; nor
    is he the proxy."""
    secret = world.token("alice", "--network", "192.0.2.0/24", "--network",
                         PROXY, scopes="api", name=f"hidden {name}")
    head, _ = GOOD[name]
    for header in ("X-Forwarded-For: 192.0.2.5", "Forwarded: for=192.0.2.5",
                   "X-Real-IP: 192.0.2.5"):
        with Wire(world.ports["proxied"], source=PROXY) as wire:
            wire.send(head)
            assert seen(world, wire, header) == (200, PROXY)
            assert seen(world, wire, header, secret=secret) == (401, PROXY)


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


def test_a_proxy_has_no_cap_but_its_clients_have(world):
    """limits.connections_per_address is 5."""
    wires = [Wire(world.port, source=PROXY).send(HEALTH) for _ in range(20)]
    assert {wire.answer().status_code for wire in wires} == {200}
    one, two, before = next(CLIENTS), next(CLIENTS), metrics.scrape(world)
    many = [Wire(world.ports["proxied"], source=PROXY).send(
        (line(one) if i % 2 else binary(one)) + HEALTH) for i in range(8)]
    got = [wire.answer().status_code for wire in many]
    assert got.count(200) == 5 and got.count(503) == 3
    with Wire(world.ports["proxied"], source=PROXY) as wire:
        assert wire.send(line(two) + HEALTH).answer().status_code == 200
    rise = metrics.rise(before, metrics.scrape(world))
    crowded = 'crowded_total{limit="connections_per_address"}'
    assert [rise[f"dockpass_connections_{how}"]
            for how in ("accepted_total", crowded)] == [9, 3]
    for wire in many + wires:
        wire.close()

    def again():
        with Wire(world.ports["proxied"], source=PROXY) as wire:
            return wire.send(line(one) + HEALTH).answer().status_code == 200
    wait_until(again, 5 * PATIENCE, "let in again")


def test_the_cap_of_an_IPv6_client_is_that_of_his_64(world):
    wires = [Wire(world.ports["proxied"], source=PROXY).send(
        binary(f"2001:db8:0:1::{i}") + HEALTH) for i in range(1, 8)]
    got = [wire.answer().status_code for wire in wires]
    assert got.count(200) == 5 and got.count(503) == 2
    with Wire(world.ports["proxied"], source=PROXY) as wire:
        wire.send(binary("2001:db8:0:2::1") + HEALTH)
        assert wire.answer().status_code == 200
    for wire in wires:
        wire.close()


def test_a_header_may_be_wanted_from_a_reload_on(own_world):
    own_world.configure(trusted_proxies=PROXY)
    own_world.serve()
    with Wire(own_world.port, source=PROXY) as wire:
        assert seen(own_world, wire) == (200, PROXY)
        own_world.configure(listener={"proxy_protocol": True})
        assert own_world.reload().startswith("done:")
        # Who has entered has entered.
        assert seen(own_world, wire) == (200, PROXY)
    with Wire(own_world.port, source=PROXY) as wire:
        assert seen(own_world, wire.send(line())) == (200, "192.0.2.1")
    with Wire(own_world.port, source=PROXY).send(HEALTH) as wire:
        assert closed(wire)


def test_room_may_come_before_the_header(own_world):
    """He is let in then, and was never one too many."""
    own_world.configure(listener={"proxy_protocol": True}, workers=1,
                        trusted_proxies=PROXY, limits={"connections": 1})
    own_world.serve()
    with Wire(own_world.port, source=PROXY) as first:
        assert first.send(line() + HEALTH).answer().status_code == 200
        second = Wire(own_world.port, source=PROXY)
        metrics.reaches(own_world, "dockpass_connections_accepted_total", 2)
    metrics.reaches(own_world, "dockpass_connections", 0)
    with second:
        assert second.send(line() + HEALTH).answer().status_code == 200
    assert metrics.crowded(metrics.scrape(own_world)) == 0


def test_without_trusted_proxies_anybody_is_believed(own_world):
    """And a warning says so, at the start and at a reload."""
    own_world.configure(listener={"proxy_protocol": True})
    own_world.serve()
    warning, = own_world.log("proxy")
    assert "without trusted_proxies" in warning["message"]
    with Wire(own_world.port, source=STRANGER) as wire:
        wire.send(line())
        assert seen(own_world, wire) == (200, "192.0.2.1")
    own_world.configure(trusted_proxies=PROXY)
    assert own_world.reload().startswith("done:")
    assert len(own_world.log("proxy")) == 1
    with Wire(own_world.port, source=STRANGER) as wire:
        try:
            wire.send(line() + HEALTH)
        except ConnectionError:
            pass
        assert closed(wire)
    with Wire(own_world.port, source=PROXY) as wire:
        wire.send(line())
        assert seen(own_world, wire) == (200, "192.0.2.1")


def test_who_is_cut_off_is_told_of_once_a_minute(own_world):
    own_world.configure(listener={"proxy_protocol": True}, workers=1,
                        trusted_proxies=PROXY)
    own_world.serve()
    for _ in range(5):
        with Wire(own_world.port, source=PROXY).send(HEALTH) as wire:
            assert closed(wire)
    with Wire(own_world.port, source=PROXY) as wire:
        assert seen(own_world, wire.send(line())) == (200, "192.0.2.1")
    cut_off, = own_world.log("proxy")
    assert cut_off["message"].startswith(f"{PROXY} was cut off")


def test_a_slow_header_has_ten_seconds(own_world, faketime):
    """On a clock that runs five times as fast."""
    if PATIENCE > 1:
        pytest.skip("libfaketime and a sanitizer cannot both come first")
    own_world.configure(listener={"proxy_protocol": True})
    own_world.serve(env=hurried(5))
    begun = time.monotonic()
    wires = [Wire(own_world.port).send(data) for data in (
        b"", b"PROXY TCP4", SIGNATURE, binary()[:-1], line(), binary())]
    left = {wire.socket for wire in wires}
    while left:
        for ready in select.select(left, [], [], 5)[0]:
            assert ready.recv(100) == b""
            left.remove(ready)
            assert 9.5 < (time.monotonic() - begun) * 5 < 30
        assert time.monotonic() - begun < 6
    for wire in wires:
        wire.close()
