"""The log: one line for each token request, with all that tells why; and
nothing that a client sends makes two lines of it, or no line.
"""

import base64
import json
import re
import unicodedata
from urllib.parse import quote_from_bytes

import pytest

from support import secrets
from support.dockpass import PATIENCE
from support.process import wait_until
from support.ways import login, refresh, refresh_token
from support.wire import Wire
from support.world import World

END = b"\r\n\r\n"
FIELDS = {"time", "level", "event", "addr", "user", "token_id", "client",
          "service", "asked", "granted", "reason", "status", "us"}
SCOPE = "repository:g/priv:push,pull repository:a.b/C:pull x:y:z"
ASKED = "repository:a.b/c:pull repository:g/priv:pull,push"
NOBODY = {"user": "", "token_id": None, "client": "test/1",
          "service": "registry", "asked": ASKED, "granted": "",
          "level": "info"}


def token_id(world, user, scopes):
    world.pat(user, scopes)
    return world.token_id(f"{user} {scopes}")


def lines_of(world, ask, kind=b""):
    """What one request, made by ask(), adds to the log."""
    before = world.log_file.stat().st_size
    ask()

    def fresh():
        return world.log_file.read_bytes()[before:]
    wait_until(lambda: kind in fresh() and fresh().endswith(b"\n"),
               5 * PATIENCE, "a line")
    # Its lines for any reader: some take U+0085 and U+2028 for an end.
    return fresh().decode().splitlines()


def line_of(world, ask):
    """The request's own: a proxy that is not named is warned of, once."""
    lines = map(json.loads, lines_of(world, ask, b'"event":"token"'))
    (line,) = [line for line in lines if line["event"] != "proxy"]
    return line


# rule: (ask()'s arguments, what the line holds beside NOBODY)
LINES = {
    "granted": (lambda w: {"auth": w.basic("alice", "api")}, {
        "user": "alice", "token": ("alice", "api"), "status": 200,
        "granted": "repository:g/priv:pull,push", "reason": "partial"}),
    "nothing": (lambda w: {}, {"status": 200, "reason": "nothing"}),
    "a login": (lambda w: {"auth": w.basic("alice", "api"), "scope": ""}, {
        "user": "alice", "token": ("alice", "api"), "status": 200,
        "asked": "", "reason": "login"}),
    "a client's own name": (lambda w: {"fields": {"client_id": "docker"}}, {
        "client": "docker", "status": 200, "reason": "nothing"}),
    "a wrong token": (lambda w: {"auth": ("joe", "glpat-" + "a" * 20)}, {
        "user": "joe", "status": 401, "reason": "unknown_token"}),
    "a wrong password": (lambda w: {"auth": ("carol", "guess")}, {
        "user": "carol", "status": 401, "reason": "wrong_password"}),
    "a password": (lambda w: {"auth": ("CAROL", World.PASSWORD.encode())}, {
        "user": "carol", "status": 200, "granted": "repository:g/priv:pull",
        "reason": "partial"}),
    "a blocked owner": (lambda w: {"auth": w.basic("blk", "api")}, {
        "user": "blk", "token": ("blk", "api"), "status": 401,
        "reason": "owner_blocked"}),
    "a blocked owner, whatever name he types": (
        lambda w: {"auth": ("a", w.pat("blk", "api"))}, {
            "user": "blk", "token": ("blk", "api"), "status": 401,
            "reason": "owner_blocked"}),
    "a blocked owner who types none": (
        lambda w: {"headers": {"User-Agent": "test/1", "Authorization":
                               "Bearer " + w.pat("blk", "api")}}, {
            "user": "blk", "token": ("blk", "api"), "status": 401,
            "reason": "owner_blocked"}),
    "a granted one, whatever name he types": (
        lambda w: {"auth": ("root", w.pat("alice", "api"))}, {
            "user": "alice", "token": ("alice", "api"), "status": 200,
            "granted": "repository:g/priv:pull,push", "reason": "partial"}),
    "no scope of a registry's": (
        lambda w: {"auth": ("a", w.pat("gus", "read_user"))}, {
            "user": "gus", "token": ("gus", "read_user"), "status": 403,
            "reason": "no_registry_scope"}),
    "no credentials": (lambda w: {"fields": {"service": "closed"}}, {
        "service": "closed", "status": 401, "reason": "no_credentials"}),
    "an unknown service": (lambda w: {"fields": {"service": "nope"}}, {
        "service": "nope", "status": 400, "reason": "unknown_service"}),
    "no grant": (lambda w: {"method": "POST"}, {
        "service": "", "asked": "", "status": 400, "reason": "bad_request"}),
    "a header that is believed by nobody": (
        lambda w: {"headers": {"X-Forwarded-For": "6.6.6.6", "Forwarded":
                               "for=6.6.6.6", "X-Real-IP": "6.6.6.6",
                               "User-Agent": "test/1"}},
        {"status": 200, "reason": "nothing"}),
}


@pytest.mark.parametrize("row", LINES.values(), ids=LINES.keys())
def test_a_line_has_all_that_tells_why(world, row):
    kwargs, want = row
    want = {**NOBODY, "addr": "127.0.0.1", "event": "token", **want}
    if who := want.pop("token", None):
        want["token_id"] = token_id(world, *who)
    asks = {"scope": SCOPE, "headers": {"User-Agent": "test/1"},
            "fields": {}, **kwargs(world)}
    asks["fields"].setdefault("client_id", None)
    line = line_of(world, lambda: world.ask(**asks))
    assert set(line) == FIELDS
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert type(line["us"]) is int and 0 < line["us"] < 10**7
    assert {key: line[key] for key in want} == want


def test_who_is_refused_is_named_until_he_is_gone(own_world):
    """By refresh token too; then the typed name is all that is known."""
    world = own_world.serve()
    secret = world.token("eve", scopes="api", name="eve's")
    number = world.token_id("eve's")

    def said(ask):
        line = line_of(world, ask)
        return line["user"], line["token_id"], line["reason"]
    given = []
    assert said(lambda: given.append(login(world, secret)))
    refreshed = refresh_token(given[0])
    assert said(lambda: refresh(world, refreshed)) == ("eve", number, "login")
    for command, name, reason in (
            (("user", "block", "eve"), "eve", "owner_blocked"),
            (("token", "revoke", number), "eve", "token_revoked"),
            (("user", "remove", "eve", "--yes"), "a", "token_revoked")):
        world.cli(*command)
        assert said(lambda: world.ask(SCOPE, auth=("a", secret))) == \
            (name, number, reason)
        if reason == "owner_blocked":
            assert said(lambda: refresh(world, refreshed)) == \
                ("eve", number, reason)


def test_only_token_requests_have_a_line(world):
    """The next token request's line is the first that comes."""
    def ask():
        with Wire(world.port) as wire:
            for data in (b"GET /healthz", b"GET /nowhere", b"PUT /token",
                         b"GET /.well-known/jwks.json", b"HEAD /token"):
                wire.send(data + b" HTTP/1.1\r\nHost: a" + END) \
                    .answer(body=not data.startswith(b"HEAD"))
    assert line_of(world, ask)["reason"] == "no_service"


def test_a_line_for_people(own_world):
    own_world.serve("--log-format", "text")
    number = token_id(own_world, "alice", "api")
    ask = own_world.ask
    (line,) = lines_of(own_world, lambda: ask(
        SCOPE, auth=own_world.basic("alice", "api"),
        headers={"User-Agent": 'a"b'}, fields={"client_id": None}))
    assert re.fullmatch(
        r'\S+Z info token 200 partial addr:"127\.0\.0\.1" user:"alice" '
        rf'token_id:{number} client:"a\\"b" service:"registry" '
        rf'asked:"{re.escape(ASKED)}" '
        r'granted:"repository:g/priv:pull,push" \d+us', line)
    for service in ("registry", "closed"):
        (line,) = lines_of(own_world, lambda s=service: ask(
            SCOPE, fields={"service": s, "client_id": None}))
        assert ' addr:"127.0.0.1" anonymous client:' in line
    (line,) = lines_of(own_world, lambda: ask(SCOPE, auth=(
        "joe", "glpat-" + "a" * 20)))
    assert ' addr:"127.0.0.1" user:"joe" client:' in line
    for evil in EVIL.values():
        (line,) = lines_of(own_world, lambda e=evil: send(
            own_world, query=b"client_id=" + quoted(e)))
        assert line.isprintable() and " client:" in line


# What would break a line, were it written as it came

EVIL = {
    "a line": b'x\n{"event":"token","user":"root","reason":"granted"}',
    "a carriage return": b"x\r\ny\rz",
    "quotes": b'x","user":"root',
    "a backslash": b"x\\",
    "a backslash before a quote": b'\\"\\\\"',
    "controls": bytes(range(1, 32)) + b"\x7f",
    "a terminal's colours": b"\x1b[31m\x1b]0;title\x07",
    "C1 controls": "\x9b31m\x85\x9d0;title\x9c".encode(),
    "separators that some read as lines": "a\u2028b\u2029c\x85d".encode(),
    "what is not seen": "a\ufeffb\ufff9c\ufffad\ufffbe\u00adf\u061cg"
        "\U000e0041\U000110bd\U0001d173".encode(),
    "invalid UTF-8": b"\xff\xfe\xc0\xaf\xed\xa0\x80\xf8\x88\xf4\x90\x80\x80",
    "UTF-8 cut short": b"\xe2\x82",
    "4 KB": b"a" * 4096,
    "4 KB of quotes": b'"' * 4096,
    "4 KB of controls": b"\x01" * 4096,
    "4 KB of invalid UTF-8": b"\xff" * 4096,
    "4 KB, cut within a letter": b"a" + "ä".encode() * 2047,
    "4 KB of four bytes each": b"ab" + "😀".encode() * 1023,
}


def send(world, query=b"", headers=b"", service=b"service=registry&"):
    with Wire(world.port) as wire:
        wire.send(b"GET /token?" + service + query + b" HTTP/1.1\r\n"
                  b"Host: a\r\n" + headers + b"\r\n")
        return wire.answer()


def visible(evil):
    """What a header can hold: the rest is refused before it is a request."""
    return bytes(byte for byte in evil if byte >= 32 and byte != 0x7f)


def name(evil):
    return evil.replace(b":", b"")[:255]


def basic(user):
    return b"Authorization: Basic " + base64.b64encode(
        user + b":glpat-" + b"a" * 20) + b"\r\n"


def quoted(evil):
    return quote_from_bytes(evil).encode()


def as_it_was(evil):
    return evil


# how it is sent: (the field that holds it, what is left of it, the sender)
PLACES = {
    "client_id": ("client", as_it_was, lambda w, e: send(
        w, b"client_id=" + quoted(e))),
    "User-Agent": ("client", visible, lambda w, e: send(
        w, headers=b"User-Agent: " + visible(e) + b"\r\n")),
    "service": ("service", as_it_was, lambda w, e: send(
        w, service=b"service=" + quoted(e))),
    "user": ("user", name, lambda w, e: send(w, headers=basic(name(e)))),
    # A scope that is none is not asked.
    "repository": ("asked", lambda e: b"", lambda w, e: send(
        w, b"scope=repository:_" + quoted(e[:200]) + b":pull")),
    "action": ("asked", lambda e: b"", lambda w, e: send(
        w, b"scope=repository:g/pub:" + quoted(e[:32]))),
    "type": ("asked", lambda e: b"", lambda w, e: send(
        w, b"scope=" + quoted(e) + b":g/pub:pull")),
}


def as_logged(evil):
    """Its first 255 bytes; U+FFFD for each byte that is no UTF-8."""
    text = evil[:255].decode(errors="surrogateescape")
    more = f" ... {len(evil) - 255} bytes more" if len(evil) > 255 else ""
    return re.sub("[\udc80-\udcff]", "\ufffd", text) + more


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL.keys())
def test_nothing_breaks_a_line(world, evil, place):
    field, left, sender = place
    line = line_of(world, lambda: sender(world, evil))
    assert set(line) == FIELDS and line["event"] == "token"
    assert line[field] == as_logged(left(evil))


UNSEEN = [c for c in map(chr, range(1, 0x110000))
          if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")]


def test_what_is_not_seen_is_escaped(world):
    """All of Unicode's: it would be another line, or another text, to whoever
    reads the log."""
    for at in range(0, len(UNSEEN), 50):
        text = "".join(UNSEEN[at:at + 50])
        line = line_of(world, lambda t=text: send(
            world, b"client_id=" + quoted(t.encode())))
        assert line["client"] == text
        assert world.output.split("\n")[-2].isprintable()


def test_four_kb_everywhere_are_one_line(world):
    evil = b"\x01" * 4096
    line = line_of(world, lambda: send(
        world, b"client_id=" + quoted(evil) + b"&scope=repository:" +
        b"a" * 255 + b":pull&scope=repository:b/" + b"a" * 253 + b":pull",
        service=b"service=" + quoted(evil) + b"&", headers=b"User-Agent: " +
        b"\xff" * 4096 + b"\r\n" + basic(name(evil))))
    assert set(line) == FIELDS
    assert line["client"] == line["service"] == \
        "\x01" * 255 + " ... 3841 bytes more"
    assert line["user"] == "\x01" * 255
    # Without a credential nobody gets more than this of the disk.
    assert len(world.output.splitlines()[-1]) < 6 * 3 * 255 + 1500


# A secret in the wrong place, as a bad paste puts it there
WRONG = ["{}", " {}", "\t{}", '"{}"', "Bearer {}", "eve@{}", "oauth2-{}",
         '{{"token":"{}"}}', "{}{}", "token={}&"]


@pytest.mark.parametrize("shape", WRONG)
@pytest.mark.parametrize("where", ["service", "client_id", "user", "agent",
                                   "scope"])
def test_no_place_is_wrong_enough_for_a_secret(world, where, shape):
    secret = world.pat("alice", "api")
    text = shape.format(secret, secret)
    line = line_of(world, {
        "service": lambda: world.ask(fields={"service": text}),
        "client_id": lambda: world.ask(fields={"client_id": text}),
        "user": lambda: world.ask(auth=(text.encode(), b"x")),
        "agent": lambda: world.ask(headers={"User-Agent": text.strip()},
                                   fields={"client_id": None}),
        "scope": lambda: world.ask(f"repository:g/pub/{secret}:pull"),
    }[where])
    assert secret[6:].lower() not in json.dumps(line).lower()


def encoded(pair):
    return base64.b64encode(pair.encode()).decode()


# The same, as it is written for HTTP: a header, or an address.
HTTP = {"a header": lambda pair: "Basic " + encoded(pair),
        "its end": encoded,
        "curl -u": lambda pair: f"curl/8 -u {encoded(pair)}, x",
        "an address": lambda pair: f"https://{pair}@registry.example.com/v2/"}


@pytest.mark.parametrize("shape", HTTP)
@pytest.mark.parametrize("where", ["client_id", "agent", "service"])
@pytest.mark.parametrize("kind", ["token", "password"])
def test_no_clothes_of_a_secret_show_it(world, where, shape, kind):
    secret = secrets.remember("Correct-Horse-9") if kind == "password" \
        else world.pat("alice", "api")
    text = HTTP[shape](f"eve:{secret}")
    line = line_of(world, {
        "client_id": lambda: world.ask(fields={"client_id": text}),
        "agent": lambda: world.ask(headers={"User-Agent": text},
                                   fields={"client_id": None}),
        "service": lambda: world.ask(fields={"service": text}),
    }[where])
    assert secret not in str(line) and encoded(f"eve:{secret}") not in str(line)
    assert "***" in (line["service"] if where == "service"
                     else line["client"])


def test_a_password_that_is_typed_twice(world):
    secret = secrets.remember("Battery-Staple-7")
    line = line_of(world, lambda: world.ask(auth=(secret, secret)))
    assert (line["user"], line["reason"]) == ("***", "wrong_password")


def test_what_is_left_out_is_said(world):
    """Six long names must not push the seventh out of sight."""
    names = [f"repository:g/pub/{'x' * 200}{i}:pull" for i in range(6)]
    auth = world.basic("alice", "api")
    line = line_of(world, lambda: world.ask([*names, SCOPE], auth=auth))
    assert "g/priv:pull,push" in line["granted"]
    many = [f"repository:g/pub/{'x' * 200}{i:03}:pull" for i in range(100)]
    line = line_of(world, lambda: world.ask(many, auth=auth))
    for field in ("asked", "granted"):
        shown, left = re.fullmatch(r"(.*) \.\.\. (\d+) bytes more",
                                   line[field]).groups()
        assert len(shown) + int(left) == len(" ".join(many))
