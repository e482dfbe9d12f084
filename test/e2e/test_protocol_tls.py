"""TLS: versions, ALPN, certificates; what a start and a reload refuse; and that
all that holds for bytes on a plain connection holds inside.
"""

import ctypes
import os
import socket
import ssl
import struct
import subprocess
import threading

import pytest
import requests

from support import tokens
from support.dockpass import Dockpass, on
from support.process import free_ports
from support.site import Certificate
from support.wire import Wire, request

SSL_OP_IGNORE_UNEXPECTED_EOF = 1 << 7
END = b"\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a" + END
POST = b"POST /token HTTP/1.1\r\nHost: a\r\n"


class Chain(Certificate):
    """A CA, one below it, and below that the server's certificates: `below(name)`
    makes name.crt, the one below the CA behind it, and name.key."""

    def __init__(self, folder):
        super().__init__(folder)
        self.middle = self.issue("middle", "/CN=middle CA",
                                 "basicConstraints=critical,CA:TRUE")
        self.file, self.key = self.below("chain")

    def below(self, name, **options):
        file, key = self.issue(name, f"/CN={name}",
                               "subjectAltName=DNS:localhost", by=self.middle,
                               **options)
        file.write_text(file.read_text() + self.middle[0].read_text())
        return file, key

    def use(self, files):
        """What the server's two files hold from now on."""
        for ours, other in zip((self.file, self.key), files):
            ours.write_bytes(other.read_bytes())

    def context(self, alpn=(), version=None):
        context = ssl.create_default_context(cafile=self.ca)
        # Python takes any end for an orderly one.
        context.options &= ~SSL_OP_IGNORE_UNEXPECTED_EOF
        if alpn:
            context.set_alpn_protocols(alpn)
        if version:
            # Not we are to refuse it.
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
        return context


def name_of(wire):
    return dict(pair for row in wire.socket.getpeercert()["subject"]
                for pair in row)["commonName"]


class Both(Dockpass):
    """Two listeners side by side: `port` is plain, `tls_port` has TLS."""

    def __init__(self, folder):
        self.chain = Chain(folder)
        super().__init__(folder)
        self.tls_port = free_ports(1)[0]
        self.configure(listeners=[
            {"address": f"127.0.0.1:{self.port}"},
            {"address": f"127.0.0.1:{self.tls_port}", **self.chain.listener}])

    def wire(self, *args, **kwargs):
        return Wire(self.tls_port, tls=self.chain.context(*args, **kwargs))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    with Both(tmp_path_factory.mktemp("tls")) as both:
        yield both.serve()


@pytest.fixture
def own(tmp_path):
    with Both(tmp_path) as both:
        yield both


def answers(wire):
    return wire.send(HEALTH).answer().status_code == 200


# The handshake

@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_versions(both, version):
    with both.wire(version=ssl.TLSVersion[version]) as wire:
        assert wire.socket.version() == version.replace("_", ".")
        assert answers(wire)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_old_versions_are_refused(both, version):
    with pytest.raises(ssl.SSLError) as refusal:
        both.wire(version=ssl.TLSVersion[version])
    assert refusal.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION"


@pytest.mark.parametrize("offer, chosen", [
    (["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"),
    (["http/1.0", "http/1.1", "h3"], "http/1.1"),
    (["h2"], None), (["http/1.0"], None), ([], None)])
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_alpn(both, offer, chosen, version):
    """Never a reason to fail: what is not offered is spoken all the same."""
    with both.wire(offer, ssl.TLSVersion[version]) as wire:
        assert wire.socket.selected_alpn_protocol() == chosen
        assert answers(wire)


def test_the_chain_is_sent(both):
    """The client has the CA alone: without the one between it would fail."""
    with both.wire() as wire:
        assert name_of(wire) == "chain"
        assert answers(wire)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_no_session_is_kept_to_be_resumed(both, version):
    context = both.chain.context(version=ssl.TLSVersion[version])
    with Wire(both.tls_port, tls=context) as wire:
        assert answers(wire)
        session = wire.socket.session
        assert not session.has_ticket
        # While it lives: OpenSSL drops what ends without a goodbye.
        with socket.create_connection(("127.0.0.1", both.tls_port)) as plain, \
                context.wrap_socket(plain, server_hostname="localhost",
                                    session=session) as again:
            assert not again.session_reused


def test_the_suites(both):
    """AES-128 for whom it is all the same; each for whom it is not."""
    with both.wire() as wire:
        assert wire.socket.cipher()[0] == "TLS_AES_128_GCM_SHA256"
    for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                  "TLS_CHACHA20_POLY1305_SHA256"):
        assert f"Cipher is {suite}" in hello(both, "-ciphersuites", suite)
    for suite, is_ in (("ECDHE-ECDSA-AES128-GCM-SHA256", None),
                       ("ECDHE-ECDSA-AES128-SHA256", "(NONE)"),
                       ("ECDHE-ECDSA-AES256-SHA", "(NONE)")):
        assert f"Cipher is {is_ or suite}" in hello(
            both, "-tls1_2", "-cipher", suite)


def test_no_group_costs_us_more_than_whoever_asks_for_it(both):
    """Those of finite fields do (CVE-2002-20001)."""
    for group in "ffdhe2048", "ffdhe8192":
        assert "Cipher is (NONE)" in hello(both, "-groups", group)
    assert "Cipher is TLS_" in hello(both, "-groups", "ffdhe2048:P-256")


def hello(both, *options):
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"localhost:{both.tls_port}",
         *options], input="", text=True, capture_output=True, timeout=20,
        check=False).stdout


def test_the_machines_own_policy_is_kept(own, tmp_path):
    policy = tmp_path / "openssl.cnf"
    policy.write_text("""
openssl_conf = one
[one]
ssl_conf = two
[two]
system_default = three
[three]
MinProtocol = TLSv1.3
Ciphersuites = TLS_AES_256_GCM_SHA384
""")
    own.serve(env={"OPENSSL_CONF": str(policy)})
    assert "Cipher is (NONE)" in hello(own, "-tls1_2")
    assert "Cipher is (NONE)" in hello(
        own, "-ciphersuites", "TLS_AES_128_GCM_SHA256")
    assert "Cipher is TLS_AES_256_GCM_SHA384" in hello(own)


def test_plain_and_tls_side_by_side(both):
    with Wire(both.port) as plain, both.wire() as tls:
        assert answers(plain) and answers(tls) and answers(plain)


def test_a_hello_at_the_plain_port_is_closed(both):
    with pytest.raises(ssl.SSLError), \
            socket.create_connection(("127.0.0.1", both.port), 10) as plain:
        both.chain.context().wrap_socket(plain, server_hostname="localhost")


def test_http_at_the_tls_port_gets_no_http(both):
    with Wire(both.tls_port) as wire:
        assert b"HTTP" not in wire.send(HEALTH).rest()


# Inside

def test_requests_over_tls(both):
    form = b"grant_type=password&a=" + b"b" * (65536 - 22)
    frame = POST + b"Content-Length: 65536" + END + form
    with both.wire() as wire:
        wire.send(HEALTH * 300)
        for _ in range(300):
            assert wire.answer().status_code == 200
        wire.send(frame + frame + HEALTH)
        for _ in range(2):
            assert "needs username" in tokens.refusal(wire.answer(), 400)
        assert wire.answer().status_code == 200
        for byte in HEALTH:
            wire.send(bytes([byte]))
        assert wire.answer().status_code == 200


def records(data):
    """The types and sizes of TLS records."""
    found = []
    while data:
        size = int.from_bytes(data[3:5], "big")
        found.append((data[0], size))
        data = data[5 + size:]
    return found


class Records:
    """A TLS connection of which the test sees and makes the records."""

    def __init__(self, both, version=None):
        self.plain = Wire(both.tls_port)
        self.seen, self.ours = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = both.chain.context(version=version).wrap_bio(
            self.seen, self.ours, server_hostname="localhost")
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.plain.send(self.ours.read())
                self.seen.write(self.plain.socket.recv(65536))

    def send(self):
        self.plain.send(self.ours.read())


def test_head_and_body_are_one_record(both):
    one = Records(both, ssl.TLSVersion.TLSv1_2)
    one.tls.write(HEALTH.replace(END, b"\r\nConnection: close" + END))
    one.send()
    with one.plain:
        assert [kind for kind, _ in records(one.plain.rest())] == [23, 21]


def test_who_says_goodbye_behind_a_request_and_leaves_harms_nobody(own):
    """What is read when the connection has ended is read by nobody."""
    own.serve()
    for _ in range(20):
        one = Records(own)
        one.tls.write(HEALTH * (16384 // len(HEALTH)))
        one.tls.write(HEALTH)
        with pytest.raises(ssl.SSLWantReadError):
            one.tls.unwrap()
        one.send()
        one.plain.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                    struct.pack("ii", 1, 0))
        one.plain.close()
    with own.wire() as other:
        assert answers(other)


def test_nothing_stays_behind_in_a_record(own):
    """When more has been asked than is read ahead, a part of a record waits;
    nothing comes behind it that would remind of it."""
    own.serve()
    for length in range(1000, 1140, 7):
        with own.wire() as wire:
            wire.send(request("GET /healthz", "X: " + length * "a") * 200)
            for _ in range(200):
                assert wire.answer().status_code == 200


def small_records(context):
    """RFC 6066 4, for which Python has no call: records of 512 bytes."""
    at = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    assert ctypes.CDLL("libssl.so.3").SSL_CTX_set_tlsext_max_fragment_length(
        at, ctypes.c_uint8(1)) == 1
    return context


@pytest.mark.parametrize("how", ["plain", "tls", "small records"])
def test_who_reads_slowly_gets_every_byte(own, how):
    """Five megabytes, of which the kernel takes four: the rest has to wait."""
    own.configure(workers=1)
    own.serve()
    own.cli("project", "add", "g/p", "--visibility", "public")
    name = "g/p/" + "a" * 240
    scopes = "".join(f"&scope=repository:{name}{n}:pull" for n in range(50))
    ask = request(f"GET /token?service=registry{scopes}")
    last = ask.replace(END, b"\r\nConnection: close" + END)
    context = own.chain.context()
    # The kernel may have no room for the alert at the end; nobody waits for it.
    context.options |= SSL_OP_IGNORE_UNEXPECTED_EOF
    if how == "small records":
        small_records(context)
    with Wire(own.port) as other, Wire(own.port) if how == "plain" else \
            Wire(own.tls_port, tls=context) as wire:
        sender = threading.Thread(target=wire.send, args=[ask * 119 + last])
        sender.start()
        for _ in range(300):  # turns of the loop: all is asked, none is read
            assert answers(other)
        for _ in range(120):
            answer = wire.answer()
            assert len(answer.content) > 40000
            assert len(tokens.claims(answer)["access"]) == 50
        assert wire.rest() == b""
        sender.join()


@pytest.mark.parametrize("data, status", [
    (POST + b"Content-Length: 1\r\nContent-Length: 1" + END + b"a", 400),
    (b"GET /" + b"a" * 3 * 10**6, 414),
    (POST + b"Content-Length: 1000000000" + END + bytes(3 * 10**6), 413)],
    ids=["frame", "line", "body"])
def test_a_refusal_over_tls_ends_with_a_close_notify(both, data, status):
    with both.wire() as wire:
        tokens.refusal(wire.send(data + HEALTH).answer(), status)
        assert wire.rest() == b""


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_the_end_over_tls_is_a_close_notify(both, version):
    """RFC 8446 6.1: else a client cannot tell it from a cut connection."""
    with both.wire(version=ssl.TLSVersion[version]) as wire:
        wire.send(request("GET /healthz", "Connection: close"))
        assert wire.answer().status_code == 200
        assert wire.rest() == b""


def test_the_end_of_an_idle_one_is_a_close_notify(own):
    own.serve()
    with own.wire() as wire:
        assert answers(wire)
        assert own.stop() == 0
        assert wire.rest() == b""


def test_who_leaves_in_the_midst_harms_nobody(both):
    with both.wire() as other:
        for cut in range(1, 200, 7):
            with Wire(both.tls_port) as wire:
                wire.send(bytes.fromhex("16030100c8010000c40303")[:cut] +
                          bytes(max(0, cut - 11)))
        for _ in range(20):
            wire = both.wire().send(HEALTH[:10])
            os.close(wire.socket.detach())
        assert answers(other)


# Reload and start

def test_a_new_certificate_is_for_new_connections(own):
    own.serve()
    renewed = own.chain.below("renewed")
    with own.wire() as old:
        assert answers(old) and name_of(old) == "chain"
        own.chain.use(renewed)
        assert own.reload().startswith("done")
        with own.wire() as new:
            assert answers(new) and name_of(new) == "renewed"
        assert answers(old)


def no_pem(chain):
    chain.file.write_text("no certificate")


def torn_chain(chain):
    text = chain.file.read_text()
    middle = text.rindex("-----BEGIN CERTIFICATE-----") + 200
    chain.file.write_text(text[:middle] + "!!" + text[middle + 2:])


def cut_chain(chain):
    chain.file.write_text(chain.file.read_text()[:-300])


def readable_key(chain):
    chain.key.chmod(0o644)


def foreign_key(chain):
    chain.key.write_bytes(chain.below("other")[1].read_bytes())


def ended(chain):
    chain.use(chain.below("ended", env=on("2026-01-01")))


@pytest.mark.usefixtures("faketime")
def test_one_that_has_ended_holds_up_nothing_else(own):
    """A leaked key has to go, whatever else has happened."""
    ended(own.chain)
    done = own.run("check", "--config", own.config_file)
    assert f"{own.chain.top}/chain.crt: the certificate of" in done.stderr
    assert "ended at 2026-01-21T" in done.stderr
    assert "no client takes it any more: renew it, then reload" in done.stderr
    own.serve()
    with pytest.raises(ssl.SSLCertVerificationError, match="has expired"):
        own.wire()
    assert [line["level"] for line in own.log("certificate")
            if "ended at" in line["message"]] == ["warning"]
    new = own.json("key", "new")["kid"]
    own.cli("key", "activate", new)
    assert own.reload().startswith("done")
    served = requests.get(
        f"http://127.0.0.1:{own.port}/.well-known/jwks.json", timeout=20)
    assert new in [key["kid"] for key in served.json()["keys"]]


def weak(chain):
    chain.use(chain.below("weak", kind="rsa:1024"))


def locked_key(chain):
    chain.run("openssl", "ec", "-in", chain.key, "-aes128", "-passout",
              "pass:secret", "-out", chain.key)


def missing_key(chain):
    chain.key.unlink()


def no_key(chain):
    chain.key.write_text("no key")


# what is done to the files: which of them is named, and the words
BAD_FILES = {
    no_pem: ("crt", "holds no certificate in PEM"),
    torn_chain: ("crt", "the chain behind the certificate is cut or damaged"),
    cut_chain: ("crt", "the chain behind the certificate is cut or damaged"),
    readable_key: ("key", "group or others can read or write it; run: chmod 600"),
    foreign_key: ("key", "does not belong to the certificate"),
    weak: ("crt", "is not for a key of RSA, from 2048 bits on"),
    locked_key: ("key", "holds no private key in PEM"),
    missing_key: ("key", "No such file"),
    no_key: ("key", "holds no private key in PEM"),
}


@pytest.mark.usefixtures("faketime")
@pytest.mark.parametrize("at, ended", [("11:59:00", False),
                                       ("12:01:00", True)])
def test_a_certificate_is_good_until_its_end(own, at, ended):
    """Which is at noon of the 31st."""
    own.chain.use(own.chain.below("short", env=on("2026-01-01")))
    done = own.run("check", "--config", own.config_file, check=False,
                   env={**on("2026-01-21"), "FAKETIME": f"@2026-01-21 {at}"})
    assert ("ended at 2026-01-21T" in done.stderr) == ended, done.stderr
    assert ("no client takes it any more" in done.stderr) == ended
    assert done.returncode == 0


@pytest.mark.usefixtures("faketime")
@pytest.mark.parametrize("harm", BAD_FILES, ids=lambda harm: harm.__name__)
def test_bad_files_are_refused_at_the_start_and_at_a_reload(own, harm):
    kind, words = BAD_FILES[harm]
    option = {"crt": "certificate", "key": "key"}[kind]
    line = 1 + own.config_file.read_text().split(
        f"    {option}: ")[0].count("\n")
    where = f"{own.config_file}:{line}: listeners[1].tls.{option}: " \
        f"{own.chain.top}/chain.{kind}: "
    own.serve()
    harm(own.chain)
    message = own.reload()
    assert message.startswith("the old ones stay: " + where)
    assert words in message
    with own.wire() as wire:
        assert name_of(wire) == "chain" and answers(wire)
    assert own.stop() == 0
    for command in "serve", "check":
        status, message = own.refused(command)
        assert status == 1
        assert words in message and where in message
