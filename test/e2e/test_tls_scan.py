"""What the scanners that auditors use find in our TLS: nothing. sslscan in a
second; testssl.sh in parts, and with SOAK in whole.
"""

import json
import shutil
import subprocess
import xml.etree.ElementTree as xml

import pytest

from support.dockpass import SOAK, Dockpass
from support.process import Daemon, free_ports, is_open
from support.site import Certificate

SUITES = {
    "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256", *(
        f"ECDHE-{key}-{suite}" for key in ("ECDSA", "RSA") for suite in (
            "AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"))}
# What testssl.sh is asked for by `make test`: protocols, kinds of ciphers,
# forward secrecy, known attacks; SOAK: all that it knows. It mostly waits.
PARTS = [] if SOAK else ["-p", "-s", "-f", "-U"]
MINUTES = 60 if SOAK else 10
# What it has to say for sure, or it has not looked.
FINDINGS = {
    "SSLv2": "not offered", "SSLv3": "not offered", "TLS1": "not offered",
    "TLS1_1": "not offered", "TLS1_2": "offered", "TLS1_3": "offered",
    "cipherlist_NULL": "not offered", "cipherlist_LOW": "not offered",
    "cipherlist_3DES_IDEA": "not offered",
    "cipherlist_STRONG": "offered", "PFS": "offered",
    "heartbleed": "not vulnerable", "ROBOT": "not vulnerable",
    "secure_renego": "supported", "secure_client_renego": "not vulnerable",
    "CRIME_TLS": "not vulnerable", "SWEET32": "not vulnerable",
    "LUCKY13": "not vulnerable"}
WHOLE = {
    "ALPN": "http/1.1", "cert_trust <cert#1>": "Ok via SAN",
    "cert_chain_of_trust <cert#1>": "passed",
    "cert_chain_of_trust <cert#2>": "passed"}
# What it says of its own openssl, which has no old ciphers to try.
ITS_OWN = {"engine_problem", "RC4", "TLS1_3_support"}


def scanner(name):
    path = shutil.which(name)
    if not path:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A certificate of each usual kind, as an authority would make them."""
    folder = tmp_path_factory.mktemp("scan")
    certificate = Certificate(folder)
    pairs = [certificate.issue(
        kind.split(":", maxsplit=1)[0], "/CN=localhost",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "keyUsage=critical,digitalSignature", "extendedKeyUsage=serverAuth",
        "crlDistributionPoints=URI:http://localhost/ca.crl", kind=kind,
        days=300) for kind in ("P-256", "rsa:2048")]
    first, *more = [{"certificate": str(file), "key": str(key)}
                    for file, key in pairs]
    tls = {**first, "certificates": more}
    with Dockpass(folder, listener={"tls": tls}) as server:
        server.configure(admin={
            "address": f"127.0.0.1:{server.admin_port}", "tls": tls})
        server.ca = certificate.ca
        yield server.serve()


def sslscan(port):
    """(what it finds fault with, the names of what it could agree on)"""
    done = subprocess.run(
        [scanner("sslscan"), "--xml=-", "--no-colour", f"localhost:{port}"],
        capture_output=True, text=True, timeout=120, check=True)
    faults, agreed = [], set()
    for one in xml.fromstring(done.stdout).iter():
        see = one.attrib.get
        if one.tag == "protocol" and see("enabled") == "1":
            agreed.add(f"{see('type')} {see('version')}")
        if one.tag == "cipher":
            agreed.add(see("cipher"))
        bad = {
            "protocol": see("enabled") == "1" and
            see("version") not in ("1.2", "1.3"),
            "renegotiation": see("supported") == "1",
            "compression": see("supported") == "1",
            "heartbleed": see("vulnerable") == "1",
            "cipher": see("strength") not in ("strong", "acceptable"),
            "group": "ffdhe" in str(see("name")) or
            int(see("bits", 0)) < 128,
            "pk": see("error") != "false",
            "signature-algorithm": "sha1" in str(one.text).lower(),
            "self-signed": one.text != "false",
            "expired": one.text != "false",
        }.get(one.tag)
        if bad:
            faults.append((one.tag, one.attrib, one.text))
    return faults, agreed


@pytest.mark.parametrize("which", ["port", "admin_port"])
def test_sslscan(server, which):
    assert sslscan(getattr(server, which)) == (
        [], {"tls 1.2", "tls 1.3"} | SUITES)


def test_sslscan_would_find_it(tmp_path):
    """What others leave open."""
    certificate = Certificate(tmp_path)
    port = free_ports(1)[0]
    other = Daemon(
        ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert",
         certificate.file, "-key", certificate.key, "-cipher",
         "ALL:@SECLEVEL=0", "-www", "-quiet"], tmp_path / "log")
    try:
        other.wait_ready(lambda: is_open(port))
        faults, agreed = sslscan(port)
    finally:
        other.end()
    assert {"protocol", "cipher", "group"} <= {tag for tag, *_ in faults}
    assert {"tls 1.0", "ECDHE-ECDSA-AES128-SHA"} <= agreed


def test_testssl(server, tmp_path):
    report = tmp_path / "report.json"
    done = subprocess.run(
        [scanner("testssl"), "--quiet", "--color", "0", "--fast",
         "--nodns", "none", "--ip", "127.0.0.1", "--add-ca", server.ca,
         "--jsonfile", report, *PARTS, f"localhost:{server.port}"],
        capture_output=True, text=True, timeout=MINUTES * 60, check=False,
        cwd=tmp_path, stdin=subprocess.DEVNULL)
    found = json.loads(report.read_text())
    said = {one["id"]: one["finding"] for one in found}
    assert [one for one in found if one["id"] not in ITS_OWN and
            one["severity"] not in ("OK", "INFO", "LOW", "DEBUG")] == [], \
        done.stdout
    wants = FINDINGS | (WHOLE if SOAK else {})
    assert {name: said.get(name) for name, want in wants.items()
            if not said.get(name, "").startswith(want)} == {}
