"""What went wrong elsewhere does not go wrong here.

Each test is named after the advisory or issue that it would have prevented;
so are those of live changes (test_protocol_live.py), of names and of persons
taken for others (_names, _persons), of load and time (_load), of what an
operator writes and reads (_operator), of files and crashes (_store). All of
them are in one table, in test_advisories.py.
"""

import base64
import json
import time

import jwt
import pytest

from support import secrets, tokens
from support.dockpass import Dockpass
from support.ways import (WAYS, Line, basic, get_basic, login, refresh,
                          refresh_token)

ASKED = "repository:g/priv:pull,push,delete,* registry:catalog:*"
# owner, scopes of his token, actions on g/priv; the catalog with a "*"
SCOPES = """
    bob  api                             delete,pull,push
    bob  read_api                        pull
    bob  read_registry                   pull
    bob  write_registry                  pull,push
    bob  read_registry,write_registry    pull,push
    bob  read_registry,write_repository  pull
    bob  read_user,read_registry         pull
    bob  read_user                       403
    bob  read_repository                 403
    bob  write_repository                403
    bob  read_user,write_repository      403
    root api                             delete,pull,push *
    root read_api                        pull *
    root read_registry                   pull
    root write_registry                  pull,push
    root sudo,read_registry              pull
    root sudo                            403
"""
ROWS = [line.split() for line in SCOPES.split("\n") if line.strip()]


# CVE-2025-68944: a JWT without the token's scopes. CVE-2025-68941: scopes
# checked in one place of several. GHSA-vvc3, GHSA-5f2q: an administrator's
# token passed them by. artifact-keeper#3408: what write-only may pull is
# decided (design: write_registry is read-write).
@pytest.mark.parametrize("way", WAYS,
                         ids=[f"CVE-2025-68941-{way}" for way in WAYS])
@pytest.mark.parametrize("row", ROWS, ids=[
    f"CVE-2025-68944-{scopes}" if who == "bob" else
    f"GHSA-vvc3-GHSA-5f2q-{scopes}" for who, scopes, *_ in ROWS])
def test_scopes_bind_on_every_way(live, way, row):
    who, scopes, actions, *catalog = row
    answer = WAYS[way](live, live.pat(who, scopes), ASKED)
    if actions == "403":
        message = tokens.refusal(answer, 403, "DENIED")
        assert "read_registry, write_registry, read_api or api" in message
        return
    want = {"repository:g/priv": actions}
    if catalog:
        want["registry:catalog"] = "*"
    assert tokens.access(answer, live) == want
    assert tokens.subject(answer) == who


@pytest.fixture(scope="module")
def push_only(tmp_path_factory):
    with Dockpass(tmp_path_factory.mktemp("push"),
                  services=[{"name": "registry", "refresh_tokens": True}],
                  pat={"write_registry_implies_pull": False}) as dockpass:
        dockpass.user("bob")
        dockpass.cli("project", "add", "g/priv")
        dockpass.cli("member", "add", "g", "bob", "owner")
        yield dockpass.serve()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scopes, actions", [
    ("write_registry", "push"), ("read_registry,write_registry", "pull,push"),
    ("api", "delete,pull,push")], ids=["artifact-keeper#3408", "both", "api"])
def test_push_only_cannot_pull(push_only, way, scopes, actions):
    secret = push_only.token("bob", scopes=scopes, name=f"{way} {scopes}")
    answer = WAYS[way](push_only, secret, ASKED)
    assert tokens.access(answer, push_only) == {"repository:g/priv": actions}


# artifact-keeper#3316 #2290 #2420: re-minted without its repository list.
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("owner, own", [
    (("--project", "g/priv"), {"g/priv": "pull,push"}),
    (("--group", "team"), {"team/app": "pull,push"})],
    ids=["artifact-keeper#3316-#2290-#2420-project",
         "artifact-keeper#3316-#2290-#2420-group"])
def test_a_place_s_token_reaches_that_place_alone(live, way, owner, own):
    secret = live.token(*owner, "--role", "developer", scopes="api",
                        name=f"{way} {owner}")
    asked = ["repository:g/priv/a:*", "repository:team/app:*",
             "repository:base/img:*", "repository:g/memb:*",
             "repository:team/none:*", "registry:catalog:*"]
    want = {f"repository:{name}{'/a' if name == 'g/priv' else ''}": actions
            for name, actions in own.items()}
    assert tokens.access(WAYS[way](live, secret, asked), live) == want


# CVE-2026-27771: private images pulled without credentials.
@pytest.mark.parametrize("project, actions", [
    ("g/priv", ""), ("g/int", ""), ("g/pub", "pull"), ("g/memb", ""),
    ("g/off", ""), ("g/arch", ""), ("nowhere/x", "")],
    ids=lambda text: f"CVE-2026-27771-{text or 'nothing'}")
def test_without_credentials(world, project, actions):
    asked = f"repository:{project}:pull,push,delete,*"
    want = {f"repository:{project}": actions} if actions else {}
    assert tokens.access(world.ask(asked), world) == want
    # No credentials in full, but a header: never anonymous, not even there.
    for empty in ("Og==", "", base64.b64encode(b"alice:").decode()):
        answer = world.ask(asked, headers={"Authorization": f"Basic {empty}"})
        tokens.refusal(answer, 401, "UNAUTHORIZED")


def test_artifact_keeper_2477_refresh_is_reusable_until_revoked(live):
    secret = live.token("alice", scopes="read_registry", name="2477")
    token = refresh_token(login(live, secret))
    for _ in range(100):
        answer = refresh(live, token, "repository:g/priv:pull,push")
        assert tokens.access(answer, live) == {"repository:g/priv": "pull"}
        assert answer.json().get("refresh_token", token) == token
    live.cli("token", "revoke", live.token_id("2477"))
    tokens.refusal(refresh(live, token), 401, "UNAUTHORIZED")
    tokens.refusal(get_basic(live, secret), 401, "UNAUTHORIZED")


@pytest.mark.parametrize("service", ["other", "plain", "closed"])
def test_CVE_2026_32589_refresh_token_of_another_service(live, service):
    token = refresh_token(login(live, live.pat("alice", "api")))
    tokens.refusal(refresh(live, token, service=service), 401, "UNAUTHORIZED")
    assert refresh(live, token).status_code == 200


def test_CVE_2026_44428_a_token_names_one_audience(live):
    answer = login(live, live.pat("alice", "api"), service="other")
    tokens.verify(answer.json()["token"], live, "other")
    with pytest.raises(jwt.InvalidAudienceError):
        tokens.verify(answer.json()["token"], live, "registry")


SERVICES = ["registry.", "Registry", "REGISTRY", " registry", "registry ",
            "registry.example.com", "evil-registry", "registry@evil", "regist",
            "evil@registry", "registry/", "registry:443", "http://registry",
            "regi\u017ftry", "registry\t", "registry,other", "*"]


@pytest.mark.parametrize("service", SERVICES, ids=ascii)
def test_CVE_2023_45821_a_service_is_its_whole_name(world, service):
    for method, more in (("GET", {}), ("POST", {"grant_type": "password"})):
        answer = world.ask(auth=world.basic("alice", "api"), method=method,
                           fields={"service": service, **more})
        tokens.refusal(answer, 400, "BAD_REQUEST")


def test_harbor_15110_the_dead_do_not_log_in(live, faketime):
    day = time.strftime("%Y-%m-%d", time.gmtime())
    dead = {
        "expired": live.token("alice", scopes="api", name="expired",
                              expires=day, day="2026-01-02"),
        "revoked": live.token("alice", scopes="api", name="revoked")}
    live.cli("token", "revoke", live.token_id("revoked"))
    seen = set()
    for why, secret in dead.items():
        for way in WAYS.values():
            before = len(live.log("token"))
            answer = way(live, secret)
            seen.add(tokens.refusal(answer, 401, "UNAUTHORIZED"))
            line, = live.logged(before)
            assert line["reason"] == f"token_{why}"
    unknown = secrets.remember("glpat-" + "x" * 20)
    seen.add(tokens.refusal(get_basic(live, unknown), 401, "UNAUTHORIZED"))
    assert len(seen) == 1, "one text, so that nobody learns what he guessed"


# Harbor creator.go: every action held was given for the one that was asked.
# zot (create-only), docker_auth D6: what was asked was signed as it stood.
ACTIONS = [
    ("Harbor-creator.go", "pull", "pull"),
    ("Harbor-creator.go-delete", "delete", "delete"),
    ("Harbor-creator.go-push", "push", "push"),
    ("docker_auth-D6-evil", "evil", None),
    ("docker_auth-D6-some", "pull,evil,push", "pull,push"),
    ("docker_auth-D6-star", "*", "delete,pull,push"),
    ("docker_auth-D6-star-and", "*,evil,*", "delete,pull,push"),
    ("docker_auth-D6-twice", "pull,pull,", "pull"),
    ("zot-create-only", "create", None),
    ("zot-admin", "admin,write,read,update", None),
]


@pytest.mark.parametrize("asked, actions", [row[1:] for row in ACTIONS],
                         ids=[row[0] for row in ACTIONS])
def test_no_action_beyond_what_was_asked(world, asked, actions):
    answer = world.ask(f"repository:g/priv:{asked}",
                       auth=world.basic("bob", "api"))
    want = {"repository:g/priv": actions} if actions else {}
    assert tokens.access(answer, world) == want


@pytest.mark.parametrize("account", ["admin", "root", "alice", "", "x" * 300])
def test_Portus_account_is_no_subject(world, account):
    answer = world.ask("repository:g/priv:push", fields={"account": account},
                       auth=("root", world.pat("carol", "api")))
    assert tokens.access(answer, world) == {}
    assert tokens.subject(answer) == "carol"
    answer = world.ask("repository:g/priv:pull", fields={"account": account})
    assert tokens.access(answer, world) == {}
    assert tokens.subject(answer) == ""


# CVE-2020-15157, artifact-keeper#3591: credentials sent to a realm of the
# attacker's choice.
@pytest.mark.parametrize("headers", [
    {"Host": "evil.example.com"}, {"Host": "evil.example.com:443"},
    {"Host": "localhost.evil"}, {"X-Forwarded-Host": "evil.example.com"},
    {"X-Forwarded-Proto": "https", "X-Forwarded-Port": "443"},
    {"Forwarded": "host=evil.example.com;proto=https"},
    {"X-Original-URL": "/evil"}, {"X-Rewrite-URL": "http://evil.example.com/"},
    {"X-Forwarded-Prefix": "/evil", "X-Forwarded-Uri": "/evil"},
], ids=lambda headers: "CVE-2020-15157-" + "-".join(headers))
def test_the_realm_is_that_of_the_configuration(world, headers):
    answer = world.ask(auth=("alice", "glpat-wrong"), headers=headers)
    tokens.refusal(answer, 401)
    assert answer.headers["WWW-Authenticate"] == \
        f'Basic realm="{world.url}/token", charset="UTF-8"'
    assert "Location" not in answer.headers
    assert "evil" not in answer.text + str(answer.headers)


@pytest.mark.parametrize("path, status", [
    ("/", 404), ("/token/", 400), ("//evil.com/token", 404), ("/token", 400),
    ("/token?service=registry&redirect_uri=http://evil.com", 200),
    ("/%5cevil.com", 404), ("/token/%2e%2e/", 404), ("/login", 404),
    ("/v2", 404), ("/https://evil.com", 404), ("https://evil.com/token", 400)])
def test_CVE_2020_15157_never_a_redirect(world, path, status):
    with Line(world) as line:
        answer = line.send(path)
        assert answer.status == status
        assert answer.getheader("Location") is None


# docker_auth D9: whom a proxy's header names was believed.
def test_docker_auth_D9_forwarded_addresses_are_not_believed(world):
    before = len(world.log("token"))
    names = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP")
    for name in names:
        answer = world.ask("repository:g/priv:pull,push",
                           headers={name: "for=127.0.0.9"})
        assert tokens.access(answer, world) == {}
    lines = world.logged(before, len(names))
    assert {line["addr"] for line in lines} == {"127.0.0.1"}


def test_CVE_2020_29662_the_catalog_is_for_administrators(world):
    for who, scopes, want in (
            (None, None, {}), ("bob", "api", {}), ("bob", "read_api", {}),
            ("root", "read_registry", {}), ("root", "write_registry", {}),
            ("root", "read_api", {"registry:catalog": "*"})):
        answer = world.ask("registry:catalog:*",
                           auth=who and world.basic(who, scopes))
        assert tokens.access(answer, world) == want, (who, scopes)


@pytest.mark.parametrize("path", [
    "//v2", "/v2/", "/v2/%2e", "/v2/_catalog", "/token/../v2/_catalog",
    "/token/%2e%2e/healthz", "/token//", "/Token", "/token;x", "/token/x",
    "/token%00", "/.gate/503", "/%2egate/503", "/.gate/413"])
def test_CVE_2020_29662_other_paths_are_nothing(world, path):
    with Line(world) as line:
        answer = line.send(path)
        assert answer.status == 404
        assert json.loads(answer.text)["errors"][0]["code"] == "NOT_FOUND"


# pulp: one malformed scope voided all. Quay: 500 at "*" of the unknown, 400 at
# two scopes in one value.
GOOD = "repository:g/priv:pull"
PULL = {"repository:g/priv": "pull"}
SETS = [
    ("pulp-bad-and-good", [f"nonsense {GOOD}"], PULL),
    ("pulp-good-and-bad", [GOOD, "repository:", ":::", "a:b", ":", "x"], PULL),
    ("pulp-bad-name", [f"repository:G//Priv:pull {GOOD}"], PULL),
    ("Quay-v2auth-star-unknown", ["repository:no/such:*"], {}),
    ("Quay-v2auth-star-top", ["repository:nosuch:*"], {}),
    ("Quay-v2auth-one-value", [f"{GOOD} repository:g/int:push"],
     {**PULL, "repository:g/int": "push"}),
    ("Quay-v2auth-two-values", [GOOD, "repository:g/int:push"],
     {**PULL, "repository:g/int": "push"}),
    ("Quay-v2auth-spaces", [f"  {GOOD}   repository:g/int:push "],
     {**PULL, "repository:g/int": "push"}),
]


@pytest.mark.parametrize("scope, want", [row[1:] for row in SETS],
                         ids=[row[0] for row in SETS])
def test_scopes_beside_each_other(world, scope, want):
    secret = world.pat("alice", "api")
    for way in (WAYS["GET-Basic"], WAYS["POST-password"]):
        assert tokens.access(way(world, secret, scope), world) == want


def test_docker_auth_D15_what_an_answer_holds(world):
    """No issued_at, which pulp and Keycloak had in local time."""
    answer = world.ask(GOOD, auth=world.basic("alice", "api"))
    assert set(answer.json()) == {"token", "access_token", "expires_in"}
    assert answer.json()["expires_in"] == 300


def test_docker_auth_D10_a_reload_drops_no_connection(live):
    with Line(live) as line:
        assert line.send("/healthz").status == 200
        line.http.auto_open = False
        for _ in range(3):
            assert live.reload().startswith("done: ")
            assert line.ask(basic("x", live.pat("bob", "api"))).status == 200
