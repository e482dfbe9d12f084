"""The frame around a request, over raw sockets: what is read, in whatever
pieces; what is refused, how it is said, and that nothing behind it is ever
answered (a proxy in front may have seen another request there). Each piece of
each row is test_gate.c's; here is that the server does what the gate says.
"""

import socket
from urllib.parse import urlencode

import pytest

from support import tokens
from support.wire import Wire, request

END = b"\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a" + END
LINE = b"GET /healthz HTTP/1.1\r\n"
GET = LINE + b"Host: a\r\n"
OLD = b"GET /healthz HTTP/1.0\r\n"
POST_LINE = b"POST /token HTTP/1.1\r\n"
POST = POST_LINE + b"Host: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked" + END

# rule: (bytes, status)
REFUSED = {
    "no host": (LINE + END[2:], 400),
    "no host but a header":
        (POST_LINE + b"Content-Length: 1" + END + b"a", 400),
    "no host, another method": (b"BREW /healthz HTTP/1.1" + END, 400),
    "two hosts that differ": (GET + b"Host: b" + END, 400),
    "two hosts that agree": (GET + b"A: b\r\nhost: a" + END, 400),
    "two hosts, one empty": (GET + b"Host:" + END, 400),
    "two hosts in HTTP/1.0": (OLD + b"Host: a\r\nHost: a" + END, 400),
    "two hosts in one": (LINE + b"Host: a, b" + END, 400),
    "a host with a login": (LINE + b"Host: u@a" + END, 400),
    "a host with a path": (LINE + b"Host: a/b" + END, 400),
    "a host with a scheme": (LINE + b"Host: http://a" + END, 400),
    "a port of letters": (LINE + b"Host: a:http" + END, 400),
    "a host of bytes over 127": (LINE + b"Host: \xc3\xa4" + END, 400),
    "half an escape in a host": (LINE + b"Host: a%4" + END, 400),
    "an address without brackets": (LINE + b"Host: 2001:db8::1" + END, 400),
    "no address in brackets": (LINE + b"Host: [1:2:3]" + END, 400),
    "a name for Host": (GET.replace(b"Host", b"Hosts") + END[2:], 400),
    "two lengths that differ":
        (POST + b"Content-Length: 1\r\nContent-Length: 2" + END + b"ab", 400),
    "two lengths that agree":
        (POST + b"Content-Length: 1\r\nContent-Length: 1" + END + b"a", 400),
    "two lengths in one": (POST + b"Content-Length: 1, 1" + END + b"a", 400),
    "a length of letters": (POST + b"Content-Length: one" + END, 400),
    "a length with a plus": (POST + b"Content-Length: +1" + END + b"a", 400),
    "a length under zero": (POST + b"Content-Length: -1" + END, 400),
    "a length in hex": (POST + b"Content-Length: 0x1" + END + b"a", 400),
    "a length with a space": (POST + b"Content-Length: 1 1" + END, 400),
    "a length with an underscore": (POST + b"Content-Length: 1_0" + END, 400),
    "no length in it": (POST + b"Content-Length: " + END, 400),
    "a length on a GET": (GET + b"Content-Length: 35" + END, 400),
    "chunks on a GET": (GET + b"Transfer-Encoding: chunked" + END, 400),
    "a length, then chunks":
        (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked" + END +
         b"0" + END, 400),
    "chunks, then a length":
        (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5" + END +
         b"0" + END, 400),
    "chunks twice": (POST + 2 * b"Transfer-Encoding: chunked\r\n" +
                     b"\r\n0" + END, 400),
    "gzip, chunked":
        (POST + b"Transfer-Encoding: gzip, chunked" + END + b"0" + END, 400),
    "xchunked": (POST + b"Transfer-Encoding: xchunked" + END, 400),
    "chunked in quotes": (POST + b'Transfer-Encoding: "chunked"' + END, 400),
    "chunked behind a tab and VT":
        (POST + b"Transfer-Encoding:\t\x0bchunked" + END, 400),
    "identity": (POST + b"Transfer-Encoding: identity" + END, 400),
    "a tab before a length": (POST + b"Content-Length:\t1" + END + b"a", 400),
    "a tab behind an encoding":
        (POST + b"Transfer-Encoding: chunked\t" + END + b"0" + END, 400),
    "a tab before an expectation":
        (POST + b"Expect:\t100-continue\r\nContent-Length: 5" + END, 400),
    "chunks in HTTP/1.0":
        (b"POST /token HTTP/1.0\r\nTransfer-Encoding: chunked" + END, 400),
    "a bare CR in a value": (GET + b"A: b\rContent-Length: 9" + END, 400),
    "a bare CR in the line":
        (b"GET /healthz\r HTTP/1.1\r\nHost: a" + END, 400),
    "a bare LF behind the line": (b"GET /healthz HTTP/1.1\n\n", 400),
    "a bare LF behind a header": (GET + b"A: b\nB: c" + END, 400),
    "a bare LF at the end": (GET + b"A: b\r\n\n", 400),
    "a NUL in a value": (GET + b"A: b\0" + END, 400),
    "a NUL in a name": (GET + b"A\0: b" + END, 400),
    "a NUL in the path": (b"GET /healthz\0 HTTP/1.1\r\nHost: a" + END, 400),
    "a folded line": (GET + b"A: b\r\n c" + END, 400),
    "a folded length": (POST + b"Content-Length:\r\n 1" + END + b"a", 400),
    "a space before the colon":
        (POST + b"Content-Length : 1" + END + b"a", 400),
    "a space before the first header": (GET + b" A: b" + END, 400),
    "a header without a colon": (GET + b"A" + END, 400),
    "a header without a name": (GET + b": b" + END, 400),
    "a proxy's request":
        (b"GET http://a/healthz HTTP/1.1\r\nHost: a" + END, 400),
    "a tunnel's request": (b"CONNECT a:443 HTTP/1.1\r\nHost: a" + END, 400),
    "a host where a path belongs":
        (b"GET //healthz HTTP/1.1\r\nHost: a" + END, 404),
    "a path without a slash": (b"GET healthz HTTP/1.1\r\nHost: a" + END, 400),
    "OPTIONS of no path": (b"OPTIONS * HTTP/1.1\r\nHost: a" + END, 400),
    "HTTP/0.9": (b"GET /healthz\r\n", 400),
    "HTTP/1.2": (b"GET /healthz HTTP/1.2" + END, 400),
    "http/1.1": (b"GET /healthz http/1.1" + END, 400),
    "the preface of HTTP/2":
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), 400),
    "two spaces": (b"GET /healthz  HTTP/1.1\r\nHost: a" + END, 400),
    "a chunk with an extension": (CHUNKED + b"1;a=b\r\na\r\n0" + END, 400),
    "a chunk size and a space": (CHUNKED + b"1 \r\na\r\n0" + END, 400),
    "a chunk size in 0x": (CHUNKED + b"0x1\r\na\r\n0" + END, 400),
    "a chunk size with a sign": (CHUNKED + b"+1\r\na\r\n0" + END, 400),
    "a chunk without a size": (CHUNKED + b"\r\na\r\n0" + END, 400),
    "a chunk size and a bare LF": (CHUNKED + b"1\na\r\n0" + END, 400),
    "a chunk over 32 bits": (CHUNKED + b"100000001\r\na\r\n0" + END, 400),
    "a chunk that is longer": (CHUNKED + b"1\r\nab\r\n0" + END, 400),
    "a chunk that is shorter": (CHUNKED + b"2\r\na\r\n0" + END, 400),
    "a trailer": (CHUNKED + b"0\r\nAuthorization: x" + END, 400),
    "another expectation": (POST + b"Expect: 200-ok" + END, 400),
}

# What cannot be HTTP is not answered: whoever speaks so would not read it.
DROPPED = {
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "zeros": bytes(100),
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a line feed": b"\n",
    "a CR alone": b"\rGET /healthz HTTP/1.1\r\nHost: a" + END,
    "a space first": b" " + HEALTH,
    "two spaces": b"GET  /healthz HTTP/1.1\r\nHost: a" + END,
    "no method but a word": b"A" * 100,
    "bytes over 127": b"\xff\xfe" * 20,
}

# rule: (bytes, the statuses of all that stands in them)
PASSED = {
    "an empty line before": (b"\r\n\r\n" + HEALTH, [200]),
    "an empty line between": (HEALTH + b"\r\n" + HEALTH, [200, 200]),
    "HTTP/1.0 without a host": (OLD + b"Connection: keep-alive" + END + HEALTH,
                                [200, 200]),
    "an empty host": (LINE + b"Host:" + END, [200]),
    "a host and its port": (LINE + b"host: a-b.example.com:5001" + END, [200]),
    "an address of IPv4": (LINE + b"Host: 192.0.2.1:80" + END, [200]),
    "an address of IPv6": (LINE + b"Host: [2001:db8::1]:443" + END, [200]),
    "blanks around a host": (LINE + b"Host:\t a \t" + END, [200]),
    "a POST without a length": (POST + END[2:] + HEALTH, [400, 200]),
    "a body of nothing": (POST + b"Content-Length: 0" + END + HEALTH,
                          [400, 200]),
    "a GET without a body": (GET + b"Content-Length: 0" + END + HEALTH,
                             [200, 200]),
    "spaces around a length": (POST + b"Content-Length:  1 " + END + b"a" +
                               HEALTH, [400, 200]),
    "a tab where nothing depends on it": (GET + b"A:\tb\tc" + END, [200]),
    "a body that looks like a request":
        (POST + b"Content-Length: %d" % len(HEALTH) + END + HEALTH + HEALTH,
         [400, 200]),
    "a chunk that looks like a request":
        (CHUNKED + b"%x\r\n" % len(HEALTH) + HEALTH + b"\r\n0" + END + HEALTH,
         [400, 200]),
    "capitals": (POST + b"TRANSFER-ENCODING: CHUNKED" + END +
                 b"0001\r\na\r\n000" + END + HEALTH, [400, 200]),
    "PUT with a body": (b"PUT /token HTTP/1.1\r\nHost: a\r\n"
                        b"Content-Length: 3" + END + b"a=b" + HEALTH,
                        [405, 200]),
    "bytes over 127 in a value": (GET + b"A: \xc3\xa4\xff" + END, [200]),
    "two more requests": (HEALTH * 3, [200, 200, 200]),
}


def rows(table):
    return pytest.mark.parametrize("row", table.values(), ids=table.keys())


def single(wire, data):
    for byte in data:
        wire.send(bytes([byte]))


def refused(wire, status):
    answer = wire.answer()
    tokens.refusal(answer, status)
    assert answer.headers["Connection"] == "close" and wire.rest() == b""


@rows(REFUSED)
def test_a_bad_frame_is_refused_and_nothing_behind_it_answered(world, row):
    data, status = row
    with Wire(world.port) as wire:
        refused(wire.send(data + HEALTH), status)
    with Wire(world.port) as wire:
        wire.send(HEALTH + data + HEALTH)
        assert wire.answer().status_code == 200
        refused(wire, status)


@rows(REFUSED)
def test_a_bad_frame_in_single_bytes(world, row):
    data, status = row
    with Wire(world.port) as wire:
        single(wire, data)
        refused(wire, status)


@rows(DROPPED)
def test_what_is_no_http_is_closed_without_a_word(world, row):
    with Wire(world.port) as wire:
        assert wire.send(row).rest() == b""


@rows(DROPPED)
def test_garbage_costs_no_answer_to_what_came_whole_before(world, row):
    with Wire(world.port) as wire:
        wire.send(HEALTH + row)
        assert wire.answer().status_code == 200
        refused(wire, 400)


@rows(PASSED)
def test_a_good_frame_is_read(world, row):
    data, statuses = row
    with Wire(world.port) as wire:
        wire.send(data)
        assert [wire.answer().status_code for _ in statuses] == statuses
        # In step still, and in single bytes.
        single(wire, data)
        assert [wire.answer().status_code for _ in statuses] == statuses


# A refresh grant of skopeo's: chunked, however it is cut.

def form(world):
    return urlencode({
        "grant_type": "password", "username": "alice",
        "password": world.pat("alice", "api"), "service": "registry",
        "scope": "repository:team/app:pull"}).encode()


def chunks(body, size):
    parts = [body[i:i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + \
        b"0" + END


def granted(world, wire):
    assert tokens.access(wire.answer(), world) == {
        "repository:team/app": "pull"}


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_chunks_are_read(world, size):
    body = chunks(form(world), size)
    with Wire(world.port) as wire:
        granted(world, wire.send(CHUNKED + body))
        single(wire, CHUNKED + body)
        granted(world, wire)
        assert wire.send(HEALTH).answer().status_code == 200


@pytest.mark.parametrize("size", [None, 1, 4096])
def test_who_expects_a_100_gets_it_before_his_body(world, size):
    body = chunks(form(world), size) if size else form(world)
    frame = b"Transfer-Encoding: chunked" if size else \
        b"Content-Length: %d" % len(body)
    with Wire(world.port) as wire:
        wire.send(POST + b"Expect: 100-continue\r\n" + frame + END)
        wire.wait_for(b"HTTP/1.1 100 Continue" + END)
        single(wire, body)
        granted(world, wire)
        assert wire.send(HEALTH).answer().status_code == 200


@pytest.mark.parametrize("frame, status", [
    (b"Content-Length: 65537", 413), (b"Content-Length: x", 400)])
def test_who_expects_a_100_is_refused_before_his_body(world, frame, status):
    data = POST + b"Expect: 100-continue\r\n" + frame + END
    with Wire(world.port) as wire:
        refused(wire.send(data), status)


def test_a_bad_chunk_behind_a_100_ends_the_connection(world):
    """evhttp waits for the rest of the body: there is no answer to give."""
    with Wire(world.port) as wire:
        wire.send(POST + b"Expect: 100-continue\r\n"
                  b"Transfer-Encoding: chunked" + END)
        wire.wait_for(b"HTTP/1.1 100 Continue" + END)
        assert wire.send(b"1;a\r\na\r\n0" + END + HEALTH).rest() == b""


def test_pipelined_requests_are_answered_in_order(world):
    names = [f"{i:03}" + "a" * 253 for i in range(400)]
    with Wire(world.port) as wire:
        wire.send(b"".join(
            b"GET /token?service=registry&scope=repository:%s:pull "
            b"HTTP/1.1\r\nHost: a\r\n\r\n" % name.encode() for name in names))
        for name in names:
            assert f"'{name[:40]}...'" in tokens.refusal(wire.answer(), 400)


# One connection, many requests

def test_one_connection_carries_many_requests(world):
    with Wire(world.port) as wire:
        for _ in range(500):
            assert wire.send(HEALTH).answer().status_code == 200


@pytest.mark.parametrize("line, header, closes", [
    ("HTTP/1.1", "", False),
    ("HTTP/1.1", "Connection: keep-alive", False),
    ("HTTP/1.1", "Connection: close", True),
    ("HTTP/1.1", "Connection: CLOSE", True),
    ("HTTP/1.1", "Connection: TE, close", True),
    ("HTTP/1.1", "Connection: close, TE", True),
    ("HTTP/1.1", "Connection: TE\r\nConnection: close", True),
    ("HTTP/1.1", "Connection: closed", False),
    ("HTTP/1.0", "", True),
    ("HTTP/1.0", "Connection: keep-alive", False),
])
def test_who_ends_a_connection(world, line, header, closes):
    data = "\r\n".join(["GET /healthz " + line, "Host: a",
                        *[header] * bool(header), "", ""])
    with Wire(world.port) as wire:
        wire.send(data.encode() + HEALTH)
        assert wire.answer().status_code == 200
        if closes:
            assert wire.rest() == b""
        else:
            assert wire.answer().status_code == 200


def test_who_has_said_all_is_answered(world):
    """He closes his side at once; a password takes its time all the same."""
    body = urlencode({"grant_type": "password", "username": "carol",
                      "password": world.PASSWORD, "service": "registry"})
    login = POST + b"Content-Length: %d" % len(body) + END + body.encode()
    for data in HEALTH, login:
        with Wire(world.port) as wire:
            wire.send(data).socket.shutdown(socket.SHUT_WR)
            assert wire.answer().status_code == 200
            assert wire.rest() == b""


# Methods, paths, and the address in the challenge

@pytest.mark.parametrize("path", ["/token", "/auth", "/auth/token", "/jwt/auth",
                                  "/service/token"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_every_name_of_the_endpoint_answers_by_itself(world, path, slash):
    with Wire(world.port) as wire:
        for query, status in ("?service=registry", 200), ("", 400):
            wire.send(request(f"GET {path}{slash}{query}"))
            assert wire.answer().status_code == status


@pytest.mark.parametrize("path, allow", [
    ("/token", "GET, POST"), ("/jwt/auth/", "GET, POST"), ("/healthz", "GET"),
    ("/.well-known/jwks.json", "GET")])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_405(world, method, path, allow):
    with Wire(world.port) as wire:
        wire.send(request(f"{method} {path}"))
        answer = wire.answer()
        tokens.refusal(answer, 405, "UNSUPPORTED")
        assert answer.headers["Allow"] == allow
        assert wire.send(HEALTH).answer().status_code == 200


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "get", "Get", "BREW",
                                    "PROPFIND", "GETX", "G"])
def test_methods_that_nobody_knows_are_405_and_the_end(world, method):
    with Wire(world.port) as wire:
        wire.send(request(f"{method} /token") + HEALTH)
        answer = wire.answer()
        tokens.refusal(answer, 405, "UNSUPPORTED")
        assert answer.headers["Allow"] == "GET, POST"
        assert wire.rest() == b""


@pytest.mark.parametrize("target, status", [
    ("/healthz", 200), ("/token?service=registry", 200),
    ("/token?service=closed", 401), ("/token", 400), ("/nowhere", 404)])
def test_head_is_get_without_its_body(world, target, status):
    with Wire(world.port) as wire:
        answer = wire.send(request(f"HEAD {target}")).answer(body=False)
        assert answer.status_code == status
        size = answer.headers["Content-Length"]
        # The next bytes are the next answer.
        whole = wire.send(request(f"GET {target}")).answer()
        assert whole.headers["Content-Length"] == size != "0"
        assert whole.headers.keys() == answer.headers.keys()


@pytest.mark.parametrize("path", [
    "/", "/tokens", "/token/x", "/token//", "/Token", "/v2/", "/token/../token",
    "/%2e%2e/token", "/token%00", "/token;a", "/.gate", "/token%2", "/%ff",
    "/token%2f%2f"])
def test_other_paths_are_404(world, path):
    """Never a redirect: a password would follow it."""
    with Wire(world.port) as wire:
        for method in "GET", "POST":
            wire.send(request(f"{method} {path}"))
            answer = wire.answer()
            tokens.refusal(answer, 404, "NOT_FOUND")
            assert "Location" not in answer.headers


@pytest.mark.parametrize("target", [
    b"/tok%cen", b"/a%c", b"/token?%c=%c", b"/token%c:1", b"/a?b#%c"])
def test_every_byte_of_a_target_has_a_json_answer(world, target):
    """evhttp answers what it cannot read in HTML."""
    with Wire(world.port) as wire:
        for byte in set(range(0x21, 0x100)) - {0x7f}:
            wire.send(b"GET " + target.replace(b"%c", bytes([byte])) +
                      b" HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = wire.answer()
            assert answer.status_code in (400, 404), byte
            tokens.refusal(answer, answer.status_code)


@pytest.mark.parametrize("headers", [
    "Host: evil.example", "Host: evil.example:443", "Host:",
    "X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https",
    "Forwarded: host=evil.example;proto=https", "X-Forwarded-Port: 1",
    "X-Original-URL: /healthz\r\nX-Rewrite-URL: /healthz",
    "X-HTTP-Method-Override: PUT", "Upgrade: h2c\r\nConnection: Upgrade",
])
def test_no_header_changes_the_realm(world, headers):
    with Wire(world.port) as wire:
        # Two are refused: its own take the place of request()'s.
        host = () if headers.startswith("Host") else ("Host: a",)
        wire.send("\r\n".join(["GET /token?service=closed HTTP/1.1", *host,
                               headers, "", ""]).encode())
        answer = wire.answer()
        tokens.refusal(answer, 401, "UNAUTHORIZED")
        assert answer.headers["WWW-Authenticate"] == \
            f'Basic realm="http://localhost:{world.port}/token", ' \
            'charset="UTF-8"'
        assert "evil" not in str(answer.headers) + answer.text
