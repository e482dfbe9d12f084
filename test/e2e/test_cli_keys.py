"""Signing keys: their states, what is published of them, and their ids, which
are computed again here by other libraries (cryptography, hashlib).
"""

import base64
import hashlib
import json
import re
import shutil
import stat
import subprocess
import threading

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from support.dockpass import ENV, PROGRAM, Dockpass

ALGORITHMS = ["ES256", "RS256", "ES384", "EdDSA"]


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """One key of each algorithm; the first is current."""
    with Dockpass(tmp_path_factory.mktemp("keys")) as keys:
        for alg in ALGORITHMS[1:]:
            keys.cli("key", "new", "--alg", alg)
        yield keys


def listed(dockpass):
    return dockpass.json("key", "list")


def states(dockpass):
    return {key["kid"]: key["state"] for key in listed(dockpass)}


# The ids, computed from the public key

def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def number(text):
    return int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big")


def jwk_of(key):
    """The required members of RFC 7638 3.2 and RFC 8037 2."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        size = (key.key_size + 7) // 8
        return {"kty": "RSA", "n": b64(numbers.n.to_bytes(size, "big")),
                "e": b64(numbers.e.to_bytes(3, "big"))}
    if isinstance(key, ec.EllipticCurvePublicKey):
        numbers, size = key.public_numbers(), key.key_size // 8
        return {"kty": "EC", "crv": f"P-{key.key_size}",
                "x": b64(numbers.x.to_bytes(size, "big")),
                "y": b64(numbers.y.to_bytes(size, "big"))}
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw))}


def libtrust(key):
    der = key.public_bytes(serialization.Encoding.DER,
                           serialization.PublicFormat.SubjectPublicKeyInfo)
    text = base64.b32encode(hashlib.sha256(der).digest()[:30]).decode()
    return ":".join(re.findall("....", text))


def rfc7638(key):
    text = json.dumps(jwk_of(key), sort_keys=True, separators=(",", ":"))
    return b64(hashlib.sha256(text.encode()).digest())


def p256(x, y):
    return ec.EllipticCurvePublicNumbers(number(x), number(y),
                                         ec.SECP256R1()).public_key()


# RFC 7638 3.1
N = ("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7a"
     "PFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArw"
     "l93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0z"
     "gdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2Nc"
     "Rwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw")
D379 = ec.derive_private_key(379, ec.SECP256R1())
# RFC 8037 A.1
ED = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
VECTORS = {  # protocol.md 3.1: public key, libtrust's id, RFC 7638's
    "spec/jwt.md": (
        p256("m7zUpx3b-zmVE5cymSs64POG9QcyEpJaYCD82-549_Q",
             "dU3biz8sZ_8GPB-odm8Wxz3lNDr1xcAQQPQaOcr1fmc"),
        "PYYO:TEWU:V7JH:26JV:AQTZ:LJC3:SXVJ:XGHA:34F2:2LAQ:ZRMK:Z7Q6",
        "8qjioA3ZA7ti2JIE7c-U8smBFuZolQZvhSHDPU3hhB8"),
    "RFC 7638 3.1": (
        rsa.RSAPublicNumbers(65537, number(N)).public_key(),
        "VUZD:EDHW:YWLN:RBFQ:KOA3:UVZ2:XKG5:2V2J:WTPI:6SRD:U6PZ:VCO5",
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
    "x begins with zero": (
        D379.public_key(),
        "HVHZ:ST6I:F4OR:OPDN:GJXA:LYHY:X76T:LAWQ:RYP2:3CRU:GVAA:4U3A",
        "7Yxe6c_3bAa6kiaK1G-BZmi9EeNsUmlcbdnrtLeuK4E"),
    "RFC 8037 A.3": (
        ED.public_key(), None, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
}


@pytest.mark.parametrize("vector", VECTORS)
def test_the_judge_knows_the_vectors(vector):
    key, want_libtrust, want_rfc7638 = VECTORS[vector]
    assert rfc7638(key) == want_rfc7638
    assert want_libtrust in (None, libtrust(key))


def bundle(dockpass, *args):
    text = dockpass.cli("key", "export", "--format", "pem", *args)
    ends = re.split("(?<=-----END CERTIFICATE-----\n)", text)[:-1]
    return [x509.load_pem_x509_certificate(end.encode()) for end in ends]


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_both_ids_of_each_key(keys, alg):
    key, = [key for key in listed(keys) if key["alg"] == alg]
    certificate, = [one for one in bundle(keys)
                    if rfc7638(one.public_key()) == key["rfc7638"]]
    assert libtrust(certificate.public_key()) == key["kid"]
    pem = (keys.folder / "keys" / (key["rfc7638"] + ".pem")).read_bytes()
    private = serialization.load_pem_private_key(pem, None)
    assert rfc7638(private.public_key()) == key["rfc7638"]


def put_key(dockpass, private, state):
    """A key that another program has made, in the folder of keys."""
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption())
    folder, name = dockpass.folder / "keys", rfc7638(private.public_key())
    file = folder / (name + ".pem")
    file.write_bytes(pem)
    file.chmod(0o600)
    made = subprocess.run(
        ["openssl", "req", "-x509", "-key", file, "-subj", "/CN=x", "-days",
         "9"], capture_output=True, check=True, timeout=20)
    file.write_bytes(pem + made.stdout)
    with open(folder / "keyring", "a", encoding="ascii") as keyring:
        keyring.write(f"{state} {name}\n")


def test_ids_of_keys_from_the_vectors(own):
    for private in (D379, ED):
        put_key(own, private, "next")
    found = {(key["kid"], key["rfc7638"]) for key in listed(own)[1:]}
    want = {(libtrust(private.public_key()), rfc7638(private.public_key()))
            for private in (D379, ED)}
    assert found == want
    assert VECTORS["x begins with zero"][1:] in want


# What is published

MEMBERS = {"EC": {"x", "y", "crv"}, "RSA": {"n", "e"}, "OKP": {"x", "crv"}}


def test_jwks_has_each_key_under_both_ids_and_nothing_private(keys):
    jwks = json.loads(keys.cli("key", "export", "--format", "jwks"))
    assert set(jwks) == {"keys"} and len(jwks["keys"]) == 8
    for key, pair in zip(listed(keys), zip(*[iter(jwks["keys"])] * 2)):
        assert [jwk["kid"] for jwk in pair] == [key["kid"], key["rfc7638"]]
        for jwk in pair:
            assert set(jwk) == {"kty", "kid", "use", "alg"} | \
                MEMBERS[jwk["kty"]]
            assert (jwk["alg"], jwk["use"]) == (key["alg"], "sig")
            read = jwt.PyJWK(jwk).key
            assert rfc7638(read) == key["rfc7638"]
            assert jwk_of(read).items() <= jwk.items()


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_certificates_as_openssl_reads_them(keys, alg, tmp_path):
    key, = [key for key in listed(keys) if key["alg"] == alg]
    one = next(one for one in bundle(keys)
               if rfc7638(one.public_key()) == key["rfc7638"])
    pem = tmp_path / "one.pem"
    pem.write_bytes(one.public_bytes(serialization.Encoding.PEM))

    def openssl(*args):
        done = subprocess.run(["openssl", *args], text=True, timeout=20,
                              capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout
    assert openssl("verify", "-check_ss_sig", "-CAfile", pem,
                   pem) == f"{pem}: OK\n"
    text = openssl("x509", "-in", pem, "-noout", "-text")
    assert "CA:FALSE" in text and "Version: 3" in text
    assert {"ES256": "NIST CURVE: P-256", "ES384": "NIST CURVE: P-384",
            "RS256": "Public-Key: (2048 bit)",
            "EdDSA": "ED25519 Public-Key"}[alg] in text
    assert openssl("x509", "-in", pem, "-noout", "-subject", "-issuer",
                   "-nameopt", "RFC2253") == \
        "subject=CN=dockpass\nissuer=CN=dockpass\n"
    end = one.not_valid_after.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert key["not_after"] == end
    years = (one.not_valid_after - one.not_valid_before).days / 365.25
    assert 9.9 < years < 10.1


def published(dockpass):
    """bundle.pem and jwks.json are what is exported, for all to read."""
    for name, form in (("bundle.pem", "pem"), ("jwks.json", "jwks")):
        file = dockpass.folder / "public" / name
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
        assert file.read_text() == dockpass.cli("key", "export", "--format",
                                                form)
    held = (dockpass.folder / "public/bundle.pem").read_text()
    assert "PRIVATE" not in held
    return [libtrust(one.public_key()) for one in bundle(dockpass)]


def test_each_command_publishes(own):
    """The current one first; also where somebody has removed the files."""
    first, = published(own)
    second = own.json("key", "new")["kid"]
    assert published(own) == [first, second]
    (own.folder / "public/jwks.json").unlink()
    (own.folder / "public/bundle.pem").chmod(0o600)
    own.cli("key", "activate", second)
    assert published(own) == [second, first]
    shutil.rmtree(own.folder / "public")
    subprocess.run(
        [PROGRAM, "key", "remove", first, "--config", own.config_file],
        check=True, capture_output=True, timeout=60, env=ENV, umask=0o077)
    assert published(own) == [second]
    assert stat.S_IMODE((own.folder / "public").stat().st_mode) == 0o755


# States

FOLLOW = "run dockpass reload"


def test_the_life_of_a_key(own):
    """Each step by either id, and each says what to do next."""
    first = listed(own)[0]
    done = own.run("key", "new", "--config", own.config_file)
    second = listed(own)[1]
    assert done.stdout == second["kid"] + "\n"
    assert done.stderr == (
        f"published, not signing yet: {FOLLOW}, bring public/bundle.pem to "
        "the registries, restart them, then dockpass key activate "
        f"{second['kid']}\n")
    assert states(own) == {first["kid"]: "current", second["kid"]: "next"}
    done = own.run("key", "activate", second["rfc7638"], "--config",
                   own.config_file)
    assert done.stderr == f"it signs once the server knows: {FOLLOW}\n"
    assert states(own) == {first["kid"]: "retired", second["kid"]: "current"}
    assert own.refused("key", "activate", first["kid"]) == (
        1, "dockpass: a retired key never signs again: make a new one with "
        "dockpass key new")
    for kid in (second["kid"], second["rfc7638"]):
        assert own.refused("key", "remove", kid) == (
            1, "dockpass: the current key signs: activate another one before, "
            "with dockpass key activate")
    done = own.run("key", "remove", first["rfc7638"], "--config",
                   own.config_file)
    assert done.stderr == (
        f"removed; the server may still sign with it: {FOLLOW}, bring "
        "public/bundle.pem to the registries, restart them\n")
    assert states(own) == {second["kid"]: "current"}
    assert [file.stem for file in (own.folder / "keys").glob("*.pem")] == [
        second["rfc7638"]]
    assert own.refused("key", "remove", first["kid"]) == (
        1, f"dockpass: no key '{first['kid']}'; dockpass key list shows all")


def test_a_beginning_that_one_key_has(own):
    """Four characters or more of either id; every key is named in whole."""
    first = listed(own)[0]
    second = own.json("key", "new")
    for kid in (first["kid"][:3], second["kid"] + "A"):
        assert own.refused("key", "activate", kid) == (
            1, f"dockpass: no key '{kid}'; dockpass key list shows all")
    own.cli("key", "activate", second["kid"][:4])
    assert states(own) == {first["kid"]: "retired", second["kid"]: "current"}
    done = own.run("key", "activate", "--json", "--config", own.config_file,
                   "--", second["rfc7638"][:4])
    told = json.loads(done.stdout)
    assert (told["kid"], told["state"]) == (second["kid"], "current")
    own.cli("key", "remove", first["kid"][:9])
    assert states(own) == {second["kid"]: "current"}


def test_a_beginning_that_two_keys_have(own):
    """Of two keys that are looked for, as chance makes none."""
    alike = {}
    for number in range(1, 4000):
        private = ec.derive_private_key(number, ec.SECP256R1())
        start = libtrust(private.public_key())[:4]
        if start in alike:
            break
        alike[start] = private
    for one in (alike[start], private):
        put_key(own, one, "next")
    for command in ("activate", "remove"):
        assert own.refused("key", command, start) == (
            1, f"dockpass: several keys begin with '{start}'; dockpass key "
            "list shows all")
    own.cli("key", "remove", libtrust(private.public_key())[:14])
    own.cli("key", "activate", start)


def test_a_key_that_never_signed_can_go(own):
    kid = own.json("key", "new")["kid"]
    own.cli("key", "remove", kid)
    assert list(states(own).values()) == ["current"]


def test_activating_the_current_one_changes_nothing(own):
    before = listed(own)
    own.cli("key", "activate", before[0]["kid"])
    assert listed(own) == before


def test_current_is_the_signing_key_alone(keys):
    first = listed(keys)[0]
    one, = bundle(keys, "--current")
    assert libtrust(one.public_key()) == first["kid"]
    jwks = json.loads(keys.cli("key", "export", "--format", "jwks",
                               "--current"))
    assert [jwk["kid"] for jwk in jwks["keys"]] == [first["kid"],
                                                    first["rfc7638"]]


@pytest.mark.parametrize("json_too", [[], ["--json"]])
def test_an_eddsa_key_warns(own, json_too):
    done = own.run("key", "new", "--alg", "EdDSA", *json_too, "--config",
                   own.config_file)
    assert done.stderr.splitlines()[0] == (
        "dockpass: warning: registry 2.8 does not start with an Ed25519 key "
        "in its bundle; use it with registry 3 alone")


def test_two_at_a_time_lose_none(own):
    def work():
        subprocess.run([PROGRAM, "key", "new", "--config", own.config_file],
                       check=True, capture_output=True, timeout=60, env=ENV)
    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(states(own)) == 7
    assert sorted(published(own)) == sorted(states(own))
