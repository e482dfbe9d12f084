"""Several certificates on one listener: which of them is shown to whom, what is
said of those that are not as they were meant, and what a reload makes of them.
"""

import hashlib
import socket
import ssl
import subprocess

import pytest

from support import metrics
from support.dockpass import PATIENCE, Dockpass, on
from support.process import free_ports, wait_until
from support.site import Certificate
from support.wire import Wire

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
END = "dockpass_certificate_expiry_timestamp_seconds"


class Many(Dockpass):
    """Its listener has TLS; `pairs` names what certificates it has, in their
    order: name -> what openssl is told of names and key."""

    pairs = {
        "first": (["DNS:auth.example.com", "IP:127.0.0.1"], "P-256"),
        "rsa": (["DNS:auth.example.com", "DNS:old.example.com"], "rsa:2048"),
        "wild": (["DNS:*.example.com"], "P-256"),
        "deep": (["DNS:Deep.A.Example.com", "DNS:*.deep.example.com"],
                 "P-256"),
        "edward": (["DNS:ed.example.org"], "ed25519"),
        "address": (["IP:127.0.0.2", "DNS:by-address.example.net"], "P-256"),
    }

    def __init__(self, folder, single=True):
        self.certificate = Certificate(folder)
        super().__init__(folder)
        self.files = {name: self.make(name) for name in self.pairs}
        entries = [{"certificate": str(file), "key": str(key)}
                   for file, key in self.files.values()]
        tls = {"certificates": entries}
        if single:
            tls = {**entries[0], "certificates": entries[1:]}
        self.configure(listener={"tls": tls}, workers=2)

    def make(self, name, env=None):
        names, kind = self.pairs[name]
        return self.certificate.issue(
            name, f"/CN={name}", f"subjectAltName={','.join(names)}",
            kind=kind, env=env)

    def context(self, signatures=None, version=None, verify=True):
        context = ssl.create_default_context(cafile=self.certificate.ca)
        context.check_hostname = verify
        if signatures:
            context.set_ciphers(f"ECDHE+{signatures}")
            version = "TLSv1_2"
        if version:
            version = ssl.TLSVersion[version]
            context.minimum_version = context.maximum_version = version
        return context

    def shown(self, name, **how):
        """The common name of what whoever asks for `name` is shown; None: he
        asks for none. Verified, and if `verify` for that name, too."""
        how.setdefault("verify", name is not None)
        with socket.create_connection(
                ("127.0.0.1", self.port), 20 * PATIENCE) as plain, \
                self.context(**how).wrap_socket(
                    plain, server_hostname=name) as tls:
            tls.sendall(HEALTH)
            assert tls.recv(1000).startswith(b"HTTP/1.1 200 ")
            subject = tls.getpeercert()["subject"]
        return dict(pair for row in subject for pair in row)["commonName"]


@pytest.fixture(scope="module", params=[True, False],
                ids=["beside the first", "in the list alone"])
def many(request, tmp_path_factory):
    with Many(tmp_path_factory.mktemp("many"), single=request.param) as many:
        yield many.serve()


@pytest.fixture
def own(tmp_path):
    with Many(tmp_path) as own:
        yield own


# name, verified by Python's own reading of RFC 6125, which certificate
ASKED = {
    "its name": ("auth.example.com", True, "first"),
    "in any case": ("AUTH.Example.COM", True, "first"),
    "a name of the second kind of key alone":
        ("old.example.com", True, "rsa"),
    "a wildcard": ("b.example.com", True, "wild"),
    "a name is before a wildcard": ("deep.a.example.com", True, "deep"),
    "a deeper wildcard": ("x.deep.example.com", True, "deep"),
    "what is right below the other": ("deep.example.com", True, "wild"),
    "a wildcard has one label, not none": ("example.com", False, "first"),
    "nor two": ("x.y.example.com", False, "first"),
    "another kind of key": ("ed.example.org", True, "edward"),
    "no such name": ("auth.example.org", False, "first"),
    "a name of one label": ("localhost", False, "first"),
    "no name": (None, False, "first"),
    "an address": ("127.0.0.1", True, "first"),
    "a name beside an address":
        ("by-address.example.net", True, "address"),
}


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("how", ASKED)
def test_whom_a_name_shows(many, how, version):
    name, verify, want = ASKED[how]
    assert many.shown(name, version=version, verify=verify) == want
    if name and not verify:
        with pytest.raises(ssl.SSLCertVerificationError):
            many.shown(name, version=version)


@pytest.mark.parametrize("name, by", [
    ("auth.example.com", {"ECDSA": "first", "aRSA": "rsa"}),
    (None, {"ECDSA": "first", "aRSA": "rsa"}),
    ("auth.example.org", {"ECDSA": "first", "aRSA": "rsa"})])
def test_one_name_with_two_kinds_of_keys(many, name, by):
    """Whoever knows no ECDSA is shown RSA, under the name and without one."""
    for signatures, want in by.items():
        assert many.shown(name, signatures=signatures, verify=False) == want


def test_who_can_take_none_is_refused(many):
    with pytest.raises(ssl.SSLError) as refusal:
        many.shown("b.example.com", signatures="aRSA")
    assert refusal.value.reason == "SSLV3_ALERT_HANDSHAKE_FAILURE"


def test_curl(many):
    """A client that people have, by names and by address."""
    for host, status in (("auth.example.com", 0), ("b.example.com", 0),
                         ("ed.example.org", 0), ("127.0.0.1", 0),
                         ("example.com", 60), ("x.y.example.com", 60)):
        done = subprocess.run(
            ["curl", "-sS", "--noproxy", "*", "--cacert",
             many.certificate.ca, "--resolve", f"{host}:{many.port}:127.0.0.1",
             f"https://{host}:{many.port}/healthz"], capture_output=True,
            text=True, timeout=30, check=False)
        assert done.returncode == status, (host, done)


def test_names_that_are_none(many):
    """They are refused or answered by the first; nobody is harmed."""
    for name in (b"", b"*", b"*.example.com", b"a..example.com", b".", b"-",
                 b"a" * 255, b"a" * 256, b"x\0auth.example.com",
                 b"\xff\xfe.example.com", b"a." * 127):
        with Wire(many.port) as wire:
            wire.send(hello(name))
            head = wire.socket.recv(5)
            assert head[:1] in (b"\x15", b"\x16"), (name, head)
    assert many.shown("b.example.com") == "wild"


def hello(name):
    """A ClientHello of TLS 1.2 that asks for a name, whatever its bytes."""
    def sized(n, data):
        return len(data).to_bytes(n, "big") + data
    extensions = b"".join(
        kind.to_bytes(2, "big") + sized(2, data) for kind, data in (
            (0, sized(2, b"\0" + sized(2, name))),
            (10, sized(2, bytes.fromhex("0017001d"))),
            (11, sized(1, b"\0")),
            (13, sized(2, bytes.fromhex("040308040401")))))
    body = b"\3\3" + bytes(range(32)) + sized(1, b"") + \
        sized(2, bytes.fromhex("c02bc02f")) + sized(1, b"\0") + \
        sized(2, extensions)
    return b"\x16\3\1" + sized(2, b"\1" + sized(3, body))


# Reload

def test_a_reload_takes_all_of_them(own):
    own.serve()
    assert own.shown("new.example.net", verify=False) == "first"
    own.pairs = {**own.pairs, "wild": (["DNS:*.example.net"], "rsa:2048")}
    own.make("wild")
    assert own.reload().startswith("done")
    assert own.shown("new.example.net") == "wild"
    assert own.shown("b.example.com", verify=False) == "first"
    assert own.shown("ed.example.org") == "edward"


def test_a_handshake_goes_on_with_what_it_began_with(own):
    """The table of names goes with the last connection that began with it."""
    own.serve()
    data = hello(b"b.example.com")
    wires = [Wire(own.port).send(data[:n]) for n in (1, 5, 60, len(data) - 1)]
    own.pairs = {**own.pairs, "wild": (["DNS:no.example.net"], "P-256")}
    own.make("wild")
    for _ in range(3):
        assert own.reload().startswith("done")
        # Both workers have taken it.
        for _ in range(20):
            assert own.shown("no.example.net") == "wild"
    for wire, n in zip(wires, (1, 5, 60, len(data) - 1)):
        with wire:
            wire.send(data[n:])
            answer = b""
            while len(answer) < 300:
                answer += wire.socket.recv(1000)
            # TLS 1.2 shows it in clear.
            assert b"*.example.com" in answer and b"no.example" not in answer


def warnings(dockpass):
    done = dockpass.run("check", "--config", dockpass.config_file)
    return [line.removeprefix("dockpass: warning: ")
            for line in done.stderr.splitlines() if " ends at " not in line]


def test_what_is_not_as_it_was_meant_is_said(own):
    assert warnings(own) == []
    own.pairs = {**own.pairs,
                 "wild": (["DNS:*.example.com", "DNS:auth.example.com"],
                          "P-256")}
    own.make("wild")
    first, wild = own.files["first"][0], own.files["wild"][0]
    want = f"{wild}: auth.example.com is a name of {first}, too, which is " \
        "named before and shown for it: take out one of them"
    assert warnings(own) == [want]
    own.serve()
    assert own.shown("auth.example.com") == "first"
    wait_until(lambda: want in {
        line["message"] for line in own.log("certificate")},
        10 * PATIENCE, own.output)
    own.certificate.issue("wild", "/CN=wild", "keyUsage=digitalSignature")
    assert warnings(own) == [f"{wild}: holds no name (subjectAltName), so "
                             "clients refuse it: get another"]


@pytest.mark.usefixtures("faketime")
def test_one_that_begins_tomorrow(own):
    own.make("wild", env=on("2099-01-01"))
    line, = warnings(own)
    assert line.startswith(f"{own.files['wild'][0]}: is good from 2099-01-01T")


def test_the_one_that_is_bad_is_named(own):
    """Whichever of them; and all of the old ones stay."""
    own.serve()
    own.files["deep"][0].write_text("no PEM")
    message = own.reload()
    line = 1 + own.config_file.read_text().split(
        str(own.files["deep"][0]))[0].count("\n")
    assert message.startswith(
        f"the old ones stay: {own.config_file}:{line}: listeners[0].tls."
        f"certificates[2].certificate: {own.files['deep'][0]}: holds no "
        "certificate in PEM")
    assert own.shown("deep.a.example.com") == "deep"
    own.make("deep")
    own.files["wild"][1].chmod(0o640)
    for status, message in (own.refused("check"), (1, own.reload())):
        assert status == 1 and f"certificates[1].key: {own.files['wild'][1]}" \
            in message and "chmod 600" in message


def test_half_an_entry(own):
    for entry, words in (({}, "certificates[5].certificate: is missing"),
                         ({"key": "k"}, "certificates[5].key: one of the two"),
                         ({"other": "k"}, "certificates[5].other: is no opt")):
        with own.config_file.open() as file:
            text = file.read()
        tls = own.config["listeners"][0]["tls"]
        own.configure(listener={"tls": {
            **tls, "certificates": tls["certificates"] + [entry]}})
        assert "listeners[0].tls." + words in own.refused("check")[1]
        own.config_file.write_text(text)


def test_by_variables(tmp_path):
    """A list in a list, both longer than what the file has."""
    certificate = Certificate(tmp_path)
    two = certificate.issue("two", "/CN=two", "subjectAltName=DNS:two")
    with Dockpass(tmp_path) as own:
        port, other = free_ports(2)
        name = "DOCKPASS_LISTENERS_1_"
        env = {name + "ADDRESS": f"127.0.0.1:{port}",
               name + "TLS_CERTIFICATE": str(certificate.file),
               name + "TLS_KEY": str(certificate.key),
               name + "TLS_CERTIFICATES_0_CERTIFICATE": str(two[0]),
               name + "TLS_CERTIFICATES_0_KEY": str(two[1])}
        own.serve(env=env)
        context = ssl.create_default_context(cafile=certificate.ca)
        with socket.create_connection(("127.0.0.1", port)) as plain, \
                context.wrap_socket(plain, server_hostname="two") as tls:
            assert tls.getpeercert()["subject"][0][0][1] == "two"
        told = own.json("check", env=env)["options"]
        assert told["listeners[1].tls.certificates[0].key"] == str(two[1])
        status, message = own.refused(
            "check", env={**env, name + "TLS_CERTIFICATES_2_KEY": str(other)})
        assert status == 1 and message.startswith(
            f"dockpass: {name}TLS_CERTIFICATES_2_KEY: is no option")


def test_check_prints_what_it_has_read(own):
    """As YAML that means the same."""
    text = own.cli("check").removesuffix("ok\n")
    assert "certificates:" in text
    before = own.json("check")["options"]
    own.config_file.write_text(text)
    assert own.json("check")["options"] == before


# Metrics, and those who read them

def fingerprint(file):
    return hashlib.sha256(
        ssl.PEM_cert_to_DER_cert(file.read_text())).hexdigest()


def test_all_of_them_are_in_the_metrics(own):
    own.serve()
    told = {name: n for name, n in metrics.scrape(own).items()
            if name.startswith(END)}
    assert told == {
        f'{END}{{listener="127.0.0.1:{own.port}",file="{file}",'
        f'sha256="{fingerprint(file)}"}}': ssl.cert_time_to_seconds(ssl._ssl._test_decode_cert(
            str(file))["notAfter"]) for file, _ in own.files.values()}


def test_the_admin_listener_may_have_tls(tmp_path):
    certificate = Certificate(tmp_path)
    other = certificate.issue("other", "/CN=other", "subjectAltName=DNS:o")
    with Dockpass(tmp_path) as own:
        own.configure(admin={"address": f"127.0.0.1:{own.admin_port}",
                             "tls": {**certificate.listener["tls"],
                                     "client_ca": str(certificate.ca)}})
        own.serve()
        assert f"metrics and health on https://127.0.0.1:{own.admin_port}" in \
            own.output
        context = ssl.create_default_context(cafile=certificate.ca)
        with pytest.raises((ssl.SSLError, AssertionError)):
            with Wire(own.admin_port, tls=context) as wire:
                wire.send(HEALTH).answer()
        context.load_cert_chain(certificate.file, certificate.key)
        with Wire(own.admin_port, tls=context) as wire:
            wire.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            text = wire.answer().text
        ends = [line for line in text.splitlines() if line.startswith(END)]
        assert len(ends) == 2
        assert f'listener="127.0.0.1:{own.admin_port}"' in ends[0]
        assert 'handshakes_failed_total{cause="no_client_certificate"} 1' in \
            text
        own.configure(admin={**own.config["admin"], "tls": {
            "certificate": str(other[0]), "key": str(other[1])}})
        assert own.reload().startswith("done")
        with pytest.raises(ssl.SSLCertVerificationError):
            Wire(own.admin_port, tls=context)
