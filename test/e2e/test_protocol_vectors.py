"""What clients send, byte for byte, and what they must be answered.

The rows are the vectors of the protocol (V01 to V29) and the request lines of
each client. A user's password there is a personal access token here; user
names with "@" or "+" exist only beside a token. K01, K06 and K07 are of keys;
test_registries.py has the others, test/unit/token/test_keygen.c K05.
"""

import base64
import hashlib
import json
import re
import time

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (Encoding,
                                                          PublicFormat)

from support import secrets, tokens, wire
from support.dockpass import Dockpass
from support.world import World

RE = "registry.example.com"
SERVICES = [{"name": RE, "refresh_tokens": True},
            {"name": "other.example.com", "refresh_tokens": True},
            {"name": "plain.example.com"},
            {"name": "Docker registry"}]
CHARSET = wire.FORM + "; charset=utf-8"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The world with the vectors' services and projects."""
    with World(tmp_path_factory.mktemp("shop"), services=SERVICES) as world:
        for path in ("public/alpine", "public/a"):
            world.cli("project", "add", path, "--visibility", "public")
        world.cli("project", "add", "team/plug")
        world.cli("member", "add", "team/plug", "alice", "maintainer")
        yield world.serve()


@pytest.fixture(scope="module")
def words(shop):
    """What stands for the names in braces."""
    answer = shop.ask(auth=shop.basic("alice", "api"),
                      fields={"offline_token": "true"})
    return {"pat": shop.pat("alice", "api"),
            "read": shop.pat("alice", "read_registry"),
            "root": shop.pat("root", "api"),
            "password": World.PASSWORD,
            "rt": secrets.remember(answer.json()["refresh_token"])}


def request(words, line, body=None, user=None, form=wire.FORM):
    """`user`: "name:{pat}", sent as Basic."""
    headers = ["User-Agent: vector", "Accept-Encoding: gzip",
               "Baggage: trigger=api"]  # moby's
    if user:
        basic = base64.b64encode(user.format(**words).encode()).decode()
        headers.append(f"Authorization: Basic {basic}")
    return wire.request(line, *headers, form=form,
                        body=body and body.format(**words))


def check(shop, answer, body, sub, access, refresh=None, service=RE):
    granted = tokens.access(answer, shop, service)
    assert " ".join(f"{k}:{v}" for k, v in granted.items()) == access
    assert tokens.subject(answer) == sub
    # RFC 6749 5.1
    assert answer.headers.get("Pragma") == ("no-cache" if body else None)
    got = answer.json()
    assert got["expires_in"] == 300
    assert set(got) == {"token", "access_token", "expires_in"} | \
        ({"refresh_token"} if refresh else set()) | \
        ({"scope"} if body else set())
    if body:
        assert got["scope"] == access
    if refresh:
        secrets.remember(got["refresh_token"])


# Percent signs and their order are Go's net/url's.
S = "&service=registry.example.com"
GET = "GET /token?"
POST = "POST /token"
ALICE = "alice:{pat}"
LOGIN = GET + "account=alice&client_id=docker&offline_token=true" + S
PULL = "scope=repository%3Ateam%2Fapp%3Apull"
PUSH = "scope=repository%3Ateam%2Fapp%3Apush%2Cpull"
BOTH = "scope=repository%3Abase%2Fimg%3Apull+" \
       "repository%3Ateam%2Fapp%3Apull%2Cpush"
APP = "repository:team/app:"
BASE = "repository:base/img:pull"
REFRESH = "grant_type=refresh_token&refresh_token={rt}&"
PASSWORD = "grant_type=password&password={pat}"

# name, request line, who (Basic), the token's user, what it grants
GETS = [
    ("V02 docker login, no refresh tokens", GET + "account=alice&"
     "client_id=docker&offline_token=true&service=plain.example.com",
     ALICE, "alice", ""),
    ("V04 docker pull", GET + "account=alice&" + PULL + S, ALICE, "alice",
     APP + "pull"),
    ("V05 docker push", GET + "account=alice&" + PUSH + S, ALICE, "alice",
     APP + "pull,push"),
    ("V06 docker push and mount", GET + "account=alice&" + PUSH +
     "&scope=repository%3Abase%2Fimg%3Apull" + S, ALICE, "alice",
     BASE + " " + APP + "pull,push"),
    ("V07 the mount denied", GET + "account=alice&" + PUSH +
     "&scope=repository%3Asecret%2Fx%3Apull" + S, ALICE, "alice",
     APP + "pull,push"),
    ("V08 anonymous, public", GET +
     "scope=repository%3Apublic%2Falpine%3Apull" + S, None, "",
     "repository:public/alpine:pull"),
    ("V09 anonymous, private", GET + PULL + S, None, "", ""),
    ("V15 docker plugin", GET + "account=alice&"
     "scope=repository%28plugin%29%3Ateam%2Fplug%3Apull" + S, ALICE, "alice",
     "repository:team/plug:pull"),
    ("V20 any user name beside a token", GET + PUSH + S,
     "bob+ci@ex.com:{read}", "alice", APP + "pull"),
    ("V20 a password of odd bytes", GET +
     "scope=repository%3Ag%2Fpriv%3Apull%2Cpush" + S, "carol:{password}",
     "carol", "repository:g/priv:pull"),
    ("V23 zot's empty scope", GET + "scope=" + S, ALICE, "alice", ""),
    ("V27 podman login", GET + "account=alice" + S, ALICE, "alice", ""),
    ("V28 account decides nothing", GET + "account=alice&"
     "scope=repository%3Apublic%2Fa%3Apull" + S, None, "",
     "repository:public/a:pull"),
    ("containerd's second try", GET + PULL + S, ALICE, "alice", APP + "pull"),
    ("skopeo delete: * is spelled out", GET +
     "account=alice&scope=repository%3Ateam%2Fapp%3A%2A" + S, ALICE, "alice",
     APP + "delete,pull,push"),
    ("crane delete: in an order of its own", GET +
     "scope=repository%3Ateam%2Fapp%3Apush%2Cpull%2Cdelete" + S, ALICE,
     "alice", APP + "delete,pull,push"),
    ("crane catalog", GET + "scope=registry%3Acatalog%3A%2A" + S,
     "root:{root}", "root", "registry:catalog:*"),
    ("regctl", GET + "account=alice&client_id=regclient&" + PULL + S, ALICE,
     "alice", APP + "pull"),
    ("OCI's own suite: the whole challenge as one scope", GET + BOTH + S,
     ALICE, "alice", BASE + " " + APP + "pull,push"),
    ("OCI's own suite: deletes by a token for that alone", GET +
     "scope=repository%3Ateam%2Fapp%3Adelete" + S, ALICE, "alice",
     APP + "delete"),
    ("OCI's own suite: the same, and may not", GET +
     "scope=repository%3Abase%2Fimg%3Adelete" + S, ALICE, "alice", ""),
]


@pytest.mark.parametrize("name, line, user, sub, access", GETS,
                         ids=[row[0] for row in GETS])
def test_get(shop, words, name, line, user, sub, access):
    answer = wire.send(shop, request(words, line, user=user))
    service = line.rpartition("service=")[2]
    check(shop, answer, None, sub, access, service=service)


# name, body, the token's user, what it grants, a refresh token comes
FORMS = [
    ("V10 docker, identity token", "client_id=docker&" + REFRESH + PULL + S,
     "alice", APP + "pull", False),
    ("V12 docker login, identity token",
     "client_id=docker&" + REFRESH + "scope=" + S, "alice", "", False),
    ("V16 containerd", "client_id=containerd-client&" + PASSWORD + "&" + PULL +
     S + "&username=alice", "alice", APP + "pull", False),
    ("V17 containerd, one repository twice", "client_id=containerd-client&" +
     PASSWORD + "&scope=repository%3Abase%2Fimg%3Apull+"
     "repository%3Ateam%2Fapp%3Apull+repository%3Ateam%2Fapp%3Apull%2Cpush" +
     S + "&username=alice", "alice", BASE + " " + APP + "pull,push", False),
    ("moby, mounts from two", "client_id=containerd-client&" + PASSWORD +
     "&scope=repository%3Abase%2Fimg%3Apull+repository%3Ag%2Fpriv%3Apull+"
     "repository%3Ateam%2Fapp%3Apull+repository%3Ateam%2Fapp%3Apull%2Cpush" +
     S + "&username=alice", "alice", BASE + " repository:g/priv:pull " + APP +
     "pull,push", False),
    ("containerd 2 once refused: the registry's order beside its own",
     "client_id=containerd-client&" + PASSWORD +
     "&scope=repository%3Ateam%2Fapp%3Apull%2Cpush+"
     "repository%3Ateam%2Fapp%3Apush%2Cpull" + S + "&username=alice", "alice",
     APP + "pull,push", False),
    ("buildkit, a mount refused: unsorted", "client_id=buildkit-client&" +
     PASSWORD + "&scope=repository%3Ateam%2Fapp%3Apull%2Cpush+"
     "repository%3Abase%2Fimg%3Apull" + S + "&username=alice", "alice",
     BASE + " " + APP + "pull,push", False),
    ("V19 any user name beside a token", "client_id=containerd-client&" +
     PASSWORD + "&" + PULL + S + "&username=bob%2Bci%40ex.com", "alice",
     APP + "pull", False),
    ("V19 a password of odd bytes", "client_id=containerd-client&"
     "grant_type=password&password=p%26%C3%A4%3A%2B+%25correct+horse" + S +
     "&username=carol", "carol", "", False),
    ("V21 nerdctl login", "access_type=offline&client_id=containerd-client&" +
     PASSWORD + S + "&username=alice", "alice", "", True),
    ("V22 online", "access_type=online&client_id=containerd-client&" +
     PASSWORD + S + "&username=alice", "alice", "", False),
    ("V29 podman, repeated scopes", "client_id=containers%2Fimage&" + REFRESH +
     "scope=repository%3Ateam%2Fapp%3Apull%2Cpush"
     "&scope=repository%3Abase%2Fimg%3Apull" + S, "alice",
     BASE + " " + APP + "pull,push", False),
    ("containerd, identity token", "client_id=containerd-client&" + REFRESH +
     PULL + S, "alice", APP + "pull", False),
    ("buildx", "client_id=buildkit-client&" + PASSWORD + "&" + BOTH + S +
     "&username=alice", "alice", BASE + " " + APP + "pull,push", False),
    ("crane, identity token", "client_id=go-containerregistry&" + REFRESH +
     PULL + S, "alice", APP + "pull", False),
    ("oras cp, identity token: one scope of two", "client_id=oras-go&" +
     REFRESH + "scope=repository%3Abase%2Fimg%3Apull+"
     "repository%3Ateam%2Fapp%3Apull%2Cpush" + S, "alice", BASE + " " + APP +
     "pull,push", False),
    ("crane delete, identity token", "client_id=go-containerregistry&" +
     REFRESH + "scope=repository%3Ateam%2Fapp%3Apush%2Cpull%2Cdelete" + S,
     "alice", APP + "delete,pull,push", False),
    ("helm login", "client_id=oras-go&" + PASSWORD + S + "&username=alice",
     "alice", "", False),
    ("old skopeo: no client_id", PASSWORD + "&" + PULL + S +
     "&username=alice", "alice", APP + "pull", False),
]


@pytest.mark.parametrize("form", [wire.FORM, CHARSET],
                         ids=["form", "form with charset"])
@pytest.mark.parametrize("name, body, sub, access, refresh", FORMS,
                         ids=[row[0] for row in FORMS])
def test_post(shop, words, name, body, sub, access, refresh, form):
    answer = wire.send(shop, request(words, POST, body, form=form))
    check(shop, answer, body, sub, access, refresh)


def test_v01_docker_login(shop, words):
    """And the times of a token, to the second."""
    before = int(time.time())
    answer = wire.send(shop, request(words, LOGIN, user=ALICE))
    check(shop, answer, None, "alice", "", refresh=True)
    claims = tokens.claims(answer)
    assert before + 300 <= claims["exp"] <= int(time.time()) + 300
    assert claims["iat"] == claims["nbf"] == claims["exp"] - 310


def test_v11_a_refresh_token_is_never_used_up(shop, words):
    """A hundred at a time: all have been sent before the first is read."""
    data = request(words, POST, "client_id=docker&" + REFRESH + PULL + S)
    wires = [wire.Wire(shop.port).send(data) for _ in range(100)]
    answers = [each.answer() for each in wires]
    for each, answer in zip(wires, answers):
        each.close()
        check(shop, answer, "post", "alice", APP + "pull")
    assert len({tokens.claims(answer)["jti"] for answer in answers}) == 100


def test_v29_as_skopeo_sends_it(shop, words):
    """Chunked, without a length (and in pieces that cut a name)."""
    body = ("client_id=containers%2Fimage&" + REFRESH + PULL + S).format(
        **words).encode()
    head = wire.request(POST, "Transfer-Encoding: chunked",
                        f"Content-Type: {wire.FORM}")
    for size in (len(body), 7):
        pieces = [body[i:i + size] for i in range(0, len(body), size)]
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces)
        answer = wire.send(shop, head + chunks + b"0\r\n\r\n")
        check(shop, answer, "post", "alice", APP + "pull")


def test_a_service_with_a_space(shop, words):
    """docker's `service=Docker+registry`, and a robot's name."""
    line = GET + "account=robot%24ci&client_id=docker&offline_token=true&" \
        "scope=repository%28plugin%29%3Ateam%2Fplug%3Apull&" \
        "scope=registry%3Acatalog%3A%2A&service=Docker+registry"
    answer = wire.send(shop, request(words, line, user="robot$ci:{root}"))
    check(shop, answer, None, "root",
          "registry:catalog:* repository:team/plug:pull",
          service="Docker registry")


# name, request line, body, who; each is a 401
REFUSED = [
    ("V03 wrong password", LOGIN, None, "alice:wrong-password"),
    ("V03 wrong token", LOGIN, None, "alice:glpat-aaaaaaaaaaaaaaaaaaaa"),
    ("V13 unknown refresh token", POST, "client_id=docker&"
     "grant_type=refresh_token&refresh_token=nope&" + PULL + S, None),
    ("V14 of another service", POST, "client_id=docker&" + REFRESH + PULL +
     "&service=other.example.com", None),
    ("V18 containerd, wrong", POST, "client_id=containerd-client&"
     "grant_type=password&password=wrong&" + PULL + S + "&username=alice",
     None),
    ("V18 containerd's second try", GET + PULL + S, None, "alice:wrong"),
    # A refresh token is good for its grant alone, there is no option for this.
    ("V24 a refresh token as password", GET + PULL + S, None, ":{rt}"),
    ("V24 the same as <token>", GET + PULL + S, None, "<token>:{rt}"),
    ("V24 the same by POST", POST, "client_id=containerd-client&"
     "grant_type=password&password={rt}&" + PULL + S +
     "&username=%3Ctoken%3E", None),
]


@pytest.mark.parametrize("name, line, body, user", REFUSED,
                         ids=[row[0] for row in REFUSED])
def test_refused(shop, words, name, line, body, user):
    answer = wire.send(shop, request(words, line, body, user))
    if body:
        tokens.grant_refusal(answer, 401, "invalid_grant")
    else:
        tokens.refusal(answer, 401, "UNAUTHORIZED")


# V26 (POST switched off) has no row: it cannot be.
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_v25_other_methods(shop, words, method):
    answer = wire.send(shop, request(words, f"{method} /token?{PULL}{S}",
                                     user=ALICE))
    tokens.refusal(answer, 405, "UNSUPPORTED")
    assert answer.headers["Allow"] == "GET, POST"


def test_v25_head_is_get_without_a_body(shop, words):
    asked = f"/token?{PULL}{S}"
    head = wire.send(shop, request(words, "HEAD " + asked, user=ALICE))
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) > 500


# The ids of docker's libtrust and of RFC 7638, as their texts have them.
NEEDED = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"),
          "OKP": ("crv", "kty", "x")}
SPEC_KEY = {"kty": "EC", "crv": "P-256",
            "x": "m7zUpx3b-zmVE5cymSs64POG9QcyEpJaYCD82-549_Q",
            "y": "dU3biz8sZ_8GPB-odm8Wxz3lNDr1xcAQQPQaOcr1fmc"}


def public_info(key):
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def libtrust(jwk):
    info = public_info(jwt.PyJWK(jwk, algorithm=jwk.get("alg", "ES256")).key)
    text = base64.b32encode(hashlib.sha256(info).digest()[:30]).decode()
    return ":".join(re.findall("....", text))


def rfc7638(jwk):
    needed = {name: jwk[name] for name in NEEDED[jwk["kty"]]}
    text = json.dumps(needed, separators=(",", ":")).encode()
    digest = hashlib.sha256(text).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    """A dockpass with a key of each kind; not started."""
    dockpass = Dockpass(tmp_path_factory.mktemp("ring"))
    for alg in tokens.ALGORITHMS[1:]:
        dockpass.cli("key", "new", "--alg", alg)
    return dockpass


@pytest.fixture(scope="module")
def jwks(ring):
    text = ring.cli("key", "export", "--format", "jwks")
    public = (ring.folder / "public/jwks.json").read_text()
    assert json.loads(public) == json.loads(text)
    return json.loads(text)["keys"]


def test_k01_key_ids(ring, jwks):
    assert libtrust(SPEC_KEY) == "PYYO:TEWU:V7JH:26JV:AQTZ:LJC3:SXVJ:XGHA:" \
                                 "34F2:2LAQ:ZRMK:Z7Q6"
    assert rfc7638(SPEC_KEY) == "8qjioA3ZA7ti2JIE7c-U8smBFuZolQZvhSHDPU3hhB8"
    told = {(key["kid"], key["rfc7638"], key["alg"])
            for key in ring.json("key", "list")}
    assert {alg for _, _, alg in told} == set(tokens.ALGORITHMS)
    assert {(libtrust(k), rfc7638(k), k["alg"]) for k in jwks} == told
    assert sorted(k["kid"] for k in jwks) == \
        sorted(kid for row in told for kid in row[:2])


def test_k06_jwks_has_public_members_alone(jwks):
    for jwk in jwks:
        assert set(jwk) == {*NEEDED[jwk["kty"]], "kid", "use", "alg"}
        assert jwk["use"] == "sig"
    assert {jwk.get("crv") for jwk in jwks} == {"P-256", "P-384", "Ed25519",
                                                None}


def test_k07_bundle_has_certificates_alone(ring, jwks):
    text = ring.cli("key", "export", "--format", "pem")
    assert (ring.folder / "public/bundle.pem").read_text() == text
    assert re.findall("-----BEGIN ([A-Z ]*)-----", text) == ["CERTIFICATE"] * 4
    parts = re.findall("-----BEGIN.*?END CERTIFICATE-----", text, re.S)
    assert "".join(part + "\n" for part in parts) == text
    certificates = [x509.load_pem_x509_certificate(part.encode())
                    for part in parts]
    assert {public_info(c.public_key()) for c in certificates} == \
        {public_info(jwt.PyJWK(k, algorithm=k["alg"]).key) for k in jwks}


@pytest.mark.parametrize("options", [[], ["--registry", "2"]])
def test_k07_no_ed25519_for_registry_2(ring, options):
    assert ring.refused("registry-config", *options) == (
        1, "dockpass: registry 2 does not start with an Ed25519 key in its "
        "bundle; say --registry 3, or dockpass key remove it")
