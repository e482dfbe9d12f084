"""Whoever asks a thousand times learns nothing, breaks nothing, and holds up
nobody. Named as in test_protocol_negative.py.
"""

import itertools
import resource
import socket
import statistics
import threading
import time
from pathlib import Path

import pytest

from support import secrets, tokens
from support.dockpass import AT_ONCE, PATIENCE, SOAK, Dockpass, progress
from support.process import wait_until
from support.ways import Line, basic, get_basic, login, refresh, refresh_token

PASSWORD = "correct horse battery"
ASKED = "&scope=repository:g/app:pull"
UNKNOWN = "glpat-" + 20 * "u"


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """A server of our own, as it is to be attacked."""
    with Dockpass(tmp_path_factory.mktemp("busy"), services=[
            {"name": "registry", "refresh_tokens": True}]) as dockpass:
        secrets.remember(UNKNOWN)
        dockpass.user("alice", password=PASSWORD)
        dockpass.cli("project", "add", "g/app")
        dockpass.cli("member", "add", "g", "alice", "developer")
        dockpass.good = dockpass.token("alice", scopes="api", name="good")
        yield dockpass.serve()


def raw(busy, text):
    """A connection on which `text` has been sent."""
    connection = socket.create_connection(("127.0.0.1", busy.port),
                                          20 * PATIENCE)
    connection.sendall(text.encode())
    return connection


def request(busy, authorization, close=True):
    return (f"GET /token?service={busy.service} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: {authorization}\r\n"
            f"{'Connection: close' if close else 'X: x'}\r\n\r\n")


def read_all(connection):
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def test_a_full_queue_of_passwords_holds_up_no_token(busy):
    many = [raw(busy, request(busy, basic("alice", f"{PASSWORD}{i}")))
            for i in range(160)]
    took = []
    with Line(busy) as line:
        for _ in range(50):
            begun = time.perf_counter()
            assert line.ask(basic("x", busy.good), query=ASKED).status == 200
            took.append(time.perf_counter() - begun)
    answers = [read_all(connection) for connection in many]
    print(f"with the queue full: median {statistics.median(took):.4f} s, "
          f"longest {max(took):.4f} s")
    assert statistics.median(took) < 0.1 * PATIENCE and max(took) < PATIENCE
    full = [text for text in answers if text.startswith("HTTP/1.1 503 ")]
    assert len(full) >= 10
    assert all("\r\nRetry-After: 1\r\n" in text and '"UNAVAILABLE"' in text
               for text in full)
    assert all(text.startswith("HTTP/1.1 401 ") for text in answers
               if text not in full)
    assert len(full) < len(answers)
    assert busy.ask(auth=("alice", PASSWORD)).status_code == 200


def memory(busy):
    """Its own memory in kB."""
    status = Path(f"/proc/{busy.daemon.process.pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0])


BAD = [basic("x", UNKNOWN), basic("a" * 256, "x"), "Basic !", "Basic Og==",
       "Bearer " + 4000 * "x", "Digest " + 8000 * "x", "", "Bearer x y"]


def bad_requests(busy, rounds):
    """Of every kind; those that end the connection on one of their own."""
    with Line(busy) as line:
        for header, query in itertools.product(rounds * BAD, (
                "", "&scope=" + "+".join(200 * ["repository:a/b:pull"]))):
            assert line.ask(header, query=query).status in (400, 401)
        for body in rounds * (b"x=" + 60000 * b"y", b"&" * 2000, b"%zz",
                              b"grant_type=refresh_token&refresh_token=x"):
            answer = line.send("/token?service=registry", method="POST",
                               body=body)
            assert answer.status in (400, 401)
    for text in rounds * ("GET /" + 33000 * "x" + " HTTP/1.1\r\n\r\n",
                          "POST /token HTTP/1.1\r\nHost: a\r\n"
                          "Content-Length: 1073741824\r\n\r\n",
                          "GET /token HTTP/1.1\r\nHost: a\r\nX: " + 66000 * "x",
                          "BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n"):
        assert read_all(raw(busy, text)).startswith("HTTP/1.1 4")


def test_bad_requests_leave_nothing_behind(busy):
    if PATIENCE > 1:
        pytest.skip("a sanitizer keeps what was freed")
    bad_requests(busy, 40)
    before = memory(busy)
    bad_requests(busy, 160)
    print(f"{before} kB, then {memory(busy)} kB")
    assert memory(busy) - before < 512


# CVE-2023-2253: a large number was believed. docker_auth took 41 s of CPU.
HUGE = [
    ("20000-scopes", "POST", "scope=" + "+".join(20000 * ["repository:a:pull"]),
     413),
    ("3000-scopes", "POST", "scope=" + "+".join(3000 * ["repository:a:pull"]),
     400),
    ("scopes-apart", "POST", "&".join(2000 * ["scope=repository:a:pull"]), 400),
    ("long-name", "POST", "scope=repository:" + 60000 * "a" + ":pull", 400),
    ("name-of-1MB", "POST", "scope=repository:" + 1000000 * "a" + ":pull", 413),
    ("100000-actions", "POST", "scope=repository:a:" + 100000 * "pull,", 413),
    ("many-actions", "POST", "scope=repository:a:" + 12000 * "pull,", 200),
    ("many-commas", "POST", "scope=repository:a:" + 60000 * ",", 200),
    ("many-spaces", "POST", "scope=" + 60000 * "+", 200),
    ("many-slashes", "POST", "scope=repository:" + 250 * "/" + ":pull", 200),
    ("n-of-a-catalog", "GET", "scope=registry:catalog:*&n=99999999999", 200),
    ("long-query", "GET", "scope=" + 40000 * "a", 414),
]


@pytest.mark.parametrize("method, text, status", [row[1:] for row in HUGE],
                         ids=[f"CVE-2023-2253-{row[0]}" for row in HUGE])
def test_much_is_refused_at_once(busy, method, text, status):
    head = f"Host: a\r\nAuthorization: {basic('x', busy.good)}\r\n" \
        "Connection: close\r\n"
    if method == "GET":
        whole = f"GET /token?{text} HTTP/1.1\r\n{head}\r\n"
    else:
        form = f"grant_type=password&service=registry&{text}"
        whole = f"POST /token HTTP/1.1\r\nContent-Length: {len(form)}\r\n" \
                f"{head}\r\n{form}"
    begun = time.monotonic()
    # What is too large is refused before it has come.
    answer = read_all(raw(busy, whole[:2000] if status == 413 else whole))
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert time.monotonic() - begun < AT_ONCE


def leave(connection, reset):
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              b"\1\0\0\0\0\0\0\0")
    connection.close()


LEFT = ["", "GET", "GET /token HTTP/1.1\r\nHost: a\r\nAuth", "\0\1\2\3",
        "\x16\3\1\2\0",
        "POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\ngrant",
        "POST /token HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\nab"]


def test_who_leaves_leaves_no_descriptor(busy):
    """With two hundred descriptors, many more connections."""
    pid = busy.daemon.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (200, before[1]))
    texts = [*LEFT, request(busy, basic("x", busy.good), close=False),
             request(busy, basic("x", UNKNOWN), close=False)]
    try:
        for i, text in enumerate(60 * texts):
            leave(raw(busy, text), reset=i % 2)
        for i in range(60):
            # Gone while its password is looked at.
            leave(raw(busy, request(busy, basic("alice", "x"), close=False)),
                  reset=i % 2)
            if i % 10 == 9:
                assert get_basic(busy, busy.good).status_code == 200
        for _ in range(20):
            assert get_basic(busy, busy.good).status_code == 200
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_descriptors_come_back(busy):
    """None was left, and a moment later there were some."""
    pid = busy.daemon.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (60, before[1]))
    try:
        for connection in [raw(busy, "") for _ in range(120)]:
            connection.close()
        for _ in range(20):
            assert get_basic(busy, busy.good).status_code == 200
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_token_server_64_clients_at_once(busy):
    """contrib/token-server died of two logins at once (offline_token=true)."""
    until = time.monotonic() + (600 if SOAK else 0)
    for turn in itertools.count(1):
        pats = clients_at_once(busy, turn)
        progress(f"64 clients, turn {turn}")
        if time.monotonic() > until:
            break
    assert busy.daemon.process.poll() is None
    assert refresh(busy, refresh_token(login(busy, pats[15]))).ok
    wait_until(lambda: busy.log("token"), PATIENCE, "the log")
    assert not [line for line in busy.log() if line["level"] == "error" and
                line.get("status") != 503]
    assert tokens.access(get_basic(busy, busy.good), busy) == {}


def clients_at_once(busy, turn):
    """They log in and refresh, while half of their tokens are revoked."""
    names = [f"{turn} c{i}" for i in range(16)]
    pats = [busy.token("alice", scopes="read_registry", name=name)
            for name in names]
    ids = [busy.token_id(name) for name in names]
    revoked, wrong = set(), []

    def client(i):
        for _ in range(4):
            dead = i % 16 in revoked
            given = login(busy, pats[i % 16])
            if given.status_code == 200:
                # It may have died since: then there is no refresh token.
                token = given.json().get("refresh_token")
                again = token and refresh(busy, secrets.remember(token))
                bad = again is not None and again.status_code not in (200, 401)
                if dead or bad or (i % 16 > 7 and again.status_code != 200):
                    wrong.append((i, given.text, again and again.text))
            elif given.status_code != 401 or i % 16 > 7:
                wrong.append((i, given.status_code, given.text))
    threads = [threading.Thread(target=client, args=(i,)) for i in range(64)]
    for thread in threads:
        thread.start()
    for i in range(8):
        busy.cli("token", "revoke", ids[i])
        revoked.add(i)
    for thread in threads:
        thread.join(60 * PATIENCE)
        assert not thread.is_alive()
    assert wrong == []
    for i, pat in enumerate(pats):
        assert get_basic(busy, pat).status_code == (401 if i < 8 else 200)
    return pats
