"""Nobody is taken for another: credentials of the wrong kind, in the wrong
place, twice, altered, forged. Named as in test_protocol_negative.py.
"""

import base64
import hashlib
import hmac
import json
import time
from contextlib import ExitStack

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from support import secrets, tokens
from support.dockpass import Dockpass
from support.tokens import keys_of
from support.ways import (Line, basic, get_basic, get_bearer, login,
                          post_password, refresh, refresh_token)

PULL = "&scope=repository:g/priv:pull"
LONG = "long-password-" + 58 * "x" + "72-bytes-end-here-and-more-to-come"


@pytest.fixture(scope="module")
def cast(live):
    """What there is to be mixed up."""
    class Cast:
        alice, bob = live.pat("alice", "api"), live.pat("bob", "read_registry")
        blocked = live.pat("blk", "api")
        password = live.PASSWORD
        jwt = secrets.remember(login(live, alice).json()["token"])
        refresh = refresh_token(login(live, alice))
        other = refresh_token(login(live, alice, service="other"))
        bot_pat = live.token("--project", "g/priv", scopes="api", name="bot")
        # The newest one; other tests have others.
        bot = [user["username"] for user in live.json("user", "list")
               if user["bot"]][-1]
    live.user("longo", password=LONG)
    live.user("sleeper", password=live.PASSWORD)
    live.cli("user", "block", "sleeper")
    return Cast


# The Authorization headers of one GET, and what comes of it: a status, or who
# he is then. {alice} and its like are members of the cast.
HEADERS = [
    ("one", ["{alice}"], "alice"),
    ("two-the-same", ["{alice}", "{alice}"], 400),
    ("two-different", ["{alice}", "{bob}"], 400),
    ("two-right-and-wrong", ["{alice}", "Basic Og=="], 400),
    ("two-and-one-empty", ["{alice}", ""], 400),
    ("basic-and-bearer", ["{alice}", "Bearer {alice_}"], 400),
    ("in-one-header", ["{alice}, {bob}"], 401),
    ("none-in-the-header", [""], 401),
    ("scheme-alone", ["Basic"], 401),
    ("bearer-alone", ["Bearer"], 401),
    ("bearer-and-more", ["Bearer {alice_} x"], 401),
    ("no-scheme", ["{alice_}"], 401),
    ("another-scheme", ["Token {alice_}"], 401),
    ("scheme-and-more", ["BasicX {alice_}"], 401),
    ("negotiate", ["Negotiate {alice_}"], 401),
    ("url-userinfo-form", ["alice:{alice_}"], 401),
    ("JWT-as-bearer", ["Bearer {jwt_}"], 401),
    ("password-as-bearer", ["Bearer {password_}"], 401),
    ("refresh-as-bearer", ["Bearer {refresh_}"], 401),
]


@pytest.mark.parametrize("headers, want", [row[1:] for row in HEADERS],
                         ids=[row[0] for row in HEADERS])
def test_the_header(live, cast, headers, want):
    known = {"alice": basic("x", cast.alice), "bob": basic("x", cast.bob),
             "alice_": cast.alice, "jwt_": cast.jwt, "refresh_": cast.refresh,
             "password_": cast.password.encode().decode("latin-1")}
    with Line(live) as line:
        answer = line.ask(*[text.format(**known) for text in headers],
                          query=PULL)
    body = json.loads(answer.text)
    if isinstance(want, int):
        assert answer.status == want and "token" not in body
    else:
        assert answer.status == 200
        assert tokens.verify(body["token"], live)["sub"] == want


# user name, password (a member of the cast), the status or who he is then
PAIRS = [
    ("", "alice", 401), ("alice", "", 401), ("bob", "alice", "alice"),
    ("root", "bob", "bob"), ("nobody-at-all", "alice", "alice"),
    ("alice", "refresh", 401), ("<token>", "refresh", 401),
    ("", "refresh", 401), ("alice", "jwt", 401), ("alice", "password", 401),
    ("carol", "password", "carol"), ("CAROL", "password", "carol"),
    ("caro", "password", 401), ("carol ", "password", 401),
    ("carol\u0131", "password", 401), ("bob", "password", 401),
    ("sleeper", "password", 401), ("blk", "blocked", 401),
    ("x", "bot_pat", "BOT"), ("BOT", "bot_pat", "BOT"),
    ("BOT", "password", 401), ("BOT", "", 401), ("carol", "BOT", 401),
    ("BOT", "alice", "alice"),
]


@pytest.mark.parametrize("user, secret, want", PAIRS)
def test_user_name_and_secret(live, cast, user, secret, want):
    user = cast.bot if user == "BOT" else user
    want = cast.bot if want == "BOT" else want
    secret = cast.bot if secret == "BOT" else getattr(cast, secret, "")
    for answer in (
            live.ask(auth=(user.encode(), secret.encode())),
            live.ask(method="POST", fields={"grant_type": "password",
                                            "username": user,
                                            "password": secret})):
        if isinstance(want, int):
            tokens.refusal(answer, want, "UNAUTHORIZED")
        else:
            tokens.access(answer, live)
            assert tokens.subject(answer) == want


# How alice's token comes, the user name beside it, and whether that is right
# where pat.username_must_match is true. Elsewhere each is.
BESIDE = [
    ("Basic", "alice", True), ("Basic", "ALICE", True),
    ("Basic", "bob", False), ("Basic", "alic", False),
    ("Basic", "alice ", False),
    ("form", "alice", True), ("form", "ALICE", True), ("form", "bob", False),
    ("form", "alic", False), ("form", "alice ", False),
    ("Bearer", None, True), ("refresh", None, True),
]


@pytest.fixture(scope="module")
def strict_or_not(tmp_path_factory):
    """Two servers: by what the option says."""
    with ExitStack() as both:
        def start(strict):
            dockpass = both.enter_context(Dockpass(
                tmp_path_factory.mktemp("strict"),
                services=[{"name": "registry", "refresh_tokens": True}],
                pat={"username_must_match": strict}))
            dockpass.user("alice")
            dockpass.user("bob")
            dockpass.secret = dockpass.token("alice", scopes="api")
            return dockpass.serve()
        yield {strict: start(strict) for strict in (False, True)}


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("way, name, right", BESIDE)
def test_the_user_name_beside_a_token(strict_or_not, way, name, right, strict):
    dockpass = strict_or_not[strict]
    secret = dockpass.secret
    if way == "Basic":
        answer = dockpass.ask(auth=(name, secret))
    elif way == "form":
        answer = dockpass.ask(method="POST", fields={
            "grant_type": "password", "username": name, "password": secret})
    elif way == "Bearer":
        answer = get_bearer(dockpass, secret)
    else:
        given = dockpass.ask(auth=("alice", secret),
                             fields={"offline_token": "true"})
        answer = refresh(dockpass, refresh_token(given))
    if strict and not right:
        tokens.refusal(answer, 401, "UNAUTHORIZED")
        assert dockpass.reason(answer) == "wrong_username"
    else:
        assert tokens.access(answer, dockpass) == {}
        assert tokens.subject(answer) == "alice"


# Header, fields of the form; the status or who he is then.
FORMS = [
    ("same-twice", "alice", {"username": "x", "password": "alice"}, "alice"),
    ("other-name", "alice", {"username": "y", "password": "alice"}, 400),
    ("different", "alice", {"username": "x", "password": "bob"}, 400),
    ("wrong-header", "wrong", {"username": "x", "password": "alice"}, 400),
    ("header-alone", "alice", {}, "alice"),
    ("unreadable-header", "Basic !", {"username": "x", "password": "alice"},
     401),
    ("bearer-beside", "Bearer {alice}", {"username": "x", "password": "alice"},
     400),
    ("empty-name", None, {"username": "", "password": "alice"}, 401),
    ("no-name", None, {"password": "alice"}, 400),
    ("no-password", None, {"username": "alice"}, 400),
    ("nothing", None, {}, 400),
    ("empty", None, {"username": "x", "password": ""}, 401),
    ("two-passwords", None, {"username": "x", "password": ["alice", "bob"]},
     400),
    ("two-names", None, {"username": ["x", "y"], "password": "alice"}, 400),
    ("PAT-as-refresh", None, {"refresh_token": "alice"}, 401),
    ("JWT-as-refresh", None, {"refresh_token": "jwt"}, 400),
    ("password-as-refresh", None, {"refresh_token": "password"}, 401),
    ("refresh-of-other", None, {"refresh_token": "other"}, 401),
    ("refresh", None, {"refresh_token": "refresh"}, "alice"),
    ("refresh-beside-basic", "alice", {"refresh_token": "refresh"}, 400),
    ("two-refresh", None, {"refresh_token": ["refresh", "other"]}, 400),
    ("empty-refresh", None, {"refresh_token": ""}, 401),
    ("refresh-and-password", None, {
        "grant_type": "refresh_token", "refresh_token": "refresh",
        "username": "x", "password": "bob"}, 400),
    ("password-and-refresh", None, {
        "grant_type": "password", "refresh_token": "refresh",
        "username": "x", "password": "bob"}, 400),
    ("refresh-beside-basic-password", "bob", {
        "grant_type": "password", "refresh_token": "refresh"}, 400),
    ("an-empty-password-is-none", None, {
        "grant_type": "refresh_token", "refresh_token": "refresh",
        "username": "x", "password": ""}, "alice"),
]


@pytest.mark.parametrize("header, form, want", [row[1:] for row in FORMS],
                         ids=[row[0] for row in FORMS])
def test_the_form(live, cast, header, form, want):
    def value(name):
        return [value(one) for one in name] if isinstance(name, list) \
            else getattr(cast, name, name)
    form = {key: value(name) for key, name in form.items()}
    form.setdefault("grant_type", "refresh_token" if "refresh_token" in form
                    else "password")
    headers = {} if header is None else {"Authorization": (
        header.format(alice=cast.alice) if " " in header
        else basic("x", getattr(cast, header, "glpat-wrong")))}
    answer = live.ask(method="POST", fields=form, headers=headers)
    if isinstance(want, int):
        tokens.refusal(answer, want)
    else:
        tokens.access(answer, live)
        assert tokens.subject(answer) == want


# Where no credentials belong they are none: anonymous, or no request at all.
ELSEWHERE = [
    ("query-password", "&username=carol&password={}", (), 200),
    ("query-account", "&account=alice:{}", (), 200),
    ("query-token", "&access_token={}&token={}&private_token={}", (), 200),
    ("query-refresh", "&grant_type=refresh_token&refresh_token={}", (), 200),
    ("query-authorization", "&Authorization=Basic+{}", (), 200),
    ("PRIVATE-TOKEN", "", ("PRIVATE-TOKEN",), 200),
    ("JOB-TOKEN", "", ("JOB-TOKEN",), 200),
    ("Proxy-Authorization", "", ("Proxy-Authorization",), 200),
    ("Cookie", "", ("Cookie",), 200),
    ("X-Authorization", "", ("X-Authorization", "X-Forwarded-User"), 200),
    ("X-Remote-User", "", ("X-Remote-User", "Remote-User"), 200),
]


@pytest.mark.parametrize("query, headers, status", [
    row[1:] for row in ELSEWHERE], ids=[row[0] for row in ELSEWHERE])
def test_credentials_elsewhere_are_none(live, cast, query, headers, status):
    with Line(live) as line:
        answer = line.send(
            f"/token?service=registry{PULL}" + query.replace("{}", cast.alice),
            [(name, basic("alice", cast.alice)) for name in headers])
    assert answer.status == status
    claims = tokens.verify(json.loads(answer.text)["token"], live)
    assert claims["sub"] == "" and claims["access"] == []


def test_credentials_in_the_target_are_no_request(live, cast):
    with Line(live) as line:
        answer = line.send(f"http://alice:{cast.alice}@localhost:{live.port}"
                           f"/token?service=registry")
        assert answer.status == 400 and "token\":" not in answer.text
    answer = live.ask(method="POST", fields={"grant_type": "password"},
                      path=f"/token?username=x&password={cast.alice}")
    tokens.refusal(answer, 400, "BAD_REQUEST")


# CVE-2024-9683: a truncated password was right.
ALTERED = {
    "last-missing": lambda s: s[:-1], "first-missing": lambda s: s[1:],
    "one-more": lambda s: s + "x", "twice": lambda s: s + s,
    "other-case": str.swapcase, "upper": str.upper,
    "line-feed": lambda s: s + "\n", "space-before": lambda s: " " + s,
    "space-after": lambda s: s + " ", "comma": lambda s: s + ",",
    "last-changed": lambda s: s[:-1] + ("a" if s[-1] != "a" else "b"),
    "prefix-alone": lambda s: s[:6], "no-prefix": lambda s: s[6:],
    "half": lambda s: s[:len(s) // 2], "star": lambda s: s[:-1] + "*",
    "percent": lambda s: s[:-1] + f"%{ord(s[-1]):x}",
    "full-width": lambda s: s[:-1] + chr(ord(s[-1]) + 0xfee0),
    "padded": lambda s: s + 80 * "x", "long": lambda s: s.ljust(4000, "x"),
}


@pytest.mark.parametrize("alter", ALTERED.values(),
                         ids=[f"CVE-2024-9683-{name}" for name in ALTERED])
def test_an_altered_secret_is_another(live, cast, alter):
    for user, secret in (("x", cast.alice), ("carol", cast.password),
                         ("longo", LONG)):
        answer = live.ask(auth=(user.encode(), alter(secret).encode()))
        tokens.refusal(answer, 401, "UNAUTHORIZED")
    answer = post_password(live, alter(cast.alice))
    tokens.refusal(answer, 401, "UNAUTHORIZED")
    wrong = alter(cast.refresh)
    tokens.refusal(refresh(live, wrong), 401 if len(wrong) <= 512 else 400)


@pytest.mark.parametrize("length, status", [
    (len(LONG), 200), (len(LONG) - 1, 401), (72, 401), (73, 401), (8, 401),
    (511, 401), (512, 401), (4096, 401), (4097, 400)],
    ids=lambda value: f"CVE-2024-9683-{value}")
def test_a_long_password_counts_in_full(live, cast, length, status):
    answer = live.ask(auth=("longo", LONG[:length].ljust(length, "x")))
    assert answer.status_code == status


@pytest.mark.parametrize("form", ["{}\0", "\0{}", "{}\0x"])
def test_CVE_2024_9683_a_NUL_ends_no_secret(live, cast, form):
    """Basic that cannot be read (RFC 7617 2), or a form that cannot."""
    for secret in (cast.alice, LONG):
        wrong = form.format(secret)
        for auth in (("longo", wrong), (wrong.encode(), b"x")):
            answer = live.ask(auth=auth)
            assert tokens.refusal(answer, 401, "UNAUTHORIZED")
            assert live.reason(answer) == "bad_credentials"
        answer = live.ask(method="POST", fields={
            "grant_type": "password", "username": "longo", "password": wrong})
        assert "zero byte" in tokens.refusal(answer, 400, "BAD_REQUEST")


def part(data):
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=")


def hs256(head, claims, key):
    text = part(head) + b"." + part(claims)
    return (text + b"." + part(hmac.digest(key, text, "sha256"))).decode()


def new_rsa():
    return rsa.generate_private_key(65537, 2048)


def forge(live, how):
    """What a registry might take, if it were careless; what we never read."""
    jwks = (live.folder / "public/jwks.json").read_text()
    bundle = (live.folder / "public/bundle.pem").read_bytes()
    kid, public = next(iter(keys_of(jwks).items()))
    pem = public.public_bytes(
        serialization.Encoding.PEM,
        serialization.PublicFormat.SubjectPublicKeyInfo)
    now = int(time.time())
    claims = {"iss": "dockpass", "aud": "registry", "sub": "root",
              "iat": now, "nbf": now - 10, "exp": now + 300, "jti": "x" * 22,
              "access": [{"type": "repository", "name": "g/priv",
                          "actions": ["*"]}]}
    head = {"typ": "JWT", "kid": kid}
    own = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(own.public_key()))
    return {
        "alg-none": lambda: (part({**head, "alg": "none"}) + b"." +
                             part(claims) + b".").decode(),
        "alg-None": lambda: (part({**head, "alg": "nOnE"}) + b"." +
                             part(claims) + b".").decode(),
        "no-alg": lambda: (part(head) + b"." + part(claims) + b".").decode(),
        "HS256-empty": lambda: hs256({**head, "alg": "HS256"}, claims, b""),
        "HS256-PEM": lambda: hs256({**head, "alg": "HS256"}, claims, pem),
        "HS256-bundle": lambda: hs256({**head, "alg": "HS256"}, claims, bundle),
        "HS256-kid": lambda: hs256({**head, "alg": "HS256"}, claims,
                                   hashlib.sha256(pem).digest()),
        "ES256-own": lambda: jwt.encode(claims, own, "ES256", head),
        "ES256-jwk": lambda: jwt.encode(claims, own, "ES256",
                                        {**head, "jwk": jwk}),
        "ES256-jku": lambda: jwt.encode(claims, own, "ES256", {
            **head, "jku": "http://127.0.0.1:1/jwks.json"}),
        "ES256-x5c": lambda: jwt.encode(claims, own, "ES256", {
            **head, "x5c": [base64.b64encode(bundle).decode()]}),
        "PS256": lambda: jwt.encode(claims, new_rsa(), "PS256", head),
        "RS256": lambda: jwt.encode(claims, new_rsa(), "RS256", head),
        "genuine": lambda: login(live, live.pat("root", "api")).json()["token"],
    }[how]()


@pytest.mark.parametrize("how", [
    "alg-none", "alg-None", "no-alg", "HS256-empty", "HS256-PEM",
    "HS256-bundle", "HS256-kid", "ES256-own", "ES256-jwk", "ES256-jku",
    "ES256-x5c", "PS256", "RS256", "genuine"],
    ids=lambda how: f"CVE-2025-24976-CVE-2026-44699-{how}")
def test_no_JWT_lets_anybody_in(live, how):
    forged = secrets.remember(forge(live, how))
    for way in (get_bearer, get_basic, post_password):
        tokens.refusal(way(live, forged), 401, "UNAUTHORIZED")
    answer = refresh(live, forged)
    tokens.refusal(answer, 401 if len(forged) <= 512 else 400)
