"""The limits of a request: what is within passes, a byte more is refused, and
what is far beyond costs neither time nor memory.
"""

import time

import pytest

from support import tokens
from support.dockpass import AT_ONCE, PATIENCE
from support.wire import Wire

KIB = 1024
END = b"\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a" + END
POST = b"POST /token HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked" + END


HOST = b"Host: a\r\n"
FIRST = b"GET /healthz HTTP/1.1\r\n"


def line(size, head=b"GET /healthz?"):
    """A request line of so many bytes, without its CR LF."""
    tail = b" HTTP/1.1"
    return head + b"a" * (size - len(head) - len(tail)) + tail + b"\r\n"


def headers(size, more=b""):
    """A header block of so many bytes, with the empty line behind it."""
    head = HOST + more + b"A: "
    return head + b"a" * (size - len(head) - 2) + END


def body(size):
    return POST + b"Content-Length: %d" % size + END + b"a" * size


def chunks(*sizes):
    return CHUNKED + b"".join(
        b"%x\r\n%s\r\n" % (size, b"a" * size) for size in sizes) + b"0" + END


# rule: (bytes, status). 400: it was read, and lacks a grant_type.
BYTES = {
    "a line of 32 KiB less one": (line(32 * KIB - 1) + HOST + b"\r\n", 200),
    "a line of 32 KiB and one": (line(32 * KIB + 1) + HOST + b"\r\n", 414),
    "headers of 64 KiB less one": (FIRST + headers(64 * KIB - 1), 200),
    "headers of 64 KiB and one": (FIRST + headers(64 * KIB + 1), 431),
    "256 headers": (HEALTH[:-2] + b"a:\r\n" * 255 + b"\r\n", 200),
    "257 headers": (HEALTH[:-2] + b"a:\r\n" * 256 + b"\r\n", 431),
    "a body of 64 KiB": (body(64 * KIB), 400),
    "a body of 64 KiB and one": (body(64 * KIB + 1), 413),
    "chunks of 64 KiB": (chunks(64 * KIB), 400),
    "chunks of 64 KiB, two": (chunks(32 * KIB, 32 * KIB), 400),
    "chunks of 64 KiB and one": (chunks(64 * KIB + 1), 413),
    "chunks of 64 KiB and one, two": (chunks(64 * KIB, 1), 413),
    "all of them at once":
        (line(32 * KIB - 1, b"POST /token?") +
         headers(64 * KIB - 1, b"Content-Length: 65536\r\n") +
         b"a" * 64 * KIB, 400),
}


@pytest.mark.parametrize("row", BYTES.values(), ids=BYTES.keys())
def test_bytes(world, row):
    data, status = row
    with Wire(world.port) as wire:
        answer = wire.send(data).answer()
        assert answer.status_code == status
        if status in (413, 414, 431):
            tokens.refusal(answer, status, "TOO_LARGE")
            assert wire.rest() == b""
        else:
            assert wire.send(HEALTH).answer().status_code == 200


def long(n):
    return "a" * n


# rule: (what ask() is given, what is granted or the words of the 400)
WORDS = {
    "256 scopes": ({"scope": ["repository:g/pub/a:pull"] * 256},
                   {"repository:g/pub/a": "pull"}),
    "256 scopes in one": ({"scope": "x:y:z " * 255 + "repository:g/pub:pull"},
                          {"repository:g/pub": "pull"}),
    "257 scopes": ({"scope": ["repository:g/pub/a:pull"] * 257},
                   "more than 256 scopes"),
    "257 scopes in one": ({"scope": "x:y:z " * 256 + "repository:g/pub:pull"},
                          "more than 256 scopes"),
    "a repository of 255": ({"scope": f"repository:g/pub/{long(249)}:pull"},
                            {f"repository:g/pub/{long(249)}": "pull"}),
    "a repository of 256": ({"scope": f"repository:g/pub/{long(250)}:pull"},
                            "longer than 255 bytes"),
    "an action of 32": ({"scope": f"repository:g/pub:{long(32)},pull"},
                        {"repository:g/pub": "pull"}),
    "an action of 33": ({"scope": f"repository:g/pub:{long(33)},pull"},
                        "longer than 32 bytes"),
    "a user of 255": ({"user": long(255)}, {}),
    "a user of 256": ({"user": long(256)}, "longer than 255 bytes"),
    "a password of 4 KiB": ({"password": long(4096)}, 401),
    "a password of 4 KiB and one": ({"password": long(4097)},
                                    "longer than 4096 bytes"),
    "1024 parameters": ({"fields": {"a": [""] * 1021}}, {}),
    "1025 parameters": ({"fields": {"a": [""] * 1022}},
                        "more than 1024 parameters"),
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("row", WORDS.values(), ids=WORDS.keys())
def test_words(world, row, method):
    kwargs, want = row
    auth = kwargs.get("user", "alice"), \
        kwargs.get("password", world.pat("alice", "api"))
    fields = dict(kwargs.get("fields", {}))
    if method == "POST":
        fields |= {"grant_type": "password", "username": auth[0],
                   "password": auth[1]}
        fields.update({"a": fields["a"][3:]} if "a" in fields else {})
        auth = None
    answer = world.ask(kwargs.get("scope", ""), auth=auth, method=method,
                       fields=fields)
    if isinstance(want, dict):
        assert tokens.access(answer, world) == want
    elif isinstance(want, str):
        assert want in tokens.refusal(answer, 400, "BAD_REQUEST")
    else:
        tokens.refusal(answer, want)


def test_an_answer_is_under_60_kib(world):
    """As many long names as there may be: each 200 is short enough."""
    lengths = []
    for n in range(40, 120):
        names = [f"repository:g/pub/{i:03}{long(246)}:pull" for i in range(n)]
        answer = world.ask(method="POST", fields={
            "grant_type": "password", "username": "alice",
            "password": world.pat("alice", "api"), "scope": ""}, scope=names)
        if answer.status_code != 200:
            break
        assert len(tokens.access(answer, world)) == n
        lengths.append(len(answer.content))
    assert "60 KiB" in tokens.refusal(answer, 400, "BAD_REQUEST")
    assert 58 * KIB < lengths[-1] <= 60 * KIB


# What is far beyond: bytes, and the status that it deserves at once.

def form(text):
    head = b"grant_type=password&username=a&password=glpat-%s&service=other&" \
        % (b"x" * 20)
    return POST + b"Content-Length: %d" % (len(head + text)) + END + head + text


GET = b"GET /token?service=registry&scope="
ZEROS = bytes(3 * 10**6)
FLOODS = {
    "20,000 scopes": (GET + b"repository:a:pull+" * 20000, 414),
    "20,000 short scopes": (form(b"scope=" + b"a:+" * 20000), 400),
    "a name of 1 MB": (GET + b"repository:" + b"a" * 10**6, 414),
    "a name of 60 KB": (form(b"scope=repository:" + b"a" * 60000 + b":b"), 400),
    "100,000 actions": (GET + b"repository:a:" + b"pull," * 10**5, 414),
    "30,000 actions": (form(b"scope=repository:a:" + b"p," * 30000), 401),
    "60,000 parameters": (form(b"&" * 60000), 400),
    "60,000 escapes": (form(b"scope=" + b"%61" * 20000), 401),
    "a length of 1 GB": (POST + b"Content-Length: 1000000000" + END + ZEROS,
                         413),
    "a length of 1 ZB": (POST + b"Content-Length: 1" + b"0" * 21 + END, 413),
    "a chunk of 1 GB": (CHUNKED + b"3b9aca00\r\n" + ZEROS, 413),
    "a chunk for each byte": (CHUNKED + b"1\r\na\r\n" * 65536, 413),
    "an endless line": (b"GET /" + b"a" * 3 * 10**6, 414),
    "an endless name": (HEALTH[:-2] + b"A" * 3 * 10**6, 431),
    "an endless block": (HEALTH[:-2] + b"A: b\r\n" * 500000, 431),
    "endless empty lines": (b"\r\n" * 10**6 + HEALTH[:-2] + b"A" + END, 400),
}


def flood(world, data, status):
    with Wire(world.port) as wire:
        tokens.refusal(wire.send(data).answer(), status)


@pytest.mark.parametrize("row", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_is_refused_at_once(world, row):
    """Who sends megabytes more than is read has his answer all the same."""
    begun = time.monotonic()
    flood(world, *row)
    assert time.monotonic() - begun < AT_ONCE


def test_who_goes_on_after_his_answer_is_read(world):
    """To close before he is done would be a reset, which overtakes it."""
    with Wire(world.port) as wire:
        tokens.refusal(wire.send(b"GET /\n").answer(), 400)
        assert wire.rest() == b""
        for _ in range(50):
            wire.send(b"a" * 64 * KIB)


def memory(world):
    """KiB that the server holds."""
    with open(f"/proc/{world.daemon.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status
                    if line.startswith("VmRSS:"))


@pytest.fixture
def released():
    if PATIENCE > 1:
        pytest.skip("a sanitizer keeps what has been freed")


def test_floods_cost_no_memory(world, released):
    for row in FLOODS.values():
        flood(world, *row)
    before = memory(world)
    for _ in range(5):
        for row in FLOODS.values():
            flood(world, *row)
    assert memory(world) - before < 2048


@pytest.mark.parametrize("head", [
    b"GET /healthz?", HEALTH[:-2] + b"A: ", CHUNKED + b"ffff\r\n"],
    ids=["line", "header", "chunk"])
def test_single_bytes_cost_no_more_than_bytes(world, released, head):
    """20,000 of them, each alone in its packet: no allocation for each."""
    before = memory(world)
    wires = [Wire(world.port).send(head) for _ in range(50)]
    for _ in range(400):
        for wire in wires:
            wire.send(b"a")
    grown = memory(world) - before
    for wire in wires:
        wire.close()
    assert grown < 2048
