"""What an operator writes, types and reads: no mistake opens a door, and
nothing that is said is a secret. Named as in test_protocol_negative.py.
"""

import base64
import calendar
import hashlib
import socket
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from support import secrets, tokens
from support.dockpass import PATIENCE, PROGRAM, Dockpass
from support.process import free_ports, wait_until
from support.site import Certificate
from support.tokens import keys_of
from support.ways import get_basic, login, refresh, refresh_token

TLS = "listeners: [{address: '127.0.0.1:1', tls: {%s}}]\n"
CONFIGS = [
    ("docker_auth-D1-unknown", "extra: 1\n", ":4: extra: is no option"),
    ("docker_auth-D1-nested", "pat: {username_must_mach: true}\n",
     ":4: pat.username_must_mach: is no option"),
    ("docker_auth-D1-list", "services: [{name: r, anonymus: false}]\n",
     ":4: services[0].anonymus: is no option"),
    ("docker_auth-D2-no-key", TLS % "certificate: c.pem",
     "listeners[0].tls.certificate: one of the two files alone"),
    ("docker_auth-D2-no-file", TLS % "certificate: c.pem, key: nowhere.pem",
     "c.pem: No such file or directory"),
    ("docker_auth-D2-empty", "issuer: ''\n", ":4: issuer: is empty"),
    ("docker_auth-D2-twice", "issuer: a\nissuer: b\n",
     ":5: issuer: is set a second time"),
]


@pytest.mark.parametrize("text, words", [row[1:] for row in CONFIGS],
                         ids=[row[0] for row in CONFIGS])
def test_a_mistake_does_not_start(world, tmp_path, text, words):
    """docker_auth: what was mistyped was ignored, and the door stood open."""
    file = tmp_path / "dockpass.yaml"
    places = "".join(f"{key}: {world.folder}/{key}\n"
                     for key in ("store", "keys", "public"))
    rest = "" if "services" in text else "services: [{name: registry}]\n"
    if "listeners" not in text:
        rest += f"listeners: [{{address: '127.0.0.1:{free_ports(1)[0]}'}}]\n"
    file.write_text(places + text + rest)
    for command in ("serve", "check"):
        done = world.run(command, "--config", file, check=False)
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert words in done.stderr, done.stderr


def test_docker_auth_D7_TLS_is_TLS(tmp_path):
    """With Let's Encrypt it served plain HTTP."""
    certificate = Certificate(tmp_path)
    with Dockpass(tmp_path, listener=certificate.listener) as dockpass:
        dockpass.verify = str(certificate.ca)
        dockpass.serve()
        assert dockpass.ask().status_code == 200
        with socket.create_connection(("127.0.0.1", dockpass.port), 9) as line:
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"HTTP" not in line.recv(4096)


# docker_auth D4: a label `.*` was a pattern for others.
@pytest.mark.parametrize("name", [
    ".*", "*", "a|b", "^a$", "[a]", "a?", "al\u0131ce", "%61", "a b", "a:b",
    "-a", "a.", "a\tb", "a\n", "@all", "~", "..", "a@b"], ids=ascii)
def test_docker_auth_D4_no_name_is_a_pattern(live, name):
    for words in (("user", "add", "--email", "a@b.c", "--", name),
                  ("group", "add", "--", f"{name}/x"),
                  ("project", "add", "--", f"g/{name}")):
        done = live.run(*words, check=False,
                        env={"DOCKPASS_CONFIG": str(live.config_file)})
        assert done.returncode == 1, words
        assert "not a user name" in done.stderr or "not a path" in done.stderr


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York",
                                  "Pacific/Kiritimati", "right/UTC"])
def test_pulp_Keycloak_times_are_UTC(own_world, zone):
    """issued_at, which we leave out, was local time labelled Z."""
    own_world.serve(env={"TZ": zone})
    answer = get_basic(own_world, own_world.pat("bob", "api"),
                       "repository:g/priv:pull")
    assert tokens.access(answer, own_world) == {"repository:g/priv": "pull"}
    assert "issued_at" not in answer.json()
    said = calendar.timegm(time.strptime(
        answer.headers["Date"], "%a, %d %b %Y %H:%M:%S GMT"))
    logged = calendar.timegm(time.strptime(
        own_world.logged(0)[-1]["time"][:19], "%Y-%m-%dT%H:%M:%S"))
    assert abs(said - time.time()) < 60 and abs(logged - time.time()) < 60


def libtrust(key):
    der = key.public_bytes(serialization.Encoding.DER,
                           serialization.PublicFormat.SubjectPublicKeyInfo)
    text = base64.b32encode(hashlib.sha256(der).digest()[:30]).decode()
    return ":".join(text[i:i + 4] for i in range(0, 48, 4))


def test_docker_auth_D8_pulp_each_key_has_its_own_id(tmp_path):
    """One id for all EC keys; made of the hex text instead of the bytes."""
    dockpass = Dockpass(tmp_path)
    for alg in ("ES256", "ES256", "ES384", "RS256"):
        dockpass.cli("key", "new", "--alg", alg)
    keys = dockpass.json("key", "list")
    assert len({key["kid"] for key in keys}) == len(keys) == 5
    assert len({key["rfc7638"] for key in keys}) == 5
    published = keys_of((dockpass.folder / "public/jwks.json").read_text())
    for key in keys:
        assert libtrust(published[key["kid"]]) == key["kid"]
        assert libtrust(published[key["rfc7638"]]) == key["kid"]


LISTINGS = [("user", "list"), ("user", "show", "bob"), ("token", "list"),
            ("token", "show", "1"), ("project", "show", "g/priv"),
            ("member", "list", "g"), ("key", "list"), ("check",)]


@pytest.mark.parametrize("words", LISTINGS, ids="-".join)
def test_CVE_2025_30086_no_listing_holds_a_digest(world, words):
    secret = world.pat("alice", "api")
    digest = hashlib.sha256(secret.encode())
    refresh_token(login(world, secret))
    said = world.cli(*words) + world.cli(*words, "--json")
    assert said
    for text in ("$y$", "$2", "glpat-", "dprt-", "PRIVATE", digest.hexdigest(),
                 base64.b64encode(digest.digest()).decode()[:20]):
        assert text not in said


def test_CVE_2024_25189_CVE_2026_44699_no_JWT_is_ever_read():
    """libjwt verifies nothing for us: its reading half is not even linked."""
    program = PROGRAM.read_bytes()
    assert b"jwt_new" in program
    for name in (b"jwt_decode", b"jwt_verify", b"jwt_valid", b"jwks_load"):
        assert name not in program


def test_CVE_2025_48374_nothing_that_runs_shows_a_secret(own_world):
    """All log formats; the process's arguments, environment and limits."""
    own_world.serve("--log-format", "text")
    secret = own_world.pat("alice", "api")
    wrong = secrets.remember("glpat-" + "w" * 20)
    token = refresh_token(login(own_world, secret))
    assert refresh(own_world, token).status_code == 200
    for auth in (("alice", wrong), (wrong, "x"), (secret, secret),
                 ("carol", own_world.PASSWORD), ("bob", own_world.PASSWORD),
                 ("carol", own_world.PASSWORD + "x")):
        own_world.ask(auth=tuple(map(str.encode, auth)))
    for fields in ({"client_id": secret}, {"client_id": token},
                   {"account": secret}, {"password": own_world.PASSWORD},
                   {"refresh_token": token}, {"access_token": secret}):
        own_world.ask(fields=fields)
        own_world.ask(method="POST", fields={
            "grant_type": "password", "username": secret, **fields})
    own_world.ask(fields={"client_id": "the-last-one"})
    wait_until(lambda: "the-last-one" in own_world.output, 10 * PATIENCE, "log")
    proc = Path(f"/proc/{own_world.daemon.process.pid}")
    said = own_world.output + (proc / "cmdline").read_text()
    assert " token 200 " in said and " token 401 " in said
    for text in (secret, wrong, token, own_world.PASSWORD):
        assert all(shape not in said.encode() for shape in
                   secrets.forms(text))
    limits = (proc / "limits").read_text()
    assert "Max core file size        0                    0 " in limits


# What a client sends stands in the log as a value, never as a line of its own.
FORGED = b'"}\n{"event":"token","user":"root","granted":"all"}\r\n\x1b[2J\xff'


@pytest.mark.parametrize("place", ["user", "client_id", "service", "scope",
                                   "User-Agent"])
def test_no_line_of_the_log_is_a_client_s(world, place):
    before = len(world.log("token"))
    fields = {place: FORGED} if place in ("client_id", "service") else {}
    headers = {place: FORGED.translate(None, b"\r\n\x1b")} \
        if place == "User-Agent" else {}
    answer = world.ask(
        [b"repository:g/" + FORGED + b":pull"] if place == "scope" else "",
        auth=(FORGED, b"glpat-wrong") if place == "user" else None,
        fields=fields, headers=headers)
    assert answer.status_code in (200, 400, 401)
    line, = world.logged(before)
    assert line["granted"] == "" and line["user"] != "root"
    log = world.log_file.read_bytes()
    assert b"\x1b" not in log and b"\r" not in log and log.decode()


def test_an_error_is_JSON_whatever_was_asked(world):
    """The name is cut after 40 bytes, here in the midst of a letter."""
    name = "\"\n" + 37 * "x" + 200 * "\u00e9"
    answer = world.ask(f"repository:{name}:pull")
    message = tokens.refusal(answer, 400, "BAD_REQUEST")
    assert "\n" in message and answer.content.decode()
