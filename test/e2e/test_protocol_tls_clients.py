"""Certificates of clients: who is let in, what the log and the metrics say of
whom, and that nobody is anybody by his certificate.
"""

import json
import re
import socket
import ssl
import subprocess
import time
from typing import NamedTuple

import pytest

from support import metrics, tokens
from support.dockpass import PATIENCE, Dockpass, on
from support.process import wait_until
from support.site import Certificate
from support.wire import Wire

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
FAILED = 'dockpass_tls_handshakes_failed_total{cause="%s"}'
CLIENT = "extendedKeyUsage=clientAuth"


class Shop(Dockpass):
    """Its listener asks for a certificate of `clients`, a CA that is not the
    one of its own."""

    def __init__(self, folder, how=None):
        self.certificate = Certificate(folder)
        (folder / "clients").mkdir()
        self.clients = Certificate(folder / "clients")
        super().__init__(folder)
        self.verify = str(self.certificate.ca)
        tls = {**self.certificate.listener["tls"],
               "client_ca": str(self.clients.ca)}
        if how:
            tls["client_certificates"] = how
        self.configure(listener={"tls": tls}, workers=1)

    def connect(self, pair=None, version=None):
        """A connection of whoever shows `pair`, over which one request was
        answered: by TLS 1.3 a client learns of a refusal after it."""
        context = ssl.create_default_context(cafile=self.certificate.ca)
        if version:
            context.minimum_version = context.maximum_version = \
                ssl.TLSVersion[version]
        if pair:
            # Not we are to refuse a short key.
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.load_cert_chain(*pair)
        wire = Wire(self.port, tls=context)
        assert wire.send(HEALTH).answer().status_code == 200
        return wire

    def failed(self, cause):
        return metrics.scrape(self).get(FAILED % cause)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with Shop(tmp_path_factory.mktemp("shop")) as shop:
        yield shop.serve()


@pytest.fixture(scope="module")
def open_shop(tmp_path_factory):
    with Shop(tmp_path_factory.mktemp("open"), "optional") as shop:
        yield shop.serve()


@pytest.fixture
def own(tmp_path):
    with Shop(tmp_path) as own:
        yield own


class Row(NamedTuple):
    """What is shown: `make(shop)`; how that ends: the cause of the metrics, the
    alert that the client gets, the words of the log. Without: it is taken."""
    make: object
    cause: str = ""
    alert: str = ""
    words: str = ""


def issued(*extensions, **options):
    def make(shop):
        return shop.clients.issue("client", "/CN=runner", *extensions,
                                  **options)
    return make


def of_another(shop):
    folder = shop.clients.top / "other"
    folder.mkdir(exist_ok=True)
    if not (folder / "ca").exists():
        Certificate(folder)
    return folder / "tls.crt", folder / "tls.key"


def pretender(shop):
    """Of a CA that has the same name, and another key."""
    folder = shop.clients.top / "pretender"
    if not folder.exists():
        folder.mkdir()
        return Certificate(folder).issue("client", "/CN=runner", CLIENT)
    return folder / "client.crt", folder / "client.key"


def by_a_leaf(shop):
    """Made by who may make none."""
    return shop.clients.issue("leaf", "/CN=runner", CLIENT, by=shop.clients
                              .issue("maker", "/CN=maker"))


def by_one_between(shop, chained=True):
    middle = shop.clients.issue("middle", "/CN=middle",
                                "basicConstraints=critical,CA:TRUE")
    file, key = shop.clients.issue("below", "/CN=below", CLIENT, by=middle)
    if chained:
        file.write_text(file.read_text() + middle[0].read_text())
    return file, key


def by_many_between(shop):
    """More than six: each of them is a signature to be verified."""
    by, chain = None, ""
    for i in range(8):
        by = shop.clients.issue(f"middle{i}", f"/CN=middle{i}",
                                "basicConstraints=critical,CA:TRUE", by=by)
        chain = by[0].read_text() + chain
    file, key = shop.clients.issue("deep", "/CN=deep", CLIENT, by=by)
    file.write_text(file.read_text() + chain)
    return file, key


def with_a_long_tail(shop):
    """More than 32 KiB, of which it needs none."""
    file, key = shop.clients.issue("tail", "/CN=tail", CLIENT)
    tail = shop.clients.ca.read_text()
    file.write_text(file.read_text() + 150 * tail)
    return file, key


BAD = "client_certificate"
ROWS = {
    "for clients": Row(issued(CLIENT)),
    "for anything": Row(issued()),
    "of RSA": Row(issued(CLIENT, kind="rsa:2048")),
    "of Ed25519": Row(issued(CLIENT, kind="ed25519")),
    "with one between": Row(by_one_between),
    "none": Row(lambda shop: None, "no_client_certificate",
                "CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE",
                "it showed no certificate"),
    "of another CA": Row(of_another, BAD, "UNKNOWN_CA",
                         "unable to get local issuer certificate"),
    "of a CA of that name": Row(pretender, BAD, "DECRYPT_ERROR|UNKNOWN_CA|"
                                "BAD_CERTIFICATE", "certificate signature "
                                "failure|local issuer"),
    "ended": Row(issued(CLIENT, env=on("2026-01-01")), BAD,
                 "CERTIFICATE_EXPIRED", "certificate has expired"),
    "of tomorrow": Row(issued(CLIENT, env=on("2099-01-01")), BAD,
                       "BAD_CERTIFICATE", "not yet valid"),
    "for servers": Row(issued("extendedKeyUsage=serverAuth"), BAD,
                       "UNSUPPORTED_CERTIFICATE|BAD_CERTIFICATE",
                       "unsuitable certificate purpose|unsupported "
                       "certificate purpose"),
    "too short a key": Row(issued(CLIENT, kind="rsa:1024"), BAD,
                           "BAD_CERTIFICATE", "key too (weak|small)"),
    "by a leaf": Row(by_a_leaf, BAD, "UNKNOWN_CA", "invalid CA certificate|"
                     "local issuer"),
    "with many between": Row(by_many_between, BAD, "UNKNOWN_CA|BAD_CERTIFICATE",
                             "certificate chain too long|local issuer"),
    "with a long tail": Row(with_a_long_tail, BAD, "ILLEGAL_PARAMETER",
                            "excessive message size"),
    "without the one between": Row(
        lambda shop: by_one_between(shop, chained=False), BAD, "UNKNOWN_CA",
        "local issuer"),
}


@pytest.mark.usefixtures("faketime")
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("name", ROWS)
def test_who_is_let_in(shop, name, version):
    row = ROWS[name]
    pair = row.make(shop)
    if not row.cause:
        shop.connect(pair, version).close()
        return
    before = shop.failed(row.cause)
    with pytest.raises(ssl.SSLError) as refusal:
        shop.connect(pair, version)
    assert any(alert in refusal.value.reason
               for alert in row.alert.split("|")), refusal.value.reason
    metrics.reaches(shop, FAILED % row.cause, before + 1)


@pytest.mark.usefixtures("faketime")
@pytest.mark.parametrize("name", [name for name in ROWS if ROWS[name].cause])
def test_the_log_says_why(own, name):
    """With the address; once."""
    row = ROWS[name]
    own.serve()
    with pytest.raises(ssl.SSLError):
        own.connect(row.make(own))
    wait_until(lambda: own.log("tls"), 10 * PATIENCE, own.output)
    line, = own.log("tls")
    assert line["addr"] == "127.0.0.1" and line["level"] == "info"
    assert re.search(row.words, line["message"]), line
    assert line["message"].startswith("handshake with 127.0.0.1 failed: ")


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_optional(open_shop, version):
    """Whoever shows none may come; who shows a bad one may not."""
    open_shop.connect(None, version).close()
    open_shop.connect(issued(CLIENT)(open_shop), version).close()
    with pytest.raises(ssl.SSLError) as refusal:
        open_shop.connect(of_another(open_shop), version)
    assert "UNKNOWN_CA" in refusal.value.reason


def test_an_authority_below_a_root_will_do(own):
    """Then only those below it, and not all of the root's."""
    below = by_one_between(own)
    own.configure(listener={"tls": {
        **own.certificate.listener["tls"],
        "client_ca": str(own.clients.top / "middle.crt")}})
    own.serve()
    own.connect(below).close()
    with pytest.raises(ssl.SSLError):
        own.connect(issued(CLIENT)(own))


def test_two_authorities(own):
    other = of_another(own)
    with own.clients.ca.open("a") as file:
        file.write((own.clients.top / "other/ca/ca.crt").read_text())
    own.serve()
    for pair in other, issued(CLIENT)(own):
        own.connect(pair).close()
    told = subprocess.run(
        ["openssl", "s_client", "-connect", f"localhost:{own.port}",
         "-tls1_2"], input="", text=True, capture_output=True, timeout=20,
        check=False).stdout
    names = told.split("Acceptable client certificate CA names\n")[1]
    assert names.startswith("CN = test CA\nCN = test CA\n")


# Who that is

def test_a_certificate_is_nobodys_name(open_shop):
    """With the name of an administrator in it, or of nobody at all."""
    if not open_shop.json("user", "list"):
        open_shop.user("root", "--admin")
        open_shop.cli("project", "add", "g/p")
    pair = open_shop.clients.issue("root", "/CN=root/O=root", CLIENT)
    for cert in None, tuple(map(str, pair)):
        answer = open_shop.ask("repository:g/p:pull", cert=cert)
        assert tokens.access(answer, open_shop) == {}
        assert tokens.claims(answer)["sub"] == ""
        tokens.refusal(open_shop.ask("repository:g/p:pull", cert=cert,
                                     auth=("root", "")), 401)


def subject_of(shop, subject, *how):
    """What the log says of a certificate's subject."""
    pair = shop.clients.issue("named", subject, CLIENT)
    answer = shop.ask(cert=tuple(map(str, pair)), *how)
    assert answer.status_code == 200

    def lines():
        return [line for line in shop.log("token")
                if line["client"] == answer.client]
    wait_until(lines, 10 * PATIENCE, "its line")
    return lines()[0].get("certificate")


@pytest.mark.parametrize("subject, want", [
    ("/CN=runner-7/O=Example", "O=Example,CN=runner-7"),
    ("/CN=a,b", r"CN=a\,b"),
    ("/CN=\nx\x7f\x1b[31m", None),
    ("/CN=x" + f"/OU={'ü' * 60}" * 3, None),
    ("/CN=xy" + f"/OU={'ü' * 60}" * 3, None),
    ("/CN=a\u2028b\u0085", None),
    ("/CN=Jürgen", "CN=Jürgen"), ("/", "")])
def test_the_log_says_who_it_was(shop, subject, want):
    got = subject_of(shop, subject)
    if want is None:
        assert got and got.isprintable() and len(got.encode()) <= 255
    else:
        assert (got or "") == want


def test_no_line_says_more_than_there_is(open_shop):
    """Who has shown none has none; each connection has its own."""
    answer = open_shop.ask()

    def lines():
        return [line for line in open_shop.log("token")
                if line["client"] == answer.client]
    wait_until(lines, 10 * PATIENCE, "its line")
    assert "certificate" not in lines()[0]
    assert subject_of(open_shop, "/CN=one") == "CN=one"
    assert subject_of(open_shop, "/CN=two") == "CN=two"


def test_a_secret_in_a_subject_is_hidden(shop):
    secret = "glpat-" + "A1b2C3d4E5" * 2
    assert secret not in subject_of(shop, f"/CN={secret}")


# Many of them

def test_failures_are_counted_and_not_each_is_said(own):
    own.serve()
    for _ in range(200):
        with Wire(own.port) as wire:
            wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            while wire.socket.recv(1000):
                pass
    metrics.reaches(own, FAILED % "no_tls", 200)
    for _ in range(3):
        with pytest.raises(ssl.SSLError):
            own.connect()
    metrics.reaches(own, FAILED % "no_client_certificate", 3)
    wait_until(lambda: len(own.log("tls")) == 2, 10 * PATIENCE, own.output)
    causes = [line["message"] for line in own.log("tls")]
    assert "what came is no TLS (http request)" in causes[0]
    assert "it showed no certificate" in causes[1]


@pytest.mark.parametrize("data, cause", [
    (b"\x16\3\1\0\x05hello", "other"), (b"\x16\3\1\1\0", "left"),
    (b"SSH-2.0-x\r\n" + b"x" * 100, "no_tls"), (b"\0" * 100, "no_tls")])
def test_what_is_no_handshake(own, data, cause):
    own.serve()
    with Wire(own.port) as wire:
        wire.send(data)
        wire.socket.shutdown(socket.SHUT_WR)
        while wire.socket.recv(1000):
            pass
    metrics.reaches(own, FAILED % cause, 1)


def test_who_says_nothing_has_tried_nothing(own):
    """A health check of TCP alone is no handshake that failed."""
    own.serve()
    for _ in range(3):
        Wire(own.port).close()
    own.connect(issued(CLIENT)(own)).close()
    metrics.reaches(own, "dockpass_connections", 0)
    assert {value for name, value in metrics.scrape(own).items()
            if name.startswith("dockpass_tls_handshakes_failed")} == {0}
    assert not own.log("tls")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_versions_are_a_cause_of_their_own(own):
    own.serve()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        Wire(own.port, tls=context)
    metrics.reaches(own, FAILED % "version", 1)
    context = ssl.create_default_context(cafile=own.certificate.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA")
    with pytest.raises(ssl.SSLError):
        Wire(own.port, tls=context)
    metrics.reaches(own, FAILED % "cipher", 1)


# Configuration

@pytest.mark.parametrize("tls, words", [
    ({"client_certificates": "on"}, "client_certificates: is neither "
     "required nor optional"),
    ({"client_ca": None}, "client_certificates: without client_ca"),
    ({"client_ca": "none.pem"}, "client_ca: {folder}/none.pem: No such file"),
    ({"client_ca": "dockpass.yaml"}, "client_ca: {folder}/dockpass.yaml: "
     "holds no certificates in PEM"),
    ({"certificate": None, "key": None}, "client_ca: tls without a "
     "certificate")])
def test_what_is_refused(own, tls, words):
    tls = {"client_certificates": "required",
           **own.config["listeners"][0]["tls"], **tls}
    own.configure(listener={"tls": {key: value for key, value in tls.items()
                                    if value is not None}})
    status, message = own.refused("check")
    assert status == 1
    assert "listeners[0].tls." + words.format(folder=own.folder) in message


def test_a_reload_follows_the_authority(own):
    own.serve()
    ours, other = issued(CLIENT)(own), of_another(own)
    before = own.clients.ca.read_text()
    with own.connect(ours) as wire:
        own.clients.ca.write_text(
            (own.clients.top / "other/ca/ca.crt").read_text())
        assert own.reload().startswith("done")
        with pytest.raises(ssl.SSLError):
            own.connect(ours)
        own.connect(other).close()
        # Who is in stays in.
        assert wire.send(HEALTH).answer().status_code == 200
    own.clients.ca.write_text(before[:200])
    assert "holds no certificates in PEM, or one" in own.reload()
    own.connect(other).close()


def test_of_two_the_first_end_is_told(own):
    """Whichever of them comes first in the file."""
    mine = own.clients.ca.read_text()
    short = own.clients.top / "short.crt"
    own.clients.run(*Certificate.new(days=3), "-subj", "/CN=short", "-keyout",
                    own.clients.top / "short.key", "-out", short)
    ends = set()
    for text in mine + short.read_text(), short.read_text() + mine:
        own.clients.ca.write_text(text)
        own.serve()
        name, = [name for name in metrics.scrape(own)
                 if f'file="{own.clients.ca}"' in name]
        ends.add(metrics.scrape(own)[name])
        assert own.stop() == 0
    end, = ends
    assert 2 < (end - time.time()) / 86400 < 4


def test_its_end_is_told(own):
    told = own.run("check", "--config", own.config_file).stderr
    assert f"warning: {own.clients.ca}: the certificate of the " \
        "clients' authority of 127.0.0.1:" in told
    own.serve()
    assert [name for name in metrics.scrape(own)
            if f'file="{own.clients.ca}"' in name]
    assert json.dumps(own.json("check")["options"])
