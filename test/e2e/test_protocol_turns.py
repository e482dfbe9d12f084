"""What a worker keeps from one request to the next, or from one turn of its
loop to the next: replies, random bytes, the text of a second, memory.
"""

import signal
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from support import tokens
from support.dockpass import PATIENCE
from support.process import wait_until
from support.wire import Wire, request
from test_protocol_tls import (  # fixtures
    HEALTH, answers, own)

TOKEN = b"GET /token?service=registry HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def one(own):
    own.configure(workers=1, limits={"held": 1000})
    return own.serve()


def all_at_once(one, wires, data, count):
    """Each sends it while the server stands; `count` answers each."""
    one.daemon.send(signal.SIGSTOP)
    try:
        for wire in wires:
            wire.send(data)
    finally:
        one.daemon.send(signal.SIGCONT)
    for wire in wires:
        for _ in range(count):
            assert wire.answer().status_code == 200


@pytest.mark.parametrize("tls", [False, True])
def test_many_replies_in_one_turn_all_arrive(one, tls):
    """A turn takes what has come, 32, 64 ... connections at a time. In the end
    they ask for more than is read ahead: see nothing_stays_behind_in_a_record
    in test_protocol_tls."""
    context = one.chain.context()
    wires = []
    for _ in range(600):  # each asks at once: it has 10 s for its first byte
        wires.append(Wire(one.tls_port, tls=context) if tls
                     else Wire(one.port))
        assert answers(wires[-1])
    for _ in range(6):
        all_at_once(one, wires, HEALTH, 1)
    for length in (1000, 1020, 1040, 1060):
        all_at_once(one, wires,
                    request("GET /healthz", "X: " + length * "a") * 66, 66)
    for wire in wires:
        wire.close()


def test_each_token_has_its_own_jti(one):
    with Wire(one.port) as wire:
        seen = {tokens.claims(wire.send(TOKEN).answer())["jti"]
                for _ in range(300)}
    assert len(seen) == 300


def test_the_date_moves(one):
    with Wire(one.port) as wire:
        def date():
            text = wire.send(HEALTH).answer().headers["Date"]
            return parsedate_to_datetime(text)
        first = date()
        wait_until(lambda: date() > first, 5 * PATIENCE, "it stands still")
        now = datetime.now(timezone.utc)
        assert abs((date() - now).total_seconds()) < 2


def test_the_time_in_the_log_moves(one):
    def seconds():
        with Wire(one.port) as wire:
            wire.send(TOKEN).answer()
        return {line["time"][:19] for line in one.log("token")}
    wait_until(lambda: len(seconds()) > 1, 5 * PATIENCE, "it stands still")


def test_single_bytes_take_little_memory(one):
    """A packet of one byte keeps no block of its own."""
    if PATIENCE > 1:
        pytest.skip("a sanitizer keeps what was freed")

    def own_memory():
        assert answers(other)
        text = Path(f"/proc/{one.daemon.process.pid}/status").read_text()
        return int(text.partition("RssAnon:")[2].split()[0])

    with Wire(one.port) as wire, Wire(one.port) as other:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        before = own_memory()
        for _ in range(2000):
            wire.send(b"a")
            assert answers(other)
        grown = own_memory() - before
    assert grown < 128, f"{grown} kB"
