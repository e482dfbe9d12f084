"""The forms of answers: on every path, of every error, for each service."""

import base64

import pytest

from support import tokens, wire
from support.dockpass import Dockpass
from support.world import World

ALIASES = ["/token/", "/auth", "/auth/", "/auth/token", "/auth/token/",
           "/jwt/auth", "/jwt/auth/", "/service/token", "/service/token/"]
PRIV = "repository:g/priv:pull,push"
WRONG = "glpat-aaaaaaaaaaaaaaaaaaaa"
PASSWORD = {"grant_type": "password", "username": "any"}


# row, method, whose token (api) or a secret, other fields, status
REQUESTS = [
    ("granted", "GET", "alice", {}, 200),
    ("anonymous", "GET", None, {}, 200),
    ("wrong", "GET", WRONG, {}, 401),
    ("no right", "GET", "read_user", {}, 403),
    ("unknown service", "GET", "alice", {"service": "x"}, 400),
    ("granted by POST", "POST", "alice", PASSWORD, 200),
    ("wrong by POST", "POST", WRONG, PASSWORD, 401),
    ("no right by POST", "POST", "read_user", PASSWORD, 403),
    ("unknown service by POST", "POST", "alice",
     {**PASSWORD, "service": "x"}, 400),
    ("no grant_type", "POST", "alice", {}, 400),
    ("PUT", "PUT", "alice", {}, 405),
]


def ask(world, path, method, who, fields):
    secret = {None: None, WRONG: WRONG, "alice": world.pat("alice", "api"),
              "read_user": world.pat("alice", "read_user")}[who]
    auth = secret and ("any", secret)
    if "grant_type" in fields:
        auth, fields = None, {**fields, "password": secret}
    return world.ask(PRIV, auth, method, path, fields=fields)


def shape(answer):
    """All of an answer but what no two answers have in common."""
    headers = {k: v for k, v in answer.headers.items() if k != "Date"}
    body = answer.json()
    if answer.status_code == 200:
        assert body.pop("token") == body.pop("access_token")
        claims = tokens.claims(answer)
        body["claims"] = {name: claims[name]
                          for name in ("iss", "sub", "aud", "access")}
    return answer.status_code, headers, body


@pytest.mark.parametrize("path", ALIASES)
@pytest.mark.parametrize("row, method, who, fields, status", REQUESTS,
                         ids=[row[0] for row in REQUESTS])
def test_alias(world, path, row, method, who, fields, status):
    want = ask(world, "/token", method, who, fields)
    got = ask(world, path, method, who, fields)
    assert want.status_code == status
    assert shape(got) == shape(want)


def basic(text):
    return "Authorization: Basic " + base64.b64encode(text.encode()).decode()


def long_line(length):
    """A request line of this length."""
    line = "GET /token?service=registry&pad="
    return line + "x" * (length - len(line) - len(" HTTP/1.1"))


def chunked(size):
    head = wire.request("POST /token", "Transfer-Encoding: chunked",
                        f"Content-Type: {wire.FORM}")
    return head + b"%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n"


KIB = 1024
GET = "GET /token?service=registry"
POST = "POST /token"
FORM = "service=registry&grant_type=password&username=any&password="
REQ = wire.request
# row, the request, status, code, `error` of a POST. {pat}, {user}: secrets
ERRORS = [
    ("GET 401", REQ(GET, basic("any:" + WRONG)), 401, "UNAUTHORIZED", None),
    ("GET 401, unreadable", REQ(GET, "Authorization: Basic !"), 401,
     "UNAUTHORIZED", None),
    ("GET 401, another scheme", REQ(GET, "Authorization: Digest a=b"), 401,
     "UNAUTHORIZED", None),
    ("GET 401, no anonymous", REQ("GET /token?service=closed"), 401,
     "UNAUTHORIZED", None),
    ("GET 400", REQ(GET + "&scope=%zz"), 400, "BAD_REQUEST", None),
    ("GET 400, two services", REQ(GET + "&service=other"), 400, "BAD_REQUEST",
     None),
    ("GET 400, no service", REQ("GET /token"), 400, "BAD_REQUEST", None),
    ("GET 400, two Authorization headers",
     REQ(GET, basic("a:" + WRONG), basic("a:" + WRONG)), 400, "BAD_REQUEST",
     None),
    ("POST 401", REQ(POST, body=FORM + WRONG), 401, "UNAUTHORIZED",
     "invalid_grant"),
    ("POST 401, Basic", REQ(POST, basic("any:" + WRONG),
                            body="service=registry&grant_type=password"), 401,
     "UNAUTHORIZED", "invalid_grant"),
    ("POST 400, no body", REQ(POST), 400, "BAD_REQUEST", "invalid_request"),
    ("POST 400, no grant_type", REQ(POST, body="service=registry"), 400,
     "BAD_REQUEST", "invalid_request"),
    ("POST 400, another grant_type",
     REQ(POST, body="service=registry&grant_type=authorization_code"), 400,
     "BAD_REQUEST", "unsupported_grant_type"),
    ("POST 400, no password",
     REQ(POST, body="service=registry&grant_type=password&username=a"), 400,
     "BAD_REQUEST", "invalid_request"),
    ("POST 400, no refresh_token",
     REQ(POST, body="service=registry&grant_type=refresh_token"), 400,
     "BAD_REQUEST", "invalid_request"),
    ("POST 400, unknown service",
     REQ(POST, body=FORM.replace("registry", "x") + WRONG), 400,
     "BAD_REQUEST", "invalid_request"),
    ("POST 400, two identities", REQ(POST, basic("b:" + WRONG),
                                     body=FORM + WRONG), 400, "BAD_REQUEST",
     "invalid_request"),
    ("POST 400, JSON", REQ(POST, body="{}", form="application/json"), 400,
     "BAD_REQUEST", "invalid_request"),
    ("404", REQ("GET /"), 404, "NOT_FOUND", None),
    ("404, below", REQ("GET /token/x"), 404, "NOT_FOUND", None),
    ("404, two slashes", REQ("GET //token"), 404, "NOT_FOUND", None),
    ("404, POST", REQ("POST /tokens", body=FORM), 404, "NOT_FOUND", None),
    ("405", REQ("PATCH /token", body=FORM), 405, "UNSUPPORTED", None),
    ("405, no known method", REQ("BREW /token"), 405, "UNSUPPORTED", None),
    ("413", REQ(POST, body="x" * (64 * KIB + 1)), 413, "TOO_LARGE", None),
    ("413, chunked", chunked(64 * KIB + 1), 413, "TOO_LARGE", None),
    ("414", REQ(long_line(32 * KIB + 1)), 414, "TOO_LARGE", None),
    ("431", REQ(GET, "X: " + "y" * 64 * KIB), 431, "TOO_LARGE", None),
    ("431, many", REQ(GET, *["X: " + "y" * 60] * KIB), 431, "TOO_LARGE",
     None),
]


def check_error(world, answer, status, code, error):
    tokens.refusal(answer, status, code)
    if error:
        tokens.grant_refusal(answer, status, error)
    assert error or set(answer.json()) == {"errors"}
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.get("WWW-Authenticate") == (
        f'Basic realm="{world.url}/token", charset="UTF-8"'
        if status == 401 else None)
    assert answer.headers.get("Allow") == ("GET, POST" if status == 405 else None)


@pytest.mark.parametrize("row, data, status, code, error", ERRORS,
                         ids=[row[0] for row in ERRORS])
def test_error(world, row, data, status, code, error):
    check_error(world, wire.send(world, data), status, code, error)


def test_403_says_what_would_do(world):
    secret = world.pat("alice", "read_user")
    for data, error in (
            (REQ(GET, basic("any:" + secret)), None),
            (REQ(POST, body=FORM + secret), "unauthorized_client")):
        answer = wire.send(world, data)
        check_error(world, answer, 403, "DENIED", error)
        assert answer.json()["errors"][0]["message"] == \
            "token has scopes read_user; a registry needs read_registry, " \
            "write_registry, read_api or api"


def test_large_is_not_too_large(world):
    """The limits are where they are said to be."""
    form = FORM + world.pat("alice", "api") + "&pad="
    for data in (REQ(long_line(32 * KIB - 1)),
                 REQ(GET, *["X: " + "y" * 1000] * 63),
                 REQ(POST, body=form + "x" * (64 * KIB - len(form)))):
        assert tokens.access(wire.send(world, data), world) == {}


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    services = [{"name": "a", "ttl": 60}, {"name": "b", "ttl": 900},
                {"name": "closed", "anonymous": False}]
    with World(tmp_path_factory.mktemp("several"), services=services) as world:
        yield world.serve()


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """What `init` makes: one service."""
    with Dockpass(tmp_path_factory.mktemp("single")) as dockpass:
        dockpass.user("alice")
        secret = dockpass.token("alice", scopes="api")
        dockpass.pat = lambda user, scopes: secret
        yield dockpass.serve()


# row, server, query of the path, `service` of the fields, status or ttl, aud
SERVICES = [
    ("one is what is asked", "several", "", "a", 60, "a"),
    ("each has its ttl and name", "several", "", "b", 900, "b"),
    ("the same twice", "several", "", ["b", "b"], 900, "b"),
    ("missing, of several", "several", "", None, 400, None),
    ("empty, of several", "several", "", "", 400, None),
    ("unknown", "several", "", "c", 400, None),
    ("case matters", "several", "", "A", 400, None),
    ("two", "several", "", ["a", "b"], 400, None),
    ("missing, of one", "single", "", None, 300, "registry"),
    ("empty, of one", "single", "", "", 300, "registry"),
    ("unknown, of one", "single", "", "x", 400, None),
]
POSTED = [
    ("in the query alone", "several", "?service=b", None, 900, "b"),
    ("in the query, empty in the body", "several", "?service=b", "", 900,
     "b"),
    ("in both", "several", "?service=b", "b", 900, "b"),
    ("another in the query", "several", "?service=a", "b", 400, None),
    ("two in the query", "several", "?service=a&service=b", None, 400, None),
    ("two in the query, one in the body", "several", "?service=a&service=b",
     "b", 400, None),
    ("unknown in the query", "several", "?service=x", None, 400, None),
    ("unknown in the query, of one", "single", "?service=x", None, 400, None),
]


def check_service(server, answer, want, aud):
    if want == 400:
        tokens.refusal(answer, 400, "BAD_REQUEST")
        return
    assert tokens.access(answer, server, aud) == {}
    assert answer.json()["expires_in"] == want
    claims = tokens.claims(answer)
    assert claims["exp"] == claims["iat"] + 10 + want


@pytest.mark.parametrize("row, server, query, service, want, aud", SERVICES,
                         ids=[row[0] for row in SERVICES])
def test_service_by_get(request, row, server, query, service, want, aud):
    server = request.getfixturevalue(server)
    answer = server.ask(auth=("any", server.pat("alice", "api")),
                        fields={"service": service})
    check_service(server, answer, want, aud)


@pytest.mark.parametrize("row, server, query, service, want, aud",
                         SERVICES + POSTED,
                         ids=[row[0] for row in SERVICES + POSTED])
def test_service_by_post(request, row, server, query, service, want, aud):
    server = request.getfixturevalue(server)
    answer = server.ask(method="POST", path="/token" + query, fields={
        **PASSWORD, "password": server.pat("alice", "api"),
        "service": service})
    check_service(server, answer, want, aud)


@pytest.mark.parametrize("scope", ["", "repository:g/pub:pull", PRIV])
def test_a_service_without_anonymous(several, scope):
    answer = several.ask(scope, fields={"service": "closed"})
    tokens.refusal(answer, 401, "UNAUTHORIZED")
    assert several.reason(answer) == "no_credentials"
    answer = several.ask(scope, auth=several.basic("root", "api"),
                         fields={"service": "closed"})
    assert set(tokens.access(answer, several, "closed")) == \
        ({scope.rpartition(":")[0]} - {""})


def test_the_anonymous_have_what_is_public(several):
    answer = several.ask(["repository:g/pub:pull,push", PRIV],
                         fields={"service": "a"})
    assert tokens.access(answer, several, "a") == {"repository:g/pub": "pull"}
    assert tokens.subject(answer) == ""
